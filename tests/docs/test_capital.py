"""The table of capital says what the program asks for, and what is said about it holds."""

from typing import Any

import pytest
from tools.capital import DOCUMENT, as_markdown

from proofbook.cli.bench_capital import compare
from proofbook.simulator.capital import requirements


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return compare()


def test_the_document_shows_the_table(report: dict[str, Any]) -> None:
    assert as_markdown(report) in DOCUMENT.read_text(), "run tools/capital.py"


def test_every_portfolio_that_costs_less_here_is_explained(report: dict[str, Any]) -> None:
    explained = DOCUMENT.read_text().split("## Where we ask for less")[1]
    for name, systems in report["portfolios"].items():
        ours, theirs = systems["ours"], systems["scenario"]
        if ours and ours["initial"] > theirs["initial"]:
            assert _as_explained(name) in explained, name


def _as_explained(name: str) -> str:
    """Return the words by which the document speaks of a portfolio."""
    words = {
        "−1 straddle 2000 7 d": "both straddles",
        "−1 straddle 2000 180 d": "both straddles",
        "condor 1600/1800/2200/2400 30 d": "condor",
        "−1 C2000 30 d +0.53 perpetual": "−1 C2000 +0.53 perpetual",
        "+C −P 2000 30 d −1 perpetual": "+C −P −1 perpetual",
    }
    return words.get(name, name.removesuffix(" 30 d"))


def test_maintenance_is_never_more_than_initial_margin() -> None:
    assert all(each.maintenance <= each.initial for each in requirements().values())
