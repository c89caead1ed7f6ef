"""Prices: what a price in ticks and a mark are worth in atoms; of a combo, what its legs are."""

from dataclasses import dataclass

from proofbook.protocol.limits import COMBO_PRICE_OFFSET_TICKS, InstrumentKind
from proofbook.protocol.records import InstrumentRecord, RiskArrayRecord
from proofbook.spec.payoff import NANOS_PER_UNIT
from proofbook.spec.world import World


def is_combo(instrument: InstrumentRecord) -> bool:
    return instrument.kind == InstrumentKind.COMBO


def legs_of(instrument: InstrumentRecord) -> list[tuple[int, int]]:
    """Return the legs of a combo, each with its ratio; of any other instrument none."""
    pairs = zip(instrument.legs, instrument.ratios, strict=True)
    return list(pairs)[: instrument.legs_count]


def value_per_lot(instrument: InstrumentRecord, price_ticks: int) -> int:
    """Return what one lot costs at a price, in atoms; a combo may cost less than nothing."""
    offset = COMBO_PRICE_OFFSET_TICKS if is_combo(instrument) else 0
    return (price_ticks - offset) * instrument.tick_value_atoms


def gross_per_lot(world: World, slot: int, price_ticks: int) -> int:
    """Return what a lot at a price counts for, in atoms.

    A combo counts for at least what its legs are worth, each by itself: its price may be nothing.
    """
    instrument = world.instruments[slot]
    marked = [abs(ratio) * world.risk_arrays[leg].mark_atoms for leg, ratio in legs_of(instrument)]
    return max(abs(value_per_lot(instrument, price_ticks)), sum(marked))


def index_value_per_lot(world: World, slot: int) -> int:
    """Return what a lot of the underlying is worth at its index, in atoms. Rounds down."""
    instrument = world.instruments[slot]
    index_atoms = world.underlyings[instrument.underlying].index_atoms
    return index_atoms * instrument.lot_nanos // NANOS_PER_UNIT


def is_marked(world: World, slot: int) -> bool:
    """Whether the instrument has a mark: a combo, if all its legs have."""
    legs = legs_of(world.instruments[slot]) or [(slot, 1)]
    return all(world.risk_arrays[leg].marked_ns > 0 for leg, _ in legs)


def mark_atoms(world: World, slot: int) -> int:
    """Return the mark of a lot: of a combo, what its legs are worth now."""
    legs = legs_of(world.instruments[slot])
    if not legs:
        return world.risk_arrays[slot].mark_atoms
    return sum(ratio * world.risk_arrays[leg].mark_atoms for leg, ratio in legs)


def unit_nanos(world: World, slot: int) -> int:
    """Return the contract size of a lot in 1e-9 units: of a combo, those of its legs together.

    What has its final mark has no size any more: there is nothing to be closed.
    """
    legs = legs_of(world.instruments[slot]) or [(slot, 1)]
    listed = [(world.instruments[leg], ratio) for leg, ratio in legs]
    return sum(abs(ratio) * leg.lot_nanos for leg, ratio in listed if not leg.settled_ns)


def columns_of(world: World, slot: int) -> list[int]:
    """Return the profit of a lot in each scenario, core before tails: of a combo, what its legs
    make together.
    """
    legs = legs_of(world.instruments[slot])
    if not legs:
        return _own_columns(world, slot)
    rows = [_own_columns(world, leg) for leg, _ in legs]
    ratios = [ratio for _, ratio in legs]
    return [
        sum(ratio * profit for ratio, profit in zip(ratios, profits, strict=True))
        for profits in zip(*rows, strict=True)
    ]


def _own_columns(world: World, slot: int) -> list[int]:
    array = world.risk_arrays[slot]
    return array.core + array.tails


@dataclass(slots=True)
class ExpiryRow:
    """What a lot of an instrument gains, in atoms, beside the columns: in one expiry."""

    skew_linear: int = 0
    skew_absolute: int = 0
    basis: int = 0
    delta: int = 0
    slope_up: int = 0
    slope_down: int = 0

    def add(self, array: RiskArrayRecord, ratio: int) -> None:
        self.skew_linear += ratio * array.skew_linear_atoms
        self.skew_absolute += ratio * array.skew_absolute_atoms
        self.basis += ratio * array.basis_atoms
        self.delta += ratio * array.delta_atoms
        self.slope_up += ratio * array.slope_up_atoms
        self.slope_down += ratio * array.slope_down_atoms


def expiry_rows(world: World, slot: int) -> dict[int, ExpiryRow]:
    """Return what a lot gains by expiry: one row, of a combo one for each expiry of its legs."""
    rows: dict[int, ExpiryRow] = {}
    for leg, ratio in legs_of(world.instruments[slot]) or [(slot, 1)]:
        row = rows.setdefault(world.instruments[leg].expiry, ExpiryRow())
        row.add(world.risk_arrays[leg], ratio)
    return rows
