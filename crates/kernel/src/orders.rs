//! Orders: what is asked of one before it may trade, and what becomes of it then.
//!
//! `prepare` asks all that could speak against an order, in a fixed sequence: its own terms, the
//! state of its book, whom it would meet there, limits, the circuit breaker, margin, debt. Nothing
//! is written before the last answer. `execute` cannot fail any more: the order trades with what it
//! meets, and what is left of it rests or ends; behind a speed bump it waits first. An order is
//! changed by placing it anew, unless it only shrinks.

use alloc::vec::Vec;

use crate::arena::NO_SLOT;
use crate::backing::Effort;
use crate::book;
use crate::breakers;
use crate::cancellation::{check_order, end_orders_if_due};
use crate::commands::{Amend, Place, REDUCE_ONLY_FLAG};
use crate::debts;
use crate::events::OrderRemoved;
use crate::fill_or_kill::rehearse;
use crate::identifiers::{instrument_slot, order_slot};
use crate::ladder;
use crate::leg_holds;
use crate::limits::{
    InstrumentMode, NS_PER_MS, ORDERS_PER_ACCOUNT_MAX, OrderType, PRICE_TICKS_BITS, PostOnly,
    Reject, Removal, SelfTradePrevention, Side, TimeInForce,
};
use crate::margin::{self, Change, Exposure};
use crate::margin_modes::instruments_max;
use crate::matching::{self, Taker};
use crate::order_terms::{OrderTerms, check_instrument, check_terms, opposite_side, tick_step};
use crate::position_limits::{self, Taking};
use crate::positions::{find_position, margined, open_position, release_position};
use crate::prices::{Part, legs_of};
use crate::records::{account, global, instrument, level, node, order, position};
use crate::rules::trades_at_once;
use crate::states::{self, Entering};
use crate::store::Store;
use crate::trie::{INSTRUMENT_DEPTH, PRICE_DEPTH};
use crate::views::Editor;
use crate::waiting::{self, Wait};
use crate::world::World;

/// Trade an order against its book, and let what remains of it rest if it may.
///
/// Rejects as `prepare`.
pub fn place<S: Store>(world: &mut World<S>, command: &Place) -> Result<(), Reject> {
    place_or_wait(world, command, false)
}

/// Place an order; behind a speed bump one that would trade at once waits first, unless it is
/// released: it has waited.
///
/// Rejects as `prepare`.
pub fn place_or_wait<S: Store>(
    world: &mut World<S>,
    command: &Place,
    is_released: bool,
) -> Result<(), Reject> {
    let accepted = prepare(world, command, NO_SLOT, is_released)?;
    execute(world, accepted, is_released);
    Ok(())
}

/// Shrink an order where it stands, or take it out and place it anew with what changed.
///
/// Rejects ORDER_NOT_FOUND, ORDER_NOT_OWNED; ORDER_COMBINATION_INVALID for a quote, which its next
/// batch changes; LOTS_OUT_OF_RANGE for an order that would grow without a price; then, placed
/// anew, as `prepare`.
pub fn amend<S: Store>(world: &mut World<S>, command: &Amend) -> Result<(), Reject> {
    check_order(world, command.account, command.order)?;
    let slot = order_slot(command.order);
    if ladder::is_expired(world, slot) {
        return Err(Reject::OrderNotFound);
    }
    if book::is_quote(world, slot) {
        return Err(Reject::OrderCombinationInvalid);
    }
    let price_ticks = world.order(slot, order::PRICE_TICKS);
    let is_same_price = command.price_ticks == 0 || command.price_ticks == price_ticks;
    if is_same_price && command.lots <= world.order(slot, order::LOTS_REMAINING) {
        return shrink(world, slot, command.lots);
    }
    if command.price_ticks == 0 {
        return Err(Reject::LotsOutOfRange);
    }
    let accepted = prepare(world, &renewed(world, slot, command), slot, false)?;
    book::remove_order(world, slot, Removal::Amended);
    execute(world, accepted, false);
    Ok(())
}

