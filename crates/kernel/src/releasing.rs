//! Releasing: anyone may free an instrument that is past, or that nobody has used for a day.
//!
//! What is released before its time can be listed again, under another identifier, and is open
//! then: what the governor has halted or ended, or trades otherwise, stays until its time.

use crate::arena::NO_SLOT;
use crate::combos;
use crate::commands::ReleaseInstrument;
use crate::events::InstrumentReleased;
use crate::expiries::leave_underlying;
use crate::identifiers::instrument_id;
use crate::limits::{INSTRUMENT_IDLE_NS, InstrumentKind, Reject};
use crate::listing::strike_key;
use crate::payoff::kind_of;
use crate::prices::is_combo;
use crate::records::{expiry, global, instrument, risk_array};
use crate::states;
use crate::store::Store;
use crate::trie::{self, STRIKE_DEPTH};
use crate::world::World;

/// Free the records of an instrument, and its expiry with the last one of it.
///
/// Every order has a position in its instrument: where there are no holders, the book is empty.
///
/// Rejects INSTRUMENT_NOT_FOUND; KIND_NOT_SUPPORTED (a perpetual); INSTRUMENT_IN_USE (by holders,
/// or as a leg of combos); INSTRUMENT_NOT_ENDED unless it is past, or it is open and continuous and
/// a day is over since its listing, its last new order and its last fill.
pub fn release_instrument<S: Store>(
    world: &mut World<S>,
    command: &ReleaseInstrument,
) -> Result<(), Reject> {
    let slot = states::find_instrument(world, command.instrument);
    if slot == NO_SLOT {
        return Err(Reject::InstrumentNotFound);
    }
    if world.instrument(slot, instrument::KIND) == InstrumentKind::Perpetual as u8 {
        return Err(Reject::KindNotSupported);
    }
    if world.instrument(slot, instrument::HOLDERS_COUNT) != 0
        || world.instrument(slot, instrument::COMBOS_COUNT) != 0
    {
        return Err(Reject::InstrumentInUse);
    }
    if !is_over(world, slot) {
        return Err(Reject::InstrumentNotEnded);
    }
    let roots = [instrument::BIDS_ROOT, instrument::ASKS_ROOT];
    let is_empty = roots.iter().all(|&root| world.instrument(slot, root) == NO_SLOT);
    assert!(is_empty, "orders have holders");
    release(world, slot);
    Ok(())
}

fn is_over<S: Store>(world: &World<S>, slot: u32) -> bool {
    let active_ns = world.instrument(slot, instrument::ACTIVE_NS);
    let is_idle = world.header(global::WINDOW_NS) - active_ns >= INSTRUMENT_IDLE_NS;
    states::is_past(world, slot) || is_idle && states::is_as_listed(world, slot)
}

fn release<S: Store>(world: &mut World<S>, slot: u32) {
    if world.instrument(slot, instrument::DELEVERAGING) != NO_SLOT {
        states::end_deleveraging(world, slot);
    }
    let expiry = if is_combo(world, slot) {
        combos::forget(world, slot);
        NO_SLOT
    } else {
        leave_expiry(world, slot)
    };
    InstrumentReleased {
        instrument: instrument_id(slot, world.instrument(slot, instrument::GENERATION)),
        underlying: world.instrument(slot, instrument::UNDERLYING),
        expiry,
    }
    .encode(world.events);
    world.free(instrument::ARENA, slot);
    world.free(risk_array::ARENA, slot);
}

/// Take an instrument out of its expiry's list and index; return the expiry's slot if it goes.
///
/// An expiry without instruments would have to be named by curves and surfaces for nothing.
fn leave_expiry<S: Store>(world: &mut World<S>, slot: u32) -> u32 {
    let joined = world.instrument(slot, instrument::EXPIRY);
    let before = world.instrument(slot, instrument::PREVIOUS_IN_EXPIRY);
    let after = world.instrument(slot, instrument::NEXT_IN_EXPIRY);
    if before == NO_SLOT {
        world.set_expiry(joined, expiry::INSTRUMENTS_HEAD, after);
    } else {
        world.set_instrument(before, instrument::NEXT_IN_EXPIRY, after);
    }
    if after == NO_SLOT {
        world.set_expiry(joined, expiry::INSTRUMENTS_TAIL, before);
    } else {
        world.set_instrument(after, instrument::PREVIOUS_IN_EXPIRY, before);
    }
    let count = world.expiry(joined, expiry::INSTRUMENTS_COUNT) - 1;
    world.set_expiry(joined, expiry::INSTRUMENTS_COUNT, count);
    let step_atoms = world.expiry(joined, expiry::STRIKE_STEP_ATOMS);
    let strike_atoms = world.instrument(slot, instrument::STRIKE_ATOMS);
    let key = strike_key(step_atoms, kind_of(world, slot), strike_atoms) as u32;
    let root = world.expiry(joined, expiry::INSTRUMENTS_ROOT);
    let root = trie::remove(world.store, root, key, STRIKE_DEPTH);
    world.set_expiry(joined, expiry::INSTRUMENTS_ROOT, root);
    if count != 0 {
        return NO_SLOT;
    }
    leave_underlying(world, joined);
    world.free(expiry::ARENA, joined);
    joined
}
