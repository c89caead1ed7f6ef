//! Payoffs: the one place that tells kinds of instruments apart.
//!
//! A kind says what listing asks of it, which observations price it, and what a unit is worth at a
//! price: `arrays` puts that through the scenarios.

use crate::averaging::Averaging;
use crate::black76::{HUNDREDTHS, Price, Slice, Spread, call_delta, call_value};
use crate::limits::{FEMTOS_PER_PPM, FRACTION_ONE_PPM, InstrumentKind, NS_PER_SECOND};
use crate::records::{expiry, global, instrument, parameters, underlying};
use crate::scenarios::Scenarios;
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

/// Nanos in one unit of an underlying.
pub const NANOS_PER_UNIT: u64 = 1_000_000_000;

/// Until when an array is fresh that no observation can change any more.
pub const NEVER_STALE_NS: u64 = (1 << 63) - 1;

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
    /// What a unit gains, as a share of the price, of each further doubling, and of each fall by
    /// as much, far away.
    pub slopes: (i64, i64),
}

impl Payoff {
    /// Return the row of a kind.
    #[inline]
    pub const fn of(kind: InstrumentKind) -> Self {
        let (terms_place, is_linear, is_dated, has_strike, strike_offset, slopes) = match kind {
            InstrumentKind::Perpetual => (0, true, false, false, 0, (0, 0)),
            InstrumentKind::Future => (1, true, true, false, 0, (1, -1)),
            InstrumentKind::Call => (2, false, true, true, 0, (1, 0)),
            InstrumentKind::Put => (2, false, true, true, 1, (0, 1)),
            InstrumentKind::Combo => (0, false, false, false, 0, (0, 0)),
        };
        Self { terms_place, is_linear, is_dated, has_strike, strike_offset, slopes }
    }
}

/// An observation: its version, 0 without one, and until when it is fresh.
#[derive(Clone, Copy)]
struct Observation {
    version: u32,
    fresh_until_ns: u64,
}

/// What all instruments of an expiry are priced from.
pub struct Market {
    index: Price,
    pub forward: Price,
    pub averaging: Averaging,
    observed_index: Observation,
    observed_forward: Observation,
    observed_surface: Observation,
    pub parameter_version: u32,
    perpetual_mark_max_ppm: i64,
    pub basis_floor_ppm: i128,
    pub scenarios: Scenarios,
    pub surface: Slice,
    pub surface_ns: u64,
    pub expiry_ns: u64,
    pub now_ns: u64,
}

impl Market {
    /// Read it from the records.
    pub fn read<S: Store>(world: &World<S>, slot: u32) -> Self {
        let owner = world.expiry(slot, expiry::UNDERLYING);
        let parameter = |field| world.parameters(PARAMETERS_SLOT, field);
        let observed = |version, observed_ns: u64, age| Observation {
            version,
            fresh_until_ns: observed_ns
                .saturating_add(parameter(age) as u64 * NS_PER_SECOND)
                .min(NEVER_STALE_NS),
        };
        let surface_ns = world.expiry(slot, expiry::SURFACE_NS);
        let expiry_ns = world.expiry(slot, expiry::EXPIRY_NS);
        let now_ns = world.header(global::WINDOW_NS);
        let remaining_ns = expiry_ns.saturating_sub(now_ns);
        let averaging = Averaging::read(world, slot, remaining_ns);
        Self {
            index: Price {
                value: hundredths(world.underlying(owner, underlying::INDEX_ATOMS)),
                log: 0,
            },
            forward: Price {
                value: hundredths(world.expiry(slot, expiry::FORWARD_ATOMS)),
                log: world.expiry(slot, expiry::FORWARD_LOG),
            },
            averaging,
            observed_index: observed(
                world.underlying(owner, underlying::INDEX_VERSION),
                world.underlying(owner, underlying::INDEX_NS),
                parameters::INDEX_AGE_SECONDS,
            ),
            observed_forward: observed(
                world.expiry(slot, expiry::FORWARD_VERSION),
                world.expiry(slot, expiry::FORWARD_NS),
                parameters::FORWARD_AGE_SECONDS,
            ),
            observed_surface: observed(
                world.expiry(slot, expiry::SURFACE_VERSION),
                surface_ns,
                parameters::SURFACE_AGE_SECONDS,
            ),
            parameter_version: parameter(parameters::VERSION),
            perpetual_mark_max_ppm: parameter(parameters::PERPETUAL_MARK_MAX_PPM) as i64,
            basis_floor_ppm: parameter(parameters::BASIS_FLOOR_PPM) as i128,
            scenarios: Scenarios::read(world, remaining_ns, averaging.variance_ns),
            surface: read_surface(world, slot),
            surface_ns,
            expiry_ns,
            now_ns,
        }
    }

    pub fn index_version(&self) -> u32 {
        self.observed_index.version
    }

