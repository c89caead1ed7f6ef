//! Payoffs: the one place that tells kinds of instruments apart.
//!
//! A kind says what listing asks of it, which observations price it, and what a lot is worth: its
//! mark, and its profit in each of the 27 scenarios.

use crate::black76::{HUNDREDTHS, Slice, call_and_put, total_variance};
use crate::fixed_point::{FRACTION_BITS, log, narrow, square_root_down};
use crate::limits::{CORE_COLUMNS, FRACTION_ONE_PPM, InstrumentKind, NS_PER_YEAR};
use crate::records::{expiry, global, instrument, parameters, underlying};
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

/// Spot moves, in quarters of the range, run from −4 to 4; columns run from the lowest spot,
/// volatility up, none, down within each.
const SPOT_MOVES: usize = 9;
pub const SPOT_STEPS_PER_RANGE: i64 = 4;
pub const VOLATILITY_MOVES: usize = 3;

/// Nanos in one unit of an underlying.
pub const NANOS_PER_UNIT: u64 = 1_000_000_000;

const ONE_PPM: i64 = FRACTION_ONE_PPM as i64;

/// Profit of a lot in each scenario, in quote atoms.
pub type Core = [i64; CORE_COLUMNS as usize];

const _: () = assert!(SPOT_MOVES * VOLATILITY_MOVES == CORE_COLUMNS as usize);

/// One kind of instrument.
pub struct Payoff {
    /// Where an underlying keeps the terms of the kind.
    pub terms_place: u32,
    /// Value accrues in the position's entry, and is no premium in cash.
    pub is_linear: bool,
    pub is_dated: bool,
    pub has_strike: bool,
    /// What tells apart two kinds with one strike in the index of an expiry.
    pub strike_offset: u64,
}

impl Payoff {
    /// Return the row of a kind.
    #[inline]
    pub const fn of(kind: InstrumentKind) -> Self {
        let (terms_place, is_linear, is_dated, has_strike, strike_offset) = match kind {
            InstrumentKind::Perpetual => (0, true, false, false, 0),
            InstrumentKind::Future => (1, true, true, false, 0),
            InstrumentKind::Call => (2, false, true, true, 0),
            InstrumentKind::Put => (2, false, true, true, 1),
            InstrumentKind::Combo => (0, false, false, false, 0),
        };
        Self { terms_place, is_linear, is_dated, has_strike, strike_offset }
    }
}

/// Return whether a kind's prices can be told from what publishers said so far.
pub fn is_observed(kind: InstrumentKind, market: &Market) -> bool {
    match kind {
        InstrumentKind::Perpetual => market.index_version > 0,
        InstrumentKind::Future => market.forward_version > 0,
        InstrumentKind::Call | InstrumentKind::Put => {
            market.forward_version > 0 && market.surface_version > 0
        }
        InstrumentKind::Combo => false,
    }
}

/// Return mark and columns of a lot, in quote atoms.
pub fn array(terms: &Terms, market: &Market) -> (i64, Core) {
    match terms.kind {
        InstrumentKind::Perpetual => linear_array(terms, market.index_atoms, market),
        InstrumentKind::Future => linear_array(terms, market.forward_atoms as u64, market),
        InstrumentKind::Call | InstrumentKind::Put => option_array(terms, market),
        InstrumentKind::Combo => unreachable!("a combo is worth its legs, see `prices`"),
    }
}

/// Return the kind of a listed instrument.
#[inline]
pub fn kind_of<S: Store>(world: &World<S>, instrument: u32) -> InstrumentKind {
    let kind = world.instrument(instrument, instrument::KIND);
    InstrumentKind::try_from(kind).expect("listing wrote the kind")
}

