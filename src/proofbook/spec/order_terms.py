"""What an instrument asks of every order: tick, size, value, fee, and how far it may reach."""

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
from proofbook.spec.payoff import NANOS_PER_UNIT, SPOT_STEPS, VOLATILITY_MOVES
from proofbook.spec.positions import is_linear
from proofbook.spec.world import World

VOL_UP_COLUMN = VOLATILITY_MOVES * SPOT_STEPS.index(0)
VOL_DOWN_COLUMN = VOL_UP_COLUMN + 2


def instrument_fault(world: World, identifier: int) -> Reject | None:
    """Ask for INSTRUMENT_NOT_FOUND, INSTRUMENT_EXPIRED."""
    slot = states.find_instrument(world, identifier)
    if not slot:
        return Reject.INSTRUMENT_NOT_FOUND
    is_expired = states.is_expired(world, world.instruments[slot])
    return Reject.INSTRUMENT_EXPIRED if is_expired else None


def terms_fault(
    world: World,
    account: int,
    slot: int,
    side: Side,
    price_ticks: int,
    lots: int,
    max_fee_ppm: int,
    is_reduce_only: bool,
) -> Reject | None:
    """Ask for PRICE_OUT_OF_RANGE, PRICE_OFF_TICK, LOTS_OUT_OF_RANGE (a reduce-only order may be
    smaller than the least size), VALUE_OUT_OF_RANGE, FEE_ABOVE_MAX, MARK_MISSING,
    PRICE_OUTSIDE_BAND.
    """
    instrument = world.instruments[slot]
    if not 1 <= price_ticks < 1 << PRICE_TICKS_BITS:
        return Reject.PRICE_OUT_OF_RANGE
    if price_ticks % tick_step(instrument, price_ticks):
        return Reject.PRICE_OFF_TICK
    lots_min = 1 if is_reduce_only else instrument.lots_min
    if not lots_min <= lots <= min(instrument.lots_max, ORDER_LOTS_MAX):
        return Reject.LOTS_OUT_OF_RANGE
    if price_ticks * lots * instrument.tick_value_atoms > ORDER_VALUE_ATOMS_MAX:
        return Reject.VALUE_OUT_OF_RANGE
    maker_ppm = fees.maker_fee_ppm(world, account, slot)
    taker_ppm = fees.taker_fee_ppm(world, account, slot)
    if max(maker_ppm, taker_ppm) > max_fee_ppm:
        return Reject.FEE_ABOVE_MAX
    if world.risk_arrays[slot].marked_ns == 0:
        return Reject.MARK_MISSING
    return None if is_in_band(world, slot, side, price_ticks) else Reject.PRICE_OUTSIDE_BAND


def tick_step(instrument: InstrumentRecord, price_ticks: int) -> int:
    """Return how many ticks a price must be a multiple of: the step of the last row reached."""
    step = 1
    for start, wider in zip(instrument.tick_from, instrument.tick_step, strict=True):
        if start and price_ticks >= start:
            step = wider
    return step


def is_in_band(world: World, slot: int, side: Side, price_ticks: int) -> bool:
    """Whether a limit is at most a band worse than the mark; any better price is in.

    The band of a linear instrument is a share of its mark. An option's is a share of the index, and
    beyond it what the margin's volatility moves make of the option: a limit in volatility. Terms
    with a band of 0 have none.
    """
    instrument = world.instruments[slot]
    if instrument.band_ppm == 0:
        return True
    array = world.risk_arrays[slot]
    value = price_ticks * instrument.tick_value_atoms
    is_buy = side == Side.BUY
    if is_linear(instrument):
        reach = array.mark_atoms * instrument.band_ppm // FRACTION_ONE_PPM
    else:
        index_atoms = world.underlyings[instrument.underlying].index_atoms
        lot_atoms = index_atoms * instrument.lot_nanos // NANOS_PER_UNIT
        move = array.core[VOL_UP_COLUMN] if is_buy else -array.core[VOL_DOWN_COLUMN]
        reach = lot_atoms * instrument.band_ppm // FRACTION_ONE_PPM + max(0, move)
    return value <= array.mark_atoms + reach if is_buy else value >= array.mark_atoms - reach
