"""`proofbook stress`: the whole venue through a crash, from one seed."""

from functools import partial
from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from proofbook.cli.output import ReportPath, console_for, publish
from proofbook.cli.pictures import PlotPath, draw_or_exit
from proofbook.simulator.rehearsal import picture
from proofbook.simulator.rehearsal.rehearsal import Rehearsal
from proofbook.simulator.rehearsal.report import report
from proofbook.simulator.rehearsal.scenario import BUILT_IN, Scenario, ScenarioInvalid, find

EXIT_MONEY_LOST = 1


def stress(
    scenario: Annotated[
        str, typer.Option(help=f"{', '.join(BUILT_IN)}, or a CSV or JSON file of the path.")
    ] = "2020-03-12",
    traders: Annotated[int, typer.Option(min=1, max=20_000, help="Traders in the crowd.")] = 300,
    seed: Annotated[int, typer.Option(help="Seed of the crowd.")] = 1,
    json_path: ReportPath = "",
    plot_path: PlotPath = "",
) -> None:
    """Drive the venue through a crash and report liquidations, slippage, fund, and lost atoms.

    A file has rows of second, spot_usd, volatility and, if need be, stalled and thin; a JSON file
    may have shares beside its rows.
    """
    path = _find_or_exit(scenario)
    console = console_for(json_path)
    rehearsal = Rehearsal(path, traders, seed)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(path.name, total=path.steps)
        rehearsal.run(lambda step: progress.update(task, completed=step))
    result = report(rehearsal, seed)
    publish(result, json_path, as_table(result))
    draw_or_exit(partial(picture.draw, rehearsal), plot_path)
    if result["atoms_lost"]:
        raise typer.Exit(EXIT_MONEY_LOST)


def _find_or_exit(name: str) -> Scenario:
    try:
        return find(name)
    except ScenarioInvalid as fault:
        raise typer.BadParameter(str(fault), param_hint="--scenario") from None


def as_table(result: dict[str, Any]) -> Table:
    """Return the report as a table of questions and answers."""
    spot, fund, steps = result["spot_usd"], result["fund_usd"], result["liquidation"]
    accounts, auctions = result["accounts"], result["auctions"]
    debts, leaving = result["debts"], result["withdrawals"]
    closing, ended = result["deleveraging"], result["expiries"]
    table = Table(title=f"{result['scenario']}, seed {result['seed']}")
    table.add_column("question")
    table.add_column("answer", justify="right")
    rows = {
        "index, USD": f"{spot['first']:,.0f} → {spot['lowest']:,.0f} → {spot['last']:,.0f}",
        "accounts liquidated": f"{accounts['liquidated']} of {accounts['traders']}",
        "slices": f"{steps['slices']:,}, {steps['slices_unfilled']:,} unfilled",
        "value liquidated, USD": f"{steps['value_usd']:,.0f}",
        "slippage": f"{steps['slippage_ppm'] / 10_000:.2f} %",
        "mark to first slice, ms": _times(steps["mark_to_first_slice_ms"]),
        "mark to covered, ms": _times(steps["mark_to_covered_ms"]),
        "fund, USD": f"{fund['first']:,.0f} → {fund['lowest']:,.0f} → {fund['last']:,.0f}",
        "auctions": f"{auctions['begun']}, {auctions['begun_against_the_fund']} against the fund",
        "bids taken": f"{auctions['bids_taken']}, {auctions['running_at_the_end']} still running",
        "premiums, USD": f"{auctions['premiums_usd']:,.0f}",
        "premiums from the fund, USD": f"{auctions['premiums_from_the_fund_usd']:,.0f}",
        "deleveraged, USD": f"{closing['value_usd']:,.0f} of {closing['holders']} holders",
        "charged to holders, USD": f"{closing['charged_usd']:,.0f}",
        "debts covered, USD": f"{debts['covered_usd']:,.0f}",
        "debts at the end, USD": f"{debts['left_usd']:,.0f}",
        "expiries settled": f"{ended['settled']}, {ended['positions']} positions",
        "withdrawn, USD": f"{leaving['paid_usd']:,.0f}, {leaving['withheld_usd']:,.0f} withheld",
        "atoms lost": str(result["atoms_lost"]),
    }
    for question, answer in rows.items():
        table.add_row(question, answer)
    return table


def _times(percentiles: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:,.0f}" for name, value in percentiles.items()) or "–"
