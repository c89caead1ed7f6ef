//! Prices and sensitivities of options in floating point, many at a time: for people and models,
//! never for the state machine.
//!
//! Black (1976), undiscounted. Everything is a chain of products and sums without a branch, so that
//! the compiler makes vectors of it: one logarithm, one root, one exponential and two tails of the
//! normal distribution for an option. The second density follows from the first: F · φ(d1) =
//! K · φ(d2).
#![allow(unsafe_code)]

/// Options that are evaluated together: their numbers stay in the nearest cache.
pub const BLOCK: usize = 256;

const ROOT_TWO_PI_INVERSE: f64 = 0.398_942_280_401_432_7;
const LOG_TWO: f64 = core::f64::consts::LN_2;
/// ln 2 in two parts, the first with zeros at its end, so that a whole number times it is exact.
const LOG_TWO_HIGH: f64 = 0.693_147_180_369_123_8;
const LOG_TWO_LOW: f64 = 1.908_214_929_270_587_7e-10;
const LOG_TWO_INVERSE: f64 = core::f64::consts::LOG2_E;
/// Added to a number below 2^51 it leaves the nearest whole one in the last bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
const MANTISSA_BITS: u32 = 52;
const ONE_BITS: u64 = 1.0_f64.to_bits();
const ROOT_HALF_BITS: u64 = core::f64::consts::FRAC_1_SQRT_2.to_bits();
/// Below it an exponential would not be a normal number.
const EXPONENT_MIN: f64 = -708.0;
/// Beyond it a tail is below any number that is told apart from 0.
const DEVIATIONS_MAX: f64 = 38.0;

/// 1 / n! for n = 0, 1, …: enough for |x| ≤ ln 2 / 2.
const EXPONENTIAL: [f64; 14] = [
    1.0,
    1.0,
    0.5,
    0.166_666_666_666_666_66,
    0.041_666_666_666_666_664,
    0.008_333_333_333_333_333,
    0.001_388_888_888_888_889,
    0.000_198_412_698_412_698_4,
    2.480_158_730_158_73e-5,
    2.755_731_922_398_589_3e-6,
    2.755_731_922_398_589e-7,
    2.505_210_838_544_172e-8,
    2.087_675_698_786_81e-9,
    1.605_904_383_682_161_3e-10,
];

/// 2 / (2n + 1) for n = 0, 1, …: the logarithm as twice an inverse hyperbolic tangent.
const LOGARITHM: [f64; 11] = [
    2.0,
    2.0 / 3.0,
    2.0 / 5.0,
    2.0 / 7.0,
    2.0 / 9.0,
    2.0 / 11.0,
    2.0 / 13.0,
    2.0 / 15.0,
    2.0 / 17.0,
    2.0 / 19.0,
    2.0 / 21.0,
];

/// (1 + x) · Φ(−x) · exp(x² / 2) in powers of (x − 5) / (x + 5), to 2e-16 for every x ≥ 0.
///
/// Interpolated at Chebyshev's nodes with 50 digits; a test holds it to tabulated tails.
const TAIL: [f64; 24] = [
    0.461_515_829_850_037_75,
    -0.091_552_281_834_009_04,
    0.031_030_368_425_963_708,
    0.010_002_352_385_229_382,
    -0.026_401_042_966_308_307,
    0.024_536_963_243_678_652,
    -0.015_170_415_402_514_863,
    0.006_522_000_667_783_896,
    -0.001_676_072_344_554_47,
    7.791_597_409_338_999e-6,
    0.000_182_334_145_116_438_43,
    -5.360_758_111_487_22e-5,
    -9.896_097_759_279_782e-6,
    9.059_824_681_256_64e-6,
    -7.034_644_683_537_101e-8,
    -1.307_448_601_923_758_7e-6,
    1.278_782_218_209_37e-7,
    1.962_780_992_009_118_7e-7,
    -2.628_620_508_989_875_4e-8,
    -3.095_201_755_804_207e-8,
    3.627_373_163_401_201e-9,
    4.401_159_622_759_925_4e-9,
    -2.822_077_229_062_986_5e-10,
    -3.815_816_262_632_953e-10,
];
const TAIL_CENTRE: f64 = 5.0;

/// Options side by side; `sign` is 1 for a call and −1 for a put.
#[derive(Clone, Debug)]
pub struct Options {
    pub forward: [f64; BLOCK],
    pub strike: [f64; BLOCK],
    pub volatility: [f64; BLOCK],
    pub years: [f64; BLOCK],
    pub sign: [f64; BLOCK],
}

