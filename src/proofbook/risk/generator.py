"""A small option chain of our own: no file, the same for the same seed."""

from math import exp, log, sqrt
from random import Random
from statistics import NormalDist

import numpy as np

from proofbook.protocol.limits import (
    EXPIRY_TIME_OF_DAY_NS,
    NS_PER_DAY,
    NS_PER_YEAR,
    InstrumentKind,
)
from proofbook.risk.chain import ATOMS_PER_USD, ChainSnapshot, ExpiryChain, OptionQuote, Snapshot
from proofbook.risk.svi import Svi

TAKEN_NS = 1_767_614_400_000_000_000
"""2026-01-05 12:00 UTC."""

EXPIRY_DAYS = (4, 25, 81)
STRIKES_PER_EXPIRY = 9
RATE = 0.04
"""Carry per year that lifts forwards above the index."""

INDEXES_USD = {"BTC": 88_500.0, "ETH": 2_950.0}
STRIKE_STEPS_USD = {"BTC": 1_000.0, "ETH": 50.0}
VOLATILITIES = {"BTC": 0.45, "ETH": 0.68}


def generate_snapshot(seed: int, taken_ns: int = TAKEN_NS) -> Snapshot:
    """Return two underlyings with three expiries of nine strikes each, calls and puts."""
    random = Random(seed)
    chains = tuple(_chain(symbol, random, taken_ns) for symbol in INDEXES_USD)
    return Snapshot(taken_ns, chains, sum(chain.options_count for chain in chains))


def _chain(symbol: str, random: Random, taken_ns: int) -> ChainSnapshot:
    index_usd = round(INDEXES_USD[symbol] * random.uniform(0.97, 1.03), 2)
    day = taken_ns - taken_ns % NS_PER_DAY + EXPIRY_TIME_OF_DAY_NS
    expiries = tuple(
        _expiry(symbol, random, index_usd, taken_ns, day + days * NS_PER_DAY)
        for days in EXPIRY_DAYS
    )
    return ChainSnapshot(symbol, taken_ns, round(index_usd * ATOMS_PER_USD), expiries)


def _expiry(
    symbol: str, random: Random, index_usd: float, taken_ns: int, expiry_ns: int
) -> ExpiryChain:
    years = (expiry_ns - taken_ns) / NS_PER_YEAR
    forward_usd = round(index_usd * exp(RATE * years), 2)
    svi = _smile(VOLATILITIES[symbol] * random.uniform(0.95, 1.05), years)
    options: list[OptionQuote] = []
    for strike_usd in _strikes(symbol, forward_usd, VOLATILITIES[symbol] * sqrt(years)):
        variance = float(svi.variance(np.array([log(strike_usd / forward_usd)]))[0])
        volatility = round(sqrt(variance / years) * random.uniform(0.998, 1.002), 4)
        for kind in (InstrumentKind.CALL, InstrumentKind.PUT):
            mark = black_76(kind, forward_usd, strike_usd, volatility * sqrt(years))
            options.append(_quote(kind, strike_usd, mark, volatility))
    return ExpiryChain(expiry_ns, round(forward_usd * ATOMS_PER_USD), tuple(options))


def _quote(
    kind: InstrumentKind, strike_usd: float, mark_usd: float, volatility: float
) -> OptionQuote:
    strike_atoms = round(strike_usd * ATOMS_PER_USD)
    return OptionQuote(strike_atoms, kind, mark_usd * 0.98, mark_usd * 1.02, mark_usd, volatility)


def _smile(volatility: float, years: float) -> Svi:
    """Return a slice whose volatility at the money is the given one, skewed to puts, wider when
    short-dated.
    """
    sigma = 0.15 + 0.35 * sqrt(years)
    at_the_money = volatility**2 * years
    b = 0.35 * at_the_money / sigma
    return Svi(at_the_money - b * sigma, b, -0.3, 0.0, sigma)


def _strikes(symbol: str, forward_usd: float, deviation: float) -> list[float]:
    """Return strikes on the grid, evenly over two deviations to either side."""
    step = STRIKE_STEPS_USD[symbol]
    half = STRIKES_PER_EXPIRY // 2
    spacing = max(1, round(2 * deviation * forward_usd / half / step))
    middle = round(forward_usd / step)
    return [(middle + spacing * place) * step for place in range(-half, half + 1)]


def black_76(kind: InstrumentKind, forward: float, strike: float, deviation: float) -> float:
    """Return the undiscounted price of a European option; deviation is volatility times the root of
    time.
    """
    d1 = log(forward / strike) / deviation + deviation / 2
    normal = NormalDist().cdf
    call = forward * normal(d1) - strike * normal(d1 - deviation)
    return max(call if kind == InstrumentKind.CALL else call - forward + strike, 0.0)
