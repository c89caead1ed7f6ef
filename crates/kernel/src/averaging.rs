//! Averaging: of the average that dated instruments settle at, what is known and what is to come.
//!
//! Within the last half hour an expiry sums prices by the time that they held. A price that still
//! moves counts for the time that is open: what is left until expiry, or, where observations were
//! missing, what is missing to the least time that an average needs.
//!
//! Source docs/reference/pricing.md.

use crate::black76::{HUNDREDTHS, Price};
use crate::fixed_point::narrow;
use crate::limits::{SETTLEMENT_LEAST_NS, SETTLEMENT_WINDOW_NS};
use crate::records::expiry;
use crate::store::Store;
use crate::world::World;

/// The average of a price over the time to come has a third of the price's variance then.
const VARIANCE_SHARE: u64 = 3;

/// By which the variance of the average trails that of the price, before the window.
const AVERAGING_LAG_NS: u64 = SETTLEMENT_WINDOW_NS - SETTLEMENT_WINDOW_NS / VARIANCE_SHARE;

/// What an average at expiry is made of.
#[derive(Clone, Copy, Debug)]
pub struct Averaging {
    /// What the observed part brings already, in 1e-8 USD a unit.
    pub fixed: i64,
    /// Prices to come count for so long,
    pub open_ns: u64,
    /// out of so long,
    whole_ns: u64,
    /// and have the variance of so long.
    pub variance_ns: u64,
}

impl Averaging {
    /// Return what is known of an expiry's average with so much time left; 0 from expiry on.
    pub fn read<S: Store>(world: &World<S>, slot: u32, remaining_ns: u64) -> Self {
        let observed_ns: u64 = world.expiry(slot, expiry::SETTLEMENT_COVERED_NS);
        let left_ns = remaining_ns.min(SETTLEMENT_WINDOW_NS);
        let open_ns = left_ns.max(SETTLEMENT_LEAST_NS.saturating_sub(observed_ns));
        let whole_ns = observed_ns + open_ns;
        let sum = world.expiry(slot, expiry::SETTLEMENT_SUM);
        let fixed = narrow((sum * HUNDREDTHS as i128).div_euclid(whole_ns as i128));
        Self { fixed, open_ns, whole_ns, variance_ns: variance_ns(remaining_ns, open_ns) }
    }

    /// Return the part of a forward that is still to come: before the window, all. Rounds down.
    pub fn still_moves(&self, forward: Price) -> Price {
        if self.open_ns == self.whole_ns {
            return forward;
        }
        let value = forward.value as i128 * self.open_ns as i128 / self.whole_ns as i128;
        Price::of(narrow(value))
    }
}

/// Return t − 20 min before the window, a third of the open time in it, 0 from expiry on.
///
/// Rounds  down.
fn variance_ns(remaining_ns: u64, open_ns: u64) -> u64 {
    match remaining_ns {
        0 => 0,
        ns if ns > SETTLEMENT_WINDOW_NS => ns - AVERAGING_LAG_NS,
        _ => open_ns / VARIANCE_SHARE,
    }
}
