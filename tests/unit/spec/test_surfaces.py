"""Surfaces that leave something to be had for free are refused, each kind by itself."""

from dataclasses import replace

import pytest

from proofbook.protocol.commands import ListInstrument, SurfaceSignature, SurfaceSlice, VolSurface
from proofbook.protocol.eip712 import vol_surface_digest
from proofbook.protocol.limits import NS_PER_DAY, ArenaId, InstrumentKind
from proofbook.protocol.outcomes import Outcome
from proofbook.protocol.records import ExpiryRecord
from proofbook.protocol.surface import SURFACE_ONE as ONE
from proofbook.simulator.scene import (
    EXPIRY_NS,
    FLAT_SLICE,
    MILLISECOND_NS,
    STRIKE_ATOMS,
    Scene,
    key_of,
)
from proofbook.simulator.workload import compact_signature

LATER_NS = EXPIRY_NS + NS_PER_DAY


def slice_of(a: float, b: float, rho: float, m: float, sigma: float) -> SurfaceSlice:
    """A slice at the first expiry, of real numbers."""
    return SurfaceSlice(EXPIRY_NS, *(round(number * ONE) for number in (a, b, rho, m, sigma)))


def publish(scene: Scene, *slices: SurfaceSlice) -> Outcome:
    """Publish slices at the first expiry and the ones after it, listed if they are not yet."""
    published_ns = scene.window_ns + MILLISECOND_NS
    digest = vol_surface_digest(scene.separator, 1, published_ns, slices)
    row = SurfaceSignature(1, compact_signature(key_of("publisher"), digest))
    return scene.submit(VolSurface(1, published_ns, slices, (row,)))


@pytest.fixture
def one(empty: Scene) -> Scene:
    """A venue with one expiry."""
    empty.list_instrument(InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS)
    return empty


@pytest.fixture
def two(one: Scene) -> Scene:
    """A venue with two expiries, a day apart."""
    one.list_instrument(InstrumentKind.CALL, LATER_NS, STRIKE_ATOMS)
    return one


SOUND = slice_of(0.005, 0.04, -0.3, 0.0, 0.15)


def test_a_sound_surface_is_taken(one: Scene) -> None:
    assert publish(one, SOUND).is_applied
    expiry = ExpiryRecord.unpack(one.engine.read(ArenaId.EXPIRIES, 1))
    assert (expiry.surface_b, expiry.surface_version) == (SOUND.b, 1)


BUTTERFLIES = {
    "a smile steeper than its level": slice_of(0.0001, 0.08, 0.0, 0.0, 0.005),
    "Gatheral's example, Lee's bound kept": slice_of(-0.041, 0.1331, 0.306, 0.3586, 0.4153),
    "no variance at the money": slice_of(0.0, 0.05, 0.0, 0.0, 0.001),
    "no variance anywhere": slice_of(0.0, 0.0, 0.0, 0.0, 0.1),
    "variance of a millionth of a second": slice_of(1e-15, 0.0, 0.0, 0.0, 0.1),
}


@pytest.mark.parametrize("name", list(BUTTERFLIES))
def test_butterflies_are_refused(one: Scene, name: str) -> None:
    assert publish(one, BUTTERFLIES[name]).name == "SURFACE_INVALID"
    expiry = ExpiryRecord.unpack(one.engine.read(ArenaId.EXPIRIES, 1))
    assert expiry.surface_version == 0, "nothing has changed"


@pytest.mark.parametrize("seconds", [10, 60, 3_600, 86_400])
def test_flat_and_smiling_surfaces_of_short_expiries_are_taken(one: Scene, seconds: int) -> None:
    years = seconds / 31_536_000
    variance = 0.4**2 * years
    assert publish(one, slice_of(variance, 0.0, 0.0, 0.0, 0.1)).is_applied
    one.wait(10**9)
    smile = slice_of(variance, variance / 0.1, -0.4, 0.0, 0.05)
    assert publish(one, smile).is_applied


