"""Funding: what a perpetual's longs pay its shorts for a price above the index, all the time.

The premium of the book is how far the impact price of its bids lies above the index, less how far
that of its asks lies below it: the average price at which a taker would sell, or buy, a set value
at once. Book and index stand still between two commands. So before either changes the premium that
stood since then is added up, times the time that it stood: nothing is sampled, and no moment is
worth more than another.

An order counts for an interval only if it still stands at its end: one cancelled before has risked
nothing. An index counts until it is too old, no longer. What is paid is kept as whole atoms per lot
in the instrument's funding index, the rest of the division with it, so that no atom is lost: of all
positions together the lots are zero, and so is what they pay.
"""

from proofbook.protocol.commands import REDUCE_ONLY_FLAG
from proofbook.protocol.events import FundingChanged, FundingSettled
from proofbook.protocol.identifiers import instrument_id
from proofbook.protocol.limits import (
    ATOMS_PER_QUOTE_UNIT,
    FEMTOS_PER_PPM,
    FRACTION_ONE_PPM,
    FUNDING_INTERVAL_NS,
    FUNDING_ORDERS_MAX,
    ORACLE_AGE_MAX_NS,
    PREMIUM_AVERAGE_NS,
    AuctionPhase,
    InstrumentKind,
    Side,
)
from proofbook.protocol.records import InstrumentRecord, OrderRecord, PositionRecord
from proofbook.spec import ladder, protections
from proofbook.spec.accounts import add_cash
from proofbook.spec.arrays import div_nearest
from proofbook.spec.payoff import NANOS_PER_UNIT
from proofbook.spec.rules import trades_at_once
from proofbook.spec.world import PARAMETERS_SLOT, World


def accrue(world: World, slot: int) -> None:
    """Bring funding and the premium in the mark up to now, by the book and index as they stand.

    To be called before anything changes a perpetual's book, state, positions or index; does nothing
    for other kinds, and little if time has not moved on. Both premiums are bounded by parameters.

    Rounds the funding index down, its remainder kept; the average down, by less than 1e-15.
    """
    instrument = world.instruments[slot]
    now_ns = world.header.window_ns  # the time at which the command's window closed
    if instrument.kind != InstrumentKind.PERPETUAL or instrument.funding_ns == now_ns:
        return
    index_ns = world.underlyings[instrument.underlying].index_ns
    begin_ns = max(instrument.funding_ns, index_ns)
    counted_ns = max(0, min(now_ns, index_ns + ORACLE_AGE_MAX_NS) - begin_ns)
    instrument = world.instruments.edit(slot)
    instrument.funding_ns = now_ns
    if counted_ns:
        _accrue_premium(world, instrument, premium_ppm(world, instrument), counted_ns)


def _accrue_premium(
    world: World, instrument: InstrumentRecord, premium: int, counted_ns: int
) -> None:
    parameters = world.parameters[PARAMETERS_SLOT]
    paid_ppm = clamp(premium, parameters.funding_premium_max_ppm)
    due = instrument.funding_remainder + _index_value(world, instrument) * paid_ppm * counted_ns
    whole, instrument.funding_remainder = divmod(due, FUNDING_INTERVAL_NS * FRACTION_ONE_PPM)
    instrument.funding_index += whole
    marked_ppm = clamp(premium, parameters.perpetual_mark_max_ppm)
    distance = marked_ppm * FEMTOS_PER_PPM - instrument.mark_premium_femtos
    instrument.mark_premium_femtos += distance * counted_ns // PREMIUM_AVERAGE_NS


def accrue_underlying(world: World, underlying: int) -> None:
    """Accrue the perpetual of an underlying, if it has one, and tell what came of it."""
    expiry = world.underlyings[underlying].perpetual_expiry
    if not expiry:
        return
    slot = world.expiries[expiry].instruments_head
    accrue(world, slot)
    instrument = world.instruments[slot]
    world.emit(
        FundingChanged(
            instrument_id(slot, instrument.generation),
            instrument.funding_index,
            instrument.mark_premium_femtos,
        )
    )


