//! What prices and marks of an instrument are worth, by themselves or as the sum of legs.

use crate::limits::{COMBO_PRICE_OFFSET_TICKS, CORE_COLUMNS, InstrumentKind, LEGS_MAX};
use crate::positions;
use crate::records::{instrument, risk_array};
use crate::store::Store;
use crate::world::World;

/// A leg of a combo, by its slot, and how many lots of it one lot of the combo is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub instrument: u32,
    pub ratio: i64,
}

/// The legs of a combo; none of any other instrument.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts {
    rows: [Part; LEGS_MAX as usize],
    count: usize,
}

impl Parts {
    /// Return the legs in order.
    pub fn iter(&self) -> impl Iterator<Item = Part> {
        self.rows.into_iter().take(self.count)
    }

    /// Return how many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Return whether the instrument is no combo.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Add one; there are not too many.
    pub fn push(&mut self, part: Part) {
        self.rows[self.count] = part;
        self.count += 1;
    }
}

/// Return whether the instrument is a combo.
#[inline]
pub fn is_combo<S: Store>(world: &World<S>, slot: u32) -> bool {
    world.instrument(slot, instrument::KIND) == InstrumentKind::Combo as u8
}

/// Return the legs of a combo, each with its ratio; of any other instrument none.
#[inline]
pub fn legs_of<S: Store>(world: &World<S>, slot: u32) -> Parts {
    let mut parts = Parts::default();
    for place in 0..world.instrument(slot, instrument::LEGS_COUNT) as u32 {
        parts.push(Part {
            instrument: world.instrument(slot, instrument::LEGS.item(place)),
            ratio: world.instrument(slot, instrument::RATIOS.item(place)),
        });
    }
    parts
}

/// Return what one lot costs at a price, in atoms; a combo may cost less than nothing.
#[inline]
pub fn value_per_lot<S: Store>(world: &World<S>, slot: u32, price_ticks: u32) -> i128 {
    let offset = if is_combo(world, slot) { COMBO_PRICE_OFFSET_TICKS as i128 } else { 0 };
    (price_ticks as i128 - offset) * world.instrument(slot, instrument::TICK_VALUE_ATOMS) as i128
}

/// Return what a lot at a price counts for, in atoms.
///
/// A combo counts for at least what its legs are worth, each by itself: its price may be nothing.
pub fn gross_per_lot<S: Store>(world: &World<S>, slot: u32, price_ticks: u32) -> u128 {
    let marked = |leg: Part| {
        let mark = positions::mark_atoms(world, leg.instrument);
        leg.ratio.unsigned_abs() as u128 * mark.unsigned_abs() as u128
    };
    let marked_atoms = legs_of(world, slot).iter().map(marked).sum();
    value_per_lot(world, slot, price_ticks).unsigned_abs().max(marked_atoms)
}

/// Return whether the instrument has a mark: a combo, if all its legs have.
pub fn is_marked<S: Store>(world: &World<S>, slot: u32) -> bool {
    let has_mark = |slot| world.risk_array(slot, risk_array::MARKED_NS) > 0;
    let legs = legs_of(world, slot);
    if legs.is_empty() { has_mark(slot) } else { legs.iter().all(|leg| has_mark(leg.instrument)) }
}

/// Return the mark of a lot: of a combo, what its legs are worth now.
pub fn mark_atoms<S: Store>(world: &World<S>, slot: u32) -> i128 {
    let mark = |slot| positions::mark_atoms(world, slot) as i128;
    let legs = legs_of(world, slot);
    if legs.is_empty() {
        return mark(slot);
    }
    legs.iter().map(|leg| leg.ratio as i128 * mark(leg.instrument)).sum()
}

/// Return the profit of a lot in each scenario: of a combo, what its legs make together.
pub fn core_columns<S: Store>(world: &World<S>, slot: u32) -> [i128; CORE_COLUMNS as usize] {
    let profit =
        |slot, column: usize| world.risk_array(slot, risk_array::CORE.item(column as u32)) as i128;
    let legs = legs_of(world, slot);
    if legs.is_empty() {
        return core::array::from_fn(|column| profit(slot, column));
    }
    core::array::from_fn(|column| {
        legs.iter().map(|leg| leg.ratio as i128 * profit(leg.instrument, column)).sum()
    })
}
