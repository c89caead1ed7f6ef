"""`proofbook bench pipeline`: orders through a whole venue, from the wire to the durable receipt.

The yardstick is `fdatasync` alone on the same disk: what durability costs whoever wants it. The
venue is a process with its own journal, monitor, keeper and publishers, on loopback, without a
chain: what settlement does beside it is not in these numbers.
"""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.table import Table

from proofbook.cli.machine import machine
from proofbook.cli.output import (
    EXIT_FAULT,
    EXIT_UNWRITTEN,
    PlainConsole,
    ReportPath,
    console_for,
    publish,
    say,
)
from proofbook.cli.pictures import PlotPath, draw_or_exit
from proofbook.simulator.pipeline import picture
from proofbook.simulator.pipeline.plan import ACCOUNTS, BATCH, ORDER
from proofbook.simulator.pipeline.processes import ProcessEnded, open_bench


def pipeline(
    loads: Annotated[int, typer.Option(min=1, help="Up to what the venue takes at most.")] = 10,
    seconds: Annotated[float, typer.Option(min=0.2, help="Of each load.")] = 5.0,
    rounds: Annotated[int, typer.Option(min=1, help="At the promised rate; medians count.")] = 5,
    folder: Annotated[
        Path | None, typer.Option(help="On the disk to be measured; else temporary files' place.")
    ] = None,
    json_path: ReportPath = "",
    plot_path: PlotPath = "",
) -> None:
    """Measure latency against load, beside fdatasync alone, and processor time by stage."""
    console = console_for(json_path)
    report = _measure_or_exit((loads, rounds, seconds), folder, console)
    publish(report, json_path, *as_tables(report))
    draw_or_exit(partial(picture.draw, report), plot_path)


def _measure_or_exit(
    asked: tuple[int, int, float], folder: Path | None, console: PlainConsole
) -> dict[str, Any]:
    loads, rounds, seconds = asked
    try:
        from proofbook.simulator.pipeline.measure import Questions, measure
    except ImportError:
        say("failed", "it needs hdrhistogram: pip install hdrhistogram")
        raise typer.Exit(EXIT_UNWRITTEN) from None
    workload = {
        "connections": ACCOUNTS,
        "seconds": seconds,
        "rounds": rounds,
        "arrivals": "independent and random, latency from the time to be sent",
        "chain": "none",
    }
    try:
        with (
            TemporaryDirectory(prefix="proofbook-bench-", dir=folder) as place,
            console.status("starting a venue") as status,
            open_bench(Path(place) / "journal") as bench,
        ):
            questions = Questions(bench, Path(place), seconds, status.update)
            answers = measure(questions, loads, rounds)
    except (ProcessEnded, OSError) as fault:
        say("failed", fault)
        raise typer.Exit(EXIT_FAULT) from fault
    return {"machine": machine(), "workload": workload} | answers


def as_tables(report: dict[str, Any]) -> list[Table]:
    """Return the report as tables: a row for each load; then what is promised."""
    table = Table(title=report["machine"])
    for name in ("offered/s", "answered/s", "p50 ms", "p99 ms", "fdatasync p50", "p99", "CPU µs"):
        table.add_column(name, justify="right")
    for kind in (ORDER, BATCH):
        table.add_section()
        for point in report[kind]["points"] + report[kind]["at_target"]:
            latency, disk = point["latency_us"], point["fdatasync_us"]
            milliseconds = [latency["p50"], latency["p99"], disk["p50"], disk["p99"]]
            table.add_row(
                f"{point['offered_per_second']:,.0f} {kind}",
                f"{point['answered_per_second']:,.0f}",
                *(f"{value / 1e3:.2f}" for value in milliseconds),
                f"{point['server_cpu_us']:.0f}",
            )
    return [table, _promises(report)]


def _promises(report: dict[str, Any]) -> Table:
    table = Table("promise", "measured", "at most", "")
    for each in report["promises"]:
        verdict = "kept" if each["is_kept"] else "MISSED"
        table.add_row(each["promise"], f"{each['measured']:,}", f"{each['at_most']:,}", verdict)
    return table
