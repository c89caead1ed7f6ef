//! Stale marks: how long an instrument's observations still speak for it, and what follows after.
//!
//! A mark is as fresh as the oldest observation that its kind needs. Beyond that moment it is worth
//! an interval that widens with its age, up to all that the core scenarios could make of it. And as
//! soon as publishers say another index or forward than the mark is made of, the interval reaches
//! to what the columns make of that: whoever brings the marks of some legs up to date, and not
//! those of others, makes no account richer or poorer than it is.

use crate::limits::{FRACTION_ONE_PPM, NS_PER_SECOND};
use crate::payoff::{Payoff, kind_of};
use crate::prices::{CORE, legs_of};
use crate::records::{expiry, global, instrument, parameters, risk_array, underlying};
use crate::rounding::{ceil_div, floor_div};
use crate::scenarios::{ONE_PPM, SPOT_MOVES, SPOT_STEPS_PER_RANGE, VOLATILITY_MOVES};
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

/// The most steps by which a price counts as moved since a mark: five times itself, at 4 % each.
const STEPS_MAX_PPM: i128 = 128 * ONE_PPM;

const UNMOVED_VOLATILITY: u32 = VOLATILITY_MOVES as u32 / 2;

/// Return whether the observations behind an instrument's mark, or behind that of a leg, are old.
#[inline]
pub fn is_stale<S: Store>(world: &World<S>, slot: u32) -> bool {
    let legs = legs_of(world, slot);
    match legs.is_empty() {
        true => stale_share_ppm(world, slot) > 0,
        false => legs.iter().any(|leg| stale_share_ppm(world, leg.instrument) > 0),
    }
}

/// Return how much of its core scenarios a mark may be off by, in ppm; 0 while it is fresh.
///
/// Rounds up. What has never been marked has nothing that could be stale.
#[inline]
pub fn stale_share_ppm<S: Store>(world: &World<S>, slot: u32) -> u64 {
    match world.risk_array(slot, risk_array::FRESH_UNTIL_NS) {
        0 => 0,
        fresh_until_ns => share_ppm(world, fresh_until_ns),
    }
}

/// Return how much of its core scenarios a value may be off by that was fresh so long, in ppm.
///
/// Rounds up.
pub fn share_ppm<S: Store>(world: &World<S>, fresh_until_ns: u64) -> u64 {
    let now_ns = world.header(global::WINDOW_NS);
    if now_ns <= fresh_until_ns {
        return 0;
    }
    let age_ns = now_ns - fresh_until_ns;
    let seconds = world.parameters(PARAMETERS_SLOT, parameters::STALE_FULL_SECONDS);
    let full_ns = seconds as u64 * NS_PER_SECOND;
    if age_ns >= full_ns {
        return FRACTION_ONE_PPM;
    }
    ceil_div(age_ns as u128 * FRACTION_ONE_PPM as u128, full_ns as u128) as u64
}

/// Return how far below and above its mark a lot may be worth, in 1e-6 atoms.
///
/// (0, 0) while the mark is fresh, and made of what publishers said last.
pub fn interval_ppm<S: Store>(world: &World<S>, slot: u32) -> (i128, i128) {
    let share_ppm = stale_share_ppm(world, slot) as i128;
    let moved = moved_profit_ppm(world, slot);
    let (low, high) = (moved.min(0), moved.max(0));
    if share_ppm == 0 {
        return (low, high);
    }
    let core: [i64; CORE] = world.store.get_all(risk_array::ARENA, slot, risk_array::CORE);
    let lowest = core.iter().copied().fold(0, i64::min) as i128;
    let highest = core.iter().copied().fold(0, i64::max) as i128;
    (low.min(share_ppm * lowest), high.max(share_ppm * highest))
}

/// Return how far below and above their marks lots may be worth together, in 1e-6 atoms.
pub fn lots_interval_ppm<S: Store>(world: &World<S>, slot: u32, lots: i64) -> (i128, i128) {
    let (below, above) = interval_ppm(world, slot);
    let (low, high) = if lots > 0 { (below, above) } else { (above, below) };
    (lots as i128 * low, lots as i128 * high)
}