/// What all instruments of an expiry are priced from.
pub struct Market {
    index_atoms: u64,
    pub index_version: u32,
    pub forward_version: u32,
    pub surface_version: u32,
    pub parameter_version: u32,
    vol_up_ppm: i64,
    vol_down_ppm: i64,
    vol_up_floor_ppm: i64,
    shocks_ppm: [i64; SPOT_MOVES],
    forward_atoms: i64,
    forward_log: i64,
    surface: Slice,
    surface_ns: u64,
    expiry_ns: u64,
    pub now_ns: u64,
}

impl Market {
    /// Read it from the records.
    pub fn read<S: Store>(world: &World<S>, slot: u32) -> Self {
        let owner = world.expiry(slot, expiry::UNDERLYING);
        let range_ppm = world.parameters(PARAMETERS_SLOT, parameters::SPOT_RANGE_PPM);
        let up_ppm = world.parameters(PARAMETERS_SLOT, parameters::VOL_UP_PPM);
        let down_ppm = world.parameters(PARAMETERS_SLOT, parameters::VOL_DOWN_PPM);
        let floor_ppm = world.parameters(PARAMETERS_SLOT, parameters::VOL_UP_FLOOR_PPM);
        Self {
            index_atoms: world.underlying(owner, underlying::INDEX_ATOMS),
            index_version: world.underlying(owner, underlying::INDEX_VERSION),
            forward_version: world.expiry(slot, expiry::FORWARD_VERSION),
            surface_version: world.expiry(slot, expiry::SURFACE_VERSION),
            parameter_version: world.parameters(PARAMETERS_SLOT, parameters::VERSION),
            vol_up_ppm: up_ppm as i64,
            vol_down_ppm: down_ppm as i64,
            vol_up_floor_ppm: floor_ppm as i64,
            shocks_ppm: spot_shocks_ppm(range_ppm),
            forward_atoms: world.expiry(slot, expiry::FORWARD_ATOMS) as i64,
            forward_log: world.expiry(slot, expiry::FORWARD_LOG),
            surface: read_surface(world, slot),
            surface_ns: world.expiry(slot, expiry::SURFACE_NS),
            expiry_ns: world.expiry(slot, expiry::EXPIRY_NS),
            now_ns: world.header(global::WINDOW_NS),
        }
    }

    /// Return the time to expiry, 0 at and after it.
    fn remaining_ns(&self) -> u64 {
        self.expiry_ns.saturating_sub(self.now_ns)
    }
}

fn read_surface<S: Store>(world: &World<S>, slot: u32) -> Slice {
    Slice {
        a: world.expiry(slot, expiry::SURFACE_A),
        b: world.expiry(slot, expiry::SURFACE_B),
        rho: world.expiry(slot, expiry::SURFACE_RHO),
        m: world.expiry(slot, expiry::SURFACE_M),
        sigma: world.expiry(slot, expiry::SURFACE_SIGMA),
    }
}

/// What of an instrument its price depends on.
pub struct Terms {
    pub kind: InstrumentKind,
    lot_nanos: u64,
    strike_atoms: i64,
    strike_log: i64,
}

impl Terms {
    /// Read it from the records.
    pub fn read<S: Store>(world: &World<S>, slot: u32) -> Self {
        Self {
            kind: kind_of(world, slot),
            lot_nanos: world.instrument(slot, instrument::LOT_NANOS),
            strike_atoms: world.instrument(slot, instrument::STRIKE_ATOMS) as i64,
            strike_log: world.instrument(slot, instrument::STRIKE_LOG),
        }
    }
}

/// Return the nine spot moves, lowest first. Rounds down.
fn spot_shocks_ppm(range_ppm: u32) -> [i64; SPOT_MOVES] {
    core::array::from_fn(|place| {
        let step = place as i64 - SPOT_STEPS_PER_RANGE;
        (range_ppm as i64 * step).div_euclid(SPOT_STEPS_PER_RANGE)
    })
}

