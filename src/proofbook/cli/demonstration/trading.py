"""The busy part: makers quote everything, takers trade, prices walk."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from proofbook.api.display import instrument_name
from proofbook.api.schema import InstrumentReply
from proofbook.cli.demonstration.people import Person
from proofbook.cli.demonstration.venue import Venue
from proofbook.liquidity.maker import Maker
from proofbook.liquidity.quoting import QUOTED_MAX, shares
from proofbook.liquidity.taker import Taker
from proofbook.protocol.limits import NS_PER_YEAR
from proofbook.risk.market import TICKS_AND_LOTS, Observations

MAKER, TAKER = "maker", "taker"
TAKERS = 8
MAKERS_MIN = 2
QUOTE_LOTS = 100
"""0.1 BTC or 1 ETH on either side of every book."""

TAKE_LOTS_MAX = 40
PUBLISH_SECONDS = 2.0
TAKER_INSTRUMENTS_MAX = 300
"""Instruments that a taker trades in: it stays below the 512 that an account may hold."""


@dataclass
class Market:
    """Makers and takers, ready to trade."""

    makers: list[Maker]
    takers: list[Taker]

    async def open(self) -> None:
        """Have every instrument quoted once. Raises NotMarked, ConnectionLost."""
        await asyncio.gather(*(maker.quote_all() for maker in self.makers))

    async def run(self, seconds: float) -> None:
        """Trade for some seconds; then everybody finishes what is in flight."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for trader in (*self.makers, *self.takers):
                group.create_task(trader.run(stop))
            await asyncio.sleep(seconds)
            stop.set()


def makers_needed(instruments: int) -> int:
    """Return how many makers share so many instruments."""
    return max(MAKERS_MIN, -(-instruments // QUOTED_MAX))


def names_needed(instruments: int) -> list[str]:
    """Return the names of everybody who trades in so many instruments."""
    makers = [f"{MAKER} {place}" for place in range(1, makers_needed(instruments) + 1)]
    return makers + [f"{TAKER} {place}" for place in range(1, TAKERS + 1)]


def market_of(
    venue: Venue, makers: Sequence[Person], takers: Sequence[Person], seed: int
) -> Market:
    """Return makers that together cover every instrument, and takers in some of them each."""
    return market_between(makers, takers, all_vegas_ticks(venue), seed)


def market_between(
    makers: Sequence[Person], takers: Sequence[Person], vegas: Mapping[str, float], seed: int
) -> Market:
    """Return the same, with vegas in ticks per volatility point by the name of the instrument."""
    instruments = list(makers[0].client.instruments.values())
    dealt = shares(instruments, len(makers))
    return Market(
        [
            Maker(person.desk, share, vegas, QUOTE_LOTS)
            for person, share in zip(makers, dealt, strict=True)
        ],
        [
            Taker(person.desk, _some(instruments, seed + place), vegas, TAKE_LOTS_MAX, seed + place)
            for place, person in enumerate(takers, start=1)
        ],
    )


def all_vegas_ticks(venue: Venue) -> dict[str, float]:
    """Return the vega of every option of the venue."""
    vegas: dict[str, float] = {}
    for observed in venue.observations:
        vegas |= vegas_ticks(observed)
    return vegas


def vegas_ticks(observed: Observations) -> dict[str, float]:
    """Return the vega of every option by name, in ticks per volatility point."""
    chain = observed.chain
    tick_usd = TICKS_AND_LOTS[chain.symbol].tick_atoms / 1e6
    vegas: dict[str, float] = {}
    for expiry, fit in zip(chain.expiries, observed.fits, strict=True):
        years = (expiry.expiry_ns - chain.taken_ns) / NS_PER_YEAR
        strikes = np.array([option.strike_atoms for option in expiry.options], dtype=np.float64)
        k = np.log(strikes / expiry.forward_atoms)
        deviations = np.sqrt(fit.svi.variance(k))
        d1 = -k / deviations + deviations / 2
        density = np.exp(-d1 * d1 / 2) / np.sqrt(2 * np.pi)
        points = expiry.forward_atoms / 1e6 * density * np.sqrt(years) / 100 / tick_usd
        for option, vega in zip(expiry.options, points, strict=True):
            name = instrument_name(chain.symbol, option.kind, expiry.expiry_ns, option.strike_atoms)
            vegas[name] = float(vega)
    return vegas


def _some(instruments: Sequence[InstrumentReply], seed: int) -> list[InstrumentReply]:
    """Return the instruments that one taker trades in; perpetuals are always among them."""
    perpetuals = [row for row in instruments if row.kind == "perpetual"]
    options = [row for row in instruments if row.kind != "perpetual"]
    count = min(len(options), TAKER_INSTRUMENTS_MAX)
    return perpetuals + Random(seed).sample(options, count)
