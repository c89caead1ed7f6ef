"""What prices and marks of an instrument are worth, by themselves or as the sum of legs."""

from proofbook.protocol.limits import COMBO_PRICE_OFFSET_TICKS, CORE_COLUMNS, InstrumentKind
from proofbook.protocol.records import InstrumentRecord
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


def core_columns(world: World, slot: int) -> list[int]:
    """Return the profit of a lot in each scenario: of a combo, what its legs make together."""
    legs = legs_of(world.instruments[slot])
    if not legs:
        return world.risk_arrays[slot].core
    return [
        sum(ratio * world.risk_arrays[leg].core[column] for leg, ratio in legs)
        for column in range(CORE_COLUMNS)
    ]
