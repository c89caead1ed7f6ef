"""Marks and risk arrays: what one lot is worth now, and gains or loses in each scenario."""

from proofbook.protocol.commands import Remark
from proofbook.protocol.events import Marked
from proofbook.protocol.identifiers import instrument_id
from proofbook.protocol.limits import (
    FRACTION_ONE_PPM,
    NS_PER_YEAR,
    REMARK_INSTRUMENTS_MAX,
    InstrumentKind,
    Reject,
)
from proofbook.protocol.records import ExpiryRecord, InstrumentRecord, ParametersRecord
from proofbook.spec.black76 import HUNDREDTHS, Slice, call_and_put, total_variance
from proofbook.spec.fixed_point import FRACTION_BITS, log, square_root_down
from proofbook.spec.world import PARAMETERS_SLOT, World

SPOT_STEPS = range(-4, 5)
"""Spot moves in quarters of the range, lowest first; within each volatility up, unmoved, down."""

SPOT_STEPS_PER_RANGE = 4
VOLATILITY_MOVES = 3
NANOS_PER_UNIT = 1_000_000_000


def remark(world: World, command: Remark) -> Reject | None:
    """Price up to 16 instruments of an expiry again, in listing order from the cursor on.

    Rejects  EXPIRY_NOT_FOUND; CURSOR_INVALID if the cursor is no instrument of the expiry;
             OBSERVATION_MISSING while there is no index (perpetuals) or no forward or no surface
             (options).
    """
    if command.expiry not in world.expiries:
        return Reject.EXPIRY_NOT_FOUND
    expiry = world.expiries[command.expiry]
    slot = command.cursor or expiry.instruments_head
    if slot not in world.instruments or world.instruments[slot].expiry != command.expiry:
        return Reject.CURSOR_INVALID
    if not _is_observed(world, expiry):
        return Reject.OBSERVATION_MISSING
    for _ in range(REMARK_INSTRUMENTS_MAX):
        if slot == 0:
            break
        _mark(world, slot, expiry)
        slot = world.instruments[slot].next_in_expiry
    return None


def _is_observed(world: World, expiry: ExpiryRecord) -> bool:
    if expiry.expiry_ns == 0:
        return world.underlyings[expiry.underlying].index_version > 0
    return expiry.forward_version > 0 and expiry.surface_version > 0


def _mark(world: World, slot: int, expiry: ExpiryRecord) -> None:
    """Write one instrument's risk array from the current observations."""
    instrument = world.instruments[slot]
    underlying = world.underlyings[instrument.underlying]
    parameters = world.parameters[PARAMETERS_SLOT]
    array = world.risk_arrays.edit(slot)
    if instrument.kind == InstrumentKind.PERPETUAL:
        mark, core = linear_array(instrument, underlying.index_atoms, parameters)
    else:
        mark, core = option_array(instrument, expiry, parameters, world.header.window_ns)
    array.mark_atoms, array.core = mark, core
    array.index_version = underlying.index_version
    array.forward_version = expiry.forward_version
    array.surface_version = expiry.surface_version
    array.parameter_version = parameters.version
    array.marked_ns = world.header.window_ns
    world.emit(Marked(instrument_id(slot, instrument.generation), mark))


def spot_shocks_ppm(parameters: ParametersRecord) -> list[int]:
    """Return the nine spot moves, lowest first. Rounds down."""
    return [parameters.spot_range_ppm * step // SPOT_STEPS_PER_RANGE for step in SPOT_STEPS]


def linear_array(
    instrument: InstrumentRecord, index_atoms: int, parameters: ParametersRecord
) -> tuple[int, list[int]]:
    """Return mark and columns of a lot worth the index, in quote atoms.

    Rounds to nearest, half up.
    """
    mark = div_nearest(index_atoms * instrument.lot_nanos, NANOS_PER_UNIT)
    profits = [div_nearest(mark * shock, FRACTION_ONE_PPM) for shock in spot_shocks_ppm(parameters)]
    return mark, [profit for profit in profits for _ in range(VOLATILITY_MOVES)]


def option_array(
    instrument: InstrumentRecord, expiry: ExpiryRecord, parameters: ParametersRecord, now_ns: int
) -> tuple[int, list[int]]:
    """Return mark and columns of an option lot, in quote atoms.

    Strikes keep their volatility when spot moves.
    """
    deviation = base_deviation(expiry, instrument.strike_log, now_ns)
    deviations = shocked_deviations(deviation, parameters, expiry.expiry_ns - now_ns)
    mark = _lot_value(instrument, expiry.forward_atoms, expiry.forward_log, deviation)
    core: list[int] = []
    for shock_ppm in spot_shocks_ppm(parameters):
        factor_ppm = FRACTION_ONE_PPM + shock_ppm
        forward = max(1, expiry.forward_atoms * factor_ppm // FRACTION_ONE_PPM)
        forward_log = expiry.forward_log + log(factor_ppm) - log(FRACTION_ONE_PPM)
        core += [
            _lot_value(instrument, forward, forward_log, shocked) - mark for shocked in deviations
        ]
    return mark, core


def base_deviation(expiry: ExpiryRecord, strike_log: int, now_ns: int) -> int:
    """Return σ√t of a strike now, Q5.58: total variance shrinks with the time that is left.

    Rounds down. 0 at and after expiry.
    """
    remaining_ns = expiry.expiry_ns - now_ns
    if remaining_ns <= 0:
        return 0
    slice_ = Slice(
        expiry.surface_a,
        expiry.surface_b,
        expiry.surface_rho,
        expiry.surface_m,
        expiry.surface_sigma,
    )
    variance = total_variance(slice_, strike_log - expiry.forward_log)
    return square_root_down(variance * remaining_ns // (expiry.expiry_ns - expiry.surface_ns))


def shocked_deviations(
    deviation: int, parameters: ParametersRecord, remaining_ns: int
) -> tuple[int, int, int]:
    """Return σ√t with volatility up, unmoved and down.

    Up is at least the floor volatility. Rounds down.
    """
    if remaining_ns <= 0:
        return 0, 0, 0
    root_time = square_root_down((remaining_ns << FRACTION_BITS) // NS_PER_YEAR)
    floor = root_time * parameters.vol_up_floor_ppm // FRACTION_ONE_PPM
    up = deviation * (FRACTION_ONE_PPM + parameters.vol_up_ppm) // FRACTION_ONE_PPM
    down = deviation * max(0, FRACTION_ONE_PPM - parameters.vol_down_ppm) // FRACTION_ONE_PPM
    return max(up, floor), deviation, down


def _lot_value(instrument: InstrumentRecord, forward: int, forward_log: int, deviation: int) -> int:
    """Return the value of one option lot in quote atoms. Rounds to nearest, half up."""
    call, put = call_and_put(
        forward, forward_log, instrument.strike_atoms, instrument.strike_log, deviation
    )
    price = call if instrument.kind == InstrumentKind.CALL else put
    return div_nearest(price * instrument.lot_nanos, NANOS_PER_UNIT * HUNDREDTHS)


def div_nearest(numerator: int, denominator: int) -> int:
    """Return the quotient rounded to nearest, half up; the denominator is positive and even."""
    return (numerator + denominator // 2) // denominator
