//! Adding up: lots times lanes, by underlying and by expiry.

use proofbook_kernel::prices::COLUMNS;

use crate::holdings::{Held, Holding};
use crate::lanes::{
    BASIS, COLUMN_LANES, EXPIRY_LANES, Lanes, Lot, SKEW_ABSOLUTE, SKEW_LINEAR, SLOPE_DOWN,
    SLOPE_UP, VALUE, VECTOR,
};

/// Bounds of a sum below which all sums are exact in floating point: a quarter of 2^53, because
/// shifts and naked losses are sums over up to three lanes.
const EXACT_BELOW: u128 = 1 << 51;

/// A number in which lanes are added up.
pub trait Sum: Copy + Default {
    type Lane: Copy;
    /// Return the table of lots in this number.
    fn table(lanes: &Lanes) -> &[Lot<Self::Lane>];
    /// Return lots as a factor.
    fn factor(lots: i64) -> Self;
    /// Add lots times a lane.
    fn add(&mut self, lots: Self, lane: Self::Lane);
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
    type Lane = f64;

    fn table(lanes: &Lanes) -> &[Lot<f64>] {
        &lanes.floats
    }

    #[inline(always)]
    fn factor(lots: i64) -> Self {
        lots as f64
    }

    #[inline(always)]
    fn add(&mut self, lots: f64, lane: f64) {
        *self += lots * lane;
    }

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
    type Lane = i64;

    fn table(lanes: &Lanes) -> &[Lot<i64>] {
        &lanes.integers
    }

    fn factor(lots: i64) -> Self {
        lots as i128
    }

    fn add(&mut self, lots: i128, lane: i64) {
        *self += lots * lane as i128;
    }

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
    fn add_expiry(&mut self, lanes: &[N; EXPIRY_LANES]) {
        let skews = lanes[SKEW_LINEAR].magnitude().larger(lanes[SKEW_ABSOLUTE].magnitude());
        self.value.join(lanes[VALUE]);
        self.shifts.join(skews);
        self.shifts.join(lanes[BASIS].magnitude());
        self.naked.join(lanes[SLOPE_UP].opposite().larger(N::default()));
        self.naked.join(lanes[SLOPE_DOWN].opposite().larger(N::default()));
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
    let held = &holding.positions;
    if holding.gross_lots.saturating_mul(lanes.largest as u128) >= EXACT_BELOW {
        return add_up_in::<i128>(held, lanes, keeps_columns);
    }
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has just said that it has these instructions.
        #[allow(unsafe_code)]
        return unsafe { add_up_wide(held, lanes, keeps_columns) }.in_atoms();
    }
    add_up_in::<f64>(held, lanes, keeps_columns).in_atoms()
}

/// Add up in floating point, compiled for vectors of four.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn add_up_wide(held: &[Held], lanes: &Lanes, keeps_columns: bool) -> Sums<f64> {
    add_up_in::<f64>(held, lanes, keeps_columns)
}

#[inline(always)]
fn add_up_in<N: Sum>(held: &[Held], lanes: &Lanes, keeps_columns: bool) -> Sums<N> {
    let place_of = |position: &Held| lanes.places[position.instrument as usize];
    let (table, mut sums) = (N::table(lanes), Sums::<N>::default());
    for of_underlying in held.chunk_by(|a, b| place_of(a).underlying == place_of(b).underlying) {
        for of_expiry in of_underlying.chunk_by(|a, b| place_of(a) == place_of(b)) {
            sums.add_expiry(&add_lanes(of_expiry, table, COLUMN_LANES));
        }
        let columns: [N; COLUMN_LANES] = add_lanes(of_underlying, table, 0);
        let worst = columns.iter().fold(N::default(), |worst, &each| worst.smaller(each));
        sums.column_loss.join(worst.opposite());
        if keeps_columns {
            let columns = columns.first_chunk().expect("lanes are columns filled up");
            sums.columns.push((place_of(&of_underlying[0]).underlying, *columns));
        }
    }
    sums
}

/// Return so many lanes from `first` on, added up over positions, a vector at a time.
#[inline(always)]
fn add_lanes<N: Sum, const WIDTH: usize>(
    held: &[Held],
    table: &[Lot<N::Lane>],
    first: usize,
) -> [N; WIDTH] {
    let mut sums = [N::default(); WIDTH];
    for position in held {
        let lots = N::factor(position.lots);
        let lot = &table[position.instrument as usize];
        let lanes: &[N::Lane; WIDTH] = lot[first..].first_chunk().expect("so many lanes");
        let vectors = sums.as_chunks_mut::<VECTOR>().0.iter_mut();
        for (sums, lanes) in vectors.zip(lanes.as_chunks::<VECTOR>().0) {
            for index in 0..VECTOR {
                sums[index].add(lots, lanes[index]);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::{LANES, Place};

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
        let integers = (0..INSTRUMENTS).map(|_| core::array::from_fn(|_| next())).collect();
        let places = (0..INSTRUMENTS as u32)
            .map(|slot| Place { underlying: slot / 12, expiry: slot / 4 })
            .collect();
        Lanes::side_by_side(integers, places)
    }

    fn holding(range: i64) -> Holding {
        let mut next = numbers(range);
        let held = (0..INSTRUMENTS as u32).map(|instrument| Held { instrument, lots: next() });
        Holding::of(held.collect())
    }

    #[test]
    fn floating_point_gives_the_sums_of_integers_while_it_is_used() {
        for (lots, lanes) in [(1_000, 1 << 30), (1 << 20, 1 << 24), (1 << 33, 1 << 11)] {
            let (holding, lanes) = (holding(lots), table(lanes));
            assert!(holding.gross_lots * (lanes.largest as u128) < EXACT_BELOW, "the fast path");
            let exact = add_up_in::<i128>(&holding.positions, &lanes, true);
            assert_eq!(add_up(&holding, &lanes, true), exact, "with the processor's vectors");
            let plain = add_up_in::<f64>(&holding.positions, &lanes, true).in_atoms();
            assert_eq!(plain, exact, "without");
        }
    }

    #[test]
    fn what_floating_point_cannot_hold_is_added_up_in_integers() {
        let (holding, lanes) = (holding(1 << 40), table(1 << 50));
        let first = |held: &Held| lanes.integers[held.instrument as usize][COLUMN_LANES] as i128;
        let value = holding.positions.iter().map(|held| held.lots as i128 * first(held)).sum();
        assert_eq!(add_up(&holding, &lanes, false).value, value, "beyond 2^63");
        assert_eq!(LANES % VECTOR, 0, "whole vectors");
    }
}
