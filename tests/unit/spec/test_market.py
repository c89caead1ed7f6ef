"""Index, forwards, surfaces, marks and listings: what is refused, and what the numbers become."""

from dataclasses import replace

import pytest

from proofbook.protocol.commands import (
    IndexObservation,
    IndexPrice,
    ListInstrument,
    Remark,
    SurfaceSignature,
    VolSurface,
)
from proofbook.protocol.eip712 import index_price_digest, vol_surface_digest
from proofbook.protocol.entry import Entry
from proofbook.protocol.limits import INDEX_ATOMS_MAX, NS_PER_DAY, InstrumentKind, Side
from proofbook.simulator.inspection import expiry, instrument, risk_array
from proofbook.simulator.scene import (
    EXPIRY_NS,
    FLAT_SLICE,
    GENESIS_NS,
    SPOT_ATOMS,
    STRIKE_ATOMS,
    Scene,
    key_of,
)
from proofbook.simulator.workload import compact_signature

ONE = 1 << 48


def test_index_rejects_unknown_underlying(scene: Scene) -> None:
    assert scene.submit(IndexPrice(2, scene.window_ns, ())).name == "UNDERLYING_NOT_FOUND"


def test_index_rejects_missing_quorum(scene: Scene) -> None:
    assert scene.submit(IndexPrice(1, scene.window_ns, ())).name == "QUORUM_NOT_MET"


def test_index_rejects_unknown_publisher(scene: Scene) -> None:
    scene.publish_index()
    row = replace(scene_last_index(scene).observations[0], publisher=9)
    assert scene.submit(IndexPrice(1, scene.window_ns, (row,))).name == "PUBLISHER_NOT_FOUND"


def scene_last_index(scene: Scene) -> IndexPrice:
    command = Entry.decode(scene.entries[-1]).command
    assert isinstance(command, IndexPrice)
    return command


def test_publisher_named_twice_is_void(scene: Scene) -> None:
    """Found by reading: the kernel once let one publisher meet any quorum by himself."""
    scene.publish_index()
    row = scene_last_index(scene).observations[0]
    assert scene.submit(IndexPrice(1, scene.window_ns, (row, row))).name == "VOID_MALFORMED"


def test_index_rejects_the_same_observation_twice(scene: Scene) -> None:
    assert scene.publish_index().is_applied
    assert scene.submit(scene_last_index(scene)).name == "OBSERVATION_STALE"


def test_index_rejects_an_observation_older_than_a_minute(scene: Scene) -> None:
    observed_ns = scene.window_ns
    digest = index_price_digest(scene.separator, 1, observed_ns, SPOT_ATOMS)
    row = IndexObservation(1, SPOT_ATOMS, compact_signature(key_of("publisher"), digest))
    scene.wait(60 * 10**9)
    assert scene.submit(IndexPrice(1, observed_ns, (row,))).name == "OBSERVATION_STALE"


@pytest.mark.parametrize("price", [0, INDEX_ATOMS_MAX + 1])
def test_index_rejects_price_out_of_range(scene: Scene, price: int) -> None:
    assert scene.publish_index(price).name == "OBSERVATION_OUT_OF_RANGE"


def test_forged_observation_is_void(scene: Scene) -> None:
    scene.publish_index()
    command = scene_last_index(scene)
    forged = replace(command.observations[0], price_atoms=1)
    outcome = scene.submit(IndexPrice(1, scene.window_ns, (forged,)))
    assert outcome.name == "VOID_SIGNER_MISMATCH"


def test_forward_rejects_expiries_that_are_not_listed(scene: Scene) -> None:
    assert scene.publish_forward().name == "EXPIRY_SET_MISMATCH"


@pytest.mark.parametrize(
    "changes",
    [
        {"b": -1},
        {"b": 2 * ONE + 1},
        {"rho": ONE},
        {"rho": -ONE},
        {"sigma": 0},
        {"a": -ONE},
        {"a": 33 * ONE},
        {"m": 9 * ONE},
        {"b": int(1.5 * ONE), "rho": ONE // 2},
    ],
)
def test_surface_rejects_parameters_that_no_market_has(
    scene: Scene, changes: dict[str, int]
) -> None:
    scene.list_instrument(InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS)
    assert scene.publish_surface(replace(FLAT_SLICE, **changes)).name == "SURFACE_INVALID"


def test_surface_rejects_missing_quorum(scene: Scene) -> None:
    scene.list_instrument(InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS)
    command = VolSurface(1, scene.window_ns, (FLAT_SLICE,), ())
    assert scene.submit(command).name == "QUORUM_NOT_MET"


def test_remark_rejects_unknown_expiry(scene: Scene) -> None:
    assert scene.submit(Remark(1)).name == "EXPIRY_NOT_FOUND"


def test_remark_rejects_a_cursor_of_another_expiry(scene: Scene, perpetual: int, call: int) -> None:
    assert scene.submit(Remark(1, cursor=call & 0xFFFF)).name == "CURSOR_INVALID"


def test_remark_rejects_missing_observations(scene: Scene) -> None:
    scene.list_perpetual()
    assert scene.submit(Remark(1)).name == "OBSERVATION_MISSING"


def test_remark_passes_over_options_without_a_surface(scene: Scene) -> None:
    call = scene.list_instrument(InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS)
    future = scene.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)
    assert scene.publish_forward().is_applied
    assert scene.submit(Remark(1, cursor=call & 0xFFFF)).is_applied
    assert [risk_array(scene, listed).marked_ns > 0 for listed in (call, future)] == [False, True]
    assert scene.place("ann", call, Side.BUY, 1, 1).name == "MARK_MISSING"


