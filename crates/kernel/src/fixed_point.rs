//! Fixed-point mathematics in Q5.58: logarithm, exponential, square root, normal distribution.
//!
//! Every step is an exact integer operation (floor division, arithmetic shift, floor square root),
//! so that any implementation of the same steps gives the same bits.

use crate::normal_table::NORMAL_SEGMENTS;

/// Bits after the point.
pub const FRACTION_BITS: u32 = 58;
/// One in Q5.58.
pub const ONE: i64 = 1 << FRACTION_BITS;

/// Bits beyond Q5.58 with which logarithm and exponential are summed.
const GUARD_BITS: u32 = 4;
const WIDE_BITS: u32 = FRACTION_BITS + GUARD_BITS;
const WIDE_ONE: i128 = 1 << WIDE_BITS;

/// ln 2 in Q1.62, rounded to nearest.
const WIDE_LN_2: i64 = 3196577161300663915;

/// Terms of the atanh series: z ≤ 1/3, so the first one left out is below 2⁻⁶⁵.
const LOG_TERMS: i64 = 20;

/// Terms of the exponential series: r < ln 2, so the first one left out is below 2⁻⁶⁶.
const EXP_TERMS: i128 = 18;

/// Largest argument of `exp`, either way.
const EXP_MAX: i128 = 32 * ONE as i128;

/// A segment of the normal table is 1/16 wide.
const SEGMENT_BITS: u32 = FRACTION_BITS - 4;

/// Return the product of two Q5.58 numbers. Rounds down.
#[inline(always)]
pub fn multiply_down(left: i64, right: i64) -> i64 {
    narrow((left as i128 * right as i128) >> FRACTION_BITS)
}

/// Return a number that is known to fit 64 bits. One that does not is a broken invariant.
#[inline(always)]
pub fn narrow(number: i128) -> i64 {
    assert!(number as i64 as i128 == number, "a fixed-point number left its 64 bits");
    number as i64
}

/// Return a product whose first factor is hardly ever wider than 64 bits.
#[inline(always)]
pub fn times(number: i128, factor: i64) -> i128 {
    match i64::try_from(number) {
        Ok(narrow) => narrow as i128 * factor as i128,
        Err(_) => number * factor as i128,
    }
}

/// Return ln(number) of a positive integer below 2^63.
///
/// Units   integer → Q5.58; the result exceeds 64 bits from about 2^46 on.
/// Rounds  each step down; absolute error below 2^-55.
pub fn log(number: u64) -> i128 {
    assert!(number > 0 && number < 1 << 63, "the logarithm takes 1 to 2^63 - 1");
    let exponent = number.ilog2();
    let mantissa = (number as i128) << (WIDE_BITS - exponent);
    let z = narrow(((mantissa - WIDE_ONE) << WIDE_BITS) / (mantissa + WIDE_ONE));
    let square = (z as i128 * z as i128) >> WIDE_BITS;
    let (mut total, mut power) = (0, z);
    for term in 0..LOG_TERMS {
        total += power / (2 * term + 1);
        power = narrow((power as i128 * square) >> WIDE_BITS);
    }
    (exponent as i128 * WIDE_LN_2 as i128 + 2 * total as i128) >> GUARD_BITS
}

/// Return e^x of x between −32 and 32.
///
/// Units   Q5.58 → Q5.58, of up to 105 bits.
/// Rounds  each step down; error below 2^-56 of the result and 2^-58.
pub fn exp(x: i128) -> i128 {
    assert!((-EXP_MAX..=EXP_MAX).contains(&x), "the exponential takes -32 to 32");
    let wide = x << GUARD_BITS;
    let doublings = wide.div_euclid(WIDE_LN_2 as i128);
    let rest = wide - doublings * WIDE_LN_2 as i128;
    let mut total = WIDE_ONE;
    for term in (1..=EXP_TERMS).rev() {
        total = WIDE_ONE + ((total * rest) >> WIDE_BITS) / term;
    }
    let shift = doublings as i32 - GUARD_BITS as i32;
    if shift >= 0 { total << shift } else { total >> -shift }
}

/// Return the floor square root of a Q5.58 value below 2^69, in Q5.58.
pub fn square_root_down(value: u128) -> u64 {
    assert!(value < 1 << 69, "the square root takes less than 2^69");
    (value << FRACTION_BITS).isqrt() as u64
}

/// Return the standard normal distribution at x, both in Q5.58; absolute error below 1e-15.
///
/// A degree-6 polynomial per segment of 1/16 on the positive side; the negative side by
/// N(−x) = 1 − N(x); 1 from the table's end on.
pub fn normal_cdf(x: i64) -> i64 {
    if x < 0 {
        return ONE - normal_cdf(-x);
    }
    let Some(coefficients) = NORMAL_SEGMENTS.get((x >> SEGMENT_BITS) as usize) else { return ONE };
    let t = (x & ((1 << SEGMENT_BITS) - 1)) << (FRACTION_BITS - SEGMENT_BITS);
    coefficients.iter().rev().fold(0, |total, coefficient| coefficient + multiply_down(total, t))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(log(1), 0, "ln 1");
        assert_eq!(log(2), WIDE_LN_2 as i128 >> GUARD_BITS, "ln 2");
        assert_eq!(log(1 << 62), (62 * WIDE_LN_2 as i128) >> GUARD_BITS, "ln 2^62");
        assert_eq!(exp(0), ONE as i128, "e^0");
        assert_eq!(exp(-EXP_MAX), 3650, "e^-32: 1.27e-14");
        assert_eq!(square_root_down(4 << FRACTION_BITS), 2 << FRACTION_BITS, "√4");
        assert_eq!(normal_cdf(0), ONE / 2 - 155, "N(0), as the table rounds it");
        assert_eq!(normal_cdf(10 * ONE), ONE, "N(10)");
        assert_eq!(normal_cdf(-10 * ONE), 0, "N(-10)");
    }
}
