"""Rehearsals of a crash: no atom is lost, the same seed gives the same report."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from proofbook.cli import app
from proofbook.simulator.rehearsal.rehearsal import Rehearsal
from proofbook.simulator.rehearsal.report import report
from proofbook.simulator.rehearsal.scenario import BUILT_IN, Scenario, from_rows

QUICK = from_rows(
    "quick",
    [
        {"second": 0, "spot_usd": 50_000, "volatility": 0.6},
        {"second": 60, "spot_usd": 48_000, "volatility": 0.7},
        {"second": 120, "spot_usd": 42_000, "volatility": 1.0, "thin": True},
        {"second": 180, "spot_usd": 40_000, "volatility": 1.2, "stalled": True, "thin": True},
        {"second": 240, "spot_usd": 36_000, "volatility": 1.3, "thin": True},
        {"second": 300, "spot_usd": 35_000, "volatility": 1.3},
        {"second": 900, "spot_usd": 38_000, "volatility": 1.0},
    ],
)


def rehearse(scenario: Scenario, traders: int, seed: int) -> dict[str, Any]:
    rehearsal = Rehearsal(scenario, traders, seed)
    rehearsal.run()
    return report(rehearsal, seed)


def test_a_crash_loses_no_atom_and_liquidates_the_whale() -> None:
    result = rehearse(QUICK, traders=60, seed=1)
    assert result["atoms_lost"] == 0
    assert result["accounts"]["whale_liquidated"]
    assert 1 < result["accounts"]["liquidated"] < 61, "leveraged accounts, and not all"
    assert result["liquidation"]["value_usd"] > 0
    assert result["liquidation"]["mark_to_first_slice_ms"]["p100"] < 100


def test_the_same_seed_gives_the_same_report_and_another_one_another() -> None:
    first, again, other = (rehearse(QUICK, traders=30, seed=seed) for seed in (2, 2, 3))
    assert first == again
    assert first != other | {"seed": 2}


def test_the_command_reports_and_draws(tmp_path: Path) -> None:
    path, output, picture = (tmp_path / name for name in ("path.csv", "report.json", "crash.png"))
    path.write_text("second,spot_usd,volatility\n0,50000,0.6\n60,40000,1.2\n120,45000,1\n")
    arguments = ["--scenario", str(path), "--traders", "20", "--json", str(output)]
    result = CliRunner().invoke(app, ["stress", *arguments, "--plot", str(picture)])
    assert result.exit_code == 0, result.output
    assert json.loads(output.read_text())["atoms_lost"] == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "nowhere"], "no scenario of this name"),
        (["--traders", "0"], "--traders"),
        (["--plot", "/nowhere/crash.png"], "is no folder"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(app, ["stress", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert words in result.output


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_crashes_lose_no_atom(name: str, seed: int) -> None:
    result = rehearse(BUILT_IN[name], traders=400, seed=seed)
    assert result["atoms_lost"] == 0
    assert result["accounts"]["whale_liquidated"]
