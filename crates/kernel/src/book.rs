//! The order book: what it takes to put an order in, to make it smaller, and to take it out.
//!
//! Levels are in a trie by price, orders in a queue at each level, so that price and time decide;
//! and in a list of their account, so that it can be swept. A position counts what its orders could
//! add to it and what they reserve, so that margin need not look into the book.

use crate::arena::NO_SLOT;
use crate::commands::QUOTE_FLAG;
use crate::events::{OrderReduced, OrderRemoved, OrderRested};
use crate::field::{U32, U64};
use crate::funding;
use crate::identifiers::{instrument_id, order_id};
use crate::ladder;
use crate::leg_holds;
use crate::limits::{AuctionPhase, Removal, Side};
use crate::positions::renew;
use crate::records::{account, global, instrument, level, order, position};
use crate::store::Store;
use crate::trie::{self, PRICE_DEPTH};
use crate::views::{Editor, Record};
use crate::world::World;

const BUY: u8 = Side::Buy as u8;

/// Return whether the order is its account's quote of its side.
pub fn is_quote<S: Store>(world: &World<S>, slot: u32) -> bool {
    world.order(slot, order::FLAGS) & QUOTE_FLAG != 0
}

/// Return the side of an order.
pub fn side_of<S: Store>(world: &World<S>, slot: u32) -> Side {
    if world.order(slot, order::SIDE) == BUY { Side::Buy } else { Side::Sell }
}

/// Return the field of a position that holds the order which is the account's quote of a side.
#[inline(always)]
pub fn quote_field(side: u8) -> U32 {
    if side == BUY { position::BID_QUOTE } else { position::ASK_QUOTE }
}

/// Return the field of a position that holds what its orders of a side could add.
#[inline(always)]
fn open_field(side: u8) -> U64 {
    if side == BUY { position::OPEN_BUY_LOTS } else { position::OPEN_SELL_LOTS }
}

/// Put an order record, filled in but for its links, at the end of its level and of its account's
/// list.
pub fn rest_order<S: Store>(world: &mut World<S>, slot: u32) {
    let placed = world.order_record(slot);
    let (owner, traded) = (placed.get(order::ACCOUNT), placed.get(order::INSTRUMENT));
    let (held, side) = (placed.get(order::POSITION), placed.get(order::SIDE));
    let (lots, epoch) = (placed.get(order::LOTS_REMAINING), placed.get(order::ORDER_EPOCH));
    let reserved_atoms = lots as i128 * placed.get(order::RESERVE_PER_LOT_ATOMS) as i128;
    funding::accrue(world, traded);
    let (joined, before_in_level) = join_level(world, slot);
    let before_in_account = join_account(world, slot, owner);
    world.edit_order(slot, |placed| {
        placed.set(order::LEVEL, joined);
        placed.set(order::PREVIOUS_IN_LEVEL, before_in_level);
        placed.set(order::PREVIOUS_IN_ACCOUNT, before_in_account);
    });
    world.edit_position(held, |held| {
        renew(held, epoch);
        held.set(open_field(side), held.get(open_field(side)) + lots);
        let reserve_atoms = held.get(position::ORDER_RESERVE_ATOMS) + reserved_atoms;
        held.set(position::ORDER_RESERVE_ATOMS, reserve_atoms);
        held.set(position::ORDERS_RESIDENT, held.get(position::ORDERS_RESIDENT) + 1);
    });
    world.set_instrument(traded, instrument::ACTIVE_NS, world.header(global::WINDOW_NS));
    leg_holds::hold(world, owner, traded);
    leg_holds::count(world, slot, lots as i64);
    emit_rested(world, slot, lots);
}

