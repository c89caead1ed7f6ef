"""Tick and CancelAll remove what is over, and nothing else; holders are listed by instrument."""

from collections.abc import Iterator

import pytest

from proofbook.protocol.commands import FireTrigger, Quote, Tick
from proofbook.protocol.events import OrderRemoved, TriggerRemoved
from proofbook.protocol.limits import (
    COMBO_PRICE_OFFSET_TICKS,
    REMOVALS_PER_TICK_MAX,
    TRIGGERS_PER_ACCOUNT_MAX,
    ArenaId,
    InstrumentState,
    Removal,
    Side,
    TimeInForce,
    TriggerCondition,
)
from proofbook.protocol.records import PositionRecord
from proofbook.simulator.inspection import account, instrument, position
from proofbook.simulator.scene import EXPIRY_NS, Scene

BUY, SELL = Side.BUY, Side.SELL
GTT = TimeInForce.GOOD_TILL_TIME
MARK = 800_000
BELOW = TriggerCondition.MARK_AT_OR_BELOW
LATER_NS = 2 * 10**12
"""Beyond the end of what is placed good-till-time."""


def sweep(scene: Scene, name: str, order: int = 0) -> list[Removal]:
    """Sweep an account from an order on; return why orders were removed."""
    assert scene.submit(Tick(scene.accounts[name], order)).is_applied
    return [event.removal for event in scene.events() if isinstance(event, OrderRemoved)]


def timed(scene: Scene, instrument: int, price_ticks: int = MARK - 9) -> int:
    return scene.resting("ann", instrument, BUY, price_ticks, 1, time_in_force=GTT)


# Which orders


def test_what_is_past_its_time_is_removed_and_what_lives_is_passed_over(
    scene: Scene, perpetual: int
) -> None:
    first = timed(scene, perpetual)
    alive = scene.resting("ann", perpetual, BUY, MARK - 5, 1)
    timed(scene, perpetual)
    assert sweep(scene, "ann") == [], "their time is not over"
    scene.wait(LATER_NS)
    assert sweep(scene, "ann") == [Removal.EXPIRED] * 2
    assert account(scene, "ann").orders_resident == 1
    assert scene.cancel("ann", alive).is_applied
    assert position(scene, "ann") is None
    assert scene.cancel("ann", first).name == "ORDER_NOT_FOUND"


@pytest.mark.parametrize("is_by_time", [False, True])
def test_orders_of_a_book_at_its_end_are_removed(scene: Scene, call: int, is_by_time: bool) -> None:
    scene.resting("ann", call, BUY, 10, 1)
    if is_by_time:
        scene.wait(EXPIRY_NS - scene.window_ns)
    else:
        scene.set_instrument(call, InstrumentState.EXPIRED)
    assert sweep(scene, "ann") == [Removal.EXPIRED]
    assert instrument(scene, call).holders_count == 0


def test_orders_of_a_halted_book_stay(scene: Scene, perpetual: int) -> None:
    scene.resting("ann", perpetual, BUY, MARK - 5, 1)
    scene.set_instrument(perpetual, InstrumentState.HALTED)
    assert sweep(scene, "ann") == []


def test_orders_of_a_combo_go_when_a_leg_has_ended(scene: Scene, perpetual: int, call: int) -> None:
    combo = scene.combo("ann", (perpetual, 1), (call, -1))
    scene.resting("ann", combo, BUY, COMBO_PRICE_OFFSET_TICKS + 9, 1)
    scene.set_instrument(perpetual, InstrumentState.EXPIRED)
    assert sweep(scene, "ann") == [Removal.EXPIRED]
    assert account(scene, "ann").positions_count == 0, "the legs' records go too"


def test_quotes_under_a_frozen_protection_go_without_a_taker(scene: Scene, perpetual: int) -> None:
    assert scene.protect("ann", 1, 10**9, 0, 100_000).is_applied
    quotes = (Quote(perpetual, BUY, MARK - 1, 1), Quote(perpetual, SELL, MARK + 9, 1))
    assert scene.quote("ann", *quotes, protection=1).is_applied
    assert scene.place("bob", perpetual, SELL, MARK - 1, 1).is_applied
    assert sweep(scene, "ann") == [Removal.PROTECTION]


# From which order on


def test_a_sweep_from_the_oldest_does_not_reach_beyond_32(scene: Scene, perpetual: int) -> None:
    for place in range(REMOVALS_PER_TICK_MAX):
        scene.resting("ann", perpetual, BUY, MARK - 100 - place, 1)
    late = timed(scene, perpetual)
    scene.wait(LATER_NS)
    assert sweep(scene, "ann") == [], "32 lively ones are looked at"
    assert sweep(scene, "ann", late) == [Removal.EXPIRED]


