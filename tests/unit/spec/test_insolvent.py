"""What an account with equity below zero may still do: cancel, and be paid into."""

import pytest
from tests.unit.spec.falling import BUY, MARK, SELL, equity_of, long_at

from proofbook.protocol.commands import CancelAll, Leg
from proofbook.protocol.limits import TriggerCondition
from proofbook.simulator.inspection import position_in
from proofbook.simulator.scene import USDC, Scene

LOW = MARK * 70 // 100


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
