"""Trigger orders: stored, cancelled, ended, and fired by anyone when a price is reached."""

from dataclasses import replace
from typing import Any

import pytest

from proofbook.protocol.commands import FireTrigger, PlaceTrigger, Remark, Tick
from proofbook.protocol.events import (
    Filled,
    OrderRested,
    TriggerFired,
    TriggerPlaced,
    TriggerRemoved,
)
from proofbook.protocol.limits import (
    TRIGGERS_PER_ACCOUNT_MAX,
    Reject,
    Removal,
    Side,
    TimeInForce,
    TriggerCondition,
)
from proofbook.simulator.inspection import account, money, position
from proofbook.simulator.scene import SPOT_ATOMS, Scene

BUY, SELL = Side.BUY, Side.SELL
GTC, IOC = TimeInForce.GOOD_TILL_CANCELLED, TimeInForce.IMMEDIATE_OR_CANCEL
MARK = 800_000
ABOVE, BELOW = TriggerCondition.MARK_AT_OR_ABOVE, TriggerCondition.MARK_AT_OR_BELOW


def move_mark(scene: Scene, ticks: int) -> None:
    scene.wait(10**9)
    assert scene.publish_index(ticks * 100_000).is_applied
    assert scene.remark_perpetual().is_applied


def waiting_stop(scene: Scene, perpetual: int, **options: Any) -> int:
    """A stop of ann's: sell one lot at any price from 790,000 down."""
    return scene.waiting("ann", perpetual, BELOW, MARK - 10_000, SELL, 1, 1, **options)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"instrument": 77}, "INSTRUMENT_NOT_FOUND"),
        ({"price_ticks": 0}, "PRICE_OUT_OF_RANGE"),
        ({"trigger_ticks": 0}, "PRICE_OUT_OF_RANGE"),
        ({"trigger_ticks": 1 << 24}, "PRICE_OUT_OF_RANGE"),
        ({"lots": 0}, "LOTS_OUT_OF_RANGE"),
        ({"lots": 1 << 39, "price_ticks": 1 << 23}, "VALUE_OUT_OF_RANGE"),
        ({"max_fee_ppm": 399}, "FEE_ABOVE_MAX"),
    ],
)
def test_trigger_rejects_an_order_that_could_never_be_placed(
    scene: Scene, perpetual: int, options: dict[str, Any], reason: str
) -> None:
    sound = PlaceTrigger(
        *scene.header("ann"), perpetual, ABOVE, MARK, BUY, MARK, 1, max_fee_ppm=1_000
    )
    assert scene.submit(replace(sound, **options), "ann").name == reason


def test_trigger_rejects_an_instrument_that_was_never_marked(scene: Scene) -> None:
    perpetual = scene.list_perpetual()
    outcome = scene.place_trigger("ann", perpetual, ABOVE, MARK, BUY, MARK, 1)
    assert outcome.name == "MARK_MISSING"


def test_account_may_have_sixty_four_triggers(scene: Scene, perpetual: int) -> None:
    for _ in range(TRIGGERS_PER_ACCOUNT_MAX):
        waiting_stop(scene, perpetual)
    outcome = scene.place_trigger("ann", perpetual, ABOVE, MARK, BUY, MARK, 1)
    assert outcome.name == "TRIGGER_LIMIT"
    assert scene.place_trigger("bob", perpetual, ABOVE, MARK, BUY, MARK, 1).is_applied
    scene.cancel_all("ann")
    assert account(scene, "ann").triggers_count == 32, "the first 32 go at once"
    scene.submit(Tick(scene.accounts["ann"]))
    assert account(scene, "ann").triggers_count == 0


def test_trigger_reserves_nothing_and_says_what_waits(scene: Scene, perpetual: int) -> None:
    outcome = scene.place_trigger(
        "ann", perpetual, ABOVE, MARK + 5, BUY, MARK + 9, 10**9, label=b"stop-001"
    )
    assert outcome.is_applied, "margin is asked for when it fires"
    placed = scene.events()[0]
    assert placed == TriggerPlaced(
        1, scene.accounts["ann"], perpetual, ABOVE, MARK + 5, 0, BUY, MARK + 9, 10**9,
        scene.nonces["ann"], b"stop-001",
    )  # fmt: skip
    assert position(scene, "ann") is None


