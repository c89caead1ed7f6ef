"""The canonical bytes from which state 0 is built, with chain id and contract address."""

from dataclasses import astuple, dataclass
from struct import Struct

from proofbook.protocol.commands import Malformed, Reader
from proofbook.protocol.limits import (
    FEE_PPM_MAX,
    FRACTION_ONE_PPM,
    INDEX_ATOMS_MAX,
    PROTOCOL_VERSION,
    PUBLISHERS_MAX,
)

HEAD = Struct("<IQ32s20s20s")
PARAMETERS = Struct("<6I")
UNDERLYING = Struct("<8sI5Q4I")
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
class UnderlyingGrid:
    """What an underlying may list: ticks in atoms per unit, lots in 1e-9 units, fees in ppm."""

    symbol: str
    quorum: int
    perpetual_tick_atoms: int
    perpetual_lot_nanos: int
    option_tick_atoms: int
    option_lot_nanos: int
    strike_step_atoms: int
    perpetual_maker_fee_ppm: int = 0
    perpetual_taker_fee_ppm: int = 0
    option_maker_fee_ppm: int = 0
    option_taker_fee_ppm: int = 0

    def require_sound(self, publishers: int) -> None:
        """Refuse a grid whose tick value is no whole number of atoms or that is out of range.

        Raises Malformed.
        """
        pairs = (
            (self.perpetual_tick_atoms, self.perpetual_lot_nanos),
            (self.option_tick_atoms, self.option_lot_nanos),
        )
        for tick_atoms, lot_nanos in pairs:
            if not (1 <= tick_atoms <= TICK_ATOMS_MAX and 1 <= lot_nanos <= LOT_NANOS_MAX):
                raise Malformed(
                    f"{self.symbol}: tick {tick_atoms} or lot {lot_nanos} is out of range"
                )
            if tick_atoms * lot_nanos % NANOS_PER_UNIT:
                product = f"tick {tick_atoms} × lot {lot_nanos}"
                raise Malformed(f"{self.symbol}: {product} is no whole number of atoms")
        if not 1 <= self.strike_step_atoms <= INDEX_ATOMS_MAX:
            raise Malformed(f"{self.symbol}: strike step {self.strike_step_atoms} is out of range")
        if not 1 <= self.quorum <= publishers:
            raise Malformed(f"{self.symbol}: quorum {self.quorum} of {publishers} publishers")
        fees = (
            self.perpetual_maker_fee_ppm, self.perpetual_taker_fee_ppm,
            self.option_maker_fee_ppm, self.option_taker_fee_ppm,
        )  # fmt: skip
        if max(fees) > FEE_PPM_MAX:
            raise Malformed(f"{self.symbol}: fees {fees} above {FEE_PPM_MAX} ppm")


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
    return UNDERLYING.pack(
        u.symbol.encode().ljust(8, b"\0"), u.quorum,
        u.perpetual_tick_atoms, u.perpetual_lot_nanos, u.option_tick_atoms, u.option_lot_nanos,
        u.strike_step_atoms, u.perpetual_maker_fee_ppm, u.perpetual_taker_fee_ppm,
        u.option_maker_fee_ppm, u.option_taker_fee_ppm,
    )  # fmt: skip


def _read_underlying(reader: Reader) -> UnderlyingGrid:
    symbol, *numbers = UNDERLYING.unpack(reader.take(UNDERLYING.size))
    return UnderlyingGrid(_symbol(symbol), *numbers)


def _symbol(data: bytes) -> str:
    text = data.rstrip(b"\0")
    if not text.isalnum() or not text.isupper():
        raise Malformed(f"symbol {data!r} is not made of capital letters and digits")
    return text.decode()
