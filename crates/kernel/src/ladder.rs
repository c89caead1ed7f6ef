//! Reading a book: its best price, its orders from there on, and which of them are over.
//!
//! An order may be over and its record still there: ended with all of its account, with its
//! protection, or by its time. Whoever meets it removes it.

use crate::arena::NO_SLOT;
use crate::field::U32;
use crate::limits::{Removal, Side, TimeInForce};
use crate::protections;
use crate::records::{global, instrument, level, order};
use crate::store::Store;
use crate::trie::{self, PRICE_DEPTH};
use crate::world::World;

const BUY: u8 = Side::Buy as u8;

/// Return the level with the best price of a side, or 0.
#[inline]
pub fn best_level<S: Store>(world: &mut World<S>, instrument: u32, side: u8) -> u32 {
    if let Some(level) = world.store.known_best_level(instrument, side) {
        return level;
    }
    let root = world.instrument(instrument, root_field(side));
    let level = match side {
        BUY => trie::highest(world.store, root, PRICE_DEPTH),
        _ => trie::lowest(world.store, root, PRICE_DEPTH),
    };
    world.store.remember_best_level(instrument, side, Some(level));
    level
}

/// Return whether an order of a side at its limit meets an opposite price.
#[inline]
pub fn crosses(side: u8, price_ticks: u32, opposite_ticks: u32) -> bool {
    if side == BUY { opposite_ticks <= price_ticks } else { opposite_ticks >= price_ticks }
}

/// Return whether the best bid reaches the best ask: only orders that rested for an auction do.
pub fn is_crossed<S: Store>(world: &mut World<S>, instrument: u32) -> bool {
    let bid = best_level(world, instrument, BUY);
    let ask = best_level(world, instrument, Side::Sell as u8);
    bid != NO_SLOT
        && ask != NO_SLOT
        && world.level(bid, level::PRICE_TICKS) >= world.level(ask, level::PRICE_TICKS)
}

/// Return the other side.
#[inline]
pub fn opposite(side: u8) -> u8 {
    if side == BUY { Side::Sell as u8 } else { BUY }
}

/// Return whether the order has ended with others; its record is removed when somebody meets it.
#[inline]
pub fn is_dead<S: Store>(world: &World<S>, slot: u32) -> bool {
    is_epoch_over(world, slot) || protections::is_ended(world, slot)
}

/// Return whether a CancelAll or a passed deadline ended the order; nothing is reserved for it.
#[inline]
pub fn is_epoch_over<S: Store>(world: &World<S>, slot: u32) -> bool {
    let owner = world.order(slot, order::ACCOUNT);
    world.order(slot, order::ORDER_EPOCH) != world.live_epoch(owner)
}

/// Return what ended a dead order.
pub fn end_of<S: Store>(world: &World<S>, slot: u32) -> Removal {
    if is_epoch_over(world, slot) { Removal::Epoch } else { Removal::Protection }
}

/// Return whether the time of a good-till-time order is over; it goes when a taker meets it.
#[inline]
pub fn is_expired<S: Store>(world: &World<S>, slot: u32) -> bool {
    let is_timed = world.order(slot, order::TIME_IN_FORCE) == TimeInForce::GoodTillTime as u8;
    is_timed && world.header(global::WINDOW_NS) > world.order(slot, order::EXPIRES_NS)
}

/// Return the field of an instrument that holds the root of a side's prices.
#[inline(always)]
pub fn root_field(side: u8) -> U32 {
    if side == BUY { instrument::BIDS_ROOT } else { instrument::ASKS_ROOT }
}

/// Return whether an order has ended and its record only waits to be removed.
#[inline]
pub fn is_over<S: Store>(world: &World<S>, slot: u32) -> bool {
    is_dead(world, slot) || is_expired(world, slot)
}

/// Return the first order of a side that a taker would meet, or 0.
pub fn first<S: Store>(world: &mut World<S>, instrument: u32, side: u8) -> u32 {
    let level = best_level(world, instrument, side);
    head(world, level)
}

/// Return the order that a taker would meet after one, or 0.
#[inline]
pub fn after<S: Store>(world: &World<S>, slot: u32) -> u32 {
    let in_level = world.order(slot, order::NEXT_IN_LEVEL);
    if in_level != NO_SLOT {
        return in_level;
    }
    let ticks = world.order(slot, order::PRICE_TICKS);
    let side = world.order(slot, order::SIDE);
    let root = world.instrument(world.order(slot, order::INSTRUMENT), root_field(side));
    let neighbour = if side == BUY { trie::below } else { trie::above };
    head(world, neighbour(world.store, root, ticks, PRICE_DEPTH))
}

#[inline]
fn head<S: Store>(world: &World<S>, level: u32) -> u32 {
    if level == NO_SLOT { NO_SLOT } else { world.level(level, level::HEAD) }
}
