"""What an entry did, told to feeds and read models.

Events are not part of the state, but both engines agree on them.
"""

from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple, TypeAlias, cast

from proofbook.protocol.collateral_events import CollateralSold as CollateralSold
from proofbook.protocol.collateral_events import ConversionEnded as ConversionEnded
from proofbook.protocol.collateral_events import ConversionStarted as ConversionStarted
from proofbook.protocol.collateral_events import InterestPaid as InterestPaid
from proofbook.protocol.collateral_events import VariationSettled as VariationSettled
from proofbook.protocol.expiry_events import ExpirySettled as ExpirySettled
from proofbook.protocol.expiry_events import PositionSettled as PositionSettled
from proofbook.protocol.limits import EventTag
from proofbook.protocol.liquidation_events import AccountReduced as AccountReduced
from proofbook.protocol.liquidation_events import DeficitCovered as DeficitCovered
from proofbook.protocol.liquidation_events import DeleveragingEnded as DeleveragingEnded
from proofbook.protocol.liquidation_events import DeleveragingStarted as DeleveragingStarted
from proofbook.protocol.liquidation_events import (
    LiquidationAuctionEnded as LiquidationAuctionEnded,
)
from proofbook.protocol.liquidation_events import (
    LiquidationAuctionStarted as LiquidationAuctionStarted,
)
from proofbook.protocol.liquidation_events import (
    LiquidationAuctionTaken as LiquidationAuctionTaken,
)
from proofbook.protocol.liquidation_events import OrdersUnbacked as OrdersUnbacked
from proofbook.protocol.liquidation_events import PositionDeleveraged as PositionDeleveraged
from proofbook.protocol.liquidation_events import WithdrawalReduced as WithdrawalReduced


class Deposited(NamedTuple):
    account: int
    owner: bytes
    token: int
    amount_atoms: int
    is_new: int


class WithdrawalQueued(NamedTuple):
    """A leaf of the withdrawal tree; account 0 when a deposit could not be credited."""

    index: int  # pyright: ignore[reportIncompatibleMethodOverride] – tuple.index is not called
    token: int
    recipient: bytes
    amount_atoms: int
    account: int


class OrderRested(NamedTuple):
    order: int
    account: int
    instrument: int
    side: int
    price_ticks: int
    lots: int
    nonce: int
    label: bytes


class OrderRemoved(NamedTuple):
    """An order, or the rest of one (order 0: it never rested), is gone without a fill."""

    order: int
    account: int
    instrument: int
    side: int
    price_ticks: int
    lots: int
    nonce: int
    removal: int


class OrderReduced(NamedTuple):
    """A resting order lost some of its lots without a fill, and stays."""

    order: int
    account: int
    instrument: int
    side: int
    price_ticks: int
    lots: int
    nonce: int
    removal: int


class Filled(NamedTuple):
    """Two traders met in a book, or with maker order 0 outside of it."""

    instrument: int
    price_ticks: int
    lots: int
    maker_order: int
    maker_account: int
    taker_account: int
    taker_side: int
    maker_fee_atoms: int
    taker_fee_atoms: int
    taker_nonce: int


class FundingChanged(NamedTuple):
    """A perpetual's funding and mark up to the moment in which its index changed.

    `funding_index` is what a lot held from the listing on has paid, in atoms; the premium in its
    mark counts 1e-15 of the index.
    """

    instrument: int
    funding_index: int
    mark_premium_femtos: int


class FundingSettled(NamedTuple):
    """A position's funding was paid from cash, or into it."""

    account: int
    instrument: int
    lots: int
    index_before: int
    index_after: int

    @property
    def paid_atoms(self) -> int:
        """What the account paid; below 0 it was paid."""
        return self.lots * (self.index_after - self.index_before)


class QuoteAccepted(NamedTuple):
    """A quote was taken; its fills follow, with maker order 0."""

    taker_account: int
    taker_nonce: int
    maker_account: int
    maker_nonce: int


class BlockTraded(NamedTuple):
    """A block changed hands; its fills follow, with maker order 0."""

    taker_account: int
    taker_nonce: int
    maker_account: int
    maker_nonce: int


class InstrumentReleased(NamedTuple):
    """An instrument is gone, and with it its expiry, by slot, unless that is 0."""

    instrument: int
    underlying: int
    expiry: int


class ComboCreated(NamedTuple):
    """The book of a combo was opened; legs that it does not have are 0."""

    instrument: int
    underlying: int
    expiry_ns: int
    leg_0: int
    ratio_0: int
    leg_1: int
    ratio_1: int
    leg_2: int
    ratio_2: int
    leg_3: int
    ratio_3: int


