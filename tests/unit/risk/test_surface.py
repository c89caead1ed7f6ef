"""Fitting and quantising surfaces."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofbook.protocol.limits import NS_PER_DAY, NS_PER_YEAR, InstrumentKind
from proofbook.risk.chain import ExpiryChain, OptionQuote
from proofbook.risk.generator import TAKEN_NS, generate_snapshot
from proofbook.risk.snapshot import read_snapshot
from proofbook.risk.surface import (
    LEE_SLOPE_MAX,
    Q48,
    Svi,
    dequantised,
    fit_expiry,
    fit_surface,
    quantise,
)

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
        assert time.process_time() - started < 2.0, (
            "all slices of a file, with room for a busy machine"
        )
        assert max(fit.weighted_rmse_points for fit in fits) < 3.0, path.name
        assert float(np.median([fit.weighted_rmse_points for fit in fits])) < 0.5, path.name


def test_a_later_publication_keeps_volatility_and_has_less_variance_left() -> None:
    (chain, _) = generate_snapshot(seed=1).chains
    fit = fit_surface(chain)[0]
    total_ns = fit.expiry_ns - TAKEN_NS
    later = dequantised(fit.quantised(TAKEN_NS + total_ns // 4))
    at = np.array([-0.1, 0.0, 0.2])
    assert later.variance(at) == pytest.approx(0.75 * fit.svi.variance(at), rel=1e-6)
