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