class LegFilled(NamedTuple):
    """What the taker of a combo bought of a leg, sold if below 0.

    `atoms_per_lot` is what one lot of the combo paid for it.
    """

    instrument: int
    taker_account: int
    maker_account: int
    taker_lots: int
    atoms_per_lot: int


class OrdersCancelled(NamedTuple):
    account: int
    order_epoch: int


class IndexChanged(NamedTuple):
    underlying: int
    version: int
    price_atoms: int


class ForwardsChanged(NamedTuple):
    underlying: int
    version: int


class SurfaceChanged(NamedTuple):
    underlying: int
    version: int


class Marked(NamedTuple):
    instrument: int
    mark_atoms: int


class InstrumentListed(NamedTuple):
    instrument: int
    underlying: int
    kind: int
    expiry: int
    expiry_ns: int
    strike_atoms: int


class QuoteRefused(NamedTuple):
    """One quote of a batch does not rest; `place` counts from 0, `reason` is a Reject."""

    place: int
    account: int
    instrument: int
    side: int
    nonce: int
    reason: int


class ProtectionChanged(NamedTuple):
    """A protection was set or reset (frozen_until_ns 0), or froze."""

    account: int
    protection: int
    epoch: int
    frozen_until_ns: int


class DeadManSet(NamedTuple):
    account: int
    deadline_ns: int


class SessionGranted(NamedTuple):
    """A key may act for an account; its nonces start above the floor."""

    account: int
    session: int
    key: bytes
    actions: int
    markets: int
    notional_cap_atoms: int
    expires_ns: int
    nonce_floor: int


class SessionRevoked(NamedTuple):
    account: int
    session: int
    key: bytes


class Transferred(NamedTuple):
    account: int
    recipient: int
    token: int
    amount_atoms: int


class PositionTransferred(NamedTuple):
    """Lots, negative for a short position, went from an account to a recipient at the mark."""

    account: int
    recipient: int
    instrument: int
    lots: int
    mark_atoms: int


class FeeScheduleSet(NamedTuple):
    schedule: int
    version: int


class FeesAssigned(NamedTuple):
    account: int
    schedule: int


class MarginModeSet(NamedTuple):
    account: int
    mode: int


class TriggerPlaced(NamedTuple):
    """An order waits: for its condition, or (condition 0) for `release_ns`."""

    trigger: int
    account: int
    instrument: int
    condition: int
    trigger_ticks: int
    release_ns: int
    side: int
    price_ticks: int
    lots: int
    nonce: int
    label: bytes


class TriggerFired(NamedTuple):
    """A waiting order was placed, or (reason other than 0) refused for that reason, and is gone."""

    trigger: int
    account: int
    instrument: int
    reason: int


class TriggerRemoved(NamedTuple):
    """A waiting order is gone without having been placed."""

    trigger: int
    account: int
    instrument: int
    removal: int


class InstrumentChanged(NamedTuple):
    """The governor changed what a book takes or how it trades; `phase` 1: an auction began."""

    instrument: int
    state: int
    mode: int
    speed_bump_ms: int
    auction_interval_ms: int
    phase: int


class AuctionPriced(NamedTuple):
    """The price of an auction, and how many lots can trade at it."""

    instrument: int
    price_ticks: int
    lots: int


class AuctionFilled(NamedTuple):
    """Two resting orders met in an auction."""

    instrument: int
    price_ticks: int
    lots: int
    bid_order: int
    ask_order: int
    buyer: int
    seller: int
    buyer_fee_atoms: int
    seller_fee_atoms: int


class AuctionEnded(NamedTuple):
    """No bid of the book reaches an ask any more."""

    instrument: int


class ParametersChanged(NamedTuple):
    """There are new margin parameters."""

    version: int


class PublisherChanged(NamedTuple):
    """A publisher has another key, or (zero address) none any more."""

    publisher: int
    version: int
    key: bytes


class TermsChanged(NamedTuple):
    """An underlying has other terms, or another grid."""

    underlying: int
    version: int


class TokenChanged(NamedTuple):
    """A token has another haircut, or another cap."""

    token: int
    version: int


class BreakerTripped(NamedTuple):
    """An index is far from its reference: for a while who takes may only reduce."""

    underlying: int
    index_atoms: int
    reference_atoms: int
    until_ns: int


