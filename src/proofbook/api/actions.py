"""The JSON of the signed methods: what they take, and what they answer."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from proofbook.api.schema import (
    U8,
    U16,
    U32,
    ActionName,
    Decimal,
    Digits,
    InstrumentName,
    Params,
    ReceiptReply,
    Reply,
    SideName,
)
from proofbook.protocol.limits import COMBO_LEGS_MIN, LEGS_MAX, QUOTES_PER_BATCH_MAX

Signature: TypeAlias = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{128}\Z")]
Address: TypeAlias = Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}\Z")]
Label: TypeAlias = Annotated[str, Meta(pattern=r"^[ -~]{0,8}\Z")]
OrderTypeName: TypeAlias = Literal["limit", "market"]
SelfTradePreventionName: TypeAlias = Literal[
    "cancel_maker", "cancel_taker", "cancel_both", "decrement"
]
TimeInForceName: TypeAlias = Literal[
    "good_till_cancelled", "immediate_or_cancel", "fill_or_kill", "good_till_time"
]

ConditionName: TypeAlias = Literal[
    "mark_at_or_above", "mark_at_or_below",
    "index_at_or_above", "index_at_or_below",
    "last_at_or_above", "last_at_or_below",
]  # fmt: skip

ALL_MARKETS = str(2**64 - 1)
"""The mask of markets with every underlying that ever is."""


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
    `expires_ns`; for all others that bounds the message alone. A post-only order that would trade
    is refused, or with `slide` moves to the next price at which it does not.
    """

    instrument: InstrumentName
    side: SideName
    price: Decimal
    amount: Decimal
    order_type: OrderTypeName = "limit"
    time_in_force: TimeInForceName = "good_till_cancelled"
    post_only: bool = False
    slide: bool = False
    reduce_only: bool = False
    self_trade_prevention: SelfTradePreventionName = "cancel_maker"
    max_fee_ppm: U32 = 0
    group: U16 = 0
    label: Label = ""


class CancelParams(SignedParams, frozen=True, kw_only=True):
    order: Digits


class AmendParams(SignedParams, frozen=True, kw_only=True):
    """What remains of a resting order, and where; price null: where it stands.

    An order that only shrinks keeps its place in the queue.
    """

    instrument: InstrumentName
    order: Digits
    amount: Decimal
    price: Decimal | None = None


class PlaceTriggerParams(SignedParams, frozen=True, kw_only=True):
    """An order that is placed, by whoever notices, once a price has reached `trigger_price`.

    It waits until `expires_ns` at most, and reserves no margin before it is placed.
    """

    instrument: InstrumentName
    condition: ConditionName
    trigger_price: Decimal
    side: SideName
    price: Decimal
    amount: Decimal
    time_in_force: TimeInForceName = "immediate_or_cancel"
    reduce_only: bool = False
    self_trade_prevention: SelfTradePreventionName = "cancel_maker"
    max_fee_ppm: U32 = 0
    group: U16 = 0
    label: Label = ""


class CancelTriggerParams(SignedParams, frozen=True, kw_only=True):
    trigger: Digits


class QuoteRow(Params, frozen=True, kw_only=True):
    """One side of a market in one instrument; amount "0" takes the quote out."""

    instrument: InstrumentName
    side: SideName
    price: Decimal = "0"
    amount: Decimal


class QuoteParams(SignedParams, frozen=True, kw_only=True):
    """Quotes in place of the account's old ones, in any order, one for each side of a book.

    What is signed has them in ascending order of instrument's number and side, buy first. They only
    rest: one that would trade is refused, or slides.
    """

    quotes: Annotated[list[QuoteRow], Meta(min_length=1, max_length=QUOTES_PER_BATCH_MAX)]
    protection: U8 = 0
    slide: bool = False
    max_fee_ppm: U32 = 0


class SetProtectionParams(SignedParams, frozen=True, kw_only=True):
    """How much quotes under a protection may trade before all of them end.

    `frozen_ns` "0": until `reset_protection`.
    Units limit: units of the underlying, of all instruments together; interval, frozen: ns.
    """

    protection: U8
    limit: Decimal
    interval_ns: Digits
    frozen_ns: Digits = "0"


class ResetProtectionParams(SignedParams, frozen=True, kw_only=True):
    protection: U8


class SetDeadManParams(SignedParams, frozen=True, kw_only=True):
    """When every order of the account ends unless this is sent again; "0": never.

    Units ns since the Unix epoch.
    """

    deadline_ns: Digits


class DealLeg(Params, frozen=True, kw_only=True):
    """One instrument of a trade between two. `side` is the taker's."""

    instrument: InstrumentName
    side: SideName
    price: Decimal
    amount: Decimal


