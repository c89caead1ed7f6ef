"""Which events say why balances changed: one row for each kind of event, tested to be complete.

An event that is in none of the three tables here explains nothing: what it moved is shown under the
name of its command, and the sums stay right.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from proofbook.protocol import events as told
from proofbook.protocol.events import Event
from proofbook.protocol.limits import FEE_ACCOUNT, FUND_ACCOUNT, QUOTE_TOKEN


class Kind(StrEnum):
    """Why a balance changed. docs/reference/history.md says it in words."""

    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    WITHHELD = "WITHHELD"
    TRANSFER_IN = "TRANSFER_IN"
    TRANSFER_OUT = "TRANSFER_OUT"
    FEE = "FEE"
    FEES_RECEIVED = "FEES_RECEIVED"
    FUNDING = "FUNDING"
    INTEREST = "INTEREST"
    LIQUIDATION_FEE = "LIQUIDATION_FEE"
    AUCTION_PREMIUM = "AUCTION_PREMIUM"
    COLLATERAL_SALE = "COLLATERAL_SALE"
    DEFICIT_COVERED = "DEFICIT_COVERED"
    DELEVERAGING = "DELEVERAGING"
    TRADE = "TRADE"
    POSITION_TRANSFER = "POSITION_TRANSFER"
    VARIATION = "VARIATION"
    SETTLEMENT = "SETTLEMENT"


class Reason(NamedTuple):
    """Part of a change that an event explains."""

    account: int
    kind: Kind
    token: int
    amount_atoms: int


def cash(account: int, kind: Kind, amount_atoms: int) -> Reason:
    return Reason(account, kind, QUOTE_TOKEN, amount_atoms)


def moved(source: int, target: int, kind: Kind, amount_atoms: int) -> list[Reason]:
    """Return both sides of cash that went from an account to another."""
    return [cash(source, kind, -amount_atoms), cash(target, kind, amount_atoms)]


def deposited(event: told.Deposited) -> list[Reason]:
    return [Reason(event.account, Kind.DEPOSIT, event.token, event.amount_atoms)]


def withdrawn(event: told.WithdrawalQueued) -> list[Reason]:
    """Return what left an account. A deposit that was not credited moves nothing."""
    reason = Reason(event.account, Kind.WITHDRAWAL, event.token, -event.amount_atoms)
    return [reason] if event.account else []


def withheld(event: told.WithdrawalReduced) -> list[Reason]:
    return moved(event.account, FUND_ACCOUNT, Kind.WITHHELD, event.withheld_atoms)


def transferred(event: told.Transferred) -> list[Reason]:
    return [
        Reason(event.account, Kind.TRANSFER_OUT, event.token, -event.amount_atoms),
        Reason(event.recipient, Kind.TRANSFER_IN, event.token, event.amount_atoms),
    ]


def funding_paid(event: told.FundingSettled) -> list[Reason]:
    return [cash(event.account, Kind.FUNDING, -event.paid_atoms)]


def interest_paid(event: told.InterestPaid) -> list[Reason]:
    return moved(event.account, FUND_ACCOUNT, Kind.INTEREST, event.amount_atoms)


def fees_of_fill(event: told.Filled) -> list[Reason]:
    return [
        cash(event.maker_account, Kind.FEE, -event.maker_fee_atoms),
        cash(event.taker_account, Kind.FEE, -event.taker_fee_atoms),
        cash(FEE_ACCOUNT, Kind.FEES_RECEIVED, event.maker_fee_atoms + event.taker_fee_atoms),
    ]


def fees_of_auction(event: told.AuctionFilled) -> list[Reason]:
    return [
        cash(event.buyer, Kind.FEE, -event.buyer_fee_atoms),
        cash(event.seller, Kind.FEE, -event.seller_fee_atoms),
        cash(FEE_ACCOUNT, Kind.FEES_RECEIVED, event.buyer_fee_atoms + event.seller_fee_atoms),
    ]


def liquidation_fee(event: told.AccountReduced) -> list[Reason]:
    return moved(event.account, FUND_ACCOUNT, Kind.LIQUIDATION_FEE, event.fee_atoms)


def premium_paid(event: told.LiquidationAuctionTaken) -> list[Reason]:
    payer = FUND_ACCOUNT if event.is_from_fund else event.account
    return moved(payer, event.bidder, Kind.AUCTION_PREMIUM, event.premium_atoms)


def collateral_sold(event: told.CollateralSold) -> list[Reason]:
    return [
        *moved(event.buyer, event.account, Kind.COLLATERAL_SALE, event.paid_atoms),
        Reason(event.account, Kind.COLLATERAL_SALE, event.token, -event.amount_atoms),
        Reason(event.buyer, Kind.COLLATERAL_SALE, event.token, event.amount_atoms),
    ]


def deficit_covered(event: told.DeficitCovered) -> list[Reason]:
    """Return what the fund paid; what the fees gave to the fund is the rest of both."""
    return moved(FUND_ACCOUNT, event.account, Kind.DEFICIT_COVERED, event.deficit_atoms)


def deleveraged(event: told.PositionDeleveraged) -> list[Reason]:
    return moved(event.holder, event.account, Kind.DELEVERAGING, event.charge_atoms)


EXPLAINS: dict[type[Event], Callable[[Any], list[Reason]]] = {
    told.Deposited: deposited,
    told.WithdrawalQueued: withdrawn,
    told.WithdrawalReduced: withheld,
    told.Transferred: transferred,
    told.FundingSettled: funding_paid,
    told.InterestPaid: interest_paid,
    told.Filled: fees_of_fill,
    told.AuctionFilled: fees_of_auction,
    told.AccountReduced: liquidation_fee,
    told.LiquidationAuctionTaken: premium_paid,
    told.CollateralSold: collateral_sold,
    told.DeficitCovered: deficit_covered,
    told.PositionDeleveraged: deleveraged,
}
"""Events that say how much moved, and what they say."""

RESTS: dict[type[Event], tuple[Kind, Callable[[Any], tuple[int, ...]]]] = {
    told.Filled: (Kind.TRADE, lambda event: (event.maker_account, event.taker_account)),
    told.LegFilled: (Kind.TRADE, lambda event: (event.maker_account, event.taker_account)),
    told.AuctionFilled: (Kind.TRADE, lambda event: (event.buyer, event.seller)),
    told.PositionTransferred: (
        Kind.POSITION_TRANSFER,
        lambda event: (event.account, event.recipient),
    ),
    told.PositionDeleveraged: (
        Kind.DELEVERAGING,
        lambda event: (event.account, event.holder),
    ),
    told.PositionSettled: (Kind.SETTLEMENT, lambda event: (event.account,)),
    told.Transferred: (Kind.VARIATION, lambda event: (event.account, event.recipient)),
    told.WithdrawalQueued: (Kind.VARIATION, lambda event: (event.account,)),
    told.ConversionStarted: (Kind.VARIATION, lambda event: (event.account,)),
    told.CollateralSold: (Kind.VARIATION, lambda event: (event.account, event.buyer)),
    told.VariationSettled: (Kind.VARIATION, lambda event: (event.account,)),
    told.DeficitCovered: (Kind.DEFICIT_COVERED, lambda event: (FUND_ACCOUNT, FEE_ACCOUNT)),
}
"""Events after which money moved of which they say no sum: what to call it, and whose it is."""

MOVES_NO_MONEY: frozenset[type[Event]] = frozenset(
    {
        told.OrderRested,
        told.OrderRemoved,
        told.OrderReduced,
        told.OrdersCancelled,
        told.OrdersUnbacked,
        told.QuoteRefused,
        told.QuoteAccepted,
        told.BlockTraded,
        told.ProtectionChanged,
        told.DeadManSet,
        told.SessionGranted,
        told.SessionRevoked,
        told.TriggerPlaced,
        told.TriggerFired,
        told.TriggerRemoved,
        told.IndexChanged,
        told.ForwardsChanged,
        told.SurfaceChanged,
        told.Marked,
        told.FundingChanged,
        told.BreakerTripped,
        told.InstrumentListed,
        told.InstrumentReleased,
        told.ExpirySettled,
        told.InstrumentChanged,
        told.ComboCreated,
        told.FeeScheduleSet,
        told.FeesAssigned,
        told.MarginModeSet,
        told.AuctionPriced,
        told.AuctionEnded,
        told.ParametersChanged,
        told.PublisherChanged,
        told.TermsChanged,
        told.TokenChanged,
        told.LiquidationAuctionStarted,
        told.LiquidationAuctionEnded,
        told.ConversionEnded,
        told.DeleveragingStarted,
        told.DeleveragingEnded,
    }
)
"""Events of which all that moves stands in another event, if anything moves."""


def reasons_of(event: Event) -> list[Reason]:
    """Return what an event says about balances."""
    explain = EXPLAINS.get(type(event))
    return explain(event) if explain else []


def rest_of(event: Event) -> tuple[str, tuple[int, ...]]:
    """Return what to call money of which an event says no sum, and whose it is."""
    rest = RESTS.get(type(event))
    return (rest[0], rest[1](event)) if rest else ("", ())
