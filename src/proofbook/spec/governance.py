"""Governance: margin parameters, publishers, terms, grids and tokens, as genesis sets them.

Each record counts its versions, and a command names the next one: what was decided on another state
of affairs is rejected. The global record counts the changes of all of them.
"""

from collections.abc import Iterator
from dataclasses import fields

from proofbook.protocol.commands import (
    SetParameters,
    SetPublisher,
    SetTerms,
    SetToken,
    SetUnderlying,
)
from proofbook.protocol.events import (
    ParametersChanged,
    PublisherChanged,
    TermsChanged,
    TokenChanged,
)
from proofbook.protocol.limits import PUBLISHERS_MAX, Reject
from proofbook.protocol.records import UnderlyingRecord
from proofbook.protocol.terms import (
    MarginParameters,
    MarginTerms,
    Terms,
    TickTable,
    grid_flaw,
    token_flaw,
)
from proofbook.spec.accounts import pin_interest
from proofbook.spec.world import NOBODY, PARAMETERS_SLOT, World


def set_parameters(world: World, command: SetParameters) -> Reject | None:
    """Change the margin parameters: factors at once, scenarios with the next Remark of each book.

    Rejects VERSION_MISMATCH, PARAMETERS_INVALID.
    """
    if command.version != world.parameters[PARAMETERS_SLOT].version + 1:
        return Reject.VERSION_MISMATCH
    if command.parameters.flaw() is not None:
        return Reject.PARAMETERS_INVALID
    pin_interest(world)
    write_parameters(world, command.version, command.parameters)
    world.header.parameter_version += 1
    world.emit(ParametersChanged(command.version))
    return None


def set_publisher(world: World, command: SetPublisher) -> Reject | None:
    """Add the next publisher, or change or take away the key of one.

    What he signed with another key, or without one, counts no more.

    Rejects  PUBLISHER_NOT_FOUND (neither one that is there nor the next, or nothing to take away),
             VERSION_MISMATCH, PUBLISHER_LIMIT, PUBLISHER_KEY_IN_USE (by another publisher),
             QUORUM_UNREACHABLE (fewer would be left than an underlying asks for).
    """
    number = command.publisher
    is_new = number == world.publishers.high_water
    is_removed = command.key == NOBODY
    if not (is_new or number in world.publishers):
        return Reject.PUBLISHER_NOT_FOUND
    if is_removed and not world.publisher_exists(number):
        return Reject.PUBLISHER_NOT_FOUND
    if command.version != 1 + (0 if is_new else world.publishers[number].version):
        return Reject.VERSION_MISMATCH
    if number > PUBLISHERS_MAX:
        return Reject.PUBLISHER_LIMIT
    others = [other for other in publishers(world) if other != number]
    if any(world.publishers[other].address == command.key for other in others):
        return Reject.PUBLISHER_KEY_IN_USE
    if is_removed and len(others) < highest_quorum(world):
        return Reject.QUORUM_UNREACHABLE
    if is_new:
        world.publishers.allocate()
    record = world.publishers.edit(number)
    record.version, record.address = command.version, command.key
    world.header.parameter_version += 1
    world.emit(PublisherChanged(number, command.version, command.key))
    return None


def set_terms(world: World, command: SetTerms) -> Reject | None:
    """Change an underlying's terms of one kind: all of them for books that are listed from now on.

    Sizes, fees, bands and least blocks reach listed books with their next Remark; a listed book's
    tick and lot stay.

    Rejects UNDERLYING_NOT_FOUND, VERSION_MISMATCH, PARAMETERS_INVALID.
    """
    rejection = _version_rejection(world, command.underlying, command.version)
    if rejection is not None:
        return rejection
    if command.terms.flaw() is not None:
        return Reject.PARAMETERS_INVALID
    underlying = world.underlyings.edit(command.underlying)
    write_terms(underlying, command.kind, command.terms)
    _change_underlying(world, command.underlying, command.version)
    return None


