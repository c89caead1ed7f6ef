"""What a command was rejected for, as its caller is told: the reason, the value, the limit."""

from collections.abc import Callable, Mapping
from typing import Any

from proofbook.api.convert import receipt_reply
from proofbook.api.errors import REJECT_CODES
from proofbook.api.schema import Error, ErrorData
from proofbook.protocol.commands import (
    Amend,
    Cancel,
    CancelTrigger,
    Place,
    PlaceTrigger,
    QuoteBatch,
    ResetProtection,
    SetDeadMan,
    SetProtection,
    TraderCommand,
    Withdraw,
)
from proofbook.protocol.limits import (
    AMOUNT_ATOMS_MAX,
    ORDER_LOTS_MAX,
    ORDERS_PER_ACCOUNT_MAX,
    PRICE_TICKS_BITS,
    PROTECTION_INTERVAL_MAX_NS,
    PROTECTIONS_PER_ACCOUNT,
    TRIGGERS_PER_ACCOUNT_MAX,
    Reject,
)
from proofbook.sequencer.sequencer import Receipted

Operands = dict[Reject, tuple[object, object]]
"""By reason, the value that was refused and its limit, if there is one."""


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
    operands_of = OPERANDS.get(type(command))
    operands: Operands = {} if operands_of is None else operands_of(command)
    value, limit = operands.get(reason, (None, None))
    return None if value is None else str(value), None if limit is None else str(limit)


def _of_place(command: Place) -> Operands:
    return {
        Reject.PRICE_OUT_OF_RANGE: (command.price_ticks, (1 << PRICE_TICKS_BITS) - 1),
        Reject.LOTS_OUT_OF_RANGE: (command.lots, ORDER_LOTS_MAX),
        Reject.FEE_ABOVE_MAX: (command.max_fee_ppm, None),
        Reject.ORDER_LIMIT: (ORDERS_PER_ACCOUNT_MAX, ORDERS_PER_ACCOUNT_MAX),
    }


def _of_withdraw(command: Withdraw) -> Operands:
    return {
        Reject.AMOUNT_OUT_OF_RANGE: (command.amount_atoms, AMOUNT_ATOMS_MAX),
        Reject.INSUFFICIENT_BALANCE: (command.amount_atoms, None),
        Reject.INSUFFICIENT_MARGIN: (command.amount_atoms, None),
        Reject.TOKEN_NOT_SUPPORTED: (command.token, None),
    }


def _of_order(command: Cancel | Amend) -> Operands:
    return {
        Reject.ORDER_NOT_FOUND: (command.order, None),
        Reject.ORDER_NOT_OWNED: (command.order, None),
    }


def _of_protection(command: QuoteBatch | ResetProtection) -> Operands:
    return {Reject.PROTECTION_NOT_FOUND: (command.protection, PROTECTIONS_PER_ACCOUNT)}


def _of_place_trigger(command: PlaceTrigger) -> Operands:
    return _of_place(command.order) | {
        Reject.TRIGGER_LIMIT: (TRIGGERS_PER_ACCOUNT_MAX, TRIGGERS_PER_ACCOUNT_MAX)
    }


def _of_cancel_trigger(command: CancelTrigger) -> Operands:
    return {
        Reject.TRIGGER_NOT_FOUND: (command.trigger, None),
        Reject.TRIGGER_NOT_OWNED: (command.trigger, None),
    }


def _of_set_protection(command: SetProtection) -> Operands:
    is_number = 1 <= command.protection <= PROTECTIONS_PER_ACCOUNT
    number = command.protection, PROTECTIONS_PER_ACCOUNT
    interval = command.interval_ns, PROTECTION_INTERVAL_MAX_NS
    return {Reject.PROTECTION_OUT_OF_RANGE: interval if is_number else number}


def _of_set_dead_man(command: SetDeadMan) -> Operands:
    return {Reject.DEADLINE_OUT_OF_RANGE: (command.deadline_ns, None)}


OPERANDS: Mapping[type[TraderCommand], Callable[[Any], Operands]] = {
    Place: _of_place,
    Withdraw: _of_withdraw,
    Cancel: _of_order,
    Amend: _of_order,
    PlaceTrigger: _of_place_trigger,
    CancelTrigger: _of_cancel_trigger,
    QuoteBatch: _of_protection,
    ResetProtection: _of_protection,
    SetProtection: _of_set_protection,
    SetDeadMan: _of_set_dead_man,
}
"""What the members of a command say about why it was rejected."""
