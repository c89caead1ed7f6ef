//! Sums in the vectors of x86-64 processors. A product and its sum are one instruction: both are
//! integers below 2^53, so nothing is rounded.
//!
//! The functions below are called only after the processor has said that it knows their
//! instructions; without them compiled in, vectors of several widths could not be chosen at run
//! time.
#![allow(unsafe_code)]

use core::arch::x86_64::{
    __m256d, __m512d, _mm256_fmadd_pd, _mm256_loadu_pd, _mm256_set1_pd, _mm256_setzero_pd,
    _mm256_storeu_pd, _mm512_fmadd_pd, _mm512_loadu_pd, _mm512_set1_pd, _mm512_setzero_pd,
    _mm512_storeu_pd,
};

use crate::holdings::Holding;
use crate::lanes::{Lot, VECTOR};
use crate::sums::{Sums, add_up_in};
use crate::vectors::Vector;

const HALF: usize = VECTOR / 2;

/// Return the sums by the widest vectors that the processor has; nothing if these are too narrow.
pub fn add_up(holding: &Holding, table: &[Lot<f64>], keeps_columns: bool) -> Option<Sums<f64>> {
    if has_eight() {
        // SAFETY: the processor has just said that it has these instructions.
        Some(unsafe { add_up_by_eight(holding, table, keeps_columns) })
    } else if has_four() {
        // SAFETY: the same.
        Some(unsafe { add_up_by_four(holding, table, keeps_columns) })
    } else {
        None
    }
}

/// Return the sums once for each width of vectors that the processor has.
#[cfg(test)]
pub fn all(holding: &Holding, table: &[Lot<f64>], keeps_columns: bool) -> Vec<Sums<f64>> {
    let mut all = Vec::new();
    if has_eight() {
        // SAFETY: the processor has just said that it has these instructions.
        all.push(unsafe { add_up_by_eight(holding, table, keeps_columns) });
    }
    if has_four() {
        // SAFETY: the same.
        all.push(unsafe { add_up_by_four(holding, table, keeps_columns) });
    }
    all
}

fn has_eight() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
}

fn has_four() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

#[target_feature(enable = "avx512f")]
fn add_up_by_eight(holding: &Holding, table: &[Lot<f64>], keeps_columns: bool) -> Sums<f64> {
    add_up_in::<Eight>(holding, table, keeps_columns)
}

#[target_feature(enable = "avx2,fma")]
fn add_up_by_four(holding: &Holding, table: &[Lot<f64>], keeps_columns: bool) -> Sums<f64> {
    add_up_in::<TwiceFour>(holding, table, keeps_columns)
}

/// Eight sums in one register.
#[derive(Clone, Copy)]
struct Eight(__m512d);

impl Vector for Eight {
    type Lane = f64;
    type Sum = f64;

    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: only reached from `add_up_by_eight`.
        Self(unsafe { _mm512_setzero_pd() })
    }

    #[inline(always)]
    fn add(self, lots: i64, lanes: &[f64; VECTOR]) -> Self {
        // SAFETY: the same; the lanes are as many as are read.
        Self(unsafe {
            _mm512_fmadd_pd(_mm512_set1_pd(lots as f64), _mm512_loadu_pd(lanes.as_ptr()), self.0)
        })
    }

    #[inline(always)]
    fn sums(self) -> [f64; VECTOR] {
        let mut sums = [0.0; VECTOR];
        // SAFETY: the same; there is room for all of them.
        unsafe { _mm512_storeu_pd(sums.as_mut_ptr(), self.0) };
        sums
    }
}

/// Eight sums in two registers.
#[derive(Clone, Copy)]
struct TwiceFour([__m256d; 2]);

impl Vector for TwiceFour {
    type Lane = f64;
    type Sum = f64;

    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: only reached from `add_up_by_four`.
        Self([unsafe { _mm256_setzero_pd() }; 2])
    }

    #[inline(always)]
    fn add(self, lots: i64, lanes: &[f64; VECTOR]) -> Self {
        let [low, high] = self.0;
        // SAFETY: the same; the lanes are as many as are read.
        Self(unsafe {
            let lots = _mm256_set1_pd(lots as f64);
            [
                _mm256_fmadd_pd(lots, _mm256_loadu_pd(lanes.as_ptr()), low),
                _mm256_fmadd_pd(lots, _mm256_loadu_pd(lanes[HALF..].as_ptr()), high),
            ]
        })
    }

    #[inline(always)]
    fn sums(self) -> [f64; VECTOR] {
        let mut sums = [0.0; VECTOR];
        // SAFETY: the same; there is room for all of them.
        unsafe {
            _mm256_storeu_pd(sums.as_mut_ptr(), self.0[0]);
            _mm256_storeu_pd(sums[HALF..].as_mut_ptr(), self.0[1]);
        }
        sums
    }
}
