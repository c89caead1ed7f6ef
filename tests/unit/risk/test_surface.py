"""Fitting and quantising surfaces."""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofbook.protocol.limits import NS_PER_DAY, NS_PER_YEAR, InstrumentKind
from proofbook.protocol.surface import SURFACE_ONE as Q48
from proofbook.protocol.surface import is_surface_valid
from proofbook.risk.arbitrage import density, is_free, raised
from proofbook.risk.chain import ChainSnapshot, ExpiryChain, OptionQuote
from proofbook.risk.generator import TAKEN_NS, black_76, generate_snapshot
from proofbook.risk.snapshot import read_snapshot
from proofbook.risk.surface import (
    LEE_SLOPE_MAX,
    SliceFit,
    fallback,
    fit_expiry,
    fit_surface,
    is_publishable,
)
from proofbook.risk.svi import Svi, dequantised, quantise

DATA = os.environ.get("PROOFBOOK_DATA")
FORWARD_ATOMS = 90_000_000_000
EXPIRY_NS = TAKEN_NS + 30 * NS_PER_DAY

admissible = st.builds(
    lambda least, wing, rho, m, sigma: Svi(
        least - wing / (1 + abs(rho)) * sigma * (1 - rho * rho) ** 0.5,
        wing / (1 + abs(rho)),
        rho,
        m,
        sigma,
    ),
    least=st.floats(1e-8, 4.0),
    wing=st.floats(0.0, LEE_SLOPE_MAX),
    rho=st.floats(-0.999, 0.999),
    m=st.floats(-2.0, 2.0),
    sigma=st.floats(1e-3, 4.0),
)


def expiry_on(svi: Svi, strikes: list[int]) -> ExpiryChain:
    """An expiry whose volatilities lie on a slice exactly."""
    years = (EXPIRY_NS - TAKEN_NS) / NS_PER_YEAR
    k = np.log(np.array(strikes) * 1e6 / FORWARD_ATOMS)
    volatilities = np.sqrt(svi.variance(k) / years)
    options = tuple(
        OptionQuote(strike * 1_000_000, InstrumentKind.CALL, None, None, 0.0, float(volatility))
        for strike, volatility in zip(strikes, volatilities, strict=True)
    )
    return ExpiryChain(EXPIRY_NS, FORWARD_ATOMS, options)


def test_a_smile_that_is_a_slice_is_found_again() -> None:
    svi = Svi(0.004, 0.05, -0.3, 0.02, 0.1)
    fit = fit_expiry(expiry_on(svi, list(range(50_000, 150_000, 5_000))), TAKEN_NS)
    assert not fit.is_flat
    assert fit.worst_points < 0.05, "less than a twentieth of a volatility point anywhere"


@pytest.mark.parametrize("count", [1, 2, 4])
def test_few_strikes_give_a_flat_volatility_between_theirs(count: int) -> None:
    chain = expiry_on(Svi(0.004, 0.05, -0.3, 0.02, 0.1), [80_000, 90_000, 100_000, 120_000][:count])
    fit = fit_expiry(chain, TAKEN_NS)
    assert fit.is_flat and fit.svi.b == 0.0
    volatilities = [option.volatility for option in chain.options]
    flat = (fit.svi.a / ((EXPIRY_NS - TAKEN_NS) / NS_PER_YEAR)) ** 0.5
    assert min(volatilities) - 1e-9 <= flat <= max(volatilities) + 1e-9


@settings(max_examples=300, deadline=None)
@given(svi=admissible)
def test_quantised_slices_stay_admissible_in_exact_arithmetic(svi: Svi) -> None:
    s = quantise(EXPIRY_NS, svi)
    assert s.b >= 0 and s.sigma > 0 and abs(s.rho) < Q48, "bounds of raw SVI"
    assert s.b * (Q48 + abs(s.rho)) <= 2 * Q48 * Q48, "Lee's bound on the wings"
    if s.a < 0:
        # a + b sigma sqrt(1 - rho^2) >= 0, squared; one = 2^48
        left = (s.a * Q48) ** 2 * Q48**2
        assert left <= (s.b * s.sigma) ** 2 * (Q48**2 - s.rho**2), "variance is never negative"


