//! Waiting orders: those that are in no book yet, from being stored to being gone.
//!
//! An order waits for a condition, as a stop or a take-profit does, or (condition 0) for the end of
//! a speed bump. It is a record in a list of its account, and reserves no margin.

use crate::arena::NO_SLOT;
use crate::commands::Place;
use crate::events::{TriggerPlaced, TriggerRemoved};
use crate::identifiers::{order_generation, order_id, order_slot};
use crate::limits::{REMOVALS_PER_TICK_MAX, Reject, Removal, TRIGGERS_PER_ACCOUNT_MAX};
use crate::records::{account, global, trigger};
use crate::states;
use crate::store::Store;
use crate::world::World;

/// The condition of an order that waits for `release_ns` alone.
pub const NO_CONDITION: u8 = 0;

/// What an order waits for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wait {
    /// A `TriggerCondition`, 0 for none.
    pub condition: u8,
    pub trigger_ticks: u32,
    pub release_ns: u64,
}

/// Check that a further order of the account may wait: TRIGGER_LIMIT, ARENA_FULL.
pub fn check_room<S: Store>(world: &World<S>, owner: u32) -> Result<(), Reject> {
    let count = world.account(owner, account::TRIGGERS_COUNT) as u64;
    if count >= TRIGGERS_PER_ACCOUNT_MAX {
        return Err(Reject::TriggerLimit);
    }
    if world.has_room(trigger::ARENA, 1) { Ok(()) } else { Err(Reject::ArenaFull) }
}

/// Store an order that waits.
///
/// The caller has asked `check_room`, and ended the account's orders if that was due.
pub fn wait<S: Store>(world: &mut World<S>, order: &Place, until: Wait) {
    let slot = world.allocate(trigger::ARENA);
    let epoch = world.account(order.account, account::ORDER_EPOCH);
    let seq = world.header(global::SEQ);
    world.set_trigger(slot, trigger::ACCOUNT, order.account);
    world.set_trigger(slot, trigger::INSTRUMENT, order.instrument);
    world.set_trigger(slot, trigger::ORDER_EPOCH, epoch);
    world.set_trigger(slot, trigger::CONDITION, until.condition);
    world.set_trigger(slot, trigger::SIDE, order.side as u8);
    world.set_trigger(slot, trigger::ORDER_TYPE, order.order_type as u8);
    world.set_trigger(slot, trigger::TIME_IN_FORCE, order.time_in_force as u8);
    world.set_trigger(slot, trigger::TRIGGER_TICKS, until.trigger_ticks);
    world.set_trigger(slot, trigger::PRICE_TICKS, order.price_ticks);
    world.set_trigger(slot, trigger::LOTS, order.lots);
    world.set_trigger(slot, trigger::EXPIRES_NS, order.expires_ns);
    world.set_trigger(slot, trigger::NONCE, order.nonce);
    world.set_trigger(slot, trigger::MAX_FEE_PPM, order.max_fee_ppm);
    world.set_trigger(slot, trigger::GROUP, order.group);
    world.set_trigger(slot, trigger::FLAGS, order.flags);
    let prevention = order.self_trade_prevention as u8;
    world.set_trigger(slot, trigger::SELF_TRADE_PREVENTION, prevention);
    world.set_trigger(slot, trigger::LABEL, order.label);
    world.set_trigger(slot, trigger::RELEASE_NS, until.release_ns);
    world.set_trigger(slot, trigger::SEQ, seq);
    join_account(world, slot, order.account);
    TriggerPlaced {
        trigger: order_id(slot, world.trigger(slot, trigger::GENERATION)),
        account: order.account,
        instrument: order.instrument,
        condition: until.condition,
        trigger_ticks: until.trigger_ticks,
        release_ns: until.release_ns,
        side: order.side as u8,
        price_ticks: order.price_ticks,
        lots: order.lots,
        nonce: order.nonce,
        label: order.label,
    }
    .encode(world.events);
}

/// Return the order that waits, as its trader would place it.
pub fn order_of<S: Store>(world: &World<S>, slot: u32) -> Place {
    let prevention = world.trigger(slot, trigger::SELF_TRADE_PREVENTION);
    Place {
        account: world.trigger(slot, trigger::ACCOUNT),
        nonce: world.trigger(slot, trigger::NONCE),
        expires_ns: world.trigger(slot, trigger::EXPIRES_NS),
        instrument: world.trigger(slot, trigger::INSTRUMENT),
        side: stored(world.trigger(slot, trigger::SIDE)),
        order_type: stored(world.trigger(slot, trigger::ORDER_TYPE)),
        price_ticks: world.trigger(slot, trigger::PRICE_TICKS),
        lots: world.trigger(slot, trigger::LOTS),
        time_in_force: stored(world.trigger(slot, trigger::TIME_IN_FORCE)),
        flags: world.trigger(slot, trigger::FLAGS),
        self_trade_prevention: stored(prevention),
        group: world.trigger(slot, trigger::GROUP),
        max_fee_ppm: world.trigger(slot, trigger::MAX_FEE_PPM),
        label: world.trigger(slot, trigger::LABEL),
    }
}

