//! Adding up: lots times lanes, by underlying and by expiry.

use proofbook_kernel::prices::COLUMNS;

use crate::holdings::Holding;
use crate::lanes::{
    BASIS, COLUMN_LANES, Lanes, Lot, SKEW_ABSOLUTE, SKEW_LINEAR, SLOPE_DOWN, SLOPE_UP, VALUE,
    VECTOR,
};
use crate::vectors::{Floats, Integers, Vector};
#[cfg(target_arch = "x86_64")]
use crate::wide;

/// Bounds of a sum below which all sums are exact in floating point: a quarter of 2^53, because
/// shifts and naked losses are sums over up to three lanes.
const EXACT_BELOW: u128 = 1 << 51;

/// A number in which sums over positions are judged.
pub trait Sum: Copy + Default {
    /// Add another sum.
    fn join(&mut self, other: Self);
    fn opposite(self) -> Self;
    fn magnitude(self) -> Self;
    fn larger(self, other: Self) -> Self;
    fn smaller(self, other: Self) -> Self;
    /// Return the sum, exactly.
    fn atoms(self) -> i128;
}

impl Sum for f64 {
    #[inline(always)]
    fn join(&mut self, other: f64) {
        *self += other;
    }

    #[inline(always)]
    fn opposite(self) -> f64 {
        -self
    }

    #[inline(always)]
    fn magnitude(self) -> f64 {
        self.abs()
    }

    #[inline(always)]
    fn larger(self, other: f64) -> f64 {
        if other > self { other } else { self }
    }

    #[inline(always)]
    fn smaller(self, other: f64) -> f64 {
        if other < self { other } else { self }
    }

    #[inline(always)]
    fn atoms(self) -> i128 {
        self as i64 as i128
    }
}

impl Sum for i128 {
    fn join(&mut self, other: i128) {
        *self += other;
    }

    fn opposite(self) -> i128 {
        -self
    }

    fn magnitude(self) -> i128 {
        self.abs()
    }

    fn larger(self, other: i128) -> i128 {
        self.max(other)
    }

    fn smaller(self, other: i128) -> i128 {
        self.min(other)
    }

    fn atoms(self) -> i128 {
        self
    }
}

/// What a portfolio comes to, in atoms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums<N> {
    /// At marks.
    pub value: N,
    /// The loss in the worst column of each underlying.
    pub column_loss: N,
    /// Skew and basis of each expiry.
    pub shifts: N,
    /// What each expiry loses beyond all scenarios.
    pub naked: N,
    /// The columns by underlying.
    pub columns: Vec<(u32, [N; COLUMNS])>,
}

impl<N: Sum> Sums<N> {
    #[inline(always)]
    fn add_expiry(&mut self, lanes: &[N; VECTOR]) {
        let skews = lanes[SKEW_LINEAR].magnitude().larger(lanes[SKEW_ABSOLUTE].magnitude());
        self.value.join(lanes[VALUE]);
        self.shifts.join(skews);
        self.shifts.join(lanes[BASIS].magnitude());
        self.naked.join(lanes[SLOPE_UP].opposite().larger(N::default()));
        self.naked.join(lanes[SLOPE_DOWN].opposite().larger(N::default()));
    }

    #[inline(always)]
    fn add_columns(&mut self, underlying: u32, columns: &[N], is_kept: bool) {
        let worst = columns.iter().fold(N::default(), |worst, &each| worst.smaller(each));
        self.column_loss.join(worst.opposite());
        if is_kept {
            let columns = columns.first_chunk().expect("lanes are columns filled up");
            self.columns.push((underlying, *columns));
        }
    }

    fn in_atoms(self) -> Sums<i128> {
        Sums {
            value: self.value.atoms(),
            column_loss: self.column_loss.atoms(),
            shifts: self.shifts.atoms(),
            naked: self.naked.atoms(),
            columns: self.columns.iter().map(|(n, each)| (*n, each.map(N::atoms))).collect(),
        }
    }
}

