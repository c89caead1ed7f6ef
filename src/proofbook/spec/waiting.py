"""Waiting orders: those that are in no book yet, from being stored to being gone.

An order waits for a condition, as a stop or a take-profit does, or (condition 0) for the end of a
speed bump. It is a record in a list of its account, and reserves no margin.
"""

from proofbook.protocol.commands import Place, read_order_flags
from proofbook.protocol.events import TriggerPlaced, TriggerRemoved
from proofbook.protocol.identifiers import order_id, order_slot
from proofbook.protocol.limits import (
    REMOVALS_PER_TICK_MAX,
    TRIGGERS_PER_ACCOUNT_MAX,
    OrderType,
    Reject,
    Removal,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from proofbook.protocol.records import TriggerRecord
from proofbook.spec import states
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.world import World

NO_CONDITION = 0


def room_rejection(world: World, account: int) -> Reject | None:
    """Return why no further order of the account may wait: TRIGGER_LIMIT, ARENA_FULL."""
    if world.accounts[account].triggers_count >= TRIGGERS_PER_ACCOUNT_MAX:
        return Reject.TRIGGER_LIMIT
    return None if world.triggers.has_room(1) else Reject.ARENA_FULL


def wait(
    world: World, order: Place, *, condition: int = 0, trigger_ticks: int = 0, release_ns: int = 0
) -> None:
    """Store an order that waits.

    The caller has asked `room_rejection`, and ended the account's orders if that was due.
    """
    slot, trigger = world.triggers.allocate()
    trigger.account = order.account
    trigger.instrument = order.instrument
    trigger.order_epoch = world.accounts[order.account].order_epoch
    trigger.condition = condition
    trigger.side = order.side
    trigger.order_type = order.order_type
    trigger.time_in_force = order.time_in_force
    trigger.trigger_ticks = trigger_ticks
    trigger.price_ticks = order.price_ticks
    trigger.lots = order.lots
    trigger.expires_ns = order.expires_ns
    trigger.nonce = order.nonce
    trigger.max_fee_ppm = order.max_fee_ppm
    trigger.group = order.group
    trigger.flags = order.flags
    trigger.self_trade_prevention = order.self_trade_prevention
    trigger.label = order.label
    trigger.release_ns = release_ns
    trigger.seq = world.header.seq
    _join_account(world, slot, trigger)
    world.emit(
        TriggerPlaced(
            order_id(slot, trigger.generation), order.account, order.instrument, condition,
            trigger_ticks, release_ns, order.side, order.price_ticks, order.lots, order.nonce,
            order.label,
        )
    )  # fmt: skip


def order_of(trigger: TriggerRecord) -> Place:
    """Return the order that waits, as its trader would place it."""
    post_only, reduce_only = read_order_flags(trigger.flags)
    return Place(
        trigger.account, trigger.nonce, trigger.expires_ns, trigger.instrument,
        Side(trigger.side), trigger.price_ticks, trigger.lots, TimeInForce(trigger.time_in_force),
        post_only, reduce_only, trigger.max_fee_ppm, trigger.label, OrderType(trigger.order_type),
        SelfTradePrevention(trigger.self_trade_prevention), trigger.group,
    )  # fmt: skip


def find_trigger(world: World, identifier: int) -> int:
    """Return the slot of a record that is there, or 0."""
    slot = order_slot(identifier)
    if slot not in world.triggers:
        return NO_SLOT
    trigger = world.triggers[slot]
    is_it = trigger.generation == identifier >> 32 and trigger.account
    return slot if is_it else NO_SLOT


def is_dead(world: World, trigger: TriggerRecord) -> bool:
    """Whether a CancelAll or a passed deadline ended the order; its record is removed later."""
    return trigger.order_epoch != world.live_epoch(trigger.account)


def end_of(world: World, trigger: TriggerRecord) -> Removal | None:
    """Return what ended a waiting order: with others, by its time, with its book; None if nothing.

    The book may have been released, and another one be in its slot.
    """
    if is_dead(world, trigger):
        return Removal.EPOCH
    slot = states.find_instrument(world, trigger.instrument)
    is_over = world.header.window_ns > trigger.expires_ns
    return Removal.EXPIRED if is_over or not slot or states.has_ended(world, slot) else None


def remove(world: World, slot: int, removal: Removal) -> None:
    """Take a record away and say why."""
    trigger = world.triggers[slot]
    world.emit(
        TriggerRemoved(
            order_id(slot, trigger.generation), trigger.account, trigger.instrument, removal
        )
    )
    free(world, slot)


def free(world: World, slot: int) -> None:
    """Take a record out of its account's list and give its slot back."""
    trigger = world.triggers[slot]
    account = world.accounts.edit(trigger.account)
    before, after = trigger.previous_in_account, trigger.next_in_account
    if before:
        world.triggers.edit(before).next_in_account = after
    else:
        account.triggers_head = after
    if after:
        world.triggers.edit(after).previous_in_account = before
    else:
        account.triggers_tail = before
    account.triggers_count -= 1
    world.triggers.free(slot)


def sweep(world: World, account: int) -> None:
    """Remove up to 32 records that are over; at most 64 are there to look at."""
    slot, removed = world.accounts[account].triggers_head, 0
    while slot != NO_SLOT and removed < REMOVALS_PER_TICK_MAX:
        trigger = world.triggers[slot]
        removal = end_of(world, trigger)
        if removal is not None:
            remove(world, slot, removal)
            removed += 1
        slot = trigger.next_in_account


def _join_account(world: World, slot: int, trigger: TriggerRecord) -> None:
    account = world.accounts.edit(trigger.account)
    trigger.previous_in_account = account.triggers_tail
    if account.triggers_tail:
        world.triggers.edit(account.triggers_tail).next_in_account = slot
    else:
        account.triggers_head = slot
    account.triggers_tail = slot
    account.triggers_count += 1
