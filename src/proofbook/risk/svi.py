"""Raw SVI, the shape of a slice: w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)).

k = ln(K / F), w total variance. Source  Gatheral and Jacquier, arXiv 1204.0646.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from proofbook.protocol.commands import SurfaceSlice
from proofbook.protocol.surface import SURFACE_ONE

Floats = NDArray[np.float64]

SAFETY: Final = 1e-9
"""How far inside the admissible set rounding keeps a slice; a Q15.48 unit is 4e-15."""


@dataclass(frozen=True, slots=True)
class Svi:
    """Raw SVI parameters of one expiry, float64."""

    a: float
    b: float
    rho: float
    m: float
    sigma: float

    def variance(self, k: Floats) -> Floats:
        """Return total variance. Shape  k [N] → [N]."""
        x = k - self.m
        return self.a + self.b * (self.rho * x + np.sqrt(x * x + self.sigma**2))

    @property
    def at_the_money(self) -> float:
        """Total variance of a strike at the forward."""
        return float(self.variance(np.zeros(1))[0])

    @property
    def wings(self) -> tuple[float, float]:
        """Slopes far below and far above the forward."""
        return self.b * (1 - self.rho), self.b * (1 + self.rho)

    def shifted(self, variance: float) -> "Svi":
        """Return the slice lifted by the same variance at every strike."""
        return replace(self, a=self.a + variance)

    def scaled(self, share: float) -> "Svi":
        """Return the slice with a share of its variance at every strike."""
        return replace(self, a=share * self.a, b=share * self.b)


def quantise(expiry_ns: int, svi: Svi) -> SurfaceSlice:
    """Return the slice in Q15.48.

    Rounds  b, |rho| down and a up by SAFETY, so that wings stay below Lee's bound and variance
            above zero.
    """
    b = max(0, int(svi.b * (1 - SAFETY) * SURFACE_ONE))
    rho = int(svi.rho * SURFACE_ONE)
    sigma = max(1, round(svi.sigma * SURFACE_ONE))
    a = round((svi.a + SAFETY * (1 + svi.b * svi.sigma)) * SURFACE_ONE)
    return SurfaceSlice(expiry_ns, a, b, rho, round(svi.m * SURFACE_ONE), sigma)


def dequantised(surface: SurfaceSlice) -> Svi:
    """Return the float64 slice that published integers mean."""
    numbers = surface.a, surface.b, surface.rho, surface.m, surface.sigma
    return Svi(*(number / SURFACE_ONE for number in numbers))
