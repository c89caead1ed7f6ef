"""Reducing orders: margin never refuses them to who owes nothing; nobody comes to owe by them."""

import pytest

from proofbook.protocol.commands import FireTrigger
from proofbook.protocol.events import Filled, TriggerPlaced
from proofbook.protocol.limits import InstrumentMode, InstrumentState, Side, TimeInForce
from proofbook.simulator.inspection import order, risk_array
from proofbook.simulator.scene import SPOT_ATOMS, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
IOC, FOK = TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL
LOTS = 10_000
"""Of the perpetual, one unit."""


def fallen(scene: Scene, perpetual: int, money: int = 20_000, resting: int = 0) -> int:
    """Let dan be long a unit while the index falls by 25,000; return the mark in ticks.

    A resting bid reserves its fee.
    """
    scene.deposit("dan", money * USDC)
    scene.resting("bob", perpetual, SELL, 800_000, LOTS)
    assert scene.place("dan", perpetual, BUY, 800_000, LOTS).is_applied
    if resting:
        scene.resting("dan", perpetual, BUY, 500_000, resting)
    assert scene.publish_index(SPOT_ATOMS - 25_000 * USDC).is_applied
    assert scene.remark_perpetual().is_applied
    return risk_array(scene, perpetual).mark_atoms // 10


def report(scene: Scene) -> tuple[int, int]:
    """Return equity and what is reserved."""
    margin = scene.engine.margin(scene.accounts["dan"])
    return margin.equity_atoms, margin.reserve_atoms


def fees(scene: Scene) -> int:
    """Return what dan, who takes, paid in the last entry."""
    return sum(event.taker_fee_atoms for event in scene.events() if isinstance(event, Filled))


@pytest.mark.parametrize("time_in_force", [IOC, FOK])
def test_who_cannot_pay_it_closes_at_the_mark_without_a_fee(
    scene: Scene, perpetual: int, time_in_force: TimeInForce
) -> None:
    mark = fallen(scene, perpetual, money=25_035)
    left, _ = report(scene)
    assert 0 < left < 10 * USDC
    scene.resting("cid", perpetual, BUY, mark, LOTS)
    outcome = scene.place("dan", perpetual, SELL, mark, LOTS, time_in_force=time_in_force)
    assert outcome.is_applied, outcome.name
    assert fees(scene) == 0
    assert report(scene) == (left, 0)


def test_who_owes_gives_nothing_away(scene: Scene, perpetual: int) -> None:
    """At the mark he would leave his debt to the fund, and a profit to his accomplice."""
    mark = fallen(scene, perpetual)
    assert report(scene)[0] < 0
    scene.resting("cid", perpetual, BUY, mark, LOTS)
    outcome = scene.place("dan", perpetual, SELL, mark, 1, time_in_force=IOC)
    assert outcome.name == "ACCOUNT_INSOLVENT"
    outcome = scene.place("dan", perpetual, SELL, mark, 1, reduce_only=True)
    assert outcome.name == "ACCOUNT_INSOLVENT"


def test_who_has_next_to_nothing_gives_nothing_away(scene: Scene, perpetual: int) -> None:
    """An accomplice would have the difference, and the fund the debt."""
    mark = fallen(scene, perpetual, money=25_035)
    assert 0 < report(scene)[0] < 10 * USDC
    scene.resting("cid", perpetual, BUY, mark - 100, LOTS)
    outcome = scene.place("dan", perpetual, SELL, mark - 100, LOTS, time_in_force=IOC)
    assert outcome.name == "INSUFFICIENT_MARGIN"
    outcome = scene.place("dan", perpetual, SELL, mark - 100, LOTS, reduce_only=True)
    assert outcome.name == "INSUFFICIENT_MARGIN"


def test_equity_beyond_what_orders_reserve_pays_for_a_limit_and_a_fee(
    scene: Scene, perpetual: int
) -> None:
    mark = fallen(scene, perpetual, money=26_000)
    equity, _ = report(scene)
    assert 0 < equity < 1_000 * USDC
    scene.resting("cid", perpetual, BUY, mark - 100, LOTS)
    outcome = scene.place("dan", perpetual, SELL, mark - 100, 1_000, time_in_force=IOC)
    assert outcome.is_applied, outcome.name
    assert fees(scene) > 0
    assert report(scene)[0] == equity - 1_000 * 1_000 - fees(scene)
    outcome = scene.place("dan", perpetual, SELL, mark - 10_000, LOTS, time_in_force=IOC)
    assert outcome.name == "INSUFFICIENT_MARGIN"


def test_who_cannot_pay_for_his_orders_still_reduces(scene: Scene, perpetual: int) -> None:
    """His equity is less than the fees that his bids reserve."""
    mark = fallen(scene, perpetual, money=25_035, resting=2_000)
    equity, reserve = report(scene)
    assert 0 < equity < reserve
    scene.resting("cid", perpetual, BUY, mark, LOTS)
    assert scene.place("dan", perpetual, SELL, mark, 100, time_in_force=IOC).is_applied
    assert fees(scene) == 0
    outcome = scene.place("dan", perpetual, SELL, mark - 1, 100, time_in_force=IOC)
    assert outcome.name == "INSUFFICIENT_MARGIN"


def test_a_reduce_only_order_rests_without_a_fee(scene: Scene, perpetual: int) -> None:
    mark = fallen(scene, perpetual, money=25_035)
    left, _ = report(scene)
    resting = scene.resting("dan", perpetual, SELL, mark, LOTS, reduce_only=True)
    assert order(scene, resting).max_fee_ppm == order(scene, resting).reserve_per_lot_atoms == 0
    assert scene.place("cid", perpetual, BUY, mark, LOTS).is_applied
    assert report(scene) == (left, 0)


def test_behind_a_speed_bump_the_fee_is_asked_when_it_is_over(scene: Scene, perpetual: int) -> None:
    mark = fallen(scene, perpetual, money=25_035)
    left, _ = report(scene)
    scene.resting("cid", perpetual, BUY, mark, LOTS)
    bumped = scene.set_instrument(
        perpetual, InstrumentState.OPEN, InstrumentMode.SPEED_BUMP, speed_bump_ms=10
    )
    assert bumped.is_applied, bumped.name
    assert scene.place("dan", perpetual, SELL, mark, LOTS, time_in_force=IOC).is_applied
    waiting = next(e.trigger for e in scene.events() if isinstance(e, TriggerPlaced))
    scene.wait(20 * 10**6)
    assert scene.submit(FireTrigger(waiting)).is_applied
    assert any(isinstance(event, Filled) for event in scene.events())
    assert report(scene) == (left, 0)
