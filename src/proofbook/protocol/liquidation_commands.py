"""Commands about accounts below their margin."""

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Self

from proofbook.protocol.codec import Command, Reader, TraderCommand
from proofbook.protocol.leg_commands import require_ascending_legs
from proofbook.protocol.limits import LEGS_MAX, Tag


@dataclass(frozen=True, slots=True)
class Liquidate(Command):
    """Take the next step with an account below its margin: end its orders, or close some of a leg.

    `instrument` names the leg; while there are orders it counts for nothing.
    """

    TAG: ClassVar = Tag.LIQUIDATE
    LAYOUT: ClassVar = Struct("<II")
    account: int
    instrument: int = 0


@dataclass(frozen=True, slots=True)
class StartAuction(Command):
    """Auction what slices do not bring back; go on to the next phase of an auction, or end it.

    Of an account that owes without holding anything, the fund pays the debt.
    """

    TAG: ClassVar = Tag.START_AUCTION
    LAYOUT: ClassVar = Struct("<I")
    account: int


@dataclass(frozen=True, slots=True)
class Deleverage(Command):
    """Have holders on the other side close a leg that an insolvent account holds; go on with it."""

    TAG: ClassVar = Tag.DELEVERAGE
    LAYOUT: ClassVar = Struct("<II")
    account: int
    instrument: int


@dataclass(frozen=True, slots=True)
class BidLeg:
    """An instrument of a bid, and the lots that the bidder takes: short ones below 0."""

    LAYOUT: ClassVar = Struct("<Iq")
    instrument: int
    lots: int


@dataclass(frozen=True, slots=True)
class AuctionBid(TraderCommand):
    """Take one to four legs out of an auction at their marks, for the premium that it offers now.

    `max_cost_atoms` is the most that the legs may be worth less the premium; it may be below 0.
    """

    TAG: ClassVar = Tag.AUCTION_BID
    HEAD: ClassVar = Struct("<IQQIq")
    account: int
    nonce: int
    expires_ns: int
    target: int
    max_cost_atoms: int
    legs: tuple[BidLeg, ...]

    def body(self) -> bytes:
        head = self.HEAD.pack(
            self.account, self.nonce, self.expires_ns, self.target, self.max_cost_atoms
        )
        rows = [BidLeg.LAYOUT.pack(leg.instrument, leg.lots) for leg in self.legs]
        return head + bytes((len(rows),)) + b"".join(rows)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        head = reader.unpack(cls.HEAD)
        count = reader.count(LEGS_MAX)
        legs = tuple(BidLeg(*reader.unpack(BidLeg.LAYOUT)) for _ in range(count))
        require_ascending_legs([leg.instrument for leg in legs])
        return cls(*head, legs=legs)
