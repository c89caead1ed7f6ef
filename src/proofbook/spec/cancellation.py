"""Taking orders out: one, all of an account at once, and all of them when a deadline passes.

All at once means raising the account's epoch: orders of an older one are dead, and their records
are removed in bounded steps or by the taker who meets them.
"""

from proofbook.protocol.commands import Cancel, CancelAll, SetDeadMan, Tick
from proofbook.protocol.events import DeadManSet, OrdersCancelled
from proofbook.protocol.identifiers import order_slot
from proofbook.protocol.limits import (
    DEAD_MAN_AHEAD_MAX_NS,
    REMOVALS_PER_TICK_MAX,
    Reject,
    Removal,
)
from proofbook.protocol.records import OrderRecord
from proofbook.spec import book, ladder, states, waiting
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.positions import release_position
from proofbook.spec.world import EPOCH_MASK, World


def cancel(world: World, command: Cancel) -> Reject | None:
    """Remove one resting order. Rejects ORDER_NOT_FOUND, ORDER_NOT_OWNED."""
    rejection = order_rejection(world, command.account, command.order)
    if rejection is not None:
        return rejection
    slot = order_slot(command.order)
    position_slot = world.orders[slot].position
    book.remove_order(world, slot, Removal.CANCELLED)
    release_position(world, position_slot)
    return None


def order_rejection(world: World, account: int, order: int) -> Reject | None:
    """Return ORDER_NOT_FOUND (of a dead order, too), ORDER_NOT_OWNED, or None."""
    if not _is_resident(world, order):
        return Reject.ORDER_NOT_FOUND
    record = world.orders[order_slot(order)]
    if ladder.is_dead(world, record):
        return Reject.ORDER_NOT_FOUND
    return None if record.account == account else Reject.ORDER_NOT_OWNED


def cancel_all(world: World, command: CancelAll) -> None:
    """End every order of the account by raising its epoch; remove the first 32 records at once."""
    end_orders(world, command.account)
    sweep(world, command.account)
    waiting.sweep(world, command.account)


def set_dead_man(world: World, command: SetDeadMan) -> Reject | None:
    """Set, move or lift (0) the deadline after which every order of the account is dead.

    Rejects DEADLINE_OUT_OF_RANGE unless it lies ahead by at most a day.
    """
    now_ns = world.header.window_ns
    is_ahead = now_ns < command.deadline_ns <= now_ns + DEAD_MAN_AHEAD_MAX_NS
    if command.deadline_ns and not is_ahead:
        return Reject.DEADLINE_OUT_OF_RANGE
    end_orders_if_due(world, command.account)
    world.accounts.edit(command.account).dead_man_ns = command.deadline_ns
    world.emit(DeadManSet(command.account, command.deadline_ns))
    return None


def tick(world: World, command: Tick) -> Reject | None:
    """Let time pass; sweep what is over of the account named, if any, from an order of it on.

    Rejects  ACCOUNT_NOT_FOUND; ORDER_NOT_FOUND, ORDER_NOT_OWNED for the order named, which may be
             one that is over.
    """
    if command.account == command.order == 0:
        return None
    if not world.account_exists(command.account):
        return Reject.ACCOUNT_NOT_FOUND
    slot = order_slot(command.order)
    if command.order:
        if not _is_resident(world, command.order):
            return Reject.ORDER_NOT_FOUND
        if world.orders[slot].account != command.account:
            return Reject.ORDER_NOT_OWNED
    end_orders_if_due(world, command.account)
    sweep(world, command.account, slot)
    waiting.sweep(world, command.account)
    return None


# All orders of an account at once


def end_orders(world: World, account: int) -> None:
    """Raise the account's epoch; a deadline that has passed is spent with it."""
    record = world.accounts.edit(account)
    if world.is_deadline_passed(account):
        record.dead_man_ns = 0
    record.order_epoch = (record.order_epoch + 1) & EPOCH_MASK
    record.orders_live = 0
    world.emit(OrdersCancelled(account, record.order_epoch))


def end_orders_if_due(world: World, account: int) -> None:
    """Make a deadline that has passed a raised epoch, before anything is written that counts it."""
    if world.is_deadline_passed(account):
        end_orders(world, account)


def sweep(world: World, account: int, first: int = NO_SLOT) -> None:
    """Look at 32 orders of the account's list, from one on (0: from the oldest).

    Those that are over are removed; a lively one is passed over.
    """
    slot = first or world.accounts[account].orders_head
    for _ in range(REMOVALS_PER_TICK_MAX):
        if slot == NO_SLOT:
            return
        order = world.orders[slot]
        following, removal = order.next_in_account, end_of(world, order)
        if removal is not None:
            book.remove_order(world, slot, removal)
            release_position(world, order.position)
        slot = following


def end_of(world: World, order: OrderRecord) -> Removal | None:
    """Return what ended an order: with others, by its time, with its book; None if nothing did."""
    if ladder.is_dead(world, order):
        return ladder.end_of(world, order)
    is_over = ladder.is_expired(world, order) or states.has_ended(world, order.instrument)
    return Removal.EXPIRED if is_over else None


def _is_resident(world: World, order: int) -> bool:
    """Whether an order has a record, be it dead."""
    slot = order_slot(order)
    if slot not in world.orders:
        return False
    record = world.orders[slot]
    return record.generation == order >> 32 and record.account != 0
