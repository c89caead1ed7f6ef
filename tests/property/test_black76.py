"""Option values and surfaces against mpmath, over the range that venues quote."""

from collections.abc import Iterator
from math import exp

import mpmath as mp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import EXAMPLES, MANY_EXAMPLES

from proofbook.protocol.commands import SurfaceSlice
from proofbook.protocol.limits import INDEX_ATOMS_MAX
from proofbook.spec.black76 import (
    HUNDREDTHS,
    MONEYNESS_MAX,
    SURFACE_BITS,
    SURFACE_ONE,
    VARIANCE_MAX,
    Slice,
    call_and_put,
    total_variance,
)
from proofbook.spec.fixed_point import FRACTION_BITS, ONE, log
from proofbook.spec.oracle import is_slice_valid

ATOMS_PER_USD = 10**6
SPOT_MIN_ATOMS, SPOT_MAX_ATOMS = ATOMS_PER_USD // 20, 10**6 * ATOMS_PER_USD
HOURS_PER_YEAR = 8_760

forwards = st.one_of(
    st.integers(SPOT_MIN_ATOMS, SPOT_MAX_ATOMS),
    st.floats(0, 1).map(lambda u: int(SPOT_MIN_ATOMS * (SPOT_MAX_ATOMS / SPOT_MIN_ATOMS) ** u)),
)
"""0.05 to 1,000,000 USD, evenly and evenly by logarithm."""


@st.composite
def deviations(draw: st.DrawFn) -> int:
    """Draw σ√t: volatility 5 to 400 %, one hour to two years."""
    volatility = 0.05 * 80 ** draw(st.floats(0, 1))
    years = (2 * HOURS_PER_YEAR) ** draw(st.floats(0, 1)) / HOURS_PER_YEAR
    return int(volatility * years**0.5 * ONE)


@st.composite
def options(draw: st.DrawFn) -> tuple[int, int, int]:
    """Draw forward, strike and deviation; most strikes within four deviations of the forward."""
    forward, deviation = draw(forwards), draw(deviations())
    reach = draw(st.sampled_from((0.0, 0.5, 4.0, 12.0)))
    moneyness = draw(st.floats(-reach, reach)) * deviation / ONE
    strike = int(forward * exp(max(-20.0, min(moneyness, 20.0))))
    return forward, max(1, min(strike, INDEX_ATOMS_MAX)), deviation


def priced(forward: int, strike: int, deviation: int) -> tuple[int, int]:
    return call_and_put(forward, log(forward), strike, log(strike), deviation)


def exact_call(forward: int, strike: int, deviation: int) -> mp.mpf:
    """Return the call's value in 1e-8 USD, to 40 digits."""
    spread = mp.ldexp(deviation, -FRACTION_BITS)
    d1 = mp.log(mp.mpf(forward) / strike) / spread + spread / 2
    return HUNDREDTHS * (forward * mp.ncdf(d1) - strike * mp.ncdf(d1 - spread))


@pytest.fixture(autouse=True, scope="module")
def digits() -> Iterator[None]:
    with mp.workdps(40):
        yield


def require_close(option: tuple[int, int, int]) -> None:
    """Compare call and put with their exact values: within 1e-8 USD."""
    forward, strike, _ = option
    call, put = priced(*option)
    exact = exact_call(*option)
    assert abs(call - exact) <= 1
    assert abs(put - (exact - HUNDREDTHS * (forward - strike))) <= 1


@EXAMPLES
@given(options())
def test_call_and_put_are_within_a_hundred_millionth_of_a_dollar(
    option: tuple[int, int, int],
) -> None:
    require_close(option)


@pytest.mark.slow
@MANY_EXAMPLES
@given(options())
def test_many_calls_and_puts_are_within_a_hundred_millionth_of_a_dollar(
    option: tuple[int, int, int],
) -> None:
    require_close(option)


@EXAMPLES
@given(options())
def test_call_less_put_is_forward_less_strike(option: tuple[int, int, int]) -> None:
    """Exactly, unless a value that the error made negative was clipped at zero."""
    forward, strike, _ = option
    call, put = priced(*option)
    difference = call - put - HUNDREDTHS * (forward - strike)
    assert difference == 0 if call and put else abs(difference) <= 1


