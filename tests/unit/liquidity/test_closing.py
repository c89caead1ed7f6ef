"""Closing every position of a venue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofbook.liquidity.closing import Held, PositionsUnbalanced, closing_orders
from proofbook.protocol.limits import Side, TimeInForce


def test_longs_offer_and_shorts_take_at_one_price() -> None:
    held = [Held(3, 9, 5), Held(4, 9, -7), Held(5, 9, 2), Held(6, 9, 0)]
    offers, takes = closing_orders(held, {9: 41.6})
    assert [(c.account, c.intent.side, c.intent.lots) for c in offers] == [
        (3, Side.SELL, 5),
        (5, Side.SELL, 2),
    ]
    assert [(c.account, c.intent.side, c.intent.lots) for c in takes] == [(4, Side.BUY, 7)]
    assert {c.intent.price_ticks for c in offers + takes} == {42}
    assert all(c.intent.reduce_only for c in offers + takes), "no position can turn around"
    assert takes[0].intent.time_in_force == TimeInForce.IMMEDIATE_OR_CANCEL


def test_worthless_options_are_closed_at_one_tick() -> None:
    offers, _ = closing_orders([Held(3, 1, 1), Held(4, 1, -1)], {1: 0.0})
    assert offers[0].intent.price_ticks == 1


def test_a_missing_position_is_named() -> None:
    with pytest.raises(PositionsUnbalanced) as caught:
        closing_orders([Held(3, 1, 1), Held(4, 2, -1), Held(5, 2, 1)], {1: 1.0, 2: 1.0})
    assert caught.value.instrument == 1 and caught.value.lots == 1


@given(st.dictionaries(st.tuples(st.integers(3, 9), st.integers(1, 5)), st.integers(-9, 9)))
def test_what_longs_offer_is_what_shorts_take(lots: dict[tuple[int, int], int]) -> None:
    held = [Held(account, instrument, size) for (account, instrument), size in lots.items()]
    for instrument in range(1, 6):  # account 10 is on the other side of everything
        held.append(Held(10, instrument, -sum(h.lots for h in held if h.instrument == instrument)))
    offers, takes = closing_orders(held, dict.fromkeys(range(1, 6), 100.0))
    for instrument in range(1, 6):
        offered = sum(c.intent.lots for c in offers if c.instrument == instrument)
        assert offered == sum(c.intent.lots for c in takes if c.instrument == instrument)
