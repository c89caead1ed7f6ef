//! Wide products: of numbers whose product needs more than 128 bits, compared or divided exactly.

/// Return left · by_left ≥ right · by_right.
pub fn is_product_at_least(left: u128, by_left: u128, right: u128, by_right: u128) -> bool {
    multiply(left, by_left) >= multiply(right, by_right)
}

/// Return number · numerator / denominator, which must fit 128 bits. Rounds down.
pub fn mul_div_down(number: u128, numerator: u128, denominator: u128) -> u128 {
    let (high, low) = multiply(number, numerator);
    assert!(high < denominator, "the quotient fits 128 bits");
    if high == 0 {
        return low / denominator;
    }
    divide(high, low, denominator)
}

/// Return an amount not below 0 as events tell it: at most what 64 bits hold.
pub fn event_atoms(atoms: i128) -> u64 {
    u64::try_from(atoms).unwrap_or(u64::MAX)
}

/// Return the quotient of a product whose upper half is below the divisor, bit by bit.
fn divide(high: u128, low: u128, denominator: u128) -> u128 {
    let (mut remainder, mut quotient) = (high, 0);
    for bit in (0..u128::BITS).rev() {
        let carry = remainder >> 127;
        remainder = remainder << 1 | low >> bit & 1;
        if carry == 1 || remainder >= denominator {
            remainder = remainder.wrapping_sub(denominator);
            quotient |= 1 << bit;
        }
    }
    quotient
}

/// Return the upper and the lower half of a product.
fn multiply(left: u128, right: u128) -> (u128, u128) {
    const HALF: u32 = 64;
    let split = |number: u128| (number >> HALF, number & u64::MAX as u128);
    let ((left_high, left_low), (right_high, right_low)) = (split(left), split(right));
    let (carry, lowest) = split(left_low * right_low);
    let (one_high, one_low) = split(left_high * right_low + carry);
    let (two_high, two_low) = split(left_low * right_high + one_low);
    (left_high * right_high + one_high + two_high, two_low << HALF | lowest)
}

#[cfg(test)]
mod tests {
    use super::{is_product_at_least, mul_div_down};

    #[test]
    fn products_of_the_largest_numbers_compare() {
        let most = u128::MAX;
        assert!(is_product_at_least(most, most, most, most));
        assert!(is_product_at_least(most, most, most, most - 1));
        assert!(!is_product_at_least(most, most - 1, most, most));
        assert!(!is_product_at_least(1 << 100, 1 << 100, (1 << 100) + 1, 1 << 100));
    }

    #[test]
    fn quotients_of_wide_products_are_exact() {
        let most = u128::MAX;
        assert_eq!(mul_div_down(most, most, most), most);
        assert_eq!(mul_div_down(most, most - 1, most), most - 1);
        assert_eq!(mul_div_down(1 << 120, 1 << 60, 1 << 90), 1 << 90);
        assert_eq!(mul_div_down((1 << 120) + 1, 3 << 60, (1 << 90) + 1), (3 << 90) - 3);
        assert_eq!(mul_div_down(7, 5, 3), 11);
    }
}
