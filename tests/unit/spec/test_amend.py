"""Amending: an order that only shrinks keeps its place, any other is placed anew."""

import pytest

from proofbook.protocol.commands import Amend, Quote
from proofbook.protocol.entry import CLASS_CANCEL, CLASS_TAKER, own_class
from proofbook.protocol.events import Filled, OrderReduced, OrderRemoved, OrderRested
from proofbook.protocol.limits import Removal, Side, TimeInForce
from proofbook.simulator.inspection import account, money, order, position
from proofbook.simulator.scene import USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
IOC, GTT = TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.GOOD_TILL_TIME
MARK = 800_000


def first_maker(scene: Scene, perpetual: int) -> str:
    """Return who sells first now at the mark."""
    scene.place("cid", perpetual, BUY, MARK, 1, time_in_force=IOC)
    fill = next(event for event in scene.events() if isinstance(event, Filled))
    return next(name for name, slot in scene.accounts.items() if slot == fill.maker_account)


@pytest.mark.parametrize("price_ticks", [0, MARK])
def test_an_order_that_shrinks_keeps_its_place(
    scene: Scene, perpetual: int, price_ticks: int
) -> None:
    ann = scene.resting("ann", perpetual, SELL, MARK, 5)
    scene.resting("bob", perpetual, SELL, MARK, 5)
    assert scene.amend("ann", ann, price_ticks, 2).is_applied
    (event,) = scene.events()
    assert isinstance(event, OrderReduced)
    assert (event.lots, event.removal) == (3, Removal.AMENDED)
    assert order(scene, ann).lots_remaining == 2
    assert first_maker(scene, perpetual) == "ann"


def test_an_order_that_grows_loses_its_place(scene: Scene, perpetual: int) -> None:
    ann = scene.resting("ann", perpetual, SELL, MARK, 5)
    scene.resting("bob", perpetual, SELL, MARK, 5)
    assert scene.amend("ann", ann, MARK, 6).is_applied
    removed, rested = scene.events()
    assert isinstance(removed, OrderRemoved) and removed.removal == Removal.AMENDED
    assert isinstance(rested, OrderRested) and rested.lots == 6
    assert first_maker(scene, perpetual) == "bob"


def test_an_order_with_a_new_price_may_trade(scene: Scene, perpetual: int) -> None:
    ann = scene.resting("ann", perpetual, SELL, MARK + 10, 5, label=b"straddle")
    scene.resting("bob", perpetual, BUY, MARK, 3)
    before = money(scene)
    assert scene.amend("ann", ann, MARK, 5).is_applied
    removed, fill, rested = scene.events()
    assert isinstance(removed, OrderRemoved) and removed.order == ann
    assert isinstance(fill, Filled) and fill.lots == 3
    assert isinstance(rested, OrderRested)
    assert (rested.lots, rested.label) == (2, b"straddle")
    assert money(scene) == before


def test_an_amendment_that_changes_nothing_is_applied(scene: Scene, perpetual: int) -> None:
    ann = scene.resting("ann", perpetual, SELL, MARK, 5)
    assert scene.amend("ann", ann, 0, 5).is_applied
    assert scene.events() == []


def test_an_order_cannot_grow_without_a_price(scene: Scene, perpetual: int) -> None:
    ann = scene.resting("ann", perpetual, SELL, MARK, 5)
    assert scene.amend("ann", ann, 0, 6).name == "LOTS_OUT_OF_RANGE"


def test_an_order_cannot_shrink_to_nothing(scene: Scene, perpetual: int) -> None:
    ann = scene.resting("ann", perpetual, SELL, MARK, 5)
    assert scene.amend("ann", ann, 0, 0).name == "LOTS_OUT_OF_RANGE"
    assert order(scene, ann).lots_remaining == 5


def test_only_the_owner_amends_a_living_order(scene: Scene, perpetual: int) -> None:
    ann = scene.resting("ann", perpetual, SELL, MARK, 5)
    assert scene.amend("bob", ann, 0, 1).name == "ORDER_NOT_OWNED"
    assert scene.amend("ann", ann + 1, 0, 1).name == "ORDER_NOT_FOUND"
    scene.cancel_all("ann")
    assert scene.amend("ann", ann, 0, 1).name == "ORDER_NOT_FOUND"


