//! Portfolios: what an account owns and risks at current marks, as it is or as it would be.
//!
//! Every question of margin is asked of one: of what is, and of what would be after an order, a
//! trade or a withdrawal.

use alloc::vec::Vec;

use crate::accounts::cash_atoms;
use crate::collateral::{self, Balances, Flow};
use crate::exposure::{Change, Exposure};
use crate::holdings::{Holding, Holdings};
use crate::limits::{FRACTION_ONE_PPM, MarginMode, QUOTE_TOKEN};
use crate::records::account;
use crate::scenario_margin::Totals;
use crate::staleness::lots_interval_ppm;
use crate::store::Store;
use crate::world::World;

/// Of expiries, whether their options count at their greatest loss, or each by itself.
pub type Netting = Vec<(u32, bool)>;

/// What margin depends on, in atoms.
///
/// Equity takes every mark as it stands; stale legs, and those whose index or forward has moved
/// since their mark, could be worth less or more by an interval that is kept in ppm of atoms.
/// `totals` are those of `exposures`; the contract size of the positions as they are, by
/// underlying, is kept in 1e-9 units. A `netting` says how standard margin is to count expiries,
/// whatever would ask for less.
#[derive(Clone, Debug)]
pub struct Portfolio {
    pub account: u32,
    pub mode: MarginMode,
    pub equity_atoms: i128,
    pub reserve_atoms: i128,
    pub exposures: Vec<(u32, Exposure)>,
    pub balances: Balances,
    pub totals: Totals,
    pub netting: Netting,
    held_nanos: Vec<(u32, i128)>,
    stale_low_ppm: i128,
    stale_high_ppm: i128,
}

/// Return the account's portfolio as it would be with changes to its exposures, at most one per
/// instrument.
pub fn portfolio<S: Store>(world: &World<S>, account: u32, changes: &[Change]) -> Portfolio {
    portfolio_after(world, account, changes, &[])
}

/// Return the account's portfolio with changes to its exposures, and money coming or going.
pub fn portfolio_after<S: Store>(
    world: &World<S>,
    account: u32,
    changes: &[Change],
    flows: &[Flow],
) -> Portfolio {
    let known = world.store.ask_holdings(account, Holdings::clone);
    let holdings = known.unwrap_or_else(|| {
        let positions = world.positions_of(account);
        Holdings::of(world, positions.map(|slot| Holding::whole(world, slot)))
    });
    let mut portfolio = portfolio_of(world, account, holdings, flows);
    for change in changes {
        portfolio.apply(world, change);
    }
    portfolio
}

/// Return the account's portfolio as it is, orders left out.
pub fn positions_alone<S: Store>(world: &World<S>, account: u32) -> Portfolio {
    let positions = world.positions_of(account);
    let holdings = Holdings::of(world, positions.map(|slot| Holding::alone(world, slot)));
    portfolio_of(world, account, holdings, &[])
}

/// Add cash and tokens, with changes to them, to what positions come to.
fn portfolio_of<S: Store>(
    world: &World<S>,
    account: u32,
    holdings: Holdings,
    flows: &[Flow],
) -> Portfolio {
    let balances = collateral::balances_of(world, account, flows);
    let mut equity_atoms = cash_atoms(world, account);
    equity_atoms += collateral::flow_of(flows, QUOTE_TOKEN as u8);
    equity_atoms += collateral::value_atoms(world, &balances) + holdings.value_atoms(world);
    let Holdings { exposures, reserve_atoms, mut totals, held_nanos, .. } = holdings;
    collateral::add_columns(world, &mut totals, &balances);
    let (stale_low_ppm, stale_high_ppm) = collateral::stale_interval_ppm(world, &balances);
    Portfolio {
        account,
        mode: mode_of(world, account),
        equity_atoms,
        reserve_atoms,
        exposures,
        balances,
        totals,
        netting: Netting::new(),
        held_nanos,
        stale_low_ppm: stale_low_ppm + holdings.stale_low_ppm,
        stale_high_ppm: stale_high_ppm + holdings.stale_high_ppm,
    }
}

/// Return how an account is margined.
pub fn mode_of<S: Store>(world: &World<S>, account: u32) -> MarginMode {
    let mode = world.account(account, account::MARGIN_MODE);
    MarginMode::try_from(mode).expect("a command wrote the mode")
}

/// Return a portfolio with changes to its exposures, traded at their marks.
pub fn with_changes<S: Store>(
    world: &World<S>,
    before: &Portfolio,
    changes: &[Change],
) -> Portfolio {
    let mut after = before.clone();
    for change in changes {
        after.apply(world, change);
    }
    after
}

impl Portfolio {
    /// Return how far below its mark what is held may be worth: at most 0. Rounds down.
    pub fn stale_low_atoms(&self) -> i128 {
        self.stale_low_ppm.div_euclid(FRACTION_ONE_PPM as i128)
    }

    /// Return how far above its mark what is held may be worth: at least 0. Rounds up.
    pub fn stale_high_atoms(&self) -> i128 {
        -(-self.stale_high_ppm).div_euclid(FRACTION_ONE_PPM as i128)
    }

    /// Return the contract size of the positions in an underlying as they are.
    pub fn held_nanos(&self, underlying: u32) -> i128 {
        let found = self.held_nanos.iter().find(|(number, _)| *number == underlying);
        found.map_or(0, |(_, total)| *total)
    }

    /// Return equity with every stale leg at its worst.
    pub fn secured_atoms(&self) -> i128 {
        self.equity_atoms + self.stale_low_atoms()
    }

    /// Return whether equity falls short of a requirement even with every stale leg at its best.
    pub fn is_short_of(&self, required_atoms: i128) -> bool {
        self.equity_atoms + self.stale_high_atoms() < required_atoms
    }

    /// Return whether equity is below zero even with every stale leg at its best.
    pub fn is_insolvent(&self) -> bool {
        self.is_short_of(0)
    }

    /// Return whether nothing could come of orders: then the totals are those of positions alone.
    pub fn is_of_positions(&self) -> bool {
        self.exposures.iter().all(|(_, exposure)| exposure.buys == 0 && exposure.sells == 0)
    }

    /// Change one exposure, and what the totals have of it.
    pub fn apply<S: Store>(&mut self, world: &World<S>, change: &Change) {
        let slot = change.instrument;
        let found = self.exposures.iter().position(|(other, _)| *other == slot);
        let place = found.unwrap_or_else(|| {
            self.exposures.push((slot, Exposure::default()));
            self.exposures.len() - 1
        });
        let before = self.exposures[place].1;
        let after = before + change.exposure;
        self.exposures[place].1 = after;
        self.totals.take_out(world, slot, before);
        self.totals.add(world, slot, after);
        self.count_stale(world, slot, before.lots, -1);
        self.count_stale(world, slot, after.lots, 1);
        self.reserve_atoms += change.exposure.reserve_atoms;
    }

    /// Widen the interval of stale legs by one, or undo that with the sign −1.
    fn count_stale<S: Store>(&mut self, world: &World<S>, slot: u32, lots: i64, sign: i128) {
        if lots == 0 {
            return;
        }
        let (low, high) = lots_interval_ppm(world, slot, lots);
        self.stale_low_ppm += sign * low;
        self.stale_high_ppm += sign * high;
    }
}
