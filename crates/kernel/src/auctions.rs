//! Auctions: orders that have gathered in a crossed book all trade at one price.
//!
//! Orders gather before a book opens, and in one that trades in batches between two auctions. The
//! price is the one at which most lots can trade; of several the nearest to the mark, then the
//! lower. It is found by adding up bids from the highest down and asks from the lowest up, always
//! on the side with fewer lots so far, until the next order no longer reaches the other side. Then
//! the best bid trades with the best ask at that price, and so on. Each Uncross takes a bounded
//! number of steps, and the next one goes on from there. No order comes in meanwhile, and one that
//! leaves makes the search begin anew.

use crate::accounts::add_cash;
use crate::arena::NO_SLOT;
use crate::backing::{Burden, Effort, can_bear, is_free};
use crate::book;
use crate::combos;
use crate::commands::Uncross;
use crate::events::{AuctionEnded, AuctionFilled, AuctionPriced};
use crate::funding;
use crate::identifiers::{instrument_id, order_id};
use crate::ladder;
use crate::limits::{
    AUCTION_STEPS_MAX, AuctionPhase, FEE_ACCOUNT, InstrumentMode, NS_PER_MS, Reject, Removal,
    SelfTradePrevention, Side,
};
use crate::matching::{
    burden_at, is_one_trader, maker_fee_up, remove_over, remove_untradable, take_filled,
    tradable_lots,
};
use crate::positions::release_position;
use crate::prices::{mark_atoms, value_per_lot};
use crate::records::{global, instrument, level, order};
use crate::states;
use crate::store::Store;
use crate::trie::{self, PRICE_DEPTH};
use crate::world::World;

const BUY: u8 = Side::Buy as u8;
const SELL: u8 = Side::Sell as u8;
const PRICING: u8 = AuctionPhase::Pricing as u8;
const FILLING: u8 = AuctionPhase::Filling as u8;

/// Take the next 32 steps of the auction that runs or is due, fewer once the effort is spent.
///
/// Rejects INSTRUMENT_NOT_FOUND, INSTRUMENT_EXPIRED; INSTRUMENT_STATE if the book does not trade
/// now; AUCTION_NOT_DUE if no auction runs and none may begin.
pub fn uncross<S: Store>(world: &mut World<S>, command: &Uncross) -> Result<(), Reject> {
    let slot = states::find_instrument(world, command.instrument);
    if slot == NO_SLOT {
        return Err(Reject::InstrumentNotFound);
    }
    if states::is_expired(world, slot) {
        return Err(Reject::InstrumentExpired);
    }
    if !states::trades(world, slot) {
        return Err(Reject::InstrumentState);
    }
    let phase = world.instrument(slot, instrument::AUCTION_PHASE);
    let is_running = phase != AuctionPhase::None as u8;
    if !is_running && !is_due(world, slot) {
        return Err(Reject::AuctionNotDue);
    }
    funding::accrue(world, slot);
    if !is_running {
        book::restart_auction(world, slot, AuctionPhase::Pricing);
    }
    let mut effort = Effort::default();
    for _ in 0..AUCTION_STEPS_MAX {
        match world.instrument(slot, instrument::AUCTION_PHASE) {
            PRICING => price_step(world, slot),
            FILLING if !effort.is_spent() => fill_step(world, slot, &mut effort),
            _ => break,
        }
    }
    Ok(())
}

/// Return whether a batch auction may begin: its time has come and a bid reaches an ask.
fn is_due<S: Store>(world: &mut World<S>, slot: u32) -> bool {
    world.instrument(slot, instrument::MODE) == InstrumentMode::BatchAuction as u8
        && world.header(global::WINDOW_NS) >= world.instrument(slot, instrument::AUCTION_NEXT_NS)
        && ladder::is_crossed(world, slot)
}

// The price

