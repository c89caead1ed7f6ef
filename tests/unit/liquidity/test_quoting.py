"""What makers and takers decide."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from proofbook.liquidity.quoting import (
    PRICE_TICKS_MAX,
    QUOTED_MAX,
    Fair,
    quote_around,
    shares,
    taker_intent,
)

fairs = st.builds(Fair, st.floats(0, PRICE_TICKS_MAX), st.floats(0, 10_000))


@given(fair=fairs, lots=st.integers(1, 1000))
def test_quotes_are_two_sided_around_the_mark_and_in_range(fair: Fair, lots: int) -> None:
    quote = quote_around(fair, lots)
    assert 1 <= quote.bid_ticks < quote.ask_ticks <= PRICE_TICKS_MAX
    assert quote.ask_ticks >= min(fair.mark_ticks, PRICE_TICKS_MAX), "never sold below the mark"
    assert quote.bid_ticks <= max(1, fair.mark_ticks), "never bought above the mark, but for a tick"


def test_quotes_widen_with_vega_and_with_price() -> None:
    near = quote_around(Fair(10_000.0), 10)
    vegas = quote_around(Fair(10_000.0, vega_ticks=200.0), 10)
    dear = quote_around(Fair(100_000.0), 10)
    widths = [quote.ask_ticks - quote.bid_ticks for quote in (near, vegas, dear)]
    assert widths == [40, 240, 400]


@given(fair=fairs, seed=st.integers(0, 1 << 32), lots_max=st.integers(1, 500))
def test_takers_orders_are_in_range_and_the_same_for_the_same_seed(
    fair: Fair, seed: int, lots_max: int
) -> None:
    intent = taker_intent(Random(seed), fair, lots_max)
    assert 1 <= intent.price_ticks <= PRICE_TICKS_MAX and 1 <= intent.lots <= lots_max
    assert intent == taker_intent(Random(seed), fair, lots_max)


@given(count=st.integers(1, 4000))
def test_makers_share_all_instruments_and_none_has_too_many(count: int) -> None:
    dealt = shares(range(count), makers_min=2)
    assert sorted(thing for share in dealt for thing in share) == list(range(count))
    assert len(dealt) >= 2 and max(map(len, dealt)) <= QUOTED_MAX
