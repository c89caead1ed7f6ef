"""States and modes: what the governor lets a book take, how it trades, and when it has ended.

A state says which orders a book takes and whether they trade (`rules` has the table); a mode says
how they trade, at once, behind a speed bump, or in auctions.
"""

from proofbook.protocol.commands import ListInstrument, SetInstrument
from proofbook.protocol.events import DeleveragingEnded, InstrumentChanged
from proofbook.protocol.identifiers import instrument_id, instrument_slot
from proofbook.protocol.limits import (
    AUCTION_INTERVAL_MS_MAX,
    NS_PER_MS,
    SPEED_BUMP_MS_MAX,
    AuctionPhase,
    InstrumentKind,
    InstrumentMode,
    InstrumentState,
    Reject,
)
from proofbook.protocol.records import InstrumentRecord
from proofbook.spec import book, funding, ladder, listing
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.prices import legs_of
from proofbook.spec.rules import RULES, trades_at_once
from proofbook.spec.world import World


def set_instrument(world: World, command: SetInstrument) -> Reject | None:
    """Change state and mode of a book, and list it first if it is a place where nothing is listed.

    Rejects  INSTRUMENT_NOT_FOUND of a number, UNDERLYING_NOT_FOUND of a place; INSTRUMENT_EXPIRED
             for one that is at its end; PARAMETERS_INVALID for a wait above its limit, a mode
             without the time that it needs, or a number and a place at once; as ListInstrument
             where nothing is listed.
    """
    is_by_number = command.kind == InstrumentKind.COMBO
    place = ListInstrument(
        command.underlying, command.kind, command.expiry_ns, command.strike_atoms
    )
    if is_by_number:
        slot = find_instrument(world, command.instrument)
        if not slot:
            return Reject.INSTRUMENT_NOT_FOUND
    else:
        if command.underlying not in world.underlyings:
            return Reject.UNDERLYING_NOT_FOUND
        slot = listing.find_listed(world, place)
    if slot and is_expired(world, world.instruments[slot]):
        return Reject.INSTRUMENT_EXPIRED
    if not _is_sound(command):
        return Reject.PARAMETERS_INVALID
    if not slot:
        rejection = listing.list_instrument(world, place)
        if rejection is not None:
            return rejection
        slot = listing.find_listed(world, place)
    _change(world, slot, command)
    return None


def _is_sound(command: SetInstrument) -> bool:
    """Whether the times are those of the mode, and the book is named in one way."""
    is_bumped = command.mode == InstrumentMode.SPEED_BUMP
    is_batched = command.mode == InstrumentMode.BATCH_AUCTION
    bump_ms, interval_ms = command.speed_bump_ms, command.auction_interval_ms
    place = (command.underlying, command.expiry_ns, command.strike_atoms)
    is_by_number = command.kind == InstrumentKind.COMBO
    return (
        (is_bumped <= bump_ms <= SPEED_BUMP_MS_MAX * is_bumped)
        and (is_batched <= interval_ms <= AUCTION_INTERVAL_MS_MAX * is_batched)
        and (not any(place) if is_by_number else not command.instrument)
    )


def _change(world: World, slot: int, command: SetInstrument) -> None:
    """Set state and mode; a book that now trades and is crossed begins an auction.

    A deleveraging of its holders ends with that.
    """
    funding.accrue(world, slot)
    instrument = world.instruments.edit(slot)
    instrument.state, instrument.mode = command.state, command.mode
    instrument.speed_bump_ms = command.speed_bump_ms
    instrument.auction_interval_ms = command.auction_interval_ms
    interval_ns = command.auction_interval_ms * NS_PER_MS
    instrument.auction_next_ns = world.header.window_ns + interval_ns if interval_ns else 0
    is_begun = trades_at_once(instrument) and ladder.is_crossed(world, instrument)
    book.restart_auction(instrument, AuctionPhase.PRICING if is_begun else AuctionPhase.NONE)
    if instrument.deleveraging:
        end_deleveraging(world, slot)
    emit_changed(world, slot)


def emit_changed(world: World, slot: int) -> None:
    """Tell state and mode of a book."""
    instrument = world.instruments[slot]
    world.emit(
        InstrumentChanged(
            instrument_id(slot, instrument.generation), instrument.state, instrument.mode,
            instrument.speed_bump_ms, instrument.auction_interval_ms, instrument.auction_phase,
        )
    )  # fmt: skip


