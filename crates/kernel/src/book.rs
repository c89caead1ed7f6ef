//! The order book: levels in a trie by price, orders in a queue per level and in a list per
//! account.

use crate::arena::NO_SLOT;
use crate::commands::QUOTE_FLAG;
use crate::events::{OrderReduced, OrderRemoved, OrderRested};
use crate::field::U32;
use crate::funding;
use crate::identifiers::{instrument_id, order_id};
use crate::ladder;
use crate::leg_holds;
use crate::limits::{AuctionPhase, Removal, Side};
use crate::positions::renew;
use crate::records::{account, global, instrument, level, order, position};
use crate::store::Store;
use crate::trie::{self, PRICE_DEPTH};
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

/// Put an order record, filled in but for its links, at the end of its level and of its account's
/// list.
pub fn rest_order<S: Store>(world: &mut World<S>, slot: u32) {
    funding::accrue(world, world.order(slot, order::INSTRUMENT));
    join_level(world, slot);
    join_account(world, slot);
    let held = world.order(slot, order::POSITION);
    let epoch = world.order(slot, order::ORDER_EPOCH);
    renew(world, held, epoch);
    let lots = world.order(slot, order::LOTS_REMAINING);
    let open_lots = match world.order(slot, order::SIDE) {
        BUY => position::OPEN_BUY_LOTS,
        _ => position::OPEN_SELL_LOTS,
    };
    world.set_position(held, open_lots, world.position(held, open_lots) + lots);
    let reserved = lots as i128 * world.order(slot, order::RESERVE_PER_LOT_ATOMS) as i128;
    let reserve = world.position(held, position::ORDER_RESERVE_ATOMS) + reserved;
    world.set_position(held, position::ORDER_RESERVE_ATOMS, reserve);
    let resident = world.position(held, position::ORDERS_RESIDENT);
    world.set_position(held, position::ORDERS_RESIDENT, resident + 1);
    let (owner, traded) = (world.order(slot, order::ACCOUNT), world.order(slot, order::INSTRUMENT));
    world.set_instrument(traded, instrument::ACTIVE_NS, world.header(global::WINDOW_NS));
    leg_holds::hold(world, owner, traded);
    leg_holds::count(world, slot, lots as i64);
    emit_rested(world, slot, lots);
}

fn emit_rested<S: Store>(world: &mut World<S>, slot: u32, lots: u64) {
    OrderRested {
        order: order_id(slot, world.order(slot, order::GENERATION)),
        account: world.order(slot, order::ACCOUNT),
        instrument: order_instrument_id(world, slot),
        side: world.order(slot, order::SIDE),
        price_ticks: world.order(slot, order::PRICE_TICKS),
        lots,
        nonce: world.order(slot, order::NONCE),
        label: world.order(slot, order::LABEL),
    }
    .encode(world.events);
}

fn join_level<S: Store>(world: &mut World<S>, slot: u32) {
    let instrument = world.order(slot, order::INSTRUMENT);
    let side = world.order(slot, order::SIDE);
    let price_ticks = world.order(slot, order::PRICE_TICKS);
    let root = world.instrument(instrument, ladder::root_field(side));
    let mut joined = trie::find(world.store, root, price_ticks, PRICE_DEPTH);
    if joined == NO_SLOT {
        joined = world.allocate(level::ARENA);
        world.set_level(joined, level::PRICE_TICKS, price_ticks);
        world.set_level(joined, level::HEAD, slot);
        let root = trie::insert(world.store, root, price_ticks, PRICE_DEPTH, joined);
        world.set_instrument(instrument, ladder::root_field(side), root);
        note_new_level(world, instrument, side, joined, price_ticks);
    } else {
        let tail = world.level(joined, level::TAIL);
        world.set_order(slot, order::PREVIOUS_IN_LEVEL, tail);
        world.set_order(tail, order::NEXT_IN_LEVEL, slot);
    }
    world.set_level(joined, level::TAIL, slot);
    world.set_level(joined, level::ORDERS, world.level(joined, level::ORDERS) + 1);
    let lots = world.level(joined, level::LOTS) + world.order(slot, order::LOTS_REMAINING);
    world.set_level(joined, level::LOTS, lots);
    world.set_order(slot, order::LEVEL, joined);
}

