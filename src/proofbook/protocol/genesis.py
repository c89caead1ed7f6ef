"""The canonical bytes from which state 0 is built, with chain id and contract address."""

from dataclasses import astuple, dataclass
from struct import Struct

from proofbook.protocol.commands import Malformed, Reader
from proofbook.protocol.limits import (
    FEE_PPM_MAX,
    FRACTION_ONE_PPM,
    INDEX_ATOMS_MAX,
    ORDER_LOTS_MAX,
    PRICE_TICKS_BITS,
    PROTOCOL_VERSION,
    PUBLISHERS_MAX,
)

HEAD = Struct("<IQ32s20s20s")
PARAMETERS = Struct("<6I")
UNDERLYING = Struct("<8sIQ")
TERMS = Struct("<5Q3I")
TICK_TABLE = Struct("<6I")
TICK_STEPS = 3
UNDERLYINGS_MAX = 32
PARAMETER_PPM_MAX = 10_000_000
NANOS_PER_UNIT = 1_000_000_000
TICK_ATOMS_MAX = 1 << 40
LOT_NANOS_MAX = 1_000 * NANOS_PER_UNIT


@dataclass(frozen=True, slots=True)
class MarginParameters:
    """First values: a grid of ±16 % in nine steps times volatility +50 / 0 / −27.5 %."""

    spot_range_ppm: int = 160_000
    vol_up_ppm: int = 500_000
    vol_down_ppm: int = 275_000
    vol_up_floor_ppm: int = 450_000
    initial_factor_ppm: int = 1_000_000
    maintenance_factor_ppm: int = 800_000


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of one kind of books: ticks in atoms per unit, lots in 1e-9 units, fees in ppm.

    `band_ppm` is how far beyond the mark an order may reach, 0 for any distance; `block_lots_min`
    is the least size of a block trade.
    """

    tick_atoms: int
    lot_nanos: int
    maker_fee_ppm: int = 0
    taker_fee_ppm: int = 0
    band_ppm: int = 0
    lots_min: int = 1
    lots_max: int = ORDER_LOTS_MAX
    block_lots_min: int = 1

    def require_sound(self, what: str) -> None:
        """Refuse terms whose tick value is no whole number of atoms or that are out of range.

        Raises Malformed.
        """
        tick_atoms, lot_nanos = self.tick_atoms, self.lot_nanos
        if not (1 <= tick_atoms <= TICK_ATOMS_MAX and 1 <= lot_nanos <= LOT_NANOS_MAX):
            raise Malformed(f"{what}: tick {tick_atoms} or lot {lot_nanos} is out of range")
        if tick_atoms * lot_nanos % NANOS_PER_UNIT:
            product = f"tick {tick_atoms} × lot {lot_nanos}"
            raise Malformed(f"{what}: {product} is no whole number of atoms")
        if max(self.maker_fee_ppm, self.taker_fee_ppm) > FEE_PPM_MAX:
            fees = f"{self.maker_fee_ppm} and {self.taker_fee_ppm}"
            raise Malformed(f"{what}: fees {fees} above {FEE_PPM_MAX} ppm")
        if self.band_ppm > PARAMETER_PPM_MAX:
            raise Malformed(f"{what}: band {self.band_ppm} above {PARAMETER_PPM_MAX} ppm")
        if not 1 <= self.lots_min <= self.lots_max <= ORDER_LOTS_MAX:
            sizes = f"{self.lots_min} to {self.lots_max}"
            raise Malformed(f"{what}: sizes from {sizes} lots are out of range")
        if not 1 <= self.block_lots_min <= ORDER_LOTS_MAX:
            raise Malformed(f"{what}: least block {self.block_lots_min} is out of range")


@dataclass(frozen=True, slots=True)
class UnderlyingGrid:
    """What an underlying may list, and on which terms.

    `tick_table` holds pairs (from ticks, step) for options, ascending: from that premium on a limit
    is a multiple of the step. Below the first pair every tick is allowed.
    """

    symbol: str
    quorum: int
    strike_step_atoms: int
    perpetual: Terms
    future: Terms
    option: Terms
    tick_table: tuple[tuple[int, int], ...] = ()

    @property
    def terms(self) -> tuple[Terms, Terms, Terms]:
        return self.perpetual, self.future, self.option

    def require_sound(self, publishers: int) -> None:
        """Refuse a grid that is out of range. Raises Malformed."""
        for name, terms in zip(("perpetual", "future", "option"), self.terms, strict=True):
            terms.require_sound(f"{self.symbol} {name}")
        if not 1 <= self.strike_step_atoms <= INDEX_ATOMS_MAX:
            raise Malformed(f"{self.symbol}: strike step {self.strike_step_atoms} is out of range")
        if not 1 <= self.quorum <= publishers:
            raise Malformed(f"{self.symbol}: quorum {self.quorum} of {publishers} publishers")
        starts = [start for start, _ in self.tick_table]
        if starts != sorted(set(starts)) or not all(
            0 < number < 1 << PRICE_TICKS_BITS for pair in self.tick_table for number in pair
        ):
            raise Malformed(f"{self.symbol}: tick table {self.tick_table} is out of range")


@dataclass(frozen=True, slots=True)
class Genesis:
    """Everything that state 0 holds beside the domain of its signatures."""

    genesis_ns: int
    fund_owner: bytes
    fee_owner: bytes
    publishers: tuple[bytes, ...]
    underlyings: tuple[UnderlyingGrid, ...]
    parameters: MarginParameters = MarginParameters()
    image_hash: bytes = bytes(32)
    protocol_version: int = PROTOCOL_VERSION

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        p = self.parameters
        head = HEAD.pack(
            self.protocol_version, self.genesis_ns, self.image_hash, self.fund_owner, self.fee_owner
        )
        parameters = PARAMETERS.pack(
            p.spot_range_ppm, p.vol_up_ppm, p.vol_down_ppm, p.vol_up_floor_ppm,
            p.initial_factor_ppm, p.maintenance_factor_ppm,
        )  # fmt: skip
        publishers = bytes((len(self.publishers),)) + b"".join(self.publishers)
        underlyings = bytes((len(self.underlyings),)) + b"".join(
            map(_pack_underlying, self.underlyings)
        )
        return head + parameters + publishers + underlyings

    @classmethod
    def decode(cls, data: bytes) -> "Genesis":
        """Return the genesis that exactly these bytes hold. Raises Malformed."""
        reader = Reader(data)
        version, genesis_ns, image_hash, fund_owner, fee_owner = HEAD.unpack(reader.take(HEAD.size))
        if version != PROTOCOL_VERSION:
            raise Malformed(f"protocol version {version}, this program speaks {PROTOCOL_VERSION}")
        parameters = MarginParameters(*reader.unpack(PARAMETERS))
        publishers = tuple(reader.take(20) for _ in range(reader.count(PUBLISHERS_MAX)))
        underlyings = tuple(_read_underlying(reader) for _ in range(reader.count(UNDERLYINGS_MAX)))
        if reader.offset != len(data):
            raise Malformed(f"{len(data) - reader.offset} bytes after the genesis")
        genesis = cls(
            genesis_ns, fund_owner, fee_owner, publishers, underlyings, parameters, image_hash
        )
        genesis.require_sound()
        return genesis

    def require_sound(self) -> None:
        """Refuse values with which the state machine could overflow or divide inexactly.

        Raises Malformed.
        """
        parameters = astuple(self.parameters)
        if (
            max(parameters) > PARAMETER_PPM_MAX
            or self.parameters.spot_range_ppm >= FRACTION_ONE_PPM
        ):
            limits = f"above {PARAMETER_PPM_MAX} ppm or a spot range of all"
            raise Malformed(f"margin parameters {parameters} {limits}")
        if not self.publishers or not self.underlyings:
            raise Malformed("no publishers or no underlyings")
        for grid in self.underlyings:
            grid.require_sound(len(self.publishers))


def _pack_underlying(u: UnderlyingGrid) -> bytes:
    head = UNDERLYING.pack(u.symbol.encode().ljust(8, b"\0"), u.quorum, u.strike_step_atoms)
    terms = [
        TERMS.pack(
            t.tick_atoms, t.lot_nanos, t.lots_min, t.lots_max, t.block_lots_min,
            t.maker_fee_ppm, t.taker_fee_ppm, t.band_ppm,
        )
        for t in u.terms
    ]  # fmt: skip
    padded = u.tick_table + ((0, 0),) * (TICK_STEPS - len(u.tick_table))
    return head + b"".join(terms) + TICK_TABLE.pack(*(number for pair in padded for number in pair))


def _read_underlying(reader: Reader) -> UnderlyingGrid:
    symbol, quorum, step = UNDERLYING.unpack(reader.take(UNDERLYING.size))
    perpetual, future, option = (_read_terms(reader) for _ in range(3))
    numbers = reader.unpack(TICK_TABLE)
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    while pairs and pairs[-1] == (0, 0):
        pairs.pop()
    return UnderlyingGrid(_symbol(symbol), quorum, step, perpetual, future, option, tuple(pairs))


def _read_terms(reader: Reader) -> Terms:
    tick, lot, least, most, block, maker, taker, band = reader.unpack(TERMS)
    return Terms(tick, lot, maker, taker, band, least, most, block)


def _symbol(data: bytes) -> str:
    text = data.rstrip(b"\0")
    if not text.isalnum() or not text.isupper():
        raise Malformed(f"symbol {data!r} is not made of capital letters and digits")
    return text.decode()