/// Return mark and columns of a lot worth a price per unit, which spot moves move in proportion.
///
/// Rounds to nearest, half up.
fn linear_array(terms: &Terms, price_atoms: u64, market: &Market) -> (i64, Core) {
    let value = price_atoms as i128 * terms.lot_nanos as i128;
    let mark = div_nearest(value, NANOS_PER_UNIT);
    let profits = market
        .shocks_ppm
        .map(|shock_ppm| div_nearest(mark as i128 * shock_ppm as i128, FRACTION_ONE_PPM));
    (mark, core::array::from_fn(|column| profits[column / VOLATILITY_MOVES]))
}

/// Return mark and columns of an option lot, in quote atoms. Strikes keep their volatility when
/// spot moves.
fn option_array(terms: &Terms, market: &Market) -> (i64, Core) {
    let deviation = base_deviation(market, terms.strike_log);
    let deviations = shocked_deviations(deviation, market);
    let mark = lot_value(terms, market.forward_atoms, market.forward_log as i128, deviation);
    let mut core = [0; CORE_COLUMNS as usize];
    for (columns, shock_ppm) in core.chunks_exact_mut(VOLATILITY_MOVES).zip(market.shocks_ppm) {
        let factor_ppm = ONE_PPM + shock_ppm;
        let moved = market.forward_atoms as i128 * factor_ppm as i128;
        let forward = narrow(moved.div_euclid(ONE_PPM as i128)).max(1);
        let shift = log(factor_ppm as u64) - log(FRACTION_ONE_PPM);
        let forward_log = market.forward_log as i128 + shift;
        for (column, shocked) in columns.iter_mut().zip(deviations) {
            *column = lot_value(terms, forward, forward_log, shocked) - mark;
        }
    }
    (mark, core)
}

/// Return σ√t of a strike now, Q5.58: the surface's total variance shrinks with the time that is
/// left.
///
/// Rounds down. 0 at and after expiry.
fn base_deviation(market: &Market, strike_log: i64) -> i128 {
    let remaining_ns = market.remaining_ns();
    if remaining_ns == 0 {
        return 0;
    }
    let variance = total_variance(&market.surface, strike_log - market.forward_log);
    let term_ns = market.expiry_ns - market.surface_ns;
    square_root_down(variance as u128 * remaining_ns as u128 / term_ns as u128) as i128
}

/// Return σ√t with volatility up (at least the floor), unmoved and down. Rounds down.
fn shocked_deviations(deviation: i128, market: &Market) -> [i128; VOLATILITY_MOVES] {
    let remaining_ns = market.remaining_ns();
    if remaining_ns == 0 {
        return [0; VOLATILITY_MOVES];
    }
    let years = ((remaining_ns as u128) << FRACTION_BITS) / NS_PER_YEAR as u128;
    let root_time = square_root_down(years) as i128;
    let scaled = |number: i128, factor_ppm: i64| number * factor_ppm as i128 / ONE_PPM as i128;
    let floor = scaled(root_time, market.vol_up_floor_ppm);
    let up = scaled(deviation, ONE_PPM + market.vol_up_ppm);
    let down = scaled(deviation, (ONE_PPM - market.vol_down_ppm).max(0));
    [up.max(floor), deviation, down]
}

/// Return the value of one option lot in quote atoms. Rounds to nearest, half up.
fn lot_value(terms: &Terms, forward: i64, forward_log: i128, deviation: i128) -> i64 {
    let (call, put) =
        call_and_put(forward, forward_log, terms.strike_atoms, terms.strike_log as i128, deviation);
    let price = if terms.kind == InstrumentKind::Call { call } else { put };
    div_nearest(price as i128 * terms.lot_nanos as i128, NANOS_PER_UNIT * HUNDREDTHS as u64)
}

/// Return the quotient rounded to nearest, half up; the denominator is positive and even.
fn div_nearest(numerator: i128, denominator: u64) -> i64 {
    let denominator = denominator as i128;
    narrow((numerator + denominator / 2).div_euclid(denominator))
}
