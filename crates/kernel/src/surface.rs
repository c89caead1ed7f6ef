//! When a volatility surface leaves nothing to be had for free: raw SVI slices, asked on a grid.
//!
//! The grid has 129 nodes k = 4·(j/64)³, j from −64 to 64. At every node the density that a slice
//! implies is positive (no butterfly), and total variance is no less than at the expiry before (no
//! calendar spread); wings are no steeper than Lee's bound and never flatter than at the expiry
//! before.
//!
//! Raw SVI: w(k) = a + b(ρx + r), x = k − m, r = √(x² + σ²), so w′ = b(ρ + x/r) and w″ = bσ²/r³.
//! Parameters, k, w and its derivatives are Q15.48. Each step's error is bounded and taken against
//! the surface: what is accepted is valid at every node in exact arithmetic.

use crate::black76::{SURFACE_BITS, SURFACE_ONE};
use crate::limits::{BUTTERFLY_MARGIN_PPM, FRACTION_ONE_PPM, SURFACE_STEPS};
use crate::observations::SurfaceSlice;

/// |a|: total variance of 400 % over two years.
const LEVEL_MAX: i64 = 32 * SURFACE_ONE;

/// b(1 + |ρ|): Lee's bound on the wings.
const SLOPE_MAX: i64 = 2 * SURFACE_ONE;

/// |m|: as far as the grid reaches.
const CENTRE_MAX: i64 = 4 * SURFACE_ONE;

/// σ: a sharper bend would hide between two nodes.
const WIDTH_MIN: i64 = SURFACE_ONE >> 10;
const WIDTH_MAX: i64 = 8 * SURFACE_ONE;

const NODES_COUNT: usize = 2 * SURFACE_STEPS as usize + 1;

/// k = 4 (j/64)³ in Q15.48 is j³ shifted by this.
const NODE_SHIFT: u32 = SURFACE_BITS + 2 - 18;

const _: () = assert!(SURFACE_STEPS == 64, "the shift of the nodes counts on it");

const RATIO_BITS: u32 = 31;

/// Of `signed_ratio`, in units of 2⁻³¹, either way.
const RATIO_ERROR: i64 = 2;

/// Of `variance_down`, in units of 2⁻⁴⁸: root and ρx lose less than one each, both times b ≤ 2, and
/// the product less than one.
const VARIANCE_ERROR: i64 = 5;

/// Bits to which w and w′ are brought before they are squared: a product of squares fits 128.
const SCALED_BITS: u32 = 58;

const BUTTERFLY_SCALED: i128 = (16 * BUTTERFLY_MARGIN_PPM as i128 * SURFACE_ONE as i128)
    .div_euclid(FRACTION_ONE_PPM as i128)
    + 1;

/// A slice at a node: moneyness, its distance from the centre, the root inside, the variance.
#[derive(Clone, Copy, Debug)]
struct Node {
    k: i64,
    x: i64,
    root: i64,
    variance: i64,
}

/// Return whether slices, ascending by expiry, are all in range and free of arbitrage.
///
/// A slice whose expiry has passed has only to be in range: nothing is priced with it.
pub fn is_surface_valid(
    slices: &(impl Iterator<Item = SurfaceSlice> + Clone),
    now_ns: u64,
) -> bool {
    if !slices.clone().all(|slice| is_in_range(&slice)) {
        return false;
    }
    let live = slices.clone().filter(|slice| slice.expiry_ns > now_ns);
    let mut pairs = live.clone().zip(live.clone().skip(1));
    pairs.all(|(before, after)| has_steeper_wings(&before, &after)) && is_free_on_grid(live)
}

/// Return whether parameters are bounded, variance nowhere negative and wings in Lee's bound.
pub fn is_in_range(slice: &SurfaceSlice) -> bool {
    let is_bounded = slice.a.unsigned_abs() <= LEVEL_MAX as u64
        && (0..=SLOPE_MAX).contains(&slice.b)
        && slice.rho.unsigned_abs() < SURFACE_ONE as u64
        && slice.m.unsigned_abs() <= CENTRE_MAX as u64
        && (WIDTH_MIN..=WIDTH_MAX).contains(&slice.sigma);
    if !is_bounded {
        return false;
    }
    let (b, rho) = (slice.b as i128, slice.rho as i128);
    let one = SURFACE_ONE as i128;
    let root = ((one * one - rho * rho) as u128).isqrt() as i128;
    let dip = (((b * slice.sigma as i128) >> SURFACE_BITS) * root) >> SURFACE_BITS;
    slice.a as i128 + dip >= 0 && b * (one + rho.abs()) <= SLOPE_MAX as i128 * one
}

