"""What publishers say: index prices, forwards, volatility surfaces, with their signatures."""

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Self, TypeAlias

from proofbook.protocol.codec import (
    SIGNATURE_BYTES,
    Command,
    Reader,
    require_ascending,
)
from proofbook.protocol.limits import EXPIRIES_PER_UNDERLYING_MAX, PUBLISHERS_MAX, Tag

U64 = Struct("<Q")


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


OracleCommand: TypeAlias = IndexPrice | ForwardCurve | VolSurface