def premium_ppm(world: World, instrument: InstrumentRecord) -> int:
    """Return by how much a perpetual's book lies above its index, in ppm of it.

    Nothing in a book that does not trade at once: its prices bind nobody; nor with an impact value
    of 0, which any order would fill. Rounds towards zero.
    """
    is_trading = trades_at_once(instrument) and instrument.auction_phase == AuctionPhase.NONE
    has_impact = world.parameters[PARAMETERS_SLOT].funding_impact_usd > 0
    index_value = _index_value(world, instrument) if is_trading and has_impact else 0
    if index_value == 0:
        return 0
    above = _excess_ppm(world, instrument, Side.BUY, index_value)
    below = _excess_ppm(world, instrument, Side.SELL, index_value)
    return above - below


def _index_value(world: World, instrument: InstrumentRecord) -> int:
    """Return what a lot is worth at the index, in atoms. Rounds to nearest, half up."""
    index_atoms = world.underlyings[instrument.underlying].index_atoms
    return div_nearest(index_atoms * instrument.lot_nanos, NANOS_PER_UNIT)


def _excess_ppm(world: World, instrument: InstrumentRecord, side: Side, index_value: int) -> int:
    """Return how far bids lie above, or asks below, the index at their impact price, in ppm.

    0 if they do not, or if the first 16 orders do not fill the impact value; those that are over
    already use up places among the 16. Rounds down.
    """
    sign = 1 if side == Side.BUY else -1
    wanted = world.parameters[PARAMETERS_SLOT].funding_impact_usd * ATOMS_PER_QUOTE_UNIT
    lots = value = 0
    rooms: dict[int, int] = {}
    for looked_at, slot in enumerate(ladder.slots_from_best(world, instrument, side)):
        order = world.orders[slot]
        per_lot = order.price_ticks * instrument.tick_value_atoms
        if looked_at == FUNDING_ORDERS_MAX or (not lots and sign * (per_lot - index_value) <= 0):
            return 0
        needed = -(-(wanted - value) // per_lot)
        taken = min(needed, _tradable_lots(world, order, rooms))
        lots, value = lots + taken, value + taken * per_lot
        if value >= wanted:
            excess = max(0, sign * (value - lots * index_value))
            return excess * FRACTION_ONE_PPM // (lots * index_value)
    return 0


def _tradable_lots(world: World, order: OrderRecord, rooms: dict[int, int]) -> int:
    """Return the lots that an order would trade, of its protection only what is left of its room.

    None of an order that is over, or that only reduces: what that may trade hangs on its owner.
    """
    if ladder.is_over(world, order) or order.flags & REDUCE_ONLY_FLAG:
        return 0
    if not order.protection:
        return order.lots_remaining
    protection = protections.of_order(world, order)
    room = rooms.get(protection, protections.room_lots(world, order))
    lots = min(order.lots_remaining, room)
    rooms[protection] = room - lots
    return lots


def pending_atoms(world: World, position: PositionRecord) -> int:
    """Return the funding that a position owes and has not paid; below 0 it is owed.

    What accrued since book or index last changed is not in it yet.
    """
    instrument = world.instruments[position.instrument]
    return position.lots * (instrument.funding_index - position.funding_index)


def settle(world: World, position_slot: int) -> None:
    """Pay a position's funding out of cash, or into it. Its lots must not change before."""
    position = world.positions[position_slot]
    instrument = world.instruments[position.instrument]
    before, after = position.funding_index, instrument.funding_index
    if before == after:
        return
    world.positions.edit(position_slot).funding_index = after
    if position.lots:
        add_cash(world, position.account, -position.lots * (after - before))
        identifier = instrument_id(position.instrument, instrument.generation)
        world.emit(FundingSettled(position.account, identifier, position.lots, before, after))


def clamp(number: int, limit: int) -> int:
    """Return the number, at most the limit either way."""
    return max(-limit, min(limit, number))
