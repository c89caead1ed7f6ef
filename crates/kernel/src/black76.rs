//! Black-76 on the forward with raw SVI variance, in integers.
//!
//! SVI after Gatheral: w(k) = a + b(ρ(k − m) + √((k − m)² + σ²)).

use crate::fixed_point::{FRACTION_BITS, ONE, narrow, normal_cdf, square_root_down};

/// Bits after the point of a surface's parameters.
pub const SURFACE_BITS: u32 = 48;
/// One in Q15.48.
pub const SURFACE_ONE: i64 = 1 << SURFACE_BITS;
/// From Q15.48 to Q5.58.
pub const SURFACE_TO_FRACTION: u32 = FRACTION_BITS - SURFACE_BITS;

/// |ln(K/F)| beyond which the surface is flat: strikes 2,981 times the forward.
const MONEYNESS_MAX: i64 = 8 * ONE;

/// Total variance above which vol is capped: 400 % over four years. Needs more than 64 bits.
const VARIANCE_MAX: i128 = 64 * ONE as i128;

/// d1 and d2 are clamped here before N is taken of them; N is 1 to the last bit from 9.2 on.
const DEVIATIONS_MAX: i128 = 10 * ONE as i128;

/// Half of one in Q5.58.
const HALF: i128 = ONE as i128 / 2;

/// Prices per unit are in 1e-8 USD, a hundredth of a quote atom.
pub const HUNDREDTHS: i64 = 100;

/// The SVI parameters of one expiry, Q15.48, within the bounds of `oracle::is_slice_valid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub a: i64,
    pub b: i64,
    pub rho: i64,
    pub m: i64,
    pub sigma: i64,
}

/// Return w(k) at the surface's own time, Q5.58, between 0 and VARIANCE_MAX. Rounds down.
pub fn total_variance(slice: &Slice, log_moneyness: i64) -> i128 {
    let k = log_moneyness.clamp(-MONEYNESS_MAX, MONEYNESS_MAX) as i128;
    let x = k - ((slice.m as i128) << SURFACE_TO_FRACTION);
    let sigma = (slice.sigma as i128) << SURFACE_TO_FRACTION;
    let square = (x * x + sigma * sigma) >> FRACTION_BITS;
    let root = square_root_down(square as u128) as i128;
    let wing = ((slice.rho as i128 * x) >> SURFACE_BITS) + root;
    let variance =
        ((slice.a as i128) << SURFACE_TO_FRACTION) + ((slice.b as i128 * wing) >> SURFACE_BITS);
    variance.clamp(0, VARIANCE_MAX)
}

/// Return the undiscounted values of a call and a put per unit of underlying.
///
/// Units   forward, strike in quote atoms; logarithms and deviation (σ√t) in Q5.58 → 1e-8 USD.
/// Rounds  to nearest, half up, both by the same amount: call − put = forward − strike exactly,
///         unless clipped at zero.
pub fn call_and_put(
    forward: i64,
    forward_log: i128,
    strike: i64,
    strike_log: i128,
    deviation: i128,
) -> (i64, i64) {
    let (forward, strike) = (forward * HUNDREDTHS, strike * HUNDREDTHS);
    if deviation == 0 {
        return ((forward - strike).max(0), (strike - forward).max(0));
    }
    let moneyness = (forward_log - strike_log) << FRACTION_BITS;
    let d1 = moneyness.div_euclid(deviation) + (deviation >> 1);
    let d2 = d1 - deviation;
    let n1 = normal_cdf(d1.clamp(-DEVIATIONS_MAX, DEVIATIONS_MAX) as i64);
    let n2 = normal_cdf(d2.clamp(-DEVIATIONS_MAX, DEVIATIONS_MAX) as i64);
    let value = forward as i128 * n1 as i128 - strike as i128 * n2 as i128;
    let call = narrow((value + HALF) >> FRACTION_BITS);
    (call.max(0), (call - forward + strike).max(0))
}
