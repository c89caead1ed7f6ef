//! Divisions that say which way they round.

/// Return the quotient rounded up: by one instruction where both fit 64 bits.
#[inline]
pub fn ceil_div(numerator: u128, denominator: u128) -> u128 {
    match (u64::try_from(numerator), u64::try_from(denominator)) {
        (Ok(numerator), Ok(denominator)) => numerator.div_ceil(denominator) as u128,
        _ => numerator.div_ceil(denominator),
    }
}

/// Return the quotient by a positive number rounded down, in the same way.
#[inline]
pub fn floor_div(numerator: i128, denominator: i128) -> i128 {
    match (i64::try_from(numerator), i64::try_from(denominator)) {
        (Ok(numerator), Ok(denominator)) => numerator.div_euclid(denominator) as i128,
        _ => numerator.div_euclid(denominator),
    }
}
