"""What one sequenced command led to, as its caller is told."""

from collections.abc import Iterable
from typing import TypeAlias, TypeVar

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
from proofbook.api.schema import Error
from proofbook.ingress.actions import SIDES
from proofbook.ingress.ordinary import Ordinary
from proofbook.ingress.rejections import rejected_error
from proofbook.protocol.commands import (
    AcceptQuote,
    Amend,
    CreateCombo,
    Place,
    PlaceTrigger,
    TraderCommand,
    Withdraw,
)
from proofbook.protocol.entry import read_whole_command
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
from proofbook.protocol.limits import Reject, Removal, Side, Tag
from proofbook.queries.instruments import Instrument, Instruments
from proofbook.queries.models import side_name
from proofbook.sequencer.sequencer import Receipted

AnyReply: TypeAlias = (
    ComboReply | DealReply | PlaceReply | QuoteReply | ReceiptedReply | TriggerReply | WithdrawReply
)

Told = TypeVar("Told", ComboCreated, WithdrawalQueued, TriggerPlaced)


def applied_reply(
    params: SignedParams, command: TraderCommand, receipted: Receipted, instruments: Instruments
) -> AnyReply:
    """Return the result of a command that was applied."""
    if isinstance(command, Place):
        return place_reply(receipted, instruments.numbered(command.instrument))
    if isinstance(command, Amend) and isinstance(params, AmendParams):
        return amend_reply(command, receipted, instruments.named(params.instrument))
    if isinstance(params, QuoteParams):
        rows = [(instruments.named(row.instrument), SIDES[row.side]) for row in params.quotes]
        return quote_reply(rows, receipted)
    if isinstance(command, AcceptQuote):
        return deal_reply(receipted, instruments)
    receipt = receipt_reply(receipted.receipt)
    if isinstance(command, CreateCombo):
        created = told(receipted, ComboCreated)
        return ComboReply(instrument=instruments.numbered(created.instrument).name, receipt=receipt)
    if isinstance(command, Withdraw):
        queued = told(receipted, WithdrawalQueued)
        return WithdrawReply(index=str(queued.index), receipt=receipt)
    if isinstance(command, PlaceTrigger):
        placed = told(receipted, TriggerPlaced)
        return TriggerReply(trigger=str(placed.trigger), receipt=receipt)
    return ReceiptedReply(receipt=receipt)


def told(receipted: Receipted, kind: type[Told]) -> Told:
    """Return the one event of a kind that a command led to."""
    events = decode_events(receipted.result.events)
    return next(event for event in events if isinstance(event, kind))


def ordinary_result(
    ordinary: Ordinary, instruments: Instruments, receipted: Receipted
) -> AnyReply | Error:
    """Return the result of a command that came as its bytes."""
    if not receipted.result.outcome.is_applied:
        return rejected_error(ordinary_command(ordinary), receipted)
    if ordinary.tag == Tag.PLACE:
        return place_reply(receipted, instruments.numbered(ordinary.instrument))
    if ordinary.tag == Tag.QUOTE_BATCH:
        rows = [(instruments.numbered(number), Side(side)) for number, side in ordinary.rows]
        return quote_reply(rows, receipted)
    return ReceiptedReply(receipt=receipt_reply(receipted.receipt))


def ordinary_command(ordinary: Ordinary) -> TraderCommand:
    """Return the command that stands in its bytes."""
    _, _, command = read_whole_command(ordinary.body)
    assert isinstance(command, TraderCommand), f"{command} came as a trader's"
    return command


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


def quote_reply(rows: Iterable[tuple[Instrument, Side]], receipted: Receipted) -> QuoteReply:
    """Return an outcome for each quote, in the order in which they were given."""
    outcomes = {
        (event.instrument, event.side): event
        for event in decode_events(receipted.result.events)
        if isinstance(event, OrderRested | QuoteRefused)
    }
    quotes: list[QuoteOutcome] = []
    for instrument, side in rows:
        outcome = outcomes.get((instrument.number, side))
        rested = outcome if isinstance(outcome, OrderRested) else None
        refused = outcome if isinstance(outcome, QuoteRefused) else None
        quotes.append(
            QuoteOutcome(
                instrument=instrument.name,
                side=side_name(side),
                order=None if rested is None else str(rested.order),
                price=None if rested is None else instrument.price(rested.price_ticks),
                refused=None if refused is None else Reject(refused.reason).name,
            )
        )
    return QuoteReply(quotes=quotes, receipt=receipt_reply(receipted.receipt))
