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
from proofbook.protocol.surface import (
    CENTRE_MAX,
    SURFACE_BITS,
    SURFACE_ONE,
    WIDTH_MAX,
    WIDTH_MIN,
    is_in_range,
)
from proofbook.spec.black76 import (
    DEVIATION_MAX,
    HUNDREDTHS,
    MONEYNESS_MAX,
    VARIANCE_MAX,
    Slice,
    call_and_put,
    call_delta,
    total_variance,
)
from proofbook.spec.fixed_point import FRACTION_BITS, ONE, log

UNITS_PER_USD = 10**8
SPOT_MIN, SPOT_MAX = UNITS_PER_USD // 20, 10**6 * UNITS_PER_USD
PRICE_MAX = HUNDREDTHS * INDEX_ATOMS_MAX
HOURS_PER_YEAR = 8_760
LOG_ERROR = 2.0**-55

forwards = st.one_of(
    st.integers(SPOT_MIN, SPOT_MAX),
    st.floats(0, 1).map(lambda u: int(SPOT_MIN * (SPOT_MAX / SPOT_MIN) ** u)),
)
"""0.05 to 1,000,000 USD in 1e-8 USD, evenly and evenly by logarithm."""


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
    return forward, max(1, min(strike, PRICE_MAX)), deviation


def priced(forward: int, strike: int, deviation: int) -> tuple[int, int]:
    return call_and_put(forward, log(forward), strike, log(strike), deviation)


def exact_call(forward: int, strike: int, deviation: int) -> mp.mpf:
    """Return the call's value in 1e-8 USD, to 40 digits."""
    spread = mp.ldexp(deviation, -FRACTION_BITS)
    d1 = mp.log(mp.mpf(forward) / strike) / spread + spread / 2
    return forward * mp.ncdf(d1) - strike * mp.ncdf(d1 - spread)


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
    assert abs(put - (exact - forward + strike)) <= 1


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
    forward, strike, _ = option
    call, put = priced(*option)
    assert call - put == forward - strike


@EXAMPLES
@given(options())
def test_values_keep_between_intrinsic_and_the_whole(option: tuple[int, int, int]) -> None:
    forward, strike, _ = option
    call, put = priced(*option)
    assert max(0, forward - strike) <= call <= forward
    assert max(0, strike - forward) <= put <= strike


@EXAMPLES
@given(options())
def test_delta_is_within_its_error(option: tuple[int, int, int]) -> None:
    """Half a unit for rounding, 1e-15 of the forward for N, and what d1's last bits leave."""
    forward, strike, deviation = option
    spread = mp.ldexp(deviation, -FRACTION_BITS)
    d1 = mp.log(mp.mpf(forward) / strike) / spread + spread / 2
    error = 0.5 + forward * (1e-15 + LOG_ERROR * mp.npdf(d1) * (2 / spread + 1))
    delta = call_delta(forward, log(forward), strike, log(strike), deviation)
    assert abs(delta - forward * mp.ncdf(d1)) <= error


@EXAMPLES
@given(forwards, st.integers(1, PRICE_MAX), st.integers(1, 1 << 40))
def test_saturated_options_are_worth_their_intrinsic_value(
    forward: int, strike: int, deviation: int
) -> None:
    """With d1 and d2 far outside the clamp, down to the smallest deviation that there is."""
    if abs(log(forward) - log(strike)) < 12 * deviation:
        return
    intrinsic = forward - strike
    assert priced(forward, strike, deviation) == (max(0, intrinsic), max(0, -intrinsic))
    delta = call_delta(forward, log(forward), strike, log(strike), deviation)
    assert delta == (forward if intrinsic > 0 else 0)


@pytest.mark.parametrize("deviation", [1, 2, DEVIATION_MAX])
@pytest.mark.parametrize(("forward", "strike"), [(1, PRICE_MAX), (6 * PRICE_MAX, 100)])
def test_deviates_are_clamped_before_they_are_negated(
    forward: int, strike: int, deviation: int
) -> None:
    """Found in a prototype: −d of a d saturated at its least value wraps round to itself.

    In Q5.58 the deviates here are up to 2^121.
    """
    call, put = priced(forward, strike, deviation)
    assert max(0, forward - strike) <= call <= forward and call - put == forward - strike
    if deviation == DEVIATION_MAX:
        assert (call, put) == (forward, strike), "any more changes nothing"
    else:
        assert call == max(0, forward - strike)


