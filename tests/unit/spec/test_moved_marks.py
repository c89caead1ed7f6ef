"""Whoever brings some marks up to date, and not others, makes no account richer or poorer."""

import pytest
from tests.unit.spec.falling import LONG_LOTS, underwater

from proofbook.protocol.commands import Leg, Liquidate, Remark, Withdraw
from proofbook.protocol.limits import InstrumentKind
from proofbook.protocol.margin_report import MarginReport
from proofbook.protocol.outcomes import Outcome
from proofbook.simulator.inspection import instrument, risk_array
from proofbook.simulator.scene import EXPIRY_NS, SPOT_ATOMS, USDC, Scene

CALLS = 5_500

SPOT_TICKS = 800_000
LOTS = 4_500_000
"""450 BTC, both ways: 36 million USD either way, on 1 million."""


@pytest.fixture
def spread(scene: Scene, perpetual: int) -> Scene:
    """Ann holds the perpetual against the future of an expiry, with nearly all that she has."""
    future = scene.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)
    assert scene.publish_forward().is_applied
    assert scene.submit(Remark(2)).is_applied
    scene.deposit("bob", 99_000_000 * USDC)
    legs = [Leg(perpetual, LOTS, SPOT_TICKS), Leg(future, -LOTS, SPOT_TICKS)]
    assert scene.block("ann", "bob", legs).is_applied
    return scene


def publish(scene: Scene, percent: int) -> None:
    """Move index and forward, and mark the perpetual alone."""
    assert scene.publish_index(SPOT_ATOMS * percent // 100).is_applied
    assert scene.publish_forward(SPOT_ATOMS * percent // 100).is_applied
    assert scene.submit(Remark(1)).is_applied


def standing(scene: Scene, name: str = "ann") -> MarginReport:
    return scene.engine.margin(scene.accounts[name])


def withdraw(scene: Scene, amount_atoms: int) -> Outcome:
    return scene.submit(Withdraw(*scene.header("ann"), 0, b"\1" * 20, amount_atoms), "ann")


def test_a_profit_cannot_leave_before_the_loss_beside_it_is_marked(spread: Scene) -> None:
    """She had 971,200; at 4 % up the perpetual alone has brought her 1,440,000."""
    publish(spread, 104)
    marked = standing(spread)
    assert marked.equity_atoms == 2_411_200 * USDC
    assert marked.stale_low_atoms == -1_440_000 * USDC
    assert withdraw(spread, 100_000 * USDC).name == "INSUFFICIENT_MARGIN"
    assert spread.submit(Remark(2)).is_applied
    assert standing(spread)[2:6] == (971_200 * USDC, marked.cash_atoms, 0, 0)


def test_nobody_is_liquidated_before_the_profit_beside_a_loss_is_marked(
    spread: Scene, perpetual: int
) -> None:
    publish(spread, 96)
    assert standing(spread).equity_atoms < 0, "at the marks"
    assert spread.submit(Liquidate(spread.accounts["ann"], perpetual)).name == "NOT_LIQUIDATABLE"
    assert spread.submit(Remark(2)).is_applied
    assert standing(spread).equity_atoms == 971_200 * USDC


@pytest.mark.parametrize("percent", [1, 40, 84, 90, 97, 99, 101, 102, 105, 116, 130, 500])
def test_what_has_moved_counts_as_it_will_when_it_is_marked(spread: Scene, percent: int) -> None:
    """Of linear kinds to a ppm of what was held, however far; sixfold at most."""
    publish(spread, percent)
    before = standing(spread)
    assert spread.submit(Remark(2)).is_applied
    after = standing(spread).equity_atoms
    low, high = before.stale_low_atoms, before.stale_high_atoms
    assert low <= 0 <= high
    assert abs(before.equity_atoms + low + high - after) <= 36 * USDC
    assert (low if percent > 100 else high) != 0


def test_options_count_by_their_columns(scene: Scene) -> None:
    call = scene.open_option()
    assert scene.block("ann", "bob", [Leg(call, 500, 7_000)]).is_applied
    assert scene.publish_forward(SPOT_ATOMS * 104 // 100).is_applied
    up = risk_array(scene, call).core[16]
    assert (standing(scene).stale_low_atoms, standing(scene).stale_high_atoms) == (0, 500 * up)
    maker = standing(scene, "bob")
    assert (maker.stale_low_atoms, maker.stale_high_atoms) == (-500 * up, 0)
    assert scene.publish_forward(SPOT_ATOMS * 103 // 100).is_applied
    assert standing(scene).stale_high_atoms == 500 * up * 3 // 4, "in proportion"
    assert scene.submit(Remark(instrument(scene, call).expiry)).is_applied
    assert standing(scene)[4:6] == (0, 0)


def test_after_an_expiry_no_forward_moves_anything(scene: Scene) -> None:
    call = scene.open_option()
    assert scene.block("ann", "bob", [Leg(call, 500, 7_000)]).is_applied
    scene.wait(EXPIRY_NS - scene.window_ns)
    assert scene.publish_index().is_applied
    before = standing(scene)
    assert scene.publish_forward(SPOT_ATOMS * 2).is_applied
    assert standing(scene)[4:6] == before[4:6]


def test_bids_are_not_taken_at_a_mark_that_the_index_has_left(scene: Scene, perpetual: int) -> None:
    """At 83 % the lots of 82 % would bring 20,000 USDC more than they cost."""
    underwater(scene, perpetual)
    scene.liquidate("ann", perpetual)
    assert scene.start_auction("ann").is_applied
    assert scene.publish_index(SPOT_ATOMS * 83 // 100).is_applied
    assert scene.bid("cid", "ann", (perpetual, LONG_LOTS // 2)).name == "LEG_INVALID"
    assert scene.remark_perpetual().is_applied
    assert scene.bid("cid", "ann", (perpetual, LONG_LOTS // 2)).is_applied


def test_bids_are_not_taken_at_the_volatility_of_an_older_surface(scene: Scene, call: int) -> None:
    """Who takes a short call over could have it marked at the new surface first, or not."""
    assert scene.block("ann", "bob", [Leg(call, -CALLS, 7_000)]).is_applied
    rise(scene, call)
    assert scene.start_auction("ann").is_applied
    assert scene.publish_surface().is_applied
    assert scene.bid("cid", "ann", (call, -CALLS // 10)).name == "LEG_INVALID"
    assert scene.liquidate("ann", call).name == "LEG_INVALID"
    assert scene.submit(Remark(instrument(scene, call).expiry)).is_applied
    assert scene.bid("cid", "ann", (call, -CALLS // 10)).is_applied


def rise(scene: Scene, call: int) -> None:
    """Let index and forward rise by 21 %, and mark the call."""
    assert scene.publish_index(SPOT_ATOMS * 121 // 100).is_applied
    assert scene.publish_forward(SPOT_ATOMS * 121 // 100).is_applied
    assert scene.submit(Remark(instrument(scene, call).expiry)).is_applied
