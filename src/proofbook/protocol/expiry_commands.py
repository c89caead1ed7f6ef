"""Commands that end an expiry: its price, and what accounts hold in it."""

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar

from proofbook.protocol.codec import Command
from proofbook.protocol.limits import Tag


@dataclass(frozen=True, slots=True)
class SetSettlement(Command):
    """The settlement price of an expiry, by the governor, where there is no average of the index.

    Slot and date both name the expiry: a slot may be another's by the time that this is executed.
    """

    TAG: ClassVar = Tag.SET_SETTLEMENT
    LAYOUT: ClassVar = Struct("<IQQ")
    expiry: int
    expiry_ns: int
    price_atoms: int


@dataclass(frozen=True, slots=True)
class SettleExpiry(Command):
    """Take the average of the index for an expiry's settlement price, once it is complete."""

    TAG: ClassVar = Tag.SETTLE_EXPIRY
    LAYOUT: ClassVar = Struct("<I")
    expiry: int


@dataclass(frozen=True, slots=True)
class SettleAccount(Command):
    """Pay funding and close what is settled, of up to 32 positions of an account.

    Looked at are positions from slot `cursor` on (0: the first).
    """

    TAG: ClassVar = Tag.SETTLE_ACCOUNT
    LAYOUT: ClassVar = Struct("<II")
    account: int
    cursor: int = 0
