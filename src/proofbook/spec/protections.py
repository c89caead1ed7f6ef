"""Market-maker protection: quotes of one account that end together once too much has traded.

Who quotes hundreds of options must not be filled on all of them before he can answer. A protection
counts what the quotes under it trade within an interval, in 1e-9 units of the underlying, and
freezes before its limit is exceeded: all of them are dead at once, and no new ones are taken until
it thaws or is reset. Freezing raises an epoch; the records go when somebody meets them, or when
newer quotes take their place.
"""

from proofbook.protocol.commands import ResetProtection, SetProtection
from proofbook.protocol.events import ProtectionChanged
from proofbook.protocol.limits import (
    PROTECTION_INTERVAL_MAX_NS,
    PROTECTIONS_PER_ACCOUNT,
    Reject,
)
from proofbook.protocol.records import OrderRecord, ProtectionRecord
from proofbook.spec.world import World

FOREVER_NS = (1 << 64) - 1
EPOCH_MASK = 0xFFFF_FFFF


def set_protection(world: World, command: SetProtection) -> Reject | None:
    """Make or change a protection, its count at zero; a frozen one does not thaw.

    Rejects  PROTECTION_OUT_OF_RANGE for a number, an interval or a limit that cannot be;
             ARENA_FULL.
    """
    is_sound = (
        1 <= command.protection <= PROTECTIONS_PER_ACCOUNT
        and 1 <= command.interval_ns <= PROTECTION_INTERVAL_MAX_NS
        and command.limit_nanos > 0
    )
    if not is_sound:
        return Reject.PROTECTION_OUT_OF_RANGE
    slot = find(world, command.account, command.protection)
    if not slot:
        if not world.protections.has_room(1):
            return Reject.ARENA_FULL
        slot, record = world.protections.allocate()
        record.account, record.number = command.account, command.protection
        world.accounts.edit(command.account).protections[command.protection - 1] = slot
    protection = world.protections.edit(slot)
    protection.interval_ns = command.interval_ns
    protection.frozen_ns = command.frozen_ns
    protection.limit_nanos = command.limit_nanos
    protection.interval_start_ns = protection.used_nanos = 0
    _emit(world, protection)
    return None


def reset_protection(world: World, command: ResetProtection) -> Reject | None:
    """Thaw a protection, its count at zero. Rejects PROTECTION_NOT_FOUND."""
    slot = find(world, command.account, command.protection)
    if not slot:
        return Reject.PROTECTION_NOT_FOUND
    protection = world.protections.edit(slot)
    protection.frozen_until_ns = protection.interval_start_ns = protection.used_nanos = 0
    _emit(world, protection)
    return None


# What quotes under one may do


def find(world: World, account: int, number: int) -> int:
    """Return the slot of an account's protection, 0 if it has none of this number."""
    if not 1 <= number <= PROTECTIONS_PER_ACCOUNT:
        return 0
    return world.accounts[account].protections[number - 1]


def of_order(world: World, order: OrderRecord) -> int:
    """Return the slot of the protection that an order is under, or 0."""
    return find(world, order.account, order.protection)


def is_frozen(world: World, slot: int) -> bool:
    return world.header.window_ns < world.protections[slot].frozen_until_ns


def is_ended(world: World, order: OrderRecord) -> bool:
    """Whether the order's protection froze after it was placed."""
    slot = of_order(world, order)
    return slot != 0 and world.protections[slot].epoch != order.protection_epoch


def room_lots(world: World, order: OrderRecord) -> int:
    """Return the lots that the order's protection lets trade now. The order must be under one."""
    protection = world.protections[of_order(world, order)]
    used = 0 if _has_interval_passed(world, protection) else protection.used_nanos
    return (protection.limit_nanos - used) // world.instruments[order.instrument].lot_nanos


def count_trade(world: World, order: OrderRecord, lots: int) -> None:
    """Count lots that a quote traded; freeze if not one more of its instrument would fit."""
    slot = of_order(world, order)
    protection = world.protections.edit(slot)
    if _has_interval_passed(world, protection):
        protection.interval_start_ns = world.header.window_ns
        protection.used_nanos = 0
    protection.used_nanos += lots * world.instruments[order.instrument].lot_nanos
    if room_lots(world, order) == 0:
        freeze(world, slot)


def freeze(world: World, slot: int) -> None:
    """End every quote under the protection."""
    protection = world.protections.edit(slot)
    thaw_ns = world.header.window_ns + protection.frozen_ns
    protection.frozen_until_ns = min(thaw_ns, FOREVER_NS) if protection.frozen_ns else FOREVER_NS
    protection.epoch = (protection.epoch + 1) & EPOCH_MASK
    protection.interval_start_ns = protection.used_nanos = 0
    _emit(world, protection)


def _has_interval_passed(world: World, protection: ProtectionRecord) -> bool:
    """Whether the interval in which trades were counted has passed."""
    return world.header.window_ns >= protection.interval_start_ns + protection.interval_ns


def _emit(world: World, protection: ProtectionRecord) -> None:
    world.emit(
        ProtectionChanged(
            protection.account, protection.number, protection.epoch, protection.frozen_until_ns
        )
    )
