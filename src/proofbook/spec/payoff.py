"""Payoffs: the one place that tells kinds of instruments apart, a row for each.

A row says what listing asks of the kind, which observations price it, and what a unit is worth at a
price: `arrays` puts that through the scenarios.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeAlias

from proofbook.protocol.limits import (
    FEMTOS_PER_PPM,
    FRACTION_ONE_PPM,
    NS_PER_SECOND,
    InstrumentKind,
)
from proofbook.protocol.records import (
    ExpiryRecord,
    InstrumentRecord,
    ParametersRecord,
    UnderlyingRecord,
)
from proofbook.spec.averaging import Averaging, averaging_of
from proofbook.spec.black76 import HUNDREDTHS, call_delta, call_value
from proofbook.spec.fixed_point import log
from proofbook.spec.scenarios import Scenarios, scenarios_of

NANOS_PER_UNIT = 1_000_000_000
FEMTOS_PER_UNIT = FEMTOS_PER_PPM * FRACTION_ONE_PPM

NEVER_STALE_NS = (1 << 63) - 1
"""Until when an array is fresh that no observation can change any more."""


@dataclass(frozen=True, slots=True)
class Market:
    """What the instruments of an expiry are priced from."""

    underlying: UnderlyingRecord
    expiry: ExpiryRecord
    parameters: ParametersRecord
    averaging: Averaging
    scenarios: Scenarios
    now_ns: int

    @property
    def remaining_ns(self) -> int:
        """Return the time to expiry: 0 at and after it, and of perpetuals."""
        return _remaining_ns(self.expiry, self.now_ns)


def market_of(
    underlying: UnderlyingRecord, expiry: ExpiryRecord, parameters: ParametersRecord, now_ns: int
) -> Market:
    """Return what the instruments of an expiry are priced from now."""
    remaining_ns = _remaining_ns(expiry, now_ns)
    averaging = averaging_of(expiry, remaining_ns)
    scenarios = scenarios_of(parameters, remaining_ns, averaging.variance_ns)
    return Market(underlying, expiry, parameters, averaging, scenarios, now_ns)


def _remaining_ns(expiry: ExpiryRecord, now_ns: int) -> int:
    return max(0, expiry.expiry_ns - now_ns)


@dataclass(frozen=True, slots=True)
class Price:
    """A price per unit in 1e-8 USD, with its logarithm (Q5.58, of the price in quote atoms)."""

    value: int
    log: int

    @classmethod
    def of(cls, value: int) -> Self:
        """Return a price with its logarithm, 0 where it has none."""
        return cls(value, log(value) - log(HUNDREDTHS) if value > 0 else 0)


Valuation: TypeAlias = Callable[[Price, Price, int], int]
"""Of price, strike and σ√t: what a unit is worth, in 1e-8 USD; 0 is the strike of a linear kind."""

Observation: TypeAlias = Callable[[Market], tuple[int, int]]
"""The version of an observation, 0 without one, and until when it is fresh."""


@dataclass(frozen=True, slots=True)
class Payoff:
    """What tells one kind of instrument from the others.

    `terms_place`: where an underlying keeps its terms, and a schedule its fees. `is_linear`: its
    value accrues in the position's entry; that of any other is a premium in cash. `strike_offset`
    tells call and put of one strike apart in the index of an expiry. `needs`: the observations
    without which it has no price. `delta`: what a unit gains when the price doubles at the rate of
    now. `slopes`: what it gains far away, as a share of the price, of each further doubling and of
    each fall by as much.
    """

    terms_place: int
    is_linear: bool
    is_dated: bool
    has_strike: bool
    strike_offset: int
    slopes: tuple[int, int]
    needs: tuple[Observation, ...]
    price: Callable[[InstrumentRecord, Market], Price]
    value: Valuation
    delta: Valuation

    def is_observed(self, market: Market) -> bool:
        """Whether there is every observation that the kind needs; a combo is priced by its legs."""
        return bool(self.needs) and all(need(market)[0] > 0 for need in self.needs)

    def fresh_until_ns(self, market: Market) -> int:
        """Return the time after which the first observation is stale that still changes a value."""
        if self.is_dated and market.averaging.open_ns == 0:
            return NEVER_STALE_NS
        return min(need(market)[1] for need in self.needs)

    def observed_atoms(self, underlying: UnderlyingRecord, expiry: ExpiryRecord) -> int:
        """Return the price that publishers say and the kind moves with: a forward, or the index."""
        return expiry.forward_atoms if self.is_dated else underlying.index_atoms


def _index(market: Market) -> tuple[int, int]:
    underlying, age = market.underlying, market.parameters.index_age_seconds
    return underlying.index_version, _aged(underlying.index_ns, age)


def _forward(market: Market) -> tuple[int, int]:
    expiry, age = market.expiry, market.parameters.forward_age_seconds
    return expiry.forward_version, _aged(expiry.forward_ns, age)


def _surface(market: Market) -> tuple[int, int]:
    expiry, age = market.expiry, market.parameters.surface_age_seconds
    return expiry.surface_version, _aged(expiry.surface_ns, age)


def _aged(observed_ns: int, age_seconds: int) -> int:
    return min(observed_ns + age_seconds * NS_PER_SECOND, NEVER_STALE_NS)


def perpetual_price(instrument: InstrumentRecord, market: Market) -> Price:
    """Return the index with the premium in the mark; nothing is priced by its logarithm.

    Rounds down.
    """
    most = market.parameters.perpetual_mark_max_ppm * FEMTOS_PER_PPM
    premium_femtos = max(-most, min(most, instrument.mark_premium_femtos))
    index = market.underlying.index_atoms * HUNDREDTHS
    return Price(index + index * premium_femtos // FEMTOS_PER_UNIT, 0)


def forward_price(_: InstrumentRecord, market: Market) -> Price:
    """Return what still moves of the average at expiry: before its window the whole forward.

    Rounds down.
    """
    averaging, expiry = market.averaging, market.expiry
    forward = Price(expiry.forward_atoms * HUNDREDTHS, expiry.forward_log)
    if averaging.open_ns == averaging.whole_ns:
        return forward
    return Price.of(forward.value * averaging.open_ns // averaging.whole_ns)


def no_price(_: InstrumentRecord, market: Market) -> Price:
    """A combo has no price of its own: it is worth its legs, see `prices`."""
    raise AssertionError(f"a combo is not priced, not even at {market.now_ns}")


def price_itself(price: Price, strike: Price, deviation: int) -> int:
    """Return the price less the strike: what a unit of a linear kind is worth."""
    del deviation
    return price.value - strike.value


def delta_of_price(price: Price, strike: Price, deviation: int) -> int:
    """Return the delta of a linear kind."""
    del strike, deviation
    return price.value


def call(price: Price, strike: Price, deviation: int) -> int:
    """Return what a call is worth."""
    return call_value(price.value, price.log, strike.value, strike.log, deviation)


def put(price: Price, strike: Price, deviation: int) -> int:
    """Return what a put is worth: a call less the price, plus the strike, exactly."""
    return call(price, strike, deviation) - price.value + strike.value


def delta_of_call(price: Price, strike: Price, deviation: int) -> int:
    """Return the delta of a call."""
    return call_delta(price.value, price.log, strike.value, strike.log, deviation)


def delta_of_put(price: Price, strike: Price, deviation: int) -> int:
    """Return the delta of a put: that of a call less the price, exactly."""
    return delta_of_call(price, strike, deviation) - price.value


PAYOFFS: dict[InstrumentKind, Payoff] = {
    InstrumentKind.PERPETUAL: Payoff(
        terms_place=0, is_linear=True, is_dated=False, has_strike=False, strike_offset=0,
        slopes=(0, 0), needs=(_index,),
        price=perpetual_price, value=price_itself, delta=delta_of_price,
    ),
    InstrumentKind.FUTURE: Payoff(
        terms_place=1, is_linear=True, is_dated=True, has_strike=False, strike_offset=0,
        slopes=(1, -1), needs=(_forward,),
        price=forward_price, value=price_itself, delta=delta_of_price,
    ),
    InstrumentKind.CALL: Payoff(
        terms_place=2, is_linear=False, is_dated=True, has_strike=True, strike_offset=0,
        slopes=(1, 0), needs=(_forward, _surface),
        price=forward_price, value=call, delta=delta_of_call,
    ),
    InstrumentKind.PUT: Payoff(
        terms_place=2, is_linear=False, is_dated=True, has_strike=True, strike_offset=1,
        slopes=(0, 1), needs=(_forward, _surface),
        price=forward_price, value=put, delta=delta_of_put,
    ),
    InstrumentKind.COMBO: Payoff(
        terms_place=0, is_linear=False, is_dated=False, has_strike=False, strike_offset=0,
        slopes=(0, 0), needs=(),
        price=no_price, value=price_itself, delta=delta_of_price,
    ),
}  # fmt: skip


def payoff_of(kind: int) -> Payoff:
    """Return the row of a kind that is listed."""
    return PAYOFFS[InstrumentKind(kind)]
