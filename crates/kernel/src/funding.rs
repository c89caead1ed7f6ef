//! Funding: what a perpetual's longs pay its shorts for a price above the index, all the time.
//!
//! The premium of the book is how far the impact price of its bids lies above the index, less how
//! far that of its asks lies below it: the average price at which a taker would sell, or buy, a set
//! value at once. Book and index stand still between two commands. So before either changes the
//! premium that stood since then is added up, times the time that it stood: nothing is sampled, and
//! no moment is worth more than another.
//!
//! An order counts for an interval only if it still stands at its end: one cancelled before has
//! risked nothing. An index counts until it is too old, no longer. What is paid is kept as whole
//! atoms per lot in the instrument's funding index, the rest of the division with it, so that no
//! atom is lost: of all positions together the lots are zero, and so is what they pay.

use crate::accounts::add_cash;
use crate::arena::NO_SLOT;
use crate::arrays::div_nearest;
use crate::commands::REDUCE_ONLY_FLAG;
use crate::events::{FundingChanged, FundingSettled};
use crate::fixed_point::{narrow, times};
use crate::identifiers::instrument_id;
use crate::ladder;
use crate::limits::{
    ATOMS_PER_QUOTE_UNIT, AuctionPhase, FEMTOS_PER_PPM, FRACTION_ONE_PPM, FUNDING_INTERVAL_NS,
    FUNDING_ORDERS_MAX, InstrumentKind, ORACLE_AGE_MAX_NS, PREMIUM_AVERAGE_NS, Side, TimeInForce,
};
use crate::payoff::NANOS_PER_UNIT;
use crate::premiums::Walk;
use crate::protections;
use crate::records::{
    account, expiry, global, instrument, order, parameters, position, underlying,
};
use crate::rounding::{ceil_div, floor_div};
use crate::rules::trades_at_once;
use crate::store::Store;
use crate::views::{Editor, Record};
use crate::world::{PARAMETERS_SLOT, World};

const BUY: u8 = Side::Buy as u8;
const SELL: u8 = Side::Sell as u8;

/// Rooms of protections that the orders looked at have taken from, each by its slot.
type Rooms = [(u32, u64); FUNDING_ORDERS_MAX as usize];

/// Bring funding and the premium in the mark up to now, by the book and index as they stand.
///
/// To be called before anything changes a perpetual's book, state, positions or index; does nothing
/// for other kinds, and little if time has not moved on. Both premiums are bounded by parameters.
///
/// Rounds the funding index down, its remainder kept; the average down, by less than 1e-15.
#[inline]
pub fn accrue<S: Store>(world: &mut World<S>, slot: u32) {
    let now_ns = world.header(global::WINDOW_NS);
    if world.instrument(slot, instrument::KIND) == InstrumentKind::Perpetual as u8
        && world.instrument(slot, instrument::FUNDING_NS) != now_ns
    {
        accrue_until(world, slot, now_ns);
    }
}

fn accrue_until<S: Store>(world: &mut World<S>, slot: u32, now_ns: u64) {
    let perpetual = world.instrument_record(slot);
    let index_ns = world.underlying(perpetual.get(instrument::UNDERLYING), underlying::INDEX_NS);
    let begin_ns = perpetual.get(instrument::FUNDING_NS).max(index_ns);
    let counted_ns =
        now_ns.min(index_ns.saturating_add(ORACLE_AGE_MAX_NS)).saturating_sub(begin_ns);
    if counted_ns == 0 {
        return world.set_instrument(slot, instrument::FUNDING_NS, now_ns);
    }
    let index_value = index_value(world, slot);
    let premium = premium_ppm(world, slot, index_value);
    let bounds = world.parameters_record(PARAMETERS_SLOT);
    let paid_ppm = clamp(premium, bounds.get(parameters::FUNDING_PREMIUM_MAX_PPM));
    let marked_ppm = clamp(premium, bounds.get(parameters::PERPETUAL_MARK_MAX_PPM));
    let counted_ns = counted_ns as i64;
    world.edit_instrument(slot, |perpetual| {
        perpetual.set(instrument::FUNDING_NS, now_ns);
        add_due(perpetual, times(index_value as i128 * paid_ppm as i128, counted_ns));
        let average = perpetual.get(instrument::MARK_PREMIUM_FEMTOS);
        let marked_femtos = marked_ppm as i128 * FEMTOS_PER_PPM as i128;
        let moved = times(marked_femtos - average as i128, counted_ns);
        let average = average + narrow(floor_div(moved, PREMIUM_AVERAGE_NS as i128));
        perpetual.set(instrument::MARK_PREMIUM_FEMTOS, average);
    });
}