@pytest.mark.parametrize(
    "changes", [{"sigma": ONE // 1024 - 1}, {"m": 4 * ONE + 1}, {"m": -4 * ONE - 1}]
)
def test_bends_that_could_hide_from_the_grid_are_refused(
    one: Scene, changes: dict[str, int]
) -> None:
    assert publish(one, replace(SOUND, **changes)).name == "SURFACE_INVALID"


# Two expiries


def later(slice_: SurfaceSlice, **changes: int) -> SurfaceSlice:
    """A slice at the second expiry."""
    return replace(slice_, expiry_ns=LATER_NS, **changes)


def test_equal_variance_at_both_expiries_is_taken(two: Scene) -> None:
    assert publish(two, SOUND, later(SOUND)).is_applied


def test_variance_that_falls_with_time_is_refused(two: Scene) -> None:
    below = later(SOUND, a=SOUND.a - 1)
    assert publish(two, SOUND, below).name == "SURFACE_INVALID"
    assert publish(two, below, later(SOUND)).name == "EXPIRY_SET_MISMATCH"
    assert publish(two, replace(below, expiry_ns=EXPIRY_NS), later(SOUND)).is_applied


def test_variance_that_falls_at_one_strike_is_refused(two: Scene) -> None:
    """Higher at the money and in both wings, lower in between."""
    narrow = later(slice_of(0.0055, 0.04, -0.3, 0.0, 0.05))
    k = 0.0
    assert narrow.b >= SOUND.b and variance_at(narrow, k) < variance_at(SOUND, k)
    assert publish(two, SOUND, narrow).name == "SURFACE_INVALID"


def variance_at(s: SurfaceSlice, k: float) -> float:
    a, b, rho, m, sigma = (number / ONE for number in (s.a, s.b, s.rho, s.m, s.sigma))
    return a + b * (rho * (k - m) + ((k - m) ** 2 + sigma**2) ** 0.5)


@pytest.mark.parametrize("rho", [-0.35, -0.25])
def test_a_wing_that_flattens_with_time_is_refused(two: Scene, rho: float) -> None:
    """The other wing steepens, and variance is higher at every node: they cross beyond the grid."""
    tilted = later(SOUND, a=SOUND.a + ONE // 100, rho=round(rho * ONE))
    assert publish(two, SOUND, tilted).name == "SURFACE_INVALID"


def test_a_passed_expiry_is_asked_for_nothing_but_its_range(two: Scene) -> None:
    """Or no surface could be published once an expiry has passed."""
    high = replace(SOUND, a=ONE)
    assert publish(two, high, later(SOUND)).name == "SURFACE_INVALID"
    two.wait(EXPIRY_NS - two.window_ns)
    assert publish(two, replace(high, a=33 * ONE), later(SOUND)).name == "SURFACE_INVALID"
    assert publish(two, high, later(SOUND)).is_applied
    two.wait(10**9)
    assert publish(two, slice_of(0.0, 0.0, 0.0, 0.0, 1.0), later(SOUND)).is_applied


@pytest.mark.parametrize("changes", [
    {"a": -(1 << 63)}, {"a": (1 << 63) - 1}, {"b": (1 << 63) - 1}, {"b": -(1 << 63)},
    {"rho": -(1 << 63)}, {"m": -(1 << 63)}, {"m": (1 << 63) - 1}, {"sigma": (1 << 63) - 1},
    {"sigma": -(1 << 63)},
])  # fmt: skip
def test_numbers_at_the_ends_of_their_bytes_are_refused(
    one: Scene, changes: dict[str, int]
) -> None:
    assert publish(one, replace(FLAT_SLICE, **changes)).name == "SURFACE_INVALID"


def test_expiries_a_nanosecond_apart_are_not_listed(one: Scene) -> None:
    """So no two slices ever stand so close."""
    close = ListInstrument(1, InstrumentKind.CALL, EXPIRY_NS + 1, STRIKE_ATOMS)
    assert one.submit(close).name == "OFF_GRID"
