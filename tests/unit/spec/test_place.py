"""Placing orders: every rejection in order of precedence, every way to succeed, money conserved."""

import pytest

from proofbook.protocol.events import Filled, OrderRemoved, OrderRested
from proofbook.protocol.limits import FEE_ACCOUNT, Removal, Side, TimeInForce
from proofbook.simulator.inspection import (
    account,
    account_at,
    header,
    instrument,
    money,
    order,
    position,
)
from proofbook.simulator.scene import EXPIRY_NS, GENESIS_NS, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
IOC = TimeInForce.IMMEDIATE_OR_CANCEL
MARK = 800_000


def test_place_rejects_unknown_instrument(scene: Scene) -> None:
    assert scene.place("ann", 9, BUY, MARK, 1).name == "INSTRUMENT_NOT_FOUND"


def test_place_rejects_instrument_of_another_generation(scene: Scene, perpetual: int) -> None:
    assert scene.place("ann", perpetual + (1 << 16), BUY, MARK, 1).name == "INSTRUMENT_NOT_FOUND"


def test_place_rejects_slot_zero(scene: Scene) -> None:
    assert scene.place("ann", 0, BUY, MARK, 1).name == "INSTRUMENT_NOT_FOUND"


def test_place_rejects_expired_instrument(scene: Scene, call: int) -> None:
    scene.wait(EXPIRY_NS - GENESIS_NS)
    assert scene.place("ann", call, BUY, 10, 1).name == "INSTRUMENT_EXPIRED"


@pytest.mark.parametrize("price_ticks", [0, 1 << 24, (1 << 32) - 1])
def test_place_rejects_price_outside_the_index(
    scene: Scene, perpetual: int, price_ticks: int
) -> None:
    assert scene.place("ann", perpetual, BUY, price_ticks, 1).name == "PRICE_OUT_OF_RANGE"


@pytest.mark.parametrize("lots", [0, 1 << 40, (1 << 64) - 1])
def test_place_rejects_size_out_of_range(scene: Scene, perpetual: int, lots: int) -> None:
    assert scene.place("ann", perpetual, BUY, MARK, lots).name == "LOTS_OUT_OF_RANGE"


def test_place_rejects_value_above_the_bound(scene: Scene, perpetual: int) -> None:
    lots = (1 << 56) // (MARK * 10) + 1
    assert scene.place("ann", perpetual, BUY, MARK, lots).name == "VALUE_OUT_OF_RANGE"
    assert scene.place("ann", perpetual, BUY, MARK, lots - 1).name == "INSUFFICIENT_MARGIN"


def test_place_rejects_fee_above_the_traders_maximum(scene: Scene, perpetual: int) -> None:
    assert scene.place("ann", perpetual, BUY, MARK, 1, max_fee_ppm=399).name == "FEE_ABOVE_MAX"
    assert scene.place("ann", perpetual, BUY, MARK, 1, max_fee_ppm=400).is_applied


def test_place_rejects_instrument_without_a_mark(scene: Scene) -> None:
    instrument_id = scene.list_perpetual()
    assert scene.place("ann", instrument_id, BUY, MARK, 1).name == "MARK_MISSING"


def test_place_rejects_reduce_only_without_a_position(scene: Scene, perpetual: int) -> None:
    outcome = scene.place("ann", perpetual, SELL, MARK, 1, reduce_only=True)
    assert outcome.name == "REDUCE_ONLY_WOULD_INCREASE"


def test_place_rejects_reduce_only_on_the_side_of_the_position(
    scene: Scene, perpetual: int
) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 5)
    scene.place("ann", perpetual, BUY, MARK, 5)
    outcome = scene.place("ann", perpetual, BUY, MARK, 1, reduce_only=True)
    assert outcome.name == "REDUCE_ONLY_WOULD_INCREASE"


def test_place_rejects_post_only_that_reaches_the_other_side(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 5)
    assert (
        scene.place("ann", perpetual, BUY, MARK, 1, post_only=True).name == "POST_ONLY_WOULD_CROSS"
    )
    assert scene.place("ann", perpetual, BUY, MARK - 1, 1, post_only=True).is_applied


