"""What traders decide, without any input or output: quotes around a mark, orders near the touch."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from random import Random
from typing import TypeVar

from proofbook.protocol.limits import PRICE_TICKS_BITS, Side, TimeInForce

PRICE_TICKS_MAX = (1 << PRICE_TICKS_BITS) - 1

QUOTED_MAX = 400
"""Instruments that one market maker quotes: two orders each stay below the 1,024 of an account."""

HALF_SPREAD_OF_PRICE = 0.002
HALF_SPREAD_VOL_POINTS = 0.5
"""A maker asks 0.2 % of the price and half a volatility point on either side."""

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Fair:
    """What an instrument is worth to a trader. Units  ticks; vega in ticks per volatility point."""

    mark_ticks: float
    vega_ticks: float = 0.0


@dataclass(frozen=True, slots=True)
class Quote:
    """Two sides around a mark; the bid is at least one tick and below the ask."""

    bid_ticks: int
    ask_ticks: int
    lots: int


@dataclass(frozen=True, slots=True)
class Intent:
    """An order that a trader wants."""

    side: Side
    price_ticks: int
    lots: int
    time_in_force: TimeInForce
    post_only: bool = False
    reduce_only: bool = False


def quote_around(fair: Fair, lots: int) -> Quote:
    """Return a two-sided quote, wider where price and vega are larger.

    Rounds bid down, ask up: away from the mark. Worthless options keep a bid of one tick.
    """
    half = max(
        0.5, fair.mark_ticks * HALF_SPREAD_OF_PRICE + fair.vega_ticks * HALF_SPREAD_VOL_POINTS
    )
    bid_ticks = min(max(1, floor(fair.mark_ticks - half)), PRICE_TICKS_MAX - 1)
    ask_ticks = min(max(bid_ticks + 1, ceil(fair.mark_ticks + half)), PRICE_TICKS_MAX)
    return Quote(bid_ticks, ask_ticks, lots)


def taker_intent(random: Random, fair: Fair, lots_max: int) -> Intent:
    """Return an order near the touch.

    Half of them cross it and take at once; the others wait inside or just outside the spread. A few
    of these may only reduce what the trader holds.
    """
    quote = quote_around(fair, lots_max)
    side = random.choice((Side.BUY, Side.SELL))
    lots = random.randint(1, lots_max)
    width = quote.ask_ticks - quote.bid_ticks
    if random.random() < 0.5:
        reach = random.randint(0, width)
        price = quote.ask_ticks + reach if side == Side.BUY else quote.bid_ticks - reach
        return Intent(side, clipped(price), lots, TimeInForce.IMMEDIATE_OR_CANCEL)
    offset = random.randint(0, width + 1)
    price = quote.ask_ticks - offset if side == Side.BUY else quote.bid_ticks + offset
    is_reducing = random.random() < 0.1
    return Intent(
        side, clipped(price), lots, TimeInForce.GOOD_TILL_CANCELLED, reduce_only=is_reducing
    )


def clipped(price_ticks: int) -> int:
    """Return the nearest price that an order may have."""
    return min(max(1, price_ticks), PRICE_TICKS_MAX)


def shares(
    things: Sequence[Thing], makers_min: int, each_max: int = QUOTED_MAX
) -> list[list[Thing]]:
    """Return the things dealt out to as few makers as can hold them, at least `makers_min`."""
    makers = max(makers_min, ceil(len(things) / each_max))
    return [list(things[maker::makers]) for maker in range(makers)]
