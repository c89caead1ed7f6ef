"""Paths of a market: where the index goes, how volatile it is, and what fails on the way."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

MINUTE = 60
HOUR = 60 * MINUTE
POINTS_MAX = 100_000
SPOT_LEAST, SPOT_MOST = 0.001, 1_000.0
VOLATILITY_LEAST, VOLATILITY_MOST = 0.01, 8.0
STEPS_MAX = 20_000
WHALE_SHARE, FUND_SHARE = 0.15, 0.005
SHARE_MOST = 10.0
SHARES = ("whale_share", "fund_share")
TRUE_WORDS, FALSE_WORDS = ("1", "true", "yes"), ("0", "false", "no", "")


class ScenarioInvalid(ValueError):
    """A path that cannot be followed. Operands: where it was read, what is wrong."""

    def __init__(self, source: str, fault: str) -> None:
        super().__init__(f"{source}: {fault}")
        self.source = source
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Point:
    """The market from some second on.

    `spot` is a multiple of the first price, `volatility` that of a year. While `is_stalled` no
    publisher speaks; while `is_thin` most makers have left and the rest quotes wide.
    """

    second: float
    spot: float
    volatility: float
    is_stalled: bool = False
    is_thin: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """A path by name: `step_seconds` is how often prices are published.

    The shares are of all traders' equity: what a whale has beside them, and what the fund has.
    """

    name: str
    first_price_usd: float
    step_seconds: float
    points: tuple[Point, ...]
    whale_share: float = WHALE_SHARE
    fund_share: float = FUND_SHARE

    @property
    def seconds(self) -> float:
        """How long the path is."""
        return self.points[-1].second

    @property
    def steps(self) -> int:
        """How often prices are published on the way."""
        return math.floor(self.seconds / self.step_seconds) + 1

    def at(self, second: float) -> Point:
        """Return the market at a second: between two points spot and volatility move in proportion,
        what fails is as at the point before.
        """
        before, after = self.points[0], self.points[-1]
        for point in self.points:
            if point.second <= second:
                before = point
            else:
                after = point
                break
        span = after.second - before.second
        share = min(1.0, (second - before.second) / span) if span > 0 else 0.0
        return Point(
            second,
            before.spot * (after.spot / before.spot) ** share,
            before.volatility * (after.volatility / before.volatility) ** share,
            before.is_stalled,
            before.is_thin,
        )


def _path(*rows: tuple[float, float, float] | tuple[float, float, float, str]) -> tuple[Point, ...]:
    points: list[Point] = []
    for second, spot, volatility, *flags in rows:
        words = flags[0].split() if flags else []
        points.append(Point(second, spot, volatility, "stalled" in words, "thin" in words))
    return tuple(points)


BUILT_IN: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        # A fall by half within a day in two waves, volatility more than doubled, recovery by a
        # third of it; venues went down at the low of each wave.
        Scenario(
            "2020-03-12", 7_900.0, MINUTE,
            _path(
                (0, 1.0, 0.75), (7 * HOUR, 0.97, 0.80), (10 * HOUR, 0.92, 0.95),
                (10.5 * HOUR, 0.91, 1.10, "thin"), (10.75 * HOUR, 0.76, 1.50, "thin stalled"),
                (10.9 * HOUR, 0.72, 1.60, "thin"), (11.5 * HOUR, 0.78, 1.50),
                (14 * HOUR, 0.77, 1.40), (18 * HOUR, 0.74, 1.45), (21 * HOUR, 0.72, 1.50),
                (22.5 * HOUR, 0.66, 1.65, "thin"), (23.25 * HOUR, 0.57, 1.85, "thin stalled"),
                (23.5 * HOUR, 0.55, 1.90, "thin"), (25 * HOUR, 0.60, 1.85, "thin"),
                (26 * HOUR, 0.50, 2.00, "thin"), (26.25 * HOUR, 0.48, 2.10, "thin"),
                (27 * HOUR, 0.62, 1.90), (30 * HOUR, 0.66, 1.70),
            ),
        ),
        # A flash crash: most of the fall within half an hour of an evening, books all but empty,
        # most of it taken back within the hour.
        Scenario(
            "2025-10-10", 117_000.0, 5.0,
            _path(
                (0, 1.0, 0.40), (8 * MINUTE, 0.985, 0.44), (12 * MINUTE, 0.97, 0.52, "thin"),
                (15 * MINUTE, 0.95, 0.62, "thin"), (17 * MINUTE, 0.90, 0.85, "thin stalled"),
                (18 * MINUTE, 0.87, 1.00, "thin"), (19 * MINUTE, 0.82, 1.15, "thin"),
                (20 * MINUTE, 0.85, 1.10, "thin"), (22 * MINUTE, 0.90, 1.00, "thin"),
                (28 * MINUTE, 0.94, 0.85), (45 * MINUTE, 0.955, 0.70), (60 * MINUTE, 0.96, 0.65),
            ),
        ),
    )
}  # fmt: skip
"""Written by hand after the shape that those days had in bitcoin; multiples of the first price."""


def find(name: str) -> Scenario:
    """Return a built-in scenario, or the one that a file holds. Raises ScenarioInvalid."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    path = Path(name)
    if not path.is_file():
        known = ", ".join(BUILT_IN)
        raise ScenarioInvalid(name, f"no file, and no scenario of this name; there are {known}")
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as fault:
        raise ScenarioInvalid(name, f"cannot be read: {fault}") from fault
    if path.suffix == ".json":
        return _from_json(path.stem, text)
    return from_rows(path.stem, _csv_rows(name, text))


