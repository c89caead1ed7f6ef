"""What became of accounts below their margin, told to feeds and read models."""

from typing import NamedTuple


class OrdersUnbacked(NamedTuple):
    """The orders of an account that did not cover its initial margin were ended."""

    account: int


class AccountReduced(NamedTuple):
    """A slice of a position was offered in its book; its fills stand before, with taker nonce 0.

    `side` is what the account does, `lots` what was offered, `fee_atoms` what the fund got.
    """

    account: int
    instrument: int
    side: int
    limit_ticks: int
    lots: int
    filled_lots: int
    fee_atoms: int


class LiquidationAuctionStarted(NamedTuple):
    """An account is up for auction, or in its next phase: `fund_atoms` is what the fund adds."""

    account: int
    is_insolvent: int
    fund_atoms: int


class LiquidationAuctionTaken(NamedTuple):
    """Legs were taken out of an auction; their transfers stand before.

    The premium came from the fund, or from the equity of the account.
    """

    account: int
    bidder: int
    premium_atoms: int
    is_from_fund: int


class LiquidationAuctionEnded(NamedTuple):
    """An account covers maintenance margin again, or holds nothing more."""

    account: int


class DeficitCovered(NamedTuple):
    """What an account owed was paid by the fund, and where that ended by the fees.

    `uncovered_atoms` is what the fund owes since: withdrawals are reduced by their share of it.
    """

    account: int
    deficit_atoms: int
    uncovered_atoms: int


class DeleveragingStarted(NamedTuple):
    """A leg of an insolvent account is closed with the holders on the other side; its book halts.

    `lots` are those of the account; `deficit_atoms` is the most that the holders are charged.
    """

    account: int
    instrument: int
    lots: int
    deficit_atoms: int


class PositionDeleveraged(NamedTuple):
    """A holder took lots of an account at the mark, against his own, and was charged for it."""

    account: int
    holder: int
    instrument: int
    lots: int
    mark_atoms: int
    charge_atoms: int


class DeleveragingEnded(NamedTuple):
    """The leg is closed, or its account owes no more, or its book was set to another state."""

    account: int
    instrument: int


class WithdrawalReduced(NamedTuple):
    """A share of a withdrawal stayed, since the fund owes more than it has."""

    account: int
    withheld_atoms: int
