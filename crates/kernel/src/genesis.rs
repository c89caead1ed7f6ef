//! State 0, from the canonical bytes that Chain's constructor emits and hashes.

use crate::accumulator;
use crate::arena::{self, LAYOUTS};
use crate::commands::Address;
use crate::eip712::domain_separator;
use crate::limits::{
    ArenaId, FEE_ACCOUNT, FEE_PPM_MAX, FRACTION_ONE_PPM, FUND_ACCOUNT, INDEX_ATOMS_MAX,
    ORDER_LOTS_MAX, PRICE_TICKS_BITS, PROTOCOL_VERSION, PUBLISHERS_MAX,
};
use crate::payoff::NANOS_PER_UNIT;
use crate::reader::{Malformed, Reader};
use crate::records::{global, parameters, publisher, underlying};
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

const UNDERLYINGS_MAX: u64 = 32;
const PARAMETER_PPM_MAX: u32 = 10_000_000;
const TICK_ATOMS_MAX: u64 = 1 << 40;
const LOT_NANOS_MAX: u64 = 1_000 * NANOS_PER_UNIT;
const PARAMETER_VERSION: u32 = 1;

/// Write state 0 into a store of zeros.
///
/// Refuses bytes that are no canonical genesis, and values with which the state machine could
/// overflow or divide inexactly.
///
/// After a refusal the store holds a part of a state and is of no further use.
pub fn found<S: Store>(
    world: &mut World<S>,
    data: &[u8],
    chain_id: u64,
    contract: &Address,
) -> Result<(), Malformed> {
    let mut reader = Reader::new(data);
    if reader.u32()? as u64 != PROTOCOL_VERSION {
        return Err(Malformed);
    }
    for layout in LAYOUTS.iter().filter(|layout| layout.id != ArenaId::Global) {
        arena::open(world.store, *layout);
    }
    write_header(world, &mut reader, domain_separator(chain_id, contract))?;
    let (fund_owner, fee_owner) = (reader.bytes()?, reader.bytes()?);
    write_parameters(world, &mut reader)?;
    let publishers = reader.count(PUBLISHERS_MAX)?;
    for _ in 0..publishers {
        let slot = world.allocate(publisher::ARENA);
        world.set_publisher(slot, publisher::ADDRESS, *reader.bytes()?);
    }
    let underlyings = reader.count(UNDERLYINGS_MAX)?;
    if publishers == 0 || underlyings == 0 {
        return Err(Malformed);
    }
    for _ in 0..underlyings {
        let slot = add_underlying(world, &mut reader)?;
        check_underlying(world, slot, publishers as u32)?;
    }
    reader.end()?;
    assert!(world.add_account(fund_owner, 0) as u64 == FUND_ACCOUNT);
    assert!(world.add_account(fee_owner, 0) as u64 == FEE_ACCOUNT);
    Ok(())
}

fn write_header<S: Store>(
    world: &mut World<S>,
    reader: &mut Reader,
    domain_separator: [u8; 32],
) -> Result<(), Malformed> {
    let genesis_ns = reader.u64()?;
    world.set_header(global::PROTOCOL_VERSION, PROTOCOL_VERSION as u32);
    world.set_header(global::PARAMETER_VERSION, PARAMETER_VERSION);
    world.set_header(global::GENESIS_NS, genesis_ns);
    world.set_header(global::WINDOW_NS, genesis_ns);
    world.set_header(global::PREVIOUS_WINDOW_NS, genesis_ns);
    world.set_header(global::LAST_RECEIVED_NS, genesis_ns);
    world.set_header(global::IMAGE_HASH, *reader.bytes()?);
    world.set_header(global::DOMAIN_SEPARATOR, domain_separator);
    world.set_header(global::WITHDRAWAL_ROOT, accumulator::EMPTY_ROOT);
    Ok(())
}

fn write_parameters<S: Store>(world: &mut World<S>, reader: &mut Reader) -> Result<(), Malformed> {
    let values: [u32; 6] = read_numbers(reader)?;
    let [spot_range_ppm, vol_up_ppm, vol_down_ppm, vol_up_floor_ppm, initial_ppm, maintenance_ppm] =
        values;
    let is_sound = values.iter().all(|value| *value <= PARAMETER_PPM_MAX)
        && (spot_range_ppm as u64) < FRACTION_ONE_PPM;
    if !is_sound {
        return Err(Malformed);
    }
    let slot = world.allocate(parameters::ARENA);
    assert!(slot == PARAMETERS_SLOT);
    world.set_parameters(slot, parameters::VERSION, PARAMETER_VERSION);
    world.set_parameters(slot, parameters::SPOT_RANGE_PPM, spot_range_ppm);
    world.set_parameters(slot, parameters::VOL_UP_PPM, vol_up_ppm);
    world.set_parameters(slot, parameters::VOL_DOWN_PPM, vol_down_ppm);
    world.set_parameters(slot, parameters::VOL_UP_FLOOR_PPM, vol_up_floor_ppm);
    world.set_parameters(slot, parameters::INITIAL_FACTOR_PPM, initial_ppm);
    world.set_parameters(slot, parameters::MAINTENANCE_FACTOR_PPM, maintenance_ppm);
    Ok(())
}

