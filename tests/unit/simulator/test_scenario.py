"""Paths of a market: built in or from a file, and what is wrong with a file that cannot be one."""

from pathlib import Path
from typing import Any

import pytest

from proofbook.simulator.rehearsal.scenario import BUILT_IN, ScenarioInvalid, find, from_rows

ROWS: list[dict[str, Any]] = [
    {"second": 0, "spot_usd": 100, "volatility": 0.5},
    {"second": 60, "spot_usd": 80, "volatility": 0.8, "thin": True},
    {"second": 120, "spot_usd": 20, "volatility": 0.8, "stalled": "yes"},
]


def changed(place: int, **values: Any) -> list[dict[str, Any]]:
    rows = [dict(row) for row in ROWS]
    rows[place] |= values
    return rows


def test_2020_falls_by_half_within_a_day_and_volatility_doubles() -> None:
    scenario = BUILT_IN["2020-03-12"]
    lowest = min(scenario.points, key=lambda point: point.spot)
    assert lowest.spot <= 0.5
    assert lowest.second <= 27 * 3600
    assert max(point.volatility for point in scenario.points) >= 2 * scenario.points[0].volatility


def test_2025_falls_by_a_sixth_within_minutes_and_recovers_most_of_it() -> None:
    scenario = BUILT_IN["2025-10-10"]
    lowest = min(scenario.points, key=lambda point: point.spot)
    assert 0.8 <= lowest.spot <= 0.85
    assert scenario.points[-1].spot >= 0.95
    assert scenario.seconds <= 3600


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_paths_have_gaps_stalls_and_thin_books(name: str) -> None:
    points = BUILT_IN[name].points
    assert any(point.is_stalled for point in points)
    assert any(point.is_thin for point in points)
    assert [point.second for point in points] == sorted({point.second for point in points})


def test_between_two_points_spot_moves_in_proportion_and_flags_stay() -> None:
    scenario = from_rows("path", ROWS)
    middle = scenario.at(90)
    assert middle.spot == pytest.approx((0.8 * 0.2) ** 0.5)
    assert (middle.is_thin, middle.is_stalled) == (True, False)
    assert scenario.at(500).spot == pytest.approx(0.2)
    assert scenario.steps == 3


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (ROWS[:1], "1 rows"),
        (changed(0, second=1), "second is 1, must be 0"),
        (changed(1, second=0), "row 2: seconds must rise"),
        (changed(1, second="soon"), "second was 'soon'"),
        (changed(1, spot_usd=0), "spot_usd was 0"),
        (changed(1, spot_usd=float("nan")), "spot_usd was nan"),
        (changed(1, volatility=9), "volatility was 9"),
        (changed(1, thin="perhaps"), "thin was 'perhaps'"),
        ([{"second": 0, "volatility": 1}, *ROWS[1:]], "row 1: no spot_usd"),
        (changed(2, second=1e8), "at most"),
    ],
)
def test_rows_that_are_no_path_are_named(rows: list[dict[str, Any]], fault: str) -> None:
    with pytest.raises(ScenarioInvalid, match=fault):
        from_rows("path", rows)


def test_a_file_of_csv_or_json_is_a_path(tmp_path: Path) -> None:
    table = tmp_path / "crash.csv"
    table.write_text("second,spot_usd,volatility,thin\n0,100,0.5,\n60,80,0.8,true\n")
    objects = tmp_path / "crash.json"
    objects.write_text(
        '[{"second": 0, "spot_usd": 100, "volatility": 0.5},'
        ' {"second": 60, "spot_usd": 80, "volatility": 0.8, "thin": true}]'
    )
    assert find(str(table)) == find(str(objects))
    assert find(str(table)).points[1].is_thin


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{"),
        ("a.json", "{}"),
        ("a.csv", ""),
        ("a.csv", "second;spot_usd\n0;1\n1;1\n"),
        ("a.csv", "\udc80"),
    ],
)
def test_a_file_that_is_no_path_is_named(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ScenarioInvalid):
        find(str(file))


def test_a_name_that_is_nothing_is_told_which_there_are() -> None:
    with pytest.raises(ScenarioInvalid, match="2020-03-12"):
        find("2021-05-19")
