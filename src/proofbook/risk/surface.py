"""Fit raw SVI to the volatilities of all expiries so that nothing is to be had for free.

The fit of an expiry works on five other numbers whose admissible set is a box: the least variance
a + b sigma sqrt(1 - rho^2), the steeper wing b (1 + |rho|), rho, m and sigma. So every iterate is a
slice. Expiries are fitted in order; one that misses a condition of `proofbook.risk.arbitrage` is
fitted again with what it misses as further residuals, weighed more and more, and lifted over what
little remains.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from proofbook.protocol.commands import SurfaceSlice
from proofbook.protocol.limits import NS_PER_YEAR
from proofbook.protocol.surface import is_surface_valid
from proofbook.risk.arbitrage import AIM, is_free, raised, shortfalls
from proofbook.risk.chain import ChainSnapshot, ExpiryChain
from proofbook.risk.svi import SAFETY, Svi, quantise

Floats = NDArray[np.float64]

POINTS_MIN: Final = 5
"""Five parameters: fewer strikes give a flat volatility, or the shape of the expiry before."""

LEE_SLOPE_MAX: Final = 2.0
"""The steepest wing that total variance may have (Lee's moment formula)."""

RHO_MAX: Final = 0.999
SIGMA_MIN, SIGMA_MAX = 1e-3, 4.0
CENTRE_MAX: Final = 4.0
VARIANCE_MIN: Final = 1e-8
VEGA_FLOOR: Final = 0.02
"""Weight of a far strike relative to the best one: its volatility says little, but not nothing."""

PENALTIES: Final = (1.0, 10.0, 100.0)
"""What a condition missed by 1 counts beside an error of the mean volatility, in turn."""


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
        return quantise(self.expiry_ns, self.at(published_ns))

    def at(self, published_ns: int) -> Svi:
        """Return the slice as of a later time; after its expiry, as of a nanosecond before."""
        left_ns = max(1, self.expiry_ns - published_ns)
        return self.svi.scaled(left_ns / (self.expiry_ns - self.fitted_ns))


@dataclass(frozen=True, slots=True)
class Smile:
    """The volatilities of an expiry. Shape  k, variances, weights [N]."""

    k: Floats
    variances: Floats
    weights: Floats

    @classmethod
    def of_chain(cls, expiry: ExpiryChain, years: float) -> "Smile":
        strikes = np.array([option.strike_atoms for option in expiry.options], dtype=np.float64)
        volatilities = np.array([option.volatility for option in expiry.options])
        k = np.log(strikes / expiry.forward_atoms)
        weights = _vega_weights(k, volatilities * np.sqrt(years))
        return cls(k, volatilities**2 * years, weights)

    @property
    def is_sparse(self) -> bool:
        return len(np.unique(self.k)) < POINTS_MIN

    @property
    def mean_variance(self) -> float:
        return float(np.average(self.variances, weights=self.weights))

    def errors(self, svi: Svi) -> Floats:
        """Return by how much deviations are off, in mean deviations, weighted. Shape  → [N]."""
        deviations = np.sqrt(self.variances)
        errors = np.sqrt(svi.variance(self.k)) - deviations
        return self.weights * errors / float(np.mean(deviations))


def fit_surface(chain: ChainSnapshot, last: Sequence[SliceFit] = ()) -> list[SliceFit]:
    """Return one slice for each expiry of the chain, in order, together free of arbitrage.

    Should the state machine's rule refuse what is fitted, the last surface is moved to where
    volatility at the money is now; see `fallback`.
    """
    fits: list[SliceFit] = []
    for expiry in chain.expiries:
        fits.append(fit_expiry(expiry, chain.taken_ns, fits[-1].svi if fits else None))
    return fits if is_publishable(fits, chain.taken_ns) else fallback(chain, last)


def is_publishable(fits: Sequence[SliceFit], published_ns: int) -> bool:
    """Whether the state machine will take the surface."""
    return is_surface_valid([fit.quantised(published_ns) for fit in fits], published_ns)


def fallback(chain: ChainSnapshot, last: Sequence[SliceFit]) -> list[SliceFit]:
    """Return the last surface shifted, else as it is, else flat volatilities: the first that holds.

    Each expiry's variance is shifted at every strike by what it lacks, or has too much, at the
    money; or all by the mean of that, which leaves the distances between expiries as they are.
    """
    now_ns = chain.taken_ns
    smiles = [Smile.of_chain(e, (e.expiry_ns - now_ns) / NS_PER_YEAR) for e in chain.expiries]
    candidates: list[list[Svi]] = []
    if [fit.expiry_ns for fit in last] == [expiry.expiry_ns for expiry in chain.expiries]:
        kept = [fit.at(now_ns) for fit in last]
        gaps = [_level(smile) - svi.at_the_money for smile, svi in zip(smiles, kept, strict=True)]
        mean = float(np.mean(gaps))
        candidates.append([svi.shifted(gap) for svi, gap in zip(kept, gaps, strict=True)])
        candidates.append([svi.shifted(mean) for svi in kept])
        candidates.append(kept)
    levels = np.maximum.accumulate([_level(smile) for smile in smiles])
    flat = [_flat(float(level)) for level in levels]
    valid = (c for c in candidates if is_surface_valid(_quantised(chain, c), now_ns))
    return _described(chain, smiles, next(valid, flat))


def fit_expiry(expiry: ExpiryChain, published_ns: int, before: Svi | None = None) -> SliceFit:
    """Fit one expiry at the time of publication, over the slice of the expiry before."""
    smile = Smile.of_chain(expiry, (expiry.expiry_ns - published_ns) / NS_PER_YEAR)
    if smile.is_sparse:
        svi = _flat(smile.mean_variance)
        if before is not None:
            gap = smile.mean_variance - before.at_the_money
            svi = before.shifted(max(VARIANCE_MIN, gap))
    else:
        svi = fit_svi(smile, before)
    return _describe(smile, svi, expiry.expiry_ns, published_ns)


def fit_svi(smile: Smile, before: Svi | None = None) -> Svi:
    """Return the slice whose volatilities are nearest in weighted least squares.

    At least POINTS_MIN strikes; free of arbitrage, by itself and over the slice before.
    """
    k = smile.k
    ceiling = float(np.max(smile.variances)) + VARIANCE_MIN
    lowest, highest = max(-CENTRE_MAX, k.min() - 1.0), min(CENTRE_MAX, k.max() + 1.0)
    lower = np.array([VARIANCE_MIN, 0.0, -RHO_MAX, lowest, SIGMA_MIN])
    upper = np.array([ceiling, LEE_SLOPE_MAX - SAFETY, RHO_MAX, highest, SIGMA_MAX])

    def descend(start: Floats, penalty: float) -> tuple[float, Floats]:
        def residuals(x: Floats) -> Floats:
            svi = _from_box(x)
            errors = smile.errors(svi)
            return np.append(errors, penalty * shortfalls(svi, before, AIM)) if penalty else errors

        x = np.clip(start, lower + 1e-9, upper - 1e-9)
        found = least_squares(
            residuals, x, bounds=(lower, upper), x_scale=upper - lower, max_nfev=60
        )
        return float(found.cost), found.x

    free = min((descend(start, 0.0) for start in _starts(smile)), key=lambda pair: pair[0])[1]
    if is_free(_from_box(free), before):
        return _from_box(free)
    x, found = free, list[Svi]()
    for penalty in PENALTIES:
        _, x = descend(x, penalty)
        found.append(_from_box(x) if before is None else raised(_from_box(x), before))
    if before is not None:
        found.append(before.shifted(max(VARIANCE_MIN, _level(smile) - before.at_the_money)))
    found.append(_flat(smile.mean_variance))
    best = [svi for svi in found if is_free(svi, before)] or found[-1:]
    return min(best, key=lambda svi: float(np.sum(smile.errors(svi) ** 2)))


def _quantised(chain: ChainSnapshot, svis: Sequence[Svi]) -> list[SurfaceSlice]:
    rows = zip(chain.expiries, svis, strict=True)
    return [quantise(expiry.expiry_ns, svi) for expiry, svi in rows]


def _described(
    chain: ChainSnapshot, smiles: Sequence[Smile], svis: Sequence[Svi]
) -> list[SliceFit]:
    rows = zip(smiles, svis, chain.expiries, strict=True)
    return [_describe(smile, svi, e.expiry_ns, chain.taken_ns) for smile, svi, e in rows]


def _describe(smile: Smile, svi: Svi, expiry_ns: int, fitted_ns: int) -> SliceFit:
    """Return the fit with its errors."""
    years = (expiry_ns - fitted_ns) / NS_PER_YEAR
    deviations: Floats = np.sqrt(svi.variance(smile.k)) - np.sqrt(smile.variances)
    errors: Floats = 100 * deviations / years**0.5
    weighted = float(np.sqrt(np.average(errors**2, weights=smile.weights**2)))
    rmse, worst = float(np.sqrt(np.mean(errors**2))), float(np.max(np.abs(errors)))
    return SliceFit(
        svi, fitted_ns, expiry_ns, len(smile.k), svi.b == 0.0, weighted, rmse, worst
    )  # fmt: skip


def _level(smile: Smile) -> float:
    """Return the total variance that is quoted nearest to the money."""
    return float(smile.variances[np.argmin(np.abs(smile.k))])


def _from_box(x: Floats) -> Svi:
    least, wing, rho, m, sigma = (float(value) for value in x)
    b = wing / (1 + abs(rho))
    return Svi(least - b * sigma * float(np.sqrt(1 - rho * rho)), b, rho, m, sigma)


def _starts(smile: Smile) -> list[Floats]:
    """Return starting boxes, best first.

    For a given (m, sigma) the slice is linear in a, b rho and b: a grid of (m, sigma) with one
    small linear problem each finds the valley, where a descent from a fixed point may not.
    """
    k, variances, weights = smile.k, smile.variances, smile.weights
    scored: list[tuple[float, int, Floats]] = []
    spread = float(np.ptp(k))
    for m in np.quantile(k, [0.2, 0.4, 0.5, 0.6, 0.8]):
        for sigma in spread * np.array([0.03, 0.1, 0.3, 0.8]):
            x = k - m
            columns = np.stack([np.ones_like(k), x, np.sqrt(x * x + sigma * sigma)], axis=1)
            root = weights[:, None] / np.sqrt(variances)[:, None]
            solution, *_ = np.linalg.lstsq(columns * root, variances * root[:, 0], rcond=None)
            box = _box_of(solution.astype(np.float64, copy=False), float(m), float(sigma))
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


def _flat(variance: float) -> Svi:
    return Svi(variance, 0.0, 0.0, 0.0, SIGMA_MIN)


def _vega_weights(k: Floats, deviations: Floats) -> Floats:
    """Return weights by vega, at least VEGA_FLOOR. Shape  k, deviations [N] → [N]."""
    d1 = -k / deviations + deviations / 2
    return np.maximum(np.exp(-d1 * d1 / 2), VEGA_FLOOR)
