//! Bands: how far an observation may lie from what is known, unless a wide quorum says it.
//!
//! The band of the index widens with the root of the time since the last one: whatever the price
//! is, it is taken in the end. A wide quorum, half as large again, passes any band at once.

use crate::governance::publishers;
use crate::limits::{FRACTION_ONE_PPM, NS_PER_SECOND};
use crate::records::{parameters, underlying};
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

/// Return whether an index is within its band around the last one, if there is one.
///
/// The band is `index_band_ppm` of the last index times the root of the seconds since; before the
/// first second is over, times the part of it that has passed: or a burst of indices would go
/// through as many bands. Rounds down.
pub fn takes_index<S: Store>(
    world: &World<S>,
    slot: u32,
    published_ns: u64,
    index_atoms: u64,
) -> bool {
    let band_ppm = world.parameters(PARAMETERS_SLOT, parameters::INDEX_BAND_PPM) as u128;
    if world.underlying(slot, underlying::INDEX_VERSION) == 0 || band_ppm == 0 {
        return true;
    }
    let elapsed_ns = published_ns - world.underlying(slot, underlying::INDEX_NS);
    let widened_ppm = if elapsed_ns < NS_PER_SECOND {
        band_ppm * elapsed_ns as u128 / NS_PER_SECOND as u128
    } else {
        (band_ppm * band_ppm * (elapsed_ns / NS_PER_SECOND) as u128).isqrt()
    };
    let last_atoms = world.underlying(slot, underlying::INDEX_ATOMS);
    let deviation = index_atoms.abs_diff(last_atoms);
    deviation as u128 * FRACTION_ONE_PPM as u128 <= last_atoms as u128 * widened_ppm
}

/// Return whether forward and index, if it is known, are at most `forward_ratio_ppm` of one
/// another.
pub fn takes_forward<S: Store>(world: &World<S>, slot: u32, forward_atoms: u64) -> bool {
    let index_atoms = world.underlying(slot, underlying::INDEX_ATOMS);
    let ratio_ppm = world.parameters(PARAMETERS_SLOT, parameters::FORWARD_RATIO_PPM) as u128;
    if index_atoms == 0 || ratio_ppm == 0 {
        return true;
    }
    let (low, high) = (forward_atoms.min(index_atoms), forward_atoms.max(index_atoms));
    high as u128 * FRACTION_ONE_PPM as u128 <= low as u128 * ratio_ppm
}

/// Return whether so many publishers are half as many again as the quorum, rounded up.
///
/// Or, where fewer have a key, all of them, if that is more than the quorum.
pub fn is_wide<S: Store>(world: &World<S>, slot: u32, count: usize) -> bool {
    let quorum = world.underlying(slot, underlying::QUORUM) as usize;
    count > quorum && count >= (quorum + quorum.div_ceil(2)).min(publishers(world).count())
}

/// Return how far apart the publishers of the closest majority are, as a share of the median.
///
/// Of a majority: no minority can make it larger than the honest disagree. Rounds up. Prices
/// ascend.
pub fn spread_ppm_up(ranked: &[u64], median_atoms: u64) -> u32 {
    let majority = ranked.len() / 2 + 1;
    let spreads = ranked.windows(majority).map(|each| each[majority - 1] - each[0]);
    let least_atoms = spreads.min().expect("a quorum has somebody");
    // 2^40 · 2^20 at most: 64 bits, and no 128-bit division.
    let spread_ppm = (least_atoms * FRACTION_ONE_PPM).div_ceil(median_atoms);
    u32::try_from(spread_ppm).unwrap_or(u32::MAX)
}
