//! Scenario margin: what positions and orders lose in the worst scenario, by underlying and expiry.
//!
//! Each instrument counts, in each column, at the worst of its position alone, with all its buys,
//! with all its sells. The requirement is
//!
//! ```text
//! factor · (loss of the columns + Σ per expiry of |skew| and |basis|) + naked · |slopes below 0|
//! ```
//!
//! where the loss of the columns is κ · (worst joint column) + (1 − κ) · Σ per underlying of its
//! worst column. Every term is a maximum of linear functions of the positions.

use alloc::vec::Vec;

use crate::exposure::Exposure;
use crate::fixed_point::times;
use crate::limits::FRACTION_ONE_PPM;
use crate::prices::{self, COLUMNS, CORE, ExpiryRow, legs_of};
use crate::records::{instrument, parameters, underlying};
use crate::rounding::ceil_div;
use crate::scenarios::{SPOT_STEPS_PER_RANGE, VOLATILITY_MOVES};
use crate::staleness::is_stale;
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

/// A profit in each scenario.
pub type Columns = [i128; COLUMNS];

const ONE_PPM: u128 = FRACTION_ONE_PPM as u128;

/// Between what a profit can be at the least and at the most, whichever orders are filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub low: i128,
    pub high: i128,
}

impl Span {
    #[inline(always)]
    fn add<P: Copy + Into<i128>>(&mut self, exposure: &Exposure, profit: P, sign: i64) {
        let profit = profit.into();
        let held = (sign * exposure.lots) as i128 * profit;
        if exposure.buys == 0 && exposure.sells == 0 {
            self.low += held;
            self.high += held;
            return;
        }
        let (bought, sold) = (exposure.buys as i128 * profit, -(exposure.sells as i128) * profit);
        self.low += held + sign as i128 * bought.min(sold).min(0);
        self.high += held + sign as i128 * bought.max(sold).max(0);
    }

    /// Return the larger of the two magnitudes.
    pub fn size(self) -> u128 {
        self.high.max(-self.low) as u128
    }
}

/// Profits, in atoms, that the instruments of one expiry share; perpetuals are one of their own.
///
/// Skews of volatility, a move of the forward against the index, the forward delta, and what a
/// further 100 % of the index up or down brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpiryTotals {
    pub skew_linear: Span,
    pub skew_absolute: Span,
    pub basis: Span,
    pub delta: Span,
    pub slope_up: Span,
    pub slope_down: Span,
}

impl ExpiryTotals {
    #[inline(always)]
    fn add<P: Copy + Into<i128>>(&mut self, exposure: &Exposure, row: &ExpiryRow<P>, sign: i64) {
        self.skew_linear.add(exposure, row.skew_linear, sign);
        self.skew_absolute.add(exposure, row.skew_absolute, sign);
        self.basis.add(exposure, row.basis, sign);
        self.delta.add(exposure, row.delta, sign);
        self.slope_up.add(exposure, row.slope_up, sign);
        self.slope_down.add(exposure, row.slope_down, sign);
    }

    /// Return the larger magnitude of the two skews: each may go either way.
    pub fn skew_loss(&self) -> u128 {
        self.skew_linear.size().max(self.skew_absolute.size())
    }

    /// Return the loss by skew, and by a move of the forward against the index.
    fn shift_loss(&self) -> u128 {
        self.skew_loss() + self.basis.size()
    }

    /// Return the index value that is lost beyond all scenarios, upwards and downwards.
    pub fn naked(&self) -> u128 {
        let below_zero = |slope: Span| (-slope.low).max(0) as u128;
        below_zero(self.slope_up) + below_zero(self.slope_down)
    }
}

/// Columns, in atoms, and expiries of the instruments of one underlying, contract size in 1e-9
/// units with both directions added, and how many legs are stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderlyingTotals {
    pub number: u32,
    pub columns: Columns,
    pub expiries: Vec<(u32, ExpiryTotals)>,
    pub gross_nanos: i128,
    pub stale_legs: i64,
}

