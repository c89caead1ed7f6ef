"""Terms: what an instrument asks of every order, by itself and beside the mark.

Price and size lie on its grid, value and fee within their bounds. Around the mark there is a band:
a limit further out is a slip of the finger, or a way to hand money over. While the mark is stale a
narrower one holds on both sides, since nobody knows what it is worth.
"""

from proofbook.protocol.limits import (
    FRACTION_ONE_PPM,
    ORDER_LOTS_MAX,
    ORDER_VALUE_ATOMS_MAX,
    PRICE_TICKS_BITS,
    Reject,
    Side,
)
from proofbook.protocol.records import InstrumentRecord
from proofbook.spec import fees, states
from proofbook.spec.positions import is_linear
from proofbook.spec.prices import (
    gross_per_lot,
    index_value_per_lot,
    is_combo,
    is_marked,
    legs_of,
    mark_atoms,
    value_per_lot,
)
from proofbook.spec.scenarios import SPOT_STEPS, VOLATILITY_MOVES
from proofbook.spec.staleness import is_stale
from proofbook.spec.world import PARAMETERS_SLOT, World

VOL_UP_COLUMN = VOLATILITY_MOVES * SPOT_STEPS.index(0)
VOL_DOWN_COLUMN = VOL_UP_COLUMN + 2


def instrument_rejection(world: World, identifier: int) -> Reject | None:
    """Return why there is nothing to trade: INSTRUMENT_NOT_FOUND, INSTRUMENT_EXPIRED, or None."""
    slot = states.find_instrument(world, identifier)
    if not slot:
        return Reject.INSTRUMENT_NOT_FOUND
    is_expired = states.is_expired(world, world.instruments[slot])
    return Reject.INSTRUMENT_EXPIRED if is_expired else None


def terms_rejection(
    world: World,
    account: int,
    slot: int,
    side: Side,
    price_ticks: int,
    lots: int,
    max_fee_ppm: int,
    is_reduce_only: bool,
) -> Reject | None:
    """Return what the terms of an instrument have against an order, or None.

    A reduce-only order may be smaller than the least size, and is not held to the band around a
    stale mark: nobody is kept from closing.

    Rejects  PRICE_OUT_OF_RANGE, PRICE_OFF_TICK, LOTS_OUT_OF_RANGE, VALUE_OUT_OF_RANGE,
             FEE_ABOVE_MAX, MARK_MISSING, PRICE_OUTSIDE_BAND.
    """
    instrument = world.instruments[slot]
    if not 1 <= price_ticks < 1 << PRICE_TICKS_BITS:
        return Reject.PRICE_OUT_OF_RANGE
    if price_ticks % tick_step(instrument, price_ticks):
        return Reject.PRICE_OFF_TICK
    lots_min = 1 if is_reduce_only else instrument.lots_min
    legs = legs_of(instrument)
    ratio_max = max([1, *(abs(ratio) for _, ratio in legs)])
    if not lots_min <= lots <= min(instrument.lots_max, ORDER_LOTS_MAX // ratio_max):
        return Reject.LOTS_OUT_OF_RANGE
    if lots * gross_per_lot(world, slot, price_ticks) > ORDER_VALUE_ATOMS_MAX:
        return Reject.VALUE_OUT_OF_RANGE
    maker_ppm = fees.maker_fee_ppm(world, account, slot)
    taker_ppm = fees.taker_fee_ppm(world, account, slot)
    if max(maker_ppm, taker_ppm) > max_fee_ppm:
        return Reject.FEE_ABOVE_MAX
    if not is_marked(world, slot):
        return Reject.MARK_MISSING
    is_near = is_reduce_only or is_in_stale_band(world, slot, price_ticks)
    is_in_both = is_in_band(world, slot, side, price_ticks) and is_near
    return None if is_in_both else Reject.PRICE_OUTSIDE_BAND


def tick_step(instrument: InstrumentRecord, price_ticks: int) -> int:
    """Return how many ticks a price must be a multiple of: higher prices have wider steps."""
    step = 1
    for start, wider in zip(instrument.tick_from, instrument.tick_step, strict=True):
        if start and price_ticks >= start:
            step = wider
    return step


def is_in_band(world: World, slot: int, side: Side, price_ticks: int) -> bool:
    """Whether a limit is at most a band worse than the mark; any better price is in.

    Terms with a band of 0 have none, nor has a combo of which a leg has none.
    """
    instrument = world.instruments[slot]
    if instrument.band_ppm == 0:
        return True
    value, mark = value_per_lot(instrument, price_ticks), mark_atoms(world, slot)
    band = band_atoms(world, slot, side)
    return value <= mark + band if side == Side.BUY else value >= mark - band


def is_in_stale_band(world: World, slot: int, price_ticks: int) -> bool:
    """Whether a limit is near the mark, to either side; any is while the mark is fresh."""
    if not world.parameters[PARAMETERS_SLOT].stale_band_ppm or not is_stale(world, slot):
        return True
    value = value_per_lot(world.instruments[slot], price_ticks)
    return abs(value - mark_atoms(world, slot)) <= stale_band_atoms(world, slot)


def stale_band_atoms(world: World, slot: int) -> int:
    """Return how far from a stale mark a limit may be, per lot: of a combo, its legs' together.

    What the forward's move by `stale_band_ppm` makes of a lot, and a price step, so that there is
    a price near every mark. Rounds down.
    """
    instrument, array = world.instruments[slot], world.risk_arrays[slot]
    legs = legs_of(instrument)
    if legs:
        return sum(abs(ratio) * stale_band_atoms(world, leg) for leg, ratio in legs)
    step = tick_step(instrument, array.mark_atoms // instrument.tick_value_atoms)
    band_ppm = world.parameters[PARAMETERS_SLOT].stale_band_ppm
    share = abs(array.delta_atoms) * band_ppm // FRACTION_ONE_PPM
    return share + step * instrument.tick_value_atoms


def band_atoms(world: World, slot: int, side: Side) -> int:
    """Return how far beyond the mark a limit of a side may be, per lot.

    For a linear instrument it is a share of its mark; for an option a share of the index, and
    beyond it what the margin's volatility moves make of the option: a limit in volatility; for a
    combo what its legs have together.
    """
    instrument = world.instruments[slot]
    if is_combo(instrument):
        return sum(
            abs(ratio) * band_atoms(world, leg, side if ratio > 0 else Side(1 - side))
            for leg, ratio in legs_of(instrument)
        )
    array = world.risk_arrays[slot]
    if is_linear(instrument):
        return array.mark_atoms * instrument.band_ppm // FRACTION_ONE_PPM
    lot_atoms = index_value_per_lot(world, slot)
    move = array.core[VOL_UP_COLUMN] if side == Side.BUY else -array.core[VOL_DOWN_COLUMN]
    return lot_atoms * instrument.band_ppm // FRACTION_ONE_PPM + max(0, move)
