"""Fill or kill: walk the book as matching would, without a write, to see whether all would fill."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from proofbook.protocol.commands import REDUCE_ONLY_FLAG
from proofbook.protocol.limits import (
    FILLS_PER_COMMAND_MAX,
    SelfTradePrevention,
    Side,
)
from proofbook.protocol.records import OrderRecord
from proofbook.spec import ladder, protections
from proofbook.spec.matching import Taker, is_self_trade, reducible_lots
from proofbook.spec.world import World


@dataclass(slots=True)
class Rehearsal:
    """What matching would have done so far: lots filled, and how makers would stand.

    A protection's room is in lots of the instrument at hand.
    """

    lots_filled: int = 0
    position_lots: dict[int, int] = field(default_factory=dict[int, int])
    protection_lots: dict[int, int] = field(default_factory=dict[int, int])


def would_fill(world: World, taker: Taker) -> bool:
    """Whether the book would fill the taker wholly within the bound on fills and removals.

    An own order in the way is passed over if the mode cancels makers; in any other mode it ends
    the walk, since the taker would lose lots without a trade.
    """
    rehearsal = Rehearsal()
    for steps, maker in enumerate(facing_orders(world, taker)):
        if steps == FILLS_PER_COMMAND_MAX or rehearsal.lots_filled == taker.lots:
            break
        if ladder.is_over(world, maker):
            continue
        if is_self_trade(world, taker, maker):
            if taker.self_trade_prevention != SelfTradePrevention.CANCEL_MAKER:
                break
            continue
        _rehearse(world, taker, maker, rehearsal)
    return rehearsal.lots_filled == taker.lots


def _rehearse(world: World, taker: Taker, maker: OrderRecord, rehearsal: Rehearsal) -> None:
    """Fill against one maker on paper; several of its orders share one position."""
    held = rehearsal.position_lots.get(maker.position, world.positions[maker.position].lots)
    lots = min(taker.lots - rehearsal.lots_filled, maker.lots_remaining)
    if maker.flags & REDUCE_ONLY_FLAG:
        lots = min(lots, reducible_lots(held, maker.side))
    if maker.protection:
        protection = protections.of_order(world, maker)
        room = rehearsal.protection_lots.get(protection, protections.room_lots(world, maker))
        lots = min(lots, room)
        rehearsal.protection_lots[protection] = room - lots
    rehearsal.position_lots[maker.position] = held + (lots if maker.side == Side.BUY else -lots)
    rehearsal.lots_filled += lots


def facing_orders(world: World, taker: Taker) -> Iterator[OrderRecord]:
    """Yield the orders that the taker's limit crosses, in the order in which it would meet them."""
    instrument = world.instruments[taker.instrument]
    for slot in ladder.slots_from_best(world, instrument, ladder.opposite(taker.side)):
        order = world.orders[slot]
        if not ladder.crosses(taker.side, taker.price_ticks, order.price_ticks):
            return
        yield order
