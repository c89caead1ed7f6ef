"""Every method and channel of the interface, once: sessions serve them, documents describe them."""

from collections.abc import Callable
from enum import StrEnum
from inspect import getdoc
from typing import Any, NamedTuple, get_type_hints

import msgspec

from proofbook.api.actions import (
    ComboReply,
    DealReply,
    PlaceReply,
    QuoteReply,
    ReceiptedReply,
    SubmitParams,
    SubmitReply,
    TriggerReply,
    WithdrawReply,
)
from proofbook.api.prices import ForwardsParams, IndexParams, SurfaceParams
from proofbook.api.rates import RateLimitsParams, RateLimitsReply
from proofbook.api.schema import (
    AccountNotice,
    ArmedReply,
    BookNotice,
    CancelOnDisconnectParams,
    ChannelParams,
    DebugReply,
    Nothing,
    SubscribeParams,
    SubscriptionReply,
    TradeNotice,
)
from proofbook.ingress.actions import ACTIONS
from proofbook.ingress.development import DEVELOPMENTS
from proofbook.ingress.histories import HISTORIES
from proofbook.ingress.methods import QUERIES, Query
from proofbook.ingress.prices import (
    get_oracle,
    publish_forwards,
    publish_index,
    publish_surface,
)


class Section(StrEnum):
    """What kind of method it is."""

    READ = "read"
    HISTORY = "history"
    SIGNED = "signed"
    PRICES = "prices"
    CONNECTION = "connection"
    DEVELOPMENT = "development"


class Method(NamedTuple):
    """A method as documents describe it."""

    name: str
    section: Section
    params: type
    result: Any
    summary: str


class Channel(NamedTuple):
    """A channel; `subject` is what stands behind the point in its name."""

    kind: str
    subject: str
    data: type
    summary: str


SIGNED_RESULTS: dict[str, type] = {
    "place": PlaceReply,
    "amend": PlaceReply,
    "place_trigger": TriggerReply,
    "quote": QuoteReply,
    "accept_quote": DealReply,
    "create_combo": ComboReply,
    "withdraw": WithdrawReply,
}
"""What signed methods return; the others a receipt alone."""

SIGNED_SUMMARIES = {
    "place": "Place an order; fills, what rests, receipt.",
    "cancel": "End an order.",
    "cancel_all": "End every order of the account.",
    "amend": "Change what remains of a resting order, and its price.",
    "place_trigger": "Let an order wait until a price is reached.",
    "cancel_trigger": "End a waiting order.",
    "quote": "Replace up to 32 quotes under one signature.",
    "set_protection": "Bound what quotes may trade within an interval.",
    "reset_protection": "Thaw a protection.",
    "set_dead_man": "End every order when a deadline passes without being moved.",
    "accept_quote": "Trade all legs of another trader's offer, or none.",
    "create_combo": "Open a book of several legs.",
    "withdraw": "Move money into the withdrawal tree.",
    "transfer": "Move money to another account.",
    "position_transfer": "Move a position to another account of the same owner.",
    "grant_session": "Let a key act for the account, within bounds.",
    "revoke_session": "End a session.",
}

CHANNELS = (
    Channel("book", "INSTRUMENT", BookNotice, "A snapshot, then every change of a book."),
    Channel("trades", "INSTRUMENT", TradeNotice, "Every trade."),
    Channel("account", "NUMBER", AccountNotice, "Every event of an account; can be resumed."),
)


PUBLISHING = {
    "get_oracle": Query(Nothing, get_oracle),
    "publish_index": Query(IndexParams, publish_index),
    "publish_forwards": Query(ForwardsParams, publish_forwards),
    "publish_surface": Query(SurfaceParams, publish_surface),
}
"""The methods of publishers."""


def methods() -> list[Method]:
    """Return every method, in the order in which documents list them."""
    return [*_reading(), *_historical(), *_signed(), *_publishing(), *_connected(), *_developing()]


def _reading() -> list[Method]:
    return [
        Method(name, Section.READ, query.params, _result_of(query.answer), summary(query.answer))
        for name, query in QUERIES.items()
    ]


def _historical() -> list[Method]:
    return [
        Method(name, Section.HISTORY, params, _result_of(answer), summary(answer))
        for name, (params, answer) in HISTORIES.items()
    ]


def _signed() -> list[Method]:
    signed = [
        Method(
            name,
            Section.SIGNED,
            params,
            SIGNED_RESULTS.get(name, ReceiptedReply),
            SIGNED_SUMMARIES[name],
        )
        for name, (params, _) in ACTIONS.items()
    ]
    words = "Send any command that traders sign, as the bytes that stand in an entry."
    submit = Method("submit", Section.SIGNED, SubmitParams, SubmitReply, words)
    return [*signed, submit, *(_debugging(method) for method in signed)]


def _debugging(method: Method) -> Method:
    words = f"What the venue makes of `{method.name}`; nothing is executed."
    return Method(f"{method.name}_debug", Section.SIGNED, method.params, DebugReply, words)


def _publishing() -> list[Method]:
    return [
        Method(name, Section.PRICES, query.params, _result_of(query.answer), summary(query.answer))
        for name, query in PUBLISHING.items()
    ]


def _connected() -> list[Method]:
    return [
        Method(
            "subscribe", Section.CONNECTION, SubscribeParams, SubscriptionReply,
            "Join channels, all or none; account channels from a seq on.",
        ),
        Method(
            "unsubscribe", Section.CONNECTION, ChannelParams, SubscriptionReply,
            "Leave channels.",
        ),
        Method(
            "cancel_on_disconnect", Section.CONNECTION, CancelOnDisconnectParams, ArmedReply,
            "Leave a signed `cancel_all` to be sent when the connection ends.",
        ),
        Method(
            "get_rate_limits", Section.CONNECTION, RateLimitsParams, RateLimitsReply,
            "How often this connection may ask and a key may act, and what is left of it.",
        ),
        Method(
            "rpc.discover", Section.CONNECTION, Nothing, msgspec.Raw,
            "This list as an OpenRPC document.",
        ),
    ]  # fmt: skip


def _developing() -> list[Method]:
    return [
        Method(name, Section.DEVELOPMENT, params, _result_of(answer), summary(answer))
        for name, (params, answer) in DEVELOPMENTS.items()
    ]


def summary(answer: Callable[..., Any]) -> str:
    """Return what a function says about itself, but not what it raises."""
    text = getdoc(answer)
    assert text, f"{answer.__name__} answers a method and says what it does"
    return " ".join(text.split("\n\n")[0].split()).partition(" Raises ")[0]


def _result_of(answer: Callable[..., Any]) -> Any:
    return get_type_hints(answer)["return"]
