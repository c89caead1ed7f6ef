//! Orders: placing, cancelling one, cancelling all. Rejections come before the first write.

use crate::arena::NO_SLOT;
use crate::book;
use crate::commands::{Cancel, CancelAll, Place, Tick};
use crate::events::{OrderRemoved, OrdersCancelled};
use crate::fill_or_kill::would_fill;
use crate::identifiers::{instrument_slot, order_generation, order_slot};
use crate::limits::{
    INSTRUMENTS_PER_ACCOUNT_MAX, ORDER_LOTS_MAX, ORDER_VALUE_ATOMS_MAX, ORDERS_PER_ACCOUNT_MAX,
    OrderType, POSITION_LOTS_MAX, PRICE_TICKS_BITS, PostOnly, REMOVALS_PER_TICK_MAX, Reject,
    Removal, Side, TimeInForce,
};
use crate::margin;
use crate::matching::{self, Taker};
use crate::positions::{OpenOrders, find_position, open_orders, open_position, release_position};
use crate::records::{account, global, instrument, level, node, order, position, risk_array};
use crate::store::Store;
use crate::trie::{INSTRUMENT_DEPTH, PRICE_DEPTH};
use crate::world::World;

/// Trie nodes that one order may need: a path to its price and one to its position.
const NODES_PER_ORDER: u32 = PRICE_DEPTH + INSTRUMENT_DEPTH;

/// Match a limit order and let what remains rest, unless it is immediate-or-cancel.
///
/// Rejects in the order of `check_shape`, `check_book`, `check_room`; then INSUFFICIENT_MARGIN.
pub fn place<S: Store>(world: &mut World<S>, command: &Place) -> Result<(), Reject> {
    check_shape(world, command)?;
    let slot = instrument_slot(command.instrument);
    let held = find_position(world, command.account, slot);
    let mut lots = command.lots;
    if command.is_reduce_only() {
        let held_lots = if held == NO_SLOT { 0 } else { world.position(held, position::LOTS) };
        lots = lots.min(matching::reducible_lots(held_lots, command.side as u8));
    }
    check_book(world, command, slot, lots)?;
    check_room(world, command, held, lots)?;
    if !is_covered(world, command, slot, lots) {
        return Err(Reject::InsufficientMargin);
    }
    execute(world, command, slot, held, lots);
    Ok(())
}

/// Check instrument, price, size, value and fee, by themselves.
fn check_shape<S: Store>(world: &World<S>, command: &Place) -> Result<(), Reject> {
    let slot = instrument_slot(command.instrument);
    if !world.contains(instrument::ARENA, slot) {
        return Err(Reject::InstrumentNotFound);
    }
    let generation = world.instrument(slot, instrument::GENERATION);
    if command.instrument >> 16 != generation & 0xffff
        || world.instrument(slot, instrument::KIND) == 0
    {
        return Err(Reject::InstrumentNotFound);
    }
    let expiry_ns = world.instrument(slot, instrument::EXPIRY_NS);
    if expiry_ns != 0 && world.header(global::WINDOW_NS) >= expiry_ns {
        return Err(Reject::InstrumentExpired);
    }
    if command.price_ticks == 0 || command.price_ticks >> PRICE_TICKS_BITS != 0 {
        return Err(Reject::PriceOutOfRange);
    }
    if !(1..=ORDER_LOTS_MAX).contains(&command.lots) {
        return Err(Reject::LotsOutOfRange);
    }
    let tick_value_atoms = world.instrument(slot, instrument::TICK_VALUE_ATOMS);
    // 2^24 · 2^40 · 2^64 at most: fits 128 bits.
    let value = command.price_ticks as u128 * command.lots as u128 * tick_value_atoms as u128;
    if value > ORDER_VALUE_ATOMS_MAX as u128 {
        return Err(Reject::ValueOutOfRange);
    }
    let maker_fee_ppm = world.instrument(slot, instrument::MAKER_FEE_PPM);
    let taker_fee_ppm = world.instrument(slot, instrument::TAKER_FEE_PPM);
    if maker_fee_ppm.max(taker_fee_ppm) > command.max_fee_ppm {
        return Err(Reject::FeeAboveMax);
    }
    if world.risk_array(slot, risk_array::MARKED_NS) == 0 {
        return Err(Reject::MarkMissing);
    }
    if is_combination_valid(command) { Ok(()) } else { Err(Reject::OrderCombinationInvalid) }
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

/// Check the order against position and book; `lots` is already clipped if it is reduce-only.
fn check_book<S: Store>(
    world: &mut World<S>,
    command: &Place,
    slot: u32,
    lots: u64,
) -> Result<(), Reject> {
    if lots == 0 {
        return Err(Reject::ReduceOnlyWouldIncrease);
    }
    if command.post_only() != PostOnly::Off && would_cross(world, command, slot) {
        return Err(Reject::PostOnlyWouldCross);
    }
    if command.time_in_force == TimeInForce::FillOrKill
        && !would_fill(world, &taker_of(command, NO_SLOT, slot, lots))
    {
        return Err(Reject::WouldNotFill);
    }
    Ok(())
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
    }
}

