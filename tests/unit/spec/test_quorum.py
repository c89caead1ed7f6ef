"""Publishers: m of n signatures inside the transition, lower medians, staleness, sequence."""

from collections.abc import Callable, Sequence

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import FEW_EXAMPLES
from tests.unit.spec.conftest import ENGINES

from proofbook.protocol import eip712
from proofbook.protocol.commands import (
    Command,
    ForwardCurve,
    ForwardObservation,
    IndexObservation,
    IndexPrice,
    ListInstrument,
    SurfaceSignature,
    VolSurface,
)
from proofbook.protocol.engine import Engine
from proofbook.protocol.entry import Entry
from proofbook.protocol.genesis import Genesis, UnderlyingGrid
from proofbook.protocol.limits import ORACLE_AGE_MAX_NS, ArenaId, InstrumentKind
from proofbook.protocol.outcomes import Outcome
from proofbook.protocol.records import ExpiryRecord, UnderlyingRecord
from proofbook.protocol.terms import FIRST_PARAMETERS, MarginParameters
from proofbook.simulator.scene import EXPIRY_NS, FLAT_SLICE, GRID, STRIKE_ATOMS
from proofbook.simulator.workload import (
    CHAIN_ID,
    CONTRACT,
    GENESIS_NS,
    address_of,
    compact_signature,
)
from proofbook.spec.oracle import lower_median

SECOND_NS = 10**9
SPOT = 80_000_000_000
KEYS = [PrivateKey((100 + place).to_bytes(32, "big")) for place in range(5)]
SEPARATOR = eip712.domain_separator(CHAIN_ID, CONTRACT)


class Venue:
    """A state machine with five publishers or so, three of whom make a quorum."""

    def __init__(
        self,
        engine_type: Callable[..., Engine],
        publishers: int = 5,
        parameters: MarginParameters = FIRST_PARAMETERS,
    ) -> None:
        keys = tuple(address_of(key) for key in KEYS[:publishers])
        grid = UnderlyingGrid("BTC", 3, GRID.strike_step_atoms, *GRID.terms)
        owners = b"\x01" * 20, b"\x02" * 20
        genesis = Genesis(GENESIS_NS, *owners, keys, (grid,), (), parameters).encode()
        self.engine: Engine = engine_type(genesis, CHAIN_ID, CONTRACT)
        self.window_ns = GENESIS_NS

    def submit(self, command: Command) -> Outcome:
        self.window_ns += SECOND_NS
        entry = Entry(self.window_ns, self.window_ns, command)
        return self.engine.apply([entry.encode()])[0].outcome

    def publish(
        self, prices: dict[int, int], published_ns: int, signers: Sequence[PrivateKey] = KEYS
    ) -> Outcome:
        """Publish an index: what each publisher, by number, says."""
        rows: list[IndexObservation] = []
        for publisher, price in prices.items():
            digest = eip712.index_price_digest(SEPARATOR, 1, published_ns, price)
            signature = compact_signature(signers[(publisher - 1) % len(signers)], digest)
            rows.append(IndexObservation(publisher, price, signature))
        return self.submit(IndexPrice(1, published_ns, tuple(rows)))

    def underlying(self) -> UnderlyingRecord:
        return UnderlyingRecord.unpack(self.engine.read(ArenaId.UNDERLYINGS, 1))

    def expiry(self, slot: int) -> ExpiryRecord:
        return ExpiryRecord.unpack(self.engine.read(ArenaId.EXPIRIES, slot))


@pytest.fixture(params=list(ENGINES))
def venue(request: pytest.FixtureRequest) -> Venue:
    return Venue(ENGINES[request.param])


@pytest.mark.parametrize(("prices", "index"), [
    ({1: 5, 2: 9, 3: 7}, 7), ({1: 5, 2: 9, 3: 7, 4: 6}, 6), ({2: 1, 3: 2, 5: 3}, 2),
    ({1: 4, 2: 4, 3: 4, 4: 4, 5: 9}, 4), ({1: 1, 2: 1 << 39, 3: (1 << 40) - 1}, 1 << 39),
])  # fmt: skip
def test_the_index_is_the_lower_median(venue: Venue, prices: dict[int, int], index: int) -> None:
    assert venue.publish(prices, venue.window_ns).is_applied
    record = venue.underlying()
    assert (record.index_atoms, record.index_version) == (index, 1)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_the_quorum_are_refused(venue: Venue, count: int) -> None:
    prices = dict.fromkeys(range(1, count + 1), SPOT)
    assert venue.publish(prices, venue.window_ns).name == "QUORUM_NOT_MET"
    assert venue.underlying().index_version == 0