@EXAMPLES
@given(forwards, st.integers(1 - PRICE_MAX, PRICE_MAX))
def test_options_without_time_are_worth_their_intrinsic_value(forward: int, strike: int) -> None:
    strike_log = log(max(1, strike))
    call, put = call_and_put(forward, log(forward), strike, strike_log, 0)
    assert (call, put) == (max(0, forward - strike), max(0, strike - forward))


@EXAMPLES
@given(forwards, st.integers(1 - PRICE_MAX, 0), st.integers(1, DEVIATION_MAX))
def test_a_strike_of_nothing_or_less_is_certain(forward: int, strike: int, deviation: int) -> None:
    assert call_and_put(forward, log(forward), strike, 0, deviation) == (forward - strike, 0)
    assert call_delta(forward, log(forward), strike, 0, deviation) == forward


@EXAMPLES
@given(forwards, st.integers(1, PRICE_MAX), st.integers(1, DEVIATION_MAX))
def test_any_deviation_gives_a_price(forward: int, strike: int, deviation: int) -> None:
    call, put = priced(forward, strike, deviation)
    assert 0 <= call <= forward and 0 <= put <= strike


# Surfaces


@st.composite
def slices(draw: st.DrawFn) -> Slice:
    """Draw the parameters of a slice that publishers may sign."""
    one = SURFACE_ONE
    s = Slice(
        draw(st.integers(-one, 4 * one)),
        draw(st.integers(0, 2 * one)),
        draw(st.integers(1 - one, one - 1)),
        draw(st.integers(-CENTRE_MAX, CENTRE_MAX)),
        draw(st.one_of(st.integers(WIDTH_MIN, WIDTH_MAX), st.integers(WIDTH_MIN, 2 * WIDTH_MIN))),
    )
    b_max = 2 * one * one // (one + abs(s.rho))
    s = Slice(s.a, min(s.b, b_max), s.rho, s.m, s.sigma)
    if not is_in_range(SurfaceSlice(1, s.a, s.b, s.rho, s.m, s.sigma)):
        s = Slice(abs(s.a), s.b, s.rho, s.m, s.sigma)
    return s


def exact_variance(s: Slice, k: int) -> mp.mpf:
    """Return w(k) to 40 digits, not clamped."""
    a, b, rho, m, sigma = (mp.ldexp(x, -SURFACE_BITS) for x in (s.a, s.b, s.rho, s.m, s.sigma))
    x = mp.ldexp(k, -FRACTION_BITS) - m
    return a + b * (rho * x + mp.sqrt(x * x + sigma * sigma))


@EXAMPLES
@given(slices(), st.integers(-MONEYNESS_MAX, MONEYNESS_MAX))
def test_total_variance_is_within_its_error(s: Slice, k: int) -> None:
    """Each of three steps loses up to 2⁻⁵⁸, two of them times b."""
    error = mp.ldexp(1 + 2 * mp.ldexp(s.b, -SURFACE_BITS), -FRACTION_BITS)
    exact = exact_variance(s, k)
    expected = max(mp.mpf(0), min(exact, mp.ldexp(VARIANCE_MAX, -FRACTION_BITS)))
    assert abs(mp.ldexp(total_variance(s, k), -FRACTION_BITS) - expected) <= error


@EXAMPLES
@given(slices(), st.integers(0, 60 * ONE))
def test_surface_is_flat_beyond_its_last_strike(s: Slice, beyond: int) -> None:
    for sign in (1, -1):
        variance = total_variance(s, sign * (MONEYNESS_MAX + beyond))
        assert variance == total_variance(s, sign * MONEYNESS_MAX)
        assert 0 <= variance <= VARIANCE_MAX
