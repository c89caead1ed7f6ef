"""Params of the signed methods become commands: decimals to ticks and lots, exactly."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from proofbook.api.actions import (
    AcceptQuoteParams,
    AmendParams,
    CancelAllParams,
    CancelParams,
    CancelTriggerParams,
    CreateComboParams,
    GrantSessionParams,
    PlaceParams,
    PlaceTriggerParams,
    PositionTransferParams,
    QuoteParams,
    QuoteRow,
    ResetProtectionParams,
    RevokeSessionParams,
    SetDeadManParams,
    SetProtectionParams,
    SignedParams,
    TransferParams,
    WithdrawParams,
)
from proofbook.api.convert import action_mask, post_only_of
from proofbook.api.errors import Refusal, Refused
from proofbook.ingress.deals import accept_quote_command, create_combo_command
from proofbook.ingress.decimals import atoms_of, lots_of, nanos_of, signed_head, ticks_of, u64
from proofbook.protocol.commands import (
    Amend,
    Cancel,
    CancelAll,
    CancelTrigger,
    GrantSession,
    Place,
    PlaceTrigger,
    PositionTransfer,
    Quote,
    QuoteBatch,
    ResetProtection,
    RevokeSession,
    SetDeadMan,
    SetProtection,
    TraderCommand,
    Transfer,
    Withdraw,
)
from proofbook.protocol.limits import (
    OrderType,
    PostOnly,
    Reject,
    SelfTradePrevention,
    Side,
    TimeInForce,
    TriggerCondition,
)
from proofbook.queries.models import ReadModels
from proofbook.queries.tokens import token_numbered

LABEL_BYTES = 8
SIDES = {side.name.lower(): side for side in Side}
TIMES_IN_FORCE = {each.name.lower(): each for each in TimeInForce}
ORDER_TYPES = {each.name.lower(): each for each in OrderType}
PREVENTIONS = {each.name.lower(): each for each in SelfTradePrevention}
CONDITIONS = {each.name.lower(): each for each in TriggerCondition}
"""What the names in params stand for."""


def place_command(params: PlaceParams, models: ReadModels) -> Place:
    """Return the order that the params describe. Raises Refused."""
    instrument = models.instruments.named(params.instrument)
    return Place(
        account=params.account,
        nonce=u64(params.nonce, "nonce"),
        expires_ns=u64(params.expires_ns, "expires_ns"),
        instrument=instrument.number,
        side=SIDES[params.side],
        price_ticks=ticks_of(params.price, instrument),
        lots=lots_of(params.amount, instrument),
        time_in_force=TIMES_IN_FORCE[params.time_in_force],
        post_only=post_only_of(params.post_only, params.slide),
        reduce_only=params.reduce_only,
        max_fee_ppm=params.max_fee_ppm,
        label=params.label.encode().ljust(LABEL_BYTES, b"\0"),
        order_type=ORDER_TYPES[params.order_type],
        self_trade_prevention=PREVENTIONS[params.self_trade_prevention],
        group=params.group,
    )


def cancel_command(params: CancelParams, _: ReadModels) -> Cancel:
    return Cancel(*signed_head(params), u64(params.order, "order"))


def amend_command(params: AmendParams, models: ReadModels) -> Amend:
    """Return the change that the params describe.

    Raises Refused, as well for an order known to be of another instrument: its units may differ.
    """
    instrument = models.instruments.named(params.instrument)
    number = u64(params.order, "order")
    order = models.books.order(number)
    if order is not None and order.instrument != instrument.number:
        message = f"order {number} is not one of {instrument.name}"
        raise Refused(Reject.ORDER_NOT_FOUND, message, number)
    price_ticks = 0 if params.price is None else ticks_of(params.price, instrument)
    if params.price is not None and price_ticks == 0:
        message = f"price of {instrument.name}: value was 0; leave it out to let the order stand"
        raise Refused(Reject.PRICE_OUT_OF_RANGE, message, params.price)
    lots = lots_of(params.amount, instrument)
    return Amend(*signed_head(params), number, price_ticks, lots)


def place_trigger_command(params: PlaceTriggerParams, models: ReadModels) -> PlaceTrigger:
    """Return the waiting order that the params describe. Raises Refused."""
    instrument = models.instruments.named(params.instrument)
    return PlaceTrigger(
        *signed_head(params),
        instrument=instrument.number,
        condition=CONDITIONS[params.condition],
        trigger_ticks=ticks_of(params.trigger_price, instrument),
        side=SIDES[params.side],
        price_ticks=ticks_of(params.price, instrument),
        lots=lots_of(params.amount, instrument),
        time_in_force=TIMES_IN_FORCE[params.time_in_force],
        reduce_only=params.reduce_only,
        self_trade_prevention=PREVENTIONS[params.self_trade_prevention],
        group=params.group,
        max_fee_ppm=params.max_fee_ppm,
        label=params.label.encode().ljust(LABEL_BYTES, b"\0"),
    )


def cancel_trigger_command(params: CancelTriggerParams, _: ReadModels) -> CancelTrigger:
    return CancelTrigger(*signed_head(params), u64(params.trigger, "trigger"))


def quote_command(params: QuoteParams, models: ReadModels) -> QuoteBatch:
    """Return the quotes in canonical order. Raises Refused for two on one side of a book."""
    quotes = sorted(
        (quote_of(row, models) for row in params.quotes),
        key=lambda quote: (quote.instrument, quote.side),
    )
    for before, after in pairwise(quotes):
        if (before.instrument, before.side) == (after.instrument, after.side):
            name = models.instruments.numbered(after.instrument).name
            message = f"quotes has {name} {after.side.name.lower()} twice"
            raise Refused(Refusal.INVALID_PARAMS, message, name)
    return QuoteBatch(
        *signed_head(params),
        params.protection,
        PostOnly.SLIDE if params.slide else PostOnly.REJECT,
        params.max_fee_ppm,
        tuple(quotes),
    )


def quote_of(row: QuoteRow, models: ReadModels) -> Quote:
    """Return a row as the protocol counts it. Raises Refused."""
    instrument = models.instruments.named(row.instrument)
    ticks, lots = ticks_of(row.price, instrument), lots_of(row.amount, instrument)
    return Quote(instrument.number, SIDES[row.side], ticks, lots)


def set_protection_command(params: SetProtectionParams, _: ReadModels) -> SetProtection:
    """Return the protection that the params describe. Raises Refused."""
    return SetProtection(
        *signed_head(params),
        params.protection,
        u64(params.interval_ns, "interval_ns"),
        u64(params.frozen_ns, "frozen_ns"),
        nanos_of(params.limit, "limit"),
    )


def reset_protection_command(params: ResetProtectionParams, _: ReadModels) -> ResetProtection:
    return ResetProtection(*signed_head(params), params.protection)


def set_dead_man_command(params: SetDeadManParams, _: ReadModels) -> SetDeadMan:
    return SetDeadMan(*signed_head(params), u64(params.deadline_ns, "deadline_ns"))


def cancel_all_command(params: CancelAllParams, _: ReadModels) -> CancelAll:
    return CancelAll(*signed_head(params))


def withdraw_command(params: WithdrawParams, models: ReadModels) -> Withdraw:
    """Return the withdrawal that the params describe. Raises Refused."""
    recipient = bytes.fromhex(params.recipient[2:])
    amount_atoms = token_atoms_of(params, models)
    return Withdraw(*signed_head(params), params.token, recipient, amount_atoms)


def transfer_command(params: TransferParams, models: ReadModels) -> Transfer:
    """Return the transfer that the params describe. Raises Refused."""
    amount_atoms = token_atoms_of(params, models)
    return Transfer(*signed_head(params), params.recipient, params.token, amount_atoms)


def token_atoms_of(params: WithdrawParams | TransferParams, models: ReadModels) -> int:
    """Return the amount in atoms of its token. Raises Refused."""
    token = token_numbered(models.engine, params.token)
    if token is None:
        message = f"token was {params.token}, the venue does not take it"
        raise Refused(Reject.TOKEN_NOT_SUPPORTED, message, params.token)
    return atoms_of(params.amount, "amount", token.decimals)


def position_transfer_command(
    params: PositionTransferParams, models: ReadModels
) -> PositionTransfer:
    """Return the transfer that the params describe. Raises Refused."""
    instrument = models.instruments.named(params.instrument)
    lots = lots_of(params.amount, instrument)
    return PositionTransfer(*signed_head(params), params.recipient, instrument.number, lots)


def grant_session_command(params: GrantSessionParams, _: ReadModels) -> GrantSession:
    """Return the grant that the params describe. Raises Refused."""
    return GrantSession(
        *signed_head(params),
        session=params.slot,
        key=bytes.fromhex(params.key[2:]),
        actions=action_mask(params.actions),
        markets=u64(params.markets, "markets"),
        notional_cap_atoms=atoms_of(params.notional_cap, "notional_cap"),
        session_expires_ns=u64(params.session_expires_ns, "session_expires_ns"),
    )


def revoke_session_command(params: RevokeSessionParams, _: ReadModels) -> RevokeSession:
    return RevokeSession(*signed_head(params), params.slot)


ACTIONS: dict[str, tuple[type[SignedParams], Callable[[Any, ReadModels], TraderCommand]]] = {
    "place": (PlaceParams, place_command),
    "cancel": (CancelParams, cancel_command),
    "cancel_all": (CancelAllParams, cancel_all_command),
    "amend": (AmendParams, amend_command),
    "place_trigger": (PlaceTriggerParams, place_trigger_command),
    "cancel_trigger": (CancelTriggerParams, cancel_trigger_command),
    "quote": (QuoteParams, quote_command),
    "set_protection": (SetProtectionParams, set_protection_command),
    "reset_protection": (ResetProtectionParams, reset_protection_command),
    "set_dead_man": (SetDeadManParams, set_dead_man_command),
    "accept_quote": (AcceptQuoteParams, accept_quote_command),
    "create_combo": (CreateComboParams, create_combo_command),
    "withdraw": (WithdrawParams, withdraw_command),
    "transfer": (TransferParams, transfer_command),
    "position_transfer": (PositionTransferParams, position_transfer_command),
    "grant_session": (GrantSessionParams, grant_session_command),
    "revoke_session": (RevokeSessionParams, revoke_session_command),
}
"""The signed methods: their params, and the command that these describe."""
