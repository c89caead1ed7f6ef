"""Observations that are absurd, repeated, forged, or at the ends of their range: nothing breaks."""

from dataclasses import replace
from itertools import product

import pytest
from tests.unit.spec.conftest import ENGINES

from proofbook.protocol.commands import (
    ForwardCurve,
    ForwardObservation,
    OracleCommand,
    Remark,
    SurfaceSignature,
    SurfaceSlice,
    VolSurface,
)
from proofbook.protocol.eip712 import forward_curve_digest, vol_surface_digest
from proofbook.protocol.limits import INDEX_ATOMS_MAX, NS_PER_DAY, ArenaId, InstrumentKind, Side
from proofbook.simulator.inspection import account, header, money, risk_array
from proofbook.simulator.scene import (
    EXPIRY_NS,
    FLAT_SLICE,
    MILLISECOND_NS,
    MINUTE_NS,
    SPOT_ATOMS,
    STRIKE_ATOMS,
    USDC,
    Scene,
    key_of,
)
from proofbook.simulator.workload import compact_signature

CALL, PUT, FUTURE = InstrumentKind.CALL, InstrumentKind.PUT, InstrumentKind.FUTURE
ONE = 1 << 48
LATER_NS = EXPIRY_NS + NS_PER_DAY
CALMEST = replace(FLAT_SLICE, a=10, b=0, rho=0, m=0, sigma=ONE)
"""With less variance than that a slice is refused: rounding could hide a butterfly."""

WILDEST = replace(FLAT_SLICE, a=32 * ONE, b=0, rho=0, m=0, sigma=ONE)


def curve(scene: Scene, expiries_ns: tuple[int, ...], forwards: tuple[int, ...]) -> ForwardCurve:
    published_ns = scene.window_ns + MILLISECOND_NS
    digest = forward_curve_digest(scene.separator, 1, published_ns, expiries_ns, forwards)
    signature = compact_signature(key_of("publisher"), digest)
    return ForwardCurve(1, published_ns, expiries_ns, (ForwardObservation(1, forwards, signature),))


def surface(scene: Scene) -> VolSurface:
    published_ns = scene.window_ns + MILLISECOND_NS
    digest = vol_surface_digest(scene.separator, 1, published_ns, (FLAT_SLICE,))
    row = SurfaceSignature(1, compact_signature(key_of("publisher"), digest))
    return VolSurface(1, published_ns, (FLAT_SLICE,), (row,))


def observation(scene: Scene, is_surface: bool) -> OracleCommand:
    return surface(scene) if is_surface else curve(scene, (EXPIRY_NS,), (SPOT_ATOMS,))


def rows_of(command: OracleCommand) -> str:
    return "signatures" if isinstance(command, VolSurface) else "observations"


def refused(scene: Scene, command: OracleCommand) -> str:
    """Submit what has to be refused; return why. Nothing that publishers say may have changed."""
    before = [scene.engine.read(arena, 1) for arena in (ArenaId.UNDERLYINGS, ArenaId.EXPIRIES)]
    outcome = scene.submit(command)
    after = [scene.engine.read(arena, 1) for arena in (ArenaId.UNDERLYINGS, ArenaId.EXPIRIES)]
    assert not outcome.is_applied and before == after and scene.events() == []
    return outcome.name


@pytest.mark.parametrize("price", [0, INDEX_ATOMS_MAX + 1, (1 << 64) - 1])
def test_forward_rejects_a_price_out_of_range(scene: Scene, call: int, price: int) -> None:
    assert refused(scene, curve(scene, (EXPIRY_NS,), (price,))) == "OBSERVATION_OUT_OF_RANGE"


@pytest.mark.parametrize(
    "expiries_ns",
    [(), (EXPIRY_NS, EXPIRY_NS), (EXPIRY_NS, LATER_NS), (LATER_NS,), (EXPIRY_NS + 1,), (0,)],
)
def test_forward_rejects_other_expiries_than_those_listed(
    scene: Scene, call: int, expiries_ns: tuple[int, ...]
) -> None:
    forwards = (SPOT_ATOMS,) * len(expiries_ns)
    assert refused(scene, curve(scene, expiries_ns, forwards)) == "EXPIRY_SET_MISMATCH"


def test_forward_rejects_descending_expiries(scene: Scene, call: int) -> None:
    scene.list_instrument(CALL, LATER_NS, STRIKE_ATOMS)
    forwards = (SPOT_ATOMS, SPOT_ATOMS)
    assert refused(scene, curve(scene, (LATER_NS, EXPIRY_NS), forwards)) == "EXPIRY_SET_MISMATCH"