/// Add the next order of the side with fewer lots so far, or conclude that none reaches.
fn price_step<S: Store>(world: &mut World<S>, slot: u32) {
    let bid_lots = world.instrument(slot, instrument::AUCTION_BID_LOTS);
    let ask_lots = world.instrument(slot, instrument::AUCTION_ASK_LOTS);
    let side = if bid_lots <= ask_lots { BUY } else { SELL };
    let next = next_order(world, slot, side);
    if next == NO_SLOT || !reaches(world, slot, next) {
        return conclude(world, slot);
    }
    if !is_tradable(world, next) {
        return drop_in_search(world, slot, next);
    }
    let lots = tradable_lots(world, next);
    if side == BUY {
        if bid_lots < ask_lots {
            let ticks = world.order(next, order::PRICE_TICKS);
            world.set_instrument(slot, instrument::AUCTION_HIGH_TICKS, ticks);
        }
        world.set_instrument(slot, instrument::AUCTION_BID, next);
        world.set_instrument(slot, instrument::AUCTION_BID_LOTS, bid_lots + lots);
    } else {
        let last_bid = world.instrument(slot, instrument::AUCTION_BID);
        let ticks = world.order(last_bid, order::PRICE_TICKS);
        world.set_instrument(slot, instrument::AUCTION_HIGH_TICKS, ticks);
        world.set_instrument(slot, instrument::AUCTION_ASK, next);
        world.set_instrument(slot, instrument::AUCTION_ASK_LOTS, ask_lots + lots);
    }
}

/// Return the order after the last one that was added, 0 at the end of the side.
fn next_order<S: Store>(world: &mut World<S>, slot: u32, side: u8) -> u32 {
    let last = match side {
        BUY => world.instrument(slot, instrument::AUCTION_BID),
        _ => world.instrument(slot, instrument::AUCTION_ASK),
    };
    let found = if last == NO_SLOT {
        ladder::best_level(world, slot, side)
    } else {
        let in_level = world.order(last, order::NEXT_IN_LEVEL);
        if in_level != NO_SLOT {
            return in_level;
        }
        let ticks = world.order(last, order::PRICE_TICKS);
        match side {
            BUY => {
                let root = world.instrument(slot, instrument::BIDS_ROOT);
                trie::below(world.store, root, ticks, PRICE_DEPTH)
            }
            _ => {
                let root = world.instrument(slot, instrument::ASKS_ROOT);
                trie::above(world.store, root, ticks, PRICE_DEPTH)
            }
        }
    };
    if found == NO_SLOT { NO_SLOT } else { world.level(found, level::HEAD) }
}

/// Return whether an order reaches the last one that was added on the other side, or its best.
fn reaches<S: Store>(world: &mut World<S>, slot: u32, next: u32) -> bool {
    let side = world.order(next, order::SIDE);
    let facing = match side {
        BUY => world.instrument(slot, instrument::AUCTION_ASK),
        _ => world.instrument(slot, instrument::AUCTION_BID),
    };
    let facing_ticks = if facing != NO_SLOT {
        world.order(facing, order::PRICE_TICKS)
    } else {
        let best = ladder::best_level(world, slot, ladder::opposite(side));
        if best == NO_SLOT {
            return false;
        }
        world.level(best, level::PRICE_TICKS)
    };
    ladder::crosses(side, world.order(next, order::PRICE_TICKS), facing_ticks)
}

/// Remove an order that was not added, without beginning the search anew.
fn drop_in_search<S: Store>(world: &mut World<S>, slot: u32, dropped: u32) {
    let bid = world.instrument(slot, instrument::AUCTION_BID);
    let ask = world.instrument(slot, instrument::AUCTION_ASK);
    let bid_lots = world.instrument(slot, instrument::AUCTION_BID_LOTS);
    let ask_lots = world.instrument(slot, instrument::AUCTION_ASK_LOTS);
    let high_ticks = world.instrument(slot, instrument::AUCTION_HIGH_TICKS);
    drop_order(world, dropped);
    world.set_instrument(slot, instrument::AUCTION_BID, bid);
    world.set_instrument(slot, instrument::AUCTION_ASK, ask);
    world.set_instrument(slot, instrument::AUCTION_BID_LOTS, bid_lots);
    world.set_instrument(slot, instrument::AUCTION_ASK_LOTS, ask_lots);
    world.set_instrument(slot, instrument::AUCTION_HIGH_TICKS, high_ticks);
}

