"""Commands about debts and the collateral that pays for them."""

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar

from proofbook.protocol.codec import Command, TraderCommand
from proofbook.protocol.limits import Tag


@dataclass(frozen=True, slots=True)
class StartConversion(Command):
    """Put the tokens of an account up for sale that owes too much USDC.

    Of an account that does not any more, end it.
    """

    TAG: ClassVar = Tag.START_CONVERSION
    LAYOUT: ClassVar = Struct("<I")
    account: int


@dataclass(frozen=True, slots=True)
class BuyCollateral(TraderCommand):
    """Buy some of a token from an account whose tokens are for sale: at most what repays its debt.

    `price_max_atoms` is the most to be paid for a whole token, in quote atoms.
    """

    TAG: ClassVar = Tag.BUY_COLLATERAL
    LAYOUT: ClassVar = Struct("<IQQIBQQ")
    account: int
    nonce: int
    expires_ns: int
    target: int
    token: int
    amount_atoms: int
    price_max_atoms: int


@dataclass(frozen=True, slots=True)
class SettleVariation(Command):
    """Turn what an account has won and lost in linear positions, up to their marks, into cash."""

    TAG: ClassVar = Tag.SETTLE_VARIATION
    LAYOUT: ClassVar = Struct("<I")
    account: int
