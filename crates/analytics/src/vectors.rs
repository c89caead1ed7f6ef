//! Vectors in which lanes are added up, several at a time.

use crate::lanes::VECTOR;
use crate::sums::Sum;

/// So many sums, side by side.
pub trait Vector: Copy {
    type Lane: Copy;
    type Sum: Sum;
    /// Return the sums of nothing.
    fn zero() -> Self;
    /// Return the sums with lots times lanes added.
    fn add(self, lots: i64, lanes: &[Self::Lane; VECTOR]) -> Self;
    /// Return the sums one by one.
    fn sums(self) -> [Self::Sum; VECTOR];
}

/// In floating point, on any processor.
#[derive(Clone, Copy)]
pub struct Floats([f64; VECTOR]);

impl Vector for Floats {
    type Lane = f64;
    type Sum = f64;

    fn zero() -> Self {
        Self([0.0; VECTOR])
    }

    fn add(mut self, lots: i64, lanes: &[f64; VECTOR]) -> Self {
        for (sum, lane) in self.0.iter_mut().zip(lanes) {
            *sum += lots as f64 * lane;
        }
        self
    }

    fn sums(self) -> [f64; VECTOR] {
        self.0
    }
}

/// In integers that hold any sum.
#[derive(Clone, Copy)]
pub struct Integers([i128; VECTOR]);

impl Vector for Integers {
    type Lane = i64;
    type Sum = i128;

    fn zero() -> Self {
        Self([0; VECTOR])
    }

    fn add(mut self, lots: i64, lanes: &[i64; VECTOR]) -> Self {
        for (sum, &lane) in self.0.iter_mut().zip(lanes) {
            *sum += lots as i128 * lane as i128;
        }
        self
    }

    fn sums(self) -> [i128; VECTOR] {
        self.0
    }
}
