"""What an account with equity below zero may still do: cancel, and be paid into."""

import pytest
from tests.unit.spec.falling import BUY, LONG_LOTS, MARK, SELL, equity_of, long_at, move

from proofbook.protocol.commands import CancelAll, FireTrigger, Leg, Quote
from proofbook.protocol.events import TriggerFired
from proofbook.protocol.limits import Reject, TriggerCondition
from proofbook.simulator.inspection import position_in
from proofbook.simulator.scene import USDC, Scene

LOW = MARK * 70 // 100
INSOLVENT = "ACCOUNT_INSOLVENT"


@pytest.fixture
def owing(scene: Scene, perpetual: int) -> Scene:
    """Ann is long, and owes 200,000 USDC."""
    scene.deposit("other", 1_000_000 * USDC, owner="ann")
    long_at(scene, perpetual, 70)
    assert equity_of(scene, perpetual) < 0
    return scene


def test_no_command_trades(owing: Scene, perpetual: int) -> None:
    owing.resting("cid", perpetual, BUY, LOW, 1_000)
    refused = [
        owing.place("ann", perpetual, SELL, LOW, 1_000, reduce_only=True),
        owing.place_trigger(
            "ann", perpetual, TriggerCondition.MARK_AT_OR_BELOW, LOW, SELL, LOW, 1_000
        ),
        owing.block("ann", "cid", [Leg(perpetual, -1_000, LOW)]),
        owing.block("cid", "ann", [Leg(perpetual, 1_000, LOW)]),
        owing.position_transfer("ann", "other", perpetual, 1_000),
        owing.liquidate("ann", perpetual),
    ]  # fmt: skip
    assert [outcome.name for outcome in refused] == ["ACCOUNT_INSOLVENT"] * len(refused)
    assert owing.transfer("ann", "cid", 1).name == "INSUFFICIENT_BALANCE"


def test_it_cancels_and_trades_again_once_it_is_paid_into(owing: Scene, perpetual: int) -> None:
    assert owing.submit(CancelAll(*owing.header("ann")), "ann").is_applied
    assert owing.transfer("other", "ann", 300_000 * USDC).is_applied
    owing.resting("cid", perpetual, BUY, LOW, 1_000)
    before = position_in(owing, "ann", perpetual)
    assert owing.place("ann", perpetual, SELL, LOW, 1_000, reduce_only=True).is_applied
    after = position_in(owing, "ann", perpetual)
    assert before and after and after.lots == before.lots - 1_000


def test_no_quote_but_to_pull_one(scene: Scene, perpetual: int) -> None:
    assert scene.quote("ann", Quote(perpetual, BUY, MARK // 2, 1_000)).is_applied
    long_at(scene, perpetual, 70)
    assert scene.quote("ann", Quote(perpetual, SELL, LOW, 1_000)).name == INSOLVENT
    assert scene.quote("ann", Quote(perpetual, BUY, MARK // 2, 999)).name == INSOLVENT
    assert scene.quote("ann", Quote(perpetual, BUY, 0, 0)).is_applied


def test_no_amended_order_but_a_smaller_one(scene: Scene, perpetual: int) -> None:
    resting = scene.resting("ann", perpetual, BUY, MARK // 2, 1_000)
    long_at(scene, perpetual, 70)
    assert scene.amend("ann", resting, MARK // 2 - 1, 1_000).name == INSOLVENT
    assert scene.amend("ann", resting, MARK // 2, 2_000).name == INSOLVENT
    assert scene.amend("ann", resting, MARK // 2, 500).is_applied


def test_no_quote_on_request_of_either_party(owing: Scene, perpetual: int) -> None:
    legs = [Leg(perpetual, -1_000, LOW)]
    assert owing.accept("ann", "cid", owing.offer("cid", legs)).name == INSOLVENT
    assert owing.accept("cid", "ann", owing.offer("ann", legs)).name == INSOLVENT


def test_a_trigger_from_better_days_fires_and_does_not_trade(scene: Scene, perpetual: int) -> None:
    """What has been stored before is asked for margin when it fires, as any order is."""
    below = TriggerCondition.MARK_AT_OR_BELOW
    trigger = scene.waiting("ann", perpetual, below, MARK * 90 // 100, SELL, LOW, 1_000)
    long_at(scene, perpetual, 70)
    scene.resting("cid", perpetual, BUY, LOW, 1_000)
    assert scene.submit(FireTrigger(trigger)).is_applied
    fired = next(event for event in scene.events() if isinstance(event, TriggerFired))
    assert fired.reason == Reject.ACCOUNT_INSOLVENT
    held = position_in(scene, "ann", perpetual)
    assert held and held.lots == LONG_LOTS


def test_no_bid_for_what_another_one_loses(owing: Scene, perpetual: int) -> None:
    """Dan is short of margin, too; ann's bid would even reduce what both hold."""
    owing.deposit("dan", 540_000 * USDC)
    owing.resting("dan", perpetual, SELL, LOW, 500_000)
    assert owing.place("cid", perpetual, BUY, LOW, 500_000).is_applied
    move(owing, 74)
    assert owing.liquidate("dan", perpetual).is_applied, "nobody is there"
    assert owing.start_auction("dan").is_applied
    assert equity_of(owing, perpetual) < 0
    assert owing.bid("ann", "dan", (perpetual, -1_000)).name == INSOLVENT
    assert owing.bid("bob", "dan", (perpetual, -1_000)).is_applied