/// Return whether neither wing is flatter than at the expiry before: else they cross somewhere.
fn has_steeper_wings(before: &SurfaceSlice, after: &SurfaceSlice) -> bool {
    let wing = |slice: &SurfaceSlice, rho: i64| slice.b as i128 * (SURFACE_ONE + rho) as i128;
    wing(before, -before.rho) <= wing(after, -after.rho)
        && wing(before, before.rho) <= wing(after, after.rho)
}

/// Return whether density is positive at every node, and variance never falls from slice to slice.
fn is_free_on_grid(slices: impl Iterator<Item = SurfaceSlice>) -> bool {
    let mut before = [0; NODES_COUNT];
    for slice in slices {
        let bend = slice.b as i128 * SURFACE_ONE as i128 / slice.sigma as i128;
        for (step, variance_before) in (-(SURFACE_STEPS as i64)..).zip(&mut before) {
            let node = node_at(&slice, (step * step * step) << NODE_SHIFT);
            if node.variance < *variance_before || !is_dense(&slice, bend, &node) {
                return false;
            }
            *variance_before = node.variance;
        }
    }
    true
}

/// Return a slice at a node: its w rounded down, by less than VARIANCE_ERROR.
fn node_at(slice: &SurfaceSlice, k: i64) -> Node {
    let x = k - slice.m;
    let square = x as i128 * x as i128 + slice.sigma as i128 * slice.sigma as i128;
    let root = (square as u128).isqrt() as i64;
    let wing = ((slice.rho as i128 * x as i128) >> SURFACE_BITS) + root as i128;
    let variance = slice.a + ((slice.b as i128 * wing) >> SURFACE_BITS) as i64;
    Node { k, x, root, variance }
}

/// Return whether g(k) = (1 − kw′/2w)² − w′²(1/w + 1/4)/4 + w″/2 is at least the margin.
///
/// Asked as 4(2w − kw′)² + 8w²w″ ≥ w′²·w(4 + w) + 16w²·margin, each side rounded against the slice.
fn is_dense(slice: &SurfaceSlice, bend: i128, node: &Node) -> bool {
    let Node { k, x, root, variance } = *node;
    if variance <= 0 {
        return false;
    }
    let direction = slice.rho + (signed_ratio(x, root) << (SURFACE_BITS - RATIO_BITS));
    let slope = (slice.b as i128 * direction as i128) >> SURFACE_BITS;
    let slope_error = ((slice.b * RATIO_ERROR) >> RATIO_BITS) + 2;
    let variance_high = variance + VARIANCE_ERROR;
    let slope_high = slope.unsigned_abs() as i64 + slope_error;
    let tangent_error = 4 * slope_error + 2 * VARIANCE_ERROR + 1;
    let tangent = 2 * variance - ((k as i128 * slope) >> SURFACE_BITS) as i64;
    let tangent = (tangent.abs() - tangent_error).max(0);
    let scale = SCALED_BITS + variance_high.max(slope_high).leading_zeros() - i64::BITS;
    let tangent = (tangent << scale) as i128;
    let bend = bend_down(slice, bend, root);
    let left = ((tangent * tangent) >> 10) + 8 * (square_down(variance << scale) * bend);
    let one = SURFACE_ONE as i128;
    let variance_high = variance_high as i128;
    let growth = ((variance_high * (4 * one + variance_high)) >> SURFACE_BITS) + 1;
    let right = (square_down(slope_high << scale) + 1) * growth
        + (square_down((variance_high as i64) << scale) + 1) * BUTTERFLY_SCALED;
    left >= right
}

/// Return w″ = (b/σ)(σ/r)³ from the slice's b/σ. Rounds down.
fn bend_down(slice: &SurfaceSlice, bend: i128, root: i64) -> i128 {
    let share = signed_ratio(slice.sigma, root) - RATIO_ERROR;
    let cube = (((share * share) >> RATIO_BITS) * share) >> RATIO_BITS;
    (bend * cube as i128) >> RATIO_BITS
}

/// Return part/whole, |part| ≤ whole, in units of 2⁻³¹, RATIO_ERROR off at most.
///
/// Both are cut to the 32 highest bits of the whole, so that 64 bits hold everything.
fn signed_ratio(part: i64, whole: i64) -> i64 {
    let cut = 32u32.saturating_sub(whole.leading_zeros());
    let share = (part.unsigned_abs() >> cut) << RATIO_BITS;
    let ratio = (share / (whole as u64 >> cut)) as i64;
    if part >= 0 { ratio } else { -ratio }
}

/// Return the square of a number of up to 58 bits, 60 bits shifted out.
fn square_down(number: i64) -> i128 {
    (number as i128 * number as i128) >> 60
}
