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
Signature: TypeAlias = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{128}\Z")]
Address: TypeAlias = Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}\Z")]
Label: TypeAlias = Annotated[str, Meta(pattern=r"^[ -~]{0,8}\Z")]
InstrumentName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]

ALL_MARKETS = str(2**64 - 1)
"""The mask of markets with every underlying that ever is."""

SideName: TypeAlias = Literal["buy", "sell"]
ActionName: TypeAlias = Literal["place", "cancel", "transfer", "negotiate"]
OrderTypeName: TypeAlias = Literal["limit", "market"]
SelfTradePreventionName: TypeAlias = Literal[
    "cancel_maker", "cancel_taker", "cancel_both", "decrement"
]
TimeInForceName: TypeAlias = Literal[
    "good_till_cancelled", "immediate_or_cancel", "fill_or_kill", "good_till_time"
]

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


class SignedParams(Params, frozen=True, kw_only=True):
    """What every signed method carries. Units  expires_ns: ns since the Unix epoch."""

    account: U32
    nonce: Digits
    expires_ns: Digits
    session: U8 = 0
    signature: Signature


class PlaceParams(SignedParams, frozen=True, kw_only=True):
    """An order. Units  price: USDC per unit; amount: units of the underlying; fee: ppm.

    A market order's price is the worst that its owner takes. A good-till-time order rests until
    `expires_ns`; for all others that bounds the message alone.
    """

    instrument: InstrumentName
    side: SideName
    price: Decimal
    amount: Decimal
    order_type: OrderTypeName = "limit"
    time_in_force: TimeInForceName = "good_till_cancelled"
    post_only: bool = False
    reduce_only: bool = False
    self_trade_prevention: SelfTradePreventionName = "cancel_maker"
    max_fee_ppm: U32 = 0
    group: U16 = 0
    label: Label = ""


class CancelParams(SignedParams, frozen=True, kw_only=True):
    order: Digits


class CancelAllParams(SignedParams, frozen=True, kw_only=True):
    pass


class WithdrawParams(SignedParams, frozen=True, kw_only=True):
    """Units  amount in USDC."""

    amount: Decimal
    recipient: Address
    token: U8 = 0


class TransferParams(SignedParams, frozen=True, kw_only=True):
    """Money to another account. Units  amount in USDC."""

    recipient: U32
    amount: Decimal
    token: U8 = 0


class PositionTransferParams(SignedParams, frozen=True, kw_only=True):
    """A position to another account of the owner. Units  amount: units of the underlying."""

    recipient: U32
    instrument: InstrumentName
    amount: Decimal


class GrantSessionParams(SignedParams, frozen=True, kw_only=True):
    """A key for a slot from 1 to 7, and what it may do.

    `session` is the session that signs, 0. Bit n of `markets` stands for underlying n.
    Units  notional_cap in USDC, "0" for none; session_expires_ns: ns since the Unix epoch.
    """

    slot: U8
    key: Address
    actions: Annotated[list[ActionName], Meta(min_length=1, max_length=32)]
    session_expires_ns: Digits
    markets: Digits = ALL_MARKETS
    notional_cap: Decimal = "0"


class RevokeSessionParams(SignedParams, frozen=True, kw_only=True):
    slot: U8


class DebugParams(Params, frozen=True, kw_only=True):
    """A signed method's name and the params that it would get."""

    method: Literal[
        "place", "cancel", "cancel_all", "withdraw",
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


class InstrumentReply(Reply, frozen=True, kw_only=True):
    """Units  strike and price_step in USDC, amount_step in units of the underlying, fees in ppm."""

    name: str
    instrument: int
    underlying: str
    kind: Literal["perpetual", "call", "put"]
    expiry_ns: Digits | None
    strike: Decimal | None
    price_step: Decimal
    amount_step: Decimal
    maker_fee_ppm: int
    taker_fee_ppm: int


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
    """One fill; `side` is the taker's. Units  window_ns: ns since the Unix epoch."""

    trade: str
    instrument: str
    seq: int
    window_ns: Digits
    price: Decimal
    amount: Decimal
    side: SideName


class TickerReply(Reply, frozen=True, kw_only=True):
    """Prices in USDC per unit; null where there is none yet."""

    instrument: str
    mark: Decimal | None
    index: Decimal | None
    last: Decimal | None
    best_bid: tuple[str, str] | None
    best_ask: tuple[str, str] | None
    open_interest: Decimal


class PositionReply(Reply, frozen=True, kw_only=True):
    """`entry`: what it cost (negative) or brought, in USDC; equity counts entry + value."""

    instrument: str
    amount: Decimal
    entry: Decimal
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


class SessionReply(Reply, frozen=True, kw_only=True):
    """A key that may act for the account; slot 0 is the owner, who has no bounds.

    Units  notional in USDC, cap "0" for none; expires_ns: ns since the Unix epoch.
    """

    slot: int
    key: str
    actions: list[ActionName]
    markets: Digits
    notional_cap: Decimal
    notional_used: Decimal
    expires_ns: Digits
    nonce_highest: Digits


class AccountReply(Reply, frozen=True, kw_only=True):
    """Units  cash and equity in USDC; equity is null while an instrument held has no mark.

    `fee_schedule` 0: the account pays the fees of each instrument.
    """

    account: int
    owner: str
    subaccount: int
    cash: Decimal
    equity: Decimal | None
    positions: list[PositionReply]
    open_orders: list[OrderReply]
    sessions: list[SessionReply]
    fee_schedule: int


class AccountNotice(Reply, frozen=True, kw_only=True):
    """One event of an account, named as in the protocol, with its members as text."""

    account: int
    seq: int
    window_ns: Digits
    event: str
    fields: dict[str, str]


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
    is_accepting: bool


class FillReply(Reply, frozen=True, kw_only=True):
    price: Decimal
    amount: Decimal
    fee: Decimal


class PlaceReply(Reply, frozen=True, kw_only=True):
    """`order` is null if nothing rests; `removed` says why a rest is gone."""

    order: Digits | None
    filled: Decimal
    resting: Decimal
    removed: str | None
    fills: list[FillReply]
    receipt: ReceiptReply


class ReceiptedReply(Reply, frozen=True, kw_only=True):
    """The result of a signed method that has nothing more to tell."""

    receipt: ReceiptReply


class WithdrawReply(Reply, frozen=True, kw_only=True):
    """`index` is the leaf in the withdrawal tree, claimable on chain once its root is final."""

    index: Digits
    receipt: ReceiptReply


class SubscriptionReply(Reply, frozen=True, kw_only=True):
    """The channels that were accepted; the first notice of a book is its snapshot."""

    channels: list[str]


class NoticeParams(Struct, Generic[Result], frozen=True):
    channel: str
    data: Result


class Notice(Struct, Generic[Result], frozen=True):
    """What a subscription sends."""

    params: NoticeParams[Result]
    method: Literal["subscription"] = "subscription"
    jsonrpc: Literal["2.0"] = "2.0"
