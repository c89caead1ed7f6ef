"""Transfers between accounts: money to anybody's, positions to another one of the same owner."""

from proofbook.protocol.commands import PositionTransfer, Transfer
from proofbook.protocol.events import PositionTransferred, Transferred
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    ORDER_LOTS_MAX,
    QUOTE_TOKEN,
    Reject,
)
from proofbook.spec import custody, debts, insurance, margin, position_limits, trie
from proofbook.spec.margin import Exposure
from proofbook.spec.margin_modes import instruments_max
from proofbook.spec.order_terms import instrument_rejection
from proofbook.spec.positions import (
    find_position,
    is_linear,
    open_position,
    release_position,
    settle_variation,
    trade,
)
from proofbook.spec.world import World


def transfer(world: World, command: Transfer) -> Reject | None:
    """Move money to another account; what remains must still cover initial margin.

    Rejects  TOKEN_NOT_SUPPORTED, AMOUNT_OUT_OF_RANGE, RECIPIENT_INVALID, INSUFFICIENT_BALANCE (more
             than the balance, of USDC the cash after variation settlement), INSUFFICIENT_MARGIN.
    """
    rejection = custody.amount_rejection(world, command.token, command.amount_atoms)
    if rejection is not None:
        return rejection
    if not _is_recipient(world, command):
        return Reject.RECIPIENT_INVALID
    rejection = margin.outflow_rejection(
        world, command.account, command.token, command.amount_atoms
    )
    if rejection is not None:
        return rejection
    pay(world, command.account, command.recipient, command.token, command.amount_atoms)
    return None


def pay(world: World, account: int, recipient: int, token: int, amount_atoms: int) -> None:
    """Move money, cash settled before; the caller has asked `margin.outflow_rejection`."""
    if token == QUOTE_TOKEN:
        settle_variation(world, account)
    custody.credit(world, account, token, -amount_atoms)
    custody.credit(world, recipient, token, amount_atoms)
    world.emit(Transferred(account, recipient, token, amount_atoms))
    insurance.settle(world, recipient)


def _is_recipient(world: World, command: Transfer | PositionTransfer) -> bool:
    return world.account_exists(command.recipient) and command.recipient != command.account


def position_transfer(world: World, command: PositionTransfer) -> Reject | None:
    """Move lots to another account of the owner, at the mark: equity changes on neither side.

    Units    the mark is whole atoms per lot, so that the value is exact; no fee.
    Rejects  INSTRUMENT_NOT_FOUND, INSTRUMENT_EXPIRED, LOTS_OUT_OF_RANGE, RECIPIENT_INVALID,
             OWNER_MISMATCH, POSITION_TOO_SMALL; INSTRUMENT_LIMIT, POSITION_LIMIT, ARENA_FULL;
             INSTRUMENT_STATE while holders of it are deleveraged; ACCOUNT_INSOLVENT;
             INSUFFICIENT_MARGIN unless each account is covered or left no worse in any scenario;
             DEBT_LIMIT if the mark of options makes too large a debt of one that does not reduce.
    """
    slot = instrument_slot(command.instrument)
    rejection = _shape_rejection(world, command)
    if rejection is not None:
        return rejection
    source = find_position(world, command.account, slot)
    held_lots = world.positions[source].lots if source else 0
    if command.lots > abs(held_lots):
        return Reject.POSITION_TOO_SMALL
    lots = command.lots if held_lots > 0 else -command.lots
    rejection = _room_rejection(world, command.account, slot, -lots) or _room_rejection(
        world, command.recipient, slot, lots
    )
    if rejection is not None:
        return rejection
    if world.instruments[slot].deleveraging:
        return Reject.INSTRUMENT_STATE
    rejection = _margin_rejection(world, command.account, slot, -lots) or _margin_rejection(
        world, command.recipient, slot, lots
    )
    if rejection is not None:
        return rejection
    if _is_beyond_debt(world, command.account, slot, -lots) or _is_beyond_debt(
        world, command.recipient, slot, lots
    ):
        return Reject.DEBT_LIMIT
    _move(world, command, slot, lots)
    return None


def _shape_rejection(world: World, command: PositionTransfer) -> Reject | None:
    """Return what is wrong with instrument, size and recipient, by themselves."""
    rejection = instrument_rejection(world, command.instrument)
    if rejection is not None:
        return rejection
    if not 1 <= command.lots <= ORDER_LOTS_MAX:
        return Reject.LOTS_OUT_OF_RANGE
    if not _is_recipient(world, command):
        return Reject.RECIPIENT_INVALID
    owners = world.accounts[command.account].owner, world.accounts[command.recipient].owner
    return None if owners[0] == owners[1] else Reject.OWNER_MISMATCH


def _room_rejection(world: World, account: int, slot: int, lots: int) -> Reject | None:
    """Return the first limit of an account that takes signed lots, all its orders filled."""
    opens = not find_position(world, account, slot)
    if opens and world.accounts[account].positions_count >= instruments_max(world, account):
        return Reject.INSTRUMENT_LIMIT
    if position_limits.is_taking_beyond_reach(world, account, slot, lots):
        return Reject.POSITION_LIMIT
    has_room = world.positions.has_room(1) and world.nodes.has_room(trie.INSTRUMENT_DEPTH)
    return Reject.ARENA_FULL if opens and not has_room else None


def _margin_rejection(world: World, account: int, slot: int, lots: int) -> Reject | None:
    """Ask whether margin lets an account take signed lots at the mark."""
    return margin.trade_rejection(world, account, {slot: Exposure(lots)}, 0)


def _is_beyond_debt(world: World, account: int, slot: int, lots: int) -> bool:
    """Whether signed lots at the mark make too large a debt of an account, and do not reduce."""
    instrument = world.instruments[slot]
    outflow = 0 if is_linear(instrument) else lots * world.risk_arrays[slot].mark_atoms
    if not debts.is_beyond_limit(world, account, outflow):
        return False
    if position_limits.shrinks(world, account, slot, lots):
        return False
    return not margin.is_reducing(
        world, margin.portfolio(world, account), {slot: Exposure(lots)}, 0
    )


def _move(world: World, command: PositionTransfer, slot: int, lots: int) -> None:
    mark_atoms = world.risk_arrays[slot].mark_atoms
    source = find_position(world, command.account, slot)
    target = find_position(world, command.recipient, slot)
    if not target:
        target = open_position(world, command.recipient, slot)
    trade(world, source, -lots, -lots * mark_atoms)
    trade(world, target, lots, lots * mark_atoms)
    world.emit(
        PositionTransferred(
            command.account, command.recipient, command.instrument, lots, mark_atoms
        )
    )
    release_position(world, source)
    release_position(world, target)
