"""What is governed: margin parameters, terms of books, grids.

Genesis sets them and commands change them. Each says what is wrong with it, so that both ask the
same of it.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from struct import Struct
from typing import Self, TypeAlias

from proofbook.protocol.codec import Reader
from proofbook.protocol.limits import (
    AMOUNT_ATOMS_MAX,
    FEE_PPM_MAX,
    FRACTION_ONE_PPM,
    INDEX_ATOMS_MAX,
    ORDER_LOTS_MAX,
    POSITION_LOTS_MAX,
    PRICE_TICKS_BITS,
    QUORUM_MAX,
    TOKEN_DECIMALS_MAX,
    TOKEN_DECIMALS_MIN,
)
from proofbook.protocol.parameters import PARAMETERS_MAX, ParameterValues

PARAMETERS = Struct(f"<{len(fields(ParameterValues))}I")
TERMS = Struct("<7Q3I")
TICK_TABLE = Struct("<6I")
MARGIN_TERMS = Struct("<IIQ")
TICK_STEPS = 3
PARAMETER_PPM_MAX = 10_000_000
NANOS_PER_UNIT = 1_000_000_000
TICK_ATOMS_MAX = 1 << 40
LOT_NANOS_MAX = 1_000 * NANOS_PER_UNIT

TickTable: TypeAlias = tuple[tuple[int, int], ...]
"""Pairs (from ticks, step), ascending."""


class MarginParameters(ParameterValues):
    """The values of `protocol.toml`, each with its meaning there."""

    __slots__ = ()

    def pack(self) -> bytes:
        """Return the canonical bytes."""
        return PARAMETERS.pack(*astuple(self))

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Return the parameters that stand next. Raises Malformed."""
        return cls(*reader.unpack(PARAMETERS))

    def flaw(self) -> str | None:
        """Return what is wrong with the parameters, or None."""
        for member in fields(self):
            value, largest = getattr(self, member.name), getattr(PARAMETERS_MAX, member.name)
            if value > largest:
                return f"margin parameter {member.name} = {value}: above {largest}"
        asks_more_to_keep = (
            self.maintenance_factor_ppm > self.initial_factor_ppm
            or self.naked_maintenance_ppm > self.naked_initial_ppm
            or self.standard_linear_maintenance_ppm > self.standard_linear_initial_ppm
            or self.standard_short_maintenance_ppm > self.standard_short_min_ppm
        )
        if asks_more_to_keep:
            return f"margin parameters {self}: more margin to keep a position than to open it"
        if self.stale_margin_ppm < FRACTION_ONE_PPM:
            return f"margin parameters {self}: less margin beside stale legs than beside fresh ones"
        if 0 < self.forward_ratio_ppm < FRACTION_ONE_PPM:
            return f"margin parameters {self}: no forward would be within its ratio of the index"
        return None


FIRST_PARAMETERS = MarginParameters()


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of one kind of books: ticks in atoms per unit, lots in 1e-9 units, fees in ppm.

    `band_ppm` is how far beyond the mark an order may reach, 0 for any distance; `block_lots_min`
    is the least size of a block trade. `position_lots_max` bounds what one account may hold and
    have ordered on a side, `open_interest_lots_max` what all may hold together; 0 for no bound.
    """

    tick_atoms: int
    lot_nanos: int
    maker_fee_ppm: int = 0
    taker_fee_ppm: int = 0
    band_ppm: int = 0
    lots_min: int = 1
    lots_max: int = ORDER_LOTS_MAX
    block_lots_min: int = 1
    position_lots_max: int = 0
    open_interest_lots_max: int = 0

    def pack(self) -> bytes:
        """Return the canonical bytes."""
        return TERMS.pack(
            self.tick_atoms, self.lot_nanos, self.lots_min, self.lots_max, self.block_lots_min,
            self.position_lots_max, self.open_interest_lots_max,
            self.maker_fee_ppm, self.taker_fee_ppm, self.band_ppm,
        )  # fmt: skip

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Return the terms that stand next. Raises Malformed."""
        tick, lot, least, most, block, held, open_, maker, taker, band = reader.unpack(TERMS)
        return cls(tick, lot, maker, taker, band, least, most, block, held, open_)

    def flaw(self) -> str | None:
        """Return what is wrong: a tick worth no whole number of atoms, or a number out of range."""
        tick_atoms, lot_nanos = self.tick_atoms, self.lot_nanos
        if not (1 <= tick_atoms <= TICK_ATOMS_MAX and 1 <= lot_nanos <= LOT_NANOS_MAX):
            return f"tick {tick_atoms} or lot {lot_nanos} is out of range"
        if tick_atoms * lot_nanos % NANOS_PER_UNIT:
            return f"tick {tick_atoms} × lot {lot_nanos} is no whole number of atoms"
        if max(self.maker_fee_ppm, self.taker_fee_ppm) > FEE_PPM_MAX:
            fees = f"{self.maker_fee_ppm} and {self.taker_fee_ppm}"
            return f"fees {fees} above {FEE_PPM_MAX} ppm"
        if self.band_ppm > PARAMETER_PPM_MAX:
            return f"band {self.band_ppm} above {PARAMETER_PPM_MAX} ppm"
        if not 1 <= self.lots_min <= self.lots_max <= ORDER_LOTS_MAX:
            return f"sizes from {self.lots_min} to {self.lots_max} lots are out of range"
        if not 1 <= self.block_lots_min <= ORDER_LOTS_MAX:
            return f"least block {self.block_lots_min} is out of range"
        if self.position_lots_max > POSITION_LOTS_MAX:
            return f"position limit {self.position_lots_max} above {POSITION_LOTS_MAX} lots"
        return None


