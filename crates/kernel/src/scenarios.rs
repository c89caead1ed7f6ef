//! Scenarios: how far prices and volatilities of an expiry move, and what each move counts for.

use crate::black76::DEVIATION_MAX;
use crate::field::U32;
use crate::fixed_point::{FRACTION_BITS, ONE, exp, log, narrow, square_root_down};
use crate::limits::{
    CORE_COLUMNS, FRACTION_ONE_PPM, NS_PER_DAY, NS_PER_YEAR, TAIL_COLUMNS, TAIL_MOVES_PPM,
};
use crate::records::parameters;
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

/// Spot moves, in quarters of the range, run from −4 to 4; columns run from the lowest spot,
/// volatility up, none, down within each.
pub const SPOT_MOVES: usize = 9;
pub const SPOT_STEPS_PER_RANGE: i64 = 4;
pub const VOLATILITY_MOVES: usize = 3;

/// The time to expiry at which volatility moves by its parameters themselves.
const REFERENCE_NS: u64 = 30 * NS_PER_DAY;

/// Below it volatility moves as much as with a day left.
const SHORTEST_NS: u64 = NS_PER_DAY;

/// A profit in each scenario, core before tails.
pub type Profits = [i128; (CORE_COLUMNS + TAIL_COLUMNS) as usize];

pub const ONE_PPM: i128 = FRACTION_ONE_PPM as i128;

const _: () = assert!(SPOT_MOVES * VOLATILITY_MOVES == CORE_COLUMNS as usize);
const _: () = assert!(TAIL_MOVES_PPM.len() == TAIL_COLUMNS as usize);

/// A spot move: price after it as a share of now, the share's logarithm, what profit counts.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    pub factor_ppm: i64,
    pub factor_log: i64,
    pub weight_ppm: i64,
}

impl Move {
    /// No move at all.
    pub const NONE: Self = Self {
        factor_ppm: FRACTION_ONE_PPM as i64,
        factor_log: 0,
        weight_ppm: FRACTION_ONE_PPM as i64,
    };

    /// Return the move by a share of the price, above −1.
    fn by(shock_ppm: i64, weight_ppm: i64) -> Self {
        let factor_ppm = FRACTION_ONE_PPM as i64 + shock_ppm;
        let factor_log = narrow(log(factor_ppm as u64) - log(FRACTION_ONE_PPM));
        Self { factor_ppm, factor_log, weight_ppm }
    }
}

/// What the instruments of an expiry are put through, at one time to it.
///
/// Units   factors of volatility, deviations, cap and width in Q5.58.
pub struct Scenarios {
    pub core: [Move; SPOT_MOVES],
    pub tails: [Move; TAIL_COLUMNS as usize],
    up_factor: i128,
    down_factor: i128,
    floor_deviation: i128,
    skew_cap: i128,
    skew_width: i128,
    pub basis_ppm: i128,
}

impl Scenarios {
    /// Return the scenarios with so much time to expiry; none is left of a perpetual.
    ///
    /// Volatility counts for `variance_ns`, see `averaging`.
    pub fn read<S: Store>(world: &World<S>, remaining_ns: u64, variance_ns: u64) -> Self {
        let parameter = |field| world.parameters(PARAMETERS_SLOT, field) as i128;
        let years_of = |ns: u64| ((ns as u128) << FRACTION_BITS) / NS_PER_YEAR as u128;
        let root_time = square_root_down(years_of(variance_ns)) as i128;
        let is_long = remaining_ns > REFERENCE_NS;
        let power_ppm = if is_long {
            parameter(parameters::VOL_POWER_LONG_PPM)
        } else {
            parameter(parameters::VOL_POWER_SHORT_PPM)
        };
        let multiple = volatility_multiple(power_ppm, remaining_ns);
        let range_ppm = parameter(parameters::SPOT_RANGE_PPM) as i64;
        let weight_ppm = parameter(parameters::TAIL_WEIGHT_PPM) as u64 * range_ppm as u64;
        let down_factor = ONE as i128 - parameter(parameters::VOL_DOWN_PPM) * multiple / ONE_PPM;
        Self {
            core: spot_shocks_ppm(range_ppm).map(|shock| Move::by(shock, ONE_PPM as i64)),
            tails: TAIL_MOVES_PPM
                .map(|tail| Move::by(tail, weight_ppm.div_ceil(tail.unsigned_abs()) as i64)),
            up_factor: ONE as i128 + parameter(parameters::VOL_UP_PPM) * multiple / ONE_PPM,
            down_factor: down_factor.max(0),
            floor_deviation: root_time * parameter(parameters::VOL_UP_FLOOR_PPM) / ONE_PPM,
            skew_cap: skew_cap(&parameter, root_time),
            skew_width: skew_width(&parameter, root_time),
            basis_ppm: basis_ppm_up(&parameter, years_of(remaining_ns) as i128),
        }
    }

