"""Margin modes: an account chooses how it is margined, and what it may hold follows from that."""

from dataclasses import replace

from proofbook.protocol.commands import SetMarginMode
from proofbook.protocol.events import MarginModeSet
from proofbook.protocol.limits import (
    INSTRUMENTS_PER_ACCOUNT_MAX,
    STANDARD_INSTRUMENTS_MAX,
    MarginMode,
    Reject,
)
from proofbook.spec import margin
from proofbook.spec.world import World

INSTRUMENTS_MAX = {
    MarginMode.PORTFOLIO: INSTRUMENTS_PER_ACCOUNT_MAX,
    MarginMode.STANDARD: STANDARD_INSTRUMENTS_MAX,
}
"""Options are set against each other strike by strike: under standard margin they are few."""


def instruments_max(world: World, account: int) -> int:
    """Return how many instruments an account may hold or have orders in."""
    return INSTRUMENTS_MAX[MarginMode(world.accounts[account].margin_mode)]


def set_margin_mode(world: World, command: SetMarginMode) -> Reject | None:
    """Let the account be margined in another way from now on.

    Rejects  MARGIN_MODE_UNCHANGED; INSTRUMENT_LIMIT (more instruments than the mode takes);
             INSUFFICIENT_MARGIN (equity would not cover initial margin).
    """
    record = world.accounts[command.account]
    if command.mode == record.margin_mode:
        return Reject.MARGIN_MODE_UNCHANGED
    if record.positions_count > INSTRUMENTS_MAX[command.mode]:
        return Reject.INSTRUMENT_LIMIT
    held = margin.portfolio(world, command.account)
    if not margin.covers(world, replace(held, mode=command.mode)):
        return Reject.INSUFFICIENT_MARGIN
    world.accounts.edit(command.account).margin_mode = command.mode
    world.emit(MarginModeSet(command.account, command.mode))
    return None
