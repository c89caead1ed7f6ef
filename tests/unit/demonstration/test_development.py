"""What `warp` and `shock` read, and the moments and steps that they come to."""

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from proofbook.api.errors import Refused
from proofbook.cli.demonstration import development
from proofbook.cli.demonstration.development import BEFORE_NS, STEP_NS, DevelopmentTools, stretches
from proofbook.cli.demonstration.errors import CommandRefused
from proofbook.cli.demonstration.venue import moved_ppm
from proofbook.cli.development import parse_move, parse_until

HOUR_NS = 3_600 * 10**9


@pytest.mark.parametrize(
    ("text", "span_ns"),
    [("8h", 8 * HOUR_NS), ("90m", 90 * 60 * 10**9), ("4d", 96 * HOUR_NS), ("1s", 10**9)],
)
def test_a_span_is_read(text: str, span_ns: int) -> None:
    assert parse_until(text) == (span_ns, None)


@pytest.mark.parametrize(
    "text", ["2026-12-25T08:01Z", "2026-12-25T08:01", "2026-12-25T09:01+01:00"]
)
def test_a_moment_is_read_in_utc_unless_it_says_otherwise(text: str) -> None:
    assert parse_until(text) == (0, 1_798_185_660 * 10**9)


@pytest.mark.parametrize("text", ["", "8", "8 h", "-8h", "h", "8y", "tomorrow", "२h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_until(text)


@pytest.mark.parametrize(
    ("text", "ppm"), [("-20%", -200_000), ("+5%", 50_000), ("2.5%", 25_000), ("0.0001%", 1)]
)
def test_a_move_is_read(text: str, ppm: int) -> None:
    assert parse_move(text) == ppm


@pytest.mark.parametrize("text", ["-20", "20 %", "--20%", "-91%", "1000%", "0.00001%", "%", "x%"])
def test_what_is_no_move_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_move(text)


@given(
    st.integers(0, 10**6),
    st.integers(1, 10**6),
    st.lists(st.integers(0, 2 * 10**6), max_size=5, unique=True).map(sorted),
)
def test_prices_are_published_every_minute_while_an_expiry_settles(
    now_s: int, ahead_s: int, expiries_s: list[int]
) -> None:
    now_ns, until_ns = now_s * 10**9, (now_s + ahead_s) * 10**9
    expiries_ns = [now_ns + each * 10**9 for each in expiries_s]
    runs = list(stretches(now_ns, until_ns, expiries_ns))
    assert runs[-1] == [until_ns]
    for run, expiry_ns in zip(runs, expiries_ns, strict=False):
        if expiry_ns > until_ns:
            break
        assert run[0] == max(now_ns, expiry_ns - BEFORE_NS) and run[-1] >= expiry_ns + STEP_NS
        assert all(0 <= b - a <= STEP_NS for a, b in itertools.pairwise(run))


class Banded:
    """A venue that takes an index within 2 % of the last one, and keeps what it took."""

    def __init__(self, refusal: str) -> None:
        self.shocks_ppm: dict[int, int] = {}
        self.taken_ppm = [0]
        self.refusal = refusal

    def shock_ppm(self, observed: Any) -> int:
        return self.shocks_ppm.get(observed.underlying, 0)

    async def publish_index(self, observed: Any) -> None:
        ppm = self.shocks_ppm[observed.underlying]
        if abs(ppm - self.taken_ppm[-1]) > 20_000:
            raise CommandRefused("INDEX_PRICE", self.refusal)
        self.taken_ppm.append(ppm)


def moved(venue: Banded, target_ppm: int) -> int:
    move = DevelopmentTools(venue)._move  # type: ignore[arg-type]
    return asyncio.run(move(SimpleNamespace(underlying=1), target_ppm))  # type: ignore[arg-type]


@pytest.mark.parametrize("target_ppm", [-200_000, 130_000, -3, 0])
def test_a_shock_goes_in_as_many_steps_as_the_band_asks(
    target_ppm: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(development, "BAND_SECONDS", 0.0)
    venue = Banded("OBSERVATION_OUTSIDE_BAND")
    steps = moved(venue, target_ppm)
    assert venue.taken_ppm[-1] == target_ppm and steps == len(venue.taken_ppm) - 1
    assert steps >= abs(target_ppm) // 20_000


def test_another_refusal_ends_a_shock_by_its_name() -> None:
    venue = Banded("OBSERVATION_STALE")
    with pytest.raises(Refused, match="OBSERVATION_STALE"):
        moved(venue, -200_000)
    assert venue.shocks_ppm == {1: 0}, "the publishers go on where they were"


@given(st.integers(-900_000, 9_000_000), st.integers(-5_000, 5_000))
def test_a_walk_goes_on_from_where_a_shock_led(shock_ppm: int, walk_ppm: int) -> None:
    exact = (1_000_000 + shock_ppm) * (1_000_000 + walk_ppm) / 1_000_000
    assert abs(1_000_000 + moved_ppm(shock_ppm, walk_ppm) - exact) <= 0.5
