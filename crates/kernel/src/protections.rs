//! Market-maker protection: quotes of one account that end together once too much has traded.
//!
//! Who quotes hundreds of options must not be filled on all of them before he can answer. A
//! protection counts what the quotes under it trade within an interval, in 1e-9 units of the
//! underlying, and freezes before its limit is exceeded: all of them are dead at once, and no new
//! ones are taken until it thaws or is reset. Freezing raises an epoch; the records go when
//! somebody meets them, or when newer quotes take their place.

use crate::arena::NO_SLOT;
use crate::commands::{ResetProtection, SetProtection};
use crate::events::ProtectionChanged;
use crate::limits::{PROTECTION_INTERVAL_MAX_NS, PROTECTIONS_PER_ACCOUNT, Reject};
use crate::records::{account, global, instrument, order, protection};
use crate::store::Store;
use crate::world::World;

const FOREVER_NS: u64 = u64::MAX;

/// Return the slot of an account's protection, 0 if it has none of this number.
pub fn find<S: Store>(world: &World<S>, account: u32, number: u64) -> u32 {
    if !(1..=PROTECTIONS_PER_ACCOUNT).contains(&number) {
        return NO_SLOT;
    }
    world.account(account, account::PROTECTIONS.item(number as u32 - 1))
}

/// Return the slot of the protection that an order is under, or 0.
#[inline]
pub fn of_order<S: Store>(world: &World<S>, slot: u32) -> u32 {
    match world.order(slot, order::PROTECTION) {
        0 => NO_SLOT,
        number => find(world, world.order(slot, order::ACCOUNT), number as u64),
    }
}

/// Return whether no quotes are taken under the protection.
pub fn is_frozen<S: Store>(world: &World<S>, slot: u32) -> bool {
    world.header(global::WINDOW_NS) < world.protection(slot, protection::FROZEN_UNTIL_NS)
}

/// Return whether the order's protection froze after it was placed.
#[inline]
pub fn is_ended<S: Store>(world: &World<S>, slot: u32) -> bool {
    let protection = of_order(world, slot);
    protection != NO_SLOT
        && world.protection(protection, protection::EPOCH)
            != world.order(slot, order::PROTECTION_EPOCH)
}

/// Return the lots that the order's protection still lets trade; nothing if it is under none.
#[inline]
pub fn room_lots<S: Store>(world: &World<S>, slot: u32) -> Option<u64> {
    let protection = of_order(world, slot);
    if protection == NO_SLOT {
        return None;
    }
    let used = match has_interval_passed(world, protection) {
        true => 0,
        false => world.protection(protection, protection::USED_NANOS),
    };
    let left = world.protection(protection, protection::LIMIT_NANOS).saturating_sub(used);
    let instrument = world.order(slot, order::INSTRUMENT);
    Some(left / world.instrument(instrument, instrument::LOT_NANOS))
}

/// Return whether the interval in which trades were counted has passed.
fn has_interval_passed<S: Store>(world: &World<S>, slot: u32) -> bool {
    let start_ns = world.protection(slot, protection::INTERVAL_START_NS);
    let interval_ns = world.protection(slot, protection::INTERVAL_NS);
    world.header(global::WINDOW_NS) as u128 >= start_ns as u128 + interval_ns as u128
}

/// Return the last moment at which the order's protection counts what it counts now.
pub fn counts_until_ns<S: Store>(world: &World<S>, slot: u32) -> u64 {
    let protection = of_order(world, slot);
    if protection == NO_SLOT {
        return u64::MAX;
    }
    let start_ns = world.protection(protection, protection::INTERVAL_START_NS);
    let interval_ns = world.protection(protection, protection::INTERVAL_NS);
    start_ns.saturating_add(interval_ns).saturating_sub(1)
}