/// Fix the price, or end the auction if nothing can trade.
fn conclude<S: Store>(world: &mut World<S>, slot: u32) {
    let last_ask = world.instrument(slot, instrument::AUCTION_ASK);
    if last_ask == NO_SLOT {
        return end(world, slot);
    }
    let low_ticks = world.order(last_ask, order::PRICE_TICKS);
    let high_ticks = world.instrument(slot, instrument::AUCTION_HIGH_TICKS);
    let tick_value_atoms = world.instrument(slot, instrument::TICK_VALUE_ATOMS);
    let bid_lots = world.instrument(slot, instrument::AUCTION_BID_LOTS);
    let ask_lots = world.instrument(slot, instrument::AUCTION_ASK_LOTS);
    let mark_above_lowest = mark_atoms(world, slot) - value_per_lot(world, slot, 0);
    let price_ticks = nearest_ticks(mark_above_lowest, tick_value_atoms, low_ticks, high_ticks);
    book::restart_auction(world, slot, AuctionPhase::Filling);
    world.set_instrument(slot, instrument::AUCTION_TICKS, price_ticks);
    let instrument = auctioned_id(world, slot);
    AuctionPriced { instrument, price_ticks, lots: bid_lots.min(ask_lots) }.encode(world.events);
}

/// Return the price from low to high that is nearest to the mark; of two the lower.
fn nearest_ticks(mark: i128, tick_value_atoms: u64, low_ticks: u32, high_ticks: u32) -> u32 {
    let tick_value = tick_value_atoms as i128;
    let below = mark.div_euclid(tick_value);
    let is_above_half = 2 * (mark - below * tick_value) > tick_value;
    let nearest = below + is_above_half as i128;
    nearest.min(high_ticks as i128).max(low_ticks as i128) as u32
}

// The fills

/// Let the best bid meet the best ask; end, or look for a new price, if they cannot.
fn fill_step<S: Store>(world: &mut World<S>, slot: u32, effort: &mut Effort) {
    if !ladder::is_crossed(world, slot) {
        return end(world, slot);
    }
    let bid_level = ladder::best_level(world, slot, BUY);
    let ask_level = ladder::best_level(world, slot, SELL);
    let bid = world.level(bid_level, level::HEAD);
    let ask = world.level(ask_level, level::HEAD);
    for met in [bid, ask] {
        if !is_tradable(world, met) {
            drop_order(world, met);
            return book::restart_auction(world, slot, AuctionPhase::Pricing);
        }
    }
    let reached = world.order(ask, order::PRICE_TICKS)..=world.order(bid, order::PRICE_TICKS);
    if !reached.contains(&world.instrument(slot, instrument::AUCTION_TICKS)) {
        book::restart_auction(world, slot, AuctionPhase::Pricing);
    } else if is_one_trader(world, world.order(bid, order::ACCOUNT), group_of(world, bid), ask) {
        prevent_self_trade(world, bid, ask);
    } else if !drop_unbacked(world, slot, [bid, ask], effort) {
        fill(world, slot, bid, ask);
    }
}

/// Remove the first order whose account cannot pay for the trade; look for a new price then.
fn drop_unbacked<S: Store>(
    world: &mut World<S>,
    slot: u32,
    pair: [u32; 2],
    effort: &mut Effort,
) -> bool {
    let price_ticks = world.instrument(slot, instrument::AUCTION_TICKS);
    let lots = tradable_in_both(world, pair[0], pair[1]);
    let is_unbacked = |met: &u32| {
        let burden = burden_at(world, *met, lots, price_ticks);
        let nothing = Burden::default();
        !is_free(world, *met, burden) && !can_bear(world, *met, burden, effort, nothing)
    };
    let Some(met) = pair.into_iter().find(is_unbacked) else {
        return false;
    };
    let held = world.order(met, order::POSITION);
    book::remove_order(world, met, Removal::Unbacked);
    release_position(world, held);
    book::restart_auction(world, slot, AuctionPhase::Pricing);
    true
}

/// Return the lots that two orders may trade with each other.
fn tradable_in_both<S: Store>(world: &World<S>, bid: u32, ask: u32) -> u64 {
    tradable_lots(world, bid).min(tradable_lots(world, ask))
}

fn group_of<S: Store>(world: &World<S>, slot: u32) -> u16 {
    world.order(slot, order::GROUP)
}

/// Return whether at least one lot of an order may trade.
fn is_tradable<S: Store>(world: &World<S>, slot: u32) -> bool {
    !ladder::is_over(world, slot) && tradable_lots(world, slot) > 0
}

/// Remove an order of which nothing may trade.
fn drop_order<S: Store>(world: &mut World<S>, slot: u32) {
    let held = world.order(slot, order::POSITION);
    if ladder::is_over(world, slot) {
        remove_over(world, slot);
    } else {
        remove_untradable(world, slot);
    }
    release_position(world, held);
}

