"""`proofbook demo`: the whole line once, from signed orders to a verified root and back out."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import structlog
import typer
from rich.progress import BarColumn, Progress, TextColumn

from proofbook.chain.errors import ChainFault
from proofbook.cli.demonstration.errors import DemonstrationFault
from proofbook.cli.demonstration.report import Report, table
from proofbook.cli.demonstration.story import Plan, tell
from proofbook.cli.output import (
    EXIT_FAULT,
    EXIT_TERMINATED,
    PlainConsole,
    ReportPath,
    Unwritable,
    as_json,
    console_for,
    fault_among,
    say,
    styled,
    write_or_exit,
)
from proofbook.client import ConnectionLost
from proofbook.liquidity.tally import Tally
from proofbook.risk.chain import Snapshot
from proofbook.risk.generator import generate_snapshot
from proofbook.risk.market import GridTooCoarse
from proofbook.risk.snapshot import SnapshotFault, read_snapshot
from proofbook.sequencer.journal import JournalFault
from proofbook.settlement.errors import SettlementFault

EXIT_PROMISE_BROKEN = 1
EXIT_INTERRUPTED = 130
SECONDS_MAX = 86_400.0
"""A day: longer than that, run `proofbook up`."""
REFRESH_SECONDS = 0.2

FAULTS = (
    DemonstrationFault, SettlementFault, ChainFault, ConnectionLost, SnapshotFault, GridTooCoarse,
    JournalFault, Unwritable, OSError,
)  # fmt: skip


def demo(
    snapshot: Annotated[
        Path | None, typer.Option(help="A Deribit option chain, CSV; else a small one is made up.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.5, max=SECONDS_MAX, help="How long to trade.")
    ] = 20.0,
    seed: Annotated[int, typer.Option(min=0, help="Fixes what traders and prices do.")] = 1,
    json_path: ReportPath = "",
) -> None:
    """Trade a whole option chain on a local venue, verify it, catch a liar, withdraw everybody.

    Ends with 0 when everything came true, 1 when something did not, 2 when it could not be run.
    """
    console = console_for(json_path)
    quiet_logs()
    try:
        chain = generate_snapshot(seed) if snapshot is None else read_snapshot(snapshot)
        source = "generated chain" if snapshot is None else snapshot.name
        report = run(chain, source, seconds, seed, console)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except asyncio.CancelledError:
        raise typer.Exit(EXIT_TERMINATED) from None
    except BaseException as error:
        fault = fault_in(error)
        if fault is None:
            raise
        say("cannot go on", fault)
        raise typer.Exit(EXIT_FAULT) from error
    console.print(table(report))
    write_or_exit(as_json(report), json_path)
    if not report.is_good:
        raise typer.Exit(EXIT_PROMISE_BROKEN)


def run(
    snapshot: Snapshot, source: str, seconds: float, seed: int, console: PlainConsole
) -> Report:
    """Run a demonstration in a folder of its own and return its report."""
    with TemporaryDirectory(prefix="proofbook-demo-") as folder:
        plan = Plan(snapshot, source, seconds, seed, Path(folder))
        return asyncio.run(terminable(tell(plan, ConsoleDisplay(console))))


async def terminable(story: Coroutine[Any, Any, Report]) -> Report:
    """Let signals cancel a story as Ctrl-C does."""
    cancel_on_signals()
    return await story


def cancel_on_signals() -> None:
    """Cancel this task at SIGTERM, and when the terminal closes: no child, no file is left."""
    task = asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def fault_in(error: BaseException) -> BaseException | None:
    """Return the first fault that has a name of ours, out of whatever groups it came in."""
    return fault_among(error, FAULTS)


def quiet_logs() -> None:
    """Keep logs out of standard output, and all but warnings out of sight."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


class ConsoleDisplay:
    """A line for each step with the time it began, and a bar while the market is open."""

    def __init__(self, console: PlainConsole) -> None:
        self._console = console
        self._began = time.monotonic()

    def step(self, text: str) -> None:
        """Begin a step."""
        elapsed = time.monotonic() - self._began
        self._console.print(styled((f"{elapsed:6.1f} s", "dim"), f"  {text}"))

    async def during(self, seconds: float, tally: Tally) -> None:
        """Show the counts of a running market for some seconds."""
        columns = (
            TextColumn("          "),
            BarColumn(),
            TextColumn("{task.fields[orders]:,} orders, {task.fields[fills]:,} fills"),
        )
        started = time.monotonic()
        with Progress(*columns, console=self._console, transient=True) as progress:
            bar = progress.add_task("", total=seconds, orders=0, fills=0)
            while (elapsed := time.monotonic() - started) < seconds:
                progress.update(bar, completed=elapsed, orders=tally.orders, fills=tally.fills)
                await asyncio.sleep(min(REFRESH_SECONDS, seconds - elapsed))
