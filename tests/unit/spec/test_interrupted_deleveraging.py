"""What happens between two steps of a deleveraging: holders leave, its marks become final."""

from tests.unit.spec.falling import BUY, LONG_LOTS, MARK, SELL
from tests.unit.spec.test_deleveraging import finish, insolvent_long, record

from proofbook.protocol.commands import Remark
from proofbook.protocol.events import DeleveragingEnded
from proofbook.protocol.limits import InstrumentKind, InstrumentState
from proofbook.simulator.inspection import account, instrument, money, position_in
from proofbook.simulator.scene import EXPIRY_NS, MINUTE_NS, SPOT_ATOMS, USDC, Scene

BEFORE = 51
"""So many on the other side fill a step: two more who only have orders are one too many."""

EACH = LONG_LOTS // 60
EXPIRY = 1
FALLEN = SPOT_ATOMS * 70 // 100
IDLE = ("idle 0", "idle 1", "idle 2")


def begun(scene: Scene, perpetual: int, after: int) -> dict[str, int]:
    """Ann owes, and her deleveraging has made one step; return the orders of the idle.

    They come after 51 who are short, and before some more.
    """
    orders: dict[str, int] = {}
    for place in range(BEFORE + after):
        if place == BEFORE:
            orders = idle_orders(scene, perpetual)
        short_of(scene, perpetual, place)
    if not after:
        orders = idle_orders(scene, perpetual)
    insolvent_long(scene, perpetual, [])
    assert scene.deleverage("ann", perpetual).is_applied
    return orders


def idle_orders(scene: Scene, perpetual: int) -> dict[str, int]:
    for name in IDLE:
        scene.deposit(name, 1_000 * USDC)
    return {name: scene.resting(name, perpetual, BUY, 1, 1) for name in IDLE}


def short_of(scene: Scene, listed: int, place: int, ticks: int = MARK) -> None:
    """Let ann buy from another one."""
    name = f"h{place}"
    scene.deposit(name, 40_000 * USDC)
    scene.resting(name, listed, SELL, ticks, EACH)
    assert scene.place("ann", listed, BUY, ticks, EACH).is_applied


def cursor_of(scene: Scene, perpetual: int) -> int:
    running = record(scene, perpetual)
    assert running
    return running.cursor


def held_by(scene: Scene, name: str) -> int:
    """Return the slot of the first position of an account."""
    return account(scene, name).positions_head


def closes_all(scene: Scene, perpetual: int, total: int) -> None:
    """Go on to the end: ann's leg is closed, the book open, and no atom lost."""
    assert finish(scene, perpetual) <= 3
    assert position_in(scene, "ann", perpetual) is None
    assert instrument(scene, perpetual).state == InstrumentState.OPEN
    assert money(scene) == total


def test_the_cursor_goes_on_when_its_holder_leaves(scene: Scene, perpetual: int) -> None:
    orders, total = begun(scene, perpetual, after=9), money(scene)
    for name, following in (("idle 1", "idle 2"), ("idle 2", f"h{BEFORE}")):
        assert cursor_of(scene, perpetual) == held_by(scene, name)
        assert scene.cancel(name, orders[name]).is_applied
        assert position_in(scene, name, perpetual) is None
        assert cursor_of(scene, perpetual) == held_by(scene, following)
    closes_all(scene, perpetual, total)


def test_others_may_leave_before_and_behind_it(scene: Scene, perpetual: int) -> None:
    orders, total = begun(scene, perpetual, after=9), money(scene)
    cursor = cursor_of(scene, perpetual)
    for name in (IDLE[0], IDLE[2]):
        assert scene.cancel(name, orders[name]).is_applied
    assert cursor_of(scene, perpetual) == cursor
    closes_all(scene, perpetual, total)


def test_the_last_holder_may_leave_under_it(scene: Scene, perpetual: int) -> None:
    """At the end of the list the next step begins the next pass."""
    orders, total = begun(scene, perpetual, after=0), money(scene)
    for name in (IDLE[2], IDLE[1]):
        assert scene.cancel(name, orders[name]).is_applied
    assert cursor_of(scene, perpetual) == 0
    closes_all(scene, perpetual, total)


def begun_before_expiry(scene: Scene) -> int:
    """Ann owes for a future that ends soon, and its deleveraging has made one step; return it."""
    future = scene.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)
    assert scene.publish_forward().is_applied
    assert scene.submit(Remark(EXPIRY)).is_applied
    for place in range(60):
        short_of(scene, future, place)
    scene.at(EXPIRY_NS - 45 * MINUTE_NS)
    assert scene.publish_index(FALLEN).is_applied and scene.publish_forward(FALLEN).is_applied
    assert scene.submit(Remark(EXPIRY)).is_applied
    assert scene.start_auction("ann").is_applied
    assert scene.deleverage("ann", future).is_applied
    assert record(scene, future)
    return future


def test_a_final_mark_ends_it(scene: Scene) -> None:
    """What is left of the leg is settled at expiry, as if nothing had begun."""
    future = begun_before_expiry(scene)
    total = money(scene)
    scene.publish_each_minute(EXPIRY_NS - 30 * MINUTE_NS, *[FALLEN] * 31)
    assert scene.settle_expiry(EXPIRY).is_applied
    assert record(scene, future), "until the marks are final"
    assert scene.submit(Remark(EXPIRY)).is_applied
    assert DeleveragingEnded(scene.accounts["ann"], future) in scene.events()
    assert record(scene, future) is None
    assert instrument(scene, future).state == InstrumentState.EXPIRED
    assert scene.deleverage("ann", future).name == "LEG_INVALID"
    for name in ("ann", *(f"h{place}" for place in range(60))):
        assert scene.settle_account(name).is_applied
    assert money(scene) == total and instrument(scene, future).open_interest_lots == 0


def test_an_expiry_ends_it_before_its_marks_are_final(scene: Scene) -> None:
    future = begun_before_expiry(scene)
    scene.at(EXPIRY_NS)
    assert scene.deleverage("ann", future).is_applied
    assert record(scene, future) is None
    held = position_in(scene, "ann", future)
    assert held and held.lots == 60 * EACH
