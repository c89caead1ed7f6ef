//! What is governed: margin parameters, terms of books, grids.
//!
//! Genesis sets them and commands change them; each says whether it is sound.

use crate::commands::Address;
use crate::limits::{
    AMOUNT_ATOMS_MAX, FEE_PPM_MAX, FRACTION_ONE_PPM, INDEX_ATOMS_MAX, ORDER_LOTS_MAX,
    POSITION_LOTS_MAX, PRICE_TICKS_BITS, QUORUM_MAX, TOKEN_DECIMALS_MAX, TOKEN_DECIMALS_MIN,
};
use crate::parameters::{COUNT, FIELDS, MAXIMA, place};
use crate::payoff::NANOS_PER_UNIT;
use crate::reader::{Malformed, Reader};
use crate::records::{parameters, token, underlying};
use crate::store::Store;
use crate::world::{NOBODY, PARAMETERS_SLOT, World};

const PARAMETER_PPM_MAX: u32 = 10_000_000;
const TICK_ATOMS_MAX: u64 = 1 << 40;
const LOT_NANOS_MAX: u64 = 1_000 * NANOS_PER_UNIT;
const TICK_STEPS: usize = 3;

const _: () = assert!(underlying::TICK_FROM.len() as usize == TICK_STEPS);

/// What the governor sets for all accounts, in the order of `parameters`.
#[derive(Clone, Copy, Debug)]
pub struct MarginParameters {
    values: [u32; COUNT],
}

impl MarginParameters {
    /// Bytes that they take.
    pub const BYTES: usize = COUNT * size_of::<u32>();

    /// Read the parameters that stand next.
    pub fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        let mut values = [0; COUNT];
        for value in &mut values {
            *value = reader.u32()?;
        }
        Ok(Self { values })
    }

    /// Return whether all are in range, to keep a position asks for no more than to open it,
    /// stale legs for no less than fresh ones, and a forward may be near the index.
    pub fn is_sound(&self) -> bool {
        let value = |at: usize| self.values[at];
        self.values.iter().zip(MAXIMA).all(|(value, largest)| *value <= largest)
            && value(place::MAINTENANCE_FACTOR_PPM) <= value(place::INITIAL_FACTOR_PPM)
            && value(place::NAKED_MAINTENANCE_PPM) <= value(place::NAKED_INITIAL_PPM)
            && value(place::STANDARD_LINEAR_MAINTENANCE_PPM)
                <= value(place::STANDARD_LINEAR_INITIAL_PPM)
            && value(place::STANDARD_SHORT_MAINTENANCE_PPM) <= value(place::STANDARD_SHORT_MIN_PPM)
            && value(place::STALE_MARGIN_PPM) as u64 >= FRACTION_ONE_PPM
            && !(1..FRACTION_ONE_PPM).contains(&(value(place::FORWARD_RATIO_PPM) as u64))
    }

    /// Write parameters that are sound.
    pub fn write<S: Store>(&self, world: &mut World<S>, version: u32) {
        world.set_parameters(PARAMETERS_SLOT, parameters::VERSION, version);
        for (field, value) in FIELDS.into_iter().zip(self.values) {
            world.set_parameters(PARAMETERS_SLOT, field, value);
        }
    }
}

/// Terms of one kind of books: ticks in atoms per unit, lots in 1e-9 units, fees in ppm.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub tick_atoms: u64,
    pub lot_nanos: u64,
    pub lots_min: u64,
    pub lots_max: u64,
    pub block_lots_min: u64,
    pub position_lots_max: u64,
    pub open_interest_lots_max: u64,
    pub maker_fee_ppm: u32,
    pub taker_fee_ppm: u32,
    pub band_ppm: u32,
}

