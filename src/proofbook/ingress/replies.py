"""What one sequenced command led to, as its caller is told."""

from typing import TypeAlias

from msgspec import structs

from proofbook.api.actions import (
    AmendParams,
    ComboReply,
    DealReply,
    FillReply,
    LegFillReply,
    PlaceReply,
    QuoteOutcome,
    QuoteParams,
    QuoteReply,
    ReceiptedReply,
    SignedParams,
    TriggerReply,
    WithdrawReply,
)
from proofbook.api.convert import receipt_reply
from proofbook.api.display import usdc_text
from proofbook.ingress.actions import SIDES
from proofbook.protocol.commands import (
    AcceptQuote,
    Amend,
    CreateCombo,
    Place,
    PlaceTrigger,
    TraderCommand,
    Withdraw,
)
from proofbook.protocol.events import (
    ComboCreated,
    Filled,
    OrderRemoved,
    OrderRested,
    QuoteRefused,
    TriggerPlaced,
    WithdrawalQueued,
    decode_events,
)
from proofbook.protocol.limits import (
    Reject,
    Removal,
)
from proofbook.queries.instruments import Instrument, Instruments
from proofbook.queries.models import side_name
from proofbook.sequencer.sequencer import Receipted

AnyReply: TypeAlias = (
    ComboReply | DealReply | PlaceReply | QuoteReply | ReceiptedReply | TriggerReply | WithdrawReply
)


def applied_reply(
    params: SignedParams, command: TraderCommand, receipted: Receipted, instruments: Instruments
) -> AnyReply:
    """Return the result of a command that was applied."""
    if isinstance(command, Place):
        return place_reply(receipted, instruments.numbered(command.instrument))
    if isinstance(command, Amend) and isinstance(params, AmendParams):
        return amend_reply(command, receipted, instruments.named(params.instrument))
    if isinstance(params, QuoteParams):
        return quote_reply(params, receipted, instruments)
    if isinstance(command, AcceptQuote):
        return deal_reply(receipted, instruments)
    receipt = receipt_reply(receipted.receipt)
    if isinstance(command, CreateCombo):
        events = decode_events(receipted.result.events)
        created = next(event for event in events if isinstance(event, ComboCreated))
        return ComboReply(instrument=instruments.numbered(created.instrument).name, receipt=receipt)
    if isinstance(command, Withdraw):
        events = decode_events(receipted.result.events)
        queued = next(event for event in events if isinstance(event, WithdrawalQueued))
        return WithdrawReply(index=str(queued.index), receipt=receipt)
    if isinstance(command, PlaceTrigger):
        events = decode_events(receipted.result.events)
        placed = next(event for event in events if isinstance(event, TriggerPlaced))
        return TriggerReply(trigger=str(placed.trigger), receipt=receipt)
    return ReceiptedReply(receipt=receipt)


def place_reply(receipted: Receipted, instrument: Instrument) -> PlaceReply:
    """Return fills, and what became of the rest."""
    fills: list[FillReply] = []
    filled_lots, resting, removed, trigger = 0, None, None, None
    for event in decode_events(receipted.result.events):
        if isinstance(event, Filled):
            filled_lots += event.lots
            price, amount = instrument.price(event.price_ticks), instrument.amount(event.lots)
            fills.append(
                FillReply(price=price, amount=amount, fee=usdc_text(event.taker_fee_atoms))
            )
        elif isinstance(event, OrderRested):
            resting = event
        elif isinstance(event, OrderRemoved) and not event.order:
            removed = Removal(event.removal).name
        elif isinstance(event, TriggerPlaced):
            trigger = str(event.trigger)
    return PlaceReply(
        order=None if resting is None else str(resting.order),
        trigger=trigger,
        filled=instrument.amount(filled_lots),
        resting=instrument.amount(0 if resting is None else resting.lots),
        removed=removed,
        fills=fills,
        receipt=receipt_reply(receipted.receipt),
    )


def amend_reply(command: Amend, receipted: Receipted, instrument: Instrument) -> PlaceReply:
    """Return what stands now: the order where it was, or what became of the one in its place."""
    reply = place_reply(receipted, instrument)
    events = decode_events(receipted.result.events)
    if any(isinstance(event, OrderRemoved) and event.order == command.order for event in events):
        return reply
    return structs.replace(reply, order=str(command.order), resting=instrument.amount(command.lots))


def deal_reply(receipted: Receipted, instruments: Instruments) -> DealReply:
    """Return what was traded of each leg."""
    fills: list[LegFillReply] = []
    for event in decode_events(receipted.result.events):
        if isinstance(event, Filled):
            instrument = instruments.numbered(event.instrument)
            fills.append(
                LegFillReply(
                    instrument=instrument.name,
                    side=side_name(event.taker_side),
                    price=instrument.price(event.price_ticks),
                    amount=instrument.amount(event.lots),
                    fee=usdc_text(event.taker_fee_atoms),
                )
            )
    return DealReply(fills=fills, receipt=receipt_reply(receipted.receipt))


def quote_reply(params: QuoteParams, receipted: Receipted, instruments: Instruments) -> QuoteReply:
    """Return an outcome for each quote, in the order in which they were given."""
    outcomes = {
        (event.instrument, event.side): event
        for event in decode_events(receipted.result.events)
        if isinstance(event, OrderRested | QuoteRefused)
    }
    quotes: list[QuoteOutcome] = []
    for row in params.quotes:
        instrument = instruments.named(row.instrument)
        outcome = outcomes.get((instrument.number, SIDES[row.side]))
        rested = outcome if isinstance(outcome, OrderRested) else None
        refused = outcome if isinstance(outcome, QuoteRefused) else None
        quotes.append(
            QuoteOutcome(
                instrument=row.instrument,
                side=row.side,
                order=None if rested is None else str(rested.order),
                price=None if rested is None else instrument.price(rested.price_ticks),
                refused=None if refused is None else Reject(refused.reason).name,
            )
        )
    return QuoteReply(quotes=quotes, receipt=receipt_reply(receipted.receipt))
