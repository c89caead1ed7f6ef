"""Listing: anyone may open a book that the governed grid allows.

The grid of an underlying says which strikes and dates there may be; its terms say tick, lot, sizes,
fees and bands of each kind of book. Nobody chooses any of that when he lists.
"""

from proofbook.protocol.commands import ListInstrument
from proofbook.protocol.events import InstrumentListed
from proofbook.protocol.identifiers import instrument_id
from proofbook.protocol.limits import (
    EXPIRIES_PER_UNDERLYING_MAX,
    EXPIRY_AHEAD_MAX_NS,
    EXPIRY_TIME_OF_DAY_NS,
    INDEX_ATOMS_MAX,
    NS_PER_DAY,
    PRICE_TICKS_BITS,
    InstrumentKind,
    InstrumentState,
    Reject,
)
from proofbook.protocol.records import InstrumentRecord, UnderlyingRecord
from proofbook.spec import trie
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.fixed_point import log
from proofbook.spec.payoff import NANOS_PER_UNIT, payoff_of
from proofbook.spec.world import World


def list_instrument(world: World, command: ListInstrument) -> Reject | None:
    """Open a book; the first one of an expiry opens the expiry too.

    Rejects  UNDERLYING_NOT_FOUND, KIND_NOT_SUPPORTED (a combo), OFF_GRID, EXPIRY_LIMIT,
             INSTRUMENT_EXISTS, ARENA_FULL.
    """
    if command.underlying not in world.underlyings:
        return Reject.UNDERLYING_NOT_FOUND
    if command.kind == InstrumentKind.COMBO:
        return Reject.KIND_NOT_SUPPORTED
    underlying = world.underlyings[command.underlying]
    expiry_slot = _find_expiry(world, underlying, command.expiry_ns)
    step_atoms = _strike_step(world, underlying, expiry_slot)
    if not _is_on_grid(step_atoms, command, world.header.window_ns):
        return Reject.OFF_GRID
    if (
        not expiry_slot
        and command.expiry_ns
        and underlying.expiries_count >= EXPIRIES_PER_UNDERLYING_MAX
    ):
        return Reject.EXPIRY_LIMIT
    key = strike_key(step_atoms, command)
    if expiry_slot and trie.find(
        world.nodes, world.expiries[expiry_slot].instruments_root, key, trie.STRIKE_DEPTH
    ):
        return Reject.INSTRUMENT_EXISTS
    if not _has_room(world):
        return Reject.ARENA_FULL
    if not expiry_slot:
        expiry_slot = _open_expiry(world, command.underlying, command.expiry_ns)
    _open_instrument(world, command, expiry_slot, key)
    return None


def find_listed(world: World, place: ListInstrument) -> int:
    """Return the slot of what is listed on a place of an underlying that exists, or 0."""
    expiry_slot = _find_expiry(world, world.underlyings[place.underlying], place.expiry_ns)
    if not expiry_slot or place.strike_atoms > INDEX_ATOMS_MAX:
        return NO_SLOT
    expiry = world.expiries[expiry_slot]
    key = strike_key(expiry.strike_step_atoms, place)
    if key >> PRICE_TICKS_BITS:
        return NO_SLOT
    slot = trie.find(world.nodes, expiry.instruments_root, key, trie.STRIKE_DEPTH)
    listed = world.instruments[slot] if slot else None
    is_it = listed is not None and (listed.kind, listed.strike_atoms) == (
        place.kind, place.strike_atoms,
    )  # fmt: skip
    return slot if is_it else NO_SLOT


def _is_on_grid(step_atoms: int, command: ListInstrument, now_ns: int) -> bool:
    """Whether strike and expiry are what the kind has, 0 where it has none."""
    payoff = payoff_of(command.kind)
    is_strike = (
        0 < command.strike_atoms <= INDEX_ATOMS_MAX
        and command.strike_atoms % step_atoms == 0
        and strike_key(step_atoms, command) < 1 << PRICE_TICKS_BITS
    )
    is_expiry = (
        now_ns < command.expiry_ns <= now_ns + EXPIRY_AHEAD_MAX_NS
        and command.expiry_ns % NS_PER_DAY == EXPIRY_TIME_OF_DAY_NS
    )
    return (is_strike if payoff.has_strike else command.strike_atoms == 0) and (
        is_expiry if payoff.is_dated else command.expiry_ns == 0
    )


def _strike_step(world: World, underlying: UnderlyingRecord, expiry_slot: int) -> int:
    """Return the distance of strikes: an expiry keeps that with which it was opened."""
    if expiry_slot:
        return world.expiries[expiry_slot].strike_step_atoms
    return underlying.strike_step_atoms


def strike_key(step_atoms: int, listed: ListInstrument | InstrumentRecord) -> int:
    """Return the key in the expiry's index: 0 without a strike, 2 and more with one."""
    steps = listed.strike_atoms // step_atoms
    return 2 * steps + payoff_of(listed.kind).strike_offset


