//! Cushions: what an account has above what initial margin could ask for at most, whatever its
//! positions make up for in each other.
//!
//! A lot loses in no column more than in its worst, and lots together no more than each by itself.
//! So a product for each position bounds what 40 columns for each would come to. Where the bound is
//! covered, margin is; where it is not, nothing is known, and margin has to be added up.

use alloc::vec::Vec;

use crate::accounts::cash_atoms;
use crate::add_ons;
use crate::collateral;
use crate::exposure::Change;
use crate::fixed_point::times;
use crate::holdings::{Holding, entry};
use crate::kept::{Known, Sums};
use crate::limits::{FRACTION_ONE_PPM, InstrumentKind, MarginMode};
use crate::owners;
use crate::payoff::kind_of;
use crate::portfolio::mode_of;
use crate::positions::{is_settled, mark_atoms};
use crate::prices::{COLUMNS, ExpiryRow, combo_columns, combo_expiry_rows, legs_of};
use crate::prices::{own_columns, own_expiry_row, unit_nanos};
use crate::records::{global, instrument, parameters, underlying};
use crate::rounding::floor_div;
use crate::staleness::{interval_ppm, is_stale, steady_until_ns};
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

const ONE_PPM: i128 = FRACTION_ONE_PPM as i128;

/// A version of the market that never comes.
const NO_VERSION: u64 = u64::MAX;

/// What each of two divisions rounded up adds at most, in atoms.
const ROUNDING_ATOMS: i128 = 2;

/// What a lot of an instrument comes to, in atoms, contract size in 1e-9 units.
///
/// `scenario_atoms` is what it loses in its worst column, by skew and by basis, `naked_atoms` what
/// it loses beyond all scenarios, either way; low and high say how far below and above its mark it
/// may be worth, in 1e-6 atoms. Nothing is bounded by what is stale, or beyond 64 bits.
#[derive(Clone, Copy, Debug)]
struct Weight {
    underlying: u32,
    is_perpetual: bool,
    is_settled: bool,
    is_bounded: bool,
    mark_atoms: i64,
    unit_nanos: i64,
    low_ppm: i128,
    high_ppm: i128,
    scenario_atoms: i64,
    naked_atoms: i64,
    steady_until_ns: u64,
}

impl Weight {
    fn of<S: Store>(world: &World<S>, slot: u32) -> Self {
        let (scenario_atoms, naked_atoms) = worst_of(world, slot);
        let (low_ppm, high_ppm) = interval_ppm(world, slot);
        let sizes = [scenario_atoms, naked_atoms, unit_nanos(world, slot) as i128];
        let [scenario_atoms, naked_atoms, unit_nanos] = sizes.map(i64::try_from);
        let fits = scenario_atoms.is_ok() && naked_atoms.is_ok() && unit_nanos.is_ok();
        Self {
            underlying: world.instrument(slot, instrument::UNDERLYING),
            is_perpetual: kind_of(world, slot) == InstrumentKind::Perpetual,
            is_settled: is_settled(world, slot),
            is_bounded: fits && !is_stale(world, slot),
            mark_atoms: mark_atoms(world, slot),
            unit_nanos: unit_nanos.unwrap_or_default(),
            low_ppm,
            high_ppm,
            scenario_atoms: scenario_atoms.unwrap_or_default(),
            naked_atoms: naked_atoms.unwrap_or_default(),
            steady_until_ns: steady_until_ns(world, slot),
        }
    }
}

/// Return what a lot, either way, loses at most in all scenarios together, and beyond them.
fn worst_of<S: Store>(world: &World<S>, slot: u32) -> (i128, i128) {
    let legs = legs_of(world, slot);
    if legs.is_empty() {
        let (_, row) = own_expiry_row(world, slot);
        return worst(&own_columns(world, slot), &[row]);
    }
    let rows: Vec<_> = combo_expiry_rows(world, &legs).into_iter().map(|(_, row)| row).collect();
    worst(&combo_columns(world, &legs), &rows)
}

fn worst<P: Copy + Into<i128>>(columns: &[P; COLUMNS], rows: &[ExpiryRow<P>]) -> (i128, i128) {
    let size = |profit: P| profit.into().abs();
    let worst_column = columns.iter().map(|&profit| size(profit)).fold(0, i128::max);
    let shift_of =
        |row: &ExpiryRow<P>| size(row.skew_linear).max(size(row.skew_absolute)) + size(row.basis);
    let naked_of = |row: &ExpiryRow<P>| size(row.slope_up) + size(row.slope_down);
    let shifts: i128 = rows.iter().map(shift_of).sum();
    (worst_column + shifts, rows.iter().map(naked_of).sum())
}

/// What lots of instruments come to, by slot, as they are valued in one version of the market.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    rows: Vec<(u64, Weight)>,
    market_version: u64,
}

