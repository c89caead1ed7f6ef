"""What became of debts and the collateral that pays for them, told to feeds and read models."""

from typing import NamedTuple


class InterestPaid(NamedTuple):
    """An account paid the fund for the time in which its cash was below zero."""

    account: int
    amount_atoms: int


class ConversionStarted(NamedTuple):
    """An account's tokens are for sale, since it owes so much."""

    account: int
    debt_atoms: int


class CollateralSold(NamedTuple):
    """A buyer paid some of an account's debt, and took of a token for it."""

    account: int
    buyer: int
    token: int
    amount_atoms: int
    paid_atoms: int
    nonce: int


class ConversionEnded(NamedTuple):
    """An account's tokens are not for sale any more: it does not owe too much."""

    account: int


class VariationSettled(NamedTuple):
    """What an account had won and lost in linear positions, up to their marks, is cash now."""

    account: int