impl Options {
    /// Return options that are worth something: what is not filled in does no harm.
    pub const fn new() -> Self {
        let ones = [1.0; BLOCK];
        Self { forward: ones, strike: ones, volatility: ones, years: ones, sign: ones }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// What they are worth, per unit, and what that changes by: delta per unit of the forward, gamma
/// per its square, vega per 1.00 of volatility, theta per year that passes.
#[derive(Clone, Debug)]
pub struct Greeks {
    pub price: [f64; BLOCK],
    pub delta: [f64; BLOCK],
    pub gamma: [f64; BLOCK],
    pub vega: [f64; BLOCK],
    pub theta: [f64; BLOCK],
}

impl Greeks {
    /// Return zeros.
    pub const fn new() -> Self {
        let zeros = [0.0; BLOCK];
        Self { price: zeros, delta: zeros, gamma: zeros, vega: zeros, theta: zeros }
    }
}

impl Default for Greeks {
    fn default() -> Self {
        Self::new()
    }
}

/// Evaluate options, each number of them finite and above 0, in the widest vectors there are.
pub fn evaluate(options: &Options, greeks: &mut Greeks) {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has just said that it has these instructions.
            return unsafe { by_eight(options, greeks) };
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
        {
            // SAFETY: the same.
            return unsafe { by_four(options, greeks) };
        }
    }
    evaluate_in::<false>(options, greeks);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,fma")]
fn by_eight(options: &Options, greeks: &mut Greeks) {
    evaluate_in::<true>(options, greeks);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn by_four(options: &Options, greeks: &mut Greeks) {
    evaluate_in::<true>(options, greeks);
}

/// Divisions cost most: four of them serve all ten that the formulas have.
#[inline(always)]
fn evaluate_in<const FUSED: bool>(options: &Options, greeks: &mut Greeks) {
    for place in 0..BLOCK {
        let (forward, strike) = (options.forward[place], options.strike[place]);
        let (volatility, sign) = (options.volatility[place], options.sign[place]);
        let root = options.years[place].sqrt();
        let deviation = volatility * root;
        let ratio = forward / strike;
        let per_gamma = 1.0 / (forward * deviation);
        let per_deviation = forward * per_gamma;
        let d1 = (logarithm::<FUSED>(ratio) * per_deviation + deviation * 0.5)
            .clamp(-DEVIATIONS_MAX, DEVIATIONS_MAX);
        let d2 = (d1 - deviation).clamp(-DEVIATIONS_MAX, DEVIATIONS_MAX);
        let bell = exponential::<FUSED>(d1 * d1 * -0.5);
        let [first, second] = below::<FUSED>([sign * d1, sign * d2], [bell, bell * ratio]);
        let density = bell * ROOT_TWO_PI_INVERSE;
        let moved = forward * density;
        greeks.price[place] = sign * (forward * first - strike * second);
        greeks.delta[place] = sign * first;
        greeks.gamma[place] = density * per_gamma;
        greeks.vega[place] = moved * root;
        greeks.theta[place] = moved * volatility * volatility * per_deviation * -0.5;
    }
}

#[inline(always)]
fn fused<const FUSED: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

#[inline(always)]
fn polynomial<const FUSED: bool, const N: usize>(coefficients: &[f64; N], x: f64) -> f64 {
    let mut sum = coefficients[N - 1];
    for &coefficient in coefficients[..N - 1].iter().rev() {
        sum = fused::<FUSED>(sum, x, coefficient);
    }
    sum
}

/// Return the probabilities that a standard normal number is below two others; `bells` are
/// exp(−x² / 2) of them.
#[inline(always)]
fn below<const FUSED: bool>(x: [f64; 2], bells: [f64; 2]) -> [f64; 2] {
    let [a, b] = [x[0].abs(), x[1].abs()];
    let [a_centred, b_centred] = [a + TAIL_CENTRE, b + TAIL_CENTRE];
    let [a_whole, b_whole] = [a_centred * (a + 1.0), b_centred * (b + 1.0)];
    let inverse = 1.0 / (a_whole * b_whole);
    let tail = |size: f64, centred: f64, other_whole: f64, bell: f64| {
        let per_whole = inverse * other_whole;
        let place = (size - TAIL_CENTRE) * (size + 1.0) * per_whole;
        bell * polynomial::<FUSED, 24>(&TAIL, place) * (centred * per_whole)
    };
    let tails = [tail(a, a_centred, b_whole, bells[0]), tail(b, b_centred, a_whole, bells[1])];
    [0, 1].map(|each| if x[each] < 0.0 { tails[each] } else { 1.0 - tails[each] })
}

/// Return e^x for x ≤ 0.
#[inline(always)]
fn exponential<const FUSED: bool>(x: f64) -> f64 {
    let x = x.max(EXPONENT_MIN);
    let rounded = fused::<FUSED>(x, LOG_TWO_INVERSE, ROUNDER);
    let twos = rounded - ROUNDER;
    let rest = fused::<FUSED>(twos, -LOG_TWO_HIGH, x);
    let rest = fused::<FUSED>(twos, -LOG_TWO_LOW, rest);
    let power = f64::from_bits(ONE_BITS.wrapping_add(rounded.to_bits() << MANTISSA_BITS));
    polynomial::<FUSED, 14>(&EXPONENTIAL, rest) * power
}

/// Return ln x for a normal number above 0.
#[inline(always)]
fn logarithm<const FUSED: bool>(x: f64) -> f64 {
    // x = 2^n · m, m from √½ to √2.
    let bits = x.to_bits();
    let twos = (bits.wrapping_sub(ROOT_HALF_BITS) as i64 >> MANTISSA_BITS) as u64;
    let mantissa = f64::from_bits(bits.wrapping_sub(twos << MANTISSA_BITS));
    let twos = f64::from_bits(ROUNDER.to_bits().wrapping_add(twos)) - ROUNDER;
    let place = (mantissa - 1.0) / (mantissa + 1.0);
    let part = place * polynomial::<FUSED, 11>(&LOGARITHM, place * place);
    fused::<FUSED>(twos, LOG_TWO, part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(forward: f64, strike: f64, volatility: f64, years: f64, sign: f64) -> [f64; 5] {
        let mut options = Options::new();
        (options.forward[7], options.strike[7]) = (forward, strike);
        (options.volatility[7], options.years[7], options.sign[7]) = (volatility, years, sign);
        let mut greeks = Greeks::new();
        evaluate(&options, &mut greeks);
        [greeks.price[7], greeks.delta[7], greeks.gamma[7], greeks.vega[7], greeks.theta[7]]
    }

    #[test]
    fn elementary_functions_agree_with_those_of_the_library() {
        for step in 0..200_000 {
            let x = step as f64 * -0.0035;
            let (ours, theirs) = (exponential::<false>(x), x.exp());
            assert!((ours / theirs - 1.0).abs() < 1e-15, "exp {x}: {ours} and {theirs}");
            let y = 1.000_1_f64.powi(step - 100_000) * 1.234_5;
            let (ours, theirs) = (logarithm::<false>(y), y.ln());
            assert!((ours - theirs).abs() <= 1e-15 * theirs.abs().max(0.01), "ln {y}: {ours}");
        }
    }

    #[test]
    fn tails_are_those_of_tables() {
        // Φ(−x) to 16 digits.
        let table = [
            (0.0, 0.5),
            (1.0, 0.158_655_253_931_457_05),
            (3.0, 1.349_898_031_630_094_5e-3),
            (8.0, 6.220_960_574_271_785e-16),
            (20.0, 2.753_624_118_606_233_7e-89),
            (37.0, 5.725_571_222_524_576e-300),
        ];
        for (x, expected) in table {
            let bell = exponential::<false>(-x * x / 2.0);
            let [tail, rest] = below::<false>([-x, x], [bell; 2]);
            assert!((tail / expected - 1.0).abs() < 2e-13, "{x}: {tail}");
            assert_eq!(rest, 1.0 - tail, "the other side of {x}");
        }
    }

    #[test]
    fn calls_less_puts_are_forward_less_strike() {
        for strike in [20.0, 90.0, 100.0, 130.0, 900.0] {
            let [call, delta, ..] = one(100.0, strike, 0.6, 0.25, 1.0);
            let [put, put_delta, ..] = one(100.0, strike, 0.6, 0.25, -1.0);
            assert!((call - put - (100.0 - strike)).abs() < 1e-12, "{strike}");
            assert!((delta - put_delta - 1.0).abs() < 1e-15, "{strike}");
        }
    }

    #[test]
    fn next_to_no_deviation_leaves_what_exercise_brings() {
        let [price, delta, ..] = one(100.0, 90.0, 1e-9, 1e-6, 1.0);
        assert_eq!((price, delta), (10.0, 1.0));
        let [price, delta, ..] = one(100.0, 110.0, 1e-9, 1e-6, 1.0);
        assert!(price.abs() < 1e-300 && delta.abs() < 1e-300, "{price} {delta}");
    }

    #[test]
    fn every_width_of_vectors_gives_nearly_the_same() {
        let (mut options, mut widest, mut plain) = (Options::new(), Greeks::new(), Greeks::new());
        for place in 0..BLOCK {
            options.forward[place] = 100.0;
            options.strike[place] = 30.0 + place as f64;
            options.sign[place] = if place % 2 == 0 { 1.0 } else { -1.0 };
            options.years[place] = 0.01 + place as f64 / 100.0;
        }
        evaluate(&options, &mut widest);
        evaluate_in::<false>(&options, &mut plain);
        for place in 0..BLOCK {
            assert!((widest.price[place] - plain.price[place]).abs() < 1e-12, "price {place}");
            assert!((widest.theta[place] - plain.theta[place]).abs() < 1e-12, "theta {place}");
        }
    }
}