/// Add value × ppm × ns to what a lot has paid; what is no whole atom of it is kept.
fn add_due(perpetual: &mut impl Editor, due: i128) {
    if due == 0 {
        return;
    }
    let one_atom = FUNDING_INTERVAL_NS as i128 * FRACTION_ONE_PPM as i128;
    let mut remainder = perpetual.get(instrument::FUNDING_REMAINDER) + due;
    if !(0..one_atom).contains(&remainder) {
        let whole = narrow(remainder.div_euclid(one_atom));
        let index = perpetual.get(instrument::FUNDING_INDEX);
        perpetual.set(instrument::FUNDING_INDEX, index + whole);
        remainder = remainder.rem_euclid(one_atom);
    }
    perpetual.set(instrument::FUNDING_REMAINDER, remainder);
}

/// Accrue the perpetual of an underlying, if it has one, and tell what came of it.
pub fn accrue_underlying<S: Store>(world: &mut World<S>, slot: u32) {
    let dated = world.underlying(slot, underlying::PERPETUAL_EXPIRY);
    if dated == NO_SLOT {
        return;
    }
    let slot = world.expiry(dated, expiry::INSTRUMENTS_HEAD);
    accrue(world, slot);
    FundingChanged {
        instrument: instrument_id(slot, world.instrument(slot, instrument::GENERATION)),
        funding_index: world.instrument(slot, instrument::FUNDING_INDEX),
        mark_premium_femtos: world.instrument(slot, instrument::MARK_PREMIUM_FEMTOS),
    }
    .encode(world.events);
}

/// Return by how much a perpetual's book lies above its index, in ppm of it.
///
/// Nothing in a book that does not trade at once: its prices bind nobody; nor with an impact value
/// of 0, of which every order has more. Rounds towards zero.
fn premium_ppm<S: Store>(world: &mut World<S>, slot: u32, index_value: i64) -> i128 {
    let phase = world.instrument(slot, instrument::AUCTION_PHASE);
    let is_trading = trades_at_once(world, slot) && phase == AuctionPhase::None as u8;
    let has_impact = world.parameters(PARAMETERS_SLOT, parameters::FUNDING_IMPACT_USD) > 0;
    if !is_trading || !has_impact || index_value == 0 {
        return 0;
    }
    excess_ppm(world, slot, BUY, index_value) - excess_ppm(world, slot, SELL, index_value)
}

/// Return what a lot is worth at the index, in atoms. Rounds to nearest, half up.
pub fn index_value<S: Store>(world: &World<S>, slot: u32) -> i64 {
    let owner = world.instrument(slot, instrument::UNDERLYING);
    let index_atoms = world.underlying(owner, underlying::INDEX_ATOMS);
    let lot_nanos = world.instrument(slot, instrument::LOT_NANOS);
    div_nearest(index_atoms as i128 * lot_nanos as i128, NANOS_PER_UNIT)
}

/// Return how far bids lie above, or asks below, the index at their impact price, in ppm.
///
/// 0 if they do not, or if the first 16 orders do not fill the impact value: an order that is over
/// is looked at too. Rounds down.
#[inline]
pub fn excess_ppm<S: Store>(world: &mut World<S>, slot: u32, side: u8, index_value: i64) -> i128 {
    if let Some(known) = world.store.known_excess(slot, side, index_value) {
        return known;
    }
    let mut walk = Walk::new(side);
    let excess_ppm = walked_excess_ppm(world, slot, side, index_value, &mut walk);
    world.store.remember_excess(slot, side, index_value, excess_ppm, &walk);
    excess_ppm
}

