"""Fill or kill: all of an order at once, or nothing.

The book is walked as matching would walk it, with nothing written, to see whether all would fill.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from proofbook.protocol.commands import REDUCE_ONLY_FLAG
from proofbook.protocol.limits import (
    FILLS_PER_COMMAND_MAX,
    SelfTradePrevention,
)
from proofbook.spec import ladder, protections
from proofbook.spec.backing import Burden, Effort, can_bear, is_free
from proofbook.spec.matching import Taker, burden_at, is_self_trade, reducible_lots
from proofbook.spec.world import World


@dataclass(slots=True)
class Rehearsal:
    """What matching would have done so far: lots filled, and how makers would stand.

    A protection's room is in lots of the instrument at hand.
    """

    lots_filled: int = 0
    is_stopped: bool = False
    effort: Effort = field(default_factory=Effort)
    refused: set[int] = field(default_factory=set[int])
    burdens: dict[int, Burden] = field(default_factory=dict[int, Burden])
    position_lots: dict[int, int] = field(default_factory=dict[int, int])
    protection_lots: dict[int, int] = field(default_factory=dict[int, int])


def rehearse(world: World, taker: Taker) -> frozenset[int] | None:
    """Return the orders on the taker's way whose accounts could not pay for their fills.

    None if the others would not fill all of it within the bound on fills and removals.
    """
    rehearsal = _walk(world, taker)
    return frozenset(rehearsal.refused) if rehearsal.lots_filled == taker.lots else None


def _walk(world: World, taker: Taker) -> Rehearsal:
    """Walk the book as the taker would.

    An own order in the way is passed over if the mode cancels makers; in any other mode it ends
    the walk, since the taker would lose lots without a trade.
    """
    rehearsal = Rehearsal()
    for steps, maker_slot in enumerate(facing_orders(world, taker)):
        if steps == FILLS_PER_COMMAND_MAX or rehearsal.lots_filled == taker.lots:
            break
        maker = world.orders[maker_slot]
        if ladder.is_over(world, maker):
            continue
        if is_self_trade(world, taker, maker):
            if taker.self_trade_prevention != SelfTradePrevention.CANCEL_MAKER:
                break
            continue
        _meet(world, taker, maker_slot, rehearsal)
        if rehearsal.is_stopped:
            break
    return rehearsal


def _meet(world: World, taker: Taker, maker_slot: int, rehearsal: Rehearsal) -> None:
    """Fill against one maker on paper; several of its orders share one position and one equity."""
    maker = world.orders[maker_slot]
    held = rehearsal.position_lots.get(maker.position, world.positions[maker.position].lots)
    lots = min(taker.lots - rehearsal.lots_filled, maker.lots_remaining)
    if maker.flags & REDUCE_ONLY_FLAG:
        lots = min(lots, reducible_lots(held, maker.side))
    protection = protections.of_order(world, maker) if maker.protection else 0
    if protection:
        room = rehearsal.protection_lots.get(protection, protections.room_lots(world, maker))
        rehearsal.protection_lots[protection] = room
        lots = min(lots, room)
    earlier = rehearsal.burdens.get(maker.account, Burden())
    fill = burden_at(world, maker, lots, maker.price_ticks)
    if not is_free(world, maker, fill):
        rehearsal.is_stopped = rehearsal.effort.is_spent
        if rehearsal.is_stopped:
            return
        if not can_bear(world, maker, fill, rehearsal.effort, earlier):
            rehearsal.refused.add(maker_slot)
            return
    if protection:
        rehearsal.protection_lots[protection] -= lots
    rehearsal.burdens[maker.account] = earlier + fill
    rehearsal.position_lots[maker.position] = held + fill.lots
    rehearsal.lots_filled += lots


def facing_orders(world: World, taker: Taker) -> Iterator[int]:
    """Yield the orders that the taker's limit crosses, in the order in which it would meet them."""
    instrument = world.instruments[taker.instrument]
    for slot in ladder.slots_from_best(world, instrument, ladder.opposite(taker.side)):
        if not ladder.crosses(taker.side, taker.price_ticks, world.orders[slot].price_ticks):
            return
        yield slot
