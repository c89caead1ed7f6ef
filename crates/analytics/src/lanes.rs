//! What a lot of every instrument is worth, gains and loses: the risk arrays, side by side.

use proofbook_kernel::add_ons::charge_up;
use proofbook_kernel::arena::{NO_SLOT, high_water};
use proofbook_kernel::limits::FRACTION_ONE_PPM;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::positions::is_settled;
use proofbook_kernel::prices::{COLUMNS, own_columns};
use proofbook_kernel::records::{instrument, risk_array, underlying};
use proofbook_kernel::rounding::ceil_div;
use proofbook_kernel::staleness::interval_ppm;
use proofbook_kernel::store::Store;
use proofbook_kernel::world::World;

use crate::holdings::{Held, Size};
use proofbook_kernel::glance::ask;

/// Lanes of the widest vector; whatever is added up comes in whole ones.
pub const VECTOR: usize = 8;

/// Lanes of the columns; those that are added up by expiry are one vector.
pub const COLUMN_LANES: usize = COLUMNS.next_multiple_of(VECTOR);

/// What the lanes of an expiry hold; the value is the mark less the funding paid since listing.
pub const VALUE: usize = 0;
pub const SKEW_LINEAR: usize = 1;
pub const SKEW_ABSOLUTE: usize = 2;
pub const BASIS: usize = 3;
pub const SLOPE_UP: usize = 4;
pub const SLOPE_DOWN: usize = 5;

/// What a lot may be worth less and more than its mark, in 1e-6 atoms.
type Interval = (i128, i128);

/// The lanes of one lot, where no vector crosses a line of the processor's cache.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Lot<N> {
    pub columns: [[N; VECTOR]; COLUMN_LANES / VECTOR],
    pub by_expiry: [N; VECTOR],
}

/// Where an instrument belongs: its underlying, and its expiry there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub underlying: u32,
    pub expiry: u32,
}

/// The risk arrays of all instruments, by slot.
#[derive(Debug, Default)]
pub struct Lanes {
    /// In floating point: sums of integers below 2^53 are exact in it, and many at a time.
    pub floats: Vec<Lot<f64>>,
    pub integers: Vec<Lot<i64>>,
    /// The largest magnitude of all.
    pub largest: u64,
    pub places: Vec<Place>,
    /// What a lot of each instrument is in a portfolio, in 1e-9 units, 0 from its final mark on.
    pub lot_nanos: Vec<u64>,
    /// By underlying, beyond which size owners are charged for it. Empty as long as none is.
    thresholds_nanos: Vec<u128>,
    /// How far below and above its mark a lot may be worth, in 1e-6 atoms. Empty as long as all are
    /// worth their marks.
    stale: Vec<Interval>,
}

impl Lanes {
    /// Read all risk arrays.
    pub fn of(store: &NativeStore) -> Self {
        let slots = || 0..high_water(store, instrument::ARENA);
        let integers = ask(store, |world| slots().map(|slot| lot(world, slot)).collect());
        let places = slots().map(|slot| place(store, slot)).collect();
        let lot_nanos = ask(store, |world| slots().map(|slot| size_nanos(world, slot)).collect());
        let (stale, thresholds_nanos) = (all_stale(store), all_thresholds_nanos(store));
        Self { lot_nanos, stale, thresholds_nanos, ..Self::side_by_side(integers, places) }
    }

    /// Return the lanes of lots that are not stale.
    pub fn side_by_side(integers: Vec<Lot<i64>>, places: Vec<Place>) -> Self {
        Self {
            floats: integers.iter().map(in_floats).collect(),
            largest: integers.iter().map(largest).max().unwrap_or(0),
            integers,
            lot_nanos: vec![0; places.len()],
            places,
            stale: Vec::new(),
            thresholds_nanos: Vec::new(),
        }
    }

    /// Return the key by which positions are laid side by side.
    pub fn order(&self, instrument: u32) -> (Place, u32) {
        (self.places[instrument as usize], instrument)
    }

    /// Return whether every instrument of other lanes is still what it was.
    pub fn continues(&self, before: &Self) -> bool {
        self.places.starts_with(&before.places) && self.lot_nanos.starts_with(&before.lot_nanos)
    }

