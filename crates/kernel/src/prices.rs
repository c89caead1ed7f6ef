//! Prices: what a price in ticks and a mark are worth in atoms; of a combo, what its legs are.

use alloc::vec::Vec;

use crate::field::{Array, I64};
use crate::limits::{
    COMBO_PRICE_OFFSET_TICKS, CORE_COLUMNS, InstrumentKind, LEGS_MAX, TAIL_COLUMNS,
};
use crate::payoff::NANOS_PER_UNIT;
use crate::positions;
use crate::records::{instrument, risk_array, underlying};
use crate::store::Store;
use crate::world::World;

/// Core columns of a risk array.
pub const CORE: usize = CORE_COLUMNS as usize;

/// Tail columns of a risk array.
pub const TAILS: usize = TAIL_COLUMNS as usize;

/// Columns of a risk array, core before tails.
pub const COLUMNS: usize = CORE + TAILS;

/// A leg of a combo, by its slot, and how many lots of it one lot of the combo is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub instrument: u32,
    pub ratio: i64,
}

/// The legs of a combo; none of any other instrument.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts {
    /// None as long as there is none: hardly any instrument is a combo.
    rows: Option<[Part; LEGS_MAX as usize]>,
    count: usize,
}

impl Parts {
    /// Return the legs in order.
    pub fn iter(&self) -> impl Iterator<Item = Part> {
        let rows = self.rows.as_ref();
        (0..self.count).map(move |place| rows.expect("there is one")[place])
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
        self.rows.get_or_insert_default()[self.count] = part;
        self.count += 1;
    }
}

/// Return whether the instrument is a combo.
#[inline]
pub fn is_combo<S: Store>(world: &World<S>, slot: u32) -> bool {
    world.instrument(slot, instrument::KIND) == InstrumentKind::Combo as u8
}

/// Return the legs of a combo, each with its ratio; of any other instrument none.
#[inline(always)]
pub fn legs_of<S: Store>(world: &World<S>, slot: u32) -> Parts {
    match world.instrument(slot, instrument::LEGS_COUNT) {
        0 => Parts::default(),
        count => read_legs(world, slot, count),
    }
}