impl Weights {
    #[inline]
    fn of<S: Store>(&mut self, world: &World<S>, slot: u32) -> &Weight {
        let is_current = self.rows.get(slot as usize).is_some_and(|(version, weight)| {
            *version == self.market_version
                && world.header(global::WINDOW_NS) <= weight.steady_until_ns
        });
        if !is_current {
            self.weigh(world, slot);
        }
        &self.rows[slot as usize].1
    }

    /// Return what is known already of now.
    #[inline]
    fn of_now(&self, slot: u32) -> &Weight {
        &self.rows[slot as usize].1
    }

    #[cold]
    fn weigh<S: Store>(&mut self, world: &World<S>, slot: u32) {
        let weight = Weight::of(world, slot);
        if self.rows.len() <= slot as usize {
            self.rows.resize(slot as usize + 1, (NO_VERSION, weight));
        }
        self.rows[slot as usize] = (self.market_version, weight);
    }
}

impl Known for Weights {
    fn renew(&mut self, market_version: u64) {
        self.market_version = market_version;
    }
}

/// What an account's positions and orders come to at most: sums over positions.
///
/// Entries and lots at their marks, what of that is due, how far below it all may be worth in 1e-6
/// atoms, lots of perpetuals, what margin may ask for, and contract size by underlying in 1e-9
/// units.
#[derive(Clone, Debug, Default)]
pub struct Cushion {
    marked_atoms: i128,
    due_atoms: i128,
    stale_low_ppm: i128,
    funded_lots: Vec<(u32, i64)>,
    most: Most,
    gross_nanos: Vec<(u32, i128)>,
}

/// What orders reserve, losses as those of a `Weight`, and how many positions nothing bounds.
#[derive(Clone, Copy, Debug, Default)]
struct Most {
    reserve_atoms: i128,
    scenario_atoms: i128,
    naked_atoms: i128,
    unbounded: i64,
}

impl Sums for Cushion {
    type Known = Weights;

    fn add<S: Store>(&mut self, world: &World<S>, known: &mut Weights, holding: &Holding) -> u64 {
        let weight = known.of(world, holding.instrument);
        self.count(weight, holding, 1);
        weight.steady_until_ns
    }

    fn take_out<S: Store>(
        &mut self,
        world: &World<S>,
        known: &mut Weights,
        _place: usize,
        holding: &Holding,
    ) {
        self.count(known.of(world, holding.instrument), holding, -1);
    }

    #[inline]
    fn replace<S: Store>(
        &mut self,
        world: &World<S>,
        known: &mut Weights,
        _place: usize,
        before: &Holding,
        after: &Holding,
    ) -> u64 {
        if (before.instrument, before.exposure.lots, before.fixed_atoms)
            != (after.instrument, after.exposure.lots, after.fixed_atoms)
        {
            self.count(known.of(world, before.instrument), before, -1);
            return self.add(world, known, after);
        }
        let weight = known.of(world, after.instrument);
        let (before, after) = (before.exposure, after.exposure);
        self.most.reserve_atoms += after.reserve_atoms - before.reserve_atoms;
        let positions = before.is_empty() as i64 - after.is_empty() as i64;
        self.count_gross(weight, after.gross_lots() - before.gross_lots(), positions);
        weight.steady_until_ns
    }
}

/// Return the lots by which a change to orders could make a position grow.
///
/// Lots of orders that go are not counted: of the others comes no more than before.
fn grown_lots(change: &Change) -> i64 {
    change.exposure.buys.max(0) + change.exposure.sells.max(0)
}

impl Cushion {
    fn count(&mut self, weight: &Weight, holding: &Holding, sign: i64) {
        let Holding { instrument, exposure, fixed_atoms, paid_atoms } = *holding;
        let (lots, signed) =
            (sign * exposure.lots, |atoms: i128| if sign > 0 { atoms } else { -atoms });
        self.most.reserve_atoms += signed(exposure.reserve_atoms);
        self.marked_atoms += signed(fixed_atoms) + lots as i128 * weight.mark_atoms as i128;
        self.due_atoms += signed(paid_atoms);
        if weight.is_settled {
            let value_atoms = lots as i128 * weight.mark_atoms as i128;
            self.due_atoms += signed(fixed_atoms - paid_atoms) + value_atoms;
        }
        if lots != 0 {
            let low_ppm = if exposure.lots > 0 { weight.low_ppm } else { weight.high_ppm };
            self.stale_low_ppm += times(low_ppm, lots);
            if weight.is_perpetual {
                *entry(&mut self.funded_lots, instrument) += lots;
            }
        }
        let positions = sign * !exposure.is_empty() as i64;
        self.count_gross(weight, sign * exposure.gross_lots(), positions);
    }

