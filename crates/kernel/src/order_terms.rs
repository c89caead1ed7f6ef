//! Terms: what an instrument asks of every order, by itself and beside the mark.
//!
//! Price and size lie on its grid, value and fee within their bounds. Around the mark there is a
//! band: a limit further out is a slip of the finger, or a way to hand money over. While the mark
//! is stale a narrower one holds on both sides, since nobody knows what it is worth.

use crate::arena::NO_SLOT;
use crate::fees;
use crate::limits::{
    FRACTION_ONE_PPM, ORDER_LOTS_MAX, ORDER_VALUE_ATOMS_MAX, PRICE_TICKS_BITS, Reject, Side,
};
use crate::positions::is_linear;
use crate::prices::{
    Part, gross_per_lot, index_value_per_lot, is_combo, is_marked, legs_of, mark_atoms,
    value_per_lot,
};
use crate::records::{instrument, parameters, risk_array};
use crate::scenarios::{SPOT_STEPS_PER_RANGE, VOLATILITY_MOVES};
use crate::staleness::is_stale;
use crate::states;
use crate::store::Store;
use crate::views::Record;
use crate::world::{PARAMETERS_SLOT, World};

const VOL_UP_COLUMN: u32 = VOLATILITY_MOVES as u32 * SPOT_STEPS_PER_RANGE as u32;
const VOL_DOWN_COLUMN: u32 = VOL_UP_COLUMN + 2;

/// Ask for INSTRUMENT_NOT_FOUND, INSTRUMENT_EXPIRED.
pub fn check_instrument<S: Store>(world: &World<S>, identifier: u32) -> Result<(), Reject> {
    let slot = states::find_instrument(world, identifier);
    if slot == NO_SLOT {
        return Err(Reject::InstrumentNotFound);
    }
    if states::is_expired(world, slot) { Err(Reject::InstrumentExpired) } else { Ok(()) }
}

/// What an order says of itself to the terms of its instrument.
#[derive(Clone, Copy, Debug)]
pub struct OrderTerms {
    pub account: u32,
    pub side: Side,
    pub price_ticks: u32,
    pub lots: u64,
    pub max_fee_ppm: u32,
    pub is_reduce_only: bool,
}

/// Ask for PRICE_OUT_OF_RANGE, PRICE_OFF_TICK, LOTS_OUT_OF_RANGE (a reduce-only order may be
/// smaller than the least size), VALUE_OUT_OF_RANGE, FEE_ABOVE_MAX, MARK_MISSING,
/// PRICE_OUTSIDE_BAND (nor may one that is not reduce-only lie outside the stale band).
pub fn check_terms<S: Store>(
    world: &World<S>,
    slot: u32,
    order: &OrderTerms,
) -> Result<(), Reject> {
    let price_ticks = order.price_ticks;
    if price_ticks == 0 || price_ticks >> PRICE_TICKS_BITS != 0 {
        return Err(Reject::PriceOutOfRange);
    }
    if !price_ticks.is_multiple_of(tick_step(world, slot, price_ticks)) {
        return Err(Reject::PriceOffTick);
    }
    let listed = world.instrument_record(slot);
    let lots_min = if order.is_reduce_only { 1 } else { listed.get(instrument::LOTS_MIN) };
    let legs = legs_of(world, slot);
    let ratio_max = legs.iter().map(|leg| leg.ratio.unsigned_abs()).max().unwrap_or(1);
    let lots_max = listed.get(instrument::LOTS_MAX).min(ORDER_LOTS_MAX / ratio_max);
    if order.lots < lots_min || order.lots > lots_max {
        return Err(Reject::LotsOutOfRange);
    }
    // 2^40 · 2^24 · 2^64 at most: fits 128 bits.
    if order.lots as u128 * gross_per_lot(world, slot, price_ticks) > ORDER_VALUE_ATOMS_MAX as u128
    {
        return Err(Reject::ValueOutOfRange);
    }
    if fees::highest_fee_ppm(world, order.account, slot) > order.max_fee_ppm {
        return Err(Reject::FeeAboveMax);
    }
    if !is_marked(world, slot) {
        return Err(Reject::MarkMissing);
    }
    let is_in_both = is_in_band(world, slot, order.side, price_ticks)
        && (order.is_reduce_only || is_in_stale_band(world, slot, price_ticks));
    if is_in_both { Ok(()) } else { Err(Reject::PriceOutsideBand) }
}