#[cold]
fn read_legs<S: Store>(world: &World<S>, slot: u32, count: u8) -> Parts {
    let mut parts = Parts::default();
    for place in 0..count as u32 {
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
#[inline]
pub fn gross_per_lot<S: Store>(world: &World<S>, slot: u32, price_ticks: u32) -> u128 {
    let marked = |leg: Part| {
        let mark = positions::mark_atoms(world, leg.instrument);
        leg.ratio.unsigned_abs() as u128 * mark.unsigned_abs() as u128
    };
    let marked_atoms = legs_of(world, slot).iter().map(marked).sum();
    value_per_lot(world, slot, price_ticks).unsigned_abs().max(marked_atoms)
}

/// Return what a lot of the underlying is worth at its index, in atoms. Rounds down.
pub fn index_value_per_lot<S: Store>(world: &World<S>, slot: u32) -> u128 {
    let owner = world.instrument(slot, instrument::UNDERLYING);
    let index_atoms = world.underlying(owner, underlying::INDEX_ATOMS) as u128;
    let lot_nanos = world.instrument(slot, instrument::LOT_NANOS) as u128;
    index_atoms * lot_nanos / NANOS_PER_UNIT as u128
}

/// Return whether the instrument has a mark: a combo, if all its legs have.
#[inline]
pub fn is_marked<S: Store>(world: &World<S>, slot: u32) -> bool {
    let has_mark = |slot| world.risk_array(slot, risk_array::MARKED_NS) > 0;
    let legs = legs_of(world, slot);
    if legs.is_empty() { has_mark(slot) } else { legs.iter().all(|leg| has_mark(leg.instrument)) }
}

/// Return the mark of a lot: of a combo, what its legs are worth now.
#[inline]
pub fn mark_atoms<S: Store>(world: &World<S>, slot: u32) -> i128 {
    let mark = |slot| positions::mark_atoms(world, slot) as i128;
    let legs = legs_of(world, slot);
    if legs.is_empty() {
        return mark(slot);
    }
    legs.iter().map(|leg| leg.ratio as i128 * mark(leg.instrument)).sum()
}

/// Return the contract size of a lot in 1e-9 units: of a combo, those of its legs together.
///
/// What has its final mark has no size any more: there is nothing to be closed.
#[inline]
pub fn unit_nanos<S: Store>(world: &World<S>, slot: u32) -> u128 {
    let lot_nanos = |slot| match positions::is_settled(world, slot) {
        true => 0,
        false => world.instrument(slot, instrument::LOT_NANOS) as u128,
    };
    let legs = legs_of(world, slot);
    if legs.is_empty() {
        return lot_nanos(slot);
    }
    legs.iter().map(|leg| leg.ratio.unsigned_abs() as u128 * lot_nanos(leg.instrument)).sum()
}

/// Return the profit of a lot in each scenario, core before tails; of no combo.
#[inline(always)]
pub fn own_columns<S: Store>(world: &World<S>, slot: u32) -> [i64; COLUMNS] {
    let core: [i64; CORE] = world.store.get_all(risk_array::ARENA, slot, risk_array::CORE);
    let tails: [i64; TAILS] = world.store.get_all(risk_array::ARENA, slot, risk_array::TAILS);
    core::array::from_fn(|index| if index < CORE { core[index] } else { tails[index - CORE] })
}

/// Return the profit of a lot of a combo in each scenario: what its legs make together.
pub fn combo_columns<S: Store>(world: &World<S>, legs: &Parts) -> [i128; COLUMNS] {
    let mut columns = [0; COLUMNS];
    for leg in legs.iter() {
        for (column, profit) in columns.iter_mut().zip(own_columns(world, leg.instrument)) {
            *column += leg.ratio as i128 * profit as i128;
        }
    }
    columns
}

/// What a lot of an instrument gains, in atoms, beside the columns: in one expiry.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExpiryRow<P> {
    pub skew_linear: P,
    pub skew_absolute: P,
    pub delta: P,
    pub basis: P,
    pub slope_up: P,
    pub slope_down: P,
}

const ROW: Array<I64> = Array::new(risk_array::SKEW_LINEAR_ATOMS, ROW_ITEMS as u32);
const ROW_ITEMS: usize = 6;

const _: () = assert!(
    risk_array::SKEW_ABSOLUTE_ATOMS.0 == risk_array::SKEW_LINEAR_ATOMS.0 + 8
        && risk_array::DELTA_ATOMS.0 == risk_array::SKEW_LINEAR_ATOMS.0 + 16
        && risk_array::BASIS_ATOMS.0 == risk_array::SKEW_LINEAR_ATOMS.0 + 24
        && risk_array::SLOPE_UP_ATOMS.0 == risk_array::SKEW_LINEAR_ATOMS.0 + 32
        && risk_array::SLOPE_DOWN_ATOMS.0 == risk_array::SKEW_LINEAR_ATOMS.0 + 40
);

/// Return what a lot gains in its expiry, and which that is; of no combo.
#[inline(always)]
pub fn own_expiry_row<S: Store>(world: &World<S>, slot: u32) -> (u32, ExpiryRow<i64>) {
    let values: [i64; ROW_ITEMS] = world.store.get_all(risk_array::ARENA, slot, ROW);
    let [skew_linear, skew_absolute, delta, basis, slope_up, slope_down] = values;
    let row = ExpiryRow { skew_linear, skew_absolute, delta, basis, slope_up, slope_down };
    (world.instrument(slot, instrument::EXPIRY), row)
}

/// Return what a lot of a combo gains by expiry: a row for each expiry of its legs.
pub fn combo_expiry_rows<S: Store>(world: &World<S>, legs: &Parts) -> Vec<(u32, ExpiryRow<i128>)> {
    let mut rows: Vec<(u32, ExpiryRow<i128>)> = Vec::new();
    for leg in legs.iter() {
        let (expiry, gained) = own_expiry_row(world, leg.instrument);
        let found = rows.iter().position(|(number, _)| *number == expiry);
        let place = found.unwrap_or_else(|| {
            rows.push((expiry, ExpiryRow::default()));
            rows.len() - 1
        });
        rows[place].1.add(gained, leg.ratio as i128);
    }
    rows
}

impl ExpiryRow<i128> {
    fn add(&mut self, row: ExpiryRow<i64>, ratio: i128) {
        self.skew_linear += ratio * row.skew_linear as i128;
        self.skew_absolute += ratio * row.skew_absolute as i128;
        self.delta += ratio * row.delta as i128;
        self.basis += ratio * row.basis as i128;
        self.slope_up += ratio * row.slope_up as i128;
        self.slope_down += ratio * row.slope_down as i128;
    }
}
