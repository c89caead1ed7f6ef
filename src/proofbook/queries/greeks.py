"""Implied volatility and sensitivities of an option, from its mark and its forward.

For people: floating point, off the state machine's path. Nothing is decided by these numbers.
"""

from math import erfc, exp, log, pi, sqrt
from typing import NamedTuple

YEAR_NS = 365 * 86_400 * 10**9
AVERAGED_NS = 20 * 60 * 10**9
"""By how much the average of the last half hour is certain earlier than the price at expiry."""
WINDOW_NS = 30 * 60 * 10**9
DEVIATION_MAX = 16.0
"""The largest total deviation that is looked for: 800 % over four years."""
BISECTIONS = 60


class Greeks(NamedTuple):
    """Units  volatility: 1 is 100 % a year; delta: units; gamma: units per USD; vega: USD per unit
    and 1 % of volatility; theta: USD per unit and day.
    """

    volatility: float
    delta: float
    gamma: float
    vega: float
    theta: float


def greeks(
    is_call: bool, forward: float, strike: float, price: float, left_ns: int
) -> Greeks | None:
    """Return what a price implies; None where it implies nothing: at a bound, or near expiry.

    Source Black (1976), undiscounted; docs/reference/pricing.md on the variance of the average.
    """
    if left_ns <= WINDOW_NS or forward <= 0 or strike <= 0:
        return None
    deviation = implied_deviation(forward, strike, price if is_call else price + forward - strike)
    if deviation is None:
        return None
    years = (left_ns - AVERAGED_NS) / YEAR_NS
    d1 = log(forward / strike) / deviation + deviation / 2
    density = exp(-d1 * d1 / 2) / sqrt(2 * pi)
    volatility = deviation / sqrt(years)
    return Greeks(
        volatility=volatility,
        delta=normal(d1) if is_call else normal(d1) - 1,
        gamma=density / (forward * deviation),
        vega=forward * density * sqrt(years) / 100,
        theta=-forward * density * volatility / (2 * sqrt(years)) / 365,
    )


def implied_deviation(forward: float, strike: float, call: float) -> float | None:
    """Return the total deviation at which a call is worth so much; None outside of its bounds."""
    low, high = 0.0, DEVIATION_MAX
    if not max(0.0, forward - strike) < call < call_price(forward, strike, high):
        return None
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if call_price(forward, strike, middle) < call:
            low = middle
        else:
            high = middle
    return high


def call_price(forward: float, strike: float, deviation: float) -> float:
    """Return the price of a call per unit."""
    d1 = log(forward / strike) / deviation + deviation / 2
    return forward * normal(d1) - strike * normal(d1 - deviation)


def normal(x: float) -> float:
    """Return the probability that a standard normal number is below x."""
    return erfc(-x / sqrt(2)) / 2
