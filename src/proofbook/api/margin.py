"""The JSON of margin: what an account owns and needs, term by term, and what it would need."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, cast

from msgspec import Meta, field

from proofbook.api.schema import U32, Decimal, Digits, InstrumentName, Params, Reply, SideName

LEGS_ASKED_MAX = 128

Account = Annotated[int, Meta(ge=0, le=2**32 - 1)]

NONE = cast(Callable[[], list[Any]], list)
"""What stands for legs that are not given; the schema shows it as an empty list."""


class TradeLeg(Params, frozen=True, kw_only=True):
    """What would be traded, at a price or at the mark; nothing is paid in fees."""

    instrument: InstrumentName
    side: SideName
    amount: Decimal
    price: Decimal | None = None


class OrderLeg(Params, frozen=True, kw_only=True):
    """An order that would stand; without `max_fee_ppm` it may pay what a taker pays."""

    instrument: InstrumentName
    side: SideName
    price: Decimal
    amount: Decimal
    max_fee_ppm: U32 | None = None


class SimulateParams(Params, frozen=True, kw_only=True):
    """Trades and orders in addition to an account's; `account` 0: one with nothing but `cash`."""

    account: Account = 0
    cash: Decimal = "0"
    trades: Annotated[list[TradeLeg], Meta(max_length=LEGS_ASKED_MAX)] = field(default_factory=NONE)
    orders: Annotated[list[OrderLeg], Meta(max_length=LEGS_ASKED_MAX)] = field(default_factory=NONE)


class ExpiryMarginReply(Reply, frozen=True, kw_only=True):
    """Losses by skew and basis, and the index value of naked slopes; perpetuals have no expiry."""

    expiry_ns: Digits | None
    skew: Decimal
    basis: Decimal
    naked: Decimal


class UnderlyingMarginReply(Reply, frozen=True, kw_only=True):
    """The worst column in words, as in `spot -16 %, volatility up`, and what is lost in it."""

    underlying: str
    worst: str
    loss: Decimal
    is_stale: bool
    expiries: list[ExpiryMarginReply]


class MarginReply(Reply, frozen=True, kw_only=True):
    """Money in USDC. Initial margin is the sum of positions, concentration, confidence and reserve.

    `collateral` is what tokens beside USDC count for, in equity. `stale_low` (below 0) and
    `stale_high` are what stale legs may be worth beyond their marks; initial margin is judged at
    equity + stale_low, maintenance margin at equity + stale_high.
    """

    mode: Literal["portfolio", "standard"]
    equity: Decimal
    collateral: Decimal
    stale_low: Decimal
    stale_high: Decimal
    initial: Decimal
    maintenance: Decimal
    positions: Decimal
    concentration: Decimal
    confidence: Decimal
    reserve: Decimal
    underlyings: list[UnderlyingMarginReply]
    covers_initial: bool
    covers_maintenance: bool


class SimulateReply(Reply, frozen=True, kw_only=True):
    """Margin as it is and as it would be."""

    before: MarginReply
    after: MarginReply
