//! Taking orders out: one, all of an account at once, and all of them when a deadline passes.
//!
//! All at once means raising the account's epoch: orders of an older one are dead, and their
//! records are removed in bounded steps or by the taker who meets them.

use crate::arena::NO_SLOT;
use crate::book;
use crate::commands::{Cancel, CancelAll, SetDeadMan, Tick};
use crate::events::{DeadManSet, OrdersCancelled};
use crate::identifiers::{order_generation, order_slot};
use crate::ladder;
use crate::limits::{DEAD_MAN_AHEAD_MAX_NS, REMOVALS_PER_TICK_MAX, Reject, Removal};
use crate::positions::release_position;
use crate::records::{account, global, order};
use crate::states;
use crate::store::Store;
use crate::waiting;
use crate::world::World;

/// Ask for ORDER_NOT_FOUND (dead ones included), ORDER_NOT_OWNED.
pub fn check_order<S: Store>(world: &World<S>, owner: u32, identifier: u64) -> Result<(), Reject> {
    let slot = order_slot(identifier);
    if !is_resident(world, identifier) || ladder::is_dead(world, slot) {
        return Err(Reject::OrderNotFound);
    }
    let is_owned = world.order(slot, order::ACCOUNT) == owner;
    if is_owned { Ok(()) } else { Err(Reject::OrderNotOwned) }
}

/// Return whether an order has a record, be it dead.
fn is_resident<S: Store>(world: &World<S>, identifier: u64) -> bool {
    let slot = order_slot(identifier);
    world.contains(order::ARENA, slot)
        && world.order(slot, order::GENERATION) == order_generation(identifier)
        && world.order(slot, order::ACCOUNT) != 0
}

/// Remove one resting order. Rejects ORDER_NOT_FOUND, ORDER_NOT_OWNED.
pub fn cancel<S: Store>(world: &mut World<S>, command: &Cancel) -> Result<(), Reject> {
    check_order(world, command.account, command.order)?;
    let slot = order_slot(command.order);
    let held = world.order(slot, order::POSITION);
    book::remove_order(world, slot, Removal::Cancelled);
    release_position(world, held);
    Ok(())
}

/// End every order of the account by raising its epoch; remove the first 32 records at once.
pub fn cancel_all<S: Store>(world: &mut World<S>, command: &CancelAll) {
    end_orders(world, command.account);
    sweep(world, command.account, NO_SLOT);
    waiting::sweep(world, command.account);
}

/// Raise the account's epoch; a deadline that has passed is spent with it.
pub fn end_orders<S: Store>(world: &mut World<S>, owner: u32) {
    if world.is_deadline_passed(owner) {
        world.set_account(owner, account::DEAD_MAN_NS, 0);
    }
    let order_epoch = world.account(owner, account::ORDER_EPOCH).wrapping_add(1);
    world.set_account(owner, account::ORDER_EPOCH, order_epoch);
    world.set_account(owner, account::ORDERS_LIVE, 0);
    OrdersCancelled { account: owner, order_epoch }.encode(world.events);
}

/// Make a deadline that has passed a raised epoch, before anything is written that counts it.
pub fn end_orders_if_due<S: Store>(world: &mut World<S>, owner: u32) {
    if world.is_deadline_passed(owner) {
        end_orders(world, owner);
    }
}

/// Set, move or lift (0) the deadline after which every order of the account is dead.
///
/// Rejects DEADLINE_OUT_OF_RANGE unless it lies ahead by at most a day.
pub fn set_dead_man<S: Store>(world: &mut World<S>, command: &SetDeadMan) -> Result<(), Reject> {
    let SetDeadMan { account, deadline_ns, .. } = *command;
    let now_ns = world.header(global::WINDOW_NS);
    let furthest_ns = now_ns.saturating_add(DEAD_MAN_AHEAD_MAX_NS);
    let is_ahead = now_ns < deadline_ns && deadline_ns <= furthest_ns;
    if deadline_ns != 0 && !is_ahead {
        return Err(Reject::DeadlineOutOfRange);
    }
    end_orders_if_due(world, account);
    world.set_account(account, account::DEAD_MAN_NS, deadline_ns);
    DeadManSet { account, deadline_ns }.encode(world.events);
    Ok(())
}

/// Let time pass; sweep what is over of the account named, if any, from an order of it on.
///
/// Rejects ACCOUNT_NOT_FOUND; ORDER_NOT_FOUND, ORDER_NOT_OWNED for the order named, which may be
/// one that is over.
pub fn tick<S: Store>(world: &mut World<S>, command: &Tick) -> Result<(), Reject> {
    if command.account == 0 && command.order == 0 {
        return Ok(());
    }
    if !world.account_exists(command.account) {
        return Err(Reject::AccountNotFound);
    }
    let slot = order_slot(command.order);
    if command.order != 0 {
        if !is_resident(world, command.order) {
            return Err(Reject::OrderNotFound);
        }
        if world.order(slot, order::ACCOUNT) != command.account {
            return Err(Reject::OrderNotOwned);
        }
    }
    end_orders_if_due(world, command.account);
    sweep(world, command.account, slot);
    waiting::sweep(world, command.account);
    Ok(())
}

/// Look at 32 orders of the account's list, from one on (0: from the oldest).
///
/// Those that are over are removed; a lively one is passed over.
pub fn sweep<S: Store>(world: &mut World<S>, owner: u32, first: u32) {
    let oldest = world.account(owner, account::ORDERS_HEAD);
    let mut slot = if first == NO_SLOT { oldest } else { first };
    for _ in 0..REMOVALS_PER_TICK_MAX {
        if slot == NO_SLOT {
            return;
        }
        let following = world.order(slot, order::NEXT_IN_ACCOUNT);
        if let Some(removal) = end_of(world, slot) {
            let held = world.order(slot, order::POSITION);
            book::remove_order(world, slot, removal);
            release_position(world, held);
        }
        slot = following;
    }
}

/// Return what ended an order: with others, by its time, with its book; None if nothing did.
pub fn end_of<S: Store>(world: &World<S>, slot: u32) -> Option<Removal> {
    if ladder::is_dead(world, slot) {
        return Some(ladder::end_of(world, slot));
    }
    let is_over = ladder::is_expired(world, slot)
        || states::has_ended(world, world.order(slot, order::INSTRUMENT));
    is_over.then_some(Removal::Expired)
}
