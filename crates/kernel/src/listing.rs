//! Listing: anyone may open a book that the governed grid allows.
//!
//! The grid of an underlying says which strikes and dates there may be; its terms say tick, lot,
//! sizes, fees and bands of each kind of book. Nobody chooses any of that when he lists.

use crate::arena::NO_SLOT;
use crate::commands::ListInstrument;
use crate::events::InstrumentListed;
use crate::fixed_point::{log, narrow};
use crate::identifiers::instrument_id;
use crate::limits::{
    EXPIRIES_PER_UNDERLYING_MAX, EXPIRY_AHEAD_MAX_NS, EXPIRY_TIME_OF_DAY_NS, INDEX_ATOMS_MAX,
    InstrumentKind, InstrumentState, NS_PER_DAY, PRICE_TICKS_BITS, Reject,
};
use crate::payoff::{NANOS_PER_UNIT, Payoff, kind_of};
use crate::records::{expiry, global, instrument, node, risk_array, underlying};
use crate::store::Store;
use crate::trie::{self, STRIKE_DEPTH};
use crate::world::World;

/// Open a book; the first one of an expiry opens the expiry too.
///
/// Rejects UNDERLYING_NOT_FOUND, KIND_NOT_SUPPORTED (a combo), OFF_GRID, EXPIRY_LIMIT,
/// INSTRUMENT_EXISTS, ARENA_FULL.
pub fn list_instrument<S: Store>(
    world: &mut World<S>,
    command: &ListInstrument,
) -> Result<(), Reject> {
    if !world.contains(underlying::ARENA, command.underlying) {
        return Err(Reject::UnderlyingNotFound);
    }
    if command.kind == InstrumentKind::Combo {
        return Err(Reject::KindNotSupported);
    }
    let found = find_expiry(world, command);
    let step_atoms = strike_step(world, command.underlying, found);
    if !is_on_grid(world, step_atoms, command) {
        return Err(Reject::OffGrid);
    }
    let expiries = world.underlying(command.underlying, underlying::EXPIRIES_COUNT) as u64;
    if found == NO_SLOT && command.expiry_ns != 0 && expiries >= EXPIRIES_PER_UNDERLYING_MAX {
        return Err(Reject::ExpiryLimit);
    }
    let key = strike_key(step_atoms, command.kind, command.strike_atoms) as u32;
    if found != NO_SLOT {
        let root = world.expiry(found, expiry::INSTRUMENTS_ROOT);
        if trie::find(world.store, root, key, STRIKE_DEPTH) != NO_SLOT {
            return Err(Reject::InstrumentExists);
        }
    }
    if !has_room(world) {
        return Err(Reject::ArenaFull);
    }
    let joined = if found == NO_SLOT { open_expiry(world, command) } else { found };
    open_instrument(world, command, joined, key);
    Ok(())
}

/// Return the slot of what is listed on a place of an underlying that exists, or 0.
pub fn find_listed<S: Store>(world: &World<S>, place: &ListInstrument) -> u32 {
    let found = find_expiry(world, place);
    if found == NO_SLOT || place.strike_atoms > INDEX_ATOMS_MAX {
        return NO_SLOT;
    }
    let step_atoms = world.expiry(found, expiry::STRIKE_STEP_ATOMS);
    let key = strike_key(step_atoms, place.kind, place.strike_atoms);
    if key >> PRICE_TICKS_BITS != 0 {
        return NO_SLOT;
    }
    let root = world.expiry(found, expiry::INSTRUMENTS_ROOT);
    let slot = trie::find(world.store, root, key as u32, STRIKE_DEPTH);
    let is_it = slot != NO_SLOT
        && world.instrument(slot, instrument::KIND) == place.kind as u8
        && world.instrument(slot, instrument::STRIKE_ATOMS) == place.strike_atoms;
    if is_it { slot } else { NO_SLOT }
}

/// Return whether strike and expiry are what the kind has, 0 where it has none.
fn is_on_grid<S: Store>(world: &World<S>, step_atoms: u64, command: &ListInstrument) -> bool {
    let payoff = Payoff::of(command.kind);
    let is_strike = (1..=INDEX_ATOMS_MAX).contains(&command.strike_atoms)
        && command.strike_atoms.is_multiple_of(step_atoms)
        && strike_key(step_atoms, command.kind, command.strike_atoms) >> PRICE_TICKS_BITS == 0;
    let now_ns = world.header(global::WINDOW_NS);
    let is_expiry = now_ns < command.expiry_ns
        && command.expiry_ns <= now_ns.saturating_add(EXPIRY_AHEAD_MAX_NS)
        && command.expiry_ns % NS_PER_DAY == EXPIRY_TIME_OF_DAY_NS;
    (if payoff.has_strike { is_strike } else { command.strike_atoms == 0 })
        && (if payoff.is_dated { is_expiry } else { command.expiry_ns == 0 })
}

