"""Holds: what a resting order of a combo keeps ready in each of its legs.

Its fill will trade the legs, and must not fail for want of a record. So each leg has its position
as long as the order rests, and counts there against what the account may come to hold.
"""

from proofbook.protocol.limits import Side
from proofbook.protocol.records import OrderRecord
from proofbook.spec.positions import find_position, open_position, release_position, renew
from proofbook.spec.prices import legs_of
from proofbook.spec.world import World


def hold(world: World, account: int, instrument: int) -> None:
    """Let the account's positions in a combo's legs be there; nothing for other instruments."""
    for leg, _ in legs_of(world.instruments[instrument]):
        slot = find_position(world, account, leg) or open_position(world, account, leg)
        world.positions.edit(slot).orders_resident += 1


def drop(world: World, account: int, instrument: int) -> None:
    """Undo `hold`; what nothing else needs is released."""
    for leg, _ in legs_of(world.instruments[instrument]):
        slot = find_position(world, account, leg)
        world.positions.edit(slot).orders_resident -= 1
        release_position(world, slot)


def count(world: World, order: OrderRecord, lots: int) -> None:
    """Add lots of a resting order, taken out if below 0, to what it could add to each leg."""
    for leg, ratio in legs_of(world.instruments[order.instrument]):
        position = world.positions.edit(find_position(world, order.account, leg))
        renew(position, order.order_epoch)
        if (order.side == Side.BUY) == (ratio > 0):
            position.combo_buy_lots += abs(ratio) * lots
        else:
            position.combo_sell_lots += abs(ratio) * lots
