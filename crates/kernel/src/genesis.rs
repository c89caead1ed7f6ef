//! State 0, from the canonical bytes that Chain's constructor emits and hashes.

use crate::accumulator;
use crate::arena::{self, LAYOUTS};
use crate::commands::Address;
use crate::eip712::domain_separator;
use crate::limits::{ArenaId, FEE_ACCOUNT, FUND_ACCOUNT, PROTOCOL_VERSION, PUBLISHERS_MAX};
use crate::reader::{Malformed, Reader};
use crate::records::{global, parameters, publisher, underlying};
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

const UNDERLYINGS_MAX: u64 = 32;
const PARAMETER_VERSION: u32 = 1;

/// Write state 0 into a store of zeros. Refuses bytes that are no canonical genesis.
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
    for _ in 0..reader.count(PUBLISHERS_MAX)? {
        let slot = world.allocate(publisher::ARENA);
        world.set_publisher(slot, publisher::ADDRESS, *reader.bytes()?);
    }
    for _ in 0..reader.count(UNDERLYINGS_MAX)? {
        add_underlying(world, &mut reader)?;
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
    let slot = world.allocate(parameters::ARENA);
    assert!(slot == PARAMETERS_SLOT);
    world.set_parameters(slot, parameters::VERSION, PARAMETER_VERSION);
    world.set_parameters(slot, parameters::SPOT_RANGE_PPM, reader.u32()?);
    world.set_parameters(slot, parameters::VOL_UP_PPM, reader.u32()?);
    world.set_parameters(slot, parameters::VOL_DOWN_PPM, reader.u32()?);
    world.set_parameters(slot, parameters::VOL_UP_FLOOR_PPM, reader.u32()?);
    world.set_parameters(slot, parameters::INITIAL_FACTOR_PPM, reader.u32()?);
    world.set_parameters(slot, parameters::MAINTENANCE_FACTOR_PPM, reader.u32()?);
    Ok(())
}

fn add_underlying<S: Store>(world: &mut World<S>, reader: &mut Reader) -> Result<(), Malformed> {
    let slot = world.allocate(underlying::ARENA);
    world.set_underlying(slot, underlying::SYMBOL, read_symbol(reader)?);
    world.set_underlying(slot, underlying::QUORUM, reader.u32()?);
    world.set_underlying(slot, underlying::PERPETUAL_TICK_ATOMS, reader.u64()?);
    world.set_underlying(slot, underlying::PERPETUAL_LOT_NANOS, reader.u64()?);
    world.set_underlying(slot, underlying::OPTION_TICK_ATOMS, reader.u64()?);
    world.set_underlying(slot, underlying::OPTION_LOT_NANOS, reader.u64()?);
    world.set_underlying(slot, underlying::STRIKE_STEP_ATOMS, reader.u64()?);
    world.set_underlying(slot, underlying::PERPETUAL_MAKER_FEE_PPM, reader.u32()?);
    world.set_underlying(slot, underlying::PERPETUAL_TAKER_FEE_PPM, reader.u32()?);
    world.set_underlying(slot, underlying::OPTION_MAKER_FEE_PPM, reader.u32()?);
    world.set_underlying(slot, underlying::OPTION_TAKER_FEE_PPM, reader.u32()?);
    Ok(())
}

/// Read a symbol: text of at most eight bytes.
fn read_symbol(reader: &mut Reader) -> Result<[u8; 8], Malformed> {
    let symbol: &[u8; 8] = reader.bytes()?;
    core::str::from_utf8(symbol).map_err(|_| Malformed)?;
    Ok(*symbol)
}