    /// Add lots, either way, of positions that are not empty; less of either if below 0.
    #[inline(always)]
    fn count_gross(&mut self, weight: &Weight, gross_lots: i64, positions: i64) {
        if gross_lots == 0 {
            return;
        }
        let counted = |each: i64| gross_lots as i128 * each as i128;
        self.most.scenario_atoms += counted(weight.scenario_atoms);
        self.most.naked_atoms += counted(weight.naked_atoms);
        self.count_nanos(weight, gross_lots);
        self.most.unbounded += positions * !weight.is_bounded as i64;
    }

    #[inline]
    fn count_nanos(&mut self, weight: &Weight, gross_lots: i64) {
        let nanos = gross_lots as i128 * weight.unit_nanos as i128;
        *entry(&mut self.gross_nanos, weight.underlying) += nanos;
    }

    /// Return what positions are worth at their marks, and how far below, in 1e-6 atoms, they may
    /// be.
    pub fn worth<S: Store>(&self, world: &World<S>) -> (i128, i128) {
        (self.marked_atoms - self.funded_atoms(world), self.stale_low_ppm)
    }

    /// Return what settling positions and their funding would add to cash.
    pub fn due<S: Store>(&self, world: &World<S>) -> i128 {
        self.due_atoms - self.funded_atoms(world)
    }

    /// Return the funding of perpetuals up to now, paid or not.
    fn funded_atoms<S: Store>(&self, world: &World<S>) -> i128 {
        let funded_of = |(slot, lots): &(u32, i64)| {
            *lots as i128 * world.instrument(*slot, instrument::FUNDING_INDEX) as i128
        };
        self.funded_lots.iter().map(funded_of).sum()
    }

    /// Return whether equity, every stale leg at its worst, covers all that initial margin could
    /// ask for with changes to orders; not if that takes more than products to tell.
    #[inline]
    pub fn surely_covers<S: Store>(
        &mut self,
        world: &World<S>,
        known: &mut Weights,
        account: u32,
        changes: &[Change],
    ) -> bool {
        if mode_of(world, account) != MarginMode::Portfolio
            || collateral::has_tokens(world, account)
        {
            return false;
        }
        let before = self.most;
        for change in changes {
            self.most.reserve_atoms += change.exposure.reserve_atoms;
            self.count_gross(known.of(world, change.instrument), grown_lots(change), 1);
        }
        let is_covered = self.is_covered(world, account);
        self.most = before;
        for change in changes {
            let weight = known.of_now(change.instrument);
            self.count_nanos(weight, -grown_lots(change));
        }
        is_covered
    }

    /// Return whether equity covers the bound, in the same order of terms as initial margin.
    fn is_covered<S: Store>(&self, world: &World<S>, account: u32) -> bool {
        let parameter = |field| world.parameters(PARAMETERS_SLOT, field) as i128;
        let tolerance_ppm = world.parameters(PARAMETERS_SLOT, parameters::SPREAD_TOLERANCE_PPM);
        let is_disputed = |&(number, _): &(u32, i128)| {
            world.underlying(number, underlying::INDEX_SPREAD_PPM) > tolerance_ppm
        };
        if self.most.unbounded > 0 || self.gross_nanos.iter().any(is_disputed) {
            return false;
        }
        let (value_atoms, low_ppm) = self.worth(world);
        let secured_atoms = cash_atoms(world, account) + value_atoms + floor_div(low_ppm, ONE_PPM);
        let charges_atoms = self.concentration_up(world, account) as i128 + self.most.reserve_atoms;
        let spare_atoms = secured_atoms - charges_atoms - ROUNDING_ATOMS;
        let asked = (i64::try_from(self.most.scenario_atoms), i64::try_from(self.most.naked_atoms));
        let (Ok(spare_atoms), (Ok(scenario_atoms), Ok(naked_atoms))) =
            (i64::try_from(spare_atoms), asked)
        else {
            return false;
        };
        let asked_ppm = scenario_atoms as i128 * parameter(parameters::INITIAL_FACTOR_PPM)
            + naked_atoms as i128 * parameter(parameters::NAKED_INITIAL_PPM);
        spare_atoms as i128 * ONE_PPM >= asked_ppm
    }

    /// Return at least what the owner's size is charged to the account: the account's own counts
    /// twice. Rounds up.
    fn concentration_up<S: Store>(&self, world: &World<S>, account: u32) -> u128 {
        let charge_of = |&(number, nanos): &(u32, i128)| {
            let owned_nanos = || owners::gross_nanos(world, account, number).max(0) as u128;
            add_ons::charge_up(world, number, nanos as u128, owned_nanos)
        };
        self.gross_nanos.iter().map(charge_of).sum()
    }
}