fn emit_rested<S: Store>(world: &mut World<S>, slot: u32, lots: u64) {
    let rested = world.order_record(slot);
    OrderRested {
        order: order_id(slot, rested.get(order::GENERATION)),
        account: rested.get(order::ACCOUNT),
        instrument: order_instrument_id(world, slot),
        side: rested.get(order::SIDE),
        price_ticks: rested.get(order::PRICE_TICKS),
        lots,
        nonce: rested.get(order::NONCE),
        label: rested.get(order::LABEL),
    }
    .encode(world.events);
}

/// Put an order at the end of the level of its price; return the level, and the order before it.
fn join_level<S: Store>(world: &mut World<S>, slot: u32) -> (u32, u32) {
    let joining = world.order_record(slot);
    let (instrument, side) = (joining.get(order::INSTRUMENT), joining.get(order::SIDE));
    let price_ticks = joining.get(order::PRICE_TICKS);
    let lots = joining.get(order::LOTS_REMAINING);
    let root = world.instrument(instrument, ladder::root_field(side));
    let mut joined = trie::find(world.store, root, price_ticks, PRICE_DEPTH);
    let is_new = joined == NO_SLOT;
    if is_new {
        joined = world.allocate(level::ARENA);
        let root = trie::insert(world.store, root, price_ticks, PRICE_DEPTH, joined);
        world.set_instrument(instrument, ladder::root_field(side), root);
    }
    let mut tail = NO_SLOT;
    world.edit_level(joined, |level| {
        if is_new {
            level.set(level::PRICE_TICKS, price_ticks);
            level.set(level::HEAD, slot);
        }
        tail = level.get(level::TAIL);
        level.set(level::TAIL, slot);
        level.set(level::ORDERS, level.get(level::ORDERS) + 1);
        level.set(level::LOTS, level.get(level::LOTS) + lots);
    });
    if tail != NO_SLOT {
        world.set_order(tail, order::NEXT_IN_LEVEL, slot);
    }
    if is_new {
        note_new_level(world, instrument, side, joined, price_ticks);
    }
    (joined, tail)
}

/// Tell the caches of a level that was not there before.
fn note_new_level<S: Store>(
    world: &mut World<S>,
    instrument: u32,
    side: u8,
    added: u32,
    price_ticks: u32,
) {
    world.store.note_level(instrument, side, price_ticks);
    let Some(best) = world.store.known_best_level(instrument, side) else { return };
    let is_better = best == NO_SLOT
        || match (side, world.level(best, level::PRICE_TICKS)) {
            (BUY, best_ticks) => price_ticks > best_ticks,
            (_, best_ticks) => price_ticks < best_ticks,
        };
    if is_better {
        world.store.remember_best_level(instrument, side, Some(added));
    }
}

/// Put an order at the end of its account's list; return the one before it.
fn join_account<S: Store>(world: &mut World<S>, slot: u32, owner: u32) -> u32 {
    let mut tail = NO_SLOT;
    world.edit_account(owner, |owner| {
        tail = owner.get(account::ORDERS_TAIL);
        if tail == NO_SLOT {
            owner.set(account::ORDERS_HEAD, slot);
        }
        owner.set(account::ORDERS_TAIL, slot);
        owner.set(account::ORDERS_LIVE, owner.get(account::ORDERS_LIVE) + 1);
        owner.set(account::ORDERS_RESIDENT, owner.get(account::ORDERS_RESIDENT) + 1);
    });
    if tail != NO_SLOT {
        world.set_order(tail, order::NEXT_IN_ACCOUNT, slot);
    }
    tail
}