def test_perpetual_is_marked_at_the_index(scene: Scene, perpetual: int) -> None:
    array = risk_array(scene, perpetual)
    assert array.mark_atoms == SPOT_ATOMS // 10_000
    moves = [-16, -12, -8, -4, 0, 4, 8, 12, 16]
    assert array.core == [array.mark_atoms * move // 100 for move in moves for _ in range(3)]


def test_call_gains_with_spot_and_volatility(scene: Scene, call: int) -> None:
    core = risk_array(scene, call).core
    assert all(low < high for low, high in zip(core[1::3], core[4::3], strict=False)), (
        "rises with spot"
    )
    assert core[12] > core[13] == 0 > core[14], "volatility up, unmoved, down at unmoved spot"


def test_call_less_put_is_the_forward_less_the_strike(scene: Scene) -> None:
    call = scene.open_option(InstrumentKind.CALL, STRIKE_ATOMS + 2_000_000_000)
    put = scene.list_instrument(InstrumentKind.PUT, EXPIRY_NS, STRIKE_ATOMS + 2_000_000_000)
    scene.submit(Remark(1))
    difference = risk_array(scene, call).mark_atoms - risk_array(scene, put).mark_atoms
    assert difference == pytest.approx(-2_000_000_000 // 100, abs=1)


def test_one_remark_prices_sixteen_instruments(scene: Scene) -> None:
    first = scene.open_option()
    for step in range(1, 20):
        scene.list_instrument(InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS + step * 1_000_000_000)
    scene.submit(Remark(1))
    assert len(scene.events()) == 16
    scene.submit(Remark(1, cursor=(first & 0xFFFF) + 16))
    assert len(scene.events()) == 4


def test_listing_rejects_unknown_underlying(scene: Scene) -> None:
    assert scene.submit(ListInstrument(2, InstrumentKind.PERPETUAL)).name == "UNDERLYING_NOT_FOUND"


@pytest.mark.parametrize(
    ("kind", "expiry_ns", "strike_atoms"),
    [
        (InstrumentKind.PERPETUAL, EXPIRY_NS, 0),
        (InstrumentKind.PERPETUAL, 0, STRIKE_ATOMS),
        (InstrumentKind.FUTURE, 0, 0),
        (InstrumentKind.FUTURE, EXPIRY_NS, STRIKE_ATOMS),
        (InstrumentKind.FUTURE, EXPIRY_NS + 1, 0),
        (InstrumentKind.CALL, 0, STRIKE_ATOMS),
        (InstrumentKind.CALL, EXPIRY_NS + 1, STRIKE_ATOMS),
        (InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS + 1),
        (InstrumentKind.CALL, EXPIRY_NS, 0),
        (InstrumentKind.CALL, GENESIS_NS - NS_PER_DAY + 8 * NS_PER_DAY // 24, STRIKE_ATOMS),
        (InstrumentKind.CALL, EXPIRY_NS + 1830 * NS_PER_DAY, STRIKE_ATOMS),
        (InstrumentKind.PUT, EXPIRY_NS, (1 << 63) // 10**9 * 10**9),
    ],
)
def test_listing_rejects_what_is_off_the_grid(
    scene: Scene, kind: InstrumentKind, expiry_ns: int, strike_atoms: int
) -> None:
    assert scene.submit(ListInstrument(1, kind, expiry_ns, strike_atoms)).name == "OFF_GRID"


def test_listing_rejects_the_same_instrument_twice(scene: Scene) -> None:
    scene.list_perpetual()
    assert scene.submit(ListInstrument(1, InstrumentKind.PERPETUAL)).name == "INSTRUMENT_EXISTS"
    call = ListInstrument(1, InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS)
    assert scene.submit(call).is_applied
    assert scene.submit(call).name == "INSTRUMENT_EXISTS"
    assert scene.submit(replace(call, kind=InstrumentKind.PUT)).is_applied


def test_listing_rejects_the_25th_expiry(scene: Scene) -> None:
    for days in range(24):
        command = ListInstrument(
            1, InstrumentKind.CALL, EXPIRY_NS + days * NS_PER_DAY, STRIKE_ATOMS
        )
        assert scene.submit(command).is_applied
    late = ListInstrument(1, InstrumentKind.CALL, EXPIRY_NS + 24 * NS_PER_DAY, STRIKE_ATOMS)
    assert scene.submit(late).name == "EXPIRY_LIMIT"


def test_a_surface_can_be_published_after_the_first_expiry(scene: Scene, call: int) -> None:
    """Found by attack: a passed expiry had to be named and was refused for having passed."""
    later_ns = EXPIRY_NS + 60 * NS_PER_DAY
    later = scene.list_instrument(InstrumentKind.CALL, later_ns, STRIKE_ATOMS)
    scene.wait(31 * NS_PER_DAY)
    published_ns = scene.window_ns + 10**6
    slices = (FLAT_SLICE, replace(FLAT_SLICE, expiry_ns=later_ns))
    digest = vol_surface_digest(scene.separator, 1, published_ns, slices)
    row = SurfaceSignature(1, compact_signature(key_of("publisher"), digest))
    assert scene.submit(VolSurface(1, published_ns, slices, (row,))).is_applied
    assert scene.submit(Remark(1)).name == "OBSERVATION_MISSING", "it waits for its settlement"
    assert risk_array(scene, call).marked_ns < published_ns
    assert expiry(scene, instrument(scene, later).expiry).surface_ns == published_ns