def test_a_sweep_goes_on_from_the_order_named(scene: Scene, perpetual: int) -> None:
    orders = [timed(scene, perpetual) for _ in range(2 * REMOVALS_PER_TICK_MAX)]
    scene.wait(LATER_NS)
    assert len(sweep(scene, "ann", orders[10])) == REMOVALS_PER_TICK_MAX
    left = account(scene, "ann").orders_resident
    assert left == REMOVALS_PER_TICK_MAX
    assert scene.submit(Tick(scene.accounts["ann"], orders[10])).name == "ORDER_NOT_FOUND"
    assert len(sweep(scene, "ann", orders[10 + REMOVALS_PER_TICK_MAX])) == left - 10
    assert len(sweep(scene, "ann")) == 10


def test_a_sweep_may_begin_with_a_dead_order(scene: Scene, perpetual: int) -> None:
    orders = [scene.resting("ann", perpetual, BUY, MARK - 9, 1) for _ in range(40)]
    scene.cancel_all("ann")
    assert sweep(scene, "ann", orders[35]) == [Removal.EPOCH] * 5
    assert sweep(scene, "ann") == [Removal.EPOCH] * 3


def test_tick_rejects_an_order_that_is_not_there(scene: Scene, perpetual: int) -> None:
    order = scene.resting("ann", perpetual, BUY, MARK - 9, 1)
    ann = scene.accounts["ann"]
    for number in (order + 1, order | 1 << 32, (1 << 64) - 1):
        assert scene.submit(Tick(ann, number)).name == "ORDER_NOT_FOUND"
    assert scene.cancel("ann", order).is_applied
    assert scene.submit(Tick(ann, order)).name == "ORDER_NOT_FOUND"


def test_tick_rejects_an_order_of_somebody_else(scene: Scene, perpetual: int) -> None:
    order = scene.resting("ann", perpetual, BUY, MARK - 9, 1)
    assert scene.submit(Tick(scene.accounts["bob"], order)).name == "ORDER_NOT_OWNED"
    assert scene.submit(Tick(0, order)).name == "ACCOUNT_NOT_FOUND", "nobody has orders"


# Waiting orders


def test_waiting_orders_that_are_over_go_and_others_stay(
    scene: Scene, perpetual: int, call: int
) -> None:
    stop = (BELOW, 10, SELL, 1, 1)
    past = scene.waiting("ann", perpetual, *stop)
    of_the_book = scene.waiting("ann", call, *stop)
    scene.wait(LATER_NS)
    alive = scene.waiting("ann", perpetual, *stop)
    scene.set_instrument(call, InstrumentState.EXPIRED)
    sweep(scene, "ann")
    removed = [(e.trigger, e.removal) for e in scene.events() if isinstance(e, TriggerRemoved)]
    assert removed == [(past, Removal.EXPIRED), (of_the_book, Removal.EXPIRED)]
    assert account(scene, "ann").triggers_count == 1
    assert scene.submit(FireTrigger(alive)).name == "TRIGGER_NOT_MET"


def test_a_sweep_removes_32_waiting_orders_at_most(scene: Scene, perpetual: int) -> None:
    for place in range(TRIGGERS_PER_ACCOUNT_MAX):
        scene.waiting("ann", perpetual, BELOW, 10 + place, SELL, 1, 1)
    scene.wait(LATER_NS)
    for left in (TRIGGERS_PER_ACCOUNT_MAX - REMOVALS_PER_TICK_MAX, 0):
        sweep(scene, "ann")
        assert account(scene, "ann").triggers_count == left


# Holders


def holders(scene: Scene, identifier: int) -> Iterator[int]:
    """Yield the accounts with a record in an instrument, in the order of its list."""
    slot, previous = instrument(scene, identifier).holders_head, 0
    while slot:
        record = PositionRecord.unpack(scene.engine.read(ArenaId.POSITIONS, slot))
        assert record.previous_in_instrument == previous
        yield record.account
        previous, slot = slot, record.next_in_instrument
    assert instrument(scene, identifier).holders_tail == previous


def test_holders_join_with_their_first_order_and_leave_with_the_last(
    scene: Scene, perpetual: int
) -> None:
    orders = {
        name: scene.resting(name, perpetual, BUY, MARK - 9, 1) for name in ("ann", "bob", "cid")
    }
    accounts = scene.accounts
    assert list(holders(scene, perpetual)) == [accounts[name] for name in orders]
    scene.cancel("bob", orders["bob"])
    assert list(holders(scene, perpetual)) == [accounts["ann"], accounts["cid"]]
    assert scene.place("bob", perpetual, SELL, MARK - 9, 1).is_applied
    assert list(holders(scene, perpetual)) == [accounts[name] for name in ("ann", "cid", "bob")]
    scene.cancel("cid", orders["cid"])
    scene.resting("bob", perpetual, BUY, MARK, 1)
    assert scene.place("ann", perpetual, SELL, MARK, 1).is_applied, "both are flat"
    assert list(holders(scene, perpetual)) == []
    assert instrument(scene, perpetual).holders_count == 0
