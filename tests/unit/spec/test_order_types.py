"""Market and good-till-time orders, and the four ways not to trade with oneself."""

import pytest

from proofbook.protocol.events import Filled, OrderReduced, OrderRemoved, OrderRested
from proofbook.protocol.limits import OrderType, Removal, SelfTradePrevention, Side, TimeInForce
from proofbook.simulator.inspection import account, money, order, position
from proofbook.simulator.scene import USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
IOC, GTT = TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.GOOD_TILL_TIME
MARKET = OrderType.MARKET
MARK = 800_000


@pytest.mark.parametrize("time_in_force", [TimeInForce.GOOD_TILL_CANCELLED, GTT])
def test_market_order_must_not_rest(
    scene: Scene, perpetual: int, time_in_force: TimeInForce
) -> None:
    outcome = scene.place(
        "ann", perpetual, BUY, MARK, 1, order_type=MARKET, time_in_force=time_in_force
    )
    assert outcome.name == "ORDER_COMBINATION_INVALID"


def test_post_only_order_must_be_able_to_rest(scene: Scene, perpetual: int) -> None:
    outcome = scene.place("ann", perpetual, BUY, MARK, 1, post_only=True, time_in_force=IOC)
    assert outcome.name == "ORDER_COMBINATION_INVALID"


def test_market_order_trades_up_to_its_worst_price(scene: Scene, perpetual: int) -> None:
    for ticks in (MARK, MARK + 5, MARK + 20):
        scene.resting("bob", perpetual, SELL, ticks, 2)
    scene.place("ann", perpetual, BUY, MARK + 10, 6, order_type=MARKET, time_in_force=IOC)
    fills = [event for event in scene.events() if isinstance(event, Filled)]
    assert [(fill.price_ticks, fill.lots) for fill in fills] == [(MARK, 2), (MARK + 5, 2)]
    assert account(scene, "ann").orders_resident == 0


def test_good_till_time_order_trades_before_its_time_and_not_after(
    scene: Scene, perpetual: int
) -> None:
    for _ in range(2):
        scene.resting("bob", perpetual, SELL, MARK, 1, time_in_force=GTT)
    scene.place("ann", perpetual, BUY, MARK, 1, time_in_force=IOC)
    assert isinstance(scene.events()[0], Filled)
    scene.wait(10**12)
    scene.place("ann", perpetual, BUY, MARK, 1, time_in_force=IOC)
    removed = scene.events()[0]
    assert isinstance(removed, OrderRemoved)
    assert (removed.removal, removed.account) == (Removal.EXPIRED, scene.accounts["bob"])
    assert account(scene, "bob").orders_live == 0


def test_good_till_cancelled_order_outlives_its_message(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 1)
    scene.wait(10**13)
    scene.place("ann", perpetual, BUY, MARK, 1, time_in_force=IOC)
    assert isinstance(scene.events()[0], Filled)


def meet_oneself(
    scene: Scene, perpetual: int, mode: SelfTradePrevention, maker_lots: int, taker_lots: int
) -> int:
    """Ann's own order stands before bob's at the same price; return the number of hers."""
    own = scene.resting("ann", perpetual, SELL, MARK, maker_lots)
    scene.resting("bob", perpetual, SELL, MARK, 10)
    scene.place("ann", perpetual, BUY, MARK, taker_lots, self_trade_prevention=mode)
    return own


def test_cancel_maker_removes_the_resting_order_and_goes_on(scene: Scene, perpetual: int) -> None:
    meet_oneself(scene, perpetual, SelfTradePrevention.CANCEL_MAKER, 3, 5)
    removed, fill = scene.events()
    assert isinstance(removed, OrderRemoved) and removed.removal == Removal.SELF_TRADE
    assert isinstance(fill, Filled) and fill.lots == 5


def test_cancel_taker_leaves_the_resting_order(scene: Scene, perpetual: int) -> None:
    own = meet_oneself(scene, perpetual, SelfTradePrevention.CANCEL_TAKER, 3, 5)
    (removed,) = scene.events()
    assert isinstance(removed, OrderRemoved)
    assert (removed.order, removed.lots, removed.removal) == (0, 5, Removal.SELF_TRADE)
    assert order(scene, own).lots_remaining == 3


def test_cancel_both_removes_both(scene: Scene, perpetual: int) -> None:
    meet_oneself(scene, perpetual, SelfTradePrevention.CANCEL_BOTH, 3, 5)
    maker, taker = scene.events()
    assert isinstance(maker, OrderRemoved) and isinstance(taker, OrderRemoved)
    assert (maker.lots, taker.lots, taker.order) == (3, 5, 0)
    assert position(scene, "ann") is None


def test_decrement_takes_the_smaller_size_from_both(scene: Scene, perpetual: int) -> None:
    meet_oneself(scene, perpetual, SelfTradePrevention.DECREMENT, 3, 5)
    removed, fill = scene.events()
    assert isinstance(removed, OrderRemoved) and removed.lots == 3
    assert isinstance(fill, Filled) and fill.lots == 2, "five less the three of her own"


def test_decrement_by_a_smaller_taker_leaves_the_rest_of_the_maker(
    scene: Scene, perpetual: int
) -> None:
    own = meet_oneself(scene, perpetual, SelfTradePrevention.DECREMENT, 5, 3)
    (reduced,) = scene.events()
    assert isinstance(reduced, OrderReduced)
    assert (reduced.order, reduced.lots, reduced.removal) == (own, 3, Removal.SELF_TRADE)
    assert order(scene, own).lots_remaining == 2
    held = position(scene, "ann")
    assert held and (held.open_sell_lots, held.lots) == (2, 0)


@pytest.mark.parametrize(("groups", "is_self"), [((7, 7), True), ((7, 8), False), ((0, 0), False)])
def test_group_spans_the_subaccounts_of_one_owner(
    scene: Scene, perpetual: int, groups: tuple[int, int], is_self: bool
) -> None:
    scene.deposit("ann two", 1_000 * USDC, owner="ann")
    scene.resting("ann", perpetual, SELL, MARK, 1, group=groups[0])
    scene.place("ann two", perpetual, BUY, MARK, 1, group=groups[1])
    removals = [event for event in scene.events() if isinstance(event, OrderRemoved)]
    assert bool(removals) == is_self


def test_group_does_not_span_owners(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 1, group=7)
    scene.place("ann", perpetual, BUY, MARK, 1, group=7)
    assert isinstance(scene.events()[0], Filled)


@pytest.mark.parametrize("mode", list(SelfTradePrevention))
def test_no_mode_moves_money(scene: Scene, perpetual: int, mode: SelfTradePrevention) -> None:
    before = money(scene)
    for maker_lots, taker_lots in ((3, 5), (5, 3), (4, 4)):
        meet_oneself(scene, perpetual, mode, maker_lots, taker_lots)
    assert money(scene) == before


def test_rest_of_a_taker_after_decrement_rests(scene: Scene, perpetual: int) -> None:
    scene.resting("ann", perpetual, SELL, MARK, 1)
    scene.place("ann", perpetual, BUY, MARK, 4, self_trade_prevention=SelfTradePrevention.DECREMENT)
    rested = scene.events()[-1]
    assert isinstance(rested, OrderRested) and rested.lots == 3
