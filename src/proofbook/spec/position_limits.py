"""Limits on what an account may come to hold, and all accounts together, of an instrument.

They are asked of whatever makes a position grow, when an order is placed or a deal is agreed upon,
and not when it fills. So open interest may end above its limit by what rested already: a taker
cannot be told that the order before him may not be filled.
"""

from proofbook.protocol.limits import POSITION_LOTS_MAX, Reject, Side
from proofbook.spec.matching import reducible_lots
from proofbook.spec.positions import find_position, reach
from proofbook.spec.world import World


def order_rejection(
    world: World, account: int, slot: int, side: Side, added: int, is_reduce_only: bool
) -> Reject | None:
    """Return POSITION_LIMIT or OPEN_INTEREST_LIMIT if an order adds too many lots, or None.

    `added` is less than its own lots if it takes the place of another.
    """
    is_reducing = is_reduce_only or added <= 0
    if is_beyond_reach(world, account, slot, side, added, is_reducing):
        return Reject.POSITION_LIMIT
    grown = 0 if is_reducing else max(0, added - _reducible(world, account, slot, side))
    return Reject.OPEN_INTEREST_LIMIT if is_too_open(world, slot, grown) else None


def is_beyond_reach(
    world: World, account: int, slot: int, side: Side, added: int, is_reducing: bool
) -> bool:
    """Whether position and orders of a side would come to more than an account may hold.

    What only reduces a position is asked for the protocol's limit alone.
    """
    reached = reach(world, find_position(world, account, slot), side) + added
    limit = world.instruments[slot].position_lots_max
    return reached > POSITION_LOTS_MAX or (not is_reducing and 0 < limit < reached)


def is_taking_beyond_reach(world: World, account: int, slot: int, lots: int) -> bool:
    """Whether signed lots at once, beside orders, would come to more than an account may hold."""
    side = Side.BUY if lots > 0 else Side.SELL
    is_reducing = shrinks(world, account, slot, lots)
    return is_beyond_reach(world, account, slot, side, abs(lots), is_reducing)


def is_too_open(world: World, slot: int, grown: int) -> bool:
    """Whether open interest would grow beyond its limit."""
    instrument = world.instruments[slot]
    limit = instrument.open_interest_lots_max
    return grown > 0 and 0 < limit < instrument.open_interest_lots + grown


def shrinks(world: World, account: int, slot: int, lots: int) -> bool:
    """Whether signed lots only reduce what an account holds."""
    side = Side.BUY if lots > 0 else Side.SELL
    return abs(lots) <= _reducible(world, account, slot, side)


def long_growth(world: World, account: int, slot: int, lots: int) -> int:
    """Return by how much signed lots make what an account holds long grow: open interest."""
    held = _held(world, account, slot)
    return max(0, held + lots) - max(0, held)


def _reducible(world: World, account: int, slot: int, side: Side) -> int:
    return reducible_lots(_held(world, account, slot), side)


def _held(world: World, account: int, slot: int) -> int:
    position_slot = find_position(world, account, slot)
    return world.positions[position_slot].lots if position_slot else 0