/// Count lots that a quote traded; freeze if not one more of its instrument would fit.
pub fn count_trade<S: Store>(world: &mut World<S>, slot: u32, lots: u64) {
    let protection = of_order(world, slot);
    if protection == NO_SLOT {
        return;
    }
    if has_interval_passed(world, protection) {
        let now_ns = world.header(global::WINDOW_NS);
        world.set_protection(protection, protection::INTERVAL_START_NS, now_ns);
        world.set_protection(protection, protection::USED_NANOS, 0);
    }
    let instrument = world.order(slot, order::INSTRUMENT);
    let traded = lots * world.instrument(instrument, instrument::LOT_NANOS);
    let used = world.protection(protection, protection::USED_NANOS) + traded;
    world.set_protection(protection, protection::USED_NANOS, used);
    if room_lots(world, slot) == Some(0) {
        freeze(world, protection);
    }
}

/// End every quote under the protection.
pub fn freeze<S: Store>(world: &mut World<S>, slot: u32) {
    let thaw_ns = match world.protection(slot, protection::FROZEN_NS) {
        0 => FOREVER_NS,
        frozen_ns => world.header(global::WINDOW_NS).saturating_add(frozen_ns),
    };
    let epoch = world.protection(slot, protection::EPOCH).wrapping_add(1);
    world.set_protection(slot, protection::FROZEN_UNTIL_NS, thaw_ns);
    world.set_protection(slot, protection::EPOCH, epoch);
    restart(world, slot);
}

/// Put the count to zero and say how the protection stands.
fn restart<S: Store>(world: &mut World<S>, slot: u32) {
    world.set_protection(slot, protection::INTERVAL_START_NS, 0);
    world.set_protection(slot, protection::USED_NANOS, 0);
    ProtectionChanged {
        account: world.protection(slot, protection::ACCOUNT),
        protection: world.protection(slot, protection::NUMBER) as u8,
        epoch: world.protection(slot, protection::EPOCH),
        frozen_until_ns: world.protection(slot, protection::FROZEN_UNTIL_NS),
    }
    .encode(world.events);
}

/// Make or change a protection, its count at zero; a frozen one stays frozen.
///
/// Rejects PROTECTION_OUT_OF_RANGE for a number, an interval or a limit that cannot be; ARENA_FULL.
pub fn set_protection<S: Store>(
    world: &mut World<S>,
    command: &SetProtection,
) -> Result<(), Reject> {
    let number = command.protection as u64;
    let is_sound = (1..=PROTECTIONS_PER_ACCOUNT).contains(&number)
        && (1..=PROTECTION_INTERVAL_MAX_NS).contains(&command.interval_ns)
        && command.limit_nanos > 0;
    if !is_sound {
        return Err(Reject::ProtectionOutOfRange);
    }
    let mut slot = find(world, command.account, number);
    if slot == NO_SLOT {
        if !world.has_room(protection::ARENA, 1) {
            return Err(Reject::ArenaFull);
        }
        slot = world.allocate(protection::ARENA);
        world.set_protection(slot, protection::ACCOUNT, command.account);
        world.set_protection(slot, protection::NUMBER, number as u32);
        let field = account::PROTECTIONS.item(number as u32 - 1);
        world.set_account(command.account, field, slot);
    }
    world.set_protection(slot, protection::INTERVAL_NS, command.interval_ns);
    world.set_protection(slot, protection::FROZEN_NS, command.frozen_ns);
    world.set_protection(slot, protection::LIMIT_NANOS, command.limit_nanos);
    restart(world, slot);
    Ok(())
}

/// Thaw a protection, its count at zero. Rejects PROTECTION_NOT_FOUND.
pub fn reset_protection<S: Store>(
    world: &mut World<S>,
    command: &ResetProtection,
) -> Result<(), Reject> {
    let slot = find(world, command.account, command.protection as u64);
    if slot == NO_SLOT {
        return Err(Reject::ProtectionNotFound);
    }
    world.set_protection(slot, protection::FROZEN_UNTIL_NS, 0);
    restart(world, slot);
    Ok(())
}
