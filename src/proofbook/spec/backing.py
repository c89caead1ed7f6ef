"""Backing: whether the account of a resting order can pay for its next fill.

Margin is asked for when an order is placed, and marks move while it rests: its fill may leave an
account owing. A fill at the mark or better costs nothing and is never in question. After any other
the account must still have equity. To see that its positions are added up; a command adds up so
many of them and no more.
"""

from dataclasses import dataclass

from proofbook.protocol.limits import BACKING_LEGS_MAX, FRACTION_ONE_PPM, Side
from proofbook.protocol.records import OrderRecord
from proofbook.spec import margin
from proofbook.spec.exposure import Exposure
from proofbook.spec.portfolio import portfolio
from proofbook.spec.prices import legs_of
from proofbook.spec.staleness import interval_ppm
from proofbook.spec.world import World


@dataclass(slots=True)
class Effort:
    """How many positions of makers a command has looked at."""

    legs: int = 0

    @property
    def is_spent(self) -> bool:
        return self.legs >= BACKING_LEGS_MAX


@dataclass(frozen=True, slots=True)
class Burden:
    """What fills in a book are to an account: signed lots, and what equity at marks loses by them.

    The cost is the price against the mark, plus the fee; negative where the account gains.
    """

    lots: int = 0
    cost_atoms: int = 0

    def __add__(self, other: "Burden") -> "Burden":
        return Burden(self.lots + other.lots, self.cost_atoms + other.cost_atoms)


NO_BURDEN = Burden()


def burden_of(
    world: World, order: OrderRecord, lots: int, price_ticks: int, fee_atoms: int
) -> Burden:
    """Return what a fill of an order at a price would be to its account."""
    side = Side(order.side)
    adverse_atoms = margin.adverse_per_lot(world, order.instrument, side, price_ticks)
    return Burden(lots if side == Side.BUY else -lots, lots * adverse_atoms + fee_atoms)


def is_free(world: World, order: OrderRecord, fill: Burden) -> bool:
    """Whether a fill costs its account nothing: price, fee, and what the mark may be off by."""
    least_ppm = _least_profit_ppm(world, order.instrument, fill.lots)
    return fill.cost_atoms * FRACTION_ONE_PPM <= least_ppm


def can_bear(
    world: World, order: OrderRecord, fill: Burden, effort: Effort, earlier: Burden = NO_BURDEN
) -> bool:
    """Whether an order's account can pay for a fill, after those that came earlier on paper.

    It can if that leaves equity, every stale leg at its worst, that is not below zero.
    """
    effort.legs += world.accounts[order.account].positions_count
    both = earlier + fill
    changes = {leg: Exposure(lots) for leg, lots in _legs(world, order.instrument, both.lots)}
    after = portfolio(world, order.account, changes)
    return after.secured_atoms >= both.cost_atoms


def _least_profit_ppm(world: World, instrument: int, lots: int) -> int:
    """Return what lots bought at the mark are worth at least, in 1e-6 atoms: at most 0."""
    legs = _legs(world, instrument, lots)
    return sum(
        min(leg_lots * bound for bound in interval_ppm(world, leg)) for leg, leg_lots in legs
    )


def _legs(world: World, instrument: int, lots: int) -> list[tuple[int, int]]:
    """Return what lots of an instrument are: themselves, or the legs of a combo."""
    legs = legs_of(world.instruments[instrument]) or [(instrument, 1)]
    return [(leg, ratio * lots) for leg, ratio in legs]
