"""How far an index or a forward may lie from what is known, and who may say so all the same."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import FEW_EXAMPLES
from tests.unit.spec.conftest import ENGINES
from tests.unit.spec.test_quorum import KEYS, SEPARATOR, SPOT, Venue

from proofbook.protocol import eip712
from proofbook.protocol.commands import ForwardCurve, ForwardObservation, ListInstrument
from proofbook.protocol.engine import Engine
from proofbook.protocol.limits import NS_PER_SECOND, ArenaId, InstrumentKind
from proofbook.protocol.outcomes import Outcome
from proofbook.protocol.terms import FIRST_PARAMETERS, MarginParameters
from proofbook.simulator.scene import EXPIRY_NS, STRIKE_ATOMS
from proofbook.simulator.workload import compact_signature
from proofbook.spec.bands import spread_ppm_up
from proofbook.spec.oracle import lower_median

QUORUM = 3
NOTHING = replace(FIRST_PARAMETERS, index_band_ppm=0, forward_ratio_ppm=0)


@pytest.fixture(params=list(ENGINES))
def venue(request: pytest.FixtureRequest) -> Venue:
    """Five publishers, three of whom make a quorum, and an index of 80,000 USD."""
    return venue_of(ENGINES[request.param])


def venue_of(
    engine_type: Callable[..., Engine],
    publishers: int = 5,
    parameters: MarginParameters = FIRST_PARAMETERS,
) -> Venue:
    venue = Venue(engine_type, publishers, parameters)
    assert publish(venue, SPOT).is_applied
    return venue


def publish(venue: Venue, price: int, after_ns: int = 0, count: int = QUORUM) -> Outcome:
    """Let so many publishers say one price, so long after the index that is known."""
    published_ns = venue.underlying().index_ns + after_ns if after_ns else venue.window_ns
    venue.window_ns = max(venue.window_ns, published_ns)
    return venue.publish(dict.fromkeys(range(1, count + 1), price), published_ns)


def test_the_first_index_has_no_band(venue: Venue) -> None:
    assert venue.underlying().index_atoms == SPOT


@pytest.mark.parametrize("after_ns", [NS_PER_SECOND, 2 * NS_PER_SECOND - 1])
@pytest.mark.parametrize(("price", "outcome"), [
    (SPOT * 102 // 100, "APPLIED"), (SPOT * 102 // 100 + 1, "OBSERVATION_OUTSIDE_BAND"),
    (SPOT * 98 // 100, "APPLIED"), (SPOT * 98 // 100 - 1, "OBSERVATION_OUTSIDE_BAND"),
])  # fmt: skip
def test_from_one_second_to_two_the_band_is_two_percent(
    venue: Venue, after_ns: int, price: int, outcome: str
) -> None:
    before = venue.engine.read(ArenaId.UNDERLYINGS, 1)
    assert publish(venue, price, after_ns).name == outcome
    if outcome != "APPLIED":
        assert venue.engine.read(ArenaId.UNDERLYINGS, 1) == before, "nothing has changed"


@pytest.mark.parametrize(("after_ns", "deviation"), [
    (1, 0), (NS_PER_SECOND // 4, SPOT // 200), (NS_PER_SECOND - 50_000, SPOT * 19_999 // 10**6),
])  # fmt: skip
def test_within_the_first_second_the_band_is_a_share_of_two_percent(
    venue: Venue, after_ns: int, deviation: int
) -> None:
    beyond = publish(venue, SPOT + deviation + SPOT // 10**6, after_ns)
    assert beyond.name == "OBSERVATION_OUTSIDE_BAND"
    assert publish(venue, SPOT - deviation, after_ns).is_applied


@pytest.mark.parametrize("step_ns", [1, NS_PER_SECOND // 1_000, NS_PER_SECOND // 30])
def test_a_burst_of_indices_gets_no_further_than_one(venue: Venue, step_ns: int) -> None:
    band_ppm = FIRST_PARAMETERS.index_band_ppm * step_ns // NS_PER_SECOND
    for _ in range(30):
        index = venue.underlying().index_atoms
        assert publish(venue, index + index * band_ppm // 10**6, step_ns).is_applied
    beyond = publish(venue, venue.underlying().index_atoms * 102 // 100, step_ns)
    assert beyond.name == "OBSERVATION_OUTSIDE_BAND"
    assert venue.underlying().index_atoms <= SPOT * 10_203 // 10_000, "e^0.02: of one second"


@pytest.mark.parametrize(("price", "seconds"), [
    (SPOT * 160 // 100, 900), (SPOT * 40 // 100, 900), (SPOT * 110 // 100, 25),
    (SPOT * 104 // 100, 4), (SPOT * 4, 22_500), (1, 2_500),
])  # fmt: skip
def test_after_a_gap_beyond_the_band_a_price_is_taken_once_the_band_has_grown_to_it(
    venue: Venue, price: int, seconds: int
) -> None:
    """Never a deadlock: 60 % take 15 minutes, four times the price 6 h 15 min."""
    early = publish(venue, price, seconds * NS_PER_SECOND - 1)
    assert early.name == "OBSERVATION_OUTSIDE_BAND"
    assert publish(venue, price, seconds * NS_PER_SECOND).is_applied
    assert venue.underlying().index_atoms == price


@pytest.mark.parametrize(("publishers", "count", "outcome"), [
    (5, 3, "OBSERVATION_OUTSIDE_BAND"), (5, 4, "OBSERVATION_OUTSIDE_BAND"), (5, 5, "APPLIED"),
    (4, 3, "OBSERVATION_OUTSIDE_BAND"), (4, 4, "APPLIED"), (3, 3, "OBSERVATION_OUTSIDE_BAND"),
])  # fmt: skip
@pytest.mark.parametrize("engine", list(ENGINES))
def test_a_wide_quorum_passes_the_band_at_once(
    engine: str, publishers: int, count: int, outcome: str
) -> None:
    """Half as many again as the quorum; all that exist if they are fewer, and more than it."""
    venue = venue_of(ENGINES[engine], publishers)
    assert publish(venue, 2 * SPOT, count=count).name == outcome


@pytest.mark.parametrize("engine", list(ENGINES))
def test_without_a_band_any_index_is_taken(engine: str) -> None:
    venue = venue_of(ENGINES[engine], parameters=NOTHING)
    assert publish(venue, 1).is_applied
    assert publish(venue, (1 << 40) - 1).is_applied


# What publishers disagree by


@pytest.mark.parametrize(("prices", "spread_ppm"), [
    ((100, 100, 100), 0), ((100_000, 100_100, 100_300), 1_000), ((100_000, 100_001), 10),
    ((99, 100, 10**9), 10_000), ((1, 100, 100), 0), ((5,), 0), ((1, 2, 1 << 40), 500_000),
    ((1, 1 << 40), (1 << 32) - 1),
])  # fmt: skip
def test_the_spread_is_that_of_the_closest_majority(
    prices: tuple[int, ...], spread_ppm: int
) -> None:
    assert spread_ppm_up(prices, lower_median(prices)) == spread_ppm


@FEW_EXAMPLES
@given(st.data(), st.integers(1, 7))
def test_a_minority_cannot_raise_the_spread_beyond_the_honest(
    data: st.DataObject, honest_count: int
) -> None:
    honest = data.draw(st.lists(st.integers(900, 1_100), min_size=honest_count, max_size=8))
    lies = data.draw(st.lists(st.integers(1, 1 << 40), max_size=len(honest) - 1))
    prices = honest + lies
    ceiling = -(-(max(honest) - min(honest)) * 10**6 // lower_median(prices))
    assert spread_ppm_up(prices, lower_median(prices)) <= ceiling


def test_the_spread_is_kept_beside_the_index(venue: Venue) -> None:
    assert venue.underlying().index_spread_ppm == 0
    prices = {1: SPOT, 2: SPOT * 1_001 // 1_000, 3: SPOT * 1_003 // 1_000}
    assert venue.publish(prices, venue.window_ns).is_applied
    assert venue.underlying().index_spread_ppm == 1_000


# Forwards


def publish_forwards(venue: Venue, *forwards: int, count: int = QUORUM) -> Outcome:
    """Let so many publishers say the forwards of the first expiries."""
    expiries_ns = tuple(EXPIRY_NS + 7 * 86_400 * NS_PER_SECOND * n for n in range(len(forwards)))
    rows: list[ForwardObservation] = []
    for publisher in range(1, count + 1):
        digest = eip712.forward_curve_digest(SEPARATOR, 1, venue.window_ns, expiries_ns, forwards)
        signature = compact_signature(KEYS[publisher - 1], digest)
        rows.append(ForwardObservation(publisher, forwards, signature))
    return venue.submit(ForwardCurve(1, venue.window_ns, expiries_ns, tuple(rows)))


def list_expiries(venue: Venue, count: int) -> None:
    for number in range(count):
        expiry_ns = EXPIRY_NS + 7 * 86_400 * NS_PER_SECOND * number
        assert venue.submit(
            ListInstrument(1, InstrumentKind.CALL, expiry_ns, STRIKE_ATOMS)
        ).is_applied


@pytest.mark.parametrize(("forward", "outcome"), [
    (SPOT * 4, "APPLIED"), (SPOT * 4 + 1, "OBSERVATION_OUTSIDE_BAND"),
    (SPOT // 4, "APPLIED"), (SPOT // 4 - 1, "OBSERVATION_OUTSIDE_BAND"),
])  # fmt: skip
def test_a_forward_is_within_four_times_the_index(venue: Venue, forward: int, outcome: str) -> None:
    list_expiries(venue, 2)
    assert publish_forwards(venue, SPOT, forward).name == outcome
    assert venue.expiry(1).forward_version == (1 if outcome == "APPLIED" else 0), "all or none"


def test_a_wide_quorum_passes_the_band_of_forwards(venue: Venue) -> None:
    list_expiries(venue, 1)
    assert publish_forwards(venue, SPOT * 5, count=4).name == "OBSERVATION_OUTSIDE_BAND"
    assert publish_forwards(venue, SPOT * 5, count=5).is_applied


def test_the_forward_of_a_passed_expiry_may_be_any(venue: Venue) -> None:
    list_expiries(venue, 2)
    venue.window_ns = EXPIRY_NS
    assert publish_forwards(venue, 1, SPOT).is_applied


@pytest.mark.parametrize("engine", list(ENGINES))
def test_without_an_index_or_a_ratio_any_forward_is_taken(engine: str) -> None:
    venue = Venue(ENGINES[engine])
    list_expiries(venue, 1)
    assert publish_forwards(venue, 1).is_applied
    venue = venue_of(ENGINES[engine], parameters=NOTHING)
    list_expiries(venue, 1)
    assert publish_forwards(venue, 1).is_applied


def test_a_ratio_below_one_is_refused() -> None:
    unsound = replace(FIRST_PARAMETERS, forward_ratio_ppm=999_999)
    assert unsound.flaw() is not None
