//! Margin: profit in 27 scenarios, weighted by position, and what open orders could add.
//!
//! The requirement of an account is, per underlying, the loss in the worst column of
//!
//! ```text
//! Σ over instruments  lots·c + min(0, buys·c, −sells·c)
//! ```
//!
//! (each instrument at the worst of its position alone, with all its buys, with all its sells),
//! summed over underlyings, times the initial factor, plus what the orders reserve.

use alloc::vec::Vec;
use core::ops::Add;

use crate::arena::NO_SLOT;
use crate::limits::{CORE_COLUMNS, FEE_PPM_MAX, FRACTION_ONE_PPM, Reject, Side};
use crate::positions::{find_position, is_linear, mark_atoms, open_orders};
use crate::prices::{self, core_columns, value_per_lot};
use crate::records::{account, instrument, parameters, position};
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

type Columns = [i128; CORE_COLUMNS as usize];

const NO_COLUMNS: Columns = [0; CORE_COLUMNS as usize];

/// Position, open orders and what they reserve, of one account in one instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    pub lots: i64,
    pub buys: i64,
    pub sells: i64,
    pub reserve_atoms: i128,
}

impl Add for Exposure {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            lots: self.lots + other.lots,
            buys: self.buys + other.buys,
            sells: self.sells + other.sells,
            reserve_atoms: self.reserve_atoms + other.reserve_atoms,
        }
    }
}

/// What a command would add to an account's exposure in one instrument.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub instrument: u32,
    pub exposure: Exposure,
}

/// What the margin of an account depends on: equity and reserve in atoms, columns by underlying.
#[derive(Clone, Debug)]
pub struct Portfolio {
    pub equity_atoms: i128,
    reserve_atoms: i128,
    columns: Vec<(u32, Columns)>,
}

/// Return the account's portfolio as it would be with changes to its exposures, at most one per
/// instrument.
pub fn portfolio<S: Store>(world: &World<S>, account: u32, changes: &[Change]) -> Portfolio {
    let mut portfolio = Portfolio {
        equity_atoms: world.account(account, account::CASH_ATOMS),
        reserve_atoms: 0,
        columns: Vec::new(),
    };
    for slot in world.positions_of(account) {
        let instrument = world.position(slot, position::INSTRUMENT);
        let lots = world.position(slot, position::LOTS);
        let open = open_orders(world, slot);
        let entry_atoms = world.position(slot, position::ENTRY_ATOMS);
        let value_atoms = lots as i128 * mark_atoms(world, instrument) as i128;
        portfolio.equity_atoms += entry_atoms + value_atoms;
        let held = Exposure {
            lots,
            buys: open.buys as i64,
            sells: open.sells as i64,
            reserve_atoms: open.reserve_atoms,
        };
        let change = changes.iter().find(|change| change.instrument == instrument);
        portfolio.add(world, instrument, held + change.map_or(Exposure::default(), |c| c.exposure));
    }
    for change in changes {
        if find_position(world, account, change.instrument) == NO_SLOT {
            portfolio.add(world, change.instrument, change.exposure);
        }
    }
    portfolio
}

impl Portfolio {
    fn add<S: Store>(&mut self, world: &World<S>, instrument: u32, exposure: Exposure) {
        self.reserve_atoms += exposure.reserve_atoms;
        let underlying = world.instrument(instrument, instrument::UNDERLYING);
        let totals = self.columns_of(underlying);
        let (lots, buys) = (exposure.lots as i128, exposure.buys as i128);
        let sells = exposure.sells as i128;
        for (total, profit) in totals.iter_mut().zip(core_columns(world, instrument)) {
            *total += lots * profit + (buys * profit).min(-sells * profit).min(0);
        }
    }

    fn columns_of(&mut self, underlying: u32) -> &mut Columns {
        let found = self.columns.iter().position(|(number, _)| *number == underlying);
        let index = found.unwrap_or_else(|| {
            self.columns.push((underlying, NO_COLUMNS));
            self.columns.len() - 1
        });
        &mut self.columns[index].1
    }
}

/// Return the equity that gates new risk, in atoms. Rounds up: against the account.
pub fn initial_margin_up<S: Store>(world: &World<S>, portfolio: &Portfolio) -> i128 {
    let losses = portfolio.columns.iter().map(|(_, totals)| worst_loss(totals));
    let worst: i128 = losses.sum();
    let factor_ppm = world.parameters(PARAMETERS_SLOT, parameters::INITIAL_FACTOR_PPM);
    let required = ceil_div(worst as u128 * factor_ppm as u128, FRACTION_ONE_PPM as u128);
    required as i128 + portfolio.reserve_atoms
}

fn worst_loss(totals: &Columns) -> i128 {
    totals.iter().fold(0, |worst, total| worst.max(-total))
}

/// Return the cash that variation settlement at current marks would leave.
pub fn settled_cash<S: Store>(world: &World<S>, account: u32) -> i128 {
    let mut cash = world.account(account, account::CASH_ATOMS);
    for slot in world.positions_of(account) {
        let instrument = world.position(slot, position::INSTRUMENT);
        if is_linear(world, instrument) {
            let lots = world.position(slot, position::LOTS);
            let value_atoms = lots as i128 * mark_atoms(world, instrument) as i128;
            cash += world.position(slot, position::ENTRY_ATOMS) + value_atoms;
        }
    }
    cash
}