impl UnderlyingTotals {
    /// Return that of an underlying of which nothing is held.
    pub fn new(number: u32) -> Self {
        let (columns, expiries) = ([0; COLUMNS], Vec::new());
        Self { number, columns, expiries, gross_nanos: 0, stale_legs: 0 }
    }

    /// Return the loss in the worst column.
    pub fn worst_loss(&self) -> u128 {
        self.columns.iter().fold(0, |worst, total| worst.max(-total)) as u128
    }

    fn expiry(&mut self, number: u32) -> &mut ExpiryTotals {
        let found = self.expiries.iter().position(|(other, _)| *other == number);
        let place = found.unwrap_or_else(|| {
            self.expiries.push((number, ExpiryTotals::default()));
            self.expiries.len() - 1
        });
        &mut self.expiries[place].1
    }
}

/// What scenario margin depends on, by underlying.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub underlyings: Vec<UnderlyingTotals>,
}

/// Return the columns and expiries of exposures, by instrument.
pub fn totals_of<S: Store>(
    world: &World<S>,
    exposures: impl Iterator<Item = (u32, Exposure)>,
) -> Totals {
    let mut totals = Totals::default();
    for (instrument, exposure) in exposures {
        totals.add(world, instrument, exposure);
    }
    totals
}

impl Totals {
    /// Add what an instrument's exposure could lose.
    pub fn add<S: Store>(&mut self, world: &World<S>, instrument: u32, exposure: Exposure) {
        self.count(world, instrument, exposure, 1);
    }

    /// Undo `add`.
    pub fn take_out<S: Store>(&mut self, world: &World<S>, instrument: u32, exposure: Exposure) {
        self.count(world, instrument, exposure, -1);
    }

    /// Return what there is of an underlying.
    pub fn of(&self, number: u32) -> Option<&UnderlyingTotals> {
        self.underlyings.iter().find(|each| each.number == number)
    }

    /// Put underlyings and expiries in order, and leave out those that come to nothing.
    pub fn sort(&mut self) {
        for each in &mut self.underlyings {
            each.expiries.retain(|(_, expiry)| *expiry != ExpiryTotals::default());
            each.expiries.sort_by_key(|(number, _)| *number);
        }
        self.underlyings.retain(|each| *each != UnderlyingTotals::new(each.number));
        self.underlyings.sort_by_key(|each| each.number);
    }

    fn count<S: Store>(&mut self, world: &World<S>, slot: u32, exposure: Exposure, sign: i64) {
        if exposure.is_empty() {
            return;
        }
        let totals = self.underlying(world.instrument(slot, instrument::UNDERLYING));
        let legs = legs_of(world, slot);
        if legs.is_empty() {
            let (expiry, row) = prices::own_expiry_row(world, slot);
            add_columns(&mut totals.columns, &prices::own_columns(world, slot), &exposure, sign);
            totals.expiry(expiry).add(&exposure, &row, sign);
        } else {
            let columns = prices::combo_columns(world, &legs);
            add_columns(&mut totals.columns, &columns, &exposure, sign);
            for (expiry, row) in prices::combo_expiry_rows(world, &legs) {
                totals.expiry(expiry).add(&exposure, &row, sign);
            }
        }
        let size_nanos = exposure.gross_lots() as i128 * prices::unit_nanos(world, slot) as i128;
        totals.gross_nanos += sign as i128 * size_nanos;
        totals.stale_legs += sign * is_stale(world, slot) as i64;
    }

    /// Return what there is of an underlying, to change.
    pub fn underlying(&mut self, number: u32) -> &mut UnderlyingTotals {
        let found = self.underlyings.iter().position(|each| each.number == number);
        let place = found.unwrap_or_else(|| {
            self.underlyings.push(UnderlyingTotals::new(number));
            self.underlyings.len() - 1
        });
        &mut self.underlyings[place]
    }
}