# What states and modes mean for orders


def find_instrument(world: World, identifier: int) -> int:
    """Return the slot of an instrument that is listed under exactly this identifier, or 0."""
    slot = instrument_slot(identifier)
    if slot not in world.instruments:
        return NO_SLOT
    instrument = world.instruments[slot]
    is_it = identifier >> 16 == instrument.generation & 0xFFFF and instrument.kind
    return slot if is_it else NO_SLOT


def is_expired(world: World, instrument: InstrumentRecord) -> bool:
    """Whether the book is at its end, by its state or by time."""
    return instrument.state == InstrumentState.EXPIRED or _is_time_over(world, instrument)


def _is_time_over(world: World, instrument: InstrumentRecord) -> bool:
    return 0 < instrument.expiry_ns <= world.header.window_ns


def has_ended(world: World, slot: int) -> bool:
    """Whether a book is at its end for ever: itself or, a combo's, a leg of it."""
    instrument = world.instruments[slot]
    legs = [world.instruments[leg] for leg, _ in legs_of(instrument)]
    return any(is_expired(world, one) for one in (instrument, *legs))


def is_past(world: World, slot: int) -> bool:
    """Whether nobody can list the same again: its time is over or, a combo's, a leg has ended."""
    instrument = world.instruments[slot]
    legs = [world.instruments[leg] for leg, _ in legs_of(instrument)]
    return _is_time_over(world, instrument) or any(is_expired(world, leg) for leg in legs)


def is_as_listed(instrument: InstrumentRecord) -> bool:
    """Whether state and mode are those of a new listing."""
    is_open = instrument.state == InstrumentState.OPEN
    return is_open and instrument.mode == InstrumentMode.CONTINUOUS


def trades(world: World, slot: int) -> bool:
    """Whether trades may happen in the state of a book: for a combo, in its legs too."""
    return RULES[world.instruments[slot].state].trades and are_legs_open(world, slot)


def are_legs_open(world: World, slot: int) -> bool:
    """Whether each leg of a combo may be traded in any direction; other instruments have none."""
    legs = legs_of(world.instruments[slot])
    rules = [RULES[world.instruments[leg].state] for leg, _ in legs]
    return all(rule.trades and rule.any_order for rule in rules)


def gathers(instrument: InstrumentRecord) -> bool:
    """Whether orders rest for an auction, even where they reach each other."""
    rules = RULES[instrument.state]
    return (rules.any_order or rules.trades) and not trades_at_once(instrument)


def order_rejection(
    world: World, slot: int, is_post_only: bool, is_reduce_only: bool, is_immediate: bool
) -> Reject | None:
    """Return INSTRUMENT_STATE if state, mode or a running auction does not let an order in.

    Nor does a combo of which a leg is not open.
    """
    instrument = world.instruments[slot]
    rules = RULES[instrument.state]
    is_allowed = (
        rules.any_order
        or (rules.post_only and is_post_only)
        or (rules.reduce_only and is_reduce_only)
    )
    if not are_legs_open(world, slot) or (is_immediate and not trades_at_once(instrument)):
        is_allowed = False
    is_busy = instrument.auction_phase != AuctionPhase.NONE
    return None if is_allowed and not is_busy else Reject.INSTRUMENT_STATE


# A book that was halted for a deleveraging


def reopen(world: World, slot: int) -> None:
    """End a deleveraging, and let the book be again what it was before."""
    instrument = world.instruments.edit(slot)
    if instrument.state == InstrumentState.HALTED:
        instrument.state = world.deleveragings[instrument.deleveraging].state_before
    end_deleveraging(world, slot)
    emit_changed(world, slot)


def end_deleveraging(world: World, slot: int) -> None:
    """Take the record of a deleveraging away."""
    instrument = world.instruments.edit(slot)
    account = world.deleveragings[instrument.deleveraging].account
    world.deleveragings.free(instrument.deleveraging)
    instrument.deleveraging = NO_SLOT
    world.emit(DeleveragingEnded(account, instrument_id(slot, instrument.generation)))