def test_place_rejects_the_order_above_the_limit_of_resident_orders(
    scene: Scene, perpetual: int
) -> None:
    for _ in range(1_024):
        scene.resting("ann", perpetual, BUY, 1, 1)
    assert scene.place("ann", perpetual, BUY, 1, 1).name == "ORDER_LIMIT"
    assert scene.place("ann", perpetual, BUY, 1, 1, time_in_force=IOC).is_applied


def test_place_rejects_an_order_beyond_the_position_limit(scene: Scene) -> None:
    cheap = scene.open_perpetual(price_atoms=100_000)
    scene.resting("ann", cheap, BUY, 1, 1 << 30)
    assert scene.place("ann", cheap, BUY, 1, (1 << 40) - 1).name == "POSITION_LIMIT"


def test_place_rejects_what_equity_does_not_cover(scene: Scene, perpetual: int) -> None:
    """1,000,000 USDC carry 5.88 million of notional at 16 + 1 %, less the fee that is set aside."""
    assert scene.place("ann", perpetual, BUY, MARK, 735_294).name == "INSUFFICIENT_MARGIN"
    assert scene.place("ann", perpetual, BUY, MARK, 730_000).is_applied


def test_margin_counts_the_adverse_limit_but_gives_no_credit_for_a_better_one(
    scene: Scene, perpetual: int
) -> None:
    assert scene.place("ann", perpetual, BUY, MARK * 2, 700_000).name == "INSUFFICIENT_MARGIN"
    assert scene.place("ann", perpetual, BUY, MARK // 2, 781_250).name == "INSUFFICIENT_MARGIN"


def test_order_that_meets_nobody_rests(scene: Scene, perpetual: int) -> None:
    order_id = scene.resting("ann", perpetual, BUY, MARK - 5, 7, label=b"strategy")
    record = order(scene, order_id)
    assert (record.lots_remaining, record.price_ticks, record.label) == (7, MARK - 5, b"strategy")
    assert account(scene, "ann").orders_live == 1


def test_taker_trades_at_the_makers_price_and_rests_the_rest(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK - 10, 3)
    scene.place("ann", perpetual, BUY, MARK, 5)
    fill, rested = scene.events()
    assert isinstance(fill, Filled) and isinstance(rested, OrderRested)
    assert (fill.price_ticks, fill.lots, rested.lots, rested.price_ticks) == (MARK - 10, 3, 2, MARK)
    held, owed = position(scene, "ann"), position(scene, "bob")
    assert held and owed
    value_atoms = (MARK - 10) * 3 * 10
    assert (held.lots, held.entry_atoms) == (3, -value_atoms)
    assert (owed.lots, owed.entry_atoms) == (-3, value_atoms)
    assert instrument(scene, perpetual).open_interest_lots == 3


def test_orders_trade_by_price_then_time(scene: Scene, perpetual: int) -> None:
    first = scene.resting("bob", perpetual, SELL, MARK, 1)
    second = scene.resting("cid", perpetual, SELL, MARK, 1)
    better = scene.resting("cid", perpetual, SELL, MARK - 1, 1)
    scene.place("ann", perpetual, BUY, MARK, 3)
    fills = [event for event in scene.events() if isinstance(event, Filled)]
    assert [fill.maker_order for fill in fills] == [better, first, second]


def test_immediate_or_cancel_leaves_nothing_behind(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 1)
    scene.place("ann", perpetual, BUY, MARK, 5, time_in_force=IOC)
    removed = scene.events()[-1]
    assert isinstance(removed, OrderRemoved)
    assert (removed.removal, removed.lots, removed.order) == (Removal.IMMEDIATE, 4, 0)
    assert account(scene, "ann").orders_resident == 0


def test_own_order_in_the_way_is_removed(scene: Scene, perpetual: int) -> None:
    scene.resting("ann", perpetual, SELL, MARK, 2)
    scene.place("ann", perpetual, BUY, MARK, 2)
    removed = scene.events()[0]
    assert isinstance(removed, OrderRemoved) and removed.removal == Removal.SELF_TRADE
    held = position(scene, "ann")
    assert held and held.lots == 0


def test_taker_stops_after_32_makers(scene: Scene, perpetual: int) -> None:
    for _ in range(33):
        scene.resting("bob", perpetual, SELL, MARK, 1)
    scene.place("ann", perpetual, BUY, MARK, 33)
    removed = scene.events()[-1]
    assert isinstance(removed, OrderRemoved)
    assert (removed.removal, removed.lots) == (Removal.FILL_LIMIT, 1)


def test_fees_are_rounded_up_and_collected(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK + 1, 1)
    scene.place("ann", perpetual, BUY, MARK + 1, 1)
    fill = scene.events()[0]
    assert isinstance(fill, Filled)
    assert fill.maker_fee_atoms == 801, "8,000,010 atoms at 100 ppm are 800.001"
    assert fill.taker_fee_atoms == 3_201, "and at 400 ppm 3,200.004"
    assert account_at(scene, FEE_ACCOUNT).cash_atoms == 801 + 3_201


def test_premium_moves_cash_and_not_entry(scene: Scene, call: int) -> None:
    scene.resting("bob", call, SELL, 30_000, 2)
    scene.place("ann", call, BUY, 30_000, 2)
    held = position(scene, "ann")
    assert held and (held.lots, held.entry_atoms) == (2, 0)
    premium = 30_000 * 2 * 1_000
    assert account(scene, "ann").cash_atoms == 1_000_000 * USDC - premium - 30_000


def test_closing_moves_profit_into_cash(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 10)
    scene.place("ann", perpetual, BUY, MARK, 10)
    scene.resting("bob", perpetual, BUY, MARK + 100, 10)
    scene.place("ann", perpetual, SELL, MARK + 100, 10, reduce_only=True)
    assert position(scene, "ann") is None and position(scene, "bob") is None
    fees = 400 * (MARK * 100 + (MARK + 100) * 100) // 10**6
    assert account(scene, "ann").cash_atoms == 1_000_000 * USDC + 10_000 - fees


def test_reduce_only_is_clipped_to_the_position(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 3)
    scene.place("ann", perpetual, BUY, MARK, 3)
    rested = scene.resting("ann", perpetual, SELL, MARK + 5, 10, reduce_only=True)
    assert order(scene, rested).lots_remaining == 3


def test_resting_reduce_only_order_never_turns_the_position(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 3)
    scene.place("ann", perpetual, BUY, MARK, 3)
    for _ in range(2):
        scene.resting("ann", perpetual, SELL, MARK + 5, 3, reduce_only=True)
    scene.place("bob", perpetual, BUY, MARK + 5, 6, time_in_force=IOC)
    assert position(scene, "ann") is None, "the second order found nothing left to reduce"
    removed = [event for event in scene.events() if isinstance(event, OrderRemoved)]
    assert [event.removal for event in removed] == [Removal.REDUCE_ONLY, Removal.IMMEDIATE]


def test_reducing_order_passes_without_margin(scene: Scene, perpetual: int) -> None:
    """A long under water by a fifth may still sell, immediately or reduce-only, but may not buy."""
    scene.resting("bob", perpetual, SELL, MARK, 300_000)
    scene.resting("cid", perpetual, SELL, MARK, 300_000)
    scene.place("ann", perpetual, BUY, MARK, 600_000)
    scene.wait(10**9)
    assert scene.publish_index(66_000_000_000).is_applied
    assert scene.remark_perpetual().is_applied
    assert scene.place("ann", perpetual, BUY, 660_000, 1).name == "INSUFFICIENT_MARGIN"
    assert scene.place("ann", perpetual, SELL, 660_000, 1_000, reduce_only=True).is_applied
    assert scene.place("ann", perpetual, SELL, 660_000, 1_000, time_in_force=IOC).is_applied


def test_fills_conserve_money(scene: Scene, perpetual: int, call: int) -> None:
    deposited = money(scene)
    for place in range(40):
        name = ("ann", "bob", "cid")[place % 3]
        scene.place(name, perpetual, Side(place & 1), MARK + place % 7, 1 + place)
        scene.place(name, call, Side(place >> 1 & 1), 29_000 + place % 5, 1 + place)
    assert money(scene) == deposited == header(scene).custody_atoms
