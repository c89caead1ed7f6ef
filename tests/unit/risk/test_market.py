"""What publishers sign and how a chain becomes a market."""

from dataclasses import replace

import pytest

from proofbook.api.signing import Key, recover
from proofbook.protocol.commands import ListInstrument, Remark
from proofbook.protocol.eip712 import domain_separator, oracle_digests
from proofbook.protocol.entry import Entry
from proofbook.protocol.events import InstrumentListed
from proofbook.protocol.identifiers import instrument_id
from proofbook.protocol.limits import (
    ENTRY_BYTES_MAX,
    EXPIRIES_PER_UNDERLYING_MAX,
    NS_PER_DAY,
    InstrumentKind,
)
from proofbook.risk.chain import ChainSnapshot
from proofbook.risk.generator import generate_snapshot
from proofbook.risk.market import (
    GridTooCoarse,
    Observations,
    grid_of,
    listing_plan,
    remark_plan,
)
from proofbook.risk.publishers import Publishers

KEYS = [Key(bytes([number]) * 32) for number in (1, 2, 3)]
SEPARATOR = domain_separator(31337, bytes(range(20)))
PUBLISHERS = Publishers.of_keys(SEPARATOR, KEYS)


@pytest.fixture(name="observations")
def observations_of_a_generated_chain() -> Observations:
    return Observations.of_snapshot(generate_snapshot(seed=1))[0]


def test_every_publisher_signs_what_the_protocol_says(observations: Observations) -> None:
    now_ns = observations.chain.taken_ns
    for command in (
        observations.index_price(PUBLISHERS, now_ns),
        observations.forward_curve(PUBLISHERS, now_ns),
        observations.vol_surface(PUBLISHERS, now_ns),
    ):
        rows = getattr(command, "observations", None) or command.signatures
        digests = oracle_digests(SEPARATOR, command)
        signers = [recover(d, row.signature) for d, row in zip(digests, rows, strict=True)]
        assert signers == [key.address for key in KEYS], type(command).__name__
        assert [row.publisher for row in rows] == [1, 2, 3], "slots in the order of genesis"
        data = Entry(now_ns, now_ns, command).encode()
        assert Entry.decode(data).command == command, "round trip"


def test_the_lower_median_of_the_publishers_is_the_price(observations: Observations) -> None:
    index = observations.index_price(PUBLISHERS, observations.chain.taken_ns)
    prices = sorted(o.price_atoms for o in index.observations)
    assert prices[1] == observations.chain.index_atoms and prices[0] < prices[1] < prices[2]
    curve = observations.forward_curve(PUBLISHERS, observations.chain.taken_ns)
    columns = zip(*(o.forwards_atoms for o in curve.observations), strict=True)
    medians = [sorted(column)[1] for column in columns]
    assert medians == [expiry.forward_atoms for expiry in observations.chain.expiries]


def test_a_move_moves_index_and_forwards_alike(observations: Observations) -> None:
    now_ns, atoms = observations.chain.taken_ns, observations.chain.index_atoms
    moved = observations.index_price(PUBLISHERS, now_ns, move_ppm=-1000)
    assert moved.observations[1].price_atoms == pytest.approx(atoms * 0.999, abs=1)


def test_all_dated_expiries_are_published_in_ascending_order(observations: Observations) -> None:
    curve = observations.forward_curve(PUBLISHERS, observations.chain.taken_ns)
    surface = observations.vol_surface(PUBLISHERS, observations.chain.taken_ns)
    assert list(curve.expiries_ns) == sorted(curve.expiries_ns)
    assert [s.expiry_ns for s in surface.slices] == list(curve.expiries_ns)


def test_an_expiry_that_is_gone_is_not_published(observations: Observations) -> None:
    first, *others = observations.expiries_ns
    still_open = {(1, expiry_ns) for expiry_ns in others} | {(2, first)}
    narrowed = observations.narrowed(still_open)
    now_ns = observations.chain.taken_ns
    assert narrowed.forward_curve(PUBLISHERS, now_ns).expiries_ns == tuple(others)
    slices = narrowed.vol_surface(PUBLISHERS, now_ns).slices
    assert [slice_.expiry_ns for slice_ in slices] == others
    assert narrowed.narrowed(set()).expiries_ns == []


def test_a_whole_surface_of_a_full_underlying_fits_one_entry() -> None:
    chain = generate_snapshot(seed=1).chains[0]
    expiry = chain.expiries[0]
    full = replace(
        chain,
        expiries=tuple(
            replace(expiry, expiry_ns=expiry.expiry_ns + day * NS_PER_DAY)
            for day in range(EXPIRIES_PER_UNDERLYING_MAX)
        ),
    )
    fits = tuple(Observations.of_snapshot(generate_snapshot(1))[0].fits[:1]) * len(full.expiries)
    observed = Observations(1, full, fits)
    for command in (
        observed.vol_surface(PUBLISHERS, full.taken_ns),
        observed.forward_curve(PUBLISHERS, full.taken_ns),
    ):
        assert len(Entry(1, 1, command).encode()) <= ENTRY_BYTES_MAX


def test_the_plan_lists_the_perpetual_first_then_every_option() -> None:
    snapshot = generate_snapshot(seed=1)
    plan = listing_plan(snapshot)
    assert plan[0] == ListInstrument(1, InstrumentKind.PERPETUAL)
    assert len(plan) == len(set(plan)) == 2 + snapshot.rows, "each instrument once"
    for underlying, chain in enumerate(snapshot.chains, start=1):
        step = grid_of(chain, quorum=2).strike_step_atoms
        strikes = [c.strike_atoms for c in plan if c.underlying == underlying and c.strike_atoms]
        assert all(strike % step == 0 for strike in strikes), "on the grid of genesis"


def test_remarks_start_at_every_sixteenth_instrument_of_an_expiry() -> None:
    listed = [
        InstrumentListed(instrument_id(slot, 3), 1, InstrumentKind.CALL, 2 + (slot > 40), 0, 0)
        for slot in range(1, 51)
    ]
    assert remark_plan(listed) == [Remark(2, 1), Remark(2, 17), Remark(2, 33), Remark(3, 41)]


def test_a_grid_divides_exactly_and_covers_the_deepest_option() -> None:
    for chain in generate_snapshot(seed=1).chains:
        grid = grid_of(chain, quorum=2)
        assert grid.option.tick_atoms * grid.option.lot_nanos % 1_000_000_000 == 0
        assert grid.perpetual.tick_atoms * ((1 << 24) - 1) > 10 * chain.index_atoms


def test_a_price_beyond_the_grid_is_refused_by_name() -> None:
    chain: ChainSnapshot = generate_snapshot(seed=1).chains[1]
    with pytest.raises(GridTooCoarse) as caught:
        grid_of(replace(chain, index_atoms=200_000_000_000), quorum=2)
    assert caught.value.symbol == "ETH" and caught.value.price_atoms == 200_000_000_000
