"""`proofbook bench`: how fast both engines go through one stream, beside what bounds them.

`bench risk` and `bench capital` measure margin: how long it takes, and how much it asks;
`bench pipeline` an order's way to its receipt; `bench kernel` and `bench python` the state machine,
`bench pricing` prices of options and `bench tree` roots, each beside others.
"""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Annotated, Any

import typer
from rich.progress import track
from rich.table import Table

from proofbook.cli.bench_capital import capital
from proofbook.cli.bench_pipeline import pipeline
from proofbook.cli.bench_risk import risk
from proofbook.cli.bench_soak import soak
from proofbook.cli.benchmarks.growth import growth
from proofbook.cli.benchmarks.kernel import kernel
from proofbook.cli.benchmarks.pricing import pricing
from proofbook.cli.benchmarks.python import python
from proofbook.cli.benchmarks.recovery import recovery
from proofbook.cli.benchmarks.tree import tree
from proofbook.cli.machine import machine
from proofbook.cli.output import (
    PlainConsole,
    ReportPath,
    console_for,
    publish,
)
from proofbook.kernel import Kernel
from proofbook.protocol.engine import Engine
from proofbook.protocol.limits import SEGMENT_ENTRIES
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload
from proofbook.spec import State

BATCHES = (1, 8, 64, 512)
STORES = ("cached", "plain")
DISK_BLOCK_BYTES = 4096
DISK_WRITES = 100


app = typer.Typer(add_completion=False)
app.command("risk")(risk)
app.command("capital")(capital)
app.command("pipeline")(pipeline)
app.command("kernel")(kernel)
app.command("soak")(soak)
app.command("recovery")(recovery)
app.command("python")(python)
app.command("pricing")(pricing)
app.command("tree")(tree)
app.command("growth")(growth)


@app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    commands: Annotated[int, typer.Option(min=2_000, help="Entries in the stream.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of the stream.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds; medians count.")] = 3,
    json_path: ReportPath = "",
) -> None:
    """Measure commands per second of spec and kernel, signatures recovered, roots left out."""
    if context.invoked_subcommand is not None:
        return
    console = console_for(json_path)
    report = measure(commands, seed, rounds, console)
    publish(report, json_path, as_table(report))


def measure(commands: int, seed: int, rounds: int, console: PlainConsole) -> dict[str, Any]:
    """Return medians over interleaved rounds: every engine runs once in each."""
    entries, spec_rate = hostile_stream(commands, seed)
    workload = Workload(seed)
    rates: dict[str, list[float]] = {}
    for _ in track(range(rounds), "measuring", console=console, transient=True):
        for store in STORES:
            for batch in BATCHES:
                kernel = Kernel(workload.genesis, CHAIN_ID, CONTRACT, store=store)
                rates.setdefault(f"{store}_batch_{batch}", []).append(rate(kernel, entries, batch))
        kernel = Kernel(workload.genesis, CHAIN_ID, CONTRACT, store="cached")
        rates.setdefault("cached_with_roots", []).append(
            rate(kernel, entries, SEGMENT_ENTRIES, kernel.root)
        )
    medians = {name: round(median(values)) for name, values in rates.items()}
    return {
        "machine": machine(),
        "workload": {
            "commands": commands,
            "seed": seed,
            "rounds": rounds,
            "signatures": "included",
        },
        "spec_commands_per_second": round(spec_rate),
        "kernel_commands_per_second": medians,
        "kernel_over_spec": round(medians["cached_batch_64"] / spec_rate, 1),
        "fdatasync_ms_p50": round(fdatasync_ms(), 3),
    }


def hostile_stream(commands: int, seed: int) -> tuple[list[bytes], float]:
    """Return a stream of the workload, and how many commands a second the spec took of it."""
    workload = Workload(seed)
    spec = State(workload.genesis, CHAIN_ID, CONTRACT)
    entries: list[bytes] = []
    seconds = 0.0
    for _ in range(commands):
        entry = workload.next_entry()
        started = time.perf_counter()
        result = spec.apply([entry])[0]
        seconds += time.perf_counter() - started
        workload.observe(entry, result)
        entries.append(entry)
    return entries, commands / seconds


def rate(
    engine: Engine,
    entries: Sequence[bytes],
    batch: int,
    after_batch: Callable[[], object] = lambda: None,
) -> float:
    """Return entries per second through an engine, so many to a call."""
    started = time.perf_counter()
    for first in range(0, len(entries), batch):
        engine.apply(entries[first : first + batch])
        after_batch()
    return len(entries) / (time.perf_counter() - started)


def fdatasync_ms() -> float:
    """Return the median of writing a block and `fdatasync`, in the folder of temporary files."""
    times_ms: list[float] = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(DISK_WRITES):
            started = time.perf_counter()
            os.write(file.fileno(), bytes(DISK_BLOCK_BYTES))
            os.fdatasync(file.fileno())
            times_ms.append((time.perf_counter() - started) * 1_000)
    return median(times_ms)


def as_table(report: dict[str, Any]) -> Table:
    """Return the report as a table: engine, commands per second, ratio to the spec."""
    spec_rate = report["spec_commands_per_second"]
    table = Table(title=f"{report['workload']['commands']:,} entries, {report['machine']}")
    table.add_column("engine")
    table.add_column("commands/s", justify="right")
    table.add_column("× spec", justify="right")
    table.add_row("spec", f"{spec_rate:,}", "1.0")
    for name, value in report["kernel_commands_per_second"].items():
        table.add_row(f"kernel {name.replace('_', ' ')}", f"{value:,}", f"{value / spec_rate:.1f}")
    return table