/// Check that money may leave an account.
///
/// Rejects INSUFFICIENT_BALANCE (more than the cash after variation settlement);
/// INSUFFICIENT_MARGIN (what remains would not cover initial margin).
pub fn check_outflow<S: Store>(
    world: &World<S>,
    account: u32,
    amount_atoms: u64,
) -> Result<(), Reject> {
    let amount_atoms = amount_atoms as i128;
    if amount_atoms > settled_cash(world, account) {
        return Err(Reject::InsufficientBalance);
    }
    let held = portfolio(world, account, &[]);
    if amount_atoms > held.equity_atoms - initial_margin_up(world, &held) {
        return Err(Reject::InsufficientMargin);
    }
    Ok(())
}

/// Return whether equity covers initial margin with changes to what rests.
pub fn covers<S: Store>(world: &World<S>, account: u32, changes: &[Change]) -> bool {
    let after = portfolio(world, account, changes);
    after.equity_atoms >= initial_margin_up(world, &after)
}

/// Return whether changes to what rests leave the requirement where it is, or lower it.
pub fn requires_no_more<S: Store>(world: &World<S>, account: u32, changes: &[Change]) -> bool {
    let before = portfolio(world, account, &[]);
    let after = portfolio(world, account, changes);
    initial_margin_up(world, &after) <= initial_margin_up(world, &before)
}

/// Return what an order adds to the exposure in its instrument; lots are negative if it goes.
pub fn resting(side: Side, lots: i64, reserve_atoms: i128) -> Exposure {
    match side {
        Side::Buy => Exposure { lots: 0, buys: lots, sells: 0, reserve_atoms },
        Side::Sell => Exposure { lots: 0, buys: 0, sells: lots, reserve_atoms },
    }
}

/// Return whether filling the order wholly, at its limit and with its maximal fee, leaves no
/// scenario worse.
///
/// Initial margin − equity must not rise, and no column that is a loss afterwards may be a larger
/// loss than before. `cost_per_lot` is what equity loses per lot: limit against mark (negative when
/// better), plus fee.
pub fn is_reducing<S: Store>(
    world: &World<S>,
    account: u32,
    instrument: u32,
    side: Side,
    lots: u64,
    cost_per_lot: i128,
) -> bool {
    let signed_lots = match side {
        Side::Buy => lots as i64,
        Side::Sell => -(lots as i64),
    };
    let before = portfolio(world, account, &[]);
    let exposure = Exposure { lots: signed_lots, ..Exposure::default() };
    let after = portfolio(world, account, &[Change { instrument, exposure }]);
    is_no_worse(world, &before, &after, lots as i128 * cost_per_lot)
}

/// Return whether equity covers initial margin after a trade, or no scenario is worse for it.
///
/// `cost_atoms` is what equity loses by it: prices against marks (negative when better), plus fees.
/// Two who agree on a price may not make one of them owe what the other takes away.
pub fn covers_trade<S: Store>(
    world: &World<S>,
    account: u32,
    changes: &[Change],
    cost_atoms: i128,
) -> bool {
    let before = portfolio(world, account, &[]);
    let after = portfolio(world, account, changes);
    let equity_after = after.equity_atoms - cost_atoms;
    let is_owing = cost_atoms > 0 && equity_after < 0;
    equity_after >= initial_margin_up(world, &after)
        || !is_owing && is_no_worse(world, &before, &after, cost_atoms)
}

/// Return whether neither initial margin − equity rises nor any column's loss.
fn is_no_worse<S: Store>(
    world: &World<S>,
    before: &Portfolio,
    after: &Portfolio,
    cost_atoms: i128,
) -> bool {
    let equity_after = before.equity_atoms - cost_atoms;
    let gap_before = initial_margin_up(world, before) - before.equity_atoms;
    let gap_after = initial_margin_up(world, after) - equity_after;
    gap_after <= gap_before
        && after.columns.iter().all(|(underlying, totals)| {
            let found = before.columns.iter().find(|(number, _)| number == underlying);
            let totals_before = found.map_or(&NO_COLUMNS, |(_, totals)| totals);
            totals
                .iter()
                .zip(totals_before)
                .all(|(after, before)| *after.min(&0) >= *before.min(&0))
        })
}

/// Return the most that one lot at a price can pay in fees. Rounds up: against the account.
pub fn fee_per_lot_up<S: Store>(
    world: &World<S>,
    instrument: u32,
    price_ticks: u32,
    max_fee_ppm: u32,
) -> u128 {
    let value = value_per_lot(world, instrument, price_ticks).unsigned_abs();
    let fee_ppm = (max_fee_ppm as u64).min(FEE_PPM_MAX);
    ceil_div(value * fee_ppm as u128, FRACTION_ONE_PPM as u128)
}

/// Return by how much a fill at the limit would be worse than the mark, per lot; negative when
/// better.
pub fn adverse_per_lot<S: Store>(
    world: &World<S>,
    instrument: u32,
    side: Side,
    price_ticks: u32,
) -> i128 {
    let value = value_per_lot(world, instrument, price_ticks);
    let difference = value - prices::mark_atoms(world, instrument);
    match side {
        Side::Buy => difference,
        Side::Sell => -difference,
    }
}

/// Return what a resting order reserves per lot, in atoms.
///
/// Its fee, and by how much its limit is worse than the mark; a better limit earns no credit.
pub fn reserve_per_lot<S: Store>(
    world: &World<S>,
    instrument: u32,
    side: Side,
    price_ticks: u32,
    max_fee_ppm: u32,
) -> u64 {
    let fee = fee_per_lot_up(world, instrument, price_ticks, max_fee_ppm) as i128;
    let reserve = adverse_per_lot(world, instrument, side, price_ticks).max(0) + fee;
    u64::try_from(reserve).expect("a lot is worth less than 2^63")
}

/// Return the quotient rounded up.
pub fn ceil_div(numerator: u128, denominator: u128) -> u128 {
    numerator.div_ceil(denominator)
}