    /// Return whether anybody is charged for his size.
    pub fn is_size_charged(&self) -> bool {
        !self.thresholds_nanos.is_empty()
    }

    /// Return what a size is charged, with what its owner holds beside it.
    pub fn concentration_up(&self, store: &NativeStore, size: &Size, owned_nanos: u128) -> u128 {
        let owner_nanos = owned_nanos.max(size.nanos);
        if owner_nanos <= self.thresholds_nanos[size.underlying as usize] {
            return 0;
        }
        let others_nanos = owner_nanos - size.nanos;
        ask(store, |world| charge_up(world, size.underlying, size.nanos, || others_nanos))
    }

    /// Return how much more than at their marks positions may be worth. Rounds up.
    pub fn stale_high_up(&self, held: &[Held]) -> i128 {
        if self.stale.is_empty() {
            return 0;
        }
        let parts = held.iter().map(|position| {
            let (low, high) = self.stale[position.instrument as usize];
            position.lots as i128 * if position.lots > 0 { high } else { low }
        });
        ceil_div(parts.sum::<i128>() as u128, FRACTION_ONE_PPM as u128) as i128
    }
}

fn lot<S: Store>(world: &World<S>, slot: u32) -> Lot<i64> {
    let mut lanes = Lot { columns: [[0; VECTOR]; COLUMN_LANES / VECTOR], by_expiry: [0; VECTOR] };
    lanes.columns.as_flattened_mut()[..COLUMNS].copy_from_slice(&own_columns(world, slot));
    let by_expiry = &mut lanes.by_expiry;
    let funded = world.instrument(slot, instrument::FUNDING_INDEX);
    by_expiry[VALUE] = world.risk_array(slot, risk_array::MARK_ATOMS) - funded;
    by_expiry[SKEW_LINEAR] = world.risk_array(slot, risk_array::SKEW_LINEAR_ATOMS);
    by_expiry[SKEW_ABSOLUTE] = world.risk_array(slot, risk_array::SKEW_ABSOLUTE_ATOMS);
    by_expiry[BASIS] = world.risk_array(slot, risk_array::BASIS_ATOMS);
    by_expiry[SLOPE_UP] = world.risk_array(slot, risk_array::SLOPE_UP_ATOMS);
    by_expiry[SLOPE_DOWN] = world.risk_array(slot, risk_array::SLOPE_DOWN_ATOMS);
    lanes
}

fn place(store: &NativeStore, slot: u32) -> Place {
    Place {
        underlying: store.get(instrument::ARENA, slot, instrument::UNDERLYING),
        expiry: store.get(instrument::ARENA, slot, instrument::EXPIRY),
    }
}

fn in_floats(lot: &Lot<i64>) -> Lot<f64> {
    let floats = |lanes: [i64; VECTOR]| lanes.map(|atoms| atoms as f64);
    Lot { columns: lot.columns.map(floats), by_expiry: floats(lot.by_expiry) }
}

fn largest(lot: &Lot<i64>) -> u64 {
    let lanes = lot.columns.as_flattened().iter().chain(&lot.by_expiry);
    lanes.map(|lane| lane.unsigned_abs()).max().unwrap_or(0)
}

fn all_thresholds_nanos(store: &NativeStore) -> Vec<u128> {
    let slots = 0..high_water(store, underlying::ARENA);
    let rate_of = |slot| store.get(underlying::ARENA, slot, underlying::CONCENTRATION_PPM);
    if !slots.clone().any(|slot| slot != NO_SLOT && rate_of(slot) > 0) {
        return Vec::new();
    }
    let threshold = |slot| store.get(underlying::ARENA, slot, underlying::CONCENTRATION_NANOS);
    slots.map(|slot| threshold(slot) as u128).collect()
}

fn size_nanos<S: Store>(world: &World<S>, slot: u32) -> u64 {
    let is_over = is_settled(world, slot);
    if is_over { 0 } else { world.instrument(slot, instrument::LOT_NANOS) }
}

fn all_stale(store: &NativeStore) -> Vec<Interval> {
    let slots = 0..high_water(store, instrument::ARENA);
    let all: Vec<Interval> =
        ask(store, |world| slots.map(|slot| interval_ppm(world, slot)).collect());
    if all.iter().any(|&interval| interval != (0, 0)) { all } else { Vec::new() }
}
