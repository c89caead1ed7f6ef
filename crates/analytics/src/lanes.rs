//! What a lot of every instrument is worth, gains and loses: the risk arrays, side by side.

use proofbook_kernel::add_ons::charge_up;
use proofbook_kernel::arena::high_water;
use proofbook_kernel::limits::FRACTION_ONE_PPM;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::owners;
use proofbook_kernel::positions::is_settled;
use proofbook_kernel::prices::{COLUMNS, own_columns};
use proofbook_kernel::records::{instrument, risk_array, underlying};
use proofbook_kernel::rounding::ceil_div;
use proofbook_kernel::staleness::interval_ppm;
use proofbook_kernel::store::Store;
use proofbook_kernel::world::World;

use crate::glance::ask;
use crate::holdings::Held;

/// Lanes of a vector; whatever is added up comes in whole vectors.
pub const VECTOR: usize = 4;

/// Lanes of the columns, then those that are added up by expiry.
pub const COLUMN_LANES: usize = COLUMNS.next_multiple_of(VECTOR);
pub const EXPIRY_LANES: usize = 8;
pub const LANES: usize = COLUMN_LANES + EXPIRY_LANES;

/// What the lanes of an expiry hold; the value is the mark less the funding paid since listing.
pub const VALUE: usize = 0;
pub const SKEW_LINEAR: usize = 1;
pub const SKEW_ABSOLUTE: usize = 2;
pub const BASIS: usize = 3;
pub const SLOPE_UP: usize = 4;
pub const SLOPE_DOWN: usize = 5;

/// What a lot may be worth less and more than its mark, in 1e-6 atoms.
type Interval = (i128, i128);

/// The lanes of one lot.
pub type Lot<N> = [N; LANES];

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
    /// Empty as long as no size is charged for.
    lot_nanos: Vec<u64>,
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
        let (stale, lot_nanos) = (all_stale(store), all_lot_nanos(store));
        Self { stale, lot_nanos, ..Self::side_by_side(integers, places) }
    }

    /// Return the lanes of lots that are not stale.
    pub fn side_by_side(integers: Vec<Lot<i64>>, places: Vec<Place>) -> Self {
        Self {
            floats: integers.iter().map(|lot| lot.map(|atoms| atoms as f64)).collect(),
            largest: integers
                .as_flattened()
                .iter()
                .map(|lane| lane.unsigned_abs())
                .max()
                .unwrap_or(0),
            integers,
            places,
            stale: Vec::new(),
            lot_nanos: Vec::new(),
        }
    }

    /// Return the key by which positions are laid side by side.
    pub fn order(&self, instrument: u32) -> (Place, u32) {
        (self.places[instrument as usize], instrument)
    }

    /// Return what positions are charged for their size, with what their owner holds beside them.
    pub fn concentration_up(&self, store: &NativeStore, account: u32, held: &[Held]) -> u128 {
        if self.lot_nanos.is_empty() {
            return 0;
        }
        let underlying_of = |position: &Held| self.places[position.instrument as usize].underlying;
        let by_underlying = held.chunk_by(|a, b| underlying_of(a) == underlying_of(b));
        let charges = by_underlying.map(|held| {
            let size = |position: &Held| {
                let lot_nanos = self.lot_nanos[position.instrument as usize];
                position.lots.unsigned_abs() as u128 * lot_nanos as u128
            };
            let (nanos, underlying) = (held.iter().map(size).sum(), underlying_of(&held[0]));
            ask(store, |world| {
                let owned = owners::gross_nanos(world, account, underlying) as u128;
                charge_up(world, underlying, nanos, owned.saturating_sub(nanos))
            })
        });
        charges.sum()
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
    let mut lanes = [0; LANES];
    lanes[..COLUMNS].copy_from_slice(&own_columns(world, slot));
    let by_expiry = &mut lanes[COLUMN_LANES..];
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

fn all_lot_nanos(store: &NativeStore) -> Vec<u64> {
    let rate_of = |slot| store.get(underlying::ARENA, slot, underlying::CONCENTRATION_PPM);
    let is_charged = (1..high_water(store, underlying::ARENA)).any(|slot| rate_of(slot) > 0);
    let slots = 0..if is_charged { high_water(store, instrument::ARENA) } else { 0 };
    ask(store, |world| slots.map(|slot| size_nanos(world, slot)).collect())
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
