"""The dead-man timer: every order of an account ends with its deadline, poked or not."""

import pytest

from proofbook.protocol.commands import Tick
from proofbook.protocol.events import DeadManSet, Filled, OrderRemoved, OrdersCancelled
from proofbook.protocol.limits import DEAD_MAN_AHEAD_MAX_NS, Removal, Side, TimeInForce
from proofbook.simulator.inspection import account, position
from proofbook.simulator.scene import MILLISECOND_NS, Scene

BUY, SELL = Side.BUY, Side.SELL
IOC = TimeInForce.IMMEDIATE_OR_CANCEL
MARK = 800_000
SECOND_NS = 10**9


def set_timer(scene: Scene) -> None:
    assert scene.set_dead_man("ann", scene.window_ns + SECOND_NS).is_applied


@pytest.mark.parametrize("ahead_ns", [-1, 0, DEAD_MAN_AHEAD_MAX_NS + 1])
def test_a_deadline_lies_within_the_next_day(scene: Scene, ahead_ns: int) -> None:
    deadline_ns = scene.window_ns + MILLISECOND_NS + ahead_ns
    assert scene.set_dead_man("ann", deadline_ns).name == "DEADLINE_OUT_OF_RANGE"
    assert account(scene, "ann").dead_man_ns == 0


def test_a_deadline_is_told_and_kept(scene: Scene) -> None:
    deadline_ns = scene.window_ns + MILLISECOND_NS + DEAD_MAN_AHEAD_MAX_NS
    assert scene.set_dead_man("ann", deadline_ns).is_applied
    assert scene.events() == [DeadManSet(scene.accounts["ann"], deadline_ns)]
    assert account(scene, "ann").dead_man_ns == deadline_ns


def test_orders_live_until_the_deadline(scene: Scene, perpetual: int) -> None:
    scene.resting("ann", perpetual, SELL, MARK, 2)
    set_timer(scene)
    scene.place("bob", perpetual, BUY, MARK, 1, time_in_force=IOC)
    assert isinstance(scene.events()[0], Filled)


def test_a_taker_meets_no_order_past_its_deadline(scene: Scene, perpetual: int) -> None:
    scene.resting("ann", perpetual, SELL, MARK, 1)
    set_timer(scene)
    scene.wait(2 * SECOND_NS)
    scene.place("bob", perpetual, BUY, MARK, 1, time_in_force=IOC)
    removed = scene.events()[0]
    assert isinstance(removed, OrderRemoved)
    assert removed.removal == Removal.EPOCH
    assert account(scene, "ann").orders_resident == 0


def test_anyone_may_clear_the_book_after_the_deadline(scene: Scene, perpetual: int) -> None:
    scene.resting("ann", perpetual, SELL, MARK, 1)
    set_timer(scene)
    scene.wait(2 * SECOND_NS)
    assert scene.submit(Tick(scene.accounts["ann"])).is_applied
    assert isinstance(scene.events()[0], OrdersCancelled)
    record = account(scene, "ann")
    assert (record.orders_resident, record.orders_live, record.dead_man_ns) == (0, 0, 0)


def test_a_deadline_moved_in_time_saves_the_orders(scene: Scene, perpetual: int) -> None:
    scene.resting("ann", perpetual, SELL, MARK, 1)
    set_timer(scene)
    scene.wait(SECOND_NS // 2)
    assert scene.set_dead_man("ann", scene.window_ns + 60 * SECOND_NS).is_applied
    scene.wait(2 * SECOND_NS)
    scene.place("bob", perpetual, BUY, MARK, 1, time_in_force=IOC)
    assert isinstance(scene.events()[0], Filled)


@pytest.mark.parametrize("deadline_ahead_ns", [None, 10 * SECOND_NS])
def test_a_deadline_moved_too_late_does_not(
    scene: Scene, perpetual: int, deadline_ahead_ns: int | None
) -> None:
    scene.resting("ann", perpetual, SELL, MARK, 1)
    set_timer(scene)
    scene.wait(2 * SECOND_NS)
    new_ns = 0 if deadline_ahead_ns is None else scene.window_ns + deadline_ahead_ns
    assert scene.set_dead_man("ann", new_ns).is_applied
    cancelled, told = scene.events()
    assert isinstance(cancelled, OrdersCancelled) and isinstance(told, DeadManSet)
    scene.place("bob", perpetual, BUY, MARK, 1, time_in_force=IOC)
    assert not any(isinstance(event, Filled) for event in scene.events())


def test_orders_placed_after_the_deadline_live(scene: Scene, perpetual: int) -> None:
    old = scene.resting("ann", perpetual, SELL, MARK, 1)
    set_timer(scene)
    scene.wait(2 * SECOND_NS)
    scene.resting("ann", perpetual, SELL, MARK + 1, 3)
    record, held = account(scene, "ann"), position(scene, "ann")
    assert (record.orders_live, record.dead_man_ns) == (1, 0)
    assert held is not None and held.open_sell_lots == 3
    assert scene.cancel("ann", old).name == "ORDER_NOT_FOUND"


def test_margin_counts_no_order_past_its_deadline(scene: Scene, perpetual: int) -> None:
    lots = next(
        lots
        for lots in range(900_000, 0, -20_000)
        if scene.place("ann", perpetual, SELL, MARK, lots).is_applied
    )
    set_timer(scene)
    assert scene.place("ann", perpetual, SELL, MARK, lots).name == "INSUFFICIENT_MARGIN"
    scene.wait(2 * SECOND_NS)
    assert scene.place("ann", perpetual, SELL, MARK, lots).is_applied


def test_cancel_all_spends_a_passed_deadline(scene: Scene, perpetual: int) -> None:
    scene.resting("ann", perpetual, SELL, MARK, 1)
    set_timer(scene)
    scene.wait(2 * SECOND_NS)
    assert scene.cancel_all("ann").is_applied
    record = account(scene, "ann")
    assert (record.orders_resident, record.dead_man_ns) == (0, 0)