/// Return how many ticks a price must be a multiple of: the step of the last row reached.
pub fn tick_step<S: Store>(world: &World<S>, slot: u32, price_ticks: u32) -> u32 {
    let (listed, mut step) = (world.instrument_record(slot), 1);
    for row in 0..instrument::TICK_FROM.len() {
        let from = listed.get(instrument::TICK_FROM.item(row));
        if from != 0 && price_ticks >= from {
            step = listed.get(instrument::TICK_STEP.item(row));
        }
    }
    step
}

/// Return whether a limit is at most a band worse than the mark; any better price is in.
///
/// Terms with a band of 0 have none, nor has a combo of which a leg has none.
#[inline]
pub fn is_in_band<S: Store>(world: &World<S>, slot: u32, side: Side, price_ticks: u32) -> bool {
    if world.instrument(slot, instrument::BAND_PPM) == 0 {
        return true;
    }
    let (value, mark) = (value_per_lot(world, slot, price_ticks), mark_atoms(world, slot));
    let band = band_atoms(world, slot, side);
    match side {
        Side::Buy => value <= mark + band,
        Side::Sell => value >= mark - band,
    }
}

/// Return whether a limit is near the mark, to either side; any is while the mark is fresh.
#[inline]
pub fn is_in_stale_band<S: Store>(world: &World<S>, slot: u32, price_ticks: u32) -> bool {
    let band_ppm = world.parameters(PARAMETERS_SLOT, parameters::STALE_BAND_PPM);
    if band_ppm == 0 || !is_stale(world, slot) {
        return true;
    }
    let legs = legs_of(world, slot);
    let band_atoms: i128 = match legs.is_empty() {
        true => stale_band_of_one(world, slot, band_ppm),
        false => legs
            .iter()
            .map(|leg| {
                let ratio = leg.ratio.unsigned_abs() as i128;
                ratio * stale_band_of_one(world, leg.instrument, band_ppm)
            })
            .sum(),
    };
    let value = value_per_lot(world, slot, price_ticks);
    (value - mark_atoms(world, slot)).abs() <= band_atoms
}

/// Return what the forward's move by `stale_band_ppm` makes of a lot, and a price step, so that
/// there is a price near every mark. Rounds down.
fn stale_band_of_one<S: Store>(world: &World<S>, slot: u32, band_ppm: u32) -> i128 {
    let tick_value_atoms = world.instrument(slot, instrument::TICK_VALUE_ATOMS);
    let mark_atoms = world.risk_array(slot, risk_array::MARK_ATOMS).max(0) as u64;
    let mark_ticks = u32::try_from(mark_atoms / tick_value_atoms).unwrap_or(u32::MAX);
    let step = tick_step(world, slot, mark_ticks);
    let delta_atoms = world.risk_array(slot, risk_array::DELTA_ATOMS).unsigned_abs() as u128;
    let share = delta_atoms * band_ppm as u128 / FRACTION_ONE_PPM as u128;
    share as i128 + step as i128 * tick_value_atoms as i128
}

/// Return how far beyond the mark a limit of a side may be, per lot: of a combo, what its legs have
/// together.
fn band_atoms<S: Store>(world: &World<S>, slot: u32, side: Side) -> i128 {
    if !is_combo(world, slot) {
        return band_of_one(world, slot, side);
    }
    let band_of = |leg: Part| {
        let leg_side = if leg.ratio > 0 { side } else { opposite_side(side) };
        leg.ratio.unsigned_abs() as i128 * band_of_one(world, leg.instrument, leg_side)
    };
    legs_of(world, slot).iter().map(band_of).sum()
}

/// Return the other side.
pub fn opposite_side(side: Side) -> Side {
    if side == Side::Buy { Side::Sell } else { Side::Buy }
}

/// For a linear instrument it is a share of its mark; for an option a share of the index, and
/// beyond it what the margin's volatility moves make of the option: a limit in volatility.
fn band_of_one<S: Store>(world: &World<S>, slot: u32, side: Side) -> i128 {
    let band_ppm = world.instrument(slot, instrument::BAND_PPM) as i128;
    if is_linear(world, slot) {
        return mark_atoms(world, slot) * band_ppm / FRACTION_ONE_PPM as i128;
    }
    let lot_atoms = index_value_per_lot(world, slot) as i128;
    let core = |column| world.risk_array(slot, risk_array::CORE.item(column)) as i128;
    let volatility_move = match side {
        Side::Buy => core(VOL_UP_COLUMN),
        Side::Sell => -core(VOL_DOWN_COLUMN),
    };
    lot_atoms * band_ppm / FRACTION_ONE_PPM as i128 + volatility_move.max(0)
}
