"""Logarithm, root and normal distribution against 40 digits of mpmath."""

from collections.abc import Iterator
from math import isqrt

import mpmath as mp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import EXAMPLES, MANY_EXAMPLES

from proofbook.spec.fixed_point import (
    EXP_MAX,
    FRACTION_BITS,
    ONE,
    SEGMENT_BITS,
    WIDE_BITS,
    WIDE_LN_2,
    WIDE_ONE,
    clamp,
    exp,
    log,
    normal_cdf,
    square_root_down,
)
from proofbook.spec.normal_table import NORMAL_SEGMENTS

LOG_ERROR = 2.0**-55
EXP_ERROR, EXP_ERROR_SHARE = 2.0**-58, 2.0**-56
NORMAL_ERROR = 1e-15
ARGUMENT_BITS = 63

powers = st.integers(0, ARGUMENT_BITS - 1).map(lambda exponent: 1 << exponent)
near_powers = st.builds(lambda power, step: max(1, power + step), powers, st.integers(-2, 2))
integers = st.one_of(
    st.integers(1, (1 << ARGUMENT_BITS) - 1),
    near_powers,
    st.integers(1, ARGUMENT_BITS).flatmap(lambda bits: st.integers(1, (1 << bits) - 1)),
)
exponents = st.one_of(
    st.integers(-EXP_MAX, EXP_MAX),
    st.integers(-4 * ONE, 4 * ONE),
    st.builds(
        lambda doublings, step: (doublings * WIDE_LN_2 >> WIDE_BITS - FRACTION_BITS) + step,
        st.integers(-46, 46), st.integers(-2, 2),
    ),
)  # fmt: skip
deviations = st.one_of(
    st.integers(-10 * ONE, 10 * ONE),
    st.integers(-160, 160).map(lambda segment: segment << SEGMENT_BITS),
    st.builds(
        lambda segment, step: (segment << SEGMENT_BITS) + step,
        st.integers(-150, 150), st.integers(-2, 2),
    ),
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def digits() -> Iterator[None]:
    with mp.workdps(40):
        yield


def real(value: int) -> mp.mpf:
    """Return a Q5.58 number exactly."""
    return mp.ldexp(value, -FRACTION_BITS)


def test_ln_2_is_rounded_to_nearest() -> None:
    assert int(mp.nint(mp.log(2) * WIDE_ONE)) == WIDE_LN_2


@EXAMPLES
@given(integers)
def test_log_is_within_its_error(number: int) -> None:
    assert abs(real(log(number)) - mp.log(number)) < LOG_ERROR


def require_exp_close(x: int) -> None:
    exact = mp.exp(real(x))
    assert abs(real(exp(x)) - exact) < EXP_ERROR + EXP_ERROR_SHARE * exact


@EXAMPLES
@given(exponents)
def test_exp_is_within_its_error(x: int) -> None:
    require_exp_close(x)


@EXAMPLES
@given(integers)
def test_exp_undoes_log(number: int) -> None:
    if (logarithm := log(number)) <= EXP_MAX:
        share = real(exp(logarithm)) / number
        assert abs(share - 1) < 2 * LOG_ERROR + EXP_ERROR_SHARE + EXP_ERROR / number


def test_exp_of_zero_is_one() -> None:
    assert exp(0) == ONE


@pytest.mark.slow
@MANY_EXAMPLES
@given(integers, exponents, deviations)
def test_many_values_are_within_their_errors(number: int, exponent: int, x: int) -> None:
    assert abs(real(log(number)) - mp.log(number)) < LOG_ERROR
    require_exp_close(exponent)
    assert abs(real(normal_cdf(x)) - mp.ncdf(real(x))) < NORMAL_ERROR


@EXAMPLES
@given(integers, st.integers(1, 1 << 20))
def test_log_rises(number: int, step: int) -> None:
    """Beyond its error, a larger number has a larger logarithm."""
    larger = number + step
    if larger < 1 << ARGUMENT_BITS and mp.log(larger) - mp.log(number) > 2 * LOG_ERROR:
        assert log(larger) > log(number)


def test_log_of_one_is_zero() -> None:
    assert log(1) == 0


@EXAMPLES
@given(st.integers(0, (1 << 69) - 1))
def test_square_root_is_the_floor(value: int) -> None:
    root = square_root_down(value)
    assert root**2 <= value << FRACTION_BITS < (root + 1) ** 2
    assert root == isqrt(value << FRACTION_BITS)


@EXAMPLES
@given(deviations)
def test_normal_distribution_is_within_its_error(x: int) -> None:
    assert abs(real(normal_cdf(x)) - mp.ncdf(real(x))) < NORMAL_ERROR


@EXAMPLES
@given(deviations)
def test_normal_distribution_is_symmetric(x: int) -> None:
    assert normal_cdf(x) + normal_cdf(-x) == ONE or x == 0
    assert 0 <= normal_cdf(x) <= ONE


def test_normal_distribution_is_within_its_error_at_every_seam() -> None:
    """On both sides of every segment's start, and in its middle."""
    for segment in range(len(NORMAL_SEGMENTS) + 1):
        start = segment << SEGMENT_BITS
        for x in (start - 1, start, start + (1 << SEGMENT_BITS - 1)):
            assert abs(real(normal_cdf(x)) - mp.ncdf(real(x))) < NORMAL_ERROR, f"{x / ONE}"


def test_normal_distribution_is_one_from_the_tables_end_on() -> None:
    end = len(NORMAL_SEGMENTS) << SEGMENT_BITS
    assert normal_cdf(end) == normal_cdf(100 * ONE) == ONE
    assert normal_cdf(-end) == 0


@EXAMPLES
@given(st.integers(), st.integers(), st.integers(0))
def test_clamp_keeps_to_its_bounds(value: int, low: int, width: int) -> None:
    clamped = clamp(value, low, low + width)
    assert clamped == value if low <= value <= low + width else clamped in (low, low + width)