def test_a_minority_cannot_move_the_index_beyond_the_honest(venue: Venue) -> None:
    honest = {1: SPOT - 5, 3: SPOT, 5: SPOT + 5}
    for lie in (1, (1 << 40) - 1):
        prices = dict(sorted((honest | {2: lie, 4: lie}).items()))
        assert venue.publish(prices, venue.window_ns).is_applied
        assert SPOT - 5 <= venue.underlying().index_atoms <= SPOT + 5


@FEW_EXAMPLES
@given(st.data(), st.integers(1, 7))
def test_a_median_lies_among_the_honest_while_they_are_more(
    data: st.DataObject, honest_count: int
) -> None:
    prices = st.integers(1, 1 << 40)
    honest = data.draw(st.lists(prices, min_size=honest_count, max_size=honest_count))
    lies = data.draw(st.lists(prices, max_size=honest_count - 1))
    assert min(honest) <= lower_median(honest + lies) <= max(honest)


def test_a_key_that_is_not_the_publishers_is_void(venue: Venue) -> None:
    outcome = venue.publish({1: SPOT, 2: SPOT, 3: SPOT}, venue.window_ns, signers=KEYS[::-1])
    assert outcome.name == "VOID_SIGNER_MISMATCH"


@pytest.mark.parametrize(("age_ns", "outcome"), [
    (-1, "OBSERVATION_STALE"), (0, "APPLIED"), (ORACLE_AGE_MAX_NS, "APPLIED"),
    (ORACLE_AGE_MAX_NS + 1, "OBSERVATION_STALE"),
])  # fmt: skip
def test_an_observation_is_fresh_for_a_minute_and_never_of_the_future(
    venue: Venue, age_ns: int, outcome: str
) -> None:
    venue.window_ns += 2 * ORACLE_AGE_MAX_NS
    published_ns = venue.window_ns + SECOND_NS - age_ns
    assert venue.publish({1: SPOT, 2: SPOT, 3: SPOT}, published_ns).name == outcome


@pytest.mark.parametrize(("later_ns", "outcome"), [
    (-1, "OBSERVATION_STALE"), (0, "OBSERVATION_STALE"), (1, "APPLIED"),
])  # fmt: skip
def test_each_observation_is_newer_than_the_last(venue: Venue, later_ns: int, outcome: str) -> None:
    published_ns = venue.window_ns
    assert venue.publish({1: SPOT, 2: SPOT, 3: SPOT}, published_ns).is_applied
    second = venue.publish({1: SPOT, 2: SPOT, 3: SPOT}, published_ns + later_ns)
    assert second.name == outcome
    assert venue.underlying().index_version == (2 if outcome == "APPLIED" else 1)


def test_every_forward_has_its_own_median(venue: Venue) -> None:
    venue.submit(ListInstrument(1, InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS))
    later_ns = EXPIRY_NS + 7 * 24 * 3600 * SECOND_NS
    venue.submit(ListInstrument(1, InstrumentKind.CALL, later_ns, STRIKE_ATOMS))
    published_ns, expiries_ns = venue.window_ns, (EXPIRY_NS, later_ns)
    curves = {1: (10, 30), 2: (20, 10), 4: (30, 20)}
    rows: list[ForwardObservation] = []
    for publisher, forwards in curves.items():
        digest = eip712.forward_curve_digest(SEPARATOR, 1, published_ns, expiries_ns, forwards)
        signature = compact_signature(KEYS[publisher - 1], digest)
        rows.append(ForwardObservation(publisher, forwards, signature))
    assert venue.submit(ForwardCurve(1, published_ns, expiries_ns, tuple(rows))).is_applied
    assert [venue.expiry(slot).forward_atoms for slot in (1, 2)] == [20, 20]


def test_a_surface_is_one_that_a_whole_quorum_signed(venue: Venue) -> None:
    venue.submit(ListInstrument(1, InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS))
    published_ns = venue.window_ns
    digest = eip712.vol_surface_digest(SEPARATOR, 1, published_ns, (FLAT_SLICE,))
    rows = [SurfaceSignature(p, compact_signature(KEYS[p - 1], digest)) for p in (1, 3, 5)]
    surface = VolSurface(1, published_ns, (FLAT_SLICE,), tuple(rows))
    fewer = VolSurface(1, published_ns, (FLAT_SLICE,), tuple(rows[:2]))
    assert venue.submit(fewer).name == "QUORUM_NOT_MET"
    assert venue.submit(surface).is_applied
    assert venue.expiry(1).surface_a == FLAT_SLICE.a
