"""Releasing: anyone may free an instrument that is past, or that nobody has used for a day.

What is released before its time can be listed again, under another identifier, and is open then:
what the governor has halted or ended, or trades otherwise, stays until its time.
"""

from proofbook.protocol.commands import ReleaseInstrument
from proofbook.protocol.events import InstrumentReleased
from proofbook.protocol.identifiers import instrument_id
from proofbook.protocol.limits import INSTRUMENT_IDLE_NS, InstrumentKind, Reject
from proofbook.spec import combos, states, trie
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.expiries import leave_underlying
from proofbook.spec.listing import strike_key
from proofbook.spec.prices import is_combo
from proofbook.spec.world import World


def release_instrument(world: World, command: ReleaseInstrument) -> Reject | None:
    """Free the records of an instrument, and its expiry with the last one of it.

    Every order has a position in its instrument: where there are no holders, the book is empty.

    Rejects  INSTRUMENT_NOT_FOUND; KIND_NOT_SUPPORTED (a perpetual); INSTRUMENT_IN_USE (by holders,
             or as a leg of combos); INSTRUMENT_NOT_ENDED unless it is past, or it is open and
             continuous and a day is over since its listing, its last new order and its last fill.
    """
    slot = states.find_instrument(world, command.instrument)
    if not slot:
        return Reject.INSTRUMENT_NOT_FOUND
    instrument = world.instruments[slot]
    if instrument.kind == InstrumentKind.PERPETUAL:
        return Reject.KIND_NOT_SUPPORTED
    if instrument.holders_count or instrument.combos_count:
        return Reject.INSTRUMENT_IN_USE
    if not _is_over(world, slot):
        return Reject.INSTRUMENT_NOT_ENDED
    assert not instrument.bids_root and not instrument.asks_root, "orders have holders"
    _release(world, slot)
    return None


def _is_over(world: World, slot: int) -> bool:
    instrument = world.instruments[slot]
    is_idle = world.header.window_ns - instrument.active_ns >= INSTRUMENT_IDLE_NS
    return states.is_past(world, slot) or (is_idle and states.is_as_listed(instrument))


def _release(world: World, slot: int) -> None:
    instrument = world.instruments[slot]
    if instrument.deleveraging:
        states.end_deleveraging(world, slot)
    expiry = NO_SLOT
    if is_combo(instrument):
        combos.forget(world, slot)
    else:
        expiry = _leave_expiry(world, slot)
    world.emit(
        InstrumentReleased(
            instrument_id(slot, instrument.generation), instrument.underlying, expiry
        )
    )
    world.instruments.free(slot)
    world.risk_arrays.free(slot)


def _leave_expiry(world: World, slot: int) -> int:
    """Take an instrument out of its expiry's list and index; return the expiry's slot if it goes.

    An expiry without instruments would have to be named by curves and surfaces for nothing.
    """
    instrument = world.instruments[slot]
    expiry = world.expiries.edit(instrument.expiry)
    before, after = instrument.previous_in_expiry, instrument.next_in_expiry
    if before:
        world.instruments.edit(before).next_in_expiry = after
    else:
        expiry.instruments_head = after
    if after:
        world.instruments.edit(after).previous_in_expiry = before
    else:
        expiry.instruments_tail = before
    expiry.instruments_count -= 1
    key = strike_key(expiry.strike_step_atoms, instrument)
    expiry.instruments_root = trie.remove(
        world.nodes, expiry.instruments_root, key, trie.STRIKE_DEPTH
    )
    if expiry.instruments_count:
        return NO_SLOT
    leave_underlying(world, instrument.expiry)
    world.expiries.free(instrument.expiry)
    return instrument.expiry