def test_an_expired_order_is_not_amended(scene: Scene, perpetual: int) -> None:
    ann = scene.resting("ann", perpetual, SELL, MARK, 5, time_in_force=GTT)
    scene.wait(10**12)
    assert scene.amend("ann", ann, 0, 1).name == "ORDER_NOT_FOUND"


def test_a_quote_is_not_amended(scene: Scene, perpetual: int) -> None:
    scene.quote("ann", Quote(perpetual, SELL, MARK, 5))
    event = scene.events()[0]
    assert isinstance(event, OrderRested)
    assert scene.amend("ann", event.order, 0, 1).name == "ORDER_COMBINATION_INVALID"


@pytest.mark.parametrize(("price_ticks", "lots", "outcome"), [
    (1 << 24, 5, "PRICE_OUT_OF_RANGE"), (MARK, 1 << 40, "LOTS_OUT_OF_RANGE"),
    (MARK - 1, 0, "LOTS_OUT_OF_RANGE"), (MARK, 1 << 38, "VALUE_OUT_OF_RANGE"),
    (MARK, 10**9, "INSUFFICIENT_MARGIN"),
])  # fmt: skip
def test_a_refused_amendment_leaves_the_order(
    scene: Scene, perpetual: int, price_ticks: int, lots: int, outcome: str
) -> None:
    ann = scene.resting("ann", perpetual, SELL, MARK + 1, 5)
    assert scene.amend("ann", ann, price_ticks, lots).name == outcome
    assert scene.events() == []
    assert order(scene, ann).lots_remaining == 5


def test_a_post_only_order_stays_so_when_amended(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, BUY, MARK, 1)
    ann = scene.resting("ann", perpetual, SELL, MARK + 5, 5, post_only=1)
    assert scene.amend("ann", ann, MARK, 5).name == "POST_ONLY_WOULD_CROSS"
    assert scene.amend("ann", ann, MARK + 1, 5).is_applied


def test_margin_of_the_old_order_is_given_back_first(scene: Scene, perpetual: int) -> None:
    """Nearly all that ann can afford: the same size at another price fits only in its place."""
    lots = next(
        lots
        for lots in range(900_000, 0, -20_000)
        if scene.place("ann", perpetual, SELL, MARK, lots).is_applied
    )
    event = scene.events()[-1]
    assert isinstance(event, OrderRested)
    assert scene.place("ann", perpetual, SELL, MARK + 1, lots).name == "INSUFFICIENT_MARGIN"
    assert scene.amend("ann", event.order, MARK + 1, lots).is_applied
    held = position(scene, "ann")
    assert held is not None and held.open_sell_lots == lots


def test_an_account_below_margin_may_still_ask_for_less(scene: Scene, perpetual: int) -> None:
    """A smaller order at a new price requires less, whatever equity there is."""
    scene.deposit("dan", 2_000 * USDC)
    dan = scene.resting("dan", perpetual, BUY, MARK, 1_000)
    scene.publish_index(10 * 80_000 * USDC)
    scene.remark_perpetual()
    assert scene.place("dan", perpetual, BUY, MARK, 1).name == "INSUFFICIENT_MARGIN"
    assert scene.amend("dan", dan, MARK - 1, 900).is_applied


def test_a_full_account_can_still_move_an_order(scene: Scene, perpetual: int) -> None:
    orders = [scene.resting("ann", perpetual, SELL, MARK + i, 1) for i in range(1_024)]
    assert scene.place("ann", perpetual, SELL, MARK, 1).name == "ORDER_LIMIT"
    assert scene.amend("ann", orders[0], MARK - 1, 2).is_applied
    assert account(scene, "ann").orders_resident == 1_024


def test_only_an_amendment_without_a_price_counts_as_a_cancel() -> None:
    assert own_class(Amend(3, 1, 1, 1, 0, 1)) == CLASS_CANCEL
    assert own_class(Amend(3, 1, 1, 1, MARK, 1)) == CLASS_TAKER