fn shrink<S: Store>(world: &mut World<S>, slot: u32, lots: u64) -> Result<(), Reject> {
    let remaining = world.order(slot, order::LOTS_REMAINING);
    let lots_min = match world.order(slot, order::FLAGS) & REDUCE_ONLY_FLAG {
        0 => world.instrument(world.order(slot, order::INSTRUMENT), instrument::LOTS_MIN),
        _ => 1,
    };
    if lots < lots_min.min(remaining) {
        return Err(Reject::LotsOutOfRange);
    }
    if lots < remaining {
        book::decrement_order(world, slot, remaining - lots, Removal::Amended);
    }
    Ok(())
}

/// Return an order with its new price and size, to be placed again.
///
/// A good-till-time order ends when it was to end. Any other takes the expiry of the message that
/// amends it, which matters only while it waits behind a speed bump.
fn renewed<S: Store>(world: &World<S>, slot: u32, command: &Amend) -> Place {
    let mode = world.order(slot, order::SELF_TRADE_PREVENTION);
    let time_in_force = world.order(slot, order::TIME_IN_FORCE);
    let is_timed = time_in_force == TimeInForce::GoodTillTime as u8;
    Place {
        account: command.account,
        nonce: command.nonce,
        expires_ns: if is_timed {
            world.order(slot, order::EXPIRES_NS)
        } else {
            command.expires_ns
        },
        instrument: book::order_instrument_id(world, slot),
        side: book::side_of(world, slot),
        order_type: OrderType::Limit,
        price_ticks: command.price_ticks,
        lots: command.lots,
        time_in_force: TimeInForce::try_from(time_in_force).expect("orders rest in a known way"),
        flags: world.order(slot, order::FLAGS),
        self_trade_prevention: SelfTradePrevention::try_from(mode).expect("a known mode"),
        group: world.order(slot, order::GROUP),
        max_fee_ppm: world.order(slot, order::MAX_FEE_PPM),
        label: world.order(slot, order::LABEL),
    }
}

/// An order that nothing speaks against, with the fee limit that margin leaves it.
///
/// `refused`: for a fill-or-kill order, those makers on its way who could not pay for their fills;
/// it is known that all of it fills without them. None for any other order.
struct Accepted {
    order: Place,
    /// What a lot of it reserves if it rests.
    reserve_per_lot: u64,
    refused: Option<Vec<u32>>,
}

/// Return the order as it will be executed, or the first thing that speaks against it.
///
/// `replaced` is the slot of a resting order whose place it takes, which counts as gone.
///
/// Rejects in the order of `check_instrument`, `check_terms`; ORDER_COMBINATION_INVALID,
/// INSTRUMENT_STATE; `check_book`, `check_room`; BREAKER_TRIPPED, ACCOUNT_INSOLVENT,
/// INSUFFICIENT_MARGIN, DEBT_LIMIT; then, if it must wait, as `waiting::check_room`.
fn prepare<S: Store>(
    world: &mut World<S>,
    command: &Place,
    replaced: u32,
    is_released: bool,
) -> Result<Accepted, Reject> {
    check_shape(world, command)?;
    check_state(world, command)?;
    let slot = instrument_slot(command.instrument);
    let mut command = *command;
    if command.post_only() == PostOnly::Slide {
        command.price_ticks = slid_ticks(world, slot, command.side, command.price_ticks);
    }
    let lots = placed_lots(world, &command);
    let refused = check_book(world, &command, slot, lots)?;
    let is_new = replaced == NO_SLOT;
    let taken_out = if is_new { Exposure::default() } else { given_back(world, replaced) };
    let may_rest = !is_immediate(&command);
    let asked = Room {
        account: command.account,
        instrument: slot,
        side: command.side,
        lots,
        taken_out,
        is_new: may_rest && is_new,
        may_rest,
        is_reduce_only: command.is_reduce_only(),
    };
    check_room(world, &asked)?;
    if is_held_by_breaker(world, &command) {
        return Err(Reject::BreakerTripped);
    }
    let Place { side, price_ticks, .. } = command;
    let reserve_at = |fee_ppm| margin::reserve_per_lot(world, slot, side, price_ticks, fee_ppm);
    let reserve_per_lot = reserve_at(command.max_fee_ppm);
    let max_fee_ppm = backed_fee_ppm(world, &command, lots, reserve_per_lot, taken_out)?;
    let is_as_signed = max_fee_ppm == command.max_fee_ppm;
    let reserve_per_lot = if is_as_signed { reserve_per_lot } else { reserve_at(max_fee_ppm) };
    if is_beyond_debt(world, &command, lots, replaced) {
        return Err(Reject::DebtLimit);
    }
    if !is_released && must_wait(world, &command) {
        waiting::check_room(world, command.account)?;
        return Ok(Accepted { order: command, reserve_per_lot, refused: None });
    }
    Ok(Accepted { order: Place { max_fee_ppm, ..command }, reserve_per_lot, refused })
}

