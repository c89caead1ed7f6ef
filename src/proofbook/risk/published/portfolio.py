"""Portfolios as one writes them down, and what a float64 Black-76 says of them."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist
from typing import TypeAlias

DAYS_PER_YEAR = 365

Volatility: TypeAlias = Callable[["Option"], float]
"""The volatility a year at which an option is priced."""

_normal = NormalDist()


@dataclass(frozen=True, slots=True)
class Option:
    """So much of an option that ends in so many days; short if negative."""

    is_call: bool
    strike: float
    days: float
    amount: float

    @property
    def years(self) -> float:
        return self.days / DAYS_PER_YEAR

    def value(self, forward: float, volatility: float) -> float:
        """Return what the amount is worth by Black-76, undiscounted."""
        deviation = volatility * sqrt(self.years)
        d1 = log(forward / self.strike) / deviation + deviation / 2
        sign = 1 if self.is_call else -1
        near, far = _normal.cdf(sign * d1), _normal.cdf(sign * (d1 - deviation))
        return self.amount * sign * (forward * near - self.strike * far)

    def payoff(self, price: float) -> float:
        """Return what the amount pays at a settlement price."""
        sign = 1 if self.is_call else -1
        return self.amount * max(0.0, sign * (price - self.strike))


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Options, perpetuals and the coin itself as collateral, on one underlying."""

    options: tuple[Option, ...] = ()
    perpetuals: float = 0
    coins: float = 0

    def by_expiry(self) -> dict[float, list[Option]]:
        """Return the options by the days that they have left."""
        expiries: defaultdict[float, list[Option]] = defaultdict(list)
        for option in self.options:
            expiries[option.days].append(option)
        return dict(expiries)

    def value(self, forward: float, volatility: float) -> float:
        """Return what options and coins are worth."""
        return value_of(self.options, forward, lambda _: volatility) + self.coins * forward


@dataclass(frozen=True, slots=True)
class Margins:
    """Equity less what is required, without cash: negative is what an account has to bring."""

    initial: float
    maintenance: float
    worst: str


def value_of(options: Iterable[Option], forward: float, volatility: Volatility) -> float:
    """Return what options are worth, each at its volatility."""
    return sum(option.value(forward, volatility(option)) for option in options)


def discount(rate: float, years: float) -> float:
    """Return what one due in so many years is worth."""
    return exp(-rate * years)