/// Do what the later order's mode says instead of a trade with oneself.
fn prevent_self_trade<S: Store>(world: &mut World<S>, bid: u32, ask: u32) {
    use SelfTradePrevention::{CancelBoth, CancelMaker, CancelTaker, Decrement};
    let is_bid_later = world.order(bid, order::SEQ) > world.order(ask, order::SEQ);
    let (earlier, later) = if is_bid_later { (ask, bid) } else { (bid, ask) };
    let mode = world.order(later, order::SELF_TRADE_PREVENTION);
    let mode = SelfTradePrevention::try_from(mode).expect("placing stored a member");
    let (bid_position, ask_position) =
        (world.order(bid, order::POSITION), world.order(ask, order::POSITION));
    if mode == Decrement {
        let bid_lots = world.order(bid, order::LOTS_REMAINING);
        let lots = bid_lots.min(world.order(ask, order::LOTS_REMAINING));
        book::decrement_order(world, bid, lots, Removal::SelfTrade);
        book::decrement_order(world, ask, lots, Removal::SelfTrade);
    }
    if matches!(mode, CancelMaker | CancelBoth) {
        book::remove_order(world, earlier, Removal::SelfTrade);
    }
    if matches!(mode, CancelTaker | CancelBoth) {
        book::remove_order(world, later, Removal::SelfTrade);
    }
    release_position(world, bid_position);
    if ask_position != bid_position {
        release_position(world, ask_position);
    }
}

/// Trade at the auction's price; both sides pay the fee of a maker, both having rested.
fn fill<S: Store>(world: &mut World<S>, slot: u32, bid: u32, ask: u32) {
    let price_ticks = world.instrument(slot, instrument::AUCTION_TICKS);
    let lots = tradable_in_both(world, bid, ask);
    let per_lot = value_per_lot(world, slot, price_ticks);
    let value_atoms = per_lot * lots as i128;
    let [buyer_fee_atoms, seller_fee_atoms] =
        [bid, ask].map(|met| maker_fee_up(world, met, value_atoms));
    let (buyer, seller) = (world.order(bid, order::ACCOUNT), world.order(ask, order::ACCOUNT));
    let (bought, sold) = (lots as i64, -(lots as i64));
    combos::trade_position(world, world.order(bid, order::POSITION), bought, value_atoms);
    combos::trade_position(world, world.order(ask, order::POSITION), sold, -value_atoms);
    add_cash(world, buyer, -(buyer_fee_atoms as i128));
    add_cash(world, seller, -(seller_fee_atoms as i128));
    add_cash(world, FEE_ACCOUNT as u32, buyer_fee_atoms as i128 + seller_fee_atoms as i128);
    world.set_instrument(slot, instrument::LAST_PRICE_TICKS, price_ticks);
    world.set_instrument(slot, instrument::ACTIVE_NS, world.header(global::WINDOW_NS));
    AuctionFilled {
        instrument: auctioned_id(world, slot),
        price_ticks,
        lots,
        bid_order: order_id(bid, world.order(bid, order::GENERATION)),
        ask_order: order_id(ask, world.order(ask, order::GENERATION)),
        buyer,
        seller,
        buyer_fee_atoms,
        seller_fee_atoms,
    }
    .encode(world.events);
    combos::emit_legs(world, slot, (buyer, seller), bought, per_lot);
    for met in [bid, ask] {
        let held = world.order(met, order::POSITION);
        take_filled(world, met, lots);
        release_position(world, held);
    }
}

fn end<S: Store>(world: &mut World<S>, slot: u32) {
    book::restart_auction(world, slot, AuctionPhase::None);
    if world.instrument(slot, instrument::MODE) == InstrumentMode::BatchAuction as u8 {
        let interval_ms = world.instrument(slot, instrument::AUCTION_INTERVAL_MS);
        let next_ns = world.header(global::WINDOW_NS) + interval_ms as u64 * NS_PER_MS;
        world.set_instrument(slot, instrument::AUCTION_NEXT_NS, next_ns);
    }
    AuctionEnded { instrument: auctioned_id(world, slot) }.encode(world.events);
}

fn auctioned_id<S: Store>(world: &World<S>, slot: u32) -> u32 {
    instrument_id(slot, world.instrument(slot, instrument::GENERATION))
}
