"""What a mark implies: the volatility that made it, and sensitivities as differences say."""

from math import isclose, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofbook.queries.greeks import AVERAGED_NS, WINDOW_NS, YEAR_NS, call_price, greeks
from proofbook.queries.models import ReadModels
from proofbook.queries.views import summary_view, ticker_view
from proofbook.simulator.scene import Scene
from proofbook.spec.transition import State

DAY_NS = YEAR_NS // 365


def price_of(is_call: bool, forward: float, strike: float, volatility: float, left: int) -> float:
    call = call_price(forward, strike, volatility * sqrt((left - AVERAGED_NS) / YEAR_NS))
    return call if is_call else call - forward + strike


@given(
    st.booleans(),
    st.floats(100, 200_000),
    st.floats(-1.5, 1.5),
    st.floats(0.1, 3),
    st.integers(2, 700),
)
def test_volatility_that_made_a_price_is_found_again(
    is_call: bool, forward: float, width: float, volatility: float, days: int
) -> None:
    left = days * DAY_NS
    deviation = volatility * sqrt((left - AVERAGED_NS) / YEAR_NS)
    strike = forward * 2.718281828 ** (width * deviation)
    price = price_of(is_call, forward, strike, volatility, left)
    implied = greeks(is_call, forward, strike, price, left)
    assert implied is not None
    assert isclose(implied.volatility, volatility, rel_tol=1e-4), log(strike / forward)


@pytest.mark.parametrize("is_call", [True, False])
def test_sensitivities_are_the_differences_of_prices(is_call: bool) -> None:
    forward, strike, volatility, left = 60_000.0, 65_000.0, 0.6, 40 * DAY_NS
    price = price_of(is_call, forward, strike, volatility, left)
    implied = greeks(is_call, forward, strike, price, left)
    assert implied is not None
    step = 1.0
    up, down = (price_of(is_call, forward + s, strike, volatility, left) for s in (step, -step))
    assert isclose(implied.delta, (up - down) / (2 * step), rel_tol=1e-4)
    assert isclose(implied.gamma, (up - 2 * price + down) / step**2, rel_tol=1e-3)
    more = price_of(is_call, forward, strike, volatility + 0.0001, left)
    assert isclose(implied.vega, (more - price) * 100, rel_tol=1e-3)
    later = price_of(is_call, forward, strike, volatility, left - DAY_NS // 1000)
    assert isclose(implied.theta, (later - price) * 1000, rel_tol=1e-3)


@pytest.mark.parametrize(
    ("price", "left"),
    [(5_000.0, 40 * DAY_NS), (60_000.0, 40 * DAY_NS), (0.0, 40 * DAY_NS), (6_000.0, WINDOW_NS)],
)
def test_price_at_a_bound_and_the_last_half_hour_imply_nothing(price: float, left: int) -> None:
    assert greeks(True, 60_000.0, 55_000.0, price, left) is None


def test_ticker_shows_forward_and_greeks_of_a_marked_option() -> None:
    scene = Scene(State)
    scene.open_perpetual()
    number = scene.open_option()
    models = ReadModels(scene.engine)
    models.apply(1, scene.entries, scene.results)
    ticker = ticker_view(models, models.instruments.numbered(number))
    assert ticker.forward is not None and ticker.greeks is not None
    assert 0 < float(ticker.greeks.delta) < 1 and float(ticker.greeks.theta) < 0
    assert 0.05 < float(ticker.greeks.volatility) < 4
    perpetual, option = summary_view(models, "BTC", None).tickers
    assert perpetual.greeks is None and perpetual.forward is None and option == ticker
