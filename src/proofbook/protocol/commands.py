"""The commands, one frozen class each, with their canonical bytes.

`body()` gives the bytes after the tag (and, for commands that traders sign, after session and
signature); `read` is its inverse. A reader fails with `Malformed` on anything that it would not
write itself.
"""

from dataclasses import dataclass
from itertools import pairwise
from struct import Struct
from typing import ClassVar, Self

from proofbook.protocol.account_commands import AssignFees as AssignFees
from proofbook.protocol.account_commands import GrantRequest as GrantRequest
from proofbook.protocol.account_commands import GrantSession as GrantSession
from proofbook.protocol.account_commands import PositionTransfer as PositionTransfer
from proofbook.protocol.account_commands import RevokeRequest as RevokeRequest
from proofbook.protocol.account_commands import RevokeSession as RevokeSession
from proofbook.protocol.account_commands import SetFeeSchedule as SetFeeSchedule
from proofbook.protocol.account_commands import Transfer as Transfer
from proofbook.protocol.codec import SIGNATURE_BYTES as SIGNATURE_BYTES
from proofbook.protocol.codec import Command as Command
from proofbook.protocol.codec import Malformed as Malformed
from proofbook.protocol.codec import Reader as Reader
from proofbook.protocol.codec import TraderCommand as TraderCommand
from proofbook.protocol.codec import member as member
from proofbook.protocol.collateral_commands import BuyCollateral as BuyCollateral
from proofbook.protocol.collateral_commands import SettleVariation as SettleVariation
from proofbook.protocol.collateral_commands import StartConversion as StartConversion
from proofbook.protocol.expiry_commands import SetSettlement as SetSettlement
from proofbook.protocol.expiry_commands import SettleAccount as SettleAccount
from proofbook.protocol.expiry_commands import SettleExpiry as SettleExpiry
from proofbook.protocol.governance_commands import SetInstrument as SetInstrument
from proofbook.protocol.governance_commands import SetParameters as SetParameters
from proofbook.protocol.governance_commands import SetPublisher as SetPublisher
from proofbook.protocol.governance_commands import SetTerms as SetTerms
from proofbook.protocol.governance_commands import SetToken as SetToken
from proofbook.protocol.governance_commands import SetUnderlying as SetUnderlying
from proofbook.protocol.leg_commands import AcceptQuote as AcceptQuote
from proofbook.protocol.leg_commands import BlockTrade as BlockTrade
from proofbook.protocol.leg_commands import ComboLeg as ComboLeg
from proofbook.protocol.leg_commands import CreateCombo as CreateCombo
from proofbook.protocol.leg_commands import Leg as Leg
from proofbook.protocol.leg_commands import Party as Party
from proofbook.protocol.leg_commands import RfqQuote as RfqQuote
from proofbook.protocol.leg_commands import TwoPartyCommand as TwoPartyCommand
from proofbook.protocol.limits import (
    QUOTES_PER_BATCH_MAX,
    InstrumentKind,
    MarginMode,
    OrderType,
    PostOnly,
    SelfTradePrevention,
    Side,
    Tag,
    TimeInForce,
    TriggerCondition,
)
from proofbook.protocol.liquidation_commands import AuctionBid as AuctionBid
from proofbook.protocol.liquidation_commands import BidLeg as BidLeg
from proofbook.protocol.liquidation_commands import Deleverage as Deleverage
from proofbook.protocol.liquidation_commands import Liquidate as Liquidate
from proofbook.protocol.liquidation_commands import StartAuction as StartAuction
from proofbook.protocol.observations import ForwardCurve as ForwardCurve
from proofbook.protocol.observations import ForwardObservation as ForwardObservation
from proofbook.protocol.observations import IndexObservation as IndexObservation
from proofbook.protocol.observations import IndexPrice as IndexPrice
from proofbook.protocol.observations import OracleCommand as OracleCommand
from proofbook.protocol.observations import SurfaceSignature as SurfaceSignature
from proofbook.protocol.observations import SurfaceSlice as SurfaceSlice
from proofbook.protocol.observations import VolSurface as VolSurface

POST_ONLY_FLAG = 1
REDUCE_ONLY_FLAG = 2
SLIDE_FLAG = 4
QUOTE_FLAG = 8
"""Of an order record, never of a command: it is its account's quote of its side."""


