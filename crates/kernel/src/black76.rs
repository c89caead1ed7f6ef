//! Black-76 on the forward with raw SVI variance, in integers.
//!
//! SVI after Gatheral: w(k) = a + b(ρ(k − m) + √((k − m)² + σ²)).

use crate::fixed_point::{FRACTION_BITS, ONE, log, narrow, normal_cdf};

/// Bits after the point of a surface's parameters.
pub const SURFACE_BITS: u32 = 48;
/// One in Q15.48.
pub const SURFACE_ONE: i64 = 1 << SURFACE_BITS;
/// From Q15.48 to Q5.58.
pub const SURFACE_TO_FRACTION: u32 = FRACTION_BITS - SURFACE_BITS;

/// |ln(K/F)| beyond which the surface is flat: strikes 2,981 times the forward.
const MONEYNESS_MAX: i64 = 8 * ONE;

/// Total variance above which vol is capped: 400 % over four years. Needs more than 64 bits.
pub const VARIANCE_MAX: i128 = 64 * ONE as i128;

/// σ√t above which a call is worth its forward, and a put its strike, to the last bit.
pub const DEVIATION_MAX: i64 = 24 * ONE;

/// |ln(F/K)| above which the smaller of the two is below 1e-13 of the larger.
const RATIO_LOG_MAX: i64 = 31 * ONE;

/// d1 and d2 are clamped here before N is taken of them; N is 1 to the last bit from 9.2 on.
const DEVIATES_MAX: i128 = 10 * ONE as i128;

/// Bits of the reciprocal of a deviation: d1 is off by less than two of its last bits.
const INVERSE_BITS: u32 = 61;

/// Half of one in Q5.58.
const HALF: i128 = ONE as i128 / 2;

/// Prices per unit are in 1e-8 USD, a hundredth of a quote atom.
pub const HUNDREDTHS: i64 = 100;

/// The SVI parameters of one expiry, Q15.48, within the bounds of `surface::is_in_range`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub a: i64,
    pub b: i64,
    pub rho: i64,
    pub m: i64,
    pub sigma: i64,
}

/// A price per unit in 1e-8 USD, with its logarithm (Q5.58, of the price in quote atoms).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    pub value: i64,
    pub log: i64,
}

impl Price {
    /// Return a price with its logarithm, 0 where it has none.
    pub fn of(value: i64) -> Self {
        let log = if value > 0 { log(value as u64) - log(HUNDREDTHS as u64) } else { 0 };
        Self { value, log: narrow(log) }
    }
}

/// σ√t of an option, with its reciprocal: many prices are asked of one.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    deviation: i64,
    inverse: i64,
    shift: u32,
}

impl Spread {
    /// Take σ√t in Q5.58, of 0 to DEVIATION_MAX.
    #[inline]
    pub fn of(deviation: i64) -> Self {
        if deviation == 0 {
            return Self { deviation, inverse: 0, shift: 0 };
        }
        let bits = deviation.ilog2() + 1;
        let inverse = ((1u128 << (INVERSE_BITS + bits)) / deviation as u128) as i64;
        Self { deviation, inverse, shift: INVERSE_BITS + bits - FRACTION_BITS }
    }

    /// Return σ√t.
    #[inline(always)]
    pub fn deviation(&self) -> i64 {
        self.deviation
    }

    /// Return d1 = ln(F/K) / σ√t + σ√t / 2, Q5.58.
    #[inline(always)]
    fn first_deviate(&self, ratio_log: i64) -> i128 {
        let ratio_log = ratio_log.clamp(-RATIO_LOG_MAX, RATIO_LOG_MAX);
        ((ratio_log as i128 * self.inverse as i128) >> self.shift) + (self.deviation >> 1) as i128
    }
}

/// Return w(k) at the surface's own time, Q5.58, between 0 and VARIANCE_MAX. Rounds down.
pub fn total_variance(slice: &Slice, log_moneyness: i64) -> i128 {
    let k = log_moneyness.clamp(-MONEYNESS_MAX, MONEYNESS_MAX) as i128;
    let x = k - ((slice.m as i128) << SURFACE_TO_FRACTION);
    let sigma = (slice.sigma as i128) << SURFACE_TO_FRACTION;
    let root = (x * x + sigma * sigma).isqrt();
    let wing = ((slice.rho as i128 * x) >> SURFACE_BITS) + root;
    let variance =
        ((slice.a as i128) << SURFACE_TO_FRACTION) + ((slice.b as i128 * wing) >> SURFACE_BITS);
    variance.clamp(0, VARIANCE_MAX)
}

/// Return the undiscounted values of a call and a put per unit of underlying.
///
/// Units   forward, strike and values in 1e-8 USD. Only the difference of the logarithms counts.
/// Rounds  to nearest, half up, both by the same amount: call − put = forward − strike exactly,
///         neither below its intrinsic value.
pub fn call_and_put(forward: Price, strike: Price, spread: &Spread) -> (i64, i64) {
    let call = call_value(forward, strike, spread);
    (call, call - forward.value + strike.value)
}

/// Return the call of `call_and_put`. A strike of nothing or less is certain to be exercised.
#[inline(always)]
pub fn call_value(forward: Price, strike: Price, spread: &Spread) -> i64 {
    let intrinsic = forward.value - strike.value;
    if spread.deviation == 0 || strike.value <= 0 {
        return intrinsic.max(0);
    }
    let d1 = spread.first_deviate(forward.log.saturating_sub(strike.log));
    let d2 = d1 - spread.deviation as i128;
    let value = forward.value as i128 * distribution(d1) as i128
        - strike.value as i128 * distribution(d2) as i128;
    narrow((value + HALF) >> FRACTION_BITS).clamp(intrinsic.max(0), forward.value)
}

/// Return what a call gains when its forward doubles at the rate of now: forward · N(d1).
///
/// Units   as `call_and_put`. That of the put is less by the forward, exactly.
/// Rounds  to nearest, half up.
pub fn call_delta(forward: Price, strike: Price, spread: &Spread) -> i64 {
    if spread.deviation == 0 || strike.value <= 0 {
        return if forward.value > strike.value { forward.value } else { 0 };
    }
    let share = distribution(spread.first_deviate(forward.log.saturating_sub(strike.log)));
    narrow((forward.value as i128 * share as i128 + HALF) >> FRACTION_BITS)
}

/// Return N(d), d clamped to where N changes: a saturated d must not be negated or squared.
#[inline(always)]
fn distribution(deviate: i128) -> i64 {
    normal_cdf(deviate.clamp(-DEVIATES_MAX, DEVIATES_MAX) as i64)
}
