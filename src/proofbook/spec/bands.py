"""Bands: how far an observation may lie from what is known, unless a wide quorum says it.

The band of the index widens with the root of the time since the last one: whatever the price is, it
is taken in the end. A wide quorum, half as large again, passes any band at once.
"""

from collections.abc import Sequence
from math import isqrt

from proofbook.protocol.limits import FRACTION_ONE_PPM, NS_PER_SECOND
from proofbook.spec.governance import publishers
from proofbook.spec.rounding import ceil_div
from proofbook.spec.world import PARAMETERS_SLOT, World

SPREAD_PPM_MAX = (1 << 32) - 1


def takes_index(world: World, slot: int, published_ns: int, index_atoms: int) -> bool:
    """Whether an index is within its band around the last one, if there is one.

    The band is `index_band_ppm` of the last index times the root of the seconds since; before the
    first second is over, times the part of it that has passed: or a burst of indices would go
    through as many bands. Rounds down.
    """
    underlying = world.underlyings[slot]
    band_ppm = world.parameters[PARAMETERS_SLOT].index_band_ppm
    if underlying.index_version == 0 or band_ppm == 0:
        return True
    elapsed_ns = published_ns - underlying.index_ns
    if elapsed_ns < NS_PER_SECOND:
        widened_ppm = band_ppm * elapsed_ns // NS_PER_SECOND
    else:
        widened_ppm = isqrt(band_ppm * band_ppm * (elapsed_ns // NS_PER_SECOND))
    deviation = abs(index_atoms - underlying.index_atoms)
    return deviation * FRACTION_ONE_PPM <= underlying.index_atoms * widened_ppm


def takes_forward(world: World, slot: int, forward_atoms: int) -> bool:
    """Whether forward and index, if it is known, are at most `forward_ratio_ppm` of one another."""
    index_atoms = world.underlyings[slot].index_atoms
    ratio_ppm = world.parameters[PARAMETERS_SLOT].forward_ratio_ppm
    if index_atoms == 0 or ratio_ppm == 0:
        return True
    low, high = sorted((forward_atoms, index_atoms))
    return high * FRACTION_ONE_PPM <= low * ratio_ppm


def is_wide(world: World, slot: int, count: int) -> bool:
    """Whether so many publishers are half as many again as the quorum, rounded up.

    Or, where fewer have a key, all of them, if that is more than the quorum.
    """
    quorum = world.underlyings[slot].quorum
    existing = sum(1 for _ in publishers(world))
    return count > quorum and count >= min(quorum + (quorum + 1) // 2, existing)


def spread_ppm_up(prices: Sequence[int], median_atoms: int) -> int:
    """Return how far apart the publishers of the closest majority are, as a share of the median.

    Of a majority: no minority can make it larger than the honest disagree. Rounds up.
    """
    majority = len(prices) // 2 + 1
    ranked = sorted(prices)
    spreads = [high - low for low, high in zip(ranked, ranked[majority - 1 :], strict=False)]
    return min(SPREAD_PPM_MAX, ceil_div(min(spreads) * FRACTION_ONE_PPM, median_atoms))
