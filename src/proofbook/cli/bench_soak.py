"""`proofbook bench soak`: minutes of mixed load and abuse, and whether memory grows."""

import json
from functools import partial
from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from proofbook.cli.machine import machine
from proofbook.cli.output import (
    EXIT_FAULT,
    ReportPath,
    console_for,
    fault_among,
    publish_text,
    say,
)
from proofbook.cli.pictures import PlotPath, draw_or_exit
from proofbook.client import ConnectionLost
from proofbook.simulator.soak import picture
from proofbook.simulator.soak.soak import Settings, report, run
from proofbook.simulator.soak.tally import total
from proofbook.simulator.soak.venue_process import SoakFault

KIB_PER_MIB = 1024
FAULTS = (SoakFault, ConnectionLost)


def soak(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long.")] = 10.0,
    commands: Annotated[
        float, typer.Option(min=1.0, help="Commands of makers and traders, a second.")
    ] = 100.0,
    abuse: Annotated[
        float, typer.Option(min=1.0, help="Actions of each kind of abuse, a second.")
    ] = 20.0,
    kept: Annotated[
        int, typer.Option(min=256, help="Receipts, answers and notices that the venue keeps.")
    ] = 4_096,
    json_path: ReportPath = "",
    plot_path: PlotPath = "",
) -> None:
    """Run a venue under load and abuse; tell how its memory grows and what honest clients notice.

    The venue is a process of its own. For the first tenth it has load alone, then everything.
    """
    console = console_for(json_path)
    settings = Settings(minutes, commands, abuse, kept)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("soaking", total=settings.seconds)
        try:
            result = run(settings, lambda second: progress.update(task, completed=second))
        except Exception as error:
            fault = fault_among(error, FAULTS)
            if fault is None:
                raise
            say("cannot go on", fault)
            raise typer.Exit(EXIT_FAULT) from error
    found = {"machine": machine()} | report(result)
    publish_text(as_lines(found) + "\n", json_path, as_table(found))
    draw_or_exit(partial(picture.draw, result), plot_path)


def as_lines(found: dict[str, Any]) -> str:
    """Return the report as JSON, a column of samples on a line."""
    samples = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(column)}" for name, column in found["samples"].items()
    )
    text = json.dumps(found | {"samples": None}, indent=1)
    return text.replace('"samples": null', '"samples": {\n' + samples + "\n }")


def as_table(found: dict[str, Any]) -> Table:
    """Return the report as a table of questions and answers."""
    table = Table(title=f"{found['minutes']:g} minutes, {found['machine']}")
    table.add_column("question")
    table.add_column("measured", justify="right")
    table.add_row("entries", f"{found['entries']:,}")
    table.add_row("warm from", f"{found['warm_from_second']:,.0f} s, all full: {found['is_full']}")
    for name, growth in found["resident_growth"].items():
        if growth is not None:
            words = f"{growth['kib_per_minute']:+,.1f} ± {growth['error']:,.1f} KiB a minute"
            table.add_row(f"memory of the {name} grows by", words)
    resident = found["resident_kib"]
    mib = {name: f"{value / KIB_PER_MIB:,.0f}" for name, value in resident.items()}
    table.add_row(
        "resident, MiB", f"{mib['first']} → {mib['warm']} warm → {mib['last']}, most {mib['most']}"
    )
    opened = found["descriptors"]
    table.add_row("descriptors", f"{opened['warm']} → {opened['last']}, most {opened['most']}")
    for what, each in found["kept"].items():
        most = f" of {each['most']:,}" if each["most"] else ""
        table.add_row(f"kept: {what}", f"{each['kept']:,}{most}")
    table.add_section()
    for name, phases in found["honest_ms"].items():
        for phase, times in phases.items():
            words = ", ".join(f"{key} {value:,.1f}" for key, value in times.items()) or "–"
            table.add_row(f"honest {name}, {phase}, ms", words)
    table.add_section()
    for crew, counts in found["answers"].items():
        table.add_row(f"answers to {crew}", f"{total(counts):,}")
        for kind, row in counts.items():
            words = ", ".join(f"{answer} {count:,}" for answer, count in row.items())
            table.add_row(f"  {kind.replace('_', ' ')}", words)
    return table