/// Add up positions that lie side by side by underlying and expiry; keep the columns if asked.
///
/// In floating point as long as that is exact, otherwise in wide integers: the sums are the same.
pub fn add_up(holding: &Holding, lanes: &Lanes, keeps_columns: bool) -> Sums<i128> {
    if holding.gross_lots.saturating_mul(lanes.largest as u128) >= EXACT_BELOW {
        return add_up_in::<Integers>(holding, &lanes.integers, keeps_columns);
    }
    let table = &lanes.floats;
    #[cfg(target_arch = "x86_64")]
    if let Some(sums) = wide::add_up(holding, table, keeps_columns) {
        return sums.in_atoms();
    }
    add_up_in::<Floats>(holding, table, keeps_columns).in_atoms()
}

#[inline(always)]
pub(crate) fn add_up_in<V: Vector>(
    holding: &Holding,
    table: &[Lot<V::Lane>],
    keeps_columns: bool,
) -> Sums<V::Sum> {
    let (mut sums, mut first) = (Sums::default(), 0);
    let mut columns = [V::zero(); COLUMN_LANES / VECTOR];
    for run in &holding.runs {
        let mut by_expiry = V::zero();
        for position in &holding.positions[first..run.end] {
            let lot = &table[position.instrument as usize];
            for (sum, lanes) in columns.iter_mut().zip(&lot.columns) {
                *sum = sum.add(position.lots, lanes);
            }
            by_expiry = by_expiry.add(position.lots, &lot.by_expiry);
        }
        sums.add_expiry(&by_expiry.sums());
        if run.is_last {
            sums.add_columns(run.underlying, columns.map(V::sums).as_flattened(), keeps_columns);
            columns = [V::zero(); COLUMN_LANES / VECTOR];
        }
        first = run.end;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holdings::Held;
    use crate::lanes::Place;

    const INSTRUMENTS: usize = 24;

    /// Return numbers from all over a range, the same in every run.
    fn numbers(range: i64) -> impl FnMut() -> i64 {
        let mut state = 1_u64;
        move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 1) as i64 % range
        }
    }

    fn table(range: i64) -> Lanes {
        let mut next = numbers(range);
        let integers = (0..INSTRUMENTS).map(|_| Lot {
            columns: core::array::from_fn(|_| core::array::from_fn(|_| next())),
            by_expiry: core::array::from_fn(|_| next()),
        });
        let integers = integers.collect();
        let places = (0..INSTRUMENTS as u32)
            .map(|slot| Place { underlying: slot / 12, expiry: slot / 4 })
            .collect();
        Lanes::side_by_side(integers, places)
    }

    fn holding(range: i64, lanes: &Lanes) -> Holding {
        let mut next = numbers(range);
        let held = (0..INSTRUMENTS as u32).map(|instrument| Held { instrument, lots: next() });
        Holding::of(held.collect(), lanes)
    }

    #[test]
    fn floating_point_gives_the_sums_of_integers_while_it_is_used() {
        for (lots, lanes) in [(1_000, 1 << 30), (1 << 20, 1 << 24), (1 << 33, 1 << 11)] {
            let lanes = table(lanes);
            let holding = holding(lots, &lanes);
            assert!(holding.gross_lots * (lanes.largest as u128) < EXACT_BELOW, "the fast path");
            let exact = add_up_in::<Integers>(&holding, &lanes.integers, true);
            assert_eq!(add_up(&holding, &lanes, true), exact, "with the widest vectors");
            let plain = add_up_in::<Floats>(&holding, &lanes.floats, true).in_atoms();
            assert_eq!(plain, exact, "without");
            #[cfg(target_arch = "x86_64")]
            for sums in wide::all(&holding, &lanes.floats, true) {
                assert_eq!(sums.in_atoms(), exact, "with vectors of every width");
            }
        }
    }

    #[test]
    fn what_floating_point_cannot_hold_is_added_up_in_integers() {
        let lanes = table(1 << 50);
        let holding = holding(1 << 40, &lanes);
        let first = |held: &Held| lanes.integers[held.instrument as usize].by_expiry[VALUE] as i128;
        let value = holding.positions.iter().map(|held| held.lots as i128 * first(held)).sum();
        assert_eq!(add_up(&holding, &lanes, false).value, value, "beyond 2^63");
    }
}
