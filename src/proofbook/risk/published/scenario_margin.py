"""The scenario margin of a published on-chain options venue, second version of its model.

Formulas and constants are those of its public documentation and tests; interest is zero, feeds are
certain, stablecoins at par. Prices are per unit of underlying.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from math import log, sqrt

from proofbook.risk.published.portfolio import (
    DAYS_PER_YEAR,
    Margins,
    Option,
    Portfolio,
    discount,
    value_of,
)


class Shift(Enum):
    """What a scenario does to volatility."""

    UP = "up"
    NONE = "none"
    DOWN = "down"
    LINEAR_SKEW = "linear skew"
    ABSOLUTE_SKEW = "absolute skew"


@dataclass(frozen=True, slots=True)
class Scenario:
    """Spot times `spot`, volatility shifted, the result weighted."""

    spot: float
    shift: Shift
    weight: float = 1.0

    @property
    def name(self) -> str:
        return f"{self.spot:g} {self.shift.value}"


SPOT_RANGE = 0.18
CORE_SPOTS = (1.135, 1.09, 1.045, 1.0, 0.955, 0.91, 0.865)
TAIL_SPOTS = (0.34, 0.67, 1.5, 2.0, 3.0, 4.0)
TAIL_WEIGHT = 0.20

SCENARIOS = (
    Scenario(1 + SPOT_RANGE, Shift.UP),
    *(Scenario(spot, shift) for spot in CORE_SPOTS for shift in (Shift.UP, Shift.NONE, Shift.DOWN)),
    Scenario(1 - SPOT_RANGE, Shift.UP),
    *(Scenario(spot, Shift.UP, TAIL_WEIGHT * SPOT_RANGE / abs(spot - 1)) for spot in TAIL_SPOTS),
    Scenario(1.0, Shift.LINEAR_SKEW),
    Scenario(1.0, Shift.ABSOLUTE_SKEW),
)

VOLATILITY_UP, VOLATILITY_DOWN, VOLATILITY_UP_MIN = 0.5, 0.275, 0.45
POWER_SHORT, POWER_LONG, POWER_DAYS, DAYS_MIN = 0.3, 0.13, 30, 1
INITIAL_FACTOR, MAINTENANCE_FACTOR = 1.0, 0.8
LONG_BASE, SHORT_BASE, STATIC_RATE = 0.95, 1.04, 0.08
BASIS_SPOTS, BASIS_BASE, BASIS_PER_YEAR = (1.045, 0.955), 0.5, 2.0
PERPETUAL_MAINTENANCE, PERPETUAL_INITIAL = 0.015, 0.005
NAKED_MAINTENANCE, NAKED_INITIAL = 0.003, 0.002
COIN_MAINTENANCE, COIN_INITIAL = 0.015, 0.005
SKEW_CAP, SKEW_CAP_PER_ROOT_YEAR = 0.15, -0.05
SKEW_WIDTH_MIN, SKEW_WIDTH, SKEW_STATIC, SKEW_PER_ROOT_YEAR = 0.01, 4.0, 0.6, -0.1

DECIMALS = 9
"""To which profits are compared when the worst is named, so that dust decides nothing."""


def margins(portfolio: Portfolio, spot: float, volatility: float) -> Margins:
    """Return initial and maintenance margin at a flat volatility, forward at spot."""
    model = _Model(portfolio, spot, volatility)
    columns = [(model.basis_loss(), "basis"), *((model.profit(s), s.name) for s in SCENARIOS)]
    profit, name = min(columns, key=lambda column: round(column[0], DECIMALS))
    maintenance_charge, initial_charge = model.contingencies()
    value = portfolio.value(spot, volatility)
    maintenance = profit * MAINTENANCE_FACTOR - maintenance_charge + value
    initial = profit * INITIAL_FACTOR - maintenance_charge - initial_charge + value
    return Margins(initial, maintenance, name)


@dataclass(frozen=True, slots=True)
class _Model:
    portfolio: Portfolio
    spot: float
    volatility: float

    def profit(self, scenario: Scenario) -> float:
        """Return the weighted profit in a scenario; skew counts against whom it moves."""
        is_skew = scenario.shift in (Shift.LINEAR_SKEW, Shift.ABSOLUTE_SKEW)
        linear = (self.portfolio.perpetuals + self.portfolio.coins) * self.spot
        profit = linear * (scenario.spot - 1) * scenario.weight
        for options in self.portfolio.by_expiry().values():
            years = options[0].years
            value = value_of(
                options, self.spot * scenario.spot, lambda o: self._shifted(o, scenario.shift)
            )
            static = discount(STATIC_RATE, years)
            value *= LONG_BASE * static if value >= 0 else min(1.0, SHORT_BASE / static)
            change = (value - self._value(options)) * scenario.weight
            profit += -abs(change) if is_skew else change
        return profit

    def basis_loss(self) -> float:
        """Return what expiries lose if forwards part from each other, summed; at most zero."""
        total = 0.0
        for options in self.portfolio.by_expiry().values():
            flat = self._value(options)
            changes = [
                value_of(options, self.spot * move, lambda _: self.volatility) - flat
                for move in BASIS_SPOTS
            ]
            total += min(*changes, 0.0) * (BASIS_BASE + BASIS_PER_YEAR * options[0].years)
        return total

    def contingencies(self) -> tuple[float, float]:
        """Return the fixed charges in maintenance, and those that initial margin adds."""
        perpetuals = abs(self.portfolio.perpetuals) * self.spot
        naked = naked_shorts(self.portfolio.options) * self.spot
        coins = self.portfolio.coins * self.spot
        maintenance = (
            perpetuals * PERPETUAL_MAINTENANCE
            + naked * NAKED_MAINTENANCE
            + coins * COIN_MAINTENANCE
        )
        initial = perpetuals * PERPETUAL_INITIAL + naked * NAKED_INITIAL + coins * COIN_INITIAL
        return maintenance, initial

    def _value(self, options: Sequence[Option]) -> float:
        return value_of(options, self.spot, lambda _: self.volatility)

    def _shifted(self, option: Option, shift: Shift) -> float:
        return SHIFTS[shift](self.volatility, option, log(option.strike / self.spot))


def _time_factor(days: float) -> float:
    power = POWER_SHORT if days <= POWER_DAYS else POWER_LONG
    return (POWER_DAYS / max(days, DAYS_MIN)) ** power


def _skewed(volatility: float, years: float, moneyness: float) -> float:
    root = sqrt(years)
    cap = SKEW_CAP + SKEW_CAP_PER_ROOT_YEAR * root
    width = max(SKEW_WIDTH_MIN, root * SKEW_WIDTH * (SKEW_STATIC + root * SKEW_PER_ROOT_YEAR))
    return volatility * max(0.0, 1 + max(-cap, min(cap, moneyness * cap / width)))


SHIFTS: dict[Shift, Callable[[float, Option, float], float]] = {
    Shift.UP: lambda volatility, option, _: max(
        VOLATILITY_UP_MIN, volatility * (1 + VOLATILITY_UP * _time_factor(option.days))
    ),
    Shift.NONE: lambda volatility, _option, _moneyness: volatility,
    Shift.DOWN: lambda volatility, option, _: (
        volatility * max(0.0, 1 - VOLATILITY_DOWN * _time_factor(option.days))
    ),
    Shift.LINEAR_SKEW: lambda volatility, option, k: _skewed(volatility, option.years, k),
    Shift.ABSOLUTE_SKEW: lambda volatility, option, k: _skewed(volatility, option.years, abs(k)),
}


def naked_shorts(options: Sequence[Option]) -> float:
    """Return the short options that no long one of their strike and expiry offsets."""
    return sum(_naked_at(calls, puts) for calls, puts in _by_strike(options))


def _by_strike(options: Sequence[Option]) -> Iterator[tuple[float, float]]:
    """Yield net calls and puts of each strike."""
    for place in {(option.days, option.strike) for option in options}:
        nets = [
            sum(o.amount for o in options if (o.days, o.strike) == place and o.is_call is is_call)
            for is_call in (True, False)
        ]
        yield nets[0], nets[1]


def _naked_at(calls: float, puts: float) -> float:
    if calls < 0 and puts < 0:
        return -calls - puts
    return max(0.0, -calls - puts) if min(calls, puts) < 0 else 0.0


assert len(SCENARIOS) == 31
assert DAYS_PER_YEAR == 365
