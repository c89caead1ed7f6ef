"""The commands, one frozen class each, with their canonical bytes.

`body()` gives the bytes after the tag (and, for commands that traders sign, after session and
signature); `read` is its inverse. A reader fails with `Malformed` on anything that it would not
write itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cache
from itertools import pairwise
from operator import attrgetter
from struct import Struct
from typing import Any, ClassVar, Self, TypeAlias, TypeVar, get_type_hints

from proofbook.protocol.limits import (
    EXPIRIES_PER_UNDERLYING_MAX,
    PUBLISHERS_MAX,
    InstrumentKind,
    OrderType,
    PostOnly,
    SelfTradePrevention,
    Side,
    Tag,
    TimeInForce,
)

SIGNATURE_BYTES = 64

Member = TypeVar("Member", bound=IntEnum)

POST_ONLY_FLAG = 1
REDUCE_ONLY_FLAG = 2
SLIDE_FLAG = 4


class Malformed(ValueError):
    """Bytes that are not the canonical encoding of any entry."""


class Reader:
    """Takes fields off the front of some bytes."""

    __slots__ = ("data", "offset")

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self.data = data
        self.offset = offset

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes. Raises Malformed at the end."""
        piece = self.data[self.offset : self.offset + size]
        if len(piece) != size:
            raise Malformed(f"{size} bytes wanted at {self.offset}, {len(piece)} left")
        self.offset += size
        return piece

    def unpack(self, layout: Struct) -> tuple[int, ...]:
        return layout.unpack(self.take(layout.size))

    def count(self, limit: int) -> int:
        """Return a list's length byte. Raises Malformed above its limit."""
        count = self.take(1)[0]
        if count > limit:
            raise Malformed(f"list of {count}, at most {limit}")
        return count


class Command:
    """A command whose bytes are one fixed layout, a number or some bytes per field, in order.

    Others say themselves how their lists are written.
    """

    __slots__ = ()
    TAG: ClassVar[Tag]
    LAYOUT: ClassVar[Struct]

    def body(self) -> bytes:
        """Return the fields' bytes."""
        return self.LAYOUT.pack(*field_getter(type(self))(self))

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Return the command that stands next. Raises Malformed."""
        values = list(cls.LAYOUT.unpack(reader.take(cls.LAYOUT.size)))
        for place, enum in enumerated_fields(cls):
            values[place] = member(enum, values[place])
        return cls(*values)


class TraderCommand(Command):
    """A command that a trader signs; it begins with account, nonce and expiry."""

    __slots__ = ()
    account: int
    nonce: int
    expires_ns: int


@cache
def field_getter(command_type: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Return what reads all fields of a command at once."""
    names = [field.name for field in fields(command_type)]
    if len(names) == 1:
        read_one = attrgetter(names[0])
        return lambda command: (read_one(command),)
    return attrgetter(*names)


@cache
def enumerated_fields(command_type: Any) -> tuple[tuple[int, type[IntEnum]], ...]:
    """Return place and enumeration of the fields that are members of one."""
    hints = get_type_hints(command_type)
    kinds = enumerate(hints[field.name] for field in fields(command_type))
    return tuple((place, kind) for place, kind in kinds if issubclass(kind, IntEnum))


U64 = Struct("<Q")


@dataclass(frozen=True, slots=True)
class Deposit(Command):
    """USDC that arrived in the vault for an account; its bytes are the inbox request."""

    TAG: ClassVar = Tag.DEPOSIT
    LAYOUT: ClassVar = Struct("<I20sIBQ")
    account: int
    owner: bytes
    subaccount: int
    token: int
    amount_atoms: int


