//! State 0, from the canonical bytes that Chain's constructor emits and hashes.

use crate::accumulator;
use crate::arena::{self, LAYOUTS};
use crate::commands::Address;
use crate::eip712::domain_separator;
use crate::limits::{
    ArenaId, FEE_ACCOUNT, FUND_ACCOUNT, PROTOCOL_VERSION, PUBLISHERS_MAX, TOKENS_MAX,
};
use crate::reader::{Malformed, Reader};
use crate::records::{global, parameters, publisher, token, underlying};
use crate::store::Store;
use crate::terms::{
    Grid, MarginParameters, MarginTerms, Terms, TokenTerms, are_publishers_sound, read_tick_table,
};
use crate::world::{PARAMETERS_SLOT, World};

const UNDERLYINGS_MAX: u64 = 32;

const QUOTE_SYMBOL: [u8; 8] = *b"USDC\0\0\0\0";

/// Of margin parameters, publishers and terms, and of the global record's count of changes.
const FIRST_VERSION: u32 = 1;

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
    let slot = world.allocate(parameters::ARENA);
    assert!(slot == PARAMETERS_SLOT);
    sound(MarginParameters::read(&mut reader)?, MarginParameters::is_sound)?
        .write(world, FIRST_VERSION);
    let publishers = write_publishers(world, &mut reader)?;
    let underlyings = reader.count(UNDERLYINGS_MAX)?;
    if underlyings == 0 {
        return Err(Malformed);
    }
    for _ in 0..underlyings {
        add_underlying(world, &mut reader, publishers)?;
    }
    add_tokens(world, &mut reader, underlyings as u32)?;
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
    world.set_header(global::PARAMETER_VERSION, FIRST_VERSION);
    world.set_header(global::GENESIS_NS, genesis_ns);
    world.set_header(global::WINDOW_NS, genesis_ns);
    world.set_header(global::PREVIOUS_WINDOW_NS, genesis_ns);
    world.set_header(global::LAST_RECEIVED_NS, genesis_ns);
    world.set_header(global::INTEREST_NS, genesis_ns);
    world.set_header(global::IMAGE_HASH, *reader.bytes()?);
    world.set_header(global::DOMAIN_SEPARATOR, domain_separator);
    world.set_header(global::WITHDRAWAL_ROOT, accumulator::EMPTY_ROOT);
    Ok(())
}

fn write_publishers<S: Store>(world: &mut World<S>, reader: &mut Reader) -> Result<u32, Malformed> {
    let count = reader.count(PUBLISHERS_MAX)?;
    let keys = reader.take(count * size_of::<Address>())?.as_chunks().0;
    if count == 0 || !are_publishers_sound(keys.iter()) {
        return Err(Malformed);
    }
    for &key in keys {
        let slot = world.allocate(publisher::ARENA);
        world.set_publisher(slot, publisher::VERSION, FIRST_VERSION);
        world.set_publisher(slot, publisher::ADDRESS, key);
    }
    Ok(count as u32)
}

/// Add an underlying, or refuse one whose terms or grid are out of range.
fn add_underlying<S: Store>(
    world: &mut World<S>,
    reader: &mut Reader,
    publishers: u32,
) -> Result<(), Malformed> {
    let slot = world.allocate(underlying::ARENA);
    world.set_underlying(slot, underlying::SYMBOL, read_symbol(reader)?);
    world.set_underlying(slot, underlying::VERSION, FIRST_VERSION);
    let (quorum, strike_step_atoms) = (reader.u32()?, reader.u64()?);
    for place in 0..underlying::TICK_ATOMS.len() {
        let terms = sound(Terms::read(reader)?, Terms::is_sound)?;
        terms.write(world, slot, place);
    }
    let (tick_table, margin) = (read_tick_table(reader)?, MarginTerms::read(reader)?);
    let grid = Grid { quorum, strike_step_atoms, tick_table, margin };
    sound(grid, |grid| grid.is_sound() && quorum <= publishers)?.write(world, slot);
    Ok(())
}

/// Add the tokens beside USDC, or refuse what is out of range or has another's symbol.
fn add_tokens<S: Store>(
    world: &mut World<S>,
    reader: &mut Reader,
    underlyings: u32,
) -> Result<(), Malformed> {
    for _ in 0..reader.count(TOKENS_MAX)? {
        let symbol = read_symbol(reader)?;
        let terms = sound(TokenTerms::read(reader)?, |terms| terms.is_sound(underlyings))?;
        let slot = world.allocate(token::ARENA);
        let is_known = (1..slot).any(|other| world.token(other, token::SYMBOL) == symbol);
        if is_known || symbol == QUOTE_SYMBOL {
            return Err(Malformed);
        }
        world.set_token(slot, token::SYMBOL, symbol);
        world.set_token(slot, token::VERSION, FIRST_VERSION);
        world.set_token(slot, token::UNDERLYING, terms.underlying);
        world.set_token(slot, token::DECIMALS, terms.decimals);
        terms.limits.write(world, slot);
    }
    Ok(())
}

fn sound<T>(value: T, is_sound: impl FnOnce(&T) -> bool) -> Result<T, Malformed> {
    if is_sound(&value) { Ok(value) } else { Err(Malformed) }
}

/// Read a symbol: text of at most eight bytes.
fn read_symbol(reader: &mut Reader) -> Result<[u8; 8], Malformed> {
    let symbol: &[u8; 8] = reader.bytes()?;
    core::str::from_utf8(symbol).map_err(|_| Malformed)?;
    Ok(*symbol)
}