/// Check whether state and mode of the book let the order in now: INSTRUMENT_STATE.
pub fn check_state<S: Store>(world: &World<S>, command: &Place) -> Result<(), Reject> {
    let entering = Entering {
        is_post_only: command.post_only() != PostOnly::Off,
        is_reduce_only: command.is_reduce_only(),
        is_immediate: is_immediate(command),
    };
    states::check_order(world, instrument_slot(command.instrument), entering)
}

/// Return whether the order would meet another behind a speed bump.
#[inline]
fn must_wait<S: Store>(world: &mut World<S>, command: &Place) -> bool {
    let slot = instrument_slot(command.instrument);
    world.instrument(slot, instrument::MODE) == InstrumentMode::SpeedBump as u8
        && crossed_ticks(world, slot, command.side, command.price_ticks) != 0
}

/// Check what speaks against the order by itself, whatever its book takes now.
pub fn check_shape<S: Store>(world: &World<S>, command: &Place) -> Result<(), Reject> {
    check_instrument(world, command.instrument)?;
    let terms = OrderTerms {
        account: command.account,
        side: command.side,
        price_ticks: command.price_ticks,
        lots: command.lots,
        max_fee_ppm: command.max_fee_ppm,
        is_reduce_only: command.is_reduce_only(),
    };
    check_terms(world, instrument_slot(command.instrument), &terms)?;
    if is_combination_valid(command) { Ok(()) } else { Err(Reject::OrderCombinationInvalid) }
}

/// Return what the account's exposure loses with a live order.
pub fn given_back<S: Store>(world: &World<S>, slot: u32) -> Exposure {
    let lots = world.order(slot, order::LOTS_REMAINING) as i64;
    let reserve_per_lot = world.order(slot, order::RESERVE_PER_LOT_ATOMS) as i128;
    margin::resting(book::side_of(world, slot), -lots, -lots as i128 * reserve_per_lot)
}

/// Return the limit, or the next price on tick that does not cross; 0 if there is none.
pub fn slid_ticks<S: Store>(world: &mut World<S>, slot: u32, side: Side, price_ticks: u32) -> u32 {
    let best_ticks = crossed_ticks(world, slot, side, price_ticks);
    if best_ticks == 0 {
        return price_ticks;
    }
    match side {
        Side::Buy => {
            let ticks = best_ticks - 1;
            ticks - ticks % tick_step(world, slot, ticks)
        }
        Side::Sell => {
            let ticks = (best_ticks + 1).next_multiple_of(tick_step(world, slot, best_ticks + 1));
            if ticks >> PRICE_TICKS_BITS == 0 { ticks } else { 0 }
        }
    }
}

/// Return whether there is a limit, and it meets no opposite order.
pub fn may_rest<S: Store>(world: &mut World<S>, slot: u32, side: Side, price_ticks: u32) -> bool {
    price_ticks != 0 && crossed_ticks(world, slot, side, price_ticks) == 0
}

/// Return the best opposite price if a limit reaches it, or 0; 0 where orders only gather.
///
/// Dead orders count until they are swept.
#[inline]
fn crossed_ticks<S: Store>(world: &mut World<S>, slot: u32, side: Side, price_ticks: u32) -> u32 {
    let best = ladder::best_level(world, slot, ladder::opposite(side as u8));
    if best == NO_SLOT || states::gathers(world, slot) {
        return 0;
    }
    let best_ticks = world.level(best, level::PRICE_TICKS);
    if ladder::crosses(side as u8, price_ticks, best_ticks) { best_ticks } else { 0 }
}

/// Return the lots of an order: if it is reduce-only, at most what there is to reduce.
fn placed_lots<S: Store>(world: &World<S>, command: &Place) -> u64 {
    if !command.is_reduce_only() {
        return command.lots;
    }
    let held = find_position(world, command.account, instrument_slot(command.instrument));
    let held_lots = if held == NO_SLOT { 0 } else { world.position(held, position::LOTS) };
    command.lots.min(matching::reducible_lots(held_lots, command.side as u8))
}

