"""What a Remark writes into risk arrays, on every engine; the formulas are tested as properties."""

from dataclasses import replace

import pytest

from proofbook.protocol.commands import Remark, SetParameters, SurfaceSlice
from proofbook.protocol.limits import NS_PER_DAY, InstrumentKind
from proofbook.protocol.surface import LEVEL_MAX, SURFACE_ONE
from proofbook.protocol.terms import FIRST_PARAMETERS
from proofbook.simulator.inspection import instrument, risk_array
from proofbook.simulator.scene import EXPIRY_NS, FLAT_SLICE, MILLISECOND_NS, SPOT_ATOMS, Scene

SECOND_NS = 10**9
LOW_STRIKE_ATOMS = SPOT_ATOMS * 9 // 10


def open_expiry(scene: Scene) -> tuple[int, int, int]:
    """Open a call, the put of its strike and the future of its expiry, marked together."""
    put = scene.list_instrument(InstrumentKind.PUT, EXPIRY_NS, LOW_STRIKE_ATOMS)
    future = scene.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)
    call = scene.open_option(InstrumentKind.CALL, LOW_STRIKE_ATOMS)
    return call, put, future


def test_perpetual_has_tails_delta_and_basis_and_neither_skew_nor_slopes(
    scene: Scene, perpetual: int
) -> None:
    array = risk_array(scene, perpetual)
    mark = array.mark_atoms
    weights = [186_667, 373_334, 246_400, 123_200, 61_600, 41_067, 30_800, 24_640]
    moves = [-66, -33, 50, 100, 200, 300, 400, 500]
    expected = [mark * move * weight // 10**8 for move, weight in zip(moves, weights, strict=True)]
    assert all(abs(x - y) <= 1 for x, y in zip(array.tails, expected, strict=True))
    assert (array.delta_atoms, array.basis_atoms) == (mark, mark // 100)
    assert (array.skew_linear_atoms, array.skew_absolute_atoms) == (0, 0)
    assert (array.slope_up_atoms, array.slope_down_atoms) == (0, 0)


def test_options_and_their_future_cancel_in_every_column(scene: Scene) -> None:
    call, put, future = (risk_array(scene, listed) for listed in open_expiry(scene))
    for name in ("core", "tails"):
        rows = zip(getattr(call, name), getattr(put, name), getattr(future, name), strict=True)
        assert all(abs(x - y - 100 * z) <= 51 for x, y, z in rows), "a future's lot is 1/100"
    assert call.skew_linear_atoms == put.skew_linear_atoms != 0
    assert call.skew_absolute_atoms == put.skew_absolute_atoms != 0
    assert abs(call.delta_atoms - put.delta_atoms - 100 * future.delta_atoms) <= 51
    slopes = [(array.slope_up_atoms, array.slope_down_atoms) for array in (call, put, future)]
    lot_atoms = SPOT_ATOMS // 100
    assert slopes == [(lot_atoms, 0), (0, lot_atoms), (lot_atoms // 100, -lot_atoms // 100)]


def test_volatility_moves_grow_towards_expiry(scene: Scene) -> None:
    """At the money the share that volatility up adds is (30 d / t)^0.3 as large."""
    call = scene.open_option(InstrumentKind.CALL, SPOT_ATOMS)
    expiry = instrument(scene, call).expiry

    def share() -> float:
        array = risk_array(scene, call)
        return array.core[12] / array.mark_atoms

    days_before = (EXPIRY_NS - scene.window_ns) / NS_PER_DAY
    high = replace(FIRST_PARAMETERS, vol_up_floor_ppm=0)
    scene.submit(SetParameters(2, high))
    scene.submit(Remark(expiry))
    before = share()
    scene.wait(EXPIRY_NS - scene.window_ns - 2 * NS_PER_DAY)
    scene.submit(Remark(expiry))
    assert share() == pytest.approx(before * (days_before / 2) ** 0.3, rel=1e-2)


def test_arrays_say_until_when_they_are_fresh(scene: Scene, perpetual: int) -> None:
    call, put, future = open_expiry(scene)
    marked_ns = scene.window_ns
    assert 0 < risk_array(scene, perpetual).fresh_until_ns - marked_ns <= 60 * SECOND_NS
    scene.wait(100 * SECOND_NS)
    surface_ns = scene.window_ns + 10**6
    assert scene.publish_surface(FLAT_SLICE).is_applied
    assert scene.submit(Remark(instrument(scene, call).expiry)).is_applied
    forward_until_ns = risk_array(scene, future).fresh_until_ns
    assert marked_ns + 3_599 * SECOND_NS < forward_until_ns < marked_ns + 3_601 * SECOND_NS
    assert risk_array(scene, call).fresh_until_ns == surface_ns + 1_800 * SECOND_NS
    scene.wait(1_750 * SECOND_NS)
    assert scene.publish_surface(FLAT_SLICE).is_applied
    assert scene.submit(Remark(instrument(scene, call).expiry)).is_applied
    assert risk_array(scene, put).fresh_until_ns == forward_until_ns, "the first that is stale"


def test_an_age_may_be_changed_and_holds_from_the_next_mark_on(
    scene: Scene, perpetual: int
) -> None:
    before = risk_array(scene, perpetual).fresh_until_ns
    assert scene.submit(
        SetParameters(2, replace(FIRST_PARAMETERS, index_age_seconds=90))
    ).is_applied
    assert risk_array(scene, perpetual).fresh_until_ns == before
    assert scene.submit(Remark(instrument(scene, perpetual).expiry)).is_applied
    assert risk_array(scene, perpetual).fresh_until_ns == before + 30 * SECOND_NS


@pytest.mark.parametrize("before_ns", [1, 10**6, SECOND_NS, 60 * SECOND_NS])
def test_a_surface_of_the_last_moments_has_no_more_variance_than_any(
    empty: Scene, before_ns: int
) -> None:
    """It stands for a nanosecond, and the average lacks 20 minutes: σ√t is 8, worth its forward."""
    call = empty.list_instrument(InstrumentKind.CALL, EXPIRY_NS, SPOT_ATOMS)
    empty.wait(EXPIRY_NS - empty.window_ns - before_ns - 3 * MILLISECOND_NS)
    assert empty.publish_forward().is_applied
    assert empty.publish_surface(
        SurfaceSlice(EXPIRY_NS, LEVEL_MAX, 0, 0, 0, SURFACE_ONE)
    ).is_applied
    assert empty.submit(Remark(instrument(empty, call).expiry)).is_applied
    lot_atoms = SPOT_ATOMS // 100
    assert lot_atoms * 999 // 1_000 < risk_array(empty, call).mark_atoms <= lot_atoms