def _from_json(name: str, text: str) -> Scenario:
    """Return the scenario of a list of rows, or of an object with `rows` and shares."""
    try:
        document: Any = json.loads(text)
    except json.JSONDecodeError as fault:
        raise ScenarioInvalid(name, f"is no JSON: {fault}") from None
    terms = cast(dict[str, Any], document if isinstance(document, dict) else {"rows": document})
    unknown = sorted(terms.keys() - {"rows", *SHARES})
    if unknown:
        raise ScenarioInvalid(name, f"{unknown[0]} is nothing that a scenario has")
    rows: Any = terms.get("rows")
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) for row in cast(list[Any], rows)
    ):
        raise ScenarioInvalid(name, "has no list of objects as rows")
    shares = {
        share: _number(name, None, terms, share, 0, SHARE_MOST)
        for share in SHARES
        if share in terms
    }
    return replace(from_rows(name, cast(list[dict[str, Any]], rows)), **shares)


def from_rows(name: str, rows: Sequence[Mapping[str, Any]]) -> Scenario:
    """Return the scenario of rows with `second`, `spot_usd`, `volatility`, perhaps flags.

    Prices are published as often as the closest two rows lie apart, at least each minute and at
    most each second. Raises ScenarioInvalid.
    """
    if not 2 <= len(rows) <= POINTS_MAX:
        raise ScenarioInvalid(name, f"{len(rows)} rows, must be 2 to {POINTS_MAX}")
    first_usd = _number(name, 1, rows[0], "spot_usd", 1e-2, 1e6)
    points = tuple(_point(name, place, row, first_usd) for place, row in enumerate(rows, start=1))
    if points[0].second != 0:
        raise ScenarioInvalid(name, f"row 1: second is {points[0].second:g}, must be 0")
    gaps = [after.second - before.second for before, after in pairwise(points)]
    if min(gaps) <= 0:
        place = gaps.index(min(gaps)) + 2
        raise ScenarioInvalid(name, f"row {place}: seconds must rise")
    step = min(MINUTE, max(1.0, min(gaps)))
    if points[-1].second / step > STEPS_MAX:
        fault = f"{points[-1].second:g} s, at most {STEPS_MAX} steps of {step:g} s"
        raise ScenarioInvalid(name, fault)
    return Scenario(name, first_usd, step, points)


def _point(name: str, place: int, row: Mapping[str, Any], first_usd: float) -> Point:
    spot_usd = _number(name, place, row, "spot_usd", first_usd * SPOT_LEAST, first_usd * SPOT_MOST)
    return Point(
        _number(name, place, row, "second", 0, 1e9),
        spot_usd / first_usd,
        _number(name, place, row, "volatility", VOLATILITY_LEAST, VOLATILITY_MOST),
        _flag(name, place, row, "stalled"),
        _flag(name, place, row, "thin"),
    )


def _number(
    name: str, place: int | None, row: Mapping[str, Any], column: str, least: float, most: float
) -> float:
    if column not in row:
        raise ScenarioInvalid(name, f"{_row(place)}no {column}")
    try:
        value = float(row[column])
    except (TypeError, ValueError):
        fault = f"{_row(place)}{column} was {row[column]!r}, must be a number"
        raise ScenarioInvalid(name, fault) from None
    if not least <= value <= most:
        fault = f"{_row(place)}{column} was {value:g}, must be {least:g} to {most:g}"
        raise ScenarioInvalid(name, fault)
    return value


def _row(place: int | None) -> str:
    return "" if place is None else f"row {place}: "


def _flag(name: str, place: int, row: Mapping[str, Any], column: str) -> bool:
    word = str(row.get(column) or "").strip().lower()
    if word not in (*TRUE_WORDS, *FALSE_WORDS):
        raise ScenarioInvalid(name, f"row {place}: {column} was {word!r}, must be true or false")
    return word in TRUE_WORDS


def _csv_rows(name: str, text: str) -> list[dict[str, Any]]:
    try:
        return list(csv.DictReader(io.StringIO(text), strict=True))
    except csv.Error as fault:
        raise ScenarioInvalid(name, f"is no CSV: {fault}") from None
