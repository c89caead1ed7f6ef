"""What one sequenced command led to, as its caller is told."""

from proofbook.api.convert import receipt_reply
from proofbook.api.display import usdc_text
from proofbook.api.errors import REJECT_CODES
from proofbook.api.schema import (
    Error,
    ErrorData,
    FillReply,
    PlaceReply,
    ReceiptedReply,
    WithdrawReply,
)
from proofbook.protocol.commands import Cancel, Place, TraderCommand, Withdraw
from proofbook.protocol.events import (
    Filled,
    OrderRemoved,
    OrderRested,
    WithdrawalQueued,
    decode_events,
)
from proofbook.protocol.limits import (
    AMOUNT_ATOMS_MAX,
    ORDER_LOTS_MAX,
    ORDERS_PER_ACCOUNT_MAX,
    PRICE_TICKS_BITS,
    Reject,
    Removal,
)
from proofbook.queries.instruments import Instrument, Instruments
from proofbook.sequencer.sequencer import Receipted


def applied_reply(
    command: TraderCommand, receipted: Receipted, instruments: Instruments
) -> PlaceReply | ReceiptedReply | WithdrawReply:
    """Return the result of a command that was applied."""
    if isinstance(command, Place):
        return place_reply(receipted, instruments.numbered(command.instrument))
    receipt = receipt_reply(receipted.receipt)
    if isinstance(command, Withdraw):
        events = decode_events(receipted.result.events)
        queued = next(event for event in events if isinstance(event, WithdrawalQueued))
        return WithdrawReply(index=str(queued.index), receipt=receipt)
    return ReceiptedReply(receipt=receipt)


def place_reply(receipted: Receipted, instrument: Instrument) -> PlaceReply:
    """Return fills, and what became of the rest."""
    fills: list[FillReply] = []
    filled_lots, resting, removed = 0, None, None
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
    return PlaceReply(
        order=None if resting is None else str(resting.order),
        filled=instrument.amount(filled_lots),
        resting=instrument.amount(0 if resting is None else resting.lots),
        removed=removed,
        fills=fills,
        receipt=receipt_reply(receipted.receipt),
    )


def rejected_error(command: TraderCommand, receipted: Receipted) -> Error:
    """Return the error of a command that the state machine rejected; the receipt is part of it."""
    reason = Reject(receipted.result.outcome.reason)
    value, limit = rejected_operands(command, reason)
    message = f"{command.TAG.name} was rejected: {reason.name}"
    if value is not None:
        message += f" (value {value}" + (f", limit {limit})" if limit is not None else ")")
    data = ErrorData(reason.name, value, limit, receipt_reply(receipted.receipt))
    return Error(REJECT_CODES + reason, message, data)


def rejected_operands(command: TraderCommand, reason: Reject) -> tuple[str | None, str | None]:
    """Return the refused value and its limit, in protocol units, where the command shows them."""
    operands: dict[Reject, tuple[object, object]] = {}
    if isinstance(command, Place):
        operands = {
            Reject.PRICE_OUT_OF_RANGE: (command.price_ticks, (1 << PRICE_TICKS_BITS) - 1),
            Reject.LOTS_OUT_OF_RANGE: (command.lots, ORDER_LOTS_MAX),
            Reject.FEE_ABOVE_MAX: (command.max_fee_ppm, None),
            Reject.ORDER_LIMIT: (ORDERS_PER_ACCOUNT_MAX, ORDERS_PER_ACCOUNT_MAX),
        }
    elif isinstance(command, Withdraw):
        operands = {
            Reject.AMOUNT_OUT_OF_RANGE: (command.amount_atoms, AMOUNT_ATOMS_MAX),
            Reject.INSUFFICIENT_BALANCE: (command.amount_atoms, None),
            Reject.INSUFFICIENT_MARGIN: (command.amount_atoms, None),
            Reject.TOKEN_NOT_SUPPORTED: (command.token, None),
        }
    elif isinstance(command, Cancel):
        operands = {
            Reject.ORDER_NOT_FOUND: (command.order, None),
            Reject.ORDER_NOT_OWNED: (command.order, None),
        }
    value, limit = operands.get(reason, (None, None))
    return None if value is None else str(value), None if limit is None else str(limit)
