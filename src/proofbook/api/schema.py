"""The JSON of the interface, one strict struct per shape: unknown members are refused.

Decimals are strings. Integers that may exceed 2^53 (nonces, orders, times in ns) are strings of
digits.
"""

from typing import Annotated, Generic, Literal, TypeAlias, TypeVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from proofbook.api.display import DECIMAL_TEXT

FRAME_BYTES_MAX = 64 * 1024
"""Bytes of one request: several times the longest that any method takes."""

Decimal: TypeAlias = Annotated[str, Meta(pattern=DECIMAL_TEXT)]
Digits: TypeAlias = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,19})\Z")]
U8: TypeAlias = Annotated[int, Meta(ge=0, le=2**8 - 1)]
U16: TypeAlias = Annotated[int, Meta(ge=0, le=2**16 - 1)]
U32: TypeAlias = Annotated[int, Meta(ge=0, le=2**32 - 1)]
InstrumentName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]

SideName: TypeAlias = Literal["buy", "sell"]
ActionName: TypeAlias = Literal["place", "cancel", "transfer", "negotiate"]

Result = TypeVar("Result")


class Params(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Members of `params`."""


class Reply(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Members of `result`."""


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON-RPC 2.0 request. No notifications, no batches: every request has one reply."""

    jsonrpc: Literal["2.0"]
    id: int | str
    method: str
    params: Raw = Raw(b"{}")


class ErrorData(Struct, frozen=True, omit_defaults=True):
    reason: str
    value: str | None = None
    limit: str | None = None
    receipt: "ReceiptReply | None" = None
    retry_after_ms: int | None = None


class Error(Struct, frozen=True):
    code: int
    message: str
    data: ErrorData


class Response(Struct, frozen=True, kw_only=True, rename="camel"):
    """A reply, with the microseconds at which the request came in and the reply went out."""

    jsonrpc: Literal["2.0"] = "2.0"
    id: int | str | None
    result: Raw | UnsetType = UNSET
    error: Error | UnsetType = UNSET
    us_in: int
    us_out: int
    us_diff: int


class Nothing(Params, frozen=True, kw_only=True):
    """No members at all."""


class InstrumentParams(Params, frozen=True, kw_only=True):
    instrument: InstrumentName


class BookParams(Params, frozen=True, kw_only=True):
    instrument: InstrumentName
    depth: Annotated[int, Meta(ge=1, le=1000)] = 50


class AccountParams(Params, frozen=True, kw_only=True):
    account: U32


class ReceiptParams(Params, frozen=True, kw_only=True):
    seq: Annotated[int, Meta(ge=1)]


class ChannelParams(Params, frozen=True, kw_only=True):
    channels: Annotated[
        list[Annotated[str, Meta(max_length=96)]], Meta(min_length=1, max_length=1024)
    ]


class SubscribeParams(ChannelParams, frozen=True, kw_only=True):
    """With `after_seq`, account channels begin with what came after that entry."""

    after_seq: Annotated[int, Meta(ge=0)] | None = None


class CancelOnDisconnectParams(Params, frozen=True, kw_only=True):
    """The params of a signed `cancel_all`; null takes it back."""

    cancel_all: Raw


class ArmedReply(Reply, frozen=True, kw_only=True):
    """Until when the venue can cancel: its expiry, null for not at all."""

    until_ns: Digits | None


class DebugParams(Params, frozen=True, kw_only=True):
    """A signed method's name and the params that it would get."""

    method: Literal[
        "place", "cancel", "cancel_all", "amend",
        "place_trigger", "cancel_trigger",
        "quote", "set_protection", "reset_protection", "set_dead_man", "withdraw",
        "accept_quote", "create_combo",
        "transfer", "position_transfer", "grant_session", "revoke_session",
    ]  # fmt: skip
    params: Raw


class DebugReply(Reply, frozen=True, kw_only=True):
    """What the venue would check: sign `digest`, or hand `typed_data` to a wallet."""

    digest: str
    typed_data: Raw
    command: str
    recovered_signer: str | None
    expected_signer: str | None


class ReceiptGroupReply(Reply, frozen=True, kw_only=True):
    root: str
    epoch: int
    first_seq: int
    count: int
    signature: str


class ReceiptReply(Reply, frozen=True, kw_only=True):
    """See docs/reference/receipts.md; hashes in hex, outcome as its two numbers and its name."""

    epoch: int
    seq: int
    entry_hash: str
    chain_hash: str
    window_ns: Digits
    received_ns: Digits
    include_by_ns: Digits
    outcome: tuple[int, int]
    outcome_name: str
    path: tuple[str, ...]
    group: ReceiptGroupReply


class LegReply(Reply, frozen=True, kw_only=True):
    """A leg of a combo: so many lots of it in each lot of the combo, sold if below 0."""

    instrument: str
    ratio: int


class InstrumentReply(Reply, frozen=True, kw_only=True):
    """A combo's price may be below zero; what is no combo has no legs.

    Units strike and price_step in USDC, amount_step in units of the underlying, fees in ppm."""

    name: str
    instrument: int
    underlying: str
    kind: Literal["perpetual", "future", "call", "put", "combo"]
    expiry_ns: Digits | None
    strike: Decimal | None
    price_step: Decimal
    amount_step: Decimal
    maker_fee_ppm: int
    taker_fee_ppm: int
    legs: list[LegReply] = []


class BookReply(Reply, frozen=True, kw_only=True):
    """Best first, [price, amount]. `change_id` is the number of the last change contained."""

    instrument: str
    change_id: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class BookNotice(Reply, frozen=True, kw_only=True):
    """A snapshot, or the levels changed since `prev_change_id`; amount "0": the level is gone."""

    type: Literal["snapshot", "change"]
    instrument: str
    seq: int
    change_id: int
    prev_change_id: int | None
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class TradeNotice(Reply, frozen=True, kw_only=True):
    """One fill; `side` is the taker's, and buy in an auction.

    Units window_ns: ns since the Unix epoch.
    """

    trade: str
    instrument: str
    seq: int
    window_ns: Digits
    price: Decimal
    amount: Decimal
    side: SideName


class GreeksReply(Reply, frozen=True, kw_only=True):
    """What an option's mark implies, for people; nothing is decided by these numbers.

    Units volatility: "0.65" is 65 % a year; delta: units of the underlying; gamma: units per USD;
    vega: USD per unit and 1 % of volatility; theta: USD per unit and day.
    """

    volatility: Decimal
    delta: Decimal
    gamma: Decimal
    vega: Decimal
    theta: Decimal


class TickerReply(Reply, frozen=True, kw_only=True):
    """Prices in USDC per unit; null where there is none yet. State and mode say what may trade.

    `settlement`: what the expiry settled at; forward and Greeks are gone then.
    """

    instrument: str
    state: str
    mode: str
    mark: Decimal | None
    index: Decimal | None
    last: Decimal | None
    best_bid: tuple[str, str] | None
    best_ask: tuple[str, str] | None
    open_interest: Decimal
    forward: Decimal | None = None
    greeks: GreeksReply | None = None
    settlement: Decimal | None = None


class PositionReply(Reply, frozen=True, kw_only=True):
    """`entry`: what it cost (negative) or brought, in USDC; `funding`: what is still to be paid
    (negative) or to come. Equity counts entry + funding + value.
    """

    instrument: str
    amount: Decimal
    entry: Decimal
    funding: Decimal
    mark: Decimal | None
    value: Decimal | None
    open_buy_amount: Decimal
    open_sell_amount: Decimal


class OrderReply(Reply, frozen=True, kw_only=True):
    order: Digits
    instrument: str
    side: SideName
    price: Decimal
    amount: Decimal
    label: str


class WaitingOrderReply(Reply, frozen=True, kw_only=True):
    """An order that is not in a book yet: until a price is reached, or (null) until `release_ns`.

    Units times in ns since the Unix epoch.
    """

    trigger: Digits
    instrument: str
    condition: str | None
    trigger_price: Decimal | None
    release_ns: Digits
    expires_ns: Digits
    side: SideName
    price: Decimal
    amount: Decimal
    label: str


class SessionReply(Reply, frozen=True, kw_only=True):
    """A key that may act for the account; slot 0 is the owner, who has no bounds.

    Units notional in USDC, cap "0" for none; expires_ns: ns since the Unix epoch.
    """

    slot: int
    key: str
    actions: list[ActionName]
    markets: Digits
    notional_cap: Decimal
    notional_used: Decimal
    expires_ns: Digits
    nonce_highest: Digits


class ProtectionReply(Reply, frozen=True, kw_only=True):
    """How much quotes may trade within an interval, and how much they have.

    Units limit and used: units of the underlying; all times in ns, until: since the Unix epoch.
    """

    protection: int
    limit: Decimal
    used: Decimal
    interval_ns: Digits
    frozen_ns: Digits
    frozen_until_ns: Digits


class TokenReply(Reply, frozen=True, kw_only=True):
    """A token that the venue takes. `underlying` prices it, `haircut` of that does not count.

    Units cap and custody: of the token, over all accounts; USDC has neither underlying nor cap.
    """

    token: int
    symbol: str
    decimals: int
    underlying: str | None
    haircut: Decimal
    cap: Decimal | None
    custody: Decimal


class BalanceReply(Reply, frozen=True, kw_only=True):
    """What an account holds of a token beside USDC.

    Units amount: of the token; value: USDC, what it counts for in equity.
    """

    token: int
    symbol: str
    amount: Decimal
    value: Decimal


class SaleReply(Reply, frozen=True, kw_only=True):
    """An account whose tokens are for sale, since when, and the debt that they are to pay."""

    account: int
    begun_ns: Digits
    debt: Decimal
    tokens: list[BalanceReply]


class AccountReply(Reply, frozen=True, kw_only=True):
    """Units  cash and equity in USDC; equity is null while an instrument held has no mark.

    `fee_schedule` 0: the account pays the fees of each instrument. `dead_man_ns`: when all its
    orders end, "0" for never.
    """

    account: int
    owner: str
    subaccount: int
    cash: Decimal
    equity: Decimal | None
    balances: list[BalanceReply]
    positions: list[PositionReply]
    open_orders: list[OrderReply]
    triggers: list[WaitingOrderReply]
    sessions: list[SessionReply]
    protections: list[ProtectionReply]
    dead_man_ns: Digits
    fee_schedule: int


class AccountNotice(Reply, frozen=True, kw_only=True):
    """One event of an account, named as in the protocol, with its members as text."""

    account: int
    seq: int
    window_ns: Digits
    event: str
    fields: dict[str, str]


class MonitorReply(Reply, frozen=True, kw_only=True):
    """What looking after margin came to since the venue was started.

    `below`: accounts below maintenance margin at the last look, which took `look_us`; steps of
    liquidation that were `sent`, and what became of them; `refused`: not taken for the moment.
    """

    looks: int
    look_us: int
    below: int
    sent: int
    applied: int
    rejected: int
    refused: int


class StatusReply(Reply, frozen=True, kw_only=True):
    """Everything that a client needs to sign, and how far the venue is."""

    protocol_version: int
    chain_id: int
    contract: str
    domain_separator: str
    sequencer: str
    epoch: int
    genesis_ns: Digits
    seq: int
    window_ns: Digits
    now_ns: Digits
    instruments: int
    tokens: list[TokenReply]
    is_accepting: bool
    monitor: MonitorReply | None = None


class SubscriptionReply(Reply, frozen=True, kw_only=True):
    """The channels that were accepted; the first notice of a book is its snapshot.

    `seq`: the last entry before them.
    """

    channels: list[str]
    seq: int


class NoticeParams(Struct, Generic[Result], frozen=True):
    channel: str
    data: Result


class Notice(Struct, Generic[Result], frozen=True):
    """What a subscription sends."""

    params: NoticeParams[Result]
    method: Literal["subscription"] = "subscription"
    jsonrpc: Literal["2.0"] = "2.0"
