"""Black-76 on the forward with raw SVI variance, in integers.

Source  docs/reference/protocol.md; SVI after Gatheral, w(k) = a + b(ρ(k − m) + √((k − m)² + σ²)).
"""

from dataclasses import dataclass

from proofbook.spec.fixed_point import FRACTION_BITS, ONE, clamp, normal_cdf, square_root_down

SURFACE_BITS = 48
SURFACE_ONE = 1 << SURFACE_BITS
SURFACE_TO_FRACTION = FRACTION_BITS - SURFACE_BITS

MONEYNESS_MAX = 8 * ONE
"""|ln(K/F)| beyond which the surface is flat: strikes 2,981 times the forward."""

VARIANCE_MAX = 64 * ONE
"""Total variance above which vol is capped: 400 % over four years."""

DEVIATIONS_MAX = 10 * ONE
"""d1 and d2 are clamped here before N is taken of them; N is 1 to the last bit from 9.2 on."""

HUNDREDTHS = 100
"""Prices per unit are in 1e-8 USD, a hundredth of a quote atom."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The SVI parameters of one expiry, Q15.48, within the bounds of `oracle.is_slice_valid`."""

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
    wing = (slice_.rho * x >> SURFACE_BITS) + square_root_down(
        x * x + sigma * sigma >> FRACTION_BITS
    )
    return clamp(
        (slice_.a << SURFACE_TO_FRACTION) + (slice_.b * wing >> SURFACE_BITS), 0, VARIANCE_MAX
    )


def call_and_put(
    forward: int, forward_log: int, strike: int, strike_log: int, deviation: int
) -> tuple[int, int]:
    """Return the undiscounted values of a call and a put per unit of underlying.

    Units   forward, strike in quote atoms; logarithms and deviation (σ√t) in Q5.58 → 1e-8 USD.
    Rounds  to nearest, half up, both by the same amount: call − put = forward − strike exactly,
            unless clipped at zero.
    """
    forward, strike = forward * HUNDREDTHS, strike * HUNDREDTHS
    if deviation == 0:
        return max(0, forward - strike), max(0, strike - forward)
    d1 = ((forward_log - strike_log) << FRACTION_BITS) // deviation + (deviation >> 1)
    d2 = d1 - deviation
    n1 = normal_cdf(clamp(d1, -DEVIATIONS_MAX, DEVIATIONS_MAX))
    n2 = normal_cdf(clamp(d2, -DEVIATIONS_MAX, DEVIATIONS_MAX))
    call = forward * n1 - strike * n2 + (ONE >> 1) >> FRACTION_BITS
    return max(0, call), max(0, call - forward + strike)