/// Take filled or cancelled lots out of an order, its level and what its position reserves.
pub fn reduce_order<S: Store>(world: &mut World<S>, slot: u32, lots: u64) {
    let reduced = world.order_record(slot);
    let (instrument, side) = (reduced.get(order::INSTRUMENT), reduced.get(order::SIDE));
    let (joined, held) = (reduced.get(order::LEVEL), reduced.get(order::POSITION));
    let remaining = reduced.get(order::LOTS_REMAINING);
    let released_atoms = lots as i128 * reduced.get(order::RESERVE_PER_LOT_ATOMS) as i128;
    let is_epoch_over = ladder::is_epoch_over(world, slot);
    funding::accrue(world, instrument);
    world.set_order(slot, order::LOTS_REMAINING, remaining - lots);
    world.edit_level(joined, |level| level.set(level::LOTS, level.get(level::LOTS) - lots));
    restart_search(world, instrument);
    if is_epoch_over {
        return;
    }
    world.edit_position(held, |held| release(held, side, lots, released_atoms));
    leg_holds::count(world, slot, -(lots as i64));
}

/// Take lots of live orders out of what they could add to a position, and what they reserve.
#[inline(always)]
fn release(held: &mut impl Editor, side: u8, lots: u64, released_atoms: i128) {
    held.set(open_field(side), held.get(open_field(side)) - lots);
    let reserve_atoms = held.get(position::ORDER_RESERVE_ATOMS) - released_atoms;
    held.set(position::ORDER_RESERVE_ATOMS, reserve_atoms);
}

/// Let the search for an auction's price begin anew: it goes stale when an order leaves.
#[inline]
fn restart_search<S: Store>(world: &mut World<S>, instrument: u32) {
    if world.instrument(instrument, instrument::AUCTION_PHASE) == AuctionPhase::Pricing as u8 {
        restart_auction(world, instrument, AuctionPhase::Pricing);
    }
}

/// Put an auction at the beginning of a phase.
pub fn restart_auction<S: Store>(world: &mut World<S>, instrument: u32, phase: AuctionPhase) {
    world.set_instrument(instrument, instrument::AUCTION_PHASE, phase as u8);
    world.set_instrument(instrument, instrument::AUCTION_BID, 0);
    world.set_instrument(instrument, instrument::AUCTION_ASK, 0);
    world.set_instrument(instrument, instrument::AUCTION_BID_LOTS, 0);
    world.set_instrument(instrument, instrument::AUCTION_ASK_LOTS, 0);
    world.set_instrument(instrument, instrument::AUCTION_HIGH_TICKS, 0);
    world.set_instrument(instrument, instrument::AUCTION_TICKS, 0);
}

/// Take an order with lots left out of the book and say why.
pub fn remove_order<S: Store>(world: &mut World<S>, slot: u32, removal: Removal) {
    let removed = world.order_record(slot);
    OrderRemoved {
        order: order_id(slot, removed.get(order::GENERATION)),
        account: removed.get(order::ACCOUNT),
        instrument: order_instrument_id(world, slot),
        side: removed.get(order::SIDE),
        price_ticks: removed.get(order::PRICE_TICKS),
        lots: removed.get(order::LOTS_REMAINING),
        nonce: removed.get(order::NONCE),
        removal: removal as u8,
    }
    .encode(world.events);
    unlink_order(world, slot);
}

/// Take lots out of an order without a trade, and the order out of the book if none are left.
pub fn decrement_order<S: Store>(world: &mut World<S>, slot: u32, lots: u64, removal: Removal) {
    if lots == world.order(slot, order::LOTS_REMAINING) {
        remove_order(world, slot, removal);
        return;
    }
    OrderReduced {
        order: order_id(slot, world.order(slot, order::GENERATION)),
        account: world.order(slot, order::ACCOUNT),
        instrument: order_instrument_id(world, slot),
        side: world.order(slot, order::SIDE),
        price_ticks: world.order(slot, order::PRICE_TICKS),
        lots,
        nonce: world.order(slot, order::NONCE),
        removal: removal as u8,
    }
    .encode(world.events);
    reduce_order(world, slot, lots);
}

