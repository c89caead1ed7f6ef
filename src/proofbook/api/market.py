"""The JSON of market data and of histories: trades, summaries, candles, fills, orders, money."""

from typing import Annotated, Literal

from msgspec import Meta

from proofbook.api.schema import (
    U32,
    Decimal,
    Digits,
    InstrumentName,
    Params,
    Reply,
    SideName,
    TickerReply,
    TradeNotice,
)

Count = Annotated[int, Meta(ge=1, le=1000)]


class TradesParams(Params, frozen=True, kw_only=True):
    """The last trades, or only those of entries after `after_seq`."""

    instrument: InstrumentName
    count: Count = 100
    after_seq: Annotated[int, Meta(ge=0)] = 0


class TradesReply(Reply, frozen=True, kw_only=True):
    """The last trades, newest first."""

    trades: list[TradeNotice]


class SummaryParams(Params, frozen=True, kw_only=True):
    """An underlying's instruments, or only those of one expiry."""

    underlying: Annotated[str, Meta(min_length=1, max_length=16)]
    expiry_ns: Digits | None = None


class SummaryReply(Reply, frozen=True, kw_only=True):
    """A ticker for every instrument, by expiry, strike and kind."""

    underlying: str
    index: Decimal | None
    tickers: list[TickerReply]


class HistoryParams(Params, frozen=True, kw_only=True):
    """Rows of an account, newest first; `before_seq` is what the page before gave.

    Units from and to: ns since the Unix epoch, the latter exclusive.
    """

    account: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    instrument: InstrumentName | None = None
    from_ns: Digits | None = None
    to_ns: Digits | None = None
    before_seq: Annotated[int, Meta(ge=1)] | None = None
    count: Count = 100


class Page(Reply, frozen=True, kw_only=True):
    """`seq`: the last entry that the history holds; `before_seq`: where the next page begins."""

    seq: int
    before_seq: int | None


class FillRow(Reply, frozen=True, kw_only=True):
    """Units  price in USDC, amount in units of the underlying, fee in USDC."""

    seq: int
    window_ns: Digits
    instrument: str
    side: SideName
    price: Decimal
    amount: Decimal
    fee: Decimal
    role: Literal["maker", "taker"]
    counterparty: U32
    order: Digits | None
    nonce: Digits | None


class FillsReply(Page, frozen=True, kw_only=True):
    fills: list[FillRow]


class OrderRow(Reply, frozen=True, kw_only=True):
    """An order that came to rest; `removal` says how it ended, unless many ended with it."""

    seq: int
    window_ns: Digits
    order: Digits
    instrument: str
    side: SideName
    price: Decimal
    amount: Decimal
    filled: Decimal
    removal: str | None
    label: str
    nonce: Digits


class OrdersReply(Page, frozen=True, kw_only=True):
    orders: list[OrderRow]


class TransactionRow(Reply, frozen=True, kw_only=True):
    """Why a balance changed, by how much, and what it was then. Units  of the token."""

    seq: int
    window_ns: Digits
    kind: str
    token: int
    amount: Decimal
    balance: Decimal


class TransactionsReply(Page, frozen=True, kw_only=True):
    transactions: list[TransactionRow]


class CandlesParams(Params, frozen=True, kw_only=True):
    """Units  from and to: ns since the Unix epoch, the latter exclusive."""

    instrument: InstrumentName
    period: Literal["minute", "hour", "day"] = "minute"
    from_ns: Digits | None = None
    to_ns: Digits | None = None
    count: Count = 100


class CandleRow(Reply, frozen=True, kw_only=True):
    """Prices in USDC, what was traded in units of the underlying; periods begin in UTC."""

    start_ns: Digits
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    amount: Decimal
    trades: int


class CandlesReply(Reply, frozen=True, kw_only=True):
    """Newest first; a period in which nothing was traded has none."""

    seq: int
    instrument: str
    period: str
    candles: list[CandleRow]
