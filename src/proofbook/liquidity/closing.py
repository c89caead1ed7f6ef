"""Leaving: close every position of a venue through its books.

The positions of an instrument add up to zero. So its longs offer what they hold at one price, and
its shorts take exactly that; everything is reduce-only, nothing can be left over or turn around.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from proofbook.liquidity.quoting import Intent, clipped
from proofbook.protocol.limits import Side, TimeInForce


@dataclass(frozen=True, slots=True)
class Held:
    """A position: signed lots of an account in an instrument."""

    account: int
    instrument: int
    lots: int


@dataclass(frozen=True, slots=True)
class Closing:
    """An order that closes a position."""

    account: int
    instrument: int
    intent: Intent


class PositionsUnbalanced(Exception):
    """Positions of an instrument that do not add up to zero: somebody's is missing."""

    def __init__(self, instrument: int, lots: int) -> None:
        super().__init__(f"positions in instrument {instrument} add up to {lots} lots, not to 0")
        self.instrument = instrument
        self.lots = lots


def closing_orders(
    held: Iterable[Held], marks_ticks: Mapping[int, float]
) -> tuple[list[Closing], list[Closing]]:
    """Return the offers of all longs, to be placed first, and the orders of all shorts.

    Raises PositionsUnbalanced.
    """
    of_instrument: defaultdict[int, list[Held]] = defaultdict(list)
    for position in held:
        if position.lots:
            of_instrument[position.instrument].append(position)
    offers: list[Closing] = []
    takes: list[Closing] = []
    for instrument, positions in sorted(of_instrument.items()):
        surplus = sum(position.lots for position in positions)
        if surplus:
            raise PositionsUnbalanced(instrument, surplus)
        price_ticks = clipped(round(marks_ticks[instrument]))
        for position in sorted(positions, key=lambda position: position.account):
            closing = _closing(position, price_ticks)
            (offers if position.lots > 0 else takes).append(closing)
    return offers, takes


def _closing(position: Held, price_ticks: int) -> Closing:
    if position.lots > 0:
        intent = Intent(
            Side.SELL,
            price_ticks,
            position.lots,
            TimeInForce.GOOD_TILL_CANCELLED,
            post_only=True,
            reduce_only=True,
        )
    else:
        intent = Intent(
            Side.BUY, price_ticks, -position.lots, TimeInForce.IMMEDIATE_OR_CANCEL, reduce_only=True
        )
    return Closing(position.account, position.instrument, intent)