#[inline(never)]
fn walked_excess_ppm<S: Store>(
    world: &mut World<S>,
    slot: u32,
    side: u8,
    index_value: i64,
    walk: &mut Walk,
) -> i128 {
    let sign = if side == BUY { 1 } else { -1 };
    let impact_usd = world.parameters(PARAMETERS_SLOT, parameters::FUNDING_IMPACT_USD);
    let wanted = impact_usd as i128 * ATOMS_PER_QUOTE_UNIT as i128;
    let tick_value = world.instrument(slot, instrument::TICK_VALUE_ATOMS) as i128;
    let (mut lots, mut value) = (0, 0i128);
    let mut rooms = Rooms::default();
    let mut next = ladder::first(world, slot, side);
    loop {
        if next == NO_SLOT {
            return 0;
        }
        // Of an order that rests, below its value.
        let price_ticks = world.order(next, order::PRICE_TICKS);
        let per_lot = narrow(price_ticks as i128 * tick_value);
        if lots == 0 && sign * (per_lot - index_value) <= 0 {
            walk.end_at(price_ticks);
            return 0;
        }
        walk.pass(next, steady_until_ns(world, next));
        let tradable = tradable_lots(world, next, &mut rooms) as i64;
        let tradable_value = tradable as i128 * per_lot as i128;
        if tradable_value >= wanted - value {
            let taken = ceil_div((wanted - value) as u128, per_lot as u128) as i64;
            (lots, value) = (lots + taken, value + taken as i128 * per_lot as i128);
            let at_index = lots as i128 * index_value as i128;
            walk.end_at(price_ticks);
            let excess = if side == BUY { value - at_index } else { at_index - value };
            return floor_div(times(excess.max(0), FRACTION_ONE_PPM as i64), at_index);
        }
        (lots, value) = (lots + tradable, value + tradable_value);
        if walk.is_full() {
            walk.end_at(price_ticks);
            return 0;
        }
        next = ladder::after(world, next);
    }
}

/// Return until when an order trades what it does now, unless somebody writes something.
fn steady_until_ns<S: Store>(world: &World<S>, slot: u32) -> u64 {
    let now_ns = world.header(global::WINDOW_NS);
    let deadline_ns = match world.account(world.order(slot, order::ACCOUNT), account::DEAD_MAN_NS) {
        0 => u64::MAX,
        deadline_ns => deadline_ns,
    };
    let ends_ns = match world.order(slot, order::TIME_IN_FORCE) == TimeInForce::GoodTillTime as u8 {
        true => world.order(slot, order::EXPIRES_NS),
        false => u64::MAX,
    };
    let moments_ns = [deadline_ns, ends_ns, protections::counts_until_ns(world, slot)];
    moments_ns.into_iter().filter(|&moment_ns| moment_ns >= now_ns).min().unwrap_or(u64::MAX)
}

/// Return the lots that an order would trade, of its protection only what is left of its room.
///
/// None of an order that is over, or that only reduces: what that may trade hangs on its owner.
#[inline]
fn tradable_lots<S: Store>(world: &World<S>, slot: u32, rooms: &mut Rooms) -> u64 {
    let is_reducing = world.order(slot, order::FLAGS) & REDUCE_ONLY_FLAG != 0;
    if is_reducing || ladder::is_over(world, slot) {
        return 0;
    }
    let remaining = world.order(slot, order::LOTS_REMAINING);
    let Some(room) = protections::room_lots(world, slot) else { return remaining };
    let protection = protections::of_order(world, slot);
    let known = rooms.iter().position(|(known, _)| *known == protection || *known == NO_SLOT);
    let (name, left) = &mut rooms[known.expect("as many places as orders are looked at")];
    if *name == NO_SLOT {
        (*name, *left) = (protection, room);
    }
    let lots = remaining.min(*left);
    *left -= lots;
    lots
}

/// Return the funding that a position owes and has not paid; below 0 it is owed.
///
/// What accrued since book or index last changed is not in it yet.
#[inline]
pub fn pending_atoms<S: Store>(world: &World<S>, slot: u32) -> i128 {
    let listed = world.position(slot, position::INSTRUMENT);
    let after = world.instrument(listed, instrument::FUNDING_INDEX) as i128;
    let before = world.position(slot, position::FUNDING_INDEX) as i128;
    world.position(slot, position::LOTS) as i128 * (after - before)
}

/// Pay a position's funding out of cash, or into it. Its lots must not change before.
#[inline]
pub fn settle<S: Store>(world: &mut World<S>, slot: u32) {
    let listed = world.position(slot, position::INSTRUMENT);
    let index_before = world.position(slot, position::FUNDING_INDEX);
    let index_after = world.instrument(listed, instrument::FUNDING_INDEX);
    if index_before == index_after {
        return;
    }
    let lots = world.position(slot, position::LOTS);
    let owed_atoms = pending_atoms(world, slot);
    world.set_position(slot, position::FUNDING_INDEX, index_after);
    if lots == 0 {
        return;
    }
    let account = world.position(slot, position::ACCOUNT);
    add_cash(world, account, -owed_atoms);
    let instrument = instrument_id(listed, world.instrument(listed, instrument::GENERATION));
    FundingSettled { account, instrument, lots, index_before, index_after }.encode(world.events);
}

/// Return the number, at most the limit either way.
fn clamp(number: i128, limit: u32) -> i64 {
    let limit = limit as i64;
    match i64::try_from(number) {
        Ok(number) => number.clamp(-limit, limit),
        Err(_) => number.signum() as i64 * limit,
    }
}