def set_underlying(world: World, command: SetUnderlying) -> Reject | None:
    """Change quorum, strike step, tick table, and how the underlying counts in margin.

    Quorum and margin hold at once, the strike step for expiries and the tick table for books that
    are opened from now on.

    Rejects  UNDERLYING_NOT_FOUND, VERSION_MISMATCH, PARAMETERS_INVALID, QUORUM_UNREACHABLE (there
             are fewer publishers).
    """
    rejection = _version_rejection(world, command.underlying, command.version)
    if rejection is not None:
        return rejection
    flaw = grid_flaw(command.quorum, command.strike_step_atoms, command.tick_table)
    if (flaw or command.margin.flaw()) is not None:
        return Reject.PARAMETERS_INVALID
    if command.quorum > sum(1 for _ in publishers(world)):
        return Reject.QUORUM_UNREACHABLE
    underlying = world.underlyings.edit(command.underlying)
    write_grid(underlying, command.quorum, command.strike_step_atoms, command.tick_table)
    write_margin_terms(underlying, command.margin)
    _change_underlying(world, command.underlying, command.version)
    return None


def set_token(world: World, command: SetToken) -> Reject | None:
    """Change a token's haircut and cap, at once; what is above a lower cap may stay.

    Rejects TOKEN_NOT_SUPPORTED (USDC has neither), VERSION_MISMATCH, PARAMETERS_INVALID.
    """
    if command.token not in world.tokens:
        return Reject.TOKEN_NOT_SUPPORTED
    if command.version != world.tokens[command.token].version + 1:
        return Reject.VERSION_MISMATCH
    if token_flaw(command.haircut_ppm, command.cap_atoms) is not None:
        return Reject.PARAMETERS_INVALID
    record = world.tokens.edit(command.token)
    record.version = command.version
    record.haircut_ppm, record.cap_atoms = command.haircut_ppm, command.cap_atoms
    world.header.parameter_version += 1
    world.emit(TokenChanged(command.token, command.version))
    return None


def _version_rejection(world: World, underlying: int, version: int) -> Reject | None:
    if underlying not in world.underlyings:
        return Reject.UNDERLYING_NOT_FOUND
    is_next = version == world.underlyings[underlying].version + 1
    return None if is_next else Reject.VERSION_MISMATCH


def _change_underlying(world: World, underlying: int, version: int) -> None:
    world.underlyings.edit(underlying).version = version
    world.header.parameter_version += 1
    world.emit(TermsChanged(underlying, version))


def publishers(world: World) -> Iterator[int]:
    """Yield the numbers of publishers who have a key."""
    return filter(world.publisher_exists, range(1, world.publishers.high_water))


def highest_quorum(world: World) -> int:
    """Return the most publishers that any underlying asks for."""
    return max(world.underlyings[slot].quorum for slot in range(1, world.underlyings.high_water))


def write_parameters(world: World, version: int, parameters: MarginParameters) -> None:
    """Write margin parameters that are sound."""
    record = world.parameters.edit(PARAMETERS_SLOT)
    record.version = version
    for member in fields(parameters):
        setattr(record, member.name, getattr(parameters, member.name))


def write_terms(record: UnderlyingRecord, place: int, terms: Terms) -> None:
    """Write terms that are sound."""
    record.tick_atoms[place] = terms.tick_atoms
    record.lot_nanos[place] = terms.lot_nanos
    record.lots_min[place] = terms.lots_min
    record.lots_max[place] = terms.lots_max
    record.block_lots_min[place] = terms.block_lots_min
    record.position_lots_max[place] = terms.position_lots_max
    record.open_interest_lots_max[place] = terms.open_interest_lots_max
    record.maker_fee_ppm[place] = terms.maker_fee_ppm
    record.taker_fee_ppm[place] = terms.taker_fee_ppm
    record.band_ppm[place] = terms.band_ppm


def write_grid(
    record: UnderlyingRecord, quorum: int, strike_step_atoms: int, tick_table: TickTable
) -> None:
    """Write a grid that is sound; rows of the tick table that it does not use are zero."""
    record.quorum = quorum
    record.strike_step_atoms = strike_step_atoms
    for place in range(len(record.tick_from)):
        row = tick_table[place] if place < len(tick_table) else (0, 0)
        record.tick_from[place], record.tick_step[place] = row


def write_margin_terms(record: UnderlyingRecord, terms: MarginTerms) -> None:
    """Write how an underlying counts in margin; the terms are sound."""
    record.beta_ppm = terms.beta_ppm
    record.concentration_ppm = terms.concentration_ppm
    record.concentration_nanos = terms.concentration_nanos
