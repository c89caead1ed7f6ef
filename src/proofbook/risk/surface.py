"""Fit raw SVI to the volatilities of an expiry, and quantise it to the integers that are signed.

Raw SVI: w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)), k = ln(K / F), w total variance.

The fit works on five other numbers whose admissible set is a box: the least variance
a + b sigma sqrt(1 - rho^2), the steeper wing b (1 + |rho|), rho, m and sigma. So every iterate is a
surface, and no constraint is checked twice.

Source  Gatheral and Jacquier, "Arbitrage-free SVI volatility surfaces", arXiv 1204.0646.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from proofbook.protocol.commands import SurfaceSlice
from proofbook.protocol.limits import NS_PER_YEAR
from proofbook.risk.chain import ChainSnapshot, ExpiryChain

Floats = NDArray[np.float64]

Q48: Final = 1 << 48
POINTS_MIN: Final = 5
"""Five parameters: fewer strikes give a flat volatility instead."""

LEE_SLOPE_MAX: Final = 2.0
"""The steepest wing that total variance may have (Lee's moment formula)."""

RHO_MAX: Final = 0.999
SIGMA_MIN, SIGMA_MAX = 1e-3, 4.0
VARIANCE_MIN: Final = 1e-8
VEGA_FLOOR: Final = 0.02
"""Weight of a far strike relative to the best one: its volatility says little, but not nothing."""

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


@dataclass(frozen=True, slots=True)
class SliceFit:
    """One fitted expiry. Errors are in volatility points (0.01) over all its strikes, the first
    weighted by vega.
    """

    svi: Svi
    fitted_ns: int
    expiry_ns: int
    points: int
    is_flat: bool
    weighted_rmse_points: float
    rmse_points: float
    worst_points: float

    def quantised(self, published_ns: int) -> SurfaceSlice:
        """Return the slice in Q15.48 integers as of a publication at or after the fit.

        Volatility stays as it was fitted; total variance is what is left of it.
        """
        left = (self.expiry_ns - published_ns) / (self.expiry_ns - self.fitted_ns)
        return quantise(self.expiry_ns, replace(self.svi, a=left * self.svi.a, b=left * self.svi.b))


def fit_surface(chain: ChainSnapshot) -> list[SliceFit]:
    """Return one slice for each expiry of the chain, in order."""
    return [fit_expiry(expiry, chain.taken_ns) for expiry in chain.expiries]


def fit_expiry(expiry: ExpiryChain, published_ns: int) -> SliceFit:
    """Fit one expiry at the time of publication."""
    years = (expiry.expiry_ns - published_ns) / NS_PER_YEAR
    strikes = np.array([option.strike_atoms for option in expiry.options], dtype=np.float64)
    volatilities = np.array([option.volatility for option in expiry.options])
    k = np.log(strikes / expiry.forward_atoms)
    is_flat = len(np.unique(strikes)) < POINTS_MIN
    weights = _vega_weights(k, volatilities * np.sqrt(years))
    variances = volatilities**2 * years
    svi = _flat(variances, weights) if is_flat else fit_svi(k, variances, weights)
    errors = 100 * (np.sqrt(svi.variance(k) / years) - volatilities)
    weighted = float(np.sqrt(np.average(errors**2, weights=weights**2)))
    rmse, worst = float(np.sqrt(np.mean(errors**2))), float(np.max(np.abs(errors)))
    return SliceFit(svi, published_ns, expiry.expiry_ns, len(k), is_flat, weighted, rmse, worst)


def fit_svi(k: Floats, variances: Floats, weights: Floats) -> Svi:
    """Return the slice whose volatilities are nearest in weighted least squares.

    Shape  k, variances, weights [N], N ≥ 5.
    """
    deviations = np.sqrt(variances)
    scale = float(np.mean(deviations))
    ceiling = float(np.max(variances)) + VARIANCE_MIN
    lower = np.array([VARIANCE_MIN, 0.0, -RHO_MAX, float(k.min()) - 1.0, SIGMA_MIN])
    upper = np.array([ceiling, LEE_SLOPE_MAX - SAFETY, RHO_MAX, float(k.max()) + 1.0, SIGMA_MAX])

    def residuals(x: Floats) -> Floats:
        return weights * (np.sqrt(_from_box(x).variance(k)) - deviations) / scale

    best = None
    for start in _starts(k, variances, weights):
        x = np.clip(start, lower + 1e-9, upper - 1e-9)
        found = least_squares(
            residuals, x, bounds=(lower, upper), x_scale=upper - lower, max_nfev=60
        )
        if best is None or found.cost < best.cost:
            best = found
        if best.cost < 1e-6 * len(k):
            break
    assert best is not None  # there is always at least one start
    return _from_box(best.x)


def quantise(expiry_ns: int, svi: Svi) -> SurfaceSlice:
    """Return the slice in Q15.48.

    Rounds  b, |rho| down and a up by SAFETY, so that wings stay below Lee's bound and variance
            above zero.
    """
    b = max(0, int(svi.b * (1 - SAFETY) * Q48))
    rho = int(svi.rho * Q48)
    sigma = max(1, round(svi.sigma * Q48))
    a = round((svi.a + SAFETY * (1 + svi.b * svi.sigma)) * Q48)
    return SurfaceSlice(expiry_ns, a, b, rho, round(svi.m * Q48), sigma)


def dequantised(surface: SurfaceSlice) -> Svi:
    """Return the float64 slice that published integers mean."""
    return Svi(
        *(value / Q48 for value in (surface.a, surface.b, surface.rho, surface.m, surface.sigma))
    )


def _from_box(x: Floats) -> Svi:
    least, wing, rho, m, sigma = (float(value) for value in x)
    b = wing / (1 + abs(rho))
    return Svi(least - b * sigma * float(np.sqrt(1 - rho * rho)), b, rho, m, sigma)


def _starts(k: Floats, variances: Floats, weights: Floats) -> list[Floats]:
    """Return starting boxes, best first.

    For a given (m, sigma) the slice is linear in a, b rho and b: a grid of (m, sigma) with one
    small linear problem
    each finds the valley, where a descent from a fixed point may not.
    """
    scored = []
    spread = float(np.ptp(k))
    for m in np.quantile(k, [0.2, 0.4, 0.5, 0.6, 0.8]):
        for sigma in spread * np.array([0.03, 0.1, 0.3, 0.8]):
            x = k - m
            columns = np.stack([np.ones_like(k), x, np.sqrt(x * x + sigma * sigma)], axis=1)
            root = weights[:, None] / np.sqrt(variances)[:, None]
            solution, *_ = np.linalg.lstsq(columns * root, variances * root[:, 0], rcond=None)
            box = _box_of(solution, float(m), float(sigma))
            error = np.sqrt(np.maximum(_from_box(box).variance(k), 0.0)) - np.sqrt(variances)
            scored.append((float(np.sum((weights * error) ** 2)), len(scored), box))
    return [box for _, _, box in sorted(scored)[:2]]


def _box_of(solution: Floats, m: float, sigma: float) -> Floats:
    """Return the nearest admissible numbers to a, b rho and b of a linear problem."""
    a, slope, b = (float(value) for value in solution)
    b = min(max(b, 1e-6), LEE_SLOPE_MAX / 2)
    rho = min(max(slope / b, -0.95), 0.95)
    least = max(a + b * sigma * (1 - rho * rho) ** 0.5, VARIANCE_MIN)
    return np.array([least, min(b * (1 + abs(rho)), LEE_SLOPE_MAX), rho, m, sigma])


def _flat(variances: Floats, weights: Floats) -> Svi:
    return Svi(float(np.average(variances, weights=weights)), 0.0, 0.0, 0.0, SIGMA_MIN)


def _vega_weights(k: Floats, deviations: Floats) -> Floats:
    """Return weights by vega, at least VEGA_FLOOR. Shape  k, deviations [N] → [N]."""
    d1 = -k / deviations + deviations / 2
    return np.maximum(np.exp(-d1 * d1 / 2), VEGA_FLOOR)