/// Tell the caches of a level that was not there before.
fn note_new_level<S: Store>(
    world: &mut World<S>,
    instrument: u32,
    side: u8,
    added: u32,
    price_ticks: u32,
) {
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

fn join_account<S: Store>(world: &mut World<S>, slot: u32) {
    let owner = world.order(slot, order::ACCOUNT);
    let tail = world.account(owner, account::ORDERS_TAIL);
    world.set_order(slot, order::PREVIOUS_IN_ACCOUNT, tail);
    if tail == NO_SLOT {
        world.set_account(owner, account::ORDERS_HEAD, slot);
    } else {
        world.set_order(tail, order::NEXT_IN_ACCOUNT, slot);
    }
    world.set_account(owner, account::ORDERS_TAIL, slot);
    let live = world.account(owner, account::ORDERS_LIVE);
    world.set_account(owner, account::ORDERS_LIVE, live + 1);
    let resident = world.account(owner, account::ORDERS_RESIDENT);
    world.set_account(owner, account::ORDERS_RESIDENT, resident + 1);
}

/// Take filled or cancelled lots out of an order, its level and what its position reserves.
pub fn reduce_order<S: Store>(world: &mut World<S>, slot: u32, lots: u64) {
    let instrument = world.order(slot, order::INSTRUMENT);
    funding::accrue(world, instrument);
    let remaining = world.order(slot, order::LOTS_REMAINING);
    world.set_order(slot, order::LOTS_REMAINING, remaining - lots);
    let joined = world.order(slot, order::LEVEL);
    world.set_level(joined, level::LOTS, world.level(joined, level::LOTS) - lots);
    if world.instrument(instrument, instrument::AUCTION_PHASE) == AuctionPhase::Pricing as u8 {
        restart_auction(world, instrument, AuctionPhase::Pricing);
    }
    if ladder::is_epoch_over(world, slot) {
        return;
    }
    let held = world.order(slot, order::POSITION);
    let open_lots = match world.order(slot, order::SIDE) {
        BUY => position::OPEN_BUY_LOTS,
        _ => position::OPEN_SELL_LOTS,
    };
    world.set_position(held, open_lots, world.position(held, open_lots) - lots);
    let released = lots as i128 * world.order(slot, order::RESERVE_PER_LOT_ATOMS) as i128;
    let reserve = world.position(held, position::ORDER_RESERVE_ATOMS) - released;
    world.set_position(held, position::ORDER_RESERVE_ATOMS, reserve);
    leg_holds::count(world, slot, -(lots as i64));
}

/// Put an auction at the beginning of a phase. A search goes stale when an order leaves.
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
    let lots = world.order(slot, order::LOTS_REMAINING);
    OrderRemoved {
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

/// Free an order that has no lots left, with its level if that is empty. Its position stays.
pub fn unlink_order<S: Store>(world: &mut World<S>, slot: u32) {
    leave_level(world, slot);
    let owner = world.order(slot, order::ACCOUNT);
    if !ladder::is_epoch_over(world, slot) {
        let live = world.account(owner, account::ORDERS_LIVE);
        world.set_account(owner, account::ORDERS_LIVE, live - 1);
    }
    let resident = world.account(owner, account::ORDERS_RESIDENT);
    world.set_account(owner, account::ORDERS_RESIDENT, resident - 1);
    let before = world.order(slot, order::PREVIOUS_IN_ACCOUNT);
    let after = world.order(slot, order::NEXT_IN_ACCOUNT);
    if before == NO_SLOT {
        world.set_account(owner, account::ORDERS_HEAD, after);
    } else {
        world.set_order(before, order::NEXT_IN_ACCOUNT, after);
    }
    if after == NO_SLOT {
        world.set_account(owner, account::ORDERS_TAIL, before);
    } else {
        world.set_order(after, order::PREVIOUS_IN_ACCOUNT, before);
    }
    let held = world.order(slot, order::POSITION);
    let resident = world.position(held, position::ORDERS_RESIDENT);
    world.set_position(held, position::ORDERS_RESIDENT, resident - 1);
    if is_quote(world, slot) {
        let field = quote_field(world.order(slot, order::SIDE));
        world.set_position(held, field, NO_SLOT);
    }
    leg_holds::drop(world, owner, world.order(slot, order::INSTRUMENT));
    world.free(order::ARENA, slot);
}

fn leave_level<S: Store>(world: &mut World<S>, slot: u32) {
    let left = world.order(slot, order::LEVEL);
    let before = world.order(slot, order::PREVIOUS_IN_LEVEL);
    let after = world.order(slot, order::NEXT_IN_LEVEL);
    if before == NO_SLOT {
        world.set_level(left, level::HEAD, after);
    } else {
        world.set_order(before, order::NEXT_IN_LEVEL, after);
    }
    if after == NO_SLOT {
        world.set_level(left, level::TAIL, before);
    } else {
        world.set_order(after, order::PREVIOUS_IN_LEVEL, before);
    }
    let orders = world.level(left, level::ORDERS) - 1;
    world.set_level(left, level::ORDERS, orders);
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
