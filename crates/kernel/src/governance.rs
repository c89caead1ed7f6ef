//! Governance: margin parameters, publishers, terms, grids and tokens, as genesis sets them.
//!
//! Each record counts its versions, and a command names the next one: what was decided on another
//! state of affairs is rejected. The global record counts the changes of all of them.

use crate::accounts::pin_interest;
use crate::arena::high_water;
use crate::events::{ParametersChanged, PublisherChanged, TermsChanged, TokenChanged};
use crate::governance_commands::{SetParameters, SetPublisher, SetTerms, SetToken, SetUnderlying};
use crate::limits::{PUBLISHERS_MAX, Reject};
use crate::records::{global, parameters, publisher, token, underlying};
use crate::store::Store;
use crate::terms::TokenLimits;
use crate::world::{NOBODY, PARAMETERS_SLOT, World};

/// Change the margin parameters: factors at once, scenarios with the next Remark of each book.
///
/// Rejects VERSION_MISMATCH, PARAMETERS_INVALID.
pub fn set_parameters<S: Store>(
    world: &mut World<S>,
    command: &SetParameters,
) -> Result<(), Reject> {
    let (version, parameters) = (command.version, command.parameters());
    check_version(world.parameters(PARAMETERS_SLOT, parameters::VERSION), version)?;
    if !parameters.is_sound() {
        return Err(Reject::ParametersInvalid);
    }
    pin_interest(world);
    parameters.write(world, version);
    count_change(world);
    ParametersChanged { version }.encode(world.events);
    Ok(())
}

/// Add the next publisher, or change or take away the key of one.
///
/// What he signed with another key, or without one, counts no more.
///
/// Rejects PUBLISHER_NOT_FOUND (neither one that is there nor the next, or nothing to take away),
/// VERSION_MISMATCH, PUBLISHER_LIMIT, PUBLISHER_KEY_IN_USE (by another publisher),
/// QUORUM_UNREACHABLE (fewer would be left than an underlying asks for).
pub fn set_publisher<S: Store>(world: &mut World<S>, command: &SetPublisher) -> Result<(), Reject> {
    let SetPublisher { publisher, version, key } = *command;
    let number = publisher as u32;
    let is_new = number == high_water(world.store, publisher::ARENA);
    let is_removed = key == NOBODY;
    if !is_new && !world.contains(publisher::ARENA, number)
        || is_removed && !world.publisher_exists(number)
    {
        return Err(Reject::PublisherNotFound);
    }
    let before = if is_new { 0 } else { world.publisher(number, publisher::VERSION) };
    check_version(before, version)?;
    if number as u64 > PUBLISHERS_MAX {
        return Err(Reject::PublisherLimit);
    }
    let others = || publishers(world).filter(|&other| other != number);
    if others().any(|other| world.publisher(other, publisher::ADDRESS) == key) {
        return Err(Reject::PublisherKeyInUse);
    }
    if is_removed && (others().count() as u32) < highest_quorum(world) {
        return Err(Reject::QuorumUnreachable);
    }
    if is_new {
        world.allocate(publisher::ARENA);
    }
    world.set_publisher(number, publisher::VERSION, version);
    world.set_publisher(number, publisher::ADDRESS, key);
    count_change(world);
    PublisherChanged { publisher, version, key }.encode(world.events);
    Ok(())
}

/// Change an underlying's terms of one kind: all of them for books that are listed from now on.
///
/// Sizes, fees, bands and least blocks reach listed books with their next Remark; a listed book's
/// tick and lot stay.
///
/// Rejects UNDERLYING_NOT_FOUND, VERSION_MISMATCH, PARAMETERS_INVALID.
pub fn set_terms<S: Store>(world: &mut World<S>, command: &SetTerms) -> Result<(), Reject> {
    check_underlying(world, command.underlying, command.version)?;
    if !command.terms.is_sound() {
        return Err(Reject::ParametersInvalid);
    }
    command.terms.write(world, command.underlying, command.kind as u32);
    change_underlying(world, command.underlying, command.version);
    Ok(())
}

/// Change quorum, strike step and tick table.
///
/// The quorum holds at once, the strike step for expiries and the tick table for books that are
/// opened from now on.
///
/// Rejects UNDERLYING_NOT_FOUND, VERSION_MISMATCH, PARAMETERS_INVALID, QUORUM_UNREACHABLE (there
/// are fewer publishers).
pub fn set_underlying<S: Store>(
    world: &mut World<S>,
    command: &SetUnderlying,
) -> Result<(), Reject> {
    check_underlying(world, command.underlying, command.version)?;
    if !command.grid.is_sound() {
        return Err(Reject::ParametersInvalid);
    }
    if command.grid.quorum > publishers(world).count() as u32 {
        return Err(Reject::QuorumUnreachable);
    }
    command.grid.write(world, command.underlying);
    change_underlying(world, command.underlying, command.version);
    Ok(())
}

/// Change a token's haircut and cap, at once; what is above a lower cap may stay.
///
/// Rejects TOKEN_NOT_SUPPORTED (USDC has neither), VERSION_MISMATCH, PARAMETERS_INVALID.
pub fn set_token<S: Store>(world: &mut World<S>, command: &SetToken) -> Result<(), Reject> {
    let SetToken { token: number, version, haircut_ppm, cap_atoms } = *command;
    let slot = number as u32;
    if !world.contains(token::ARENA, slot) {
        return Err(Reject::TokenNotSupported);
    }
    check_version(world.token(slot, token::VERSION), version)?;
    let limits = TokenLimits { haircut_ppm, cap_atoms };
    if !limits.is_sound() {
        return Err(Reject::ParametersInvalid);
    }
    world.set_token(slot, token::VERSION, version);
    limits.write(world, slot);
    count_change(world);
    TokenChanged { token: number, version }.encode(world.events);
    Ok(())
}

fn check_underlying<S: Store>(world: &World<S>, slot: u32, version: u32) -> Result<(), Reject> {
    if !world.contains(underlying::ARENA, slot) {
        return Err(Reject::UnderlyingNotFound);
    }
    check_version(world.underlying(slot, underlying::VERSION), version)
}

fn check_version(before: u32, version: u32) -> Result<(), Reject> {
    let is_next = version as u64 == before as u64 + 1;
    if is_next { Ok(()) } else { Err(Reject::VersionMismatch) }
}

fn change_underlying<S: Store>(world: &mut World<S>, slot: u32, version: u32) {
    world.set_underlying(slot, underlying::VERSION, version);
    count_change(world);
    TermsChanged { underlying: slot, version }.encode(world.events);
}

fn count_change<S: Store>(world: &mut World<S>) {
    let changes = world.header(global::PARAMETER_VERSION);
    world.set_header(global::PARAMETER_VERSION, changes + 1);
}

/// Return the numbers of publishers who have a key.
pub fn publishers<S: Store>(world: &World<S>) -> impl Iterator<Item = u32> {
    (1..high_water(world.store, publisher::ARENA)).filter(|&number| world.publisher_exists(number))
}

/// Return the most publishers that any underlying asks for.
fn highest_quorum<S: Store>(world: &World<S>) -> u32 {
    (1..high_water(world.store, underlying::ARENA))
        .map(|slot| world.underlying(slot, underlying::QUORUM))
        .max()
        .expect("genesis has an underlying")
}
