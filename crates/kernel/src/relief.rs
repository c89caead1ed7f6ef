//! Relief: by how much maintenance margin falls when a part of what is held is closed.
//!
//! Liquidations and auctions are measured by it: a step that relieves nothing helps nobody.

use alloc::vec;
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
        let (scenarios_atoms, concentration_atoms) = self.required_with(world, &replacements);
        let positions_atoms = match &mut self.standard {
            None => scenarios_atoms,
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

    /// Return what scenarios ask for with other lots, and what size is charged.
    fn required_with<S: Store>(
        &self,
        world: &World<S>,
        replacements: &[Replacement],
    ) -> (u128, u128) {
        let (mut terms, mut concentration_atoms) = (self.terms.clone(), self.concentration_atoms);
        let mut changed = Totals::default();
        for (place, each) in replacements.iter().enumerate() {
            let slot = each.instrument;
            let number = world.instrument(slot, instrument::UNDERLYING);
            let held = changed.of(number).or(self.held.totals.of(number));
            let before = held.expect("what is held is in the totals");
            terms.change(world, before, slot, each.lots_after - each.lots_before);
            let grown_lots = each.lots_after.abs() - each.lots_before.abs();
            let grown_nanos = grown_lots as i128 * unit_nanos(world, slot) as i128;
            let others_nanos = add_ons::others_nanos(world, self.held, number);
            let charge_up =
                |nanos| add_ons::charge_up(world, number, nanos as u128, || others_nanos);
            concentration_atoms -= charge_up(before.gross_nanos);
            concentration_atoms += charge_up(before.gross_nanos + grown_nanos);
            if place + 1 < replacements.len() {
                let after = after(world, before.clone(), each, grown_nanos);
                *changed.underlying(number) = after;
            }
        }
        (terms.maintenance_up(world), concentration_atoms)
    }
}

/// Return what there is of an underlying with other lots of an instrument, and more of its size.
fn after<S: Store>(
    world: &World<S>,
    before: UnderlyingTotals,
    replacement: &Replacement,
    grown_nanos: i128,
) -> UnderlyingTotals {
    let (number, gross_nanos) = (before.number, before.gross_nanos + grown_nanos);
    let mut totals = Totals { underlyings: vec![before] };
    let lots = replacement.lots_after - replacement.lots_before;
    totals.add(world, replacement.instrument, Exposure::of_lots(lots));
    let after = totals.underlying(number);
    after.gross_nanos = gross_nanos;
    after.clone()
}
