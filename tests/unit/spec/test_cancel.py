"""Cancelling one order, and all at once."""

from proofbook.protocol.commands import Tick
from proofbook.protocol.events import OrderRemoved
from proofbook.protocol.limits import Removal, Side
from proofbook.simulator.inspection import account, position
from proofbook.simulator.scene import Scene

BUY, SELL = Side.BUY, Side.SELL
MARK = 800_000


def test_cancel_removes_the_order_and_its_empty_position(scene: Scene, perpetual: int) -> None:
    order = scene.resting("ann", perpetual, BUY, MARK - 1, 4)
    assert scene.cancel("ann", order).is_applied
    removed = scene.events()[0]
    assert isinstance(removed, OrderRemoved)
    assert (removed.order, removed.lots, removed.removal) == (order, 4, Removal.CANCELLED)
    assert position(scene, "ann") is None
    assert account(scene, "ann").orders_resident == 0


def test_cancel_rejects_unknown_order(scene: Scene, perpetual: int) -> None:
    assert scene.cancel("ann", 5).name == "ORDER_NOT_FOUND"


def test_cancel_rejects_slot_zero(scene: Scene, perpetual: int) -> None:
    assert scene.cancel("ann", 0).name == "ORDER_NOT_FOUND"


def test_cancel_rejects_an_order_twice_even_if_its_slot_lives_again(
    scene: Scene, perpetual: int
) -> None:
    order = scene.resting("ann", perpetual, BUY, MARK - 1, 4)
    scene.cancel("ann", order)
    assert scene.cancel("ann", order).name == "ORDER_NOT_FOUND"
    again = scene.resting("bob", perpetual, BUY, MARK - 1, 4)
    assert again & 0xFFFF_FFFF == order & 0xFFFF_FFFF, "the slot is reused"
    assert scene.cancel("ann", order).name == "ORDER_NOT_FOUND"


def test_cancel_rejects_the_order_of_another_account(scene: Scene, perpetual: int) -> None:
    order = scene.resting("ann", perpetual, BUY, MARK - 1, 4)
    assert scene.cancel("bob", order).name == "ORDER_NOT_OWNED"


def test_cancel_all_ends_every_order_at_once_and_removes_32(scene: Scene, perpetual: int) -> None:
    orders = [scene.resting("ann", perpetual, BUY, MARK - 1 - i % 3, 1) for i in range(40)]
    assert scene.cancel_all("ann").is_applied
    record = account(scene, "ann")
    assert (record.orders_live, record.orders_resident) == (0, 8)
    assert scene.cancel("ann", orders[-1]).name == "ORDER_NOT_FOUND"


def test_dead_orders_are_not_traded_but_removed(scene: Scene, perpetual: int) -> None:
    for _ in range(34):
        scene.resting("ann", perpetual, SELL, MARK, 1)
    scene.cancel_all("ann")
    alive = scene.resting("bob", perpetual, SELL, MARK, 1)
    scene.place("cid", perpetual, BUY, MARK, 1)
    removed = [event.removal for event in scene.events() if isinstance(event, OrderRemoved)]
    assert removed == [Removal.EPOCH, Removal.EPOCH]
    assert scene.cancel("bob", alive).name == "ORDER_NOT_FOUND", "it was filled"


def test_tick_sweeps_dead_orders(scene: Scene, perpetual: int) -> None:
    for _ in range(70):
        scene.resting("ann", perpetual, SELL, MARK, 1)
    scene.cancel_all("ann")
    for left in (6, 0, 0):
        assert scene.submit(Tick(scene.accounts["ann"])).is_applied
        assert account(scene, "ann").orders_resident == left
    assert position(scene, "ann") is None


def test_tick_spares_orders_placed_after_cancel_all(scene: Scene, perpetual: int) -> None:
    scene.resting("ann", perpetual, SELL, MARK, 1)
    scene.cancel_all("ann")
    scene.resting("ann", perpetual, SELL, MARK, 1)
    scene.submit(Tick(scene.accounts["ann"]))
    record = account(scene, "ann")
    assert (record.orders_live, record.orders_resident) == (1, 1)


def test_tick_rejects_unknown_account(scene: Scene) -> None:
    assert scene.submit(Tick(99)).name == "ACCOUNT_NOT_FOUND"


def test_cancel_all_frees_margin_for_new_orders(scene: Scene, perpetual: int) -> None:
    scene.resting("ann", perpetual, BUY, MARK, 730_000)
    assert scene.place("ann", perpetual, BUY, MARK, 730_000).name == "INSUFFICIENT_MARGIN"
    scene.cancel_all("ann")
    assert scene.place("ann", perpetual, BUY, MARK, 730_000).is_applied