@settings(max_examples=200, deadline=None)
@given(svi=admissible, k=st.floats(-3.0, 3.0))
def test_quantising_moves_total_variance_by_less_than_a_ten_millionth(svi: Svi, k: float) -> None:
    at = np.array([k])
    moved = dequantised(quantise(EXPIRY_NS, svi)).variance(at) - svi.variance(at)
    assert abs(float(moved[0])) < 1e-7


def test_the_generated_chain_fits_within_half_a_volatility_point() -> None:
    for chain in generate_snapshot(seed=7).chains:
        for fit in fit_surface(chain):
            assert fit.weighted_rmse_points < 0.5 and fit.points == 18


def test_the_generated_chain_is_the_same_for_the_same_seed() -> None:
    assert generate_snapshot(seed=3) == generate_snapshot(seed=3)
    assert generate_snapshot(seed=3) != generate_snapshot(seed=4)


@pytest.mark.skipif(DATA is None, reason="PROOFBOOK_DATA names no folder of real option chains")
def test_real_chains_fit_quickly_and_near_where_vega_is() -> None:
    for path in sorted(Path(DATA or "").glob("deribit_chains/*.csv")):
        snapshot = read_snapshot(path)
        started = time.process_time()
        fits = [fit for chain in snapshot.chains for fit in fit_surface(chain)]
        assert time.process_time() - started < 10.0, "a file, with room for a busy machine"
        assert max(fit.weighted_rmse_points for fit in fits) < 3.0, path.name
        assert float(np.median([fit.weighted_rmse_points for fit in fits])) < 0.5, path.name


@pytest.mark.skipif(DATA is None, reason="PROOFBOOK_DATA names no folder of real option chains")
def test_real_chains_give_valid_surfaces_inside_most_quotes() -> None:
    quotes, inside = 0, 0
    for path in sorted(Path(DATA or "").glob("deribit_chains/*.csv")):
        for chain in read_snapshot(path).chains:
            fits = fit_surface(chain)
            assert is_publishable(fits, chain.taken_ns), f"{path.name} {chain.symbol}"
            for expiry, fit in zip(chain.expiries, fits, strict=True):
                rows = [is_inside(expiry, option, fit) for option in expiry.options]
                known = [row for row in rows if row is not None]
                quotes, inside = quotes + len(known), inside + sum(known)
    assert inside > 0.95 * quotes, f"{inside} of {quotes}"


def is_inside(expiry: ExpiryChain, option: OptionQuote, fit: SliceFit) -> bool | None:
    """Whether the fitted price lies within bid and ask; None where one of them is missing."""
    if option.bid_usd is None or option.ask_usd is None:
        return None
    k = np.log([option.strike_atoms / expiry.forward_atoms])
    deviation = float(np.sqrt(fit.svi.variance(k))[0])
    forward, strike = expiry.forward_atoms / 1e6, option.strike_atoms / 1e6
    price = black_76(option.kind, forward, strike, deviation)
    return option.bid_usd - 1e-9 <= price <= option.ask_usd + 1e-9