    pub fn forward_version(&self) -> u32 {
        self.observed_forward.version
    }

    pub fn surface_version(&self) -> u32 {
        self.observed_surface.version
    }

    /// Return the time to expiry: 0 at and after it, and of perpetuals.
    pub fn remaining_ns(&self) -> u64 {
        self.expiry_ns.saturating_sub(self.now_ns)
    }

    /// Return what an instrument is worth something by: the index with the premium in a
    /// perpetual's mark, or what still moves of the average at expiry, before its window the whole
    /// forward. Rounds down.
    pub fn price(&self, terms: &Terms) -> Price {
        if Payoff::of(terms.kind).is_dated {
            return self.averaging.still_moves(self.forward);
        }
        let most = self.perpetual_mark_max_ppm * FEMTOS_PER_PPM as i64;
        let premium_femtos = terms.mark_premium_femtos.clamp(-most, most);
        let premium = (self.index.value as i128 * premium_femtos as i128)
            .div_euclid(FEMTOS_PER_PPM as i128 * FRACTION_ONE_PPM as i128);
        Price { value: self.index.value + premium as i64, ..self.index }
    }

    /// Return the price that publishers say and a kind moves with: a forward, or the index.
    pub fn observed_atoms(&self, kind: InstrumentKind) -> u64 {
        let price = if Payoff::of(kind).is_dated { self.forward } else { self.index };
        (price.value / HUNDREDTHS) as u64
    }

    /// Return whether there is every observation that a kind needs; a combo is priced by its legs.
    pub fn is_observed(&self, kind: InstrumentKind) -> bool {
        let needs = self.needs(kind);
        kind != InstrumentKind::Combo && needs.iter().all(|need| need.version > 0)
    }

    /// Return the time after which the first observation is stale that still changes a value.
    pub fn fresh_until_ns(&self, kind: InstrumentKind) -> u64 {
        if Payoff::of(kind).is_dated && self.averaging.open_ns == 0 {
            return NEVER_STALE_NS;
        }
        let [first, second] = self.needs(kind);
        first.fresh_until_ns.min(second.fresh_until_ns)
    }

    /// Return the observations that a kind needs; where it is one, twice.
    fn needs(&self, kind: InstrumentKind) -> [Observation; 2] {
        let payoff = Payoff::of(kind);
        if payoff.has_strike {
            [self.observed_forward, self.observed_surface]
        } else if payoff.is_dated {
            [self.observed_forward; 2]
        } else {
            [self.observed_index; 2]
        }
    }
}

/// Return quote atoms in 1e-8 USD.
fn hundredths(atoms: u64) -> i64 {
    atoms as i64 * HUNDREDTHS
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

/// Return the kind of a listed instrument.
#[inline]
pub fn kind_of<S: Store>(world: &World<S>, instrument: u32) -> InstrumentKind {
    let kind = world.instrument(instrument, instrument::KIND);
    InstrumentKind::try_from(kind).expect("listing wrote the kind")
}

/// What of an instrument its price depends on.
pub struct Terms {
    pub kind: InstrumentKind,
    pub lot_nanos: u64,
    pub strike: Price,
    mark_premium_femtos: i64,
}

impl Terms {
    /// Read it from the records.
    pub fn read<S: Store>(world: &World<S>, slot: u32) -> Self {
        Self {
            kind: kind_of(world, slot),
            lot_nanos: world.instrument(slot, instrument::LOT_NANOS),
            strike: Price {
                value: hundredths(world.instrument(slot, instrument::STRIKE_ATOMS)),
                log: world.instrument(slot, instrument::STRIKE_LOG),
            },
            mark_premium_femtos: world.instrument(slot, instrument::MARK_PREMIUM_FEMTOS),
        }
    }
}

/// Return what a unit is worth at a price and a volatility, in 1e-8 USD; a put is a call less the
/// price, plus the strike, exactly. 0 is the strike of a linear kind.
#[inline(always)]
pub fn unit_value(kind: InstrumentKind, price: Price, strike: Price, spread: &Spread) -> i64 {
    match kind {
        InstrumentKind::Perpetual | InstrumentKind::Future => price.value - strike.value,
        InstrumentKind::Call => call_value(price, strike, spread),
        InstrumentKind::Put => call_value(price, strike, spread) - price.value + strike.value,
        InstrumentKind::Combo => unreachable!("a combo is worth its legs, see `prices`"),
    }
}

/// Return what a unit gains when the price doubles at the rate of now, in 1e-8 USD; of a put that
/// of a call less the price, exactly.
pub fn delta(kind: InstrumentKind, price: Price, strike: Price, spread: &Spread) -> i64 {
    match kind {
        InstrumentKind::Call => call_delta(price, strike, spread),
        InstrumentKind::Put => call_delta(price, strike, spread) - price.value,
        _ => price.value,
    }
}
