"""Fill or kill: all of it at once, or nothing happened."""

from proofbook.protocol.events import Filled, OrderRemoved
from proofbook.protocol.limits import Removal, SelfTradePrevention, Side, TimeInForce
from proofbook.protocol.outcomes import Outcome
from proofbook.simulator.inspection import account, money, order, position
from proofbook.simulator.scene import Scene

BUY, SELL = Side.BUY, Side.SELL
FOK, GTT = TimeInForce.FILL_OR_KILL, TimeInForce.GOOD_TILL_TIME
MARK = 800_000


def kill_or_fill(scene: Scene, perpetual: int, lots: int, **options: object) -> Outcome:
    """Ann buys up to ten ticks above the mark, all or nothing."""
    return scene.place("ann", perpetual, BUY, MARK + 10, lots, time_in_force=FOK, **options)


def test_fills_across_levels(scene: Scene, perpetual: int) -> None:
    for ticks in (MARK, MARK + 3, MARK + 10):
        scene.resting("bob", perpetual, SELL, ticks, 2)
    assert kill_or_fill(scene, perpetual, 6).is_applied
    assert [event.lots for event in scene.events() if isinstance(event, Filled)] == [2, 2, 2]


def test_rejects_and_changes_nothing_when_the_book_is_too_thin(
    scene: Scene, perpetual: int
) -> None:
    resting = scene.resting("bob", perpetual, SELL, MARK, 5)
    scene.resting("bob", perpetual, SELL, MARK + 11, 5)
    before = money(scene)
    assert kill_or_fill(scene, perpetual, 6).name == "WOULD_NOT_FILL"
    assert scene.events() == []
    assert (order(scene, resting).lots_remaining, money(scene)) == (5, before)
    assert position(scene, "ann") is None


def test_rejects_on_an_empty_book(scene: Scene, perpetual: int) -> None:
    assert kill_or_fill(scene, perpetual, 1).name == "WOULD_NOT_FILL"


def test_sells_down_the_bids(scene: Scene, perpetual: int) -> None:
    for ticks in (MARK, MARK - 70, MARK - 5_000):
        scene.resting("bob", perpetual, BUY, ticks, 1)
    assert scene.place("ann", perpetual, SELL, MARK - 5_000, 3, time_in_force=FOK).is_applied
    assert scene.place("ann", perpetual, SELL, 1, 1, time_in_force=FOK).name == "WOULD_NOT_FILL"


def test_dead_and_expired_orders_do_not_count_but_are_swept(scene: Scene, perpetual: int) -> None:
    for _ in range(34):
        scene.resting("cid", perpetual, SELL, MARK, 1)
    scene.cancel_all("cid")
    scene.resting("bob", perpetual, SELL, MARK, 1, time_in_force=GTT)
    scene.wait(2 * 10**12)
    scene.resting("bob", perpetual, SELL, MARK, 2)
    assert kill_or_fill(scene, perpetual, 3).name == "WOULD_NOT_FILL"
    assert kill_or_fill(scene, perpetual, 2).is_applied
    removals = [event.removal for event in scene.events() if isinstance(event, OrderRemoved)]
    assert removals == [Removal.EPOCH, Removal.EPOCH, Removal.EXPIRED]


def test_more_makers_than_the_bound_do_not_fill(scene: Scene, perpetual: int) -> None:
    for _ in range(33):
        scene.resting("bob", perpetual, SELL, MARK, 1)
    assert kill_or_fill(scene, perpetual, 33).name == "WOULD_NOT_FILL"
    assert kill_or_fill(scene, perpetual, 32).is_applied


def test_own_orders_are_passed_over_or_end_it(scene: Scene, perpetual: int) -> None:
    scene.resting("ann", perpetual, SELL, MARK, 5)
    scene.resting("bob", perpetual, SELL, MARK, 5)
    for mode in (
        SelfTradePrevention.CANCEL_TAKER,
        SelfTradePrevention.CANCEL_BOTH,
        SelfTradePrevention.DECREMENT,
    ):
        outcome = kill_or_fill(scene, perpetual, 5, self_trade_prevention=mode)
        assert outcome.name == "WOULD_NOT_FILL"
    assert kill_or_fill(scene, perpetual, 5).is_applied
    assert account(scene, "ann").orders_resident == 0


def test_reduce_only_makers_share_what_their_position_can_give(
    scene: Scene, perpetual: int
) -> None:
    scene.resting("cid", perpetual, SELL, MARK, 3)
    scene.place("bob", perpetual, BUY, MARK, 3)
    for _ in range(2):
        scene.resting("bob", perpetual, SELL, MARK, 3, reduce_only=True)
    assert kill_or_fill(scene, perpetual, 4).name == "WOULD_NOT_FILL"
    assert kill_or_fill(scene, perpetual, 3).is_applied


def test_reduce_only_is_clipped_before_it_is_asked_whether_it_fills(
    scene: Scene, perpetual: int
) -> None:
    scene.resting("bob", perpetual, BUY, MARK, 3)
    scene.place("ann", perpetual, SELL, MARK, 3)
    scene.resting("bob", perpetual, SELL, MARK, 3)
    assert kill_or_fill(scene, perpetual, 100, reduce_only=True).is_applied
    assert position(scene, "ann") is None


def test_a_clipped_maker_goes_with_its_last_fill(scene: Scene, perpetual: int) -> None:
    """Found by attack: its removal once took a step that the rehearsal had not counted."""
    scene.resting("cid", perpetual, SELL, MARK, 2)
    scene.place("bob", perpetual, BUY, MARK, 2)
    scene.resting("bob", perpetual, SELL, MARK + 1, 2, reduce_only=True)
    scene.resting("cid", perpetual, BUY, MARK, 1)
    scene.place("bob", perpetual, SELL, MARK, 1)
    for _ in range(31):
        scene.resting("cid", perpetual, SELL, MARK + 2, 1)
    assert kill_or_fill(scene, perpetual, 32).is_applied
    fill, removed = scene.events()[:2]
    assert isinstance(fill, Filled) and fill.lots == 1
    assert isinstance(removed, OrderRemoved) and removed.removal == Removal.REDUCE_ONLY