@dataclass(frozen=True, slots=True)
class MarginTerms:
    """How an underlying counts in margin.

    `beta_ppm` is how far it moves with the others; `concentration_ppm` of the index value is
    charged on the share of a holding that its owner has beyond `concentration_nanos`, in 1e-9
    units: 0 for no charge.
    """

    beta_ppm: int = FRACTION_ONE_PPM
    concentration_ppm: int = 0
    concentration_nanos: int = 0

    def pack(self) -> bytes:
        """Return the canonical bytes."""
        return MARGIN_TERMS.pack(*astuple(self))

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Return the terms that stand next. Raises Malformed."""
        return cls(*reader.unpack(MARGIN_TERMS))

    def flaw(self) -> str | None:
        """Return what is wrong: a number out of range."""
        if self.beta_ppm > FRACTION_ONE_PPM:
            return f"beta {self.beta_ppm} above {FRACTION_ONE_PPM} ppm"
        if self.concentration_ppm > PARAMETER_PPM_MAX:
            return f"concentration {self.concentration_ppm} above {PARAMETER_PPM_MAX} ppm"
        return None


FIRST_MARGIN_TERMS = MarginTerms()


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """A token beside USDC: atoms of 10^-decimals of it, priced by the index of an underlying.

    `haircut_ppm` of that value does not count as equity; `cap_atoms` bounds what all accounts hold.
    """

    symbol: str
    underlying: int
    decimals: int
    haircut_ppm: int
    cap_atoms: int

    def flaw(self, underlyings: int) -> str | None:
        """Return what is wrong with the token beside so many underlyings, or None."""
        if not 1 <= self.underlying <= underlyings:
            return f"underlying {self.underlying} of {underlyings}"
        if not TOKEN_DECIMALS_MIN <= self.decimals <= TOKEN_DECIMALS_MAX:
            return f"{self.decimals} decimals, not {TOKEN_DECIMALS_MIN} to {TOKEN_DECIMALS_MAX}"
        return token_flaw(self.haircut_ppm, self.cap_atoms)


def token_flaw(haircut_ppm: int, cap_atoms: int) -> str | None:
    """Return what is wrong with what the governor sets of a token, or None."""
    if haircut_ppm > FRACTION_ONE_PPM:
        return f"haircut {haircut_ppm} above {FRACTION_ONE_PPM} ppm"
    if cap_atoms > AMOUNT_ATOMS_MAX:
        return f"cap {cap_atoms} above {AMOUNT_ATOMS_MAX}"
    return None


def grid_flaw(quorum: int, strike_step_atoms: int, tick_table: TickTable) -> str | None:
    """Return what is wrong with an underlying beside its terms, or None."""
    if not 1 <= strike_step_atoms <= INDEX_ATOMS_MAX:
        return f"strike step {strike_step_atoms} is out of range"
    if not 1 <= quorum <= QUORUM_MAX:
        return f"quorum {quorum} is not within 1 to {QUORUM_MAX}"
    starts = [start for start, _ in tick_table]
    if starts != sorted(set(starts)) or not all(
        0 < number < 1 << PRICE_TICKS_BITS for pair in tick_table for number in pair
    ):
        return f"tick table {tick_table} is out of range"
    return None


def publishers_flaw(keys: Sequence[bytes]) -> str | None:
    """Return what is wrong with a list of publishers' addresses, or None."""
    if bytes(20) in keys:
        return "the zero address is nobody's"
    if len(set(keys)) != len(keys):
        return "one key for two publishers"
    return None


def pack_tick_table(tick_table: TickTable) -> bytes:
    """Return the canonical bytes; unused rows are zero."""
    padded = tick_table + ((0, 0),) * (TICK_STEPS - len(tick_table))
    return TICK_TABLE.pack(*(number for pair in padded for number in pair))


def read_tick_table(reader: Reader) -> TickTable:
    """Return the table that stands next, without unused rows. Raises Malformed."""
    numbers = reader.unpack(TICK_TABLE)
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    while pairs and pairs[-1] == (0, 0):
        pairs.pop()
    return tuple(pairs)