Event: TypeAlias = (
    Deposited
    | WithdrawalQueued
    | OrderRested
    | OrderRemoved
    | Filled
    | OrdersCancelled
    | IndexChanged
    | ForwardsChanged
    | SurfaceChanged
    | Marked
    | InstrumentListed
    | InstrumentReleased
    | OrderReduced
    | QuoteRefused
    | ProtectionChanged
    | DeadManSet
    | SessionGranted
    | SessionRevoked
    | Transferred
    | PositionTransferred
    | FeeScheduleSet
    | FeesAssigned
    | MarginModeSet
    | TriggerPlaced
    | TriggerFired
    | TriggerRemoved
    | InstrumentChanged
    | AuctionPriced
    | AuctionFilled
    | AuctionEnded
    | ParametersChanged
    | PublisherChanged
    | TermsChanged
    | QuoteAccepted
    | BlockTraded
    | ComboCreated
    | LegFilled
    | BreakerTripped
    | FundingChanged
    | FundingSettled
    | ExpirySettled
    | PositionSettled
    | OrdersUnbacked
    | AccountReduced
    | TokenChanged
    | LiquidationAuctionStarted
    | LiquidationAuctionTaken
    | LiquidationAuctionEnded
    | DeficitCovered
    | WithdrawalReduced
    | DeleveragingStarted
    | PositionDeleveraged
    | DeleveragingEnded
    | InterestPaid
    | ConversionStarted
    | CollateralSold
    | ConversionEnded
    | VariationSettled
)


class _Layout(NamedTuple):
    tag: EventTag
    event: type[Event]
    layout: Struct


_LAYOUTS = (
    _Layout(EventTag.DEPOSITED, Deposited, Struct("<I20sBQB")),
    _Layout(EventTag.WITHDRAWAL_QUEUED, WithdrawalQueued, Struct("<QB20sQI")),
    _Layout(EventTag.ORDER_RESTED, OrderRested, Struct("<QIIBIQQ8s")),
    _Layout(EventTag.ORDER_REMOVED, OrderRemoved, Struct("<QIIBIQQB")),
    _Layout(EventTag.FILLED, Filled, Struct("<IIQQIIBQQQ")),
    _Layout(EventTag.ORDERS_CANCELLED, OrdersCancelled, Struct("<II")),
    _Layout(EventTag.INDEX_CHANGED, IndexChanged, Struct("<IIQ")),
    _Layout(EventTag.FORWARDS_CHANGED, ForwardsChanged, Struct("<II")),
    _Layout(EventTag.SURFACE_CHANGED, SurfaceChanged, Struct("<II")),
    _Layout(EventTag.MARKED, Marked, Struct("<Iq")),
    _Layout(EventTag.INSTRUMENT_LISTED, InstrumentListed, Struct("<IIBIQQ")),
    _Layout(EventTag.INSTRUMENT_RELEASED, InstrumentReleased, Struct("<III")),
    _Layout(EventTag.ORDER_REDUCED, OrderReduced, Struct("<QIIBIQQB")),
    _Layout(EventTag.QUOTE_REFUSED, QuoteRefused, Struct("<BIIBQB")),
    _Layout(EventTag.PROTECTION_CHANGED, ProtectionChanged, Struct("<IBIQ")),
    _Layout(EventTag.DEAD_MAN_SET, DeadManSet, Struct("<IQ")),
    _Layout(EventTag.SESSION_GRANTED, SessionGranted, Struct("<IB20sIQQQQ")),
    _Layout(EventTag.SESSION_REVOKED, SessionRevoked, Struct("<IB20s")),
    _Layout(EventTag.TRANSFERRED, Transferred, Struct("<IIBQ")),
    _Layout(EventTag.POSITION_TRANSFERRED, PositionTransferred, Struct("<IIIqq")),
    _Layout(EventTag.FEE_SCHEDULE_SET, FeeScheduleSet, Struct("<II")),
    _Layout(EventTag.FEES_ASSIGNED, FeesAssigned, Struct("<II")),
    _Layout(EventTag.MARGIN_MODE_SET, MarginModeSet, Struct("<IB")),
    _Layout(EventTag.TRIGGER_PLACED, TriggerPlaced, Struct("<QIIBIQBIQQ8s")),
    _Layout(EventTag.TRIGGER_FIRED, TriggerFired, Struct("<QIIB")),
    _Layout(EventTag.TRIGGER_REMOVED, TriggerRemoved, Struct("<QIIB")),
    _Layout(EventTag.INSTRUMENT_CHANGED, InstrumentChanged, Struct("<IBBIIB")),
    _Layout(EventTag.AUCTION_PRICED, AuctionPriced, Struct("<IIQ")),
    _Layout(EventTag.AUCTION_FILLED, AuctionFilled, Struct("<IIQQQIIQQ")),
    _Layout(EventTag.AUCTION_ENDED, AuctionEnded, Struct("<I")),
    _Layout(EventTag.PARAMETERS_CHANGED, ParametersChanged, Struct("<I")),
    _Layout(EventTag.PUBLISHER_CHANGED, PublisherChanged, Struct("<BI20s")),
    _Layout(EventTag.TERMS_CHANGED, TermsChanged, Struct("<II")),
    _Layout(EventTag.QUOTE_ACCEPTED, QuoteAccepted, Struct("<IQIQ")),
    _Layout(EventTag.BLOCK_TRADED, BlockTraded, Struct("<IQIQ")),
    _Layout(EventTag.COMBO_CREATED, ComboCreated, Struct("<IIQIqIqIqIq")),
    _Layout(EventTag.LEG_FILLED, LegFilled, Struct("<IIIqq")),
    _Layout(EventTag.BREAKER_TRIPPED, BreakerTripped, Struct("<IQQQ")),
    _Layout(EventTag.FUNDING_CHANGED, FundingChanged, Struct("<Iqq")),
    _Layout(EventTag.FUNDING_SETTLED, FundingSettled, Struct("<IIqqq")),
    _Layout(EventTag.EXPIRY_SETTLED, ExpirySettled, Struct("<IIQQQ")),
    _Layout(EventTag.POSITION_SETTLED, PositionSettled, Struct("<IIqq")),
    _Layout(EventTag.ORDERS_UNBACKED, OrdersUnbacked, Struct("<I")),
    _Layout(EventTag.ACCOUNT_REDUCED, AccountReduced, Struct("<IIBIQQQ")),
    _Layout(EventTag.TOKEN_CHANGED, TokenChanged, Struct("<BI")),
    _Layout(EventTag.LIQUIDATION_AUCTION_STARTED, LiquidationAuctionStarted, Struct("<IBQ")),
    _Layout(EventTag.LIQUIDATION_AUCTION_TAKEN, LiquidationAuctionTaken, Struct("<IIQB")),
    _Layout(EventTag.LIQUIDATION_AUCTION_ENDED, LiquidationAuctionEnded, Struct("<I")),
    _Layout(EventTag.DEFICIT_COVERED, DeficitCovered, Struct("<IQQ")),
    _Layout(EventTag.WITHDRAWAL_REDUCED, WithdrawalReduced, Struct("<IQ")),
    _Layout(EventTag.DELEVERAGING_STARTED, DeleveragingStarted, Struct("<IIqQ")),
    _Layout(EventTag.POSITION_DELEVERAGED, PositionDeleveraged, Struct("<IIIqqQ")),
    _Layout(EventTag.DELEVERAGING_ENDED, DeleveragingEnded, Struct("<II")),
    _Layout(EventTag.INTEREST_PAID, InterestPaid, Struct("<IQ")),
    _Layout(EventTag.CONVERSION_STARTED, ConversionStarted, Struct("<IQ")),
    _Layout(EventTag.COLLATERAL_SOLD, CollateralSold, Struct("<IIBQQQ")),
    _Layout(EventTag.CONVERSION_ENDED, ConversionEnded, Struct("<I")),
    _Layout(EventTag.VARIATION_SETTLED, VariationSettled, Struct("<I")),
)
_BY_TAG = {int(row.tag): row for row in _LAYOUTS}