@pytest.mark.parametrize("is_surface", [False, True])
def test_forwards_and_surfaces_reject_who_is_no_quorum(
    scene: Scene, call: int, is_surface: bool
) -> None:
    sound = observation(scene, is_surface)
    (row,) = getattr(sound, rows_of(sound))
    cases = {
        "QUORUM_NOT_MET": (),
        "PUBLISHER_NOT_FOUND": (replace(row, publisher=9),),
        "VOID_MALFORMED": (row, row),
        "VOID_SIGNER_MISMATCH": (replace(row, signature=bytes(63) + b"\1"),),
    }
    for name, rows in cases.items():
        command = replace(observation(scene, is_surface), **{rows_of(sound): rows})
        assert refused(scene, command) == name


@pytest.mark.parametrize("is_surface", [False, True])
def test_forwards_and_surfaces_reject_what_is_repeated_or_old(
    scene: Scene, call: int, is_surface: bool
) -> None:
    first = observation(scene, is_surface)
    assert scene.submit(first).is_applied
    assert refused(scene, first) == "OBSERVATION_STALE"
    old = observation(scene, is_surface)
    scene.wait(MINUTE_NS + MILLISECOND_NS)
    assert refused(scene, old) == "OBSERVATION_STALE"


# At the ends of their range


def live_at_the_ends(scene: Scene, index: int, slice_: SurfaceSlice) -> None:
    """Mark at 1e-6 USD and at a million, forwards the other way round, then settle and be paid."""
    books = [scene.list_instrument(FUTURE, EXPIRY_NS, 0)]
    books += [scene.list_instrument(kind, EXPIRY_NS, STRIKE_ATOMS) for kind in (CALL, PUT)]
    assert scene.publish_index().is_applied and scene.publish_forward().is_applied
    assert scene.publish_surface().is_applied and scene.submit(Remark(1)).is_applied
    for book, ticks in zip(books, (800_000, 30_000, 30_000), strict=True):
        scene.resting("bob", book, Side.SELL, ticks, 5)
        assert scene.place("ann", book, Side.BUY, ticks, 5).is_applied
    for spot, forward in product((index, INDEX_ATOMS_MAX + 1 - index), repeat=2):
        assert scene.publish_index(spot).is_applied
        assert scene.publish_forward(forward).is_applied
        assert scene.publish_surface(slice_).is_applied
        assert scene.submit(Remark(1)).is_applied
        assert money(scene) == header(scene).custody_atoms
    scene.publish_each_minute(EXPIRY_NS - 30 * MINUTE_NS, *[index] * 31)
    assert scene.settle_expiry(1).is_applied and scene.submit(Remark(1)).is_applied
    for name in ("ann", "bob"):
        assert scene.settle_account(name).is_applied
        assert account(scene, name).positions_count == 0
    assert money(scene) == header(scene).custody_atoms


@pytest.mark.parametrize("index", [1, INDEX_ATOMS_MAX])
@pytest.mark.parametrize("slice_", [CALMEST, WILDEST], ids=["calmest", "wildest"])
def test_the_least_and_the_highest_prices_are_priced_and_settled(
    index: int, slice_: SurfaceSlice
) -> None:
    """By the reference and by the kernel on each store, to the same root."""
    roots: set[bytes] = set()
    for engine in ENGINES.values():
        scene = Scene(engine)
        for name in ("ann", "bob"):
            scene.deposit(name, 1_000_000 * USDC)
        live_at_the_ends(scene, index, slice_)
        roots.add(scene.engine.root())
    assert len(roots) == 1


def test_a_slice_with_less_variance_than_rounding_is_refused(scene: Scene, call: int) -> None:
    assert scene.publish_surface(replace(CALMEST, a=9)).name == "SURFACE_INVALID"
    assert scene.publish_surface(CALMEST).is_applied


@pytest.mark.parametrize("before_ns", [1, 1_000, MILLISECOND_NS, 30 * MILLISECOND_NS])
@pytest.mark.parametrize("spot", [70_000 * USDC, 80_000 * USDC, 90_000 * USDC])
def test_an_option_of_the_last_moment_is_worth_its_payoff(
    scene: Scene, call: int, before_ns: int, spot: int
) -> None:
    """A nanosecond before its end, with a surface of that moment."""
    scene.publish_each_minute(EXPIRY_NS - 31 * MINUTE_NS, *[spot] * 30)
    scene.at(EXPIRY_NS - before_ns - 3 * MILLISECOND_NS)
    assert scene.publish_forward(spot).is_applied
    assert scene.publish_surface(CALMEST).is_applied
    scene.at(EXPIRY_NS - before_ns)
    outcome = scene.submit(Remark(1))
    assert outcome.is_applied, outcome.name
    lot = 100
    payoff_atoms = max(0, spot - STRIKE_ATOMS) // lot
    assert abs(risk_array(scene, call).mark_atoms - payoff_atoms) <= 1_000, "a tick of a lot"
