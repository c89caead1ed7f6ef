"""`proofbook bench capital`: what our margin asks beside two published systems."""

from typing import Any

from rich.table import Table

from proofbook.cli.output import ReportPath, publish
from proofbook.risk.published import scenario_margin, standard_margin
from proofbook.risk.published.portfolio import Margins
from proofbook.risk.published.references import REFERENCES, SPOT, VOLATILITY
from proofbook.simulator.capital import requirements

DECIMALS = 4


def capital(json_path: ReportPath = "") -> None:
    """Compare what reference portfolios must bring: here, and in two published systems."""
    report = compare()
    publish(report, json_path, as_table(report))


def compare() -> dict[str, Any]:
    """Return, for each portfolio, equity without cash less margin, in USD per coin."""
    ours = requirements()
    rows: dict[str, Any] = {}
    for name, reference in REFERENCES.items():
        asked = ours.get(name)
        rows[name] = {
            "ours": asked and _pair(asked.net_initial, asked.net_maintenance),
            "scenario": _margins(scenario_margin.margins(reference, SPOT, VOLATILITY)),
            "standard": _margins(standard_margin.margins(reference, SPOT, VOLATILITY)),
        }
    return {"spot_usd": SPOT, "volatility": VOLATILITY, "portfolios": rows}


def _margins(margins: Margins) -> dict[str, float]:
    return _pair(margins.initial, margins.maintenance)


def _pair(initial: float, maintenance: float) -> dict[str, float]:
    return {"initial": round(initial, DECIMALS), "maintenance": round(maintenance, DECIMALS)}


def as_table(report: dict[str, Any]) -> Table:
    """Return the report as a table; a dash stands for what is not there."""
    table = Table(title="equity without cash less margin, USD; negative is what to bring")
    table.add_column("portfolio")
    for system in ("ours", "scenario", "standard"):
        table.add_column(f"{system} initial", justify="right")
        table.add_column("maintenance", justify="right")
    for name, systems in report["portfolios"].items():
        cells = [
            f"{pair[kind]:,.2f}" if pair else "–"
            for pair in systems.values()
            for kind in ("initial", "maintenance")
        ]
        table.add_row(name, *cells)
    return table
