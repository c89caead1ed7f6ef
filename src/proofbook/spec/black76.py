"""Black-76 on the forward with raw SVI variance, in integers.

Source docs/reference/pricing.md; SVI after Gatheral, w(k) = a + b(ρ(k − m) + √((k − m)² + σ²)).
"""

from dataclasses import dataclass
from math import isqrt

from proofbook.protocol.surface import SURFACE_BITS
from proofbook.spec.fixed_point import FRACTION_BITS, ONE, clamp, normal_cdf

SURFACE_TO_FRACTION = FRACTION_BITS - SURFACE_BITS

MONEYNESS_MAX = 8 * ONE
"""|ln(K/F)| beyond which the surface is flat: strikes 2,981 times the forward."""

VARIANCE_MAX = 64 * ONE
"""Total variance above which vol is capped: 400 % over four years."""

DEVIATION_MAX = 24 * ONE
"""σ√t above which a call is worth its forward, and a put its strike, to the last bit."""

RATIO_LOG_MAX = 31 * ONE
"""|ln(F/K)| above which the smaller of the two is below 1e-13 of the larger."""

DEVIATES_MAX = 10 * ONE
"""d1 and d2 are clamped here before N is taken of them; N is 1 to the last bit from 9.2 on."""

INVERSE_BITS = 61
"""Bits of the reciprocal of a deviation: d1 is off by less than two of its last bits."""

HUNDREDTHS = 100
"""Prices per unit are in 1e-8 USD, a hundredth of a quote atom."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The SVI parameters of one expiry, Q15.48, within the bounds of `surface.is_in_range`."""

    a: int
    b: int
    rho: int
    m: int
    sigma: int


def total_variance(slice_: Slice, log_moneyness: int) -> int:
    """Return w(k) at the surface's own time, Q5.58, between 0 and VARIANCE_MAX. Rounds down."""
    k = clamp(log_moneyness, -MONEYNESS_MAX, MONEYNESS_MAX)
    x = k - (slice_.m << SURFACE_TO_FRACTION)
    sigma = slice_.sigma << SURFACE_TO_FRACTION
    wing = (slice_.rho * x >> SURFACE_BITS) + isqrt(x * x + sigma * sigma)
    return clamp(
        (slice_.a << SURFACE_TO_FRACTION) + (slice_.b * wing >> SURFACE_BITS), 0, VARIANCE_MAX
    )


def call_and_put(
    forward: int, forward_log: int, strike: int, strike_log: int, deviation: int
) -> tuple[int, int]:
    """Return the undiscounted values of a call and a put per unit of underlying.

    Units   forward, strike in 1e-8 USD; logarithms and deviation (σ√t) in Q5.58 → 1e-8 USD. Only
            the difference of the logarithms counts.
    Rounds  to nearest, half up, both by the same amount: call − put = forward − strike exactly,
            neither below its intrinsic value.
    """
    call = call_value(forward, forward_log, strike, strike_log, deviation)
    return call, call - forward + strike


def call_value(forward: int, forward_log: int, strike: int, strike_log: int, deviation: int) -> int:
    """Return the call of `call_and_put`. A strike of nothing or less is certain to be exercised."""
    intrinsic = forward - strike
    if deviation == 0 or strike <= 0:
        return max(0, intrinsic)
    d1 = first_deviate(forward_log - strike_log, deviation)
    value = forward * distribution(d1) - strike * distribution(d1 - deviation)
    return clamp(value + (ONE >> 1) >> FRACTION_BITS, max(0, intrinsic), forward)


def call_delta(forward: int, forward_log: int, strike: int, strike_log: int, deviation: int) -> int:
    """Return what a call gains when its forward doubles at the rate of now: forward · N(d1).

    Units   as `call_and_put`. That of the put is less by the forward, exactly.
    Rounds  to nearest, half up.
    """
    if deviation == 0 or strike <= 0:
        return forward if forward > strike else 0
    share = distribution(first_deviate(forward_log - strike_log, deviation))
    return forward * share + (ONE >> 1) >> FRACTION_BITS


def first_deviate(ratio_log: int, deviation: int) -> int:
    """Return d1 = ln(F/K) / σ√t + σ√t / 2, Q5.58, from the reciprocal of the deviation."""
    bits = deviation.bit_length()
    inverse = (1 << INVERSE_BITS + bits) // deviation
    ratio_log = clamp(ratio_log, -RATIO_LOG_MAX, RATIO_LOG_MAX)
    return (ratio_log * inverse >> INVERSE_BITS + bits - FRACTION_BITS) + (deviation >> 1)


def distribution(deviate: int) -> int:
    """Return N(d), d clamped to where N changes: a saturated d must not be negated or squared."""
    return normal_cdf(clamp(deviate, -DEVIATES_MAX, DEVIATES_MAX))