/// Check limits of the account and of the arenas, for the worst case that the order may need.
fn check_room<S: Store>(
    world: &World<S>,
    command: &Place,
    held: u32,
    lots: u64,
) -> Result<(), Reject> {
    let owner = command.account;
    let is_resting = !is_immediate(command);
    let resident = world.account(owner, account::ORDERS_RESIDENT) as u64;
    if is_resting && resident >= ORDERS_PER_ACCOUNT_MAX {
        return Err(Reject::OrderLimit);
    }
    let positions = world.account(owner, account::POSITIONS_COUNT) as u64;
    if held == NO_SLOT && positions >= INSTRUMENTS_PER_ACCOUNT_MAX {
        return Err(Reject::InstrumentLimit);
    }
    let (held_lots, open) = if held == NO_SLOT {
        (0, OpenOrders::default())
    } else {
        let epoch = world.account(owner, account::ORDER_EPOCH);
        (world.position(held, position::LOTS), open_orders(world, epoch, held))
    };
    let reach = match command.side {
        Side::Buy => held_lots + open.buys as i64,
        Side::Sell => open.sells as i64 - held_lots,
    };
    if reach + lots as i64 > POSITION_LOTS_MAX as i64 {
        return Err(Reject::PositionLimit);
    }
    let has_room = world.has_room(position::ARENA, 1)
        && world.has_room(order::ARENA, 1)
        && world.has_room(level::ARENA, 1)
        && world.has_room(node::ARENA, NODES_PER_ORDER);
    if has_room { Ok(()) } else { Err(Reject::ArenaFull) }
}

/// Return whether the limit reaches an opposite level. Dead orders count until they are swept.
fn would_cross<S: Store>(world: &mut World<S>, command: &Place, slot: u32) -> bool {
    let side = command.side as u8;
    let best = book::best_level(world, slot, book::opposite(side));
    best != NO_SLOT
        && book::crosses(side, command.price_ticks, world.level(best, level::PRICE_TICKS))
}

/// Return whether margin lets the order in: covered as a whole, or reducing and unable to rest
/// without being so.
fn is_covered<S: Store>(world: &World<S>, command: &Place, slot: u32, lots: u64) -> bool {
    let cost = cost_per_lot(world, command, slot);
    let (owner, side) = (command.account, command.side);
    if margin::covers_order(world, owner, slot, side, lots, cost.reserve_atoms()) {
        return true;
    }
    if !is_immediate(command) && !command.is_reduce_only() {
        return false;
    }
    margin::is_reducing(world, owner, slot, side, lots, cost.adverse_atoms + cost.fee_atoms)
}

/// What a fill at the limit costs at most, per lot: against the mark, and in fees.
struct CostPerLot {
    adverse_atoms: i128,
    fee_atoms: i128,
}

impl CostPerLot {
    /// Return what a resting order reserves per lot: a better price than the mark earns no credit.
    fn reserve_atoms(&self) -> u64 {
        let reserve = self.adverse_atoms.max(0) + self.fee_atoms;
        u64::try_from(reserve).expect("a lot at its limit is worth less than 2^56")
    }
}

fn cost_per_lot<S: Store>(world: &World<S>, command: &Place, slot: u32) -> CostPerLot {
    let Place { side, price_ticks, max_fee_ppm, .. } = *command;
    CostPerLot {
        adverse_atoms: margin::adverse_per_lot(world, slot, side, price_ticks),
        fee_atoms: margin::fee_per_lot_up(world, slot, price_ticks, max_fee_ppm) as i128,
    }
}