/// Return whether nothing of the order may rest.
fn is_immediate(command: &Place) -> bool {
    matches!(command.time_in_force, TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill)
}

/// Return whether a market order is immediate, and a post-only one is not.
fn is_combination_valid(command: &Place) -> bool {
    match is_immediate(command) {
        true => command.post_only() == PostOnly::Off,
        false => command.order_type != OrderType::Market,
    }
}

/// Check the order against position and book; return the makers that a fill-or-kill order passes.
///
/// `lots` is already clipped if it is reduce-only.
fn check_book<S: Store>(
    world: &mut World<S>,
    command: &Place,
    slot: u32,
    lots: u64,
) -> Result<Option<Vec<u32>>, Reject> {
    if lots == 0 {
        return Err(Reject::ReduceOnlyWouldIncrease);
    }
    if command.post_only() != PostOnly::Off
        && !may_rest(world, slot, command.side, command.price_ticks)
    {
        return Err(Reject::PostOnlyWouldCross);
    }
    if command.time_in_force != TimeInForce::FillOrKill {
        return Ok(None);
    }
    rehearse(world, &taker_of(command, NO_SLOT, slot, lots)).map(Some).ok_or(Reject::WouldNotFill)
}

fn taker_of(command: &Place, position: u32, instrument: u32, lots: u64) -> Taker {
    Taker {
        account: command.account,
        position,
        instrument,
        side: command.side,
        price_ticks: command.price_ticks,
        lots,
        max_fee_ppm: command.max_fee_ppm,
        nonce: command.nonce,
        self_trade_prevention: command.self_trade_prevention,
        group: command.group,
        is_cancelled: false,
        is_liquidation: false,
        refused: None,
        effort: Effort::default(),
        is_effort_spent: false,
    }
}

/// What an order may need at worst.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub account: u32,
    pub instrument: u32,
    pub side: Side,
    pub lots: u64,
    /// What an older order gives back.
    pub taken_out: Exposure,
    /// Not if it takes the place of an order or never rests.
    pub is_new: bool,
    pub may_rest: bool,
    pub is_reduce_only: bool,
}

/// Check limits of the account and of the arenas, for what the order may need at worst:
/// ORDER_LIMIT, INSTRUMENT_LIMIT, POSITION_LIMIT, OPEN_INTEREST_LIMIT, ARENA_FULL.
///
/// An immediate order in a position that is there needs no record: a full arena keeps nobody from
/// closing.
pub fn check_room<S: Store>(world: &World<S>, asked: &Room) -> Result<(), Reject> {
    let owner = asked.account;
    let resident = world.account(owner, account::ORDERS_RESIDENT) as u64;
    if asked.is_new && resident >= ORDERS_PER_ACCOUNT_MAX {
        return Err(Reject::OrderLimit);
    }
    let legs = legs_of(world, asked.instrument);
    let whole = Part { instrument: asked.instrument, ratio: 1 };
    let (mut missing, mut positions) = (0, world.account(owner, account::POSITIONS_COUNT));
    let mut need = |part: Part| {
        if find_position(world, owner, part.instrument) == NO_SLOT {
            missing += 1;
            positions += margined(world, part.instrument);
        }
    };
    need(whole);
    legs.iter().for_each(need);
    if positions as u64 > instruments_max(world, owner) {
        return Err(Reject::InstrumentLimit);
    }
    let check = |part| position_limits::check_order(world, &taking(asked, part));
    check(whole)?;
    legs.iter().try_for_each(check)?;
    let path_to_price = if asked.may_rest { PRICE_DEPTH } else { 0 };
    let has_room = world.has_room(position::ARENA, missing)
        && (!asked.is_new || world.has_room(order::ARENA, 1))
        && (!asked.may_rest || world.has_room(level::ARENA, 1))
        && world.has_room(node::ARENA, path_to_price + INSTRUMENT_DEPTH * missing);
    if has_room { Ok(()) } else { Err(Reject::ArenaFull) }
}

/// Return what the order would take of a part of what it trades.
#[inline]
fn taking(asked: &Room, part: Part) -> Taking {
    let given_back = match asked.side {
        Side::Buy => asked.taken_out.buys,
        Side::Sell => asked.taken_out.sells,
    };
    Taking {
        account: asked.account,
        instrument: part.instrument,
        side: if part.ratio > 0 { asked.side } else { opposite_side(asked.side) },
        added: part.ratio.abs() * (asked.lots as i64 + given_back),
        is_reducing: asked.is_reduce_only,
    }
}

