"""Trigger orders: stops and take-profits, which wait until a price is reached.

Anybody may fire one, and nobody is believed: the state itself says whether the condition is met.
"""

from proofbook.protocol.commands import CancelTrigger, FireTrigger, PlaceTrigger
from proofbook.protocol.events import TriggerFired
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import PRICE_TICKS_BITS, Reject, Removal, TriggerCondition
from proofbook.protocol.records import TriggerRecord
from proofbook.spec import margin, orders, waiting
from proofbook.spec.cancellation import end_orders_if_due
from proofbook.spec.portfolio import is_insolvent
from proofbook.spec.prices import is_marked, mark_atoms, value_per_lot
from proofbook.spec.world import World

AT_OR_ABOVE = (
    TriggerCondition.MARK_AT_OR_ABOVE,
    TriggerCondition.INDEX_AT_OR_ABOVE,
    TriggerCondition.LAST_AT_OR_ABOVE,
)


def place_trigger(world: World, command: PlaceTrigger) -> Reject | None:
    """Store an order until its condition is met; it reserves no margin before that.

    Rejects  what `orders.shape_rejection` says of the order, but for its distance from the mark,
             which will be another one when it fires; PRICE_OUT_OF_RANGE for the trigger's price;
             TRIGGER_LIMIT, ARENA_FULL; ACCOUNT_INSOLVENT.
    """
    order = command.order
    rejection = orders.shape_rejection(world, order)
    if rejection == Reject.PRICE_OUTSIDE_BAND:
        rejection = None
    if rejection is None and not 1 <= command.trigger_ticks < 1 << PRICE_TICKS_BITS:
        rejection = Reject.PRICE_OUT_OF_RANGE
    rejection = rejection or waiting.room_rejection(world, command.account)
    if rejection is not None:
        return rejection
    if is_insolvent(margin.portfolio(world, command.account)):
        return Reject.ACCOUNT_INSOLVENT
    end_orders_if_due(world, command.account)
    waiting.wait(world, order, condition=command.condition, trigger_ticks=command.trigger_ticks)
    return None


def cancel_trigger(world: World, command: CancelTrigger) -> Reject | None:
    """Remove one waiting order. Rejects TRIGGER_NOT_FOUND, TRIGGER_NOT_OWNED."""
    slot = waiting.find_trigger(world, command.trigger)
    if not slot or waiting.is_dead(world, world.triggers[slot]):
        return Reject.TRIGGER_NOT_FOUND
    if world.triggers[slot].account != command.account:
        return Reject.TRIGGER_NOT_OWNED
    waiting.remove(world, slot, Removal.CANCELLED)
    return None


def fire_trigger(world: World, command: FireTrigger) -> Reject | None:
    """Place a waiting order whose time has come; remove one that is over, as its book may be.

    What `orders.place` refuses is gone as well, and the event says why; but a book that lets
    nothing of the kind in for the moment, or a breaker, does not cost its owner a stop.

    Rejects TRIGGER_NOT_FOUND, TRIGGER_NOT_MET, INSTRUMENT_STATE, BREAKER_TRIPPED.
    """
    slot = waiting.find_trigger(world, command.trigger)
    if not slot:
        return Reject.TRIGGER_NOT_FOUND
    trigger = world.triggers[slot]
    removal = waiting.end_of(world, trigger)
    if removal is not None:
        waiting.remove(world, slot, removal)
    elif not is_met(world, trigger):
        return Reject.TRIGGER_NOT_MET
    else:
        return _fire(world, command.trigger, slot)
    return None


def _fire(world: World, identifier: int, slot: int) -> Reject | None:
    """Place the order; one that has waited for the end of a speed bump does not wait again."""
    order = waiting.order_of(world.triggers[slot])
    is_released = world.triggers[slot].condition == waiting.NO_CONDITION
    if orders.state_rejection(world, order):
        return Reject.INSTRUMENT_STATE
    if orders.is_held_by_breaker(world, order):
        return Reject.BREAKER_TRIPPED
    waiting.free(world, slot)
    rejection = orders.place(world, order, is_released)
    world.emit(TriggerFired(identifier, order.account, order.instrument, rejection or 0))
    return None


def is_met(world: World, trigger: TriggerRecord) -> bool:
    """Whether the price that the condition names is known and has reached the trigger's.

    Without a condition: whether the speed bump is over.
    """
    slot = instrument_slot(trigger.instrument)
    instrument = world.instruments[slot]
    match trigger.condition:
        case waiting.NO_CONDITION:
            return world.header.window_ns >= trigger.release_ns
        case TriggerCondition.MARK_AT_OR_ABOVE | TriggerCondition.MARK_AT_OR_BELOW:
            reached = mark_atoms(world, slot)
            wanted = value_per_lot(instrument, trigger.trigger_ticks)
            is_known = is_marked(world, slot)
        case TriggerCondition.INDEX_AT_OR_ABOVE | TriggerCondition.INDEX_AT_OR_BELOW:
            reached = world.underlyings[instrument.underlying].index_atoms
            wanted = trigger.trigger_ticks * instrument.tick_atoms
            is_known = reached > 0
        case _:
            reached, wanted = instrument.last_price_ticks, trigger.trigger_ticks
            is_known = reached > 0
    if not is_known:
        return False
    return reached >= wanted if trigger.condition in AT_OR_ABOVE else reached <= wanted