/// Return the distance of strikes: an expiry keeps that with which it was opened.
fn strike_step<S: Store>(world: &World<S>, owner: u32, found: u32) -> u64 {
    match found {
        NO_SLOT => world.underlying(owner, underlying::STRIKE_STEP_ATOMS),
        open => world.expiry(open, expiry::STRIKE_STEP_ATOMS),
    }
}

/// Return the key in the expiry's index: 0 without a strike, 2 and more with one.
pub fn strike_key(step_atoms: u64, kind: InstrumentKind, strike_atoms: u64) -> u64 {
    2 * (strike_atoms / step_atoms) + Payoff::of(kind).strike_offset
}

/// Return the slot of an expiry, 0 if it is not open yet. Perpetuals are an expiry of their own.
fn find_expiry<S: Store>(world: &World<S>, command: &ListInstrument) -> u32 {
    let owner = command.underlying;
    if command.expiry_ns == 0 {
        return world.underlying(owner, underlying::PERPETUAL_EXPIRY);
    }
    let count = world.underlying(owner, underlying::EXPIRIES_COUNT);
    (0..count)
        .map(|place| world.underlying(owner, underlying::EXPIRIES.item(place)))
        .find(|&slot| world.expiry(slot, expiry::EXPIRY_NS) == command.expiry_ns)
        .unwrap_or(NO_SLOT)
}

fn has_room<S: Store>(world: &World<S>) -> bool {
    world.has_room(expiry::ARENA, 1)
        && world.has_room(instrument::ARENA, 1)
        && world.has_room(node::ARENA, STRIKE_DEPTH)
}

/// Make an expiry and put it into the underlying's ascending list.
fn open_expiry<S: Store>(world: &mut World<S>, command: &ListInstrument) -> u32 {
    let owner = command.underlying;
    let slot = world.allocate(expiry::ARENA);
    world.set_expiry(slot, expiry::UNDERLYING, owner);
    world.set_expiry(slot, expiry::EXPIRY_NS, command.expiry_ns);
    let step_atoms = world.underlying(owner, underlying::STRIKE_STEP_ATOMS);
    world.set_expiry(slot, expiry::STRIKE_STEP_ATOMS, step_atoms);
    if command.expiry_ns == 0 {
        world.set_underlying(owner, underlying::PERPETUAL_EXPIRY, slot);
        return slot;
    }
    let count = world.underlying(owner, underlying::EXPIRIES_COUNT);
    let mut place = count;
    while place > 0 {
        let before = world.underlying(owner, underlying::EXPIRIES.item(place - 1));
        if world.expiry(before, expiry::EXPIRY_NS) < command.expiry_ns {
            break;
        }
        world.set_underlying(owner, underlying::EXPIRIES.item(place), before);
        place -= 1;
    }
    world.set_underlying(owner, underlying::EXPIRIES.item(place), slot);
    world.set_underlying(owner, underlying::EXPIRIES_COUNT, count + 1);
    slot
}

fn open_instrument<S: Store>(
    world: &mut World<S>,
    command: &ListInstrument,
    joined: u32,
    key: u32,
) {
    let slot = world.allocate(instrument::ARENA);
    let array = world.allocate(risk_array::ARENA);
    assert!(array == slot, "risk arrays are numbered like instruments");
    let strike_log = if command.strike_atoms == 0 { 0 } else { narrow(log(command.strike_atoms)) };
    world.set_instrument(slot, instrument::KIND, command.kind as u8);
    world.set_instrument(slot, instrument::STATE, InstrumentState::Open as u8);
    world.set_instrument(slot, instrument::UNDERLYING, command.underlying);
    world.set_instrument(slot, instrument::EXPIRY, joined);
    world.set_instrument(slot, instrument::EXPIRY_NS, command.expiry_ns);
    world.set_instrument(slot, instrument::ACTIVE_NS, world.header(global::WINDOW_NS));
    world.set_instrument(slot, instrument::STRIKE_ATOMS, command.strike_atoms);
    world.set_instrument(slot, instrument::STRIKE_LOG, strike_log);
    fix_units(world, slot, command);
    copy_terms(world, slot, Payoff::of(command.kind).terms_place);
    join_expiry(world, slot, joined, key);
    InstrumentListed {
        instrument: instrument_id(slot, world.instrument(slot, instrument::GENERATION)),
        underlying: command.underlying,
        kind: command.kind as u8,
        expiry: joined,
        expiry_ns: command.expiry_ns,
        strike_atoms: command.strike_atoms,
    }
    .encode(world.events);
}