    /// Return σ√t with volatility up (at least the floor's), unmoved and down. Rounds down.
    pub fn deviations(&self, deviation: i64) -> [i64; VOLATILITY_MOVES] {
        let up = (deviation as i128 * self.up_factor) >> FRACTION_BITS;
        let down = (deviation as i128 * self.down_factor) >> FRACTION_BITS;
        [up.max(self.floor_deviation).min(DEVIATION_MAX as i128) as i64, deviation, narrow(down)]
    }

    /// Return σ√t after a skew shock: more on one side of the money, less on the other.
    ///
    /// Rounds  down, the shift as well as the deviation.
    pub fn skewed(&self, deviation: i64, log_moneyness: i64) -> i64 {
        let shift = (log_moneyness as i128 * self.skew_cap).div_euclid(self.skew_width);
        let factor = (ONE as i128 + shift.clamp(-self.skew_cap, self.skew_cap)).max(0);
        ((deviation as i128 * factor) >> FRACTION_BITS).min(DEVIATION_MAX as i128) as i64
    }
}

/// Return what a value in proportion to the spot price gains in each scenario, core and tails.
///
/// Rounds  down, against who holds it.
pub fn spot_profits<S: Store>(world: &World<S>, value_atoms: i128) -> Profits {
    let range_ppm = world.parameters(PARAMETERS_SLOT, parameters::SPOT_RANGE_PPM) as i64;
    let weight_ppm = world.parameters(PARAMETERS_SLOT, parameters::TAIL_WEIGHT_PPM) as u64;
    let core = spot_shocks_ppm(range_ppm)
        .map(|shock_ppm| (value_atoms * shock_ppm as i128).div_euclid(ONE_PPM));
    let tails = TAIL_MOVES_PPM.map(|tail_ppm| {
        let weight_ppm = (weight_ppm * range_ppm as u64).div_ceil(tail_ppm.unsigned_abs());
        let weighted = value_atoms * tail_ppm as i128 * weight_ppm as i128;
        weighted.div_euclid(ONE_PPM * ONE_PPM)
    });
    core::array::from_fn(|column| match column.checked_sub(CORE_COLUMNS as usize) {
        Some(tail) => tails[tail],
        None => core[column / VOLATILITY_MOVES],
    })
}

/// Return the nine spot moves, lowest first. Rounds down.
fn spot_shocks_ppm(range_ppm: i64) -> [i64; SPOT_MOVES] {
    core::array::from_fn(|place| {
        let step = place as i64 - SPOT_STEPS_PER_RANGE;
        (range_ppm * step).div_euclid(SPOT_STEPS_PER_RANGE)
    })
}

/// Return (30 d / t)^p, t at least a day, Q5.58: volatility of little time moves most.
///
/// Rounds  down; error below 2^-51.
fn volatility_multiple(power_ppm: i128, remaining_ns: u64) -> i128 {
    let ratio_log = log(REFERENCE_NS) - log(remaining_ns.max(SHORTEST_NS));
    exp((power_ppm * ratio_log).div_euclid(ONE_PPM))
}

/// Return the share by which a skew shock changes a volatility at most, Q5.58. Rounds down.
fn skew_cap(parameter: &impl Fn(U32) -> i128, root_time: i128) -> i128 {
    let fall = parameter(parameters::SKEW_CAP_FALL_PPM) * root_time;
    let cap = parameter(parameters::SKEW_CAP_PPM) * ONE as i128 - fall;
    cap.div_euclid(ONE_PPM).max(0)
}

/// Return the log-moneyness from which on the shock is at its cap, positive, Q5.58. Rounds down.
fn skew_width(parameter: &impl Fn(U32) -> i128, root_time: i128) -> i128 {
    let fall = parameter(parameters::SKEW_VOLATILITY_FALL_PPM) * root_time;
    let volatility = parameter(parameters::SKEW_VOLATILITY_PPM) * ONE as i128 - fall;
    let scaled = root_time * parameter(parameters::SKEW_WIDTH_PPM) / ONE_PPM;
    let width = (scaled * volatility.div_euclid(ONE_PPM).max(0)) >> FRACTION_BITS;
    let least = parameter(parameters::SKEW_WIDTH_MIN_PPM) * ONE as i128 / ONE_PPM;
    width.max(least).max(1)
}

/// Return how far a forward moves against others: e^(rate · years) − 1, at least the floor.
///
/// Rounds  up: against the account.
fn basis_ppm_up(parameter: &impl Fn(U32) -> i128, years: i128) -> i128 {
    let growth = exp(parameter(parameters::BASIS_RATE_PPM) * years / ONE_PPM) - ONE as i128;
    let grown_ppm = -((-growth * ONE_PPM) >> FRACTION_BITS);
    grown_ppm.max(parameter(parameters::BASIS_FLOOR_PPM))
}
