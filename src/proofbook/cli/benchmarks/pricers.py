"""Who prices options: ours, NumPy in blocks, QuantLib and vollib one by one.

All undiscounted, on the forward: price, delta, gamma, vega per 1.00 of volatility, theta per year.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from proofbook.cli.benchmarks.books import named
from proofbook.cli.benchmarks.harness import Run
from proofbook.pricing import Floats, black76

BLOCK = 8_192
FORWARD = 60_000.0
DAYS_PER_YEAR = 365
DAYS_MAX = 365
DEVIATIONS = 2.5
"""How far strikes lie from the forward at most."""
ONE_BY_ONE_MAX = 1_000
TOLERANCE = 1e-8
"""Of the forward for prices, of the largest value for the others."""
ROWS = 5
ROOT_TWO_PI = float(np.sqrt(2 * np.pi))

Rows: TypeAlias = NDArray[np.float64]
"""Price, delta, gamma, vega, theta by option. Shape  [5, options]."""


class PricesDisagree(Exception):
    """Somebody's numbers are not ours: then the two did not do the same work."""

    def __init__(self, name: str, row: int, difference: float) -> None:
        super().__init__(f"{name} differs by {difference:g} in number {row} of {ROWS}")


@dataclass(frozen=True, slots=True)
class Chain:
    """Options side by side; expiries are whole days away, as QuantLib has them."""

    forward: Floats
    strike: Floats
    volatility: Floats
    days: NDArray[np.int64]
    sign: Floats

    def __len__(self) -> int:
        return len(self.forward)

    @property
    def years(self) -> Floats:
        return self.days / DAYS_PER_YEAR

    @classmethod
    def random(cls, count: int, seed: int) -> Self:
        """Return so many options."""
        random = np.random.default_rng(seed)
        forward = np.full(count, FORWARD) * random.uniform(0.9, 1.1, count)
        volatility = random.uniform(0.2, 1.5, count)
        days = random.integers(1, DAYS_MAX + 1, count)
        deviation = volatility * np.sqrt(days / DAYS_PER_YEAR)
        strike = forward * np.exp(random.uniform(-DEVIATIONS, DEVIATIONS, count) * deviation)
        return cls(forward, strike, volatility, days, random.choice([-1.0, 1.0], count))

    def first(self, count: int) -> "Chain":
        """Return the first so many options."""
        return Chain(
            self.forward[:count], self.strike[:count], self.volatility[:count],
            self.days[:count], self.sign[:count],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pricer:
    """Somebody who prices a chain, at most so many options of it: a round should not take long."""

    name: Callable[[], str | None]
    price: Callable[[Chain], Rows]
    options_max: int


def ours(chain: Chain) -> Run:
    """Return our evaluation of a chain, into an array that is there."""
    years, output = chain.years, np.empty((ROWS, len(chain)))
    return lambda: black76(chain.forward, chain.strike, chain.volatility, years, chain.sign, output)


def require_agreement(name: str, chain: Chain, rows: Rows) -> None:
    """Compare with ours. Raises PricesDisagree."""
    expected = np.array(
        black76(chain.forward, chain.strike, chain.volatility, chain.years, chain.sign)
    )
    for number, (theirs, these) in enumerate(zip(rows, expected, strict=True), start=1):
        scale = FORWARD if number == 1 else np.max(np.abs(these))
        difference = float(np.max(np.abs(theirs - these)) / scale)
        if difference > TOLERANCE:
            raise PricesDisagree(name, number, difference)


def numpy_rows(chain: Chain) -> Rows:
    """Price in blocks that fit the processor's cache, with SciPy's normal distribution."""
    rows, years = np.empty((ROWS, len(chain))), chain.years
    for first in range(0, len(chain), BLOCK):
        some = slice(first, first + BLOCK)
        forward, strike, sign = chain.forward[some], chain.strike[some], chain.sign[some]
        volatility, root = chain.volatility[some], np.sqrt(years[some])
        deviation = volatility * root
        d1 = np.log(forward / strike) / deviation + 0.5 * deviation
        below = ndtr(sign * d1)
        density = np.exp(-0.5 * d1 * d1) / ROOT_TWO_PI
        moved = forward * density
        rows[0, some] = sign * (forward * below - strike * ndtr(sign * (d1 - deviation)))
        rows[1, some] = sign * below
        rows[2, some] = density / (forward * deviation)
        rows[3, some] = moved * root
        rows[4, some] = -0.5 * moved * volatility / root
    return rows


def quantlib_rows(chain: Chain) -> Rows:
    """Price with an option and an engine of QuantLib for each."""
    library: Any = import_module("QuantLib")
    today = library.Date(1, 1, 2026)
    library.Settings.instance().evaluationDate = today
    count, calendar = library.Actual365Fixed(), library.NullCalendar()
    flat = library.YieldTermStructureHandle(library.FlatForward(today, 0.0, count))
    kinds = {1.0: library.Option.Call, -1.0: library.Option.Put}
    rows = np.empty((ROWS, len(chain)))
    for place, (forward, strike, volatility, days, sign) in enumerate(_options(chain)):
        quote = library.QuoteHandle(library.SimpleQuote(forward))
        surface = library.BlackConstantVol(today, calendar, volatility, count)
        process = library.BlackProcess(quote, flat, library.BlackVolTermStructureHandle(surface))
        option = library.EuropeanOption(
            library.PlainVanillaPayoff(kinds[sign], strike),
            library.EuropeanExercise(today + days),
        )
        option.setPricingEngine(library.AnalyticEuropeanEngine(process))
        rows[:, place] = (
            option.NPV(), option.delta(), option.gamma(), option.vega(), option.theta(),
        )  # fmt: skip
    return rows


def vollib_rows(chain: Chain) -> Rows:
    """Price with five functions of vollib for each; its vega is per 1 %, its theta per day."""
    price: Any = import_module("vollib.black").black
    greeks: Any = import_module("vollib.black.greeks.analytical")
    flags = {1.0: "c", -1.0: "p"}
    rows = np.empty((ROWS, len(chain)))
    for place, (forward, strike, volatility, days, sign) in enumerate(_options(chain)):
        flag, years = flags[sign], days / DAYS_PER_YEAR
        rows[0, place] = price(flag, forward, strike, years, 0.0, volatility)
        common = (flag, forward, strike, years, 0.0, volatility)
        rows[1, place] = greeks.delta(*common)
        rows[2, place] = greeks.gamma(*common)
        rows[3, place] = greeks.vega(*common) * 100
        rows[4, place] = greeks.theta(*common) * DAYS_PER_YEAR
    return rows


def _options(chain: Chain) -> Any:
    columns = (chain.forward, chain.strike, chain.volatility, chain.days, chain.sign)
    return zip(*(column.tolist() for column in columns), strict=True)


def _numpy_name() -> str:
    return f"{named('numpy')}, {named('scipy')}"


PRICERS = {
    "numpy": Pricer(_numpy_name, numpy_rows, 1 << 30),
    "quantlib": Pricer(lambda: named("QuantLib"), quantlib_rows, ONE_BY_ONE_MAX),
    "vollib": Pricer(lambda: named("vollib"), vollib_rows, ONE_BY_ONE_MAX),
}