fn add_underlying<S: Store>(world: &mut World<S>, reader: &mut Reader) -> Result<u32, Malformed> {
    let slot = world.allocate(underlying::ARENA);
    world.set_underlying(slot, underlying::SYMBOL, read_symbol(reader)?);
    world.set_underlying(slot, underlying::QUORUM, reader.u32()?);
    world.set_underlying(slot, underlying::STRIKE_STEP_ATOMS, reader.u64()?);
    for place in 0..underlying::TICK_ATOMS.len() {
        world.set_underlying(slot, underlying::TICK_ATOMS.item(place), reader.u64()?);
        world.set_underlying(slot, underlying::LOT_NANOS.item(place), reader.u64()?);
        world.set_underlying(slot, underlying::LOTS_MIN.item(place), reader.u64()?);
        world.set_underlying(slot, underlying::LOTS_MAX.item(place), reader.u64()?);
        world.set_underlying(slot, underlying::BLOCK_LOTS_MIN.item(place), reader.u64()?);
        world.set_underlying(slot, underlying::MAKER_FEE_PPM.item(place), reader.u32()?);
        world.set_underlying(slot, underlying::TAKER_FEE_PPM.item(place), reader.u32()?);
        world.set_underlying(slot, underlying::BAND_PPM.item(place), reader.u32()?);
    }
    for place in 0..underlying::TICK_FROM.len() {
        world.set_underlying(slot, underlying::TICK_FROM.item(place), reader.u32()?);
        world.set_underlying(slot, underlying::TICK_STEP.item(place), reader.u32()?);
    }
    Ok(slot)
}

/// Refuse a grid that is out of range.
fn check_underlying<S: Store>(
    world: &World<S>,
    slot: u32,
    publishers: u32,
) -> Result<(), Malformed> {
    let step_atoms = world.underlying(slot, underlying::STRIKE_STEP_ATOMS);
    let is_sound = (0..underlying::TICK_ATOMS.len())
        .all(|place| are_terms_sound(world, slot, place))
        && (1..=INDEX_ATOMS_MAX).contains(&step_atoms)
        && (1..=publishers).contains(&world.underlying(slot, underlying::QUORUM))
        && is_tick_table_sound(world, slot);
    if is_sound { Ok(()) } else { Err(Malformed) }
}

/// Return whether a tick is worth a whole number of atoms and everything is in range.
fn are_terms_sound<S: Store>(world: &World<S>, slot: u32, place: u32) -> bool {
    let tick_atoms = world.underlying(slot, underlying::TICK_ATOMS.item(place));
    let lot_nanos = world.underlying(slot, underlying::LOT_NANOS.item(place));
    let maker_fee_ppm = world.underlying(slot, underlying::MAKER_FEE_PPM.item(place));
    let taker_fee_ppm = world.underlying(slot, underlying::TAKER_FEE_PPM.item(place));
    let lots_min = world.underlying(slot, underlying::LOTS_MIN.item(place));
    let lots_max = world.underlying(slot, underlying::LOTS_MAX.item(place));
    let block_lots_min = world.underlying(slot, underlying::BLOCK_LOTS_MIN.item(place));
    (1..=TICK_ATOMS_MAX).contains(&tick_atoms)
        && (1..=LOT_NANOS_MAX).contains(&lot_nanos)
        && (tick_atoms as u128 * lot_nanos as u128).is_multiple_of(NANOS_PER_UNIT as u128)
        && maker_fee_ppm.max(taker_fee_ppm) as u64 <= FEE_PPM_MAX
        && world.underlying(slot, underlying::BAND_PPM.item(place)) <= PARAMETER_PPM_MAX
        && 1 <= lots_min
        && lots_min <= lots_max
        && lots_max <= ORDER_LOTS_MAX
        && (1..=ORDER_LOTS_MAX).contains(&block_lots_min)
}

/// Return whether premiums rise and steps are prices; unused rows, all zero, come last.
fn is_tick_table_sound<S: Store>(world: &World<S>, slot: u32) -> bool {
    let mut before = 0;
    let mut is_over = false;
    for place in 0..underlying::TICK_FROM.len() {
        let from = world.underlying(slot, underlying::TICK_FROM.item(place));
        let step = world.underlying(slot, underlying::TICK_STEP.item(place));
        is_over |= from == 0 && step == 0;
        let is_row = before < from && step > 0 && (from | step) >> PRICE_TICKS_BITS == 0;
        if is_over != (from == 0 && step == 0) || !is_over && !is_row {
            return false;
        }
        before = from;
    }
    true
}

fn read_numbers<const N: usize>(reader: &mut Reader) -> Result<[u32; N], Malformed> {
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = reader.u32()?;
    }
    Ok(numbers)
}

/// Read a symbol: text of at most eight bytes.
fn read_symbol(reader: &mut Reader) -> Result<[u8; 8], Malformed> {
    let symbol: &[u8; 8] = reader.bytes()?;
    core::str::from_utf8(symbol).map_err(|_| Malformed)?;
    Ok(*symbol)
}
