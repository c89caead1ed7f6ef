//! Stale marks: how long an instrument's observations still speak for it, and what follows after.
//!
//! A mark is as fresh as the oldest observation that its kind needs. Beyond that moment it is worth
//! an interval that widens with its age, up to all that the core scenarios could make of it.

use crate::limits::{FRACTION_ONE_PPM, NS_PER_SECOND};
use crate::prices::legs_of;
use crate::records::{global, parameters, risk_array};
use crate::rounding::ceil_div;
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

/// Return whether the observations behind an instrument's mark, or behind that of a leg, are old.
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
