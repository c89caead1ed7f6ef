"""Fixed-point mathematics: logarithm, square root and normal distribution in Q5.58, integers only.

Every step is an exact integer operation (floor division, arithmetic shift, floor square root), so
that any implementation of the same steps gives the same bits. Fits i128 within the bounds that each
function states.
"""

from math import isqrt

from proofbook.spec.normal_table import NORMAL_SEGMENTS

FRACTION_BITS = 58
ONE = 1 << FRACTION_BITS
LN_2 = 199786072581291495
"""ln 2 in Q5.58, rounded to nearest."""

LOG_TERMS = 20
"""Terms of the atanh series: z ≤ 1/3, so the first one left out is below 2⁻⁶⁵."""

SEGMENT_BITS = FRACTION_BITS - 4
"""A segment of the normal table is 1/16 wide."""


def log(number: int) -> int:
    """Return ln(number) of a positive integer below 2^63.

    Units   integer → Q5.58.
    Rounds  each step down; absolute error below 2^-52.
    """
    exponent = number.bit_length() - 1
    mantissa = (
        number << (FRACTION_BITS - exponent)
        if exponent <= FRACTION_BITS
        else number >> (exponent - FRACTION_BITS)
    )
    z = ((mantissa - ONE) << FRACTION_BITS) // (mantissa + ONE)
    square = z * z >> FRACTION_BITS
    total, power = 0, z
    for term in range(LOG_TERMS):
        total += power // (2 * term + 1)
        power = power * square >> FRACTION_BITS
    return exponent * LN_2 + 2 * total


def square_root_down(value: int) -> int:
    """Return the floor square root of a Q5.58 value below 2^69, in Q5.58."""
    return isqrt(value << FRACTION_BITS)


def normal_cdf(x: int) -> int:
    """Return the standard normal distribution at x, both in Q5.58; absolute error below 1e-15.

    A degree-6 polynomial per segment of 1/16 on the positive side, 1 from the table's end on; the
    negative side by N(−x) = 1 − N(x).
    """
    if x < 0:
        return ONE - normal_cdf(-x)
    segment = x >> SEGMENT_BITS
    if segment >= len(NORMAL_SEGMENTS):
        return ONE
    t = (x & (1 << SEGMENT_BITS) - 1) << (FRACTION_BITS - SEGMENT_BITS)
    total = 0
    for coefficient in reversed(NORMAL_SEGMENTS[segment]):
        total = coefficient + (total * t >> FRACTION_BITS)
    return total


def clamp(value: int, low: int, high: int) -> int:
    """Return the value, or the bound that it crosses."""
    return max(low, min(value, high))