def test_cancelled_trigger_is_gone(scene: Scene, perpetual: int) -> None:
    trigger = waiting_stop(scene, perpetual)
    assert scene.cancel_trigger("bob", trigger).name == "TRIGGER_NOT_OWNED"
    assert scene.cancel_trigger("ann", trigger + (1 << 32)).name == "TRIGGER_NOT_FOUND"
    assert scene.cancel_trigger("ann", trigger).is_applied
    removed = scene.events()[0]
    assert isinstance(removed, TriggerRemoved) and removed.removal == Removal.CANCELLED
    assert scene.cancel_trigger("ann", trigger).name == "TRIGGER_NOT_FOUND"
    assert scene.submit(FireTrigger(trigger)).name == "TRIGGER_NOT_FOUND"
    assert account(scene, "ann").triggers_count == 0


def test_records_in_the_middle_of_the_list_can_go(scene: Scene, perpetual: int) -> None:
    first, middle, last = (waiting_stop(scene, perpetual) for _ in range(3))
    for trigger in (middle, last, first):
        assert scene.cancel_trigger("ann", trigger).is_applied
    owner = account(scene, "ann")
    assert (owner.triggers_head, owner.triggers_tail, owner.triggers_count) == (0, 0, 0)


def test_fire_rejects_what_does_not_exist(scene: Scene) -> None:
    assert scene.submit(FireTrigger(1)).name == "TRIGGER_NOT_FOUND"


@pytest.mark.parametrize(
    ("condition", "trigger_ticks", "mark_ticks"),
    [
        (TriggerCondition.MARK_AT_OR_ABOVE, MARK + 1_000, MARK + 1_000),
        (TriggerCondition.MARK_AT_OR_BELOW, MARK - 1_000, MARK - 1_000),
        (TriggerCondition.INDEX_AT_OR_ABOVE, MARK + 1_000, MARK + 2_000),
        (TriggerCondition.INDEX_AT_OR_BELOW, MARK - 1_000, MARK - 2_000),
    ],
)
def test_trigger_fires_when_its_price_is_reached_and_not_before(
    scene: Scene, perpetual: int, condition: TriggerCondition, trigger_ticks: int, mark_ticks: int
) -> None:
    scene.resting("bob", perpetual, BUY, MARK - 3_000, 5)
    trigger = scene.waiting("ann", perpetual, condition, trigger_ticks, SELL, 1, 5)
    assert scene.submit(FireTrigger(trigger)).name == "TRIGGER_NOT_MET"
    move_mark(scene, mark_ticks)
    before = money(scene)
    assert scene.submit(FireTrigger(trigger)).is_applied
    filled, fired = scene.events()
    assert isinstance(filled, Filled) and filled.price_ticks == MARK - 3_000
    assert fired == TriggerFired(trigger, scene.accounts["ann"], perpetual, 0)
    assert money(scene) == before
    assert scene.submit(FireTrigger(trigger)).name == "TRIGGER_NOT_FOUND"


@pytest.mark.parametrize(
    ("condition", "last_ticks"),
    [
        (TriggerCondition.LAST_AT_OR_ABOVE, MARK + 4),
        (TriggerCondition.LAST_AT_OR_BELOW, MARK - 4),
    ],
)
def test_trigger_watches_the_last_trade_once_there_is_one(
    scene: Scene, perpetual: int, condition: TriggerCondition, last_ticks: int
) -> None:
    trigger = scene.waiting("ann", perpetual, condition, last_ticks, BUY, MARK, 1)
    assert scene.submit(FireTrigger(trigger)).name == "TRIGGER_NOT_MET", "nothing traded yet"
    for ticks in (MARK, last_ticks):
        assert scene.submit(FireTrigger(trigger)).name == "TRIGGER_NOT_MET"
        scene.resting("bob", perpetual, SELL, ticks, 1)
        scene.place("cid", perpetual, BUY, ticks, 1)
    assert scene.submit(FireTrigger(trigger)).is_applied


