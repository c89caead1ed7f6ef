"""Marks: what a lot is worth now, and gains or loses in each scenario, written for margin to read.

Prices come from publishers, and margin is asked for all the time: so instruments are priced when
somebody says Remark, some at a time, and between that everybody reads the same arrays.
"""

from collections.abc import Iterator
from dataclasses import fields

from proofbook.protocol.commands import Remark
from proofbook.protocol.events import Marked
from proofbook.protocol.identifiers import instrument_id
from proofbook.protocol.limits import REMARK_INSTRUMENTS_MAX, InstrumentState, Reject
from proofbook.protocol.records import InstrumentRecord
from proofbook.spec import funding, states
from proofbook.spec.arrays import Array, final_array, risk_array
from proofbook.spec.expiries import final_mark
from proofbook.spec.listing import follow_terms
from proofbook.spec.payoff import Market, market_of, payoff_of
from proofbook.spec.positions import is_settled
from proofbook.spec.world import PARAMETERS_SLOT, World


def remark(world: World, command: Remark) -> Reject | None:
    """Price up to 16 instruments of an expiry again, in listing order from the cursor on.

    Terms that the governor has changed since hold for them from now on, as `follow_terms` says.

    What kind of instrument needs which observations, `payoff` says; one that lacks any is passed
    over, and so is one that is halted: its mark stays. At its expiry every mark stays, until the
    expiry is settled: then each is written for the last time, that of a halted book too.

    Rejects  EXPIRY_NOT_FOUND; CURSOR_INVALID if the cursor is no instrument of the expiry;
             OBSERVATION_MISSING if none of the instruments can be priced, or has to be again.
    """
    if command.expiry not in world.expiries or not world.expiries[command.expiry].underlying:
        return Reject.EXPIRY_NOT_FOUND
    expiry = world.expiries[command.expiry]
    slot = command.cursor or expiry.instruments_head
    if slot not in world.instruments or world.instruments[slot].expiry != command.expiry:
        return Reject.CURSOR_INVALID
    if expiry.expiry_ns and world.header.window_ns >= expiry.expiry_ns:
        return _mark_for_ever(world, command.expiry, slot)
    market = _market(world, command.expiry)
    observed = [
        slot
        for slot in _instruments_from(world, slot)
        if _is_priced(world.instruments[slot], market)
    ]
    for slot in observed:
        follow_terms(world, slot)
        funding.accrue(world, slot)
        _mark(world, slot, market)
    return None if observed else Reject.OBSERVATION_MISSING


def _mark_for_ever(world: World, expiry_slot: int, slot: int) -> Reject | None:
    """Write the marks of up to 16 instruments at the settlement price; no scenario moves them."""
    expiry = world.expiries[expiry_slot]
    open_slots = [
        slot
        for slot in _instruments_from(world, slot)
        if expiry.settled_ns and not is_settled(world.instruments[slot])
    ]
    for slot in open_slots:
        instrument = world.instruments.edit(slot)
        instrument.state, instrument.settled_ns = InstrumentState.EXPIRED, world.header.window_ns
        if instrument.deleveraging:
            states.end_deleveraging(world, slot)
        _write(world, slot, final_array(final_mark(instrument, expiry.settlement_atoms)))
    return None if open_slots else Reject.OBSERVATION_MISSING


def _market(world: World, slot: int) -> Market:
    """Return what the instruments of an expiry are priced from now."""
    expiry, parameters = world.expiries[slot], world.parameters[PARAMETERS_SLOT]
    underlying = world.underlyings[expiry.underlying]
    return market_of(underlying, expiry, parameters, world.header.window_ns)


def _is_priced(instrument: InstrumentRecord, market: Market) -> bool:
    is_halted = instrument.state == InstrumentState.HALTED
    return not is_halted and payoff_of(instrument.kind).is_observed(market)


def _instruments_from(world: World, slot: int) -> Iterator[int]:
    """Yield up to 16 instruments in listing order."""
    for _ in range(REMARK_INSTRUMENTS_MAX):
        if slot == 0:
            return
        yield slot
        slot = world.instruments[slot].next_in_expiry


def _mark(world: World, slot: int, market: Market) -> None:
    """Write one instrument's risk array from the current observations."""
    _write(world, slot, risk_array(world.instruments[slot], market))
    array = world.risk_arrays.edit(slot)
    array.index_version = market.underlying.index_version
    array.forward_version = market.expiry.forward_version
    array.surface_version = market.expiry.surface_version
    array.parameter_version = market.parameters.version


def _write(world: World, slot: int, written: Array) -> None:
    """Write a risk array, and tell the mark."""
    array = world.risk_arrays.edit(slot)
    for member in fields(written):
        setattr(array, member.name, getattr(written, member.name))
    array.marked_ns = world.header.window_ns
    instrument = world.instruments[slot]
    world.emit(Marked(instrument_id(slot, instrument.generation), array.mark_atoms))
