"""Params of the signed methods become commands: decimals to ticks and lots, exactly."""

from collections.abc import Callable
from typing import Any

from proofbook.api.display import U64_MAX, OffStep, OutOfRange, amount_lots, price_ticks, usdc_atoms
from proofbook.api.errors import Refusal, Refused
from proofbook.api.schema import (
    CancelAllParams,
    CancelParams,
    PlaceParams,
    SignedParams,
    WithdrawParams,
)
from proofbook.protocol.commands import Cancel, CancelAll, Place, TraderCommand, Withdraw
from proofbook.protocol.limits import (
    OrderType,
    PostOnly,
    Reject,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from proofbook.queries.instruments import Instrument, Instruments

LABEL_BYTES = 8


def place_command(params: PlaceParams, instruments: Instruments) -> Place:
    """Return the order that the params describe. Raises Refused."""
    instrument = instruments.named(params.instrument)
    return Place(
        account=params.account,
        nonce=u64(params.nonce, "nonce"),
        expires_ns=u64(params.expires_ns, "expires_ns"),
        instrument=instrument.number,
        side=Side[params.side.upper()],
        price_ticks=ticks_of(params.price, instrument),
        lots=lots_of(params.amount, instrument),
        time_in_force=TimeInForce[params.time_in_force.upper()],
        post_only=PostOnly(params.post_only),
        reduce_only=params.reduce_only,
        max_fee_ppm=params.max_fee_ppm,
        label=params.label.encode().ljust(LABEL_BYTES, b"\0"),
        order_type=OrderType[params.order_type.upper()],
        self_trade_prevention=SelfTradePrevention[params.self_trade_prevention.upper()],
        group=params.group,
    )


def cancel_command(params: CancelParams, _: Instruments) -> Cancel:
    return Cancel(*signed_head(params), u64(params.order, "order"))


def cancel_all_command(params: CancelAllParams, _: Instruments) -> CancelAll:
    return CancelAll(*signed_head(params))


def withdraw_command(params: WithdrawParams, _: Instruments) -> Withdraw:
    """Return the withdrawal that the params describe. Raises Refused."""
    try:
        amount_atoms = usdc_atoms(params.amount)
    except OffStep as fault:
        message = f"amount: {fault}"
        raise Refused(Refusal.AMOUNT_OFF_LOT, message, fault.value, fault.step) from None
    except OutOfRange as fault:
        raise out_of_range(Reject.AMOUNT_OUT_OF_RANGE, "amount", fault) from None
    recipient = bytes.fromhex(params.recipient[2:])
    return Withdraw(*signed_head(params), params.token, recipient, amount_atoms)


ACTIONS: dict[str, tuple[type[SignedParams], Callable[[Any, Instruments], TraderCommand]]] = {
    "place": (PlaceParams, place_command),
    "cancel": (CancelParams, cancel_command),
    "cancel_all": (CancelAllParams, cancel_all_command),
    "withdraw": (WithdrawParams, withdraw_command),
}
"""The signed methods: their params, and the command that these describe."""


def signed_head(params: SignedParams) -> tuple[int, int, int]:
    """Return what every signed command begins with. Raises Refused."""
    return params.account, u64(params.nonce, "nonce"), u64(params.expires_ns, "expires_ns")


def u64(digits: str, name: str) -> int:
    """Return digits as a number. Raises Refused above 64 bits."""
    number = int(digits)
    if number > U64_MAX:
        raise Refused(Refusal.INVALID_PARAMS, f"{name} exceeds 64 bits", digits, U64_MAX)
    return number


def ticks_of(price: str, instrument: Instrument) -> int:
    """Return a price in ticks. Raises Refused with the price and its step or limit."""
    try:
        return price_ticks(price, instrument.tick_atoms)
    except OffStep as fault:
        message = f"price of {instrument.name}: {fault}"
        raise Refused(Refusal.PRICE_OFF_TICK, message, fault.value, fault.step) from None
    except OutOfRange as fault:
        what = f"price of {instrument.name}"
        raise out_of_range(Reject.PRICE_OUT_OF_RANGE, what, fault) from None


def lots_of(amount: str, instrument: Instrument) -> int:
    """Return a size in lots. Raises Refused with the amount and its step or limit."""
    try:
        return amount_lots(amount, instrument.lot_nanos)
    except OffStep as fault:
        message = f"amount of {instrument.name}: {fault}"
        raise Refused(Refusal.AMOUNT_OFF_LOT, message, fault.value, fault.step) from None
    except OutOfRange as fault:
        what = f"amount of {instrument.name}"
        raise out_of_range(Reject.LOTS_OUT_OF_RANGE, what, fault) from None


def out_of_range(reason: Reject, what: str, fault: OutOfRange) -> Refused:
    """Return the refusal of a decimal that its field cannot hold."""
    return Refused(reason, f"{what}: {fault}", fault.value, fault.limit)
