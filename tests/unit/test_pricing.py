"""Prices and sensitivities of options: against fifty digits, and what is refused."""

from typing import Any

import mpmath as mp
import numpy as np
import pytest

from proofbook.pricing import black76

DIGITS = 50
OPTIONS = 400
OF_FORWARD = 2e-15


def exact(forward: float, strike: float, volatility: float, years: float, sign: float) -> list[Any]:
    """The five numbers with fifty digits."""
    f, k, v, t = (mp.mpf(each) for each in (forward, strike, volatility, years))
    deviation = v * mp.sqrt(t)
    d1 = mp.log(f / k) / deviation + deviation / 2
    density = mp.npdf(d1)
    price = sign * (f * mp.ncdf(sign * d1) - k * mp.ncdf(sign * (d1 - deviation)))
    return [
        price,
        sign * mp.ncdf(sign * d1),
        density / (f * deviation),
        f * density * mp.sqrt(t),
        -f * density * v / (2 * mp.sqrt(t)),
    ]


def chain(count: int) -> tuple[np.ndarray[Any, Any], ...]:
    random = np.random.default_rng(3)
    volatility = random.uniform(0.05, 3, count)
    years = random.uniform(1e-4, 4, count)
    forward = np.exp(random.uniform(-5, 12, count))
    width = random.uniform(-4, 4, count) * volatility * np.sqrt(years)
    return forward, forward * np.exp(width), volatility, years, random.choice([-1.0, 1.0], count)


def test_numbers_agree_with_fifty_digits() -> None:
    options = chain(OPTIONS)
    rows = np.array(black76(*options))
    with mp.workdps(DIGITS):
        for place, option in enumerate(zip(*(each.tolist() for each in options), strict=True)):
            forward, strike, *_ = option
            scale = max(forward, strike)
            price, *others = exact(*option)
            assert abs(rows[0, place] - price) < OF_FORWARD * scale, f"price of {option}"
            for row, number in enumerate(others, start=1):
                error = abs(rows[row, place] - number)
                assert error <= abs(number) * 2e-13, f"number {row} of {option}"


@pytest.mark.parametrize("count", [1, 255, 256, 257, 1_000])
def test_each_option_is_priced_as_if_it_were_alone(count: int) -> None:
    options = chain(count)
    rows = np.array(black76(*options))
    for place in (0, count // 2, count - 1):
        alone = np.array(black76(*(each[place] for each in options)))
        assert np.array_equal(alone[:, 0], rows[:, place]), f"option {place} of {count}"


def test_single_numbers_are_those_of_all_and_results_go_where_one_says() -> None:
    strikes = np.array([90.0, 100.0, 110.0])
    output = np.zeros((5, 3))
    greeks = black76(100, strikes, 0.5, 0.25, 1, output)
    assert np.shares_memory(greeks.price, output) and np.all(output[0] > 0)
    assert np.all(np.diff(greeks.price) < 0), "a higher strike is worth less"


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("number", [0.0, -1.0, float("nan"), float("inf")])
def test_numbers_that_no_option_has_are_refused(place: int, number: float) -> None:
    options: list[Any] = [np.full(300, 1.0) for _ in range(5)]
    options[place][299] = number
    with pytest.raises(ValueError, match="must be finite and above 0"):
        black76(*options)


def test_a_sign_is_one_or_minus_one_and_arrays_fit() -> None:
    with pytest.raises(ValueError, match="its sign 1 or -1"):
        black76(1, 1, 1, 1, 0.5)
    with pytest.raises(ValueError, match="as long as each other"):
        black76(1, 1, 1, 1, 1, np.zeros((4, 1)))
    with pytest.raises(ValueError, match="cannot be written"):
        frozen = np.zeros((5, 1))
        frozen.flags.writeable = False
        black76(1, 1, 1, 1, 1, frozen)
    with pytest.raises(ValueError, match="not contiguous"):
        black76(1, 1, 1, 1, 1, np.zeros((5, 2))[:, :1])
