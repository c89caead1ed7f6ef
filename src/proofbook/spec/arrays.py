"""Risk arrays: what a lot is worth, and what it gains or loses in each scenario.

Source docs/reference/pricing.md.
"""

from dataclasses import dataclass

from proofbook.protocol.limits import CORE_COLUMNS, FRACTION_ONE_PPM, TAIL_COLUMNS
from proofbook.protocol.records import ExpiryRecord, InstrumentRecord
from proofbook.spec.black76 import HUNDREDTHS, VARIANCE_MAX, Slice, total_variance
from proofbook.spec.fixed_point import square_root_down
from proofbook.spec.payoff import NANOS_PER_UNIT, NEVER_STALE_NS, Market, Payoff, Price, payoff_of
from proofbook.spec.scenarios import UNMOVED, VOLATILITY_UP, Move


@dataclass(frozen=True, slots=True)
class Array:
    """A risk array, in quote atoms per lot; the names are those of its record.

    `observed_atoms` is the index or forward, per unit, that the mark is made of: 0 of a final one.
    """

    mark_atoms: int
    core: list[int]
    tails: list[int]
    skew_linear_atoms: int
    skew_absolute_atoms: int
    delta_atoms: int
    basis_atoms: int
    slope_up_atoms: int
    slope_down_atoms: int
    fresh_until_ns: int
    observed_atoms: int


@dataclass(frozen=True, slots=True)
class Lot:
    """One lot of an instrument at the price of now, with its volatility."""

    payoff: Payoff
    lot_nanos: int
    price: Price
    strike: Price
    log_moneyness: int
    deviation: int

    def value(self, price: Price, deviation: int) -> int:
        """Return what a unit is worth at another price and volatility, in 1e-8 USD."""
        return self.payoff.value(price, self.strike, deviation)

    def profit(self, move: Move, deviation: int) -> int:
        """Return what the lot gains by a move of price and volatility, weighted, in atoms."""
        difference = self.value(moved(self.price, move), deviation)
        difference -= self.value(self.price, self.deviation)
        return self.atoms(difference * move.weight_ppm, FRACTION_ONE_PPM)

    def atoms(self, value: int, scale: int = 1) -> int:
        """Return a value per unit, in 1e-8 USD / scale, in atoms per lot.

        Rounds  to nearest, half up: once, from the exact product, so that what cancels between
                instruments of an expiry cancels up to half an atom a leg.
        """
        return div_nearest(value * self.lot_nanos, NANOS_PER_UNIT * HUNDREDTHS * scale)


def risk_array(instrument: InstrumentRecord, market: Market) -> Array:
    """Return the array of a lot of an instrument whose observations are there."""
    lot = lot_of(instrument, market)
    scenarios, payoff = market.scenarios, lot.payoff
    deviations = scenarios.deviations(lot.deviation)
    delta = payoff.delta(lot.price, lot.strike, lot.deviation)
    basis_ppm = scenarios.basis_ppm if payoff.is_dated else market.parameters.basis_floor_ppm
    slope_up, slope_down = payoff.slopes
    return Array(
        lot.atoms(lot.value(lot.price, lot.deviation)),
        [lot.profit(move, deviation) for move in scenarios.core for deviation in deviations],
        [lot.profit(move, deviations[VOLATILITY_UP]) for move in scenarios.tails],
        lot.profit(UNMOVED, scenarios.skewed(lot.deviation, lot.log_moneyness)),
        lot.profit(UNMOVED, scenarios.skewed(lot.deviation, abs(lot.log_moneyness))),
        lot.atoms(delta),
        lot.atoms(delta * basis_ppm, FRACTION_ONE_PPM),
        lot.atoms(slope_up * lot.price.value),
        lot.atoms(slope_down * lot.price.value),
        payoff.fresh_until_ns(market),
        payoff.observed_atoms(market.underlying, market.expiry),
    )


def final_array(mark_atoms: int) -> Array:
    """Return the array of a lot whose worth nothing changes any more."""
    core, tails = [0] * CORE_COLUMNS, [0] * TAIL_COLUMNS
    return Array(mark_atoms, core, tails, 0, 0, 0, 0, 0, 0, NEVER_STALE_NS, 0)


def lot_of(instrument: InstrumentRecord, market: Market) -> Lot:
    """Return a lot at the current observations."""
    payoff = payoff_of(instrument.kind)
    log_moneyness = instrument.strike_log - market.expiry.forward_log
    deviation = 0
    if payoff.has_strike and market.remaining_ns > 0:
        deviation = base_deviation(market.expiry, log_moneyness, market.averaging.variance_ns)
    return Lot(
        payoff,
        instrument.lot_nanos,
        payoff.price(instrument, market),
        open_strike(instrument, market.averaging.fixed if payoff.is_dated else 0),
        log_moneyness,
        deviation,
    )


def open_strike(instrument: InstrumentRecord, fixed: int) -> Price:
    """Return what is left of a strike for the part of the average that is still to come.

    None is left of 0, the strike of a linear kind, but what is fixed already: less than nothing.
    """
    strike = Price(instrument.strike_atoms * HUNDREDTHS, instrument.strike_log)
    return strike if fixed == 0 else Price.of(strike.value - fixed)


def moved(price: Price, move: Move) -> Price:
    """Return a price after a move: at least 1e-8 USD, unless it is nothing. Rounds down."""
    value = price.value * move.factor_ppm // FRACTION_ONE_PPM
    return Price(max(min(1, price.value), value), price.log + move.factor_log)


def base_deviation(expiry: ExpiryRecord, log_moneyness: int, variance_ns: int) -> int:
    """Return σ√t of a strike now, Q5.58: total variance shrinks with the time that is left.

    It is capped as the surface's own: one that is published in the last moments may stand for far
    less time than an average still needs. Rounds down.
    """
    slice_ = Slice(
        expiry.surface_a,
        expiry.surface_b,
        expiry.surface_rho,
        expiry.surface_m,
        expiry.surface_sigma,
    )
    variance = total_variance(slice_, log_moneyness)
    left = variance * variance_ns // (expiry.expiry_ns - expiry.surface_ns)
    return square_root_down(min(left, VARIANCE_MAX))


def div_nearest(numerator: int, denominator: int) -> int:
    """Return the quotient rounded to nearest, half up; the denominator is positive and even."""
    return (numerator + denominator // 2) // denominator
