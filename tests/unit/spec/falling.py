"""Ann's long position and a market that falls."""

from proofbook.protocol.limits import Side, TimeInForce
from proofbook.simulator.inspection import account, position_in, risk_array
from proofbook.simulator.scene import SPOT_ATOMS, Scene

BUY, SELL = Side.BUY, Side.SELL
MARK = 800_000
LONG_LOTS = 500_000


def long_at(scene: Scene, perpetual: int, percent: int, lots: int = LONG_LOTS) -> None:
    """Let ann buy from bob at 80,000 USD, with 1,000,000 of her own; move the mark to a percent."""
    scene.resting("bob", perpetual, SELL, MARK, lots)
    scene.place("ann", perpetual, BUY, MARK, lots, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL)
    move(scene, percent)


def move(scene: Scene, percent: int) -> None:
    """Move the index and the mark to a percent of the first."""
    assert scene.publish_index(SPOT_ATOMS * percent // 100).is_applied
    assert scene.remark_perpetual().is_applied


def underwater(scene: Scene, perpetual: int) -> int:
    """Ann is long 4,000,000 USD on 1,000,000, 18 % under; return the mark in ticks."""
    long_at(scene, perpetual, 82)
    return MARK * 82 // 100


def equity_of(scene: Scene, perpetual: int) -> int:
    """Return ann's equity, whose only position is in the perpetual."""
    held = position_in(scene, "ann", perpetual)
    cash = account(scene, "ann").cash_atoms
    mark_atoms = risk_array(scene, perpetual).mark_atoms
    return cash + (held.entry_atoms + held.lots * mark_atoms if held else 0)
