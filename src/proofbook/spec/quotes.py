"""Quotes: a market maker's bids and offers, many replaced under one signature.

An account has one quote on each side of a book, and a new one takes its place. Margin is asked once
for a whole batch, as it would be once all of it rests.
"""

from proofbook.protocol.commands import QUOTE_FLAG, Place, Quote, QuoteBatch
from proofbook.protocol.events import QuoteRefused
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import PostOnly, Reject, Removal
from proofbook.spec import book, debts, ladder, margin, protections, states
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.cancellation import end_orders_if_due
from proofbook.spec.margin import Exposure
from proofbook.spec.order_terms import instrument_rejection, terms_rejection
from proofbook.spec.orders import may_rest, rest, room_rejection, slid_ticks
from proofbook.spec.portfolio import is_insolvent
from proofbook.spec.positions import find_position, open_position, release_position
from proofbook.spec.world import World


def quote_batch(world: World, command: QuoteBatch) -> Reject | None:
    """Take the old quotes out of their books, then rest the new ones, each with its own outcome.

    A quote that cannot rest is refused by an event, and leaves no quote on its side: the old one
    stood where its owner no longer wants it.

    Rejects  PROTECTION_NOT_FOUND; ACCOUNT_INSOLVENT unless the batch only takes quotes out;
             INSUFFICIENT_MARGIN unless it requires no more than what it replaces; DEBT_LIMIT if all
             its quotes together could make too large a debt, and cost more than those that they
             replace.
    """
    if command.protection and not protections.find(world, command.account, command.protection):
        return Reject.PROTECTION_NOT_FOUND
    rejections = [_quote_rejection(world, command, quote) for quote in command.quotes]
    changes = _changes(world, command, rejections)
    account = command.account
    before = margin.portfolio(world, account)
    if is_insolvent(before) and _places_any(command, rejections):
        return Reject.ACCOUNT_INSOLVENT
    after = margin.with_changes(world, before, changes)
    if not margin.covers(world, after) and not margin.requires_no_more(world, before, after):
        return Reject.INSUFFICIENT_MARGIN
    if _is_beyond_debt(world, command, rejections):
        return Reject.DEBT_LIMIT
    end_orders_if_due(world, account)
    for quote in command.quotes:
        _take_out(world, account, quote)
    for place, quote in enumerate(command.quotes):
        rejection = rejections[place] or _rest_quote(world, command, quote)
        if rejection is not None:
            _refuse(world, command, place, rejection)
    return None


def _quote_rejection(world: World, command: QuoteBatch, quote: Quote) -> Reject | None:
    """Return what speaks against a quote by itself: instrument, protection, terms, state."""
    rejection = instrument_rejection(world, quote.instrument)
    if rejection is not None or quote.lots == 0:
        return rejection
    slot = protections.find(world, command.account, command.protection)
    if slot and protections.is_frozen(world, slot):
        return Reject.PROTECTION_FROZEN
    instrument = instrument_slot(quote.instrument)
    rejection = terms_rejection(
        world, command.account, instrument, quote.side, quote.price_ticks, quote.lots,
        command.max_fee_ppm, False,
    )  # fmt: skip
    return rejection or states.order_rejection(world, instrument, True, False, False)


def _places_any(command: QuoteBatch, rejections: list[Reject | None]) -> bool:
    """Whether a quote of the batch is to rest."""
    pairs = zip(command.quotes, rejections, strict=True)
    return any(rejection is None and quote.lots for quote, rejection in pairs)


def _changes(
    world: World, command: QuoteBatch, rejections: list[Reject | None]
) -> dict[int, Exposure]:
    """Return what the batch adds to the account's exposures: new quotes, less old ones."""
    changes: dict[int, Exposure] = {}
    for quote, rejection in zip(command.quotes, rejections, strict=True):
        slot = instrument_slot(quote.instrument)
        change = changes.get(slot, Exposure(0)) + _given_back(world, command.account, quote)
        if rejection is None and quote.lots:
            reserve = margin.reserve_per_lot(
                world, slot, quote.side, quote.price_ticks, command.max_fee_ppm
            )
            change += margin.resting(quote.side, quote.lots, quote.lots * reserve)
        changes[slot] = change
    return {slot: change for slot, change in changes.items() if change != Exposure(0)}