def _find_expiry(world: World, underlying: UnderlyingRecord, expiry_ns: int) -> int:
    """Return the slot of an expiry, 0 if it is not open yet.

    Perpetuals are an expiry of their own.
    """
    if expiry_ns == 0:
        return underlying.perpetual_expiry
    for slot in underlying.expiries[: underlying.expiries_count]:
        if world.expiries[slot].expiry_ns == expiry_ns:
            return slot
    return 0


def _has_room(world: World) -> bool:
    return (
        world.expiries.has_room(1)
        and world.instruments.has_room(1)
        and world.nodes.has_room(trie.STRIKE_DEPTH)
    )


def _open_expiry(world: World, underlying_slot: int, expiry_ns: int) -> int:
    """Make an expiry and put it into the underlying's ascending list."""
    slot, expiry = world.expiries.allocate()
    expiry.underlying = underlying_slot
    expiry.expiry_ns = expiry_ns
    underlying = world.underlyings.edit(underlying_slot)
    expiry.strike_step_atoms = underlying.strike_step_atoms
    if expiry_ns == 0:
        underlying.perpetual_expiry = slot
        return slot
    listed = underlying.expiries[: underlying.expiries_count]
    place = sum(world.expiries[other].expiry_ns < expiry_ns for other in listed)
    listed.insert(place, slot)
    underlying.expiries[: len(listed)] = listed
    underlying.expiries_count += 1
    return slot


def _open_instrument(world: World, command: ListInstrument, expiry_slot: int, key: int) -> None:
    slot, instrument = world.instruments.allocate()
    array_slot, _ = world.risk_arrays.allocate()
    assert array_slot == slot, "risk arrays are numbered like instruments"
    instrument.kind = command.kind
    instrument.state = InstrumentState.OPEN
    instrument.underlying = command.underlying
    instrument.expiry = expiry_slot
    instrument.expiry_ns = command.expiry_ns
    instrument.active_ns = world.header.window_ns
    instrument.strike_atoms = command.strike_atoms
    instrument.strike_log = log(command.strike_atoms) if command.strike_atoms else 0
    underlying = world.underlyings[command.underlying]
    _fix_units(instrument, underlying)
    _copy_terms(instrument, underlying)
    _join_expiry(world, slot, expiry_slot, key)
    world.emit(
        InstrumentListed(
            instrument_id(slot, instrument.generation), command.underlying, command.kind,
            expiry_slot, command.expiry_ns, command.strike_atoms,
        )
    )  # fmt: skip


def _fix_units(instrument: InstrumentRecord, underlying: UnderlyingRecord) -> None:
    """Copy tick, lot and tick table of the instrument's kind; it keeps them for ever."""
    payoff = payoff_of(instrument.kind)
    place = payoff.terms_place
    instrument.tick_atoms = underlying.tick_atoms[place]
    instrument.lot_nanos = underlying.lot_nanos[place]
    instrument.tick_value_atoms = instrument.tick_atoms * instrument.lot_nanos // NANOS_PER_UNIT
    if not payoff.is_linear:
        instrument.tick_from = list(underlying.tick_from)
        instrument.tick_step = list(underlying.tick_step)


def follow_terms(world: World, slot: int) -> None:
    """Give a listed instrument the sizes, limits, fees and bands that were changed since."""
    instrument = world.instruments[slot]
    underlying = world.underlyings[instrument.underlying]
    if instrument.terms_version != underlying.version:
        _copy_terms(world.instruments.edit(slot), underlying)


def _copy_terms(instrument: InstrumentRecord, underlying: UnderlyingRecord) -> None:
    """Copy the terms of the instrument's kind that may change while it is listed."""
    place = payoff_of(instrument.kind).terms_place
    instrument.terms_version = underlying.version
    instrument.lots_min = underlying.lots_min[place]
    instrument.lots_max = underlying.lots_max[place]
    instrument.block_lots_min = underlying.block_lots_min[place]
    instrument.position_lots_max = underlying.position_lots_max[place]
    instrument.open_interest_lots_max = underlying.open_interest_lots_max[place]
    instrument.maker_fee_ppm = underlying.maker_fee_ppm[place]
    instrument.taker_fee_ppm = underlying.taker_fee_ppm[place]
    instrument.band_ppm = underlying.band_ppm[place]


def _join_expiry(world: World, slot: int, expiry_slot: int, key: int) -> None:
    expiry = world.expiries.edit(expiry_slot)
    world.instruments.edit(slot).previous_in_expiry = expiry.instruments_tail
    if expiry.instruments_tail:
        world.instruments.edit(expiry.instruments_tail).next_in_expiry = slot
    else:
        expiry.instruments_head = slot
    expiry.instruments_tail = slot
    expiry.instruments_count += 1
    expiry.instruments_root = trie.insert(
        world.nodes, expiry.instruments_root, key, trie.STRIKE_DEPTH, slot
    )
