"""Rehearsals of a crash: no atom is lost, the same seed gives the same report."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from proofbook.cli import app
from proofbook.simulator.rehearsal.rehearsal import Rehearsal
from proofbook.simulator.rehearsal.report import report
from proofbook.simulator.rehearsal.scenario import BUILT_IN, Scenario, find, from_rows

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


SCENARIOS = Path(__file__).parents[2] / "benchmarks" / "scenarios"


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


def test_a_fall_liquidates_who_was_long_and_an_expiry_on_the_way_is_settled() -> None:
    """The first half day of 2020-03-12: nobody has sold himself short in panic."""
    whole = find("2020-03-12")
    points = tuple(point for point in whole.points if point.second <= 11.5 * 3_600)
    result = rehearse(replace(whole, points=points), traders=60, seed=1)
    assert result["atoms_lost"] == 0
    roles = result["accounts"]["liquidated_by_role"]
    assert roles["long"] > 2 and {"short", "carry"}.isdisjoint(roles)
    assert result["expiries"]["settled"] == 1, "at the eighth hour"
    assert result["expiries"]["positions"] > 5
    assert not [reason for reason in result["rejected"] if "Settle" in reason]


def test_an_expiry_without_publishers_is_settled_by_the_governor() -> None:
    hour = 3_600
    rows = [
        {"second": at, "spot_usd": usd, "volatility": 0.6, "stalled": usd == 49_000}
        for at, usd in ((0, 50_000), (7 * hour, 49_000), (9.5 * hour, 48_000))
    ]
    result = rehearse(from_rows("silent", rows), traders=20, seed=1)
    assert result["expiries"]["settled"] == 1
    assert result["applied"]["SetSettlement"] == 1
    assert result["atoms_lost"] == 0


def test_a_gap_takes_accounts_below_zero_and_holders_close_what_nobody_takes() -> None:
    result = rehearse(find(str(SCENARIOS / "gap.csv")), traders=60, seed=1)
    assert result["atoms_lost"] == 0
    assert result["auctions"]["begun_against_the_fund"] > 0
    assert result["debts"]["covered_usd"] > 0
    assert result["deleveraging"]["holders"] > 0
    assert result["auctions"]["running_at_the_end"] == result["accounts"]["below_at_the_end"] == 0


def test_nobody_is_liquidated_while_publishers_are_silent() -> None:
    """And once they are heard again, after a fall by a seventh, liquidation catches up."""
    scenario = find(str(SCENARIOS / "stall.csv"))
    rehearsal = Rehearsal(scenario, traders=60, seed=1)
    rehearsal.run()
    result, track = report(rehearsal, 1), rehearsal.track
    silent = [place for place, second in enumerate(track.seconds) if scenario.at(second).is_stalled]
    first, last = silent[0], silent[-1]
    assert last - first > 10
    assert track.liquidated[last] == track.liquidated[first], "no mark, no liquidation"
    assert result["accounts"]["liquidated"] > track.liquidated[last]
    assert result["auctions"]["bids_taken"] > 0
    assert result["atoms_lost"] == 0


def test_a_whale_beyond_the_fund_costs_holders_and_who_withdraws() -> None:
    result = rehearse(find(str(SCENARIOS / "whale.json")), traders=100, seed=1)
    assert result["accounts"]["whale_liquidated"]
    assert result["fund_usd"]["lowest"] < 0
    assert result["deleveraging"]["charged_usd"] > 0
    assert result["withdrawals"]["withheld_usd"] > 0
    assert result["accounts"]["below_at_the_end"] <= 1, "no more than who holds nothing but debts"
    assert result["atoms_lost"] == 0


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
        (["--scenario", "BROKEN:[1]"], "no list of objects"),
        (["--scenario", "BROKEN:{"], "is no JSON"),
        (["--scenario", 'BROKEN:{"rows": [], "sharks": 1}'], "sharks"),
        (["--scenario", 'BROKEN:{"rows": [], "whale_share": "all"}'], "whale_share was 'all'"),
        (["--scenario", 'BROKEN:{"rows": [], "fund_share": -1}'], "must be 0 to 10"),
        (["--traders", "0"], "--traders"),
        (["--plot", "/nowhere/crash.png"], "is no folder"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], words: str, tmp_path: Path) -> None:
    if arguments[1].startswith("BROKEN:"):
        path = tmp_path / "path.json"
        path.write_text(arguments[1].removeprefix("BROKEN:"))
        arguments = ["--scenario", str(path)]
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