impl Terms {
    /// Read the terms that stand next.
    pub fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok(Self {
            tick_atoms: reader.u64()?,
            lot_nanos: reader.u64()?,
            lots_min: reader.u64()?,
            lots_max: reader.u64()?,
            block_lots_min: reader.u64()?,
            position_lots_max: reader.u64()?,
            open_interest_lots_max: reader.u64()?,
            maker_fee_ppm: reader.u32()?,
            taker_fee_ppm: reader.u32()?,
            band_ppm: reader.u32()?,
        })
    }

    /// Return whether a tick is worth a whole number of atoms and everything is in range.
    pub fn is_sound(&self) -> bool {
        (1..=TICK_ATOMS_MAX).contains(&self.tick_atoms)
            && (1..=LOT_NANOS_MAX).contains(&self.lot_nanos)
            && (self.tick_atoms as u128 * self.lot_nanos as u128)
                .is_multiple_of(NANOS_PER_UNIT as u128)
            && self.maker_fee_ppm.max(self.taker_fee_ppm) as u64 <= FEE_PPM_MAX
            && self.band_ppm <= PARAMETER_PPM_MAX
            && 1 <= self.lots_min
            && self.lots_min <= self.lots_max
            && self.lots_max <= ORDER_LOTS_MAX
            && (1..=ORDER_LOTS_MAX).contains(&self.block_lots_min)
            && self.position_lots_max <= POSITION_LOTS_MAX
    }

    /// Write terms that are sound.
    pub fn write<S: Store>(&self, world: &mut World<S>, slot: u32, place: u32) {
        world.set_underlying(slot, underlying::TICK_ATOMS.item(place), self.tick_atoms);
        world.set_underlying(slot, underlying::LOT_NANOS.item(place), self.lot_nanos);
        world.set_underlying(slot, underlying::LOTS_MIN.item(place), self.lots_min);
        world.set_underlying(slot, underlying::LOTS_MAX.item(place), self.lots_max);
        world.set_underlying(slot, underlying::BLOCK_LOTS_MIN.item(place), self.block_lots_min);
        world.set_underlying(
            slot,
            underlying::POSITION_LOTS_MAX.item(place),
            self.position_lots_max,
        );
        world.set_underlying(
            slot,
            underlying::OPEN_INTEREST_LOTS_MAX.item(place),
            self.open_interest_lots_max,
        );
        world.set_underlying(slot, underlying::MAKER_FEE_PPM.item(place), self.maker_fee_ppm);
        world.set_underlying(slot, underlying::TAKER_FEE_PPM.item(place), self.taker_fee_ppm);
        world.set_underlying(slot, underlying::BAND_PPM.item(place), self.band_ppm);
    }
}

/// What the governor sets of a token beside USDC.
#[derive(Clone, Copy, Debug)]
pub struct TokenLimits {
    pub haircut_ppm: u32,
    pub cap_atoms: u64,
}

impl TokenLimits {
    /// Return whether everything is in range.
    pub fn is_sound(&self) -> bool {
        self.haircut_ppm as u64 <= FRACTION_ONE_PPM && self.cap_atoms <= AMOUNT_ATOMS_MAX
    }

    /// Write limits that are sound.
    pub fn write<S: Store>(&self, world: &mut World<S>, slot: u32) {
        world.set_token(slot, token::HAIRCUT_PPM, self.haircut_ppm);
        world.set_token(slot, token::CAP_ATOMS, self.cap_atoms);
    }
}

/// A token beside USDC: atoms of 10^-decimals of it, priced by the index of an underlying.
#[derive(Clone, Copy, Debug)]
pub struct TokenTerms {
    pub underlying: u32,
    pub decimals: u8,
    pub limits: TokenLimits,
}

impl TokenTerms {
    /// Read the terms that stand next.
    pub fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        let (underlying, decimals) = (reader.u32()?, reader.u8()?);
        let limits = TokenLimits { haircut_ppm: reader.u32()?, cap_atoms: reader.u64()? };
        Ok(Self { underlying, decimals, limits })
    }

    /// Return whether everything is in range beside so many underlyings.
    pub fn is_sound(&self, underlyings: u32) -> bool {
        (1..=underlyings).contains(&self.underlying)
            && (TOKEN_DECIMALS_MIN..=TOKEN_DECIMALS_MAX).contains(&(self.decimals as u64))
            && self.limits.is_sound()
    }
}

