//! Portfolios: what an account owns and risks at current marks, as it is or as it would be.

use alloc::vec::Vec;

use crate::accounts::cash_atoms;
use crate::collateral::{self, Balances, Flow};
use crate::exposure::{Change, Exposure};
use crate::funding::pending_atoms;
use crate::limits::{FRACTION_ONE_PPM, MarginMode, QUOTE_TOKEN};
use crate::positions::{mark_atoms, open_orders};
use crate::prices::unit_nanos;
use crate::records::{account, instrument, position};
use crate::scenario_margin::{Totals, totals_of};
use crate::staleness::interval_ppm;
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
    let held = |slot| {
        let open = open_orders(world, slot);
        Exposure {
            lots: world.position(slot, position::LOTS),
            buys: open.buys as i64,
            sells: open.sells as i64,
            reserve_atoms: open.reserve_atoms,
        }
    };
    let mut exposures = exposures_of(world, account, held);
    for change in changes {
        match exposures.iter_mut().find(|(slot, _)| *slot == change.instrument) {
            Some((_, exposure)) => *exposure = *exposure + change.exposure,
            None => exposures.push((change.instrument, change.exposure)),
        }
    }
    portfolio_of(world, account, exposures, flows)
}

/// Return the account's portfolio as it is, orders left out.
pub fn positions_alone<S: Store>(world: &World<S>, account: u32) -> Portfolio {
    let held = |slot| Exposure::of_lots(world.position(slot, position::LOTS));
    portfolio_of(world, account, exposures_of(world, account, held), &[])
}

fn exposures_of<S: Store>(
    world: &World<S>,
    account: u32,
    held: impl Fn(u32) -> Exposure,
) -> Vec<(u32, Exposure)> {
    let positions = world.positions_of(account);
    positions.map(|slot| (world.position(slot, position::INSTRUMENT), held(slot))).collect()
}

fn portfolio_of<S: Store>(
    world: &World<S>,
    account: u32,
    exposures: Vec<(u32, Exposure)>,
    flows: &[Flow],
) -> Portfolio {
    let balances = collateral::balances_of(world, account, flows);
    let mut equity_atoms = cash_atoms(world, account);
    equity_atoms += collateral::flow_of(flows, QUOTE_TOKEN as u8);
    equity_atoms += collateral::value_atoms(world, &balances);
    let mut held_nanos = Vec::new();
    for slot in world.positions_of(account) {
        let instrument = world.position(slot, position::INSTRUMENT);
        let lots = world.position(slot, position::LOTS);
        let value_atoms = lots as i128 * mark_atoms(world, instrument) as i128;
        equity_atoms += world.position(slot, position::ENTRY_ATOMS) + value_atoms;
        equity_atoms -= pending_atoms(world, slot);
        count_held(world, &mut held_nanos, instrument, lots);
    }
    let mut totals = totals_of(world, exposures.iter().copied());
    collateral::add_columns(world, &mut totals, &balances);
    let (stale_low_ppm, stale_high_ppm) = collateral::stale_interval_ppm(world, &balances);
    let reserve_atoms = exposures.iter().map(|(_, exposure)| exposure.reserve_atoms).sum();
    let mut portfolio = Portfolio {
        account,
        mode: mode_of(world, account),
        equity_atoms,
        reserve_atoms,
        exposures,
        balances,
        totals,
        netting: Netting::new(),
        held_nanos,
        stale_low_ppm,
        stale_high_ppm,
    };
    for place in 0..portfolio.exposures.len() {
        let (instrument, exposure) = portfolio.exposures[place];
        portfolio.count_stale(world, instrument, exposure.lots, 1);
    }
    portfolio
}

/// Return how an account is margined.
pub fn mode_of<S: Store>(world: &World<S>, account: u32) -> MarginMode {
    let mode = world.account(account, account::MARGIN_MODE);
    MarginMode::try_from(mode).expect("a command wrote the mode")
}

/// Add what a position is to the contract size of its underlying.
fn count_held<S: Store>(
    world: &World<S>,
    held_nanos: &mut Vec<(u32, i128)>,
    instrument: u32,
    lots: i64,
) {
    let underlying = world.instrument(instrument, instrument::UNDERLYING);
    let size_nanos = lots.unsigned_abs() as i128 * unit_nanos(world, instrument) as i128;
    match held_nanos.iter_mut().find(|(number, _)| *number == underlying) {
        Some((_, total)) => *total += size_nanos,
        None => held_nanos.push((underlying, size_nanos)),
    }
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

    /// Return whether equity is below zero even with every stale leg at its best.
    pub fn is_insolvent(&self) -> bool {
        self.equity_atoms + self.stale_high_atoms() < 0
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
        let (below, above) = interval_ppm(world, slot);
        let (low, high) = if lots > 0 { (below, above) } else { (above, below) };
        self.stale_low_ppm += sign * lots as i128 * low;
        self.stale_high_ppm += sign * lots as i128 * high;
    }
}