fn stored<T: TryFrom<u8, Error = ()>>(number: u8) -> T {
    T::try_from(number).expect("waiting stored a member")
}

/// Return the slot of a record that is there, or 0.
pub fn find_trigger<S: Store>(world: &World<S>, identifier: u64) -> u32 {
    let slot = order_slot(identifier);
    let is_it = world.contains(trigger::ARENA, slot)
        && world.trigger(slot, trigger::GENERATION) == order_generation(identifier)
        && world.trigger(slot, trigger::ACCOUNT) != 0;
    if is_it { slot } else { NO_SLOT }
}

/// Return whether a CancelAll or a passed deadline ended the order; its record is removed later.
pub fn is_dead<S: Store>(world: &World<S>, slot: u32) -> bool {
    let owner = world.trigger(slot, trigger::ACCOUNT);
    world.trigger(slot, trigger::ORDER_EPOCH) != world.live_epoch(owner)
}

/// Return what ended a waiting order: with others, by its time, with its book; None if nothing did.
///
/// The book may have been released, and another one be in its slot.
pub fn end_of<S: Store>(world: &World<S>, slot: u32) -> Option<Removal> {
    if is_dead(world, slot) {
        return Some(Removal::Epoch);
    }
    let traded = states::find_instrument(world, world.trigger(slot, trigger::INSTRUMENT));
    let is_over = world.header(global::WINDOW_NS) > world.trigger(slot, trigger::EXPIRES_NS);
    let is_ended = is_over || traded == NO_SLOT || states::has_ended(world, traded);
    is_ended.then_some(Removal::Expired)
}

/// Take a record away and say why.
pub fn remove<S: Store>(world: &mut World<S>, slot: u32, removal: Removal) {
    TriggerRemoved {
        trigger: order_id(slot, world.trigger(slot, trigger::GENERATION)),
        account: world.trigger(slot, trigger::ACCOUNT),
        instrument: world.trigger(slot, trigger::INSTRUMENT),
        removal: removal as u8,
    }
    .encode(world.events);
    free(world, slot);
}

/// Take a record out of its account's list and give its slot back.
pub fn free<S: Store>(world: &mut World<S>, slot: u32) {
    let owner = world.trigger(slot, trigger::ACCOUNT);
    let before = world.trigger(slot, trigger::PREVIOUS_IN_ACCOUNT);
    let after = world.trigger(slot, trigger::NEXT_IN_ACCOUNT);
    if before == NO_SLOT {
        world.set_account(owner, account::TRIGGERS_HEAD, after);
    } else {
        world.set_trigger(before, trigger::NEXT_IN_ACCOUNT, after);
    }
    if after == NO_SLOT {
        world.set_account(owner, account::TRIGGERS_TAIL, before);
    } else {
        world.set_trigger(after, trigger::PREVIOUS_IN_ACCOUNT, before);
    }
    let count = world.account(owner, account::TRIGGERS_COUNT);
    world.set_account(owner, account::TRIGGERS_COUNT, count - 1);
    world.free(trigger::ARENA, slot);
}

/// Remove up to 32 records that are over; at most 64 are there to look at.
pub fn sweep<S: Store>(world: &mut World<S>, owner: u32) {
    let (mut slot, mut removed) = (world.account(owner, account::TRIGGERS_HEAD), 0);
    while slot != NO_SLOT && removed < REMOVALS_PER_TICK_MAX {
        let following = world.trigger(slot, trigger::NEXT_IN_ACCOUNT);
        if let Some(removal) = end_of(world, slot) {
            remove(world, slot, removal);
            removed += 1;
        }
        slot = following;
    }
}

fn join_account<S: Store>(world: &mut World<S>, slot: u32, owner: u32) {
    let tail = world.account(owner, account::TRIGGERS_TAIL);
    world.set_trigger(slot, trigger::PREVIOUS_IN_ACCOUNT, tail);
    if tail == NO_SLOT {
        world.set_account(owner, account::TRIGGERS_HEAD, slot);
    } else {
        world.set_trigger(tail, trigger::NEXT_IN_ACCOUNT, slot);
    }
    world.set_account(owner, account::TRIGGERS_TAIL, slot);
    let count = world.account(owner, account::TRIGGERS_COUNT);
    world.set_account(owner, account::TRIGGERS_COUNT, count + 1);
}