@EXAMPLES
@given(options())
def test_values_keep_between_intrinsic_and_the_whole(option: tuple[int, int, int]) -> None:
    forward, strike, _ = option
    call, put = priced(*option)
    assert max(0, HUNDREDTHS * (forward - strike)) - 1 <= call <= HUNDREDTHS * forward + 1
    assert max(0, HUNDREDTHS * (strike - forward)) - 1 <= put <= HUNDREDTHS * strike + 1


@EXAMPLES
@given(forwards, st.integers(1, INDEX_ATOMS_MAX), st.integers(1, 1 << 40))
def test_saturated_options_are_worth_their_intrinsic_value(
    forward: int, strike: int, deviation: int
) -> None:
    """With d1 and d2 far outside the clamp, down to the smallest deviation that there is."""
    if abs(log(forward) - log(strike)) < 12 * deviation:
        return
    intrinsic = HUNDREDTHS * (forward - strike)
    assert priced(forward, strike, deviation) == (max(0, intrinsic), max(0, -intrinsic))


@EXAMPLES
@given(forwards, st.integers(1, INDEX_ATOMS_MAX))
def test_options_without_time_are_worth_their_intrinsic_value(forward: int, strike: int) -> None:
    intrinsic = HUNDREDTHS * (forward - strike)
    assert priced(forward, strike, 0) == (max(0, intrinsic), max(0, -intrinsic))


@EXAMPLES
@given(forwards, st.integers(1, INDEX_ATOMS_MAX), st.integers(1, 12 * ONE))
def test_any_deviation_gives_a_price(forward: int, strike: int, deviation: int) -> None:
    call, put = priced(forward, strike, deviation)
    assert 0 <= call <= HUNDREDTHS * forward + 1 and 0 <= put <= HUNDREDTHS * strike + 1


# Surfaces


@st.composite
def slices(draw: st.DrawFn) -> Slice:
    """Draw the parameters of a slice that publishers may sign."""
    one = SURFACE_ONE
    s = Slice(
        draw(st.integers(-one, 4 * one)),
        draw(st.integers(0, 2 * one)),
        draw(st.integers(1 - one, one - 1)),
        draw(st.integers(-8 * one, 8 * one)),
        draw(st.one_of(st.integers(1, 8 * one), st.integers(1, 1 << 20))),
    )
    b_max = 2 * one * one // (one + abs(s.rho))
    s = Slice(s.a, min(s.b, b_max), s.rho, s.m, s.sigma)
    if not is_slice_valid(SurfaceSlice(1, s.a, s.b, s.rho, s.m, s.sigma)):
        s = Slice(abs(s.a), s.b, s.rho, s.m, s.sigma)
    return s


def exact_variance(s: Slice, k: int) -> tuple[mp.mpf, mp.mpf]:
    """Return w(k) and the root inside it, to 40 digits, w not clamped."""
    a, b, rho, m, sigma = (mp.ldexp(x, -SURFACE_BITS) for x in (s.a, s.b, s.rho, s.m, s.sigma))
    x = mp.ldexp(k, -FRACTION_BITS) - m
    root = mp.sqrt(x * x + sigma * sigma)
    return a + b * (rho * x + root), root


@EXAMPLES
@given(slices(), st.integers(-MONEYNESS_MAX, MONEYNESS_MAX))
def test_total_variance_is_within_its_error(s: Slice, k: int) -> None:
    """The root loses up to 2⁻⁵⁸ under its sign: little unless the root itself is tiny."""
    exact, root = exact_variance(s, k)
    lost_in_root = min(mp.mpf(2) ** -29, mp.mpf(2) ** -58 / max(root, mp.mpf(2) ** -40))
    error = mp.mpf(2) ** -54 + 2 * lost_in_root
    expected = max(mp.mpf(0), min(exact, mp.ldexp(VARIANCE_MAX, -FRACTION_BITS)))
    assert abs(mp.ldexp(total_variance(s, k), -FRACTION_BITS) - expected) <= error


@EXAMPLES
@given(slices(), st.integers(0, 60 * ONE))
def test_surface_is_flat_beyond_its_last_strike(s: Slice, beyond: int) -> None:
    for sign in (1, -1):
        variance = total_variance(s, sign * (MONEYNESS_MAX + beyond))
        assert variance == total_variance(s, sign * MONEYNESS_MAX)
        assert 0 <= variance <= VARIANCE_MAX
