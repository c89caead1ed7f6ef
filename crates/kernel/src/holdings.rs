//! Holdings: what an account's positions come to together, orders with them or without.
//!
//! All of it are sums over positions, so that one can be added or taken out again by itself. What
//! is not in them moves without them: cash, tokens, and what perpetuals owe since they last paid.

use alloc::vec::Vec;

use crate::exposure::Exposure;
use crate::kept::Sums;
use crate::limits::InstrumentKind;
use crate::payoff::kind_of;
use crate::positions::{OpenOrders, mark_atoms, open_orders};
use crate::prices::unit_nanos;
use crate::records::{instrument, position};
use crate::scenario_margin::Totals;
use crate::staleness::{lots_interval_ppm, steady_until_ns};
use crate::store::Store;
use crate::views::Record;
use crate::world::World;

/// A position, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    pub instrument: u32,
    pub exposure: Exposure,
    /// What does not move with mark and funding: the entry, and the funding index at which the
    /// position paid last, times its lots.
    pub fixed_atoms: i128,
    /// The latter alone.
    pub paid_atoms: i128,
}

impl Holding {
    /// Return a position with what its live orders could add.
    pub fn whole<S: Store>(world: &World<S>, slot: u32) -> Self {
        let mut holding = Self::alone(world, slot);
        let OpenOrders { buys, sells, reserve_atoms } = open_orders(world, slot);
        holding.exposure.buys = buys as i64;
        holding.exposure.sells = sells as i64;
        holding.exposure.reserve_atoms = reserve_atoms;
        holding
    }

    /// Return a position alone.
    pub fn alone<S: Store>(world: &World<S>, slot: u32) -> Self {
        let held = world.position_record(slot);
        let lots = held.get(position::LOTS);
        let paid_index = held.get(position::FUNDING_INDEX) as i128;
        let paid_atoms = lots as i128 * paid_index;
        Self {
            instrument: held.get(position::INSTRUMENT),
            exposure: Exposure::of_lots(lots),
            fixed_atoms: held.get(position::ENTRY_ATOMS) + paid_atoms,
            paid_atoms,
        }
    }
}

/// What positions come to together.
///
/// `held_nanos` is their contract size by underlying, in 1e-9 units; what stale legs may be worth
/// below and above their marks is in 1e-6 atoms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    pub exposures: Vec<(u32, Exposure)>,
    pub reserve_atoms: i128,
    pub totals: Totals,
    pub held_nanos: Vec<(u32, i128)>,
    pub stale_low_ppm: i128,
    pub stale_high_ppm: i128,
    /// Fixed atoms, and lots at their marks.
    marked_atoms: i128,
    /// Lots of perpetuals.
    funded_lots: Vec<(u32, i64)>,
}

impl Holdings {
    /// Return what positions come to, at most one of each instrument.
    pub fn of<S: Store>(world: &World<S>, positions: impl Iterator<Item = Holding>) -> Self {
        let mut holdings = Self::default();
        for holding in positions {
            holdings.add(world, &holding);
        }
        holdings
    }

    /// Add a position in an instrument in which there is none yet, the last in `exposures`.
    pub fn add<S: Store>(&mut self, world: &World<S>, holding: &Holding) {
        self.exposures.push((holding.instrument, holding.exposure));
        self.totals.add(world, holding.instrument, holding.exposure);
        self.count(world, holding, 1);
    }

    fn count<S: Store>(&mut self, world: &World<S>, holding: &Holding, sign: i64) {
        let Holding { instrument, exposure, fixed_atoms, .. } = *holding;
        let (lots, signed) = (exposure.lots, sign as i128);
        self.reserve_atoms += signed * exposure.reserve_atoms;
        self.marked_atoms +=
            signed * (fixed_atoms + lots as i128 * mark_atoms(world, instrument) as i128);
        if lots == 0 {
            return;
        }
        let (low, high) = lots_interval_ppm(world, instrument, lots);
        self.stale_low_ppm += signed * low;
        self.stale_high_ppm += signed * high;
        let underlying = world.instrument(instrument, instrument::UNDERLYING);
        let size_nanos = lots.unsigned_abs() as i128 * unit_nanos(world, instrument) as i128;
        *entry(&mut self.held_nanos, underlying) += signed * size_nanos;
        if kind_of(world, instrument) == InstrumentKind::Perpetual {
            *entry(&mut self.funded_lots, instrument) += sign * lots;
        }
    }

    /// Return entries and lots at their marks, less the funding not paid yet.
    pub fn value_atoms<S: Store>(&self, world: &World<S>) -> i128 {
        let funded_of = |(slot, lots): &(u32, i64)| {
            *lots as i128 * world.instrument(*slot, instrument::FUNDING_INDEX) as i128
        };
        self.marked_atoms - self.funded_lots.iter().map(funded_of).sum::<i128>()
    }

    /// Return the same in order, without what comes to nothing: however it was added up.
    pub fn sorted(mut self) -> Self {
        self.exposures.sort_by_key(|(instrument, _)| *instrument);
        self.totals.sort();
        self.held_nanos.retain(|(_, nanos)| *nanos != 0);
        self.held_nanos.sort();
        self.funded_lots.retain(|(_, lots)| *lots != 0);
        self.funded_lots.sort();
        self
    }
}

impl Sums for Holdings {
    type Known = ();

    fn add<S: Store>(&mut self, world: &World<S>, _: &mut (), holding: &Holding) -> u64 {
        Self::add(self, world, holding);
        steady_until_ns(world, holding.instrument)
    }

    fn take_out<S: Store>(
        &mut self,
        world: &World<S>,
        _: &mut (),
        place: usize,
        holding: &Holding,
    ) {
        self.exposures.swap_remove(place);
        self.totals.take_out(world, holding.instrument, holding.exposure);
        self.count(world, holding, -1);
    }

    fn replace<S: Store>(
        &mut self,
        world: &World<S>,
        _: &mut (),
        place: usize,
        before: &Holding,
        after: &Holding,
    ) -> u64 {
        self.exposures[place] = (after.instrument, after.exposure);
        if before.instrument != after.instrument || before.exposure != after.exposure {
            self.totals.take_out(world, before.instrument, before.exposure);
            self.totals.add(world, after.instrument, after.exposure);
        }
        self.count(world, before, -1);
        self.count(world, after, 1);
        steady_until_ns(world, after.instrument)
    }
}

/// Return the number that belongs to a key, 0 at first, to change.
pub fn entry<N: Default>(numbers: &mut Vec<(u32, N)>, key: u32) -> &mut N {
    let found = numbers.iter().position(|(other, _)| *other == key);
    let place = found.unwrap_or_else(|| {
        numbers.push((key, N::default()));
        numbers.len() - 1
    });
    &mut numbers[place].1
}
