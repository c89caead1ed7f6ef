//! The margin report: every term of what an account owns and needs, as it is or with changes.
//!
//! It changes nothing; who wants to know what an order would need asks here.

use alloc::vec::Vec;

use crate::accounts::cash_atoms;
use crate::add_ons::{concentration_up, confidence_up};
use crate::collateral;
use crate::exposure::{Change, Exposure};
use crate::limits::{INSTRUMENTS_PER_ACCOUNT_MAX, MarginMode, POSITION_LOTS_MAX};
use crate::margin::{
    initial_margin_up, maintenance_margin_up, portfolio, positions_initial_up, with_changes,
};
use crate::records::instrument;
use crate::scenario_margin::{ExpiryTotals, UnderlyingTotals};
use crate::store::Store;
use crate::world::World;

/// What an account owns and needs, in atoms; equity takes stale legs at their marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarginReport {
    pub mode: MarginMode,
    pub equity_atoms: i128,
    pub cash_atoms: i128,
    pub collateral_atoms: i128,
    pub stale_low_atoms: i128,
    pub stale_high_atoms: i128,
    pub initial_atoms: i128,
    pub maintenance_atoms: i128,
    pub positions_atoms: u128,
    pub concentration_atoms: u128,
    pub confidence_atoms: u128,
    pub reserve_atoms: i128,
    pub underlyings: Vec<UnderlyingReport>,
}

/// One underlying: its worst column, counted over core and tails, and what is lost in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderlyingReport {
    pub underlying: u32,
    pub worst_column: usize,
    pub worst_loss_atoms: u128,
    pub is_stale: bool,
    pub expiries: Vec<ExpiryReport>,
}

/// One expiry: losses of its skews and of its basis, and the index value of naked slopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryReport {
    pub expiry: u32,
    pub skew_atoms: u128,
    pub basis_atoms: u128,
    pub naked_atoms: u128,
}

/// Return what an account owns and needs, with changes at their marks, at most one per instrument.
/// Underlyings and expiries in which nothing can be lost are left out.
///
/// Nothing is returned if there is no such account or instrument, or for more than an account may
/// hold.
pub fn explain<S: Store>(
    world: &World<S>,
    account: u32,
    changes: &[Change],
) -> Option<MarginReport> {
    let is_listed = |change: &Change| world.contains(instrument::ARENA, change.instrument);
    let is_sound = |change: &Change| is_listed(change) && is_bounded(&change.exposure);
    if !world.account_exists(account)
        || !changes.iter().all(is_sound)
        || changes.len() as u64 > INSTRUMENTS_PER_ACCOUNT_MAX
    {
        return None;
    }
    let whole = with_changes(world, &portfolio(world, account, &[]), changes);
    let reports = whole.totals.underlyings.iter().map(underlying_report);
    let mut underlyings: Vec<_> = reports.filter(can_lose).collect();
    underlyings.sort_unstable_by_key(|each| each.underlying);
    Some(MarginReport {
        mode: whole.mode,
        equity_atoms: whole.equity_atoms,
        cash_atoms: cash_atoms(world, account),
        collateral_atoms: collateral::value_atoms(world, &whole.balances),
        stale_low_atoms: whole.stale_low_atoms(),
        stale_high_atoms: whole.stale_high_atoms(),
        initial_atoms: initial_margin_up(world, &whole),
        maintenance_atoms: maintenance_margin_up(world, &whole),
        positions_atoms: positions_initial_up(world, &whole),
        concentration_atoms: concentration_up(world, &whole, &whole.totals),
        confidence_atoms: confidence_up(world, &whole.totals),
        reserve_atoms: whole.reserve_atoms,
        underlyings,
    })
}

fn is_bounded(exposure: &Exposure) -> bool {
    let Exposure { lots, buys, sells, .. } = *exposure;
    let most = POSITION_LOTS_MAX as i64;
    [lots.saturating_abs(), buys, sells].iter().all(|size| (0..=most).contains(size))
}

/// Return whether anything of an underlying can be lost, or is in doubt; the rest is left out.
fn can_lose(report: &UnderlyingReport) -> bool {
    report.worst_loss_atoms > 0 || report.is_stale || !report.expiries.is_empty()
}

fn underlying_report(totals: &UnderlyingTotals) -> UnderlyingReport {
    let columns = totals.columns.iter().enumerate();
    let worst = columns.min_by_key(|(_, total)| **total).expect("there are columns");
    let loses =
        |each: &ExpiryReport| (each.skew_atoms, each.basis_atoms, each.naked_atoms) != (0, 0, 0);
    let mut expiries: Vec<_> = totals.expiries.iter().map(expiry_report).filter(loses).collect();
    expiries.sort_unstable_by_key(|each| each.expiry);
    UnderlyingReport {
        underlying: totals.number,
        worst_column: worst.0,
        worst_loss_atoms: totals.worst_loss(),
        is_stale: totals.stale_legs > 0,
        expiries,
    }
}

fn expiry_report((expiry, totals): &(u32, ExpiryTotals)) -> ExpiryReport {
    ExpiryReport {
        expiry: *expiry,
        skew_atoms: totals.skew_loss(),
        basis_atoms: totals.basis.size(),
        naked_atoms: totals.naked(),
    }
}