/// An underlying beside its terms: quorum, strikes, steps of options' premiums, margin.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    pub quorum: u32,
    pub strike_step_atoms: u64,
    pub tick_table: TickTable,
    pub margin: MarginTerms,
}

/// How an underlying counts in margin: how far it moves with the others, and what is charged on the
/// share of a holding that its owner has beyond a size in 1e-9 units.
#[derive(Clone, Copy, Debug)]
pub struct MarginTerms {
    pub beta_ppm: u32,
    pub concentration_ppm: u32,
    pub concentration_nanos: u64,
}

impl MarginTerms {
    /// Read the terms that stand next.
    pub fn read(reader: &mut Reader) -> Result<Self, Malformed> {
        Ok(Self {
            beta_ppm: reader.u32()?,
            concentration_ppm: reader.u32()?,
            concentration_nanos: reader.u64()?,
        })
    }

    /// Return whether everything is in range.
    pub fn is_sound(&self) -> bool {
        self.beta_ppm as u64 <= FRACTION_ONE_PPM && self.concentration_ppm <= PARAMETER_PPM_MAX
    }

    /// Write terms that are sound.
    fn write<S: Store>(&self, world: &mut World<S>, slot: u32) {
        world.set_underlying(slot, underlying::BETA_PPM, self.beta_ppm);
        world.set_underlying(slot, underlying::CONCENTRATION_PPM, self.concentration_ppm);
        world.set_underlying(slot, underlying::CONCENTRATION_NANOS, self.concentration_nanos);
    }
}

/// Pairs (from ticks, step), ascending; unused rows, all zero, come last.
pub type TickTable = [(u32, u32); TICK_STEPS];

impl Grid {
    /// Return whether everything is in range.
    pub fn is_sound(&self) -> bool {
        (1..=QUORUM_MAX).contains(&(self.quorum as u64))
            && (1..=INDEX_ATOMS_MAX).contains(&self.strike_step_atoms)
            && is_tick_table_sound(&self.tick_table)
            && self.margin.is_sound()
    }

    /// Write a grid that is sound.
    pub fn write<S: Store>(&self, world: &mut World<S>, slot: u32) {
        world.set_underlying(slot, underlying::QUORUM, self.quorum);
        world.set_underlying(slot, underlying::STRIKE_STEP_ATOMS, self.strike_step_atoms);
        for (place, (from, step)) in (0..).zip(self.tick_table) {
            world.set_underlying(slot, underlying::TICK_FROM.item(place), from);
            world.set_underlying(slot, underlying::TICK_STEP.item(place), step);
        }
        self.margin.write(world, slot);
    }
}

/// Read the tick table that stands next.
pub fn read_tick_table(reader: &mut Reader) -> Result<TickTable, Malformed> {
    let mut table = TickTable::default();
    for row in &mut table {
        *row = (reader.u32()?, reader.u32()?);
    }
    Ok(table)
}

/// Return whether premiums rise and steps are prices; unused rows, all zero, come last.
fn is_tick_table_sound(table: &TickTable) -> bool {
    let mut before = 0;
    let mut is_over = false;
    for &(from, step) in table {
        let is_unused = from == 0 && step == 0;
        is_over |= is_unused;
        let is_row = before < from && step > 0 && (from | step) >> PRICE_TICKS_BITS == 0;
        if is_over != is_unused || !is_over && !is_row {
            return false;
        }
        before = from;
    }
    true
}

/// Return whether each publisher's key is somebody's, and nobody else's.
pub fn are_publishers_sound<'a>(keys: impl Iterator<Item = &'a Address> + Clone) -> bool {
    keys.clone()
        .enumerate()
        .all(|(place, key)| *key != NOBODY && keys.clone().take(place).all(|other| other != key))
}
