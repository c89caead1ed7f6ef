"""How far slices are from being free of arbitrage, in float64: what the fit is driven by.

The rule itself is `proofbook.protocol.surface`, in integers; this looks at the same nodes and asks
for a little more, so that what the fit finds survives rounding and a few minutes of waiting.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from proofbook.protocol.limits import BUTTERFLY_MARGIN_PPM
from proofbook.protocol.surface import NODES, SURFACE_ONE
from proofbook.risk.svi import Svi

Floats = NDArray[np.float64]

GRID: Final[Floats] = np.array(NODES) / SURFACE_ONE
"""Shape [129], log-moneyness."""

DENSITY_MIN: Final = 2 * BUTTERFLY_MARGIN_PPM / 1e6
RISE_MIN: Final = 1e-6
"""By this share at least variance rises from one expiry to the next."""

AIM: Final = 5.0
"""The fit is driven to so many times the density and the rise that are asked of what it finds."""


def density(svi: Svi, k: Floats) -> Floats:
    """Return g(k), to which the density of the price at expiry is proportional. Shape  k [N] → [N].

    Source Gatheral and Jacquier, arXiv 1204.0646, equation 2.1.
    """
    x = k - svi.m
    root = np.sqrt(x * x + svi.sigma**2)
    w = svi.variance(k)
    slope = svi.b * (svi.rho + x / root)
    bend = svi.b * svi.sigma**2 / root**3
    return (1 - k * slope / (2 * w)) ** 2 - slope**2 / 4 * (1 / w + 0.25) + bend / 2


def shortfalls(svi: Svi, before: Svi | None, times: float = 1.0) -> Floats:
    """Return by how much a slice misses each condition, 0 where it meets it.

    Density at every node; against the slice of the expiry before, variance at every node and both
    wings, as shares of its own. The margins are asked for so many times. Shape  → [129] or [260].
    """
    missing = np.maximum(0.0, times * DENSITY_MIN - density(svi, GRID))
    if before is None:
        return missing
    rise = 1 + times * RISE_MIN
    needed = before.variance(GRID) * rise
    rises = np.maximum(0.0, needed / svi.variance(GRID) - 1)
    wings = np.array(svi.wings) - np.array(before.wings) * rise
    flat = np.maximum(0.0, -wings / max(svi.b, before.b, 1e-9))
    return np.concatenate([missing, rises, flat])


def is_free(svi: Svi, before: Svi | None) -> bool:
    """Whether a slice misses no condition."""
    return not shortfalls(svi, before).any()


def raised(svi: Svi, before: Svi) -> Svi:
    """Return the slice lifted over the one before: wings as steep at least, variance as high."""
    down, up = (
        max(own, other * (1 + 2 * RISE_MIN))
        for own, other in zip(svi.wings, before.wings, strict=True)
    )
    steeper = Svi(svi.a, (up + down) / 2, (up - down) / max(up + down, 1e-12), svi.m, svi.sigma)
    gap = np.max(before.variance(GRID) * (1 + 2 * RISE_MIN) - steeper.variance(GRID))
    return steeper.shifted(max(0.0, float(gap)))
