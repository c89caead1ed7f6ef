//! Risk arrays: what a lot is worth, and what it gains or loses in each scenario.

use crate::black76::{HUNDREDTHS, Price, Spread, VARIANCE_MAX, total_variance};
use crate::fixed_point::{narrow, square_root_down};
use crate::limits::{CORE_COLUMNS, FRACTION_ONE_PPM, TAIL_COLUMNS};
use crate::payoff::{Market, NANOS_PER_UNIT, NEVER_STALE_NS, Payoff, Terms, delta, unit_value};
use crate::rounding::floor_div;
use crate::scenarios::{Move, ONE_PPM, VOLATILITY_MOVES};

/// A risk array, in quote atoms per lot; the names are those of its record.
pub struct Array {
    pub mark_atoms: i64,
    pub core: [i64; CORE_COLUMNS as usize],
    pub tails: [i64; TAIL_COLUMNS as usize],
    pub skew_linear_atoms: i64,
    pub skew_absolute_atoms: i64,
    pub delta_atoms: i64,
    pub basis_atoms: i64,
    pub slope_up_atoms: i64,
    pub slope_down_atoms: i64,
    pub fresh_until_ns: u64,
    /// The index or forward, per unit, that the mark is made of: 0 of a final one.
    pub observed_atoms: u64,
}

/// One lot of an instrument at the price of now, with its volatility.
struct Lot<'a> {
    terms: &'a Terms,
    price: Price,
    strike: Price,
    log_moneyness: i64,
    spread: Spread,
    value: i64,
}

impl<'a> Lot<'a> {
    /// Take a lot at the current observations.
    fn of(terms: &'a Terms, market: &Market) -> Self {
        let payoff = Payoff::of(terms.kind);
        let price = market.price(terms);
        let fixed = if payoff.is_dated { market.averaging.fixed } else { 0 };
        let strike = open_strike(terms, fixed);
        let log_moneyness = terms.strike.log - market.forward.log;
        let deviation = if payoff.has_strike { base_deviation(market, log_moneyness) } else { 0 };
        let spread = Spread::of(deviation);
        let value = unit_value(terms.kind, price, strike, &spread);
        Self { terms, price, strike, log_moneyness, spread, value }
    }

    /// Return what the lot gains by a move of price and volatility, weighted, in atoms.
    #[inline(always)]
    fn profit(&self, move_: &Move, spread: &Spread) -> i64 {
        let price = moved(self.price, move_);
        let difference = unit_value(self.terms.kind, price, self.strike, spread) - self.value;
        self.atoms(difference as i128 * move_.weight_ppm as i128, FRACTION_ONE_PPM)
    }

    /// Return a value per unit, in 1e-8 USD / scale, in atoms per lot.
    ///
    /// Rounds  to nearest, half up: once, from the exact product, so that what cancels between
    ///         instruments of an expiry cancels up to half an atom a leg.
    #[inline(always)]
    fn atoms(&self, value: i128, scale: u64) -> i64 {
        let denominator = NANOS_PER_UNIT * HUNDREDTHS as u64 * scale;
        div_nearest(value * self.terms.lot_nanos as i128, denominator)
    }
}

/// Return the array of a lot whose worth nothing changes any more.
pub fn final_array(mark_atoms: i64) -> Array {
    Array {
        mark_atoms,
        core: [0; CORE_COLUMNS as usize],
        tails: [0; TAIL_COLUMNS as usize],
        skew_linear_atoms: 0,
        skew_absolute_atoms: 0,
        delta_atoms: 0,
        basis_atoms: 0,
        slope_up_atoms: 0,
        slope_down_atoms: 0,
        fresh_until_ns: NEVER_STALE_NS,
        observed_atoms: 0,
    }
}

/// Return what a unit is worth at a price that nothing moves any more, in 1e-8 USD.
pub fn unit_value_at(terms: &Terms, price: i64) -> i64 {
    unit_value(terms.kind, Price { value: price, log: 0 }, terms.strike, &Spread::of(0))
}

/// Return the array of a lot of an instrument whose observations are there.
pub fn risk_array(terms: &Terms, market: &Market) -> Array {
    let lot = Lot::of(terms, market);
    let (scenarios, payoff) = (&market.scenarios, Payoff::of(terms.kind));
    let deviation = lot.spread.deviation();
    let spreads = scenarios.deviations(deviation).map(Spread::of);
    let skewed = |moneyness| Spread::of(scenarios.skewed(deviation, moneyness));
    let delta = delta(terms.kind, lot.price, lot.strike, &lot.spread) as i128;
    let basis_ppm = if payoff.is_dated { scenarios.basis_ppm } else { market.basis_floor_ppm };
    let slope = |share: i64| lot.atoms(share as i128 * lot.price.value as i128, 1);
    Array {
        mark_atoms: lot.atoms(lot.value as i128, 1),
        core: core::array::from_fn(|column| {
            let move_ = &scenarios.core[column / VOLATILITY_MOVES];
            lot.profit(move_, &spreads[column % VOLATILITY_MOVES])
        }),
        tails: core::array::from_fn(|tail| lot.profit(&scenarios.tails[tail], &spreads[0])),
        skew_linear_atoms: lot.profit(&Move::NONE, &skewed(lot.log_moneyness)),
        skew_absolute_atoms: lot.profit(&Move::NONE, &skewed(lot.log_moneyness.abs())),
        delta_atoms: lot.atoms(delta, 1),
        basis_atoms: lot.atoms(delta * basis_ppm, FRACTION_ONE_PPM),
        slope_up_atoms: slope(payoff.slopes.0),
        slope_down_atoms: slope(payoff.slopes.1),
        fresh_until_ns: market.fresh_until_ns(terms.kind),
        observed_atoms: market.observed_atoms(terms.kind),
    }
}

/// Return what is left of a strike for the part of the average that is still to come.
///
/// None is left of 0, the strike of a linear kind, but what is fixed already: less than nothing.
fn open_strike(terms: &Terms, fixed: i64) -> Price {
    if fixed == 0 { terms.strike } else { Price::of(terms.strike.value - fixed) }
}

/// Return a price after a move: at least 1e-8 USD, unless it is nothing. Rounds down.
#[inline(always)]
fn moved(price: Price, move_: &Move) -> Price {
    let value = narrow(price.value as i128 * move_.factor_ppm as i128 / ONE_PPM);
    Price { value: value.max(price.value.min(1)), log: price.log + move_.factor_log }
}

/// Return σ√t of a strike now, Q5.58: the surface's total variance shrinks with the time that is
/// left.
///
/// It is capped as the surface's own: one that is published in the last moments may stand for far
/// less time than an average still needs. Rounds down. 0 at and after expiry.
fn base_deviation(market: &Market, log_moneyness: i64) -> i64 {
    if market.remaining_ns() == 0 {
        return 0;
    }
    let variance = total_variance(&market.surface, log_moneyness);
    let term_ns = market.expiry_ns - market.surface_ns;
    let left = variance as u128 * market.averaging.variance_ns as u128 / term_ns as u128;
    square_root_down(left.min(VARIANCE_MAX as u128)) as i64
}

/// Return the quotient rounded to nearest, half up; the denominator is positive and even.
#[inline(always)]
pub fn div_nearest(numerator: i128, denominator: u64) -> i64 {
    let denominator = denominator as i128;
    narrow(floor_div(numerator + denominator / 2, denominator))
}