/// Free an order, with what lots it has left, and its level if that is empty. Its position stays.
pub fn unlink_order<S: Store>(world: &mut World<S>, slot: u32) {
    let unlinked = world.order_record(slot);
    let (owner, held) = (unlinked.get(order::ACCOUNT), unlinked.get(order::POSITION));
    let (traded, side) = (unlinked.get(order::INSTRUMENT), unlinked.get(order::SIDE));
    let before = unlinked.get(order::PREVIOUS_IN_ACCOUNT);
    let after = unlinked.get(order::NEXT_IN_ACCOUNT);
    let lots = unlinked.get(order::LOTS_REMAINING);
    let released_atoms = lots as i128 * unlinked.get(order::RESERVE_PER_LOT_ATOMS) as i128;
    let is_live = !ladder::is_epoch_over(world, slot);
    let is_quote = is_quote(world, slot);
    funding::accrue(world, traded);
    leave_level(world, slot);
    restart_search(world, traded);
    world.edit_account(owner, |owner| {
        if is_live {
            owner.set(account::ORDERS_LIVE, owner.get(account::ORDERS_LIVE) - 1);
        }
        owner.set(account::ORDERS_RESIDENT, owner.get(account::ORDERS_RESIDENT) - 1);
        if before == NO_SLOT {
            owner.set(account::ORDERS_HEAD, after);
        }
        if after == NO_SLOT {
            owner.set(account::ORDERS_TAIL, before);
        }
    });
    if before != NO_SLOT {
        world.set_order(before, order::NEXT_IN_ACCOUNT, after);
    }
    if after != NO_SLOT {
        world.set_order(after, order::PREVIOUS_IN_ACCOUNT, before);
    }
    world.edit_position(held, |held| {
        if is_live {
            release(held, side, lots, released_atoms);
        }
        held.set(position::ORDERS_RESIDENT, held.get(position::ORDERS_RESIDENT) - 1);
        if is_quote {
            held.set(quote_field(side), NO_SLOT);
        }
    });
    if is_live {
        leg_holds::count(world, slot, -(lots as i64));
    }
    leg_holds::drop(world, owner, traded);
    world.free(order::ARENA, slot);
}

fn leave_level<S: Store>(world: &mut World<S>, slot: u32) {
    let leaving = world.order_record(slot);
    let left = leaving.get(order::LEVEL);
    let before = leaving.get(order::PREVIOUS_IN_LEVEL);
    let after = leaving.get(order::NEXT_IN_LEVEL);
    let lots = leaving.get(order::LOTS_REMAINING);
    let mut orders = 0;
    world.edit_level(left, |level| {
        if before == NO_SLOT {
            level.set(level::HEAD, after);
        }
        if after == NO_SLOT {
            level.set(level::TAIL, before);
        }
        orders = level.get(level::ORDERS) - 1;
        level.set(level::ORDERS, orders);
        level.set(level::LOTS, level.get(level::LOTS) - lots);
    });
    if before != NO_SLOT {
        world.set_order(before, order::NEXT_IN_LEVEL, after);
    }
    if after != NO_SLOT {
        world.set_order(after, order::PREVIOUS_IN_LEVEL, before);
    }
    if orders == 0 {
        remove_level(world, slot, left);
    }
}

/// Free a level that its last order leaves.
fn remove_level<S: Store>(world: &mut World<S>, last: u32, removed: u32) {
    let instrument = world.order(last, order::INSTRUMENT);
    let side = world.order(last, order::SIDE);
    let price_ticks = world.order(last, order::PRICE_TICKS);
    let root = world.instrument(instrument, ladder::root_field(side));
    let root = trie::remove(world.store, root, price_ticks, PRICE_DEPTH);
    world.set_instrument(instrument, ladder::root_field(side), root);
    if world.store.known_best_level(instrument, side) == Some(removed) {
        world.store.remember_best_level(instrument, side, None);
    }
    world.free(level::ARENA, removed);
}

pub fn order_instrument_id<S: Store>(world: &World<S>, slot: u32) -> u32 {
    let instrument = world.order(slot, order::INSTRUMENT);
    instrument_id(instrument, world.instrument(instrument, instrument::GENERATION))
}