def _is_beyond_debt(world: World, command: QuoteBatch, rejections: list[Reject | None]) -> bool:
    """Whether all new quotes together could make too large a debt, and cost more than the old."""
    outflow = sum(
        quote.lots
        * debts.outflow_per_lot(
            world, instrument_slot(quote.instrument), quote.side, quote.price_ticks,
            command.max_fee_ppm,
        )
        for quote, rejection in zip(command.quotes, rejections, strict=True)
        if rejection is None and quote.lots
    )  # fmt: skip
    if not debts.is_beyond_limit(world, command.account, outflow):
        return False
    old = [_live_quote(world, command.account, quote) for quote in command.quotes]
    return outflow > sum(debts.order_outflow(world, slot) for slot in old if slot)


def _old_quote(world: World, account: int, quote: Quote) -> int:
    """Return the slot of the order that a quote replaces, or 0."""
    if instrument_rejection(world, quote.instrument) == Reject.INSTRUMENT_NOT_FOUND:
        return NO_SLOT
    position_slot = find_position(world, account, instrument_slot(quote.instrument))
    return book.quote_of(world.positions[position_slot], quote.side) if position_slot else NO_SLOT


def _live_quote(world: World, account: int, quote: Quote) -> int:
    """Return the slot of the order that a quote replaces if it still counts, or 0."""
    slot = _old_quote(world, account, quote)
    return NO_SLOT if slot and ladder.is_epoch_over(world, world.orders[slot]) else slot


def _given_back(world: World, account: int, quote: Quote) -> Exposure:
    """Return what leaves the account's exposure with the old quote."""
    slot = _live_quote(world, account, quote)
    if not slot:
        return Exposure(0)
    old = world.orders[slot]
    lots = old.lots_remaining
    return margin.resting(old.side, -lots, -lots * old.reserve_per_lot_atoms)


def _take_out(world: World, account: int, quote: Quote) -> None:
    slot = _old_quote(world, account, quote)
    if slot:
        position_slot = world.orders[slot].position
        book.remove_order(world, slot, Removal.REPLACED)
        release_position(world, position_slot)


def _rest_quote(world: World, command: QuoteBatch, quote: Quote) -> Reject | None:
    """Rest one quote, all old ones being out of the way, or return why it cannot."""
    if quote.lots == 0:
        return None
    slot, account = instrument_slot(quote.instrument), command.account
    price_ticks = quote.price_ticks
    if command.post_only == PostOnly.SLIDE:
        price_ticks = slid_ticks(world, slot, quote.side, price_ticks)
    if not may_rest(world, slot, quote.side, price_ticks):
        return Reject.POST_ONLY_WOULD_CROSS
    rejection = room_rejection(world, account, slot, quote.side, quote.lots)
    if rejection is not None:
        return rejection
    position_slot = find_position(world, account, slot) or open_position(world, account, slot)
    order = Place(
        account, command.nonce, command.expires_ns, quote.instrument, quote.side, price_ticks,
        quote.lots, post_only=command.post_only, max_fee_ppm=command.max_fee_ppm,
    )  # fmt: skip
    order_slot = rest(world, order, position_slot, quote.lots)
    _mark_as_quote(world, command, order_slot)
    return None


def _mark_as_quote(world: World, command: QuoteBatch, slot: int) -> None:
    """Let the position know the order as its quote, and the order its protection."""
    order = world.orders.edit(slot)
    order.flags |= QUOTE_FLAG
    book.set_quote(world.positions.edit(order.position), order.side, slot)
    protection = protections.find(world, command.account, command.protection)
    if protection:
        order.protection = command.protection
        order.protection_epoch = world.protections[protection].epoch


def _refuse(world: World, command: QuoteBatch, place: int, rejection: Reject) -> None:
    quote = command.quotes[place]
    world.emit(
        QuoteRefused(place, command.account, quote.instrument, quote.side, command.nonce, rejection)
    )
