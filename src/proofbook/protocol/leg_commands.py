"""Commands of several legs, and those that two traders sign."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from struct import Struct
from typing import Any, ClassVar, NamedTuple, Self

from proofbook.protocol.codec import SIGNATURE_BYTES, Malformed, Reader, TraderCommand
from proofbook.protocol.limits import COMBO_LEGS_MIN, LEGS_MAX, Tag


class Party(NamedTuple):
    """One who signs a command: with which key of which account, and what he signs."""

    account: int
    nonce: int
    expires_ns: int
    session: int
    signature: bytes
    signed: Any


class TwoPartyCommand(TraderCommand, ABC):
    """A command that two traders sign: who brings it, the taker, and whom it names, the maker."""

    __slots__ = ()

    @property
    @abstractmethod
    def maker(self) -> Party:
        """The second trader; the first one's key stands before the fields, as in any command."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One instrument of a trade between two; the taker buys `taker_lots`, sells them if < 0."""

    LAYOUT: ClassVar = Struct("<IqI")
    instrument: int
    taker_lots: int
    price_ticks: int


@dataclass(frozen=True, slots=True)
class RfqQuote:
    """What a maker offers to one account, or with taker 0 to whoever accepts first."""

    LAYOUT: ClassVar = Struct("<IQQII")
    account: int
    nonce: int
    expires_ns: int
    taker: int
    max_fee_ppm: int
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True)
class AcceptQuote(TwoPartyCommand):
    """Take a maker's signed quote as a whole."""

    TAG: ClassVar = Tag.ACCEPT_QUOTE
    HEAD: ClassVar = Struct(f"<IQQIB{SIGNATURE_BYTES}s")
    account: int
    nonce: int
    expires_ns: int
    max_fee_ppm: int
    maker_session: int
    maker_signature: bytes
    quote: RfqQuote

    @property
    def maker(self) -> Party:
        quote = self.quote
        return Party(
            quote.account, quote.nonce, quote.expires_ns,
            self.maker_session, self.maker_signature, quote,
        )  # fmt: skip

    def body(self) -> bytes:
        quote = self.quote
        head = self.HEAD.pack(
            self.account, self.nonce, self.expires_ns, self.max_fee_ppm,
            self.maker_session, self.maker_signature,
        )  # fmt: skip
        terms = quote.LAYOUT.pack(
            quote.account, quote.nonce, quote.expires_ns, quote.taker, quote.max_fee_ppm
        )
        return head + terms + legs_bytes(quote.legs)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        head = cls.HEAD.unpack(reader.take(cls.HEAD.size))
        terms = reader.unpack(RfqQuote.LAYOUT)
        legs = read_legs(reader)
        return cls(*head, quote=RfqQuote(*terms, legs=legs))


@dataclass(frozen=True, slots=True)
class BlockTrade(TwoPartyCommand):
    """A large trade that both sides agreed on elsewhere: both sign the same terms."""

    TAG: ClassVar = Tag.BLOCK_TRADE
    HEAD: ClassVar = Struct(f"<IQQIIQB{SIGNATURE_BYTES}s")
    account: int
    nonce: int
    expires_ns: int
    max_fee_ppm: int
    maker_account: int
    maker_nonce: int
    maker_session: int
    maker_signature: bytes
    legs: tuple[Leg, ...]

    @property
    def maker(self) -> Party:
        return Party(
            self.maker_account, self.maker_nonce, self.expires_ns,
            self.maker_session, self.maker_signature, self,
        )  # fmt: skip

    def body(self) -> bytes:
        head = self.HEAD.pack(
            self.account, self.nonce, self.expires_ns, self.max_fee_ppm, self.maker_account,
            self.maker_nonce, self.maker_session, self.maker_signature,
        )  # fmt: skip
        return head + legs_bytes(self.legs)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        head = cls.HEAD.unpack(reader.take(cls.HEAD.size))
        return cls(*head, legs=read_legs(reader))


@dataclass(frozen=True, slots=True)
class ComboLeg:
    """An instrument of a combo, and how many lots of it one lot of the combo is; < 0: short."""

    LAYOUT: ClassVar = Struct("<Iq")
    instrument: int
    ratio: int


@dataclass(frozen=True, slots=True)
class CreateCombo(TraderCommand):
    """Open the book of a combo: two to four legs that trade as one."""

    TAG: ClassVar = Tag.CREATE_COMBO
    HEAD: ClassVar = Struct("<IQQ")
    account: int
    nonce: int
    expires_ns: int
    legs: tuple[ComboLeg, ...]

    def body(self) -> bytes:
        head = self.HEAD.pack(self.account, self.nonce, self.expires_ns)
        rows = [ComboLeg.LAYOUT.pack(leg.instrument, leg.ratio) for leg in self.legs]
        return head + bytes((len(rows),)) + b"".join(rows)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        head = reader.unpack(cls.HEAD)
        count = reader.count(LEGS_MAX)
        legs = tuple(ComboLeg(*reader.unpack(ComboLeg.LAYOUT)) for _ in range(count))
        if count < COMBO_LEGS_MIN:
            raise Malformed(f"a combo of {count} legs, at least {COMBO_LEGS_MIN}")
        require_ascending_legs([leg.instrument for leg in legs])
        return cls(*head, legs=legs)


def legs_bytes(legs: tuple[Leg, ...]) -> bytes:
    """Return the number of legs and their fields."""
    rows = [Leg.LAYOUT.pack(leg.instrument, leg.taker_lots, leg.price_ticks) for leg in legs]
    return bytes((len(rows),)) + b"".join(rows)


def read_legs(reader: Reader) -> tuple[Leg, ...]:
    """Return one to four legs, ascending by instrument. Raises Malformed."""
    legs = tuple(Leg(*reader.unpack(Leg.LAYOUT)) for _ in range(reader.count(LEGS_MAX)))
    require_ascending_legs([leg.instrument for leg in legs])
    return legs


def require_ascending_legs(instruments: list[int]) -> None:
    """Refuse no legs, an instrument named twice or out of order. Raises Malformed."""
    if not instruments or any(before >= after for before, after in pairwise(instruments)):
        raise Malformed(f"legs in {instruments} are none or not ascending")