/// Add, to each column, the worst of a position alone, with all its buys, with all its sells.
#[inline(always)]
fn add_columns<P: Copy + Into<i128>>(
    columns: &mut Columns,
    profits: &[P; COLUMNS],
    exposure: &Exposure,
    sign: i64,
) {
    let (lots, buys) = ((sign * exposure.lots) as i128, exposure.buys as i128);
    let sells = exposure.sells as i128;
    if exposure.buys == 0 && exposure.sells == 0 {
        for (total, &profit) in columns.iter_mut().zip(profits) {
            *total += lots * profit.into();
        }
        return;
    }
    for (total, &profit) in columns.iter_mut().zip(profits) {
        let profit = profit.into();
        let filled = (buys * profit).min(-sells * profit).min(0);
        *total += lots * profit + sign as i128 * filled;
    }
}

/// Return what new risk must cover; an underlying with a stale leg counts several fold.
///
/// Rounds up, at each of its divisions: against the account.
pub fn initial_up<S: Store>(world: &World<S>, totals: &Totals) -> u128 {
    let parameter = |field| world.parameters(PARAMETERS_SLOT, field) as u128;
    let factor_ppm = parameter(parameters::INITIAL_FACTOR_PPM);
    let naked_ppm = parameter(parameters::NAKED_INITIAL_PPM);
    let terms = Terms::of(world, totals, parameter(parameters::STALE_MARGIN_PPM));
    terms.requirement_up(world, factor_ppm, naked_ppm)
}

/// Return what a portfolio must cover to be kept. Rounds as `initial_up`.
pub fn maintenance_up<S: Store>(world: &World<S>, totals: &Totals) -> u128 {
    Terms::of(world, totals, ONE_PPM).maintenance_up(world)
}

/// Return κ · (the worst joint column) + (1 − κ) · (the worst of each underlying, summed).
///
/// An underlying with a stale leg counts `stale_ppm`, and what is joint with one, too. Rounds up.
pub fn column_loss_up<S: Store>(world: &World<S>, totals: &Totals, stale_ppm: u128) -> u128 {
    Terms::of(world, totals, stale_ppm).column_loss_up(world)
}

/// What a requirement is made of, in atoms: each a sum over underlyings.
///
/// The joint columns, in 1e-6 atoms and only if margin asks for them; the worst losses of each
/// underlying; the losses by skew and basis, and beyond all scenarios, of each expiry.
#[derive(Clone, Debug)]
pub struct Terms {
    joint_ppm_atoms: Columns,
    joint_fold_ppm: u128,
    separate: u128,
    shifts: u128,
    naked: u128,
}

impl Terms {
    /// Add up totals; an underlying with a stale leg counts `stale_ppm`.
    pub fn of<S: Store>(world: &World<S>, totals: &Totals, stale_ppm: u128) -> Self {
        let is_any_stale = totals.underlyings.iter().any(|each| each.stale_legs > 0);
        let is_joint = world.parameters(PARAMETERS_SLOT, parameters::JOINT_PPM) > 0;
        let joint_fold_ppm = if is_any_stale { stale_ppm } else { ONE_PPM };
        let joint_ppm_atoms = [0; COLUMNS];
        let mut terms = Self { joint_ppm_atoms, joint_fold_ppm, separate: 0, shifts: 0, naked: 0 };
        for each in &totals.underlyings {
            let fold_ppm = if each.stale_legs > 0 { stale_ppm } else { ONE_PPM };
            terms.separate += fold_up(each.worst_loss(), fold_ppm);
            if is_joint {
                add_moved(world, &mut terms.joint_ppm_atoms, each.number, &each.columns, 1);
            }
            for (_, expiry) in &each.expiries {
                terms.shifts += expiry.shift_loss();
                terms.naked += expiry.naked();
            }
        }
        terms
    }

