//! Divisions that say which way they round.

/// Return the quotient rounded up.
pub fn ceil_div(numerator: u128, denominator: u128) -> u128 {
    numerator.div_ceil(denominator)
}