/// Return until when an instrument stays as stale as it is, if nobody says anything about it.
pub fn steady_until_ns<S: Store>(world: &World<S>, slot: u32) -> u64 {
    let legs = legs_of(world, slot);
    let ends = legs.iter().map(|leg| steady_until_ns(world, leg.instrument));
    let fresh_until_ns = world.risk_array(slot, risk_array::FRESH_UNTIL_NS);
    let now_ns = world.header(global::WINDOW_NS);
    let stays_until_ns = match stale_share_ppm(world, slot) {
        0 if fresh_until_ns > 0 => fresh_until_ns,
        0 | FRACTION_ONE_PPM => u64::MAX,
        _ => now_ns,
    };
    let dated = world.instrument(slot, instrument::EXPIRY);
    let over_ns = world.expiry(dated, expiry::EXPIRY_NS);
    let trades_until_ns = if over_ns > now_ns { over_ns - 1 } else { u64::MAX };
    ends.fold(stays_until_ns.min(trades_until_ns), u64::min)
}

/// Return whether the index or forward has moved too far since an instrument was marked, or there
/// is another surface that it is priced by.
///
/// Who takes a position over at a mark may bring it up to date first, or not: what he may choose
/// between is one volatility, and no further apart than `superseded_ppm` of the price.
pub fn is_superseded<S: Store>(world: &World<S>, slot: u32) -> bool {
    let marked_atoms = world.risk_array(slot, risk_array::OBSERVED_ATOMS);
    let observed_atoms = observed_atoms(world, slot);
    if marked_atoms == 0 || observed_atoms == 0 {
        return false;
    }
    let dated = world.instrument(slot, instrument::EXPIRY);
    let marked_version = world.risk_array(slot, risk_array::SURFACE_VERSION);
    let is_surface_new = marked_version != world.expiry(dated, expiry::SURFACE_VERSION);
    if Payoff::of(kind_of(world, slot)).has_strike && is_surface_new {
        return true;
    }
    let superseded_ppm = world.parameters(PARAMETERS_SLOT, parameters::SUPERSEDED_PPM);
    let moved_atoms = observed_atoms.abs_diff(marked_atoms);
    moved_atoms as u128 * FRACTION_ONE_PPM as u128 > marked_atoms as u128 * superseded_ppm as u128
}

/// Return what a lot has gained, in 1e-6 atoms, by the index or forward since its mark.
///
/// Volatility unmoved, in proportion between the spot moves of its core columns, in a straight line
/// beyond them; nothing after its expiry. Rounds the move down, to a ppm of what was observed.
fn moved_profit_ppm<S: Store>(world: &World<S>, slot: u32) -> i128 {
    let marked_atoms = world.risk_array(slot, risk_array::OBSERVED_ATOMS) as i128;
    if marked_atoms == 0 {
        return 0;
    }
    let observed_atoms = observed_atoms(world, slot) as i128;
    let range_ppm = world.parameters(PARAMETERS_SLOT, parameters::SPOT_RANGE_PPM) as i128;
    if observed_atoms == 0 || observed_atoms == marked_atoms || range_ppm == 0 {
        return 0;
    }
    let moved_ppm = floor_div((observed_atoms - marked_atoms) * ONE_PPM, marked_atoms);
    let steps_ppm = floor_div(moved_ppm * SPOT_STEPS_PER_RANGE as i128 * ONE_PPM, range_ppm);
    let place_ppm =
        SPOT_STEPS_PER_RANGE as i128 * ONE_PPM + steps_ppm.clamp(-STEPS_MAX_PPM, STEPS_MAX_PPM);
    let below = floor_div(place_ppm, ONE_PPM).clamp(0, SPOT_MOVES as i128 - 2);
    let share_ppm = place_ppm - below * ONE_PPM;
    let column = |step: u32| {
        let place = step * VOLATILITY_MOVES as u32 + UNMOVED_VOLATILITY;
        world.risk_array(slot, risk_array::CORE.item(place)) as i128
    };
    let below = below as u32;
    column(below) * (ONE_PPM - share_ppm) + column(below + 1) * share_ppm
}

/// Return the index or forward of now that an instrument is priced by; 0 after its expiry.
fn observed_atoms<S: Store>(world: &World<S>, slot: u32) -> u64 {
    if !Payoff::of(kind_of(world, slot)).is_dated {
        let owner = world.instrument(slot, instrument::UNDERLYING);
        return world.underlying(owner, underlying::INDEX_ATOMS);
    }
    let dated = world.instrument(slot, instrument::EXPIRY);
    let is_over = world.header(global::WINDOW_NS) >= world.expiry(dated, expiry::EXPIRY_NS);
    if is_over { 0 } else { world.expiry(dated, expiry::FORWARD_ATOMS) }
}