/// Trade, then rest or end; nothing can be refused any more.
fn execute<S: Store>(world: &mut World<S>, command: &Place, slot: u32, held: u32, lots: u64) {
    let held = match held {
        NO_SLOT => open_position(world, command.account, slot),
        held => held,
    };
    let mut taker = taker_of(command, held, slot, lots);
    let immediate = is_immediate(command).then_some(Removal::Immediate);
    let removal = matching::match_taker(world, &mut taker).or(immediate);
    if taker.lots > 0 {
        assert!(command.time_in_force != TimeInForce::FillOrKill, "it would have filled");
        match removal {
            Some(removal) => emit_rest_removed(world, command, taker.lots, removal),
            None => rest(world, command, &taker),
        }
    }
    release_position(world, held);
}

fn rest<S: Store>(world: &mut World<S>, command: &Place, taker: &Taker) {
    let slot = world.allocate(order::ARENA);
    let reserve_atoms = cost_per_lot(world, command, taker.instrument).reserve_atoms();
    let epoch = world.account(command.account, account::ORDER_EPOCH);
    let seq = world.header(global::SEQ);
    world.set_order(slot, order::ACCOUNT, command.account);
    world.set_order(slot, order::POSITION, taker.position);
    world.set_order(slot, order::INSTRUMENT, taker.instrument);
    world.set_order(slot, order::PRICE_TICKS, command.price_ticks);
    world.set_order(slot, order::SIDE, command.side as u8);
    world.set_order(slot, order::TIME_IN_FORCE, command.time_in_force as u8);
    world.set_order(slot, order::FLAGS, command.flags);
    world.set_order(slot, order::SELF_TRADE_PREVENTION, command.self_trade_prevention as u8);
    world.set_order(slot, order::LOTS_REMAINING, taker.lots);
    world.set_order(slot, order::LOTS_ORIGINAL, command.lots);
    world.set_order(slot, order::RESERVE_PER_LOT_ATOMS, reserve_atoms);
    world.set_order(slot, order::ORDER_EPOCH, epoch);
    world.set_order(slot, order::MAX_FEE_PPM, command.max_fee_ppm);
    world.set_order(slot, order::EXPIRES_NS, command.expires_ns);
    world.set_order(slot, order::NONCE, command.nonce);
    world.set_order(slot, order::SEQ, seq);
    world.set_order(slot, order::LABEL, command.label);
    world.set_order(slot, order::GROUP, command.group);
    book::rest_order(world, slot);
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

/// Remove one resting order. Rejects ORDER_NOT_FOUND, ORDER_NOT_OWNED.
pub fn cancel<S: Store>(world: &mut World<S>, command: &Cancel) -> Result<(), Reject> {
    let slot = order_slot(command.order);
    if !world.contains(order::ARENA, slot)
        || world.order(slot, order::GENERATION) != order_generation(command.order)
        || world.order(slot, order::ACCOUNT) == 0
        || book::is_dead(world, slot)
    {
        return Err(Reject::OrderNotFound);
    }
    if world.order(slot, order::ACCOUNT) != command.account {
        return Err(Reject::OrderNotOwned);
    }
    let held = world.order(slot, order::POSITION);
    book::remove_order(world, slot, Removal::Cancelled);
    release_position(world, held);
    Ok(())
}

/// End every order of the account by raising its epoch; remove the first 32 records at once.
pub fn cancel_all<S: Store>(world: &mut World<S>, command: &CancelAll) {
    let owner = command.account;
    let order_epoch = world.account(owner, account::ORDER_EPOCH).wrapping_add(1);
    world.set_account(owner, account::ORDER_EPOCH, order_epoch);
    world.set_account(owner, account::ORDERS_LIVE, 0);
    OrdersCancelled { account: owner, order_epoch }.encode(world.events);
    sweep(world, owner);
}

/// Let time pass; sweep dead orders of the account named, if any. Rejects ACCOUNT_NOT_FOUND.
pub fn tick<S: Store>(world: &mut World<S>, command: &Tick) -> Result<(), Reject> {
    if command.account == 0 {
        return Ok(());
    }
    if !world.account_exists(command.account) {
        return Err(Reject::AccountNotFound);
    }
    sweep(world, command.account);
    Ok(())
}

/// Remove up to 32 dead orders; they are the oldest of the account, so they come first in its list.
fn sweep<S: Store>(world: &mut World<S>, owner: u32) {
    for _ in 0..REMOVALS_PER_TICK_MAX {
        let slot = world.account(owner, account::ORDERS_HEAD);
        if slot == NO_SLOT || !book::is_dead(world, slot) {
            return;
        }
        let held = world.order(slot, order::POSITION);
        book::remove_order(world, slot, Removal::Epoch);
        release_position(world, held);
    }
}