class Offer(Params, frozen=True, kw_only=True):
    """A quote on request: what a maker has signed, for one account or (taker 0) for anyone.

    It travels from maker to taker by any way; the venue learns of it when it is accepted.
    """

    account: U32
    nonce: Digits
    expires_ns: Digits
    taker: U32 = 0
    max_fee_ppm: U32 = 0
    legs: Annotated[list[DealLeg], Meta(min_length=1, max_length=LEGS_MAX)]
    session: U8 = 0
    signature: Signature


class AcceptQuoteParams(SignedParams, frozen=True, kw_only=True):
    """Take an offer as a whole."""

    quote: Offer
    max_fee_ppm: U32 = 0


class ComboLegRow(Params, frozen=True, kw_only=True):
    """A leg of a combo: so many lots of it in each lot of the combo, sold if below 0."""

    instrument: InstrumentName
    ratio: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class CreateComboParams(SignedParams, frozen=True, kw_only=True):
    """Open the book of a combo, in any order of its legs."""

    legs: Annotated[list[ComboLegRow], Meta(min_length=COMBO_LEGS_MIN, max_length=LEGS_MAX)]


class CancelAllParams(SignedParams, frozen=True, kw_only=True):
    pass


class WithdrawParams(SignedParams, frozen=True, kw_only=True):
    """Units  amount in whole tokens; token 0 is USDC."""

    amount: Decimal
    recipient: Address
    token: U8 = 0


class TransferParams(SignedParams, frozen=True, kw_only=True):
    """Money to another account. Units  amount in whole tokens; token 0 is USDC."""

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
    Units notional_cap in USDC, "0" for none; session_expires_ns: ns since the Unix epoch.
    """

    slot: U8
    key: Address
    actions: Annotated[list[ActionName], Meta(min_length=1, max_length=32)]
    session_expires_ns: Digits
    markets: Digits = ALL_MARKETS
    notional_cap: Decimal = "0"


class RevokeSessionParams(SignedParams, frozen=True, kw_only=True):
    slot: U8


class FillReply(Reply, frozen=True, kw_only=True):
    price: Decimal
    amount: Decimal
    fee: Decimal


class PlaceReply(Reply, frozen=True, kw_only=True):
    """`order` is null if nothing rests; `removed` says why a rest is gone.

    An amended order that only shrank keeps its number. `trigger` is what the order waits as where
    takers are held up for a moment.
    """

    order: Digits | None
    trigger: Digits | None = None
    filled: Decimal
    resting: Decimal
    removed: str | None
    fills: list[FillReply]
    receipt: ReceiptReply


class QuoteOutcome(Reply, frozen=True, kw_only=True):
    """What became of one quote: the order that rests, or why none does; both null: taken out."""

    instrument: str
    side: SideName
    order: Digits | None
    price: Decimal | None
    refused: str | None


class QuoteReply(Reply, frozen=True, kw_only=True):
    """An outcome for each quote, in the order of the request."""

    quotes: list[QuoteOutcome]
    receipt: ReceiptReply


class SubmitParams(Params, frozen=True, kw_only=True):
    """A signed command as it will stand in its entry: tag, session, signature, fields, in hex."""

    command: Annotated[str, Meta(pattern=r"^0x([0-9a-f]{2})+\Z", max_length=4096)]


class EventReply(Reply, frozen=True, kw_only=True):
    """What a command did, as on an account's channel."""

    event: str
    fields: dict[str, str]


class SubmitReply(Reply, frozen=True, kw_only=True):
    events: list[EventReply]
    receipt: ReceiptReply


class LegFillReply(Reply, frozen=True, kw_only=True):
    """What was traded of one leg. `side` and `fee` are the taker's."""

    instrument: str
    side: SideName
    price: Decimal
    amount: Decimal
    fee: Decimal


class DealReply(Reply, frozen=True, kw_only=True):
    """A trade between two: all legs, or there is an error."""

    fills: list[LegFillReply]
    receipt: ReceiptReply


class ComboReply(Reply, frozen=True, kw_only=True):
    """The name of a combo's book."""

    instrument: str
    receipt: ReceiptReply


class TriggerReply(Reply, frozen=True, kw_only=True):
    """The number of an order that waits."""

    trigger: Digits
    receipt: ReceiptReply


class ReceiptedReply(Reply, frozen=True, kw_only=True):
    """The result of a signed method that has nothing more to tell."""

    receipt: ReceiptReply


class WithdrawReply(Reply, frozen=True, kw_only=True):
    """`index` is the leaf in the withdrawal tree, claimable on chain once its root is final."""

    index: Digits
    receipt: ReceiptReply