def test_fired_order_may_rest(scene: Scene, perpetual: int) -> None:
    trigger = scene.waiting(
        "ann", perpetual, BELOW, MARK, BUY, MARK - 50, 2, time_in_force=GTC, label=b"resting."
    )
    assert scene.submit(FireTrigger(trigger)).is_applied
    rested = scene.events()[0]
    assert isinstance(rested, OrderRested)
    assert (rested.price_ticks, rested.lots, rested.label) == (MARK - 50, 2, b"resting.")


@pytest.mark.parametrize(
    ("lots", "options", "reason"),
    [
        (10**9, {"time_in_force": GTC}, Reject.INSUFFICIENT_MARGIN),
        (1, {"reduce_only": True}, Reject.REDUCE_ONLY_WOULD_INCREASE),
        (1, {"time_in_force": TimeInForce.FILL_OR_KILL}, Reject.WOULD_NOT_FILL),
    ],
)
def test_order_that_is_refused_when_it_fires_is_gone_and_the_event_says_why(
    scene: Scene, perpetual: int, lots: int, options: dict[str, Any], reason: Reject
) -> None:
    trigger = scene.waiting("ann", perpetual, ABOVE, MARK, BUY, MARK, lots, **options)
    before = money(scene)
    assert scene.submit(FireTrigger(trigger)).is_applied
    assert scene.events() == [TriggerFired(trigger, scene.accounts["ann"], perpetual, reason)]
    assert account(scene, "ann").triggers_count == 0
    assert (position(scene, "ann"), money(scene)) == (None, before)


def test_stop_closes_what_is_left_of_the_position(scene: Scene, perpetual: int) -> None:
    for maker, taker in (("bob", "ann"), ("ann", "bob")):
        scene.resting(maker, perpetual, SELL, MARK, 3 if maker == "bob" else 1)
        scene.place(taker, perpetual, BUY, MARK, 3 if maker == "bob" else 1)
    trigger = scene.waiting("ann", perpetual, BELOW, MARK, SELL, 1, 3, reduce_only=True)
    scene.resting("bob", perpetual, BUY, MARK - 9, 10)
    assert scene.submit(FireTrigger(trigger)).is_applied
    filled = scene.events()[0]
    assert isinstance(filled, Filled) and filled.lots == 2, "one lot was sold before"


def test_trigger_past_its_time_is_removed_by_whoever_fires_it(scene: Scene, perpetual: int) -> None:
    trigger = waiting_stop(scene, perpetual)
    scene.wait(10**12)
    assert scene.submit(FireTrigger(trigger)).is_applied
    removed = scene.events()[0]
    assert isinstance(removed, TriggerRemoved) and removed.removal == Removal.EXPIRED


def test_cancel_all_ends_triggers_too(scene: Scene, perpetual: int) -> None:
    triggers = [waiting_stop(scene, perpetual) for _ in range(33)]
    scene.cancel_all("ann")
    ended = [event for event in scene.events() if isinstance(event, TriggerRemoved)]
    assert [event.removal for event in ended] == [Removal.EPOCH] * 32
    assert scene.cancel_trigger("ann", triggers[-1]).name == "TRIGGER_NOT_FOUND"
    assert scene.submit(FireTrigger(triggers[-1])).is_applied
    last = scene.events()[0]
    assert isinstance(last, TriggerRemoved) and last.removal == Removal.EPOCH


def test_freed_record_is_used_again_under_another_number(scene: Scene, perpetual: int) -> None:
    first = waiting_stop(scene, perpetual)
    scene.cancel_trigger("ann", first)
    assert waiting_stop(scene, perpetual) == first + (1 << 32)


def test_trigger_on_a_worthless_option_can_be_met(scene: Scene, call: int) -> None:
    """A mark of zero is a mark."""
    trigger = scene.waiting("ann", call, BELOW, 1, BUY, 1, 1)
    scene.wait(10**9)
    assert scene.publish_forward(SPOT_ATOMS // 1_000).is_applied
    assert scene.submit(Remark(1)).is_applied
    assert scene.submit(FireTrigger(trigger)).is_applied
