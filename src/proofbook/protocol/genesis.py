"""The canonical bytes from which state 0 is built, with chain id and contract address."""

from dataclasses import dataclass
from struct import Struct

from proofbook.protocol.commands import Malformed, Reader
from proofbook.protocol.limits import PROTOCOL_VERSION, PUBLISHERS_MAX

HEAD = Struct("<IQ32s20s20s")
PARAMETERS = Struct("<6I")
UNDERLYING = Struct("<8sI5Q4I")
UNDERLYINGS_MAX = 32


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
    """What may be listed on an underlying: ticks in quote atoms per unit, lots in 1e-9 units, fees in ppm."""

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
        head = HEAD.pack(self.protocol_version, self.genesis_ns, self.image_hash, self.fund_owner, self.fee_owner)
        parameters = PARAMETERS.pack(
            p.spot_range_ppm, p.vol_up_ppm, p.vol_down_ppm, p.vol_up_floor_ppm,
            p.initial_factor_ppm, p.maintenance_factor_ppm,
        )  # fmt: skip
        publishers = bytes((len(self.publishers),)) + b"".join(self.publishers)
        underlyings = bytes((len(self.underlyings),)) + b"".join(map(_pack_underlying, self.underlyings))
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
        return cls(genesis_ns, fund_owner, fee_owner, publishers, underlyings, parameters, image_hash)


def _pack_underlying(u: UnderlyingGrid) -> bytes:
    return UNDERLYING.pack(
        u.symbol.encode().ljust(8, b"\0"), u.quorum,
        u.perpetual_tick_atoms, u.perpetual_lot_nanos, u.option_tick_atoms, u.option_lot_nanos, u.strike_step_atoms,
        u.perpetual_maker_fee_ppm, u.perpetual_taker_fee_ppm, u.option_maker_fee_ppm, u.option_taker_fee_ppm,
    )  # fmt: skip


def _read_underlying(reader: Reader) -> UnderlyingGrid:
    symbol, *numbers = UNDERLYING.unpack(reader.take(UNDERLYING.size))
    return UnderlyingGrid(symbol.rstrip(b"\0").decode(), *numbers)
