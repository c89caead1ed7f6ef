"""When a volatility surface leaves nothing to be had for free: raw SVI slices, asked on a grid.

The grid has 129 nodes k = 4·(j/64)³, j from −64 to 64: two thirds of them lie within |k| ≤ 1.2,
where strikes are, and near the forward they are close enough together for expiries of an hour.
At every node the density that a slice implies is positive (no butterfly), and total variance is no
less than at the expiry before (no calendar spread); wings are no steeper than Lee's bound and never
flatter than at the expiry before.

Raw SVI: w(k) = a + b(ρx + r), x = k − m, r = √(x² + σ²), so w′ = b(ρ + x/r) and w″ = bσ²/r³.

Units    parameters, k, w and its derivatives in Q15.48.
Rounds   each step's error is bounded and taken against the surface: what is accepted is valid at
         every node in exact arithmetic.
Source   Gatheral and Jacquier, "Arbitrage-free SVI volatility surfaces", arXiv 1204.0646.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import isqrt

from proofbook.protocol.limits import BUTTERFLY_MARGIN_PPM, FRACTION_ONE_PPM, SURFACE_STEPS
from proofbook.protocol.observations import SurfaceSlice

SURFACE_BITS = 48
SURFACE_ONE = 1 << SURFACE_BITS

LEVEL_MAX = 32 * SURFACE_ONE
"""|a|: total variance of 400 % over two years."""

SLOPE_MAX = 2 * SURFACE_ONE
"""b(1 + |ρ|): Lee's bound on the wings."""

CENTRE_MAX = 4 * SURFACE_ONE
"""|m|: as far as the grid reaches."""

WIDTH_MIN, WIDTH_MAX = SURFACE_ONE >> 10, 8 * SURFACE_ONE
"""σ: a sharper bend would hide between two nodes."""

NODE_SHIFT = SURFACE_BITS + 2 - 18
"""k = 4 (j/64)³ in Q15.48 is j³ shifted by this."""

NODES = [j**3 << NODE_SHIFT for j in range(-SURFACE_STEPS, SURFACE_STEPS + 1)]

RATIO_BITS = 31
RATIO_ERROR = 2
"""Of `ratio`, in units of 2⁻³¹, either way."""

VARIANCE_ERROR = 5
"""Of `variance_down`, in units of 2⁻⁴⁸: root and ρx lose less than one each, both times b ≤ 2, and
the product less than one.
"""

SCALED_BITS = 58
"""Bits to which w and w′ are brought before they are squared: a product of squares fits 128."""

BUTTERFLY_SCALED = -(-16 * BUTTERFLY_MARGIN_PPM * SURFACE_ONE // FRACTION_ONE_PPM)


def is_surface_valid(slices: Sequence[SurfaceSlice], now_ns: int) -> bool:
    """Whether slices, ascending by expiry, are all in range and free of arbitrage.

    A slice whose expiry has passed has only to be in range: nothing is priced with it.
    """
    if not all(is_in_range(s) for s in slices):
        return False
    live = [s for s in slices if s.expiry_ns > now_ns]
    is_above = all(has_steeper_wings(before, after) for before, after in pairwise(live))
    return is_above and _is_free_on_grid(live)


def is_in_range(s: SurfaceSlice) -> bool:
    """Whether parameters are bounded, variance is nowhere negative and wings keep Lee's bound."""
    is_bounded = (
        abs(s.a) <= LEVEL_MAX
        and 0 <= s.b <= SLOPE_MAX
        and abs(s.rho) < SURFACE_ONE
        and abs(s.m) <= CENTRE_MAX
        and WIDTH_MIN <= s.sigma <= WIDTH_MAX
    )
    if not is_bounded:
        return False
    root = isqrt(SURFACE_ONE * SURFACE_ONE - s.rho * s.rho)
    lowest_variance = s.a + ((s.b * s.sigma >> SURFACE_BITS) * root >> SURFACE_BITS)
    return lowest_variance >= 0 and s.b * (SURFACE_ONE + abs(s.rho)) <= SLOPE_MAX * SURFACE_ONE


def has_steeper_wings(before: SurfaceSlice, after: SurfaceSlice) -> bool:
    """Whether neither wing is flatter than at the expiry before: else they cross somewhere."""
    return all(
        before.b * (SURFACE_ONE + sign * before.rho) <= after.b * (SURFACE_ONE + sign * after.rho)
        for sign in (-1, 1)
    )


def _is_free_on_grid(slices: Iterable[SurfaceSlice]) -> bool:
    """Whether density is positive at every node, and variance never falls from slice to slice."""
    before = [0] * len(NODES)
    for s in slices:
        for place, k in enumerate(NODES):
            x = k - s.m
            root = isqrt(x * x + s.sigma * s.sigma)
            variance = variance_down(s, x, root)
            if variance < before[place] or not is_dense(s, k, x, root, variance):
                return False
            before[place] = variance
    return True


def variance_down(s: SurfaceSlice, x: int, root: int) -> int:
    """Return w at x from the slice's centre. Rounds down, by less than VARIANCE_ERROR."""
    return s.a + (s.b * ((s.rho * x >> SURFACE_BITS) + root) >> SURFACE_BITS)


def is_dense(s: SurfaceSlice, k: int, x: int, root: int, variance: int) -> bool:
    """Whether g(k) = (1 − kw′/2w)² − w′²(1/w + 1/4)/4 + w″/2 is at least BUTTERFLY_MARGIN_PPM.

    Asked as 4(2w − kw′)² + 8w²w″ ≥ w′²·w(4 + w) + 16w²·margin, each side rounded against the slice.
    """
    if variance <= 0:
        return False
    slope = s.b * (s.rho + (signed_ratio(x, root) << SURFACE_BITS - RATIO_BITS)) >> SURFACE_BITS
    slope_error = (s.b * RATIO_ERROR >> RATIO_BITS) + 2
    variance_high = variance + VARIANCE_ERROR
    slope_high = abs(slope) + slope_error
    tangent_error = 4 * slope_error + 2 * VARIANCE_ERROR + 1
    tangent = max(0, abs(2 * variance - (k * slope >> SURFACE_BITS)) - tangent_error)
    scale = SCALED_BITS - max(variance_high, slope_high).bit_length()
    bend = bend_down(s, root)
    left = ((tangent << scale) ** 2 >> 10) + 8 * (_square_down(variance << scale) * bend)
    growth = (variance_high * (4 * SURFACE_ONE + variance_high) >> SURFACE_BITS) + 1
    right = (_square_down(slope_high << scale) + 1) * growth
    right += (_square_down(variance_high << scale) + 1) * BUTTERFLY_SCALED
    return left >= right


def bend_down(s: SurfaceSlice, root: int) -> int:
    """Return w″ = (b/σ)(σ/r)³. Rounds down."""
    share = signed_ratio(s.sigma, root) - RATIO_ERROR
    cube = (share * share >> RATIO_BITS) * share >> RATIO_BITS
    return (s.b * SURFACE_ONE // s.sigma) * cube >> RATIO_BITS


def signed_ratio(part: int, whole: int) -> int:
    """Return part/whole, |part| ≤ whole, in units of 2⁻³¹, RATIO_ERROR off at most.

    Both are cut to the 32 highest bits of the whole, so that 64 bits hold everything.
    """
    cut = max(0, whole.bit_length() - 32)
    ratio = ((abs(part) >> cut) << RATIO_BITS) // (whole >> cut)
    return ratio if part >= 0 else -ratio


def _square_down(number: int) -> int:
    """Return the square of a number of up to 58 bits, 60 bits shifted out."""
    return number * number >> 60
