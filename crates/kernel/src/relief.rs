//! Relief: by how much maintenance margin falls when a part of what is held is closed.

use alloc::vec::Vec;

use crate::add_ons;
use crate::exposure::{Change, Exposure};
use crate::limits::{FRACTION_ONE_PPM, MarginMode};
use crate::portfolio::Portfolio;
use crate::prices::unit_nanos;
use crate::records::instrument;
use crate::scenario_margin::{Terms, Totals, UnderlyingTotals};
use crate::standard_margin::{Positions, Replacement};
use crate::store::Store;
use crate::world::World;

/// What the positions of an account need, and what they would need with other lots.
///
/// Positions without orders add up. A change costs what its own instrument has in it, and not what
/// all that is held has; `next` is where in the portfolio the next instrument is likely to be.
#[derive(Clone, Debug)]
pub struct Relief<'a> {
    pub required_atoms: i128,
    held: &'a Portfolio,
    terms: Terms,
    standard: Option<Positions>,
    concentration_atoms: u128,
    next: usize,
}

impl<'a> Relief<'a> {
    /// Begin with a portfolio of positions alone: its totals are those of maintenance margin.
    pub fn new<S: Store>(world: &World<S>, held: &'a Portfolio) -> Self {
        let is_standard = held.mode == MarginMode::Standard;
        let mut standard = is_standard.then(|| Positions::of(world, held));
        let terms = Terms::of(world, &held.totals, FRACTION_ONE_PPM as u128);
        let positions_atoms = match &mut standard {
            None => terms.maintenance_up(world),
            Some(positions) => positions.maintenance_with(world, &[]),
        };
        let concentration_atoms = add_ons::concentration_up(world, held, &held.totals);
        let required_atoms = (positions_atoms + concentration_atoms) as i128;
        Self { required_atoms, held, terms, standard, concentration_atoms, next: 0 }
    }

    /// Return by how much the requirement falls when lots that are held are traded at their marks,
    /// one change for an instrument; below 0 if it rises.
    pub fn of<S: Store>(&mut self, world: &World<S>, changes: &[Change]) -> i128 {
        let replacement_of = |change: &Change| {
            let lots_before = self.lots_of(change.instrument);
            let lots_after = lots_before + change.exposure.lots;
            Replacement { instrument: change.instrument, lots_before, lots_after }
        };
        let replacements: Vec<Replacement> = changes.iter().map(replacement_of).collect();
        let added = totals_of(world, &replacements);
        let concentration_atoms = self.concentration_with(world, &added);
        let positions_atoms = match &mut self.standard {
            None => scenarios_with(world, self.terms.clone(), self.held, &added),
            Some(positions) => positions.maintenance_with(world, &replacements),
        };
        self.required_atoms - (positions_atoms + concentration_atoms) as i128
    }

    /// Return what is held of an instrument.
    fn lots_of(&mut self, slot: u32) -> i64 {
        let exposures = &self.held.exposures;
        let (before, after) = exposures.split_at(self.next.min(exposures.len()));
        let mut places = (self.next..).zip(after).chain((0..).zip(before));
        let found = places.find(|(_, (other, _))| *other == slot);
        let (place, (_, exposure)) = found.expect("only what is held is closed");
        self.next = place + 1;
        exposure.lots
    }

    /// Return what size is charged with these totals added.
    fn concentration_with<S: Store>(&self, world: &World<S>, added: &Totals) -> u128 {
        let mut charged_atoms = self.concentration_atoms;
        for change in &added.underlyings {
            let held_nanos = self.held.totals.of(change.number).map_or(0, |held| held.gross_nanos);
            let others_nanos = add_ons::others_nanos(world, self.held, change.number);
            let charge_up =
                |nanos| add_ons::charge_up(world, change.number, nanos as u128, others_nanos);
            charged_atoms -= charge_up(held_nanos);
            charged_atoms += charge_up(held_nanos + change.gross_nanos);
        }
        charged_atoms
    }
}

/// Return what changes add to totals: size only by as much as there is more of it.
fn totals_of<S: Store>(world: &World<S>, replacements: &[Replacement]) -> Totals {
    let mut totals = Totals::default();
    for &Replacement { instrument: slot, lots_before, lots_after } in replacements {
        let lots = lots_after - lots_before;
        totals.add(world, slot, Exposure::of_lots(lots));
        let grown_lots = lots_after.abs() - lots_before.abs() - lots.abs();
        let underlying = totals.underlying(world.instrument(slot, instrument::UNDERLYING));
        underlying.gross_nanos += grown_lots as i128 * unit_nanos(world, slot) as i128;
    }
    totals
}

/// Return what scenarios ask for with these totals added to what is held.
fn scenarios_with<S: Store>(
    world: &World<S>,
    mut terms: Terms,
    held: &Portfolio,
    added: &Totals,
) -> u128 {
    for change in &added.underlyings {
        let nothing = UnderlyingTotals::new(change.number);
        terms.change(world, held.totals.of(change.number).unwrap_or(&nothing), change);
    }
    terms.maintenance_up(world)
}