/// Return whether the order could make too large a debt, could cost more than the one that it
/// replaces, and neither by its flag nor by margin reduces.
fn is_beyond_debt<S: Store>(world: &World<S>, command: &Place, lots: u64, replaced: u32) -> bool {
    let Place { side, price_ticks, max_fee_ppm, .. } = *command;
    let slot = instrument_slot(command.instrument);
    let outflow =
        lots as i128 * debts::outflow_per_lot(world, slot, side, price_ticks, max_fee_ppm);
    if command.is_reduce_only() || !debts::is_beyond_limit(world, command.account, outflow) {
        return false;
    }
    if replaced != NO_SLOT && outflow <= debts::order_outflow(world, replaced) {
        return false;
    }
    let before = margin::portfolio(world, command.account, &[]);
    reducing_fee_ppm(world, command, lots, &before).is_none()
}

/// Return whether a breaker keeps the order out: it would take, and does not only shrink positions.
#[inline]
pub fn is_held_by_breaker<S: Store>(world: &mut World<S>, command: &Place) -> bool {
    let slot = instrument_slot(command.instrument);
    if command.is_reduce_only() || !breakers::is_tripped(world, slot) {
        return false;
    }
    let Place { account, side, price_ticks, .. } = *command;
    let takes = is_immediate(command) || crossed_ticks(world, slot, side, price_ticks) != 0;
    let lots = if side == Side::Buy { command.lots as i64 } else { -(command.lots as i64) };
    let legs = legs_of(world, slot);
    let shrinks =
        |part: Part| position_limits::shrinks(world, account, part.instrument, part.ratio * lots);
    let is_shrinking = match legs.is_empty() {
        true => shrinks(Part { instrument: slot, ratio: 1 }),
        false => legs.iter().all(shrinks),
    };
    takes && !is_shrinking
}

/// Return the highest fee with which margin lets the order in.
///
/// Its own if it is covered as a whole, or in the place of another that required no less. Of a
/// reducing one that cannot rest, or only to reduce, 0 if its owner could not pay any.
///
/// Rejects ACCOUNT_INSOLVENT, INSUFFICIENT_MARGIN.
fn backed_fee_ppm<S: Store>(
    world: &World<S>,
    command: &Place,
    lots: u64,
    reserve_per_lot: u64,
    taken_out: Exposure,
) -> Result<u32, Reject> {
    let Place { side, max_fee_ppm, .. } = *command;
    let slot = instrument_slot(command.instrument);
    let added = margin::resting(side, lots as i64, lots as i128 * reserve_per_lot as i128);
    let change_of = |exposure| [Change { instrument: slot, exposure }];
    let change = change_of(added + taken_out);
    if world.store.is_surely_covered(command.account, &change) {
        return Ok(max_fee_ppm);
    }
    let mut before = margin::portfolio(world, command.account, &[]);
    if before.is_insolvent() {
        return Err(Reject::AccountInsolvent);
    }
    let after = margin::with_changes(world, &before, &change);
    if margin::covers(world, &after, 0) {
        return Ok(max_fee_ppm);
    }
    if taken_out != Exposure::default() {
        if margin::requires_no_more(world, &before, &after) {
            return Ok(max_fee_ppm);
        }
        before = margin::with_changes(world, &before, &change_of(taken_out));
    }
    if !is_immediate(command) && !command.is_reduce_only() {
        return Err(Reject::InsufficientMargin);
    }
    reducing_fee_ppm(world, command, lots, &before).ok_or(Reject::InsufficientMargin)
}

/// Return the highest fee that the order may pay if it reduces, filled at its limit.
///
/// Who cannot pay the fee of an order that leaves no scenario worse pays none.
fn reducing_fee_ppm<S: Store>(
    world: &World<S>,
    command: &Place,
    lots: u64,
    before: &margin::Portfolio,
) -> Option<u32> {
    let Place { side, price_ticks, max_fee_ppm, .. } = *command;
    let slot = instrument_slot(command.instrument);
    let fee = margin::fee_per_lot_up(world, slot, price_ticks, max_fee_ppm) as i128;
    let adverse = margin::adverse_per_lot(world, slot, side, price_ticks);
    let whole_atoms = lots as i128 * (adverse + fee);
    let (charged_ppm, cost_atoms) = match margin::can_pay(before, whole_atoms) {
        true => (max_fee_ppm, whole_atoms),
        false => (0, lots as i128 * adverse),
    };
    let filled = Exposure::of_lots(if side == Side::Buy { lots as i64 } else { -(lots as i64) });
    let change = [Change { instrument: slot, exposure: filled }];
    margin::is_reducing(world, before, &change, cost_atoms).then_some(charged_ppm)
}

