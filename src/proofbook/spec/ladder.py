"""Reading a book: its best price, its orders from there on, and which of them are over.

An order may be over and its record still there: ended with all of its account, with its protection,
or by its time. Whoever meets it removes it.
"""

from collections.abc import Iterator

from proofbook.protocol.limits import Removal, Side, TimeInForce
from proofbook.protocol.records import InstrumentRecord, OrderRecord
from proofbook.spec import protections, trie
from proofbook.spec.world import World


def best_level(world: World, instrument: InstrumentRecord, side: Side) -> int:
    """Return the level with the best price of a side, or 0."""
    if side == Side.BUY:
        return trie.highest(world.nodes, instrument.bids_root, trie.PRICE_DEPTH)
    return trie.lowest(world.nodes, instrument.asks_root, trie.PRICE_DEPTH)


def crosses(side: Side, price_ticks: int, opposite_ticks: int) -> bool:
    """Whether an order of a side at its limit meets an opposite price."""
    return opposite_ticks <= price_ticks if side == Side.BUY else opposite_ticks >= price_ticks


def is_crossed(world: World, instrument: InstrumentRecord) -> bool:
    """Whether the best bid reaches the best ask: only orders that rested for an auction do."""
    bid_slot = best_level(world, instrument, Side.BUY)
    ask_slot = best_level(world, instrument, Side.SELL)
    if not bid_slot or not ask_slot:
        return False
    return world.levels[bid_slot].price_ticks >= world.levels[ask_slot].price_ticks


def opposite(side: Side) -> Side:
    return Side.SELL if side == Side.BUY else Side.BUY


def is_dead(world: World, order: OrderRecord) -> bool:
    """Whether the order has ended with others; its record is removed when somebody meets it."""
    return is_epoch_over(world, order) or protections.is_ended(world, order)


def end_of(world: World, order: OrderRecord) -> Removal:
    """Return what ended a dead order."""
    return Removal.EPOCH if is_epoch_over(world, order) else Removal.PROTECTION


def is_epoch_over(world: World, order: OrderRecord) -> bool:
    """Whether a CancelAll or a passed deadline ended the order; nothing is reserved for it."""
    return order.order_epoch != world.live_epoch(order.account)


def is_expired(world: World, order: OrderRecord) -> bool:
    """Whether the time of a good-till-time order is over; its record goes when a taker meets it."""
    is_timed = order.time_in_force == TimeInForce.GOOD_TILL_TIME
    return is_timed and world.header.window_ns > order.expires_ns


def is_over(world: World, order: OrderRecord) -> bool:
    """Whether an order has ended and its record only waits to be removed."""
    return is_dead(world, order) or is_expired(world, order)


def slots_from_best(world: World, instrument: InstrumentRecord, side: Side) -> Iterator[int]:
    """Yield the orders of a side in the order in which a taker would meet them."""
    root = instrument.bids_root if side == Side.BUY else instrument.asks_root
    neighbour = trie.below if side == Side.BUY else trie.above
    level_slot = best_level(world, instrument, side)
    while level_slot:
        level = world.levels[level_slot]
        slot = level.head
        while slot:
            yield slot
            slot = world.orders[slot].next_in_level
        level_slot = neighbour(world.nodes, root, level.price_ticks, trie.PRICE_DEPTH)