    /// Add lots of an instrument, no combo, to an underlying of which there is `before`, no orders.
    ///
    /// As maintenance margin counts them: nothing of it is several fold.
    pub fn change<S: Store>(
        &mut self,
        world: &World<S>,
        before: &UnderlyingTotals,
        slot: u32,
        lots: i64,
    ) {
        let profits = prices::own_columns(world, slot);
        let pairs = before.columns.iter().zip(&profits);
        let after = pairs.map(|(held, &profit)| held + lots as i128 * profit as i128);
        let worst = after.fold(0, |worst: i128, total| worst.max(-total));
        self.separate = self.separate - before.worst_loss() + worst as u128;
        if world.parameters(PARAMETERS_SLOT, parameters::JOINT_PPM) > 0 {
            add_moved(world, &mut self.joint_ppm_atoms, before.number, &profits, lots);
        }
        let (number, row) = prices::own_expiry_row(world, slot);
        let found = before.expiries.iter().find(|(other, _)| *other == number);
        let held = found.map_or(ExpiryTotals::default(), |(_, held)| *held);
        let mut after = held;
        after.add(&Exposure::of_lots(lots), &row, 1);
        self.shifts = self.shifts - held.shift_loss() + after.shift_loss();
        self.naked = self.naked - held.naked() + after.naked();
    }

    /// Return what is asked to keep what the terms are of. Rounds up, at each division.
    pub fn maintenance_up<S: Store>(&self, world: &World<S>) -> u128 {
        let parameter = |field| world.parameters(PARAMETERS_SLOT, field) as u128;
        let factor_ppm = parameter(parameters::MAINTENANCE_FACTOR_PPM);
        self.requirement_up(world, factor_ppm, parameter(parameters::NAKED_MAINTENANCE_PPM))
    }

    fn requirement_up<S: Store>(
        &self,
        world: &World<S>,
        factor_ppm: u128,
        naked_ppm: u128,
    ) -> u128 {
        let scenarios = self.column_loss_up(world) + self.shifts;
        ceil_div(scenarios * factor_ppm, ONE_PPM) + ceil_div(self.naked * naked_ppm, ONE_PPM)
    }

    fn column_loss_up<S: Store>(&self, world: &World<S>) -> u128 {
        let joint_ppm = world.parameters(PARAMETERS_SLOT, parameters::JOINT_PPM) as u128;
        if joint_ppm == 0 {
            return self.separate;
        }
        let worst = self.joint_ppm_atoms.iter().fold(0, |worst: i128, total| worst.max(-total));
        let joint = fold_up(ceil_div(worst as u128, ONE_PPM), self.joint_fold_ppm);
        ceil_div(joint * joint_ppm + self.separate * (ONE_PPM - joint_ppm), ONE_PPM)
    }
}

/// Return a loss so many times in ppm. Rounds up.
fn fold_up(loss: u128, fold_ppm: u128) -> u128 {
    if fold_ppm == ONE_PPM { loss } else { ceil_div(loss * fold_ppm, ONE_PPM) }
}

/// Add lots of columns in an underlying to the joint ones, times 10^6.
///
/// When one moves by a step, another moves by β of it, between its columns in proportion; in a tail
/// all move alike.
#[inline(always)]
fn add_moved<S: Store, P: Copy + Into<i128>>(
    world: &World<S>,
    joint: &mut Columns,
    number: u32,
    columns: &[P; COLUMNS],
    lots: i64,
) {
    const ONE_PPM: i64 = FRACTION_ONE_PPM as i64;
    let beta_ppm = world.underlying(number, underlying::BETA_PPM) as i64;
    let unmoved = SPOT_STEPS_PER_RANGE;
    let (core, tails) = joint.split_at_mut(CORE);
    for (step, moved) in (0..).zip(core.chunks_exact_mut(VOLATILITY_MOVES)) {
        let place_ppm = unmoved * ONE_PPM + beta_ppm * (step - unmoved);
        let (below, share_ppm) = (place_ppm.div_euclid(ONE_PPM), place_ppm.rem_euclid(ONE_PPM));
        let above = below + (share_ppm > 0) as i64;
        let row = |step: i64| &columns[step as usize * VOLATILITY_MOVES..];
        for (total, (&low, &high)) in moved.iter_mut().zip(row(below).iter().zip(row(above))) {
            let mixed = times(low.into(), ONE_PPM - share_ppm) + times(high.into(), share_ppm);
            *total += times(mixed, lots);
        }
    }
    for (total, &profit) in tails.iter_mut().zip(&columns[CORE..]) {
        *total += times(times(profit.into(), ONE_PPM), lots);
    }
}
