"""What the rule for surfaces takes, against exact arithmetic; spec and kernel on random slices."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from math import isqrt

import mpmath as mp
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.strategies import EXAMPLES, MANY_EXAMPLES

from proofbook.kernel import Kernel
from proofbook.protocol.commands import (
    SurfaceSignature,
    SurfaceSlice,
    VolSurface,
)
from proofbook.protocol.eip712 import vol_surface_digest
from proofbook.protocol.limits import BUTTERFLY_MARGIN_PPM, NS_PER_DAY, InstrumentKind
from proofbook.protocol.surface import (
    NODES,
    SURFACE_ONE,
    VARIANCE_ERROR,
    WIDTH_MIN,
    bend_down,
    is_in_range,
    is_surface_valid,
    variance_down,
)
from proofbook.simulator.scene import EXPIRY_NS, MILLISECOND_NS, STRIKE_ATOMS, Scene, key_of
from proofbook.simulator.workload import compact_signature
from proofbook.spec import State

BETWEEN_NODES = mp.mpf("-0.04")
"""The least density that a search over two million random slices found between two nodes."""

BETWEEN_EVERY = 16
"""Points that are looked at between two nodes."""


@pytest.fixture(autouse=True, scope="module")
def digits() -> Iterator[None]:
    with mp.workdps(40):
        yield


def fixed(number: float) -> int:
    return round(number * SURFACE_ONE)


@st.composite
def slices(draw: st.DrawFn) -> SurfaceSlice:
    """Draw a slice of an expiry of seconds to years, near the edge of what is valid."""
    deviation = 10 ** draw(st.floats(-4, 0.3))
    sigma = max(WIDTH_MIN / SURFACE_ONE, min(8.0, deviation * 10 ** draw(st.floats(-2, 1))))
    rho = draw(st.floats(-0.999, 0.999))
    b = min(2.0, deviation * 10 ** draw(st.floats(-2, 0.5))) / (1 + abs(rho))
    lowest = deviation**2 * 10 ** draw(st.floats(-3, 0.3))
    centre = max(-4.0, min(4.0, deviation * draw(st.floats(-3, 3))))
    a = lowest - b * sigma * (1 - rho * rho) ** 0.5
    return SurfaceSlice(EXPIRY_NS, *map(fixed, (a, b, rho, centre, sigma)))


@st.composite
def valid_slices(draw: st.DrawFn) -> SurfaceSlice:
    """Draw a slice that is valid: lifted until it is."""
    s = draw(slices())
    for _ in range(8):
        if is_surface_valid([s], 0):
            return s
        s = replace(s, a=s.a + max(abs(s.a) // 2, 1 << 20))
    assume(False)
    return s


class Exact:
    """A slice in exact arithmetic."""

    def __init__(self, s: SurfaceSlice) -> None:
        numbers = s.a, s.b, s.rho, s.m, s.sigma
        self.a, self.b, self.rho, self.m, self.sigma = (mp.ldexp(n, -48) for n in numbers)

    def root(self, k: mp.mpf) -> mp.mpf:
        return mp.sqrt((k - self.m) ** 2 + self.sigma**2)

    def variance(self, k: mp.mpf) -> mp.mpf:
        return self.a + self.b * (self.rho * (k - self.m) + self.root(k))

    def bend(self, k: mp.mpf) -> mp.mpf:
        return self.b * self.sigma**2 / self.root(k) ** 3

    def density(self, k: mp.mpf) -> mp.mpf:
        w, root = self.variance(k), self.root(k)
        slope = self.b * (self.rho + (k - self.m) / root)
        tangent = 1 - k * slope / (2 * w)
        return tangent**2 - slope**2 / 4 * (1 / w + mp.mpf(1) / 4) + self.bend(k) / 2


def require_free_at_nodes(s: SurfaceSlice) -> None:
    """At every node the density is positive by the whole margin: nothing is lost to rounding."""
    exact = Exact(s)
    for node in NODES:
        assert exact.density(mp.ldexp(node, -48)) >= mp.mpf(BUTTERFLY_MARGIN_PPM) / 10**6


@EXAMPLES
@given(valid_slices())
def test_accepted_slices_have_their_margin_at_every_node(s: SurfaceSlice) -> None:
    require_free_at_nodes(s)


@pytest.mark.slow
@MANY_EXAMPLES
@given(valid_slices())
def test_many_accepted_slices_have_their_margin_at_every_node(s: SurfaceSlice) -> None:
    require_free_at_nodes(s)


@EXAMPLES
@given(valid_slices(), st.integers(1, len(NODES) - 1))
def test_accepted_slices_are_nearly_free_between_nodes(s: SurfaceSlice, place: int) -> None:
    exact, (low, high) = Exact(s), NODES[place - 1 : place + 1]
    for part in range(BETWEEN_EVERY):
        k = mp.ldexp(low + (high - low) * part // BETWEEN_EVERY, -48)
        assert exact.variance(k) > 0 and exact.density(k) >= BETWEEN_NODES


@EXAMPLES
@given(slices())
def test_slices_with_room_to_spare_are_accepted(s: SurfaceSlice) -> None:
    """The rule refuses nothing that is valid by a little more than its margin."""
    exact = Exact(s)
    assume(is_in_range(s) and s.a > 0 and exact.variance(exact.m) > mp.mpf(2) ** -30)
    densities = [exact.density(mp.ldexp(node, -48)) for node in NODES]
    assume(min(densities) > mp.mpf(1) / 1_000)
    assert is_surface_valid([s], 0)


@EXAMPLES
@given(slices(), st.sampled_from(NODES))
def test_variance_and_bend_are_rounded_down_by_no_more_than_they_say(
    s: SurfaceSlice, k: int
) -> None:
    exact, x = Exact(s), k - s.m
    root = isqrt(x * x + s.sigma * s.sigma)
    at = mp.ldexp(k, -48)
    assert 0 <= mp.ldexp(exact.variance(at), 48) - variance_down(s, x, root) < VARIANCE_ERROR
    assert mp.ldexp(bend_down(s, root), -48) <= exact.bend(at)


@EXAMPLES
@given(valid_slices(), valid_slices())
def test_accepted_expiries_cross_by_less_than_the_bend_of_the_later(
    before: SurfaceSlice, after: SurfaceSlice
) -> None:
    """Between nodes h apart, variance falls by at most h²·b/8σ of the later slice."""
    after = replace(after, expiry_ns=EXPIRY_NS + NS_PER_DAY)
    gap = max(variance_of(before, k) - variance_of(after, k) for k in NODES)
    after = replace(after, a=after.a + max(0, gap))
    assume(is_surface_valid([before, after], 0))
    one, two = Exact(before), Exact(after)
    for low, high in pairwise(NODES):
        width = mp.ldexp(high - low, -48)
        allowed = width**2 * two.b / (8 * two.sigma) + mp.ldexp(VARIANCE_ERROR, -48)
        for part in (1, 2, 3):
            k = mp.ldexp(low + (high - low) * part // 4, -48)
            assert one.variance(k) - two.variance(k) <= allowed


def variance_of(s: SurfaceSlice, k: int) -> int:
    x = k - s.m
    return variance_down(s, x, isqrt(x * x + s.sigma * s.sigma))


# Spec and kernel


ENGINES = State, Kernel


@pytest.fixture(scope="module")
def venues() -> list[Scene]:
    """A venue with two expiries on the spec and one on the kernel."""
    scenes = [Scene(engine) for engine in ENGINES]
    for scene in scenes:
        for day in range(2):
            expiry_ns = EXPIRY_NS + day * NS_PER_DAY
            scene.list_instrument(InstrumentKind.CALL, expiry_ns, STRIKE_ATOMS)
    return scenes


def publish(scene: Scene, rows: tuple[SurfaceSlice, ...]) -> str:
    published_ns = scene.window_ns + MILLISECOND_NS
    digest = vol_surface_digest(scene.separator, 1, published_ns, rows)
    row = SurfaceSignature(1, compact_signature(key_of("publisher"), digest))
    return scene.submit(VolSurface(1, published_ns, rows, (row,))).name


I64 = st.integers(-(1 << 63), (1 << 63) - 1)
WIDE = st.builds(SurfaceSlice, st.just(EXPIRY_NS), I64, I64, I64, I64, I64)


@EXAMPLES
@given(st.one_of(slices(), valid_slices(), WIDE), st.one_of(slices(), valid_slices()))
def test_spec_and_kernel_agree_on_every_surface(
    venues: list[Scene], before: SurfaceSlice, after: SurfaceSlice
) -> None:
    after = replace(after, expiry_ns=EXPIRY_NS + NS_PER_DAY)
    for pair in ((before, after), (before, replace(before, expiry_ns=after.expiry_ns))):
        outcomes = {publish(scene, pair) for scene in venues}
        is_valid = is_surface_valid(pair, venues[0].window_ns)
        assert outcomes == {"APPLIED" if is_valid else "SURFACE_INVALID"}