/// Trade the order, then let it rest or end; or have it wait. Nothing can refuse it any more.
fn execute<S: Store>(world: &mut World<S>, accepted: Accepted, is_released: bool) {
    let Accepted { order: ref command, reserve_per_lot, refused } = accepted;
    let (slot, lots) = (instrument_slot(command.instrument), placed_lots(world, command));
    end_orders_if_due(world, command.account);
    let mut held = find_position(world, command.account, slot);
    if !is_released && must_wait(world, command) {
        let bump_ns = world.instrument(slot, instrument::SPEED_BUMP_MS) as u64 * NS_PER_MS;
        let release_ns = world.header(global::WINDOW_NS) + bump_ns;
        waiting::wait(world, command, Wait { release_ns, ..Wait::default() });
        if held != NO_SLOT {
            release_position(world, held);
        }
        return;
    }
    if held == NO_SLOT {
        held = open_position(world, command.account, slot);
    }
    leg_holds::hold(world, command.account, slot);
    let mut taker = taker_of(command, held, slot, lots);
    taker.refused = refused;
    let immediate = is_immediate(command).then_some(Removal::Immediate);
    let removal = match trades_at_once(world, slot) {
        true => matching::match_taker(world, &mut taker).or(immediate),
        false => None,
    };
    if taker.lots > 0 {
        assert!(command.time_in_force != TimeInForce::FillOrKill, "it would have filled");
        match removal {
            Some(removal) => emit_rest_removed(world, command, taker.lots, removal),
            None => {
                rest(world, command, held, taker.lots, reserve_per_lot);
            }
        }
    }
    leg_holds::drop(world, command.account, slot);
    release_position(world, held);
}

/// Put what is left of an order into the book, with what a lot of it reserves; return its slot.
pub fn rest<S: Store>(
    world: &mut World<S>,
    command: &Place,
    held: u32,
    lots: u64,
    reserve_per_lot: u64,
) -> u32 {
    let instrument = world.position(held, position::INSTRUMENT);
    let slot = world.allocate(order::ARENA);
    let epoch = world.account(command.account, account::ORDER_EPOCH);
    let seq = world.header(global::SEQ);
    world.edit_order(slot, |resting| {
        resting.set(order::ACCOUNT, command.account);
        resting.set(order::POSITION, held);
        resting.set(order::INSTRUMENT, instrument);
        resting.set(order::PRICE_TICKS, command.price_ticks);
        resting.set(order::SIDE, command.side as u8);
        resting.set(order::TIME_IN_FORCE, command.time_in_force as u8);
        resting.set(order::FLAGS, command.flags);
        resting.set(order::SELF_TRADE_PREVENTION, command.self_trade_prevention as u8);
        resting.set(order::LOTS_REMAINING, lots);
        resting.set(order::LOTS_ORIGINAL, command.lots);
        resting.set(order::RESERVE_PER_LOT_ATOMS, reserve_per_lot);
        resting.set(order::ORDER_EPOCH, epoch);
        resting.set(order::MAX_FEE_PPM, command.max_fee_ppm);
        resting.set(order::EXPIRES_NS, command.expires_ns);
        resting.set(order::NONCE, command.nonce);
        resting.set(order::SEQ, seq);
        resting.set(order::LABEL, command.label);
        resting.set(order::GROUP, command.group);
    });
    book::rest_order(world, slot);
    slot
}

fn emit_rest_removed<S: Store>(world: &mut World<S>, command: &Place, lots: u64, removal: Removal) {
    OrderRemoved {
        order: 0,
        account: command.account,
        instrument: command.instrument,
        side: command.side as u8,
        price_ticks: command.price_ticks,
        lots,
        nonce: command.nonce,
        removal: removal as u8,
    }
    .encode(world.events);
}