@dataclass(frozen=True, slots=True)
class Place(TraderCommand):
    """A limit order.

    `expires_ns` bounds when the message may be executed, not how long the order rests.
    """

    TAG: ClassVar = Tag.PLACE
    LAYOUT: ClassVar = Struct("<IQQIBBIQBBBHI8s")
    account: int
    nonce: int
    expires_ns: int
    instrument: int
    side: Side
    price_ticks: int
    lots: int
    time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCELLED
    post_only: PostOnly = PostOnly.OFF
    reduce_only: bool = False
    max_fee_ppm: int = 0
    label: bytes = bytes(8)
    order_type: OrderType = OrderType.LIMIT
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.CANCEL_MAKER
    group: int = 0

    @property
    def flags(self) -> int:
        return order_flags(self.post_only, self.reduce_only)

    def body(self) -> bytes:
        return self.LAYOUT.pack(
            self.account, self.nonce, self.expires_ns, self.instrument, self.side, self.order_type,
            self.price_ticks, self.lots, self.time_in_force, self.flags, self.self_trade_prevention,
            self.group, self.max_fee_ppm, self.label,
        )  # fmt: skip

    @classmethod
    def read(cls, reader: Reader) -> Self:
        (
            account, nonce, expires_ns, instrument, side, order_type, price_ticks, lots,
            time_in_force, flags, self_trade_prevention, group, max_fee_ppm, label,
        ) = cls.LAYOUT.unpack(reader.take(cls.LAYOUT.size))  # fmt: skip
        post_only, reduce_only = read_order_flags(flags)
        return cls(
            account, nonce, expires_ns, instrument, member(Side, side), price_ticks, lots,
            member(TimeInForce, time_in_force),
            post_only, reduce_only, max_fee_ppm, label, member(OrderType, order_type),
            member(SelfTradePrevention, self_trade_prevention), group,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cancel(TraderCommand):
    """Remove one resting order of the account."""

    TAG: ClassVar = Tag.CANCEL
    LAYOUT: ClassVar = Struct("<IQQQ")
    account: int
    nonce: int
    expires_ns: int
    order: int


@dataclass(frozen=True, slots=True)
class CancelAll(TraderCommand):
    """End every order of the account at once; the records follow in bounded steps."""

    TAG: ClassVar = Tag.CANCEL_ALL
    LAYOUT: ClassVar = Struct("<IQQ")
    account: int
    nonce: int
    expires_ns: int


@dataclass(frozen=True, slots=True)
class Withdraw(TraderCommand):
    """Move money from the account to the withdrawal tree, claimable on chain by the recipient."""

    TAG: ClassVar = Tag.WITHDRAW
    LAYOUT: ClassVar = Struct("<IQQB20sQ")
    account: int
    nonce: int
    expires_ns: int
    token: int
    recipient: bytes
    amount_atoms: int


@dataclass(frozen=True, slots=True)
class IndexObservation:
    """One publisher's index price, signed."""

    publisher: int
    price_atoms: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class IndexPrice(Command):
    """The index of an underlying: the lower median of what a quorum of publishers signed."""

    TAG: ClassVar = Tag.INDEX_PRICE
    HEAD: ClassVar = Struct("<IQ")
    OBSERVATION: ClassVar = Struct("<BQ64s")
    underlying: int
    published_ns: int
    observations: tuple[IndexObservation, ...]

    def body(self) -> bytes:
        rows = (
            self.OBSERVATION.pack(o.publisher, o.price_atoms, o.signature)
            for o in self.observations
        )
        head = self.HEAD.pack(self.underlying, self.published_ns)
        return head + bytes((len(self.observations),)) + b"".join(rows)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        underlying, published_ns = reader.unpack(cls.HEAD)
        count = reader.count(PUBLISHERS_MAX)
        rows = (cls.OBSERVATION.unpack(reader.take(cls.OBSERVATION.size)) for _ in range(count))
        observations = tuple(IndexObservation(*row) for row in rows)
        require_ascending([observation.publisher for observation in observations])
        return cls(underlying, published_ns, observations)


@dataclass(frozen=True, slots=True)
class ForwardObservation:
    """One publisher's forwards, in the order of the command's expiries, signed."""

    publisher: int
    forwards_atoms: tuple[int, ...]
    signature: bytes


@dataclass(frozen=True, slots=True)
class ForwardCurve(Command):
    """The forwards of all dated expiries of an underlying, each the lower median of a quorum."""

    TAG: ClassVar = Tag.FORWARD_CURVE
    HEAD: ClassVar = Struct("<IQ")
    underlying: int
    published_ns: int
    expiries_ns: tuple[int, ...]
    observations: tuple[ForwardObservation, ...]

    def body(self) -> bytes:
        parts = [
            self.HEAD.pack(self.underlying, self.published_ns),
            bytes((len(self.expiries_ns),)),
        ]
        parts += [U64.pack(expiry_ns) for expiry_ns in self.expiries_ns]
        parts.append(bytes((len(self.observations),)))
        for observation in self.observations:
            parts.append(bytes((observation.publisher,)))
            parts += [U64.pack(forward) for forward in observation.forwards_atoms]
            parts.append(observation.signature)
        return b"".join(parts)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        underlying, published_ns = reader.unpack(cls.HEAD)
        expiries = Struct(f"<{reader.count(EXPIRIES_PER_UNDERLYING_MAX)}Q")
        expiries_ns = reader.unpack(expiries)
        observations: list[ForwardObservation] = []
        for _ in range(reader.count(PUBLISHERS_MAX)):
            publisher = reader.take(1)[0]
            forwards = reader.unpack(expiries)
            observations.append(
                ForwardObservation(publisher, forwards, reader.take(SIGNATURE_BYTES))
            )
        require_ascending([observation.publisher for observation in observations])
        return cls(underlying, published_ns, expiries_ns, tuple(observations))


@dataclass(frozen=True, slots=True)
class SurfaceSlice:
    """Raw SVI total variance of one expiry, parameters in Q15.48."""

    expiry_ns: int
    a: int
    b: int
    rho: int
    m: int
    sigma: int


@dataclass(frozen=True, slots=True)
class SurfaceSignature:
    """One publisher's signature over the whole surface."""

    publisher: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class VolSurface(Command):
    """An underlying's surface: all dated expiries at once, the same bytes signed by a quorum."""

    TAG: ClassVar = Tag.VOL_SURFACE
    HEAD: ClassVar = Struct("<IQ")
    SLICE: ClassVar = Struct("<Qqqqqq")
    SIGNATURE: ClassVar = Struct("<B64s")
    underlying: int
    published_ns: int
    slices: tuple[SurfaceSlice, ...]
    signatures: tuple[SurfaceSignature, ...]

    def body(self) -> bytes:
        parts = [self.HEAD.pack(self.underlying, self.published_ns), bytes((len(self.slices),))]
        parts += [self.SLICE.pack(s.expiry_ns, s.a, s.b, s.rho, s.m, s.sigma) for s in self.slices]
        parts.append(bytes((len(self.signatures),)))
        parts += [self.SIGNATURE.pack(s.publisher, s.signature) for s in self.signatures]
        return b"".join(parts)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        underlying, published_ns = reader.unpack(cls.HEAD)
        slices = [
            SurfaceSlice(*reader.unpack(cls.SLICE))
            for _ in range(reader.count(EXPIRIES_PER_UNDERLYING_MAX))
        ]
        signatures = [
            SurfaceSignature(*cls.SIGNATURE.unpack(reader.take(cls.SIGNATURE.size)))
            for _ in range(reader.count(PUBLISHERS_MAX))
        ]
        require_ascending([signature.publisher for signature in signatures])
        return cls(underlying, published_ns, tuple(slices), tuple(signatures))


@dataclass(frozen=True, slots=True)
class Tick(Command):
    """Let time pass, and sweep dead orders of one account (0: of none)."""

    TAG: ClassVar = Tag.TICK
    LAYOUT: ClassVar = Struct("<I")
    account: int = 0


@dataclass(frozen=True, slots=True)
class Remark(Command):
    """Price up to 16 instruments of an expiry again, from slot `cursor` on (0: the first)."""

    TAG: ClassVar = Tag.REMARK
    LAYOUT: ClassVar = Struct("<II")
    expiry: int
    cursor: int = 0


@dataclass(frozen=True, slots=True)
class ListInstrument(Command):
    """Open a book on the governed grid; the grid gives ticks, lots and fees."""

    TAG: ClassVar = Tag.LIST_INSTRUMENT
    LAYOUT: ClassVar = Struct("<IBQQ")
    underlying: int
    kind: InstrumentKind
    expiry_ns: int = 0
    strike_atoms: int = 0


OracleCommand: TypeAlias = IndexPrice | ForwardCurve | VolSurface

COMMANDS: dict[int, type[Command]] = {
    command.TAG: command
    for command in (
        Deposit, Place, Cancel, CancelAll, Withdraw,
        IndexPrice, ForwardCurve, VolSurface, Tick, Remark, ListInstrument,
    )
}  # fmt: skip


def member(enum: type[Member], number: int) -> Member:
    """Return the member of a closed enumeration.

    Raises Malformed for a number that it does not have.
    """
    try:
        return enum(number)
    except ValueError:
        raise Malformed(f"{number} is no {enum.__name__}") from None


def require_ascending(publishers: list[int]) -> None:
    """Refuse a publisher named twice or out of order. Raises Malformed."""
    if any(before >= after for before, after in pairwise(publishers)):
        raise Malformed(f"publishers {publishers} are not ascending")


def order_flags(post_only: PostOnly, reduce_only: bool) -> int:
    """Return the byte that holds both."""
    rests = (0, POST_ONLY_FLAG, POST_ONLY_FLAG | SLIDE_FLAG)[post_only]
    return rests | REDUCE_ONLY_FLAG * reduce_only


def read_order_flags(flags: int) -> tuple[PostOnly, bool]:
    """Return what the byte holds. Raises Malformed for bits that mean nothing."""
    rests = {0: PostOnly.OFF, 1: PostOnly.REJECT, 5: PostOnly.SLIDE}.get(flags & ~REDUCE_ONLY_FLAG)
    if rests is None:
        raise Malformed(f"flags {flags:#x} mean nothing")
    return rests, bool(flags & REDUCE_ONLY_FLAG)
