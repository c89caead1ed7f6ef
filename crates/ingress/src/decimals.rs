//! Decimals as people write them, in the steps of a field: exactly, or not at all.

/// Digits before and behind the point that a decimal may have.
const DIGITS_MAX: usize = 18;

/// Return how many steps of `step × 10^-places` a decimal is; nothing of one that is negative, is
/// no whole number of steps, or is more of them than fit.
pub fn steps(text: &[u8], step: u64, places: u32, most: u64) -> Option<u64> {
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (&text[..point], Some(&text[point + 1..])),
        None => (text, None),
    };
    let is_whole = !whole.is_empty() && (whole.len() == 1 || whole[0] != b'0');
    let fraction = match fraction {
        Some([]) => return None,
        Some(digits) => digits,
        None => &[],
    };
    if !is_whole || whole.len() > DIGITS_MAX || fraction.len() > DIGITS_MAX {
        return None;
    }
    let units = whole.iter().chain(fraction).try_fold(0_u128, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + u128::from(digit - b'0'))
    })?;
    let units = units.checked_mul(10_u128.checked_pow(places)?)?;
    let step = u128::from(step).checked_mul(10_u128.pow(fraction.len() as u32))?;
    if step == 0 || units % step != 0 {
        return None;
    }
    u64::try_from(units / step).ok().filter(|steps| *steps <= most)
}

/// Return `units × 10^-places` as a decimal without needless zeros.
pub fn text(units: u128, places: u32) -> String {
    let one = 10_u128.pow(places);
    let (whole, rest) = (units / one, units % one);
    if rest == 0 {
        return whole.to_string();
    }
    let mut text = format!("{whole}.{rest:0width$}", width = places as usize);
    text.truncate(text.trim_end_matches('0').len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_whole_steps() {
        for (text, step, places, value) in [
            ("65000.5", 500_000, 6, Some(130_001)),
            ("65000.50", 500_000, 6, Some(130_001)),
            ("0", 1, 9, Some(0)),
            ("0.000000001", 1, 9, Some(1)),
            ("65000.4", 500_000, 6, None),
            ("0.0000000001", 1, 9, None),
            ("-1", 1, 0, None),
            ("01", 1, 0, None),
            ("1.", 1, 0, None),
            (".5", 1, 1, None),
            ("", 1, 0, None),
            ("1e3", 1, 0, None),
            ("1.2.3", 1, 6, None),
            ("1", 0, 0, None),
            ("18446744073.709551615", 1, 9, Some(u64::MAX)),
            ("18446744073.709551616", 1, 9, None),
            ("1234567890123456789", 1, 0, None),
        ] {
            assert_eq!(steps(text.as_bytes(), step, places, u64::MAX), value, "{text}");
        }
        assert_eq!(steps(b"5", 1, 0, 4), None, "more than fit");
    }

    #[test]
    fn decimals_have_no_needless_zeros() {
        for (units, places, written) in [
            (0, 6, "0"),
            (65_000_500_000, 6, "65000.5"),
            (1, 9, "0.000000001"),
            (1_000_000, 6, "1"),
            (100, 0, "100"),
        ] {
            assert_eq!(text(units, places), written, "{units} with {places} places");
        }
    }

    #[test]
    fn the_longest_decimals_end_in_an_answer() {
        let text = format!("{}.{}", "9".repeat(DIGITS_MAX), "9".repeat(DIGITS_MAX));
        assert_eq!(steps(text.as_bytes(), u64::MAX, 9, u64::MAX), None, "it is no whole step");
        assert_eq!(steps(text.as_bytes(), 1, 38, u64::MAX), None, "it does not fit");
        assert_eq!(steps(text.as_bytes(), 1, u32::MAX, u64::MAX), None, "nor do the places");
    }
}
