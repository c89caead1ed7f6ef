"""Payoffs: the one place that tells kinds of instruments apart, a row for each.

A row says what listing asks of the kind, which observations price it, and what a lot is worth: its
mark, and its profit in each of the 27 scenarios.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from proofbook.protocol.limits import FRACTION_ONE_PPM, NS_PER_YEAR, InstrumentKind
from proofbook.protocol.records import (
    ExpiryRecord,
    InstrumentRecord,
    ParametersRecord,
    UnderlyingRecord,
)
from proofbook.spec.black76 import HUNDREDTHS, Slice, call_and_put, total_variance
from proofbook.spec.fixed_point import FRACTION_BITS, log, square_root_down

SPOT_STEPS = range(-4, 5)
"""Spot moves in quarters of the range, lowest first; within each volatility up, unmoved, down."""

SPOT_STEPS_PER_RANGE = 4
VOLATILITY_MOVES = 3
NANOS_PER_UNIT = 1_000_000_000

Array: TypeAlias = tuple[int, list[int]]
"""Mark and columns of a lot, in quote atoms."""


@dataclass(frozen=True, slots=True)
class Market:
    """What the instruments of an expiry are priced from."""

    underlying: UnderlyingRecord
    expiry: ExpiryRecord
    parameters: ParametersRecord
    now_ns: int


@dataclass(frozen=True, slots=True)
class Payoff:
    """One kind: `terms_place` is where an underlying keeps its terms.

    The value of a linear kind accrues in the position's entry, that of another is a premium in
    cash. `strike_offset` tells apart two kinds with one strike in the index of an expiry.
    """

    terms_place: int
    is_linear: bool
    is_dated: bool
    has_strike: bool
    strike_offset: int
    is_observed: Callable[[Market], bool]
    array: Callable[[InstrumentRecord, Market], Array]


def perpetual_array(instrument: InstrumentRecord, market: Market) -> Array:
    """Return mark and columns of a lot worth the index."""
    return linear_array(instrument, market.underlying.index_atoms, market.parameters)


def future_array(instrument: InstrumentRecord, market: Market) -> Array:
    """Return mark and columns of a lot worth the forward of its expiry."""
    return linear_array(instrument, market.expiry.forward_atoms, market.parameters)


def call_array(instrument: InstrumentRecord, market: Market) -> Array:
    """Return mark and columns of a lot worth a call on the forward."""
    return option_array(instrument, market, lambda call, _: call)


def put_array(instrument: InstrumentRecord, market: Market) -> Array:
    """Return mark and columns of a lot worth a put on the forward."""
    return option_array(instrument, market, lambda _, put: put)


def linear_array(
    instrument: InstrumentRecord, price_atoms: int, parameters: ParametersRecord
) -> Array:
    """Return mark and columns of a lot worth a price per unit, which spot moves move in proportion.

    Rounds to nearest, half up.
    """
    mark = div_nearest(price_atoms * instrument.lot_nanos, NANOS_PER_UNIT)
    profits = [div_nearest(mark * shock, FRACTION_ONE_PPM) for shock in spot_shocks_ppm(parameters)]
    return mark, [profit for profit in profits for _ in range(VOLATILITY_MOVES)]


def option_array(
    instrument: InstrumentRecord, market: Market, pick: Callable[[int, int], int]
) -> Array:
    """Return mark and columns of a lot of the option that `pick` takes out of (call, put).

    Strikes keep their volatility when spot moves. Rounds to nearest, half up.
    """
    expiry, parameters = market.expiry, market.parameters

    def lot_value(forward: int, forward_log: int, deviation: int) -> int:
        values = call_and_put(
            forward, forward_log, instrument.strike_atoms, instrument.strike_log, deviation
        )
        return div_nearest(pick(*values) * instrument.lot_nanos, NANOS_PER_UNIT * HUNDREDTHS)

    deviation = base_deviation(expiry, instrument.strike_log, market.now_ns)
    deviations = shocked_deviations(deviation, parameters, expiry.expiry_ns - market.now_ns)
    mark = lot_value(expiry.forward_atoms, expiry.forward_log, deviation)
    core: list[int] = []
    for shock_ppm in spot_shocks_ppm(parameters):
        factor_ppm = FRACTION_ONE_PPM + shock_ppm
        forward = max(1, expiry.forward_atoms * factor_ppm // FRACTION_ONE_PPM)
        forward_log = expiry.forward_log + log(factor_ppm) - log(FRACTION_ONE_PPM)
        core += [lot_value(forward, forward_log, shocked) - mark for shocked in deviations]
    return mark, core


def spot_shocks_ppm(parameters: ParametersRecord) -> list[int]:
    """Return the nine spot moves, lowest first. Rounds down."""
    return [parameters.spot_range_ppm * step // SPOT_STEPS_PER_RANGE for step in SPOT_STEPS]


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


def div_nearest(numerator: int, denominator: int) -> int:
    """Return the quotient rounded to nearest, half up; the denominator is positive and even."""
    return (numerator + denominator // 2) // denominator


def no_array(instrument: InstrumentRecord, market: Market) -> Array:
    """A combo has no array of its own: it is worth its legs, see `prices`."""
    raise AssertionError(f"a combo of {instrument.legs_count} legs is not priced by itself")


def _is_never_observed(market: Market) -> bool:
    del market
    return False


def _has_index(market: Market) -> bool:
    return market.underlying.index_version > 0


def _has_forward(market: Market) -> bool:
    return market.expiry.forward_version > 0


def _has_surface(market: Market) -> bool:
    return _has_forward(market) and market.expiry.surface_version > 0


PAYOFFS: dict[InstrumentKind, Payoff] = {
    InstrumentKind.PERPETUAL: Payoff(0, True, False, False, 0, _has_index, perpetual_array),
    InstrumentKind.FUTURE: Payoff(1, True, True, False, 0, _has_forward, future_array),
    InstrumentKind.CALL: Payoff(2, False, True, True, 0, _has_surface, call_array),
    InstrumentKind.PUT: Payoff(2, False, True, True, 1, _has_surface, put_array),
    InstrumentKind.COMBO: Payoff(0, False, False, False, 0, _is_never_observed, no_array),
}


def payoff_of(kind: int) -> Payoff:
    """Return the row of a kind that is listed."""
    return PAYOFFS[InstrumentKind(kind)]