EVENTS_KEPT = 4_096
"""Entries whose events are kept decoded, more than a window has: read models, keeper and reply ask
for the same, one after the other for all of it."""

_BY_TYPE = {row.event: row for row in _LAYOUTS}


def encode_event(event: Event) -> bytes:
    """Return tag and fields, little-endian, in the order of the class."""
    row = _BY_TYPE[type(event)]
    return bytes((row.tag,)) + row.layout.pack(*event)


def event_tag(event: Event) -> EventTag:
    """Return the number of an event's kind."""
    return _BY_TYPE[type(event)].tag


def tag_of(event: type[Event]) -> EventTag:
    """Return the number of a kind of event."""
    return _BY_TYPE[event].tag


def event_sizes() -> dict[EventTag, int]:
    """Return how many bytes an event of each kind has after its tag."""
    return {row.tag: row.layout.size for row in _LAYOUTS}


def decode_event(data: bytes) -> Event:
    """Return one event. An unknown tag is a broken invariant."""
    row = _BY_TAG[EventTag(data[0])]
    return row.event(*row.layout.unpack_from(data, 1))


_event_of = cast(Any, tuple).__new__
"""Makes an event as its class would, without a call of Python for each."""


@lru_cache(EVENTS_KEPT)
def decode_events(data: bytes) -> tuple[Event, ...]:
    """Return the events that stand one after the other. An unknown tag is a broken invariant."""
    events: list[Event] = []
    offset = 0
    while offset < len(data):
        row = _BY_TAG.get(data[offset])
        if row is None:
            raise ValueError(f"no event has tag {data[offset]}")
        events.append(_event_of(row.event, row.layout.unpack_from(data, offset + 1)))
        offset += 1 + row.layout.size
    return tuple(events)
