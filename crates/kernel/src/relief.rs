//! Relief: by how much maintenance margin falls when a part of what is held is closed.

use crate::exposure::Exposure;
use crate::portfolio::Portfolio;
use crate::scenario_margin::{Totals, maintenance_up};
use crate::store::Store;
use crate::world::World;

/// What the positions of an account need, and what they would need with other lots.
#[derive(Clone, Debug)]
pub struct Relief {
    pub required_atoms: i128,
    totals: Totals,
}

impl Relief {
    /// Begin with a portfolio of positions alone: its totals are those of maintenance margin.
    pub fn new<S: Store>(world: &World<S>, held: &Portfolio) -> Self {
        let totals = held.totals.clone();
        Self { required_atoms: maintenance_up(world, &totals) as i128, totals }
    }

    /// Return by how much the requirement falls when signed lots are traded at their mark; below 0
    /// if it rises.
    ///
    /// What the lots add to the totals is taken out again: each leg costs its own columns, and not
    /// those of all legs.
    pub fn of<S: Store>(&mut self, world: &World<S>, instrument: u32, lots: i64) -> i128 {
        self.totals.add(world, instrument, Exposure::of_lots(lots));
        let after_atoms = maintenance_up(world, &self.totals) as i128;
        self.totals.take_out(world, instrument, Exposure::of_lots(lots));
        self.required_atoms - after_atoms
    }
}
