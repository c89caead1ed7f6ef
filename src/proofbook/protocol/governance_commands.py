"""Commands of the governor, through the inbox. Each version must be the next one of its record."""

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Self

from proofbook.protocol.codec import Command, Reader, member
from proofbook.protocol.limits import (
    InstrumentKind,
    InstrumentMode,
    InstrumentState,
    Tag,
    TermsKind,
)
from proofbook.protocol.terms import (
    FIRST_MARGIN_TERMS,
    MarginParameters,
    MarginTerms,
    Terms,
    TickTable,
    pack_tick_table,
    read_tick_table,
)


@dataclass(frozen=True, slots=True)
class SetParameters(Command):
    """The margin parameters of all accounts."""

    TAG: ClassVar = Tag.SET_PARAMETERS
    HEAD: ClassVar = Struct("<I")
    version: int
    parameters: MarginParameters

    def body(self) -> bytes:
        return self.HEAD.pack(self.version) + self.parameters.pack()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        (version,) = reader.unpack(cls.HEAD)
        return cls(version, MarginParameters.read(reader))


@dataclass(frozen=True, slots=True)
class SetPublisher(Command):
    """The key of a publisher, of the next one too; the zero address takes his key away."""

    TAG: ClassVar = Tag.SET_PUBLISHER
    LAYOUT: ClassVar = Struct("<BI20s")
    publisher: int
    version: int
    key: bytes


@dataclass(frozen=True, slots=True)
class SetTerms(Command):
    """An underlying's terms of one kind of books."""

    TAG: ClassVar = Tag.SET_TERMS
    HEAD: ClassVar = Struct("<IIB")
    underlying: int
    version: int
    kind: TermsKind
    terms: Terms

    def body(self) -> bytes:
        return self.HEAD.pack(self.underlying, self.version, self.kind) + self.terms.pack()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        underlying, version, kind = reader.unpack(cls.HEAD)
        return cls(underlying, version, member(TermsKind, kind), Terms.read(reader))


@dataclass(frozen=True, slots=True)
class SetUnderlying(Command):
    """An underlying's quorum, its grid (strikes of new expiries, ticks of new books), and how it
    counts in margin.
    """

    TAG: ClassVar = Tag.SET_UNDERLYING
    HEAD: ClassVar = Struct("<IIIQ")
    underlying: int
    version: int
    quorum: int
    strike_step_atoms: int
    tick_table: TickTable = ()
    margin: MarginTerms = FIRST_MARGIN_TERMS

    def body(self) -> bytes:
        head = (self.underlying, self.version, self.quorum, self.strike_step_atoms)
        return self.HEAD.pack(*head) + pack_tick_table(self.tick_table) + self.margin.pack()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        underlying, version, quorum, step_atoms = reader.unpack(cls.HEAD)
        table, margin = read_tick_table(reader), MarginTerms.read(reader)
        return cls(underlying, version, quorum, step_atoms, table, margin)


@dataclass(frozen=True, slots=True)
class SetToken(Command):
    """How much of a token counts as equity, and how much of it the venue takes."""

    TAG: ClassVar = Tag.SET_TOKEN
    LAYOUT: ClassVar = Struct("<BIIQ")
    token: int
    version: int
    haircut_ppm: int
    cap_atoms: int


@dataclass(frozen=True, slots=True)
class SetInstrument(Command):
    """What a book takes and how it trades, by the governor.

    With kind COMBO it names whatever is listed under a number; with any other kind, a place of the
    grid, whoever lists it when: then `instrument` is 0, and what is not listed is.
    """

    TAG: ClassVar = Tag.SET_INSTRUMENT
    LAYOUT: ClassVar = Struct("<IBBIIIBQQ")
    instrument: int
    state: InstrumentState
    mode: InstrumentMode
    speed_bump_ms: int = 0
    auction_interval_ms: int = 0
    underlying: int = 0
    kind: InstrumentKind = InstrumentKind.COMBO
    expiry_ns: int = 0
    strike_atoms: int = 0
