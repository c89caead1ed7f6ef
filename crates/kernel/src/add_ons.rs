//! Add-ons to margin: what scenarios of one account do not see.
//!
//! *Concentration*: what all accounts of an owner hold in an underlying beyond a size cannot be
//! closed at the mark; each account bears its share. *Confidence*: publishers who disagree about an
//! index leave its forward deltas in doubt.

use crate::limits::FRACTION_ONE_PPM;
use crate::owners;
use crate::payoff::NANOS_PER_UNIT;
use crate::portfolio::Portfolio;
use crate::records::{parameters, underlying};
use crate::rounding::ceil_div;
use crate::scenario_margin::{Totals, UnderlyingTotals};
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

/// A share of 1: with it all products of what a market can hold fit 128 bits.
const SHARE_ONE: u128 = 1 << 28;

const ONE_PPM: u128 = FRACTION_ONE_PPM as u128;

/// Return what the owner's size is charged to the account, whose `totals` count.
///
/// Per underlying: rate · index · account's size · max(0, owner's size − threshold) / owner's size.
/// Rounds up, at each of its divisions: against the account.
pub fn concentration_up<S: Store>(
    world: &World<S>,
    portfolio: &Portfolio,
    totals: &Totals,
) -> u128 {
    let charge_of = |each: &UnderlyingTotals| {
        let others_nanos = || others_nanos(world, portfolio, each.number);
        charge_up(world, each.number, each.gross_nanos as u128, others_nanos)
    };
    totals.underlyings.iter().map(charge_of).sum()
}

/// Return what an account is charged for its own size in an underlying, beside what the owner's
/// other accounts hold there. Rounds as `concentration_up`.
pub fn charge_up<S: Store>(
    world: &World<S>,
    underlying: u32,
    account_nanos: u128,
    others_nanos: impl FnOnce() -> u128,
) -> u128 {
    let rate_ppm = world.underlying(underlying, underlying::CONCENTRATION_PPM) as u128;
    if rate_ppm == 0 || account_nanos == 0 {
        return 0;
    }
    let owner_nanos = account_nanos + others_nanos();
    let threshold = world.underlying(underlying, underlying::CONCENTRATION_NANOS) as u128;
    let share = ceil_div(owner_nanos.saturating_sub(threshold) * SHARE_ONE, owner_nanos);
    let value = value_up(account_nanos, world.underlying(underlying, underlying::INDEX_ATOMS));
    ceil_div(ceil_div(value * share, SHARE_ONE) * rate_ppm, ONE_PPM)
}

/// Return what 1e-9 units are worth at an index, in atoms. Rounds up; whole units and what is left
/// of one apart, so that it fits.
fn value_up(nanos: u128, index_atoms: u64) -> u128 {
    let (unit, index_atoms) = (NANOS_PER_UNIT as u128, index_atoms as u128);
    nanos / unit * index_atoms + ceil_div(nanos % unit * index_atoms, unit)
}

/// Return what the owner's other accounts hold in an underlying.
pub fn others_nanos<S: Store>(world: &World<S>, portfolio: &Portfolio, underlying: u32) -> u128 {
    let owned = owners::gross_nanos(world, portfolio.account, underlying);
    (owned - portfolio.held_nanos(underlying)).max(0) as u128
}

/// Return what disagreement about indices beyond a tolerance is charged on forward deltas.
///
/// Rounds up: against the account.
pub fn confidence_up<S: Store>(world: &World<S>, totals: &Totals) -> u128 {
    let tolerance_ppm = world.parameters(PARAMETERS_SLOT, parameters::SPREAD_TOLERANCE_PPM);
    let mut charged = 0;
    for each in &totals.underlyings {
        let spread_ppm = world.underlying(each.number, underlying::INDEX_SPREAD_PPM);
        let excess_ppm = spread_ppm.saturating_sub(tolerance_ppm) as u128;
        if excess_ppm > 0 {
            let delta: u128 = each.expiries.iter().map(|(_, expiry)| expiry.delta.size()).sum();
            charged += ceil_div(delta * excess_ppm, ONE_PPM);
        }
    }
    charged
}