def test_a_later_publication_keeps_volatility_and_has_less_variance_left() -> None:
    (chain, _) = generate_snapshot(seed=1).chains
    fit = fit_surface(chain)[0]
    total_ns = fit.expiry_ns - TAKEN_NS
    later = dequantised(fit.quantised(TAKEN_NS + total_ns // 4))
    at = np.array([-0.1, 0.0, 0.2])
    assert later.variance(at) == pytest.approx(0.75 * fit.svi.variance(at), rel=1e-6)


# Free of arbitrage


@pytest.mark.parametrize("seed", range(5))
def test_fitted_surfaces_are_valid_now_and_until_after_the_first_expiry(seed: int) -> None:
    for chain in generate_snapshot(seed).chains:
        fits = fit_surface(chain)
        left_ns = fits[0].expiry_ns - chain.taken_ns
        for waited_ns in (0, 60 * 10**9, left_ns // 2, left_ns - 10**9, left_ns + 1):
            assert is_publishable(fits, chain.taken_ns + waited_ns), f"after {waited_ns} ns"


def crossing_chain() -> ChainSnapshot:
    """Two expiries whose quotes cross: the later one has less variance, and a steep wing less."""
    near = expiry_on(Svi(0.02, 0.08, -0.5, 0.0, 0.1), list(range(50_000, 150_000, 5_000)))
    later = expiry_on(Svi(0.01, 0.02, 0.3, 0.1, 0.2), list(range(50_000, 150_000, 5_000)))
    return ChainSnapshot(
        "BTC", TAKEN_NS, FORWARD_ATOMS, (near, replace(later, expiry_ns=EXPIRY_NS + NS_PER_DAY))
    )


def test_quotes_that_cross_are_fitted_without_crossing() -> None:
    chain = crossing_chain()
    alone = [fit_expiry(expiry, TAKEN_NS) for expiry in chain.expiries]
    assert not is_publishable(alone, TAKEN_NS), "each by itself"
    assert is_publishable(fit_surface(chain), TAKEN_NS)


def test_a_butterfly_in_the_quotes_is_not_fitted() -> None:
    """A smile so steep beside the forward that the density behind it is negative."""
    free_not = Svi(0.0002, 0.08, 0.0, 0.0, 0.005)
    assert density(free_not, np.linspace(-0.5, 0.5, 101)).min() < 0
    fit = fit_expiry(expiry_on(free_not, list(range(60_000, 130_000, 1_000))), TAKEN_NS)
    assert is_free(fit.svi, None) and is_publishable([fit], TAKEN_NS)


def test_raised_slices_lie_over_the_one_before() -> None:
    before, after = Svi(0.02, 0.08, -0.5, 0.0, 0.1), Svi(0.01, 0.02, 0.3, 0.1, 0.2)
    assert not is_free(after, before)
    slices = [quantise(EXPIRY_NS + place, svi) for place, svi in enumerate((before, before))]
    assert is_surface_valid(slices, 0), "a slice lies over itself"
    lifted = raised(after, before)
    k = np.linspace(-4, 4, 2_001)
    assert (lifted.variance(k) >= before.variance(k)).all()


def moved(chain: ChainSnapshot, factor: float) -> ChainSnapshot:
    """The chain a minute later, all its volatilities times a factor."""
    expiries = tuple(
        replace(
            expiry,
            options=tuple(replace(o, volatility=o.volatility * factor) for o in expiry.options),
        )
        for expiry in chain.expiries
    )
    return replace(chain, taken_ns=chain.taken_ns + 60 * 10**9, expiries=expiries)


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.3])
def test_the_fallback_is_the_last_surface_at_the_level_of_now(factor: float) -> None:
    (chain, _) = generate_snapshot(seed=2).chains
    later = moved(chain, factor)
    fits = fallback(later, fit_surface(chain))
    assert is_publishable(fits, later.taken_ns)
    for fit, first in zip(fits, fit_surface(chain), strict=True):
        assert fit.svi.sigma == first.svi.sigma, "the shape is the last one's"
        years = (fit.expiry_ns - later.taken_ns) / NS_PER_YEAR
        first_years = (first.expiry_ns - chain.taken_ns) / NS_PER_YEAR
        now = (fit.svi.at_the_money / years) ** 0.5
        assert now == pytest.approx(
            factor * (first.svi.at_the_money / first_years) ** 0.5, rel=0.02
        )


def test_the_fallback_keeps_the_last_surface_where_a_shift_would_break_it() -> None:
    """Quotes of the first expiry collapse: shifted by that much, variance would be negative."""
    (chain, _) = generate_snapshot(seed=2).chains
    last = fit_surface(chain)
    collapsed = moved(chain, 0.05)
    fits = fallback(collapsed, last)
    assert is_publishable(fits, collapsed.taken_ns)
    assert [fit.svi for fit in fits] == [fit.at(collapsed.taken_ns) for fit in last]


def test_the_fallback_without_a_last_surface_is_flat() -> None:
    chain = crossing_chain()
    fits = fallback(chain, [])
    assert all(fit.is_flat for fit in fits) and is_publishable(fits, TAKEN_NS)
