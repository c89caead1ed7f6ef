//! Relief: by how much maintenance margin falls when a part of what is held is closed.

use crate::exposure::{Change, Exposure};
use crate::margin::maintenance_of;
use crate::portfolio::Portfolio;
use crate::store::Store;
use crate::world::World;

/// What the positions of an account need, and what they would need with other lots.
#[derive(Clone, Debug)]
pub struct Relief {
    pub required_atoms: i128,
    held: Portfolio,
}

impl Relief {
    /// Begin with a portfolio of positions alone: its totals are those of maintenance margin.
    pub fn new<S: Store>(world: &World<S>, held: &Portfolio) -> Self {
        let required_atoms = maintenance_of(world, held, &held.totals);
        Self { required_atoms, held: held.clone() }
    }

    /// Return by how much the requirement falls when lots are traded at their marks; below 0 if it
    /// rises.
    ///
    /// What they change is changed back again: each leg costs its own columns, and not those of all
    /// legs.
    pub fn of<S: Store>(&mut self, world: &World<S>, changes: &[Change]) -> i128 {
        for change in changes {
            self.held.apply(world, change);
        }
        let after_atoms = maintenance_of(world, &self.held, &self.held.totals);
        for change in changes {
            let exposure = Exposure::of_lots(-change.exposure.lots);
            self.held.apply(world, &Change { exposure, ..*change });
        }
        self.required_atoms - after_atoms
    }
}
