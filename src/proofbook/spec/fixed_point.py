"""Fixed-point mathematics in Q5.58: logarithm, exponential, square root, normal distribution.

Every step is an exact integer operation (floor division, arithmetic shift, floor square root), so
that any implementation of the same steps gives the same bits. Fits i128 within the bounds that each
function states.
"""

from math import isqrt

from proofbook.spec.normal_table import NORMAL_SEGMENTS

FRACTION_BITS = 58
ONE = 1 << FRACTION_BITS
GUARD_BITS = 4
"""Bits beyond Q5.58 with which logarithm and exponential are summed."""

WIDE_BITS = FRACTION_BITS + GUARD_BITS
WIDE_ONE = 1 << WIDE_BITS
WIDE_LN_2 = 3196577161300663915
"""ln 2 in Q1.62, rounded to nearest."""

LOG_TERMS = 20
"""Terms of the atanh series: z ≤ 1/3, so the first one left out is below 2⁻⁶⁵."""

EXP_TERMS = 18
"""Terms of the exponential series: r < ln 2, so the first one left out is below 2⁻⁶⁶."""

EXP_MAX = 32 * ONE
"""Largest argument of `exp`, either way."""

SEGMENT_BITS = FRACTION_BITS - 4
"""A segment of the normal table is 1/16 wide."""


def log(number: int) -> int:
    """Return ln(number) of a positive integer below 2^63.

    Units   integer → Q5.58.
    Rounds  each step down; absolute error below 2^-55.
    """
    exponent = number.bit_length() - 1
    mantissa = number << WIDE_BITS - exponent
    z = ((mantissa - WIDE_ONE) << WIDE_BITS) // (mantissa + WIDE_ONE)
    square = z * z >> WIDE_BITS
    total, power = 0, z
    for term in range(LOG_TERMS):
        total += power // (2 * term + 1)
        power = power * square >> WIDE_BITS
    return exponent * WIDE_LN_2 + 2 * total >> GUARD_BITS


def exp(x: int) -> int:
    """Return e^x of x between −32 and 32.

    Units   Q5.58 → Q5.58, of up to 105 bits.
    Rounds  each step down; error below 2^-56 of the result and 2^-58.
    """
    wide = x << GUARD_BITS
    doublings = wide // WIDE_LN_2
    rest = wide - doublings * WIDE_LN_2
    total = WIDE_ONE
    for term in range(EXP_TERMS, 0, -1):
        total = WIDE_ONE + (total * rest >> WIDE_BITS) // term
    shift = doublings - GUARD_BITS
    return total << shift if shift >= 0 else total >> -shift


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