/// Copy tick, lot and tick table of the instrument's kind; it keeps them for ever.
fn fix_units<S: Store>(world: &mut World<S>, slot: u32, command: &ListInstrument) {
    let Payoff { terms_place: place, is_linear, .. } = Payoff::of(command.kind);
    let owner = command.underlying;
    let tick_atoms = world.underlying(owner, underlying::TICK_ATOMS.item(place));
    let lot_nanos = world.underlying(owner, underlying::LOT_NANOS.item(place));
    let tick_value_atoms = tick_atoms as u128 * lot_nanos as u128 / NANOS_PER_UNIT as u128;
    let tick_value_atoms = u64::try_from(tick_value_atoms).expect("a tick is worth less than 2^64");
    world.set_instrument(slot, instrument::TICK_ATOMS, tick_atoms);
    world.set_instrument(slot, instrument::LOT_NANOS, lot_nanos);
    world.set_instrument(slot, instrument::TICK_VALUE_ATOMS, tick_value_atoms);
    if !is_linear {
        for row in 0..instrument::TICK_FROM.len() {
            let from = world.underlying(owner, underlying::TICK_FROM.item(row));
            let step = world.underlying(owner, underlying::TICK_STEP.item(row));
            world.set_instrument(slot, instrument::TICK_FROM.item(row), from);
            world.set_instrument(slot, instrument::TICK_STEP.item(row), step);
        }
    }
}

/// Give a listed instrument the sizes, limits, fees and bands that were changed since.
pub fn follow_terms<S: Store>(world: &mut World<S>, slot: u32) {
    let owner = world.instrument(slot, instrument::UNDERLYING);
    let version = world.underlying(owner, underlying::VERSION);
    if world.instrument(slot, instrument::TERMS_VERSION) != version {
        copy_terms(world, slot, Payoff::of(kind_of(world, slot)).terms_place);
    }
}

/// Copy the terms of the instrument's kind that may change while it is listed.
fn copy_terms<S: Store>(world: &mut World<S>, slot: u32, place: u32) {
    let owner = world.instrument(slot, instrument::UNDERLYING);
    let version = world.underlying(owner, underlying::VERSION);
    world.set_instrument(slot, instrument::TERMS_VERSION, version);
    let lots_min = world.underlying(owner, underlying::LOTS_MIN.item(place));
    let lots_max = world.underlying(owner, underlying::LOTS_MAX.item(place));
    let block_lots_min = world.underlying(owner, underlying::BLOCK_LOTS_MIN.item(place));
    world.set_instrument(slot, instrument::LOTS_MIN, lots_min);
    world.set_instrument(slot, instrument::LOTS_MAX, lots_max);
    world.set_instrument(slot, instrument::BLOCK_LOTS_MIN, block_lots_min);
    let position_lots_max = world.underlying(owner, underlying::POSITION_LOTS_MAX.item(place));
    let open_lots_max = world.underlying(owner, underlying::OPEN_INTEREST_LOTS_MAX.item(place));
    world.set_instrument(slot, instrument::POSITION_LOTS_MAX, position_lots_max);
    world.set_instrument(slot, instrument::OPEN_INTEREST_LOTS_MAX, open_lots_max);
    let maker_fee_ppm = world.underlying(owner, underlying::MAKER_FEE_PPM.item(place));
    let taker_fee_ppm = world.underlying(owner, underlying::TAKER_FEE_PPM.item(place));
    let band_ppm = world.underlying(owner, underlying::BAND_PPM.item(place));
    world.set_instrument(slot, instrument::MAKER_FEE_PPM, maker_fee_ppm);
    world.set_instrument(slot, instrument::TAKER_FEE_PPM, taker_fee_ppm);
    world.set_instrument(slot, instrument::BAND_PPM, band_ppm);
}

fn join_expiry<S: Store>(world: &mut World<S>, slot: u32, joined: u32, key: u32) {
    let tail = world.expiry(joined, expiry::INSTRUMENTS_TAIL);
    world.set_instrument(slot, instrument::PREVIOUS_IN_EXPIRY, tail);
    if tail == NO_SLOT {
        world.set_expiry(joined, expiry::INSTRUMENTS_HEAD, slot);
    } else {
        world.set_instrument(tail, instrument::NEXT_IN_EXPIRY, slot);
    }
    world.set_expiry(joined, expiry::INSTRUMENTS_TAIL, slot);
    let count = world.expiry(joined, expiry::INSTRUMENTS_COUNT);
    world.set_expiry(joined, expiry::INSTRUMENTS_COUNT, count + 1);
    let root = world.expiry(joined, expiry::INSTRUMENTS_ROOT);
    let root = trie::insert(world.store, root, key, STRIKE_DEPTH, slot);
    world.set_expiry(joined, expiry::INSTRUMENTS_ROOT, root);
}
