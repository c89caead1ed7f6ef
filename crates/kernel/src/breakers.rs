//! The index circuit breaker: after a violent move, who takes may only reduce for a while.
//!
//! A window begins with the first index after the end of the last one, and its reference is the
//! index before. An index further from the reference than the governor's share trips the breaker of
//! its underlying and begins a new window at itself, so that a market that goes on moving trips it
//! again. Whoever rests goes on resting, with new risk too: those who reduce keep their
//! counterparties.

use crate::events::BreakerTripped;
use crate::limits::{FRACTION_ONE_PPM, NS_PER_SECOND};
use crate::records::{global, instrument, parameters, underlying};
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

/// Return whether the breaker of an instrument's underlying is on: of a combo, that of its legs.
pub fn is_tripped<S: Store>(world: &World<S>, instrument: u32) -> bool {
    let owner = world.instrument(instrument, instrument::UNDERLYING);
    world.header(global::WINDOW_NS) < world.underlying(owner, underlying::BREAKER_UNTIL_NS)
}

/// Compare the new index of an underlying with the reference, and trip if it is too far off.
pub fn observe<S: Store>(world: &mut World<S>, slot: u32, index_before: u64) {
    let now_ns = world.header(global::WINDOW_NS);
    let index_atoms = world.underlying(slot, underlying::INDEX_ATOMS);
    let window_seconds = world.parameters(PARAMETERS_SLOT, parameters::BREAKER_WINDOW_SECONDS);
    let age_ns = now_ns - world.underlying(slot, underlying::BREAKER_REFERENCE_NS);
    if index_before == 0 {
        begin(world, slot, index_atoms);
    } else if age_ns >= window_seconds as u64 * NS_PER_SECOND {
        begin(world, slot, index_before);
    }
    let reference_atoms = world.underlying(slot, underlying::BREAKER_REFERENCE_ATOMS);
    let move_ppm = world.parameters(PARAMETERS_SLOT, parameters::BREAKER_MOVE_PPM) as u64;
    // 2^40 · 2^20 at most.
    let moved = index_atoms.abs_diff(reference_atoms) * FRACTION_ONE_PPM;
    if move_ppm > 0 && moved > reference_atoms * move_ppm {
        let seconds = world.parameters(PARAMETERS_SLOT, parameters::BREAKER_SECONDS);
        let until_ns = now_ns + seconds as u64 * NS_PER_SECOND;
        world.set_underlying(slot, underlying::BREAKER_UNTIL_NS, until_ns);
        begin(world, slot, index_atoms);
        BreakerTripped { underlying: slot, index_atoms, reference_atoms, until_ns }
            .encode(world.events);
    }
}

fn begin<S: Store>(world: &mut World<S>, slot: u32, reference_atoms: u64) {
    let now_ns = world.header(global::WINDOW_NS);
    world.set_underlying(slot, underlying::BREAKER_REFERENCE_ATOMS, reference_atoms);
    world.set_underlying(slot, underlying::BREAKER_REFERENCE_NS, now_ns);
}