@dataclass(frozen=True, slots=True)
class Deposit(Command):
    """Money that arrived in the vault for an account; its bytes are the inbox request."""

    TAG: ClassVar = Tag.DEPOSIT
    LAYOUT: ClassVar = Struct("<I20sIBQ")
    account: int
    owner: bytes
    subaccount: int
    token: int
    amount_atoms: int


@dataclass(frozen=True, slots=True)
class Place(TraderCommand):
    """A limit order.

    `expires_ns` bounds when the message may be executed, not how long the order rests.
    """

    TAG: ClassVar = Tag.PLACE
    LAYOUT: ClassVar = Struct("<IQQIBBIQBBBHI8s")
    account: int
    nonce: int
    expires_ns: int
    instrument: int
    side: Side
    price_ticks: int
    lots: int
    time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCELLED
    post_only: PostOnly = PostOnly.OFF
    reduce_only: bool = False
    max_fee_ppm: int = 0
    label: bytes = bytes(8)
    order_type: OrderType = OrderType.LIMIT
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.CANCEL_MAKER
    group: int = 0

    @property
    def flags(self) -> int:
        return order_flags(self.post_only, self.reduce_only)

    def body(self) -> bytes:
        return self.LAYOUT.pack(
            self.account, self.nonce, self.expires_ns, self.instrument, self.side, self.order_type,
            self.price_ticks, self.lots, self.time_in_force, self.flags, self.self_trade_prevention,
            self.group, self.max_fee_ppm, self.label,
        )  # fmt: skip

    @classmethod
    def read(cls, reader: Reader) -> Self:
        (
            account, nonce, expires_ns, instrument, side, order_type, price_ticks, lots,
            time_in_force, flags, self_trade_prevention, group, max_fee_ppm, label,
        ) = cls.LAYOUT.unpack(reader.take(cls.LAYOUT.size))  # fmt: skip
        post_only, reduce_only = read_order_flags(flags)
        return cls(
            account, nonce, expires_ns, instrument, member(Side, side), price_ticks, lots,
            member(TimeInForce, time_in_force),
            post_only, reduce_only, max_fee_ppm, label, member(OrderType, order_type),
            member(SelfTradePrevention, self_trade_prevention), group,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cancel(TraderCommand):
    """Remove one resting order of the account."""

    TAG: ClassVar = Tag.CANCEL
    LAYOUT: ClassVar = Struct("<IQQQ")
    account: int
    nonce: int
    expires_ns: int
    order: int


@dataclass(frozen=True, slots=True)
class CancelAll(TraderCommand):
    """End every order of the account at once; the records follow in bounded steps."""

    TAG: ClassVar = Tag.CANCEL_ALL
    LAYOUT: ClassVar = Struct("<IQQ")
    account: int
    nonce: int
    expires_ns: int


@dataclass(frozen=True, slots=True)
class Amend(TraderCommand):
    """Change what remains of a resting order to `lots`, at `price_ticks` (0: where it stands).

    An order that only shrinks keeps its place in the queue; any other change takes it out and
    places it anew.
    """

    TAG: ClassVar = Tag.AMEND
    LAYOUT: ClassVar = Struct("<IQQQIQ")
    account: int
    nonce: int
    expires_ns: int
    order: int
    price_ticks: int
    lots: int


@dataclass(frozen=True, slots=True)
class Quote:
    """One side of a market maker's market in one instrument; 0 lots: none."""

    instrument: int
    side: Side
    price_ticks: int
    lots: int


@dataclass(frozen=True, slots=True)
class QuoteBatch(TraderCommand):
    """Replace up to 32 quotes under one signature: ascending by instrument and side.

    Quotes only rest: one that would meet another order is refused or slides, as `post_only` says.
    """

    TAG: ClassVar = Tag.QUOTE_BATCH
    HEAD: ClassVar = Struct("<IQQBBI")
    QUOTE: ClassVar = Struct("<IBIQ")
    account: int
    nonce: int
    expires_ns: int
    protection: int
    post_only: PostOnly
    max_fee_ppm: int
    quotes: tuple[Quote, ...]

    def body(self) -> bytes:
        head = self.HEAD.pack(
            self.account, self.nonce, self.expires_ns, self.protection, self.post_only,
            self.max_fee_ppm,
        )  # fmt: skip
        rows = [self.QUOTE.pack(q.instrument, q.side, q.price_ticks, q.lots) for q in self.quotes]
        return head + bytes((len(rows),)) + b"".join(rows)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        *numbers, post_only, max_fee_ppm = reader.unpack(cls.HEAD)
        account, nonce, expires_ns, protection = numbers
        if post_only not in (PostOnly.REJECT, PostOnly.SLIDE):
            raise Malformed(f"{post_only} is no way for quotes to rest")
        quotes = tuple(cls._read_quote(reader) for _ in range(reader.count(QUOTES_PER_BATCH_MAX)))
        keys = [(quote.instrument, quote.side) for quote in quotes]
        if any(before >= after for before, after in pairwise(keys)):
            raise Malformed("quotes are not ascending by instrument and side")
        return cls(account, nonce, expires_ns, protection, PostOnly(post_only), max_fee_ppm, quotes)

    @classmethod
    def _read_quote(cls, reader: Reader) -> Quote:
        instrument, side, price_ticks, lots = reader.unpack(cls.QUOTE)
        return Quote(instrument, member(Side, side), price_ticks, lots)


@dataclass(frozen=True, slots=True)
class SetProtection(TraderCommand):
    """Bound what quotes under a protection may trade within an interval.

    `limit_nanos` counts 1e-9 units of the underlying. Once no further lot fits, all of them end,
    and no new ones are taken for `frozen_ns` (0: until ResetProtection).
    """

    TAG: ClassVar = Tag.SET_PROTECTION
    LAYOUT: ClassVar = Struct("<IQQBQQQ")
    account: int
    nonce: int
    expires_ns: int
    protection: int
    interval_ns: int
    frozen_ns: int
    limit_nanos: int


@dataclass(frozen=True, slots=True)
class ResetProtection(TraderCommand):
    """Take quotes under a protection again, its count at zero."""

    TAG: ClassVar = Tag.RESET_PROTECTION
    LAYOUT: ClassVar = Struct("<IQQB")
    account: int
    nonce: int
    expires_ns: int
    protection: int


@dataclass(frozen=True, slots=True)
class SetDeadMan(TraderCommand):
    """End every order of the account once the time is past `deadline_ns` (0: no deadline)."""

    TAG: ClassVar = Tag.SET_DEAD_MAN
    LAYOUT: ClassVar = Struct("<IQQQ")
    account: int
    nonce: int
    expires_ns: int
    deadline_ns: int


@dataclass(frozen=True, slots=True)
class SetMarginMode(TraderCommand):
    """Let the account be margined in another way from now on."""

    TAG: ClassVar = Tag.SET_MARGIN_MODE
    LAYOUT: ClassVar = Struct("<IQQB")
    account: int
    nonce: int
    expires_ns: int
    mode: MarginMode


@dataclass(frozen=True, slots=True)
class PlaceTrigger(TraderCommand):
    """An order that waits until a price is reached; it waits no longer than until `expires_ns`."""

    TAG: ClassVar = Tag.PLACE_TRIGGER
    LAYOUT: ClassVar = Struct("<IQQIBIBIQBBBHI8s")
    account: int
    nonce: int
    expires_ns: int
    instrument: int
    condition: TriggerCondition
    trigger_ticks: int
    side: Side
    price_ticks: int
    lots: int
    time_in_force: TimeInForce = TimeInForce.IMMEDIATE_OR_CANCEL
    reduce_only: bool = False
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.CANCEL_MAKER
    group: int = 0
    max_fee_ppm: int = 0
    label: bytes = bytes(8)

    @property
    def order(self) -> Place:
        """The order that is placed when the price is reached."""
        return Place(
            self.account, self.nonce, self.expires_ns, self.instrument, self.side,
            self.price_ticks, self.lots, self.time_in_force, PostOnly.OFF, self.reduce_only,
            self.max_fee_ppm, self.label, OrderType.LIMIT, self.self_trade_prevention, self.group,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CancelTrigger(TraderCommand):
    """Remove one waiting order of the account."""

    TAG: ClassVar = Tag.CANCEL_TRIGGER
    LAYOUT: ClassVar = Struct("<IQQQ")
    account: int
    nonce: int
    expires_ns: int
    trigger: int


@dataclass(frozen=True, slots=True)
class Withdraw(TraderCommand):
    """Move money from the account to the withdrawal tree, claimable on chain by the recipient."""

    TAG: ClassVar = Tag.WITHDRAW
    LAYOUT: ClassVar = Struct("<IQQB20sQ")
    account: int
    nonce: int
    expires_ns: int
    token: int
    recipient: bytes
    amount_atoms: int


@dataclass(frozen=True, slots=True)
class Tick(Command):
    """Let time pass, and sweep orders that are over of one account (0: of none).

    Looked at are orders from `order` on (0: from the account's oldest).
    """

    TAG: ClassVar = Tag.TICK
    LAYOUT: ClassVar = Struct("<IQ")
    account: int = 0
    order: int = 0


@dataclass(frozen=True, slots=True)
class Remark(Command):
    """Price up to 16 instruments of an expiry again, from slot `cursor` on (0: the first)."""

    TAG: ClassVar = Tag.REMARK
    LAYOUT: ClassVar = Struct("<II")
    expiry: int
    cursor: int = 0


@dataclass(frozen=True, slots=True)
class ListInstrument(Command):
    """Open a book on the governed grid; the grid gives ticks, lots and fees."""

    TAG: ClassVar = Tag.LIST_INSTRUMENT
    LAYOUT: ClassVar = Struct("<IBQQ")
    underlying: int
    kind: InstrumentKind
    expiry_ns: int = 0
    strike_atoms: int = 0


@dataclass(frozen=True, slots=True)
class FireTrigger(Command):
    """Place a waiting order whose time has come, or remove one that is over."""

    TAG: ClassVar = Tag.FIRE_TRIGGER
    LAYOUT: ClassVar = Struct("<Q")
    trigger: int


@dataclass(frozen=True, slots=True)
class Uncross(Command):
    """Go on with the auction of a book, or start the batch auction that is due."""

    TAG: ClassVar = Tag.UNCROSS
    LAYOUT: ClassVar = Struct("<I")
    instrument: int


@dataclass(frozen=True, slots=True)
class ReleaseInstrument(Command):
    """Free the record of an instrument that is over, or idle, and that nobody holds."""

    TAG: ClassVar = Tag.RELEASE_INSTRUMENT
    LAYOUT: ClassVar = Struct("<I")
    instrument: int


@dataclass(frozen=True, slots=True)
class UnreadableRequest(Command):
    """A request of the inbox that is no command; it is consumed all the same.

    The chain has taken it up, and whatever comes after it waits for it. `data`: from the tag on.
    """

    data: bytes

    @property
    def TAG(self) -> int:  # type: ignore[override]
        return self.data[0]

    def body(self) -> bytes:
        return self.data[1:]


COMMANDS: dict[int, type[Command]] = {
    command.TAG: command
    for command in (
        Deposit, GrantRequest, RevokeRequest, SetParameters, SetPublisher, SetTerms,
        SetInstrument, SetFeeSchedule, AssignFees, SetUnderlying, SetToken, SetSettlement,
        Place, Cancel, CancelAll, Amend, QuoteBatch, Withdraw, Transfer, PositionTransfer,
        PlaceTrigger, CancelTrigger, GrantSession, RevokeSession, SetProtection,
        ResetProtection, SetDeadMan, SetMarginMode, CreateCombo, AcceptQuote, BlockTrade,
        IndexPrice, ForwardCurve, VolSurface, Tick, Remark, ListInstrument, FireTrigger, Uncross,
        ReleaseInstrument, SettleExpiry, SettleAccount,
        Liquidate, StartAuction, AuctionBid, Deleverage,
        StartConversion, BuyCollateral, SettleVariation,
    )
}  # fmt: skip


def order_flags(post_only: PostOnly, reduce_only: bool) -> int:
    """Return the byte that holds both."""
    rests = (0, POST_ONLY_FLAG, POST_ONLY_FLAG | SLIDE_FLAG)[post_only]
    return rests | REDUCE_ONLY_FLAG * reduce_only


def read_order_flags(flags: int) -> tuple[PostOnly, bool]:
    """Return what the byte holds. Raises Malformed for bits that mean nothing."""
    rests = {0: PostOnly.OFF, 1: PostOnly.REJECT, 5: PostOnly.SLIDE}.get(flags & ~REDUCE_ONLY_FLAG)
    if rests is None:
        raise Malformed(f"flags {flags:#x} mean nothing")
    return rests, bool(flags & REDUCE_ONLY_FLAG)
