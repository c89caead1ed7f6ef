"""Orders: what is asked of one before it may trade, and what becomes of it then.

`prepare` asks all that could speak against an order, in a fixed sequence: its own terms, the state
of its book, whom it would meet there, limits, the circuit breaker, margin, debt. Nothing is written
before the last answer. `execute` cannot fail any more: the order trades with what it meets, and
what is left of it rests or ends; behind a speed bump it waits first. An order is changed by placing
it anew, unless it only shrinks.
"""

from dataclasses import dataclass, replace

from proofbook.protocol.commands import REDUCE_ONLY_FLAG, Amend, Place, read_order_flags
from proofbook.protocol.events import OrderRemoved
from proofbook.protocol.identifiers import instrument_slot, order_slot
from proofbook.protocol.limits import (
    NS_PER_MS,
    ORDERS_PER_ACCOUNT_MAX,
    PRICE_TICKS_BITS,
    InstrumentMode,
    OrderType,
    PostOnly,
    Reject,
    Removal,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from proofbook.protocol.records import OrderRecord
from proofbook.spec import (
    book,
    breakers,
    debts,
    ladder,
    leg_holds,
    margin,
    matching,
    position_limits,
    states,
    trie,
    waiting,
)
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.cancellation import end_orders_if_due, order_rejection
from proofbook.spec.fill_or_kill import rehearse
from proofbook.spec.margin import Exposure
from proofbook.spec.margin_modes import instruments_max
from proofbook.spec.matching import Taker
from proofbook.spec.order_terms import instrument_rejection, terms_rejection, tick_step
from proofbook.spec.portfolio import Portfolio, is_insolvent
from proofbook.spec.positions import find_position, margined, open_position, release_position
from proofbook.spec.prices import legs_of
from proofbook.spec.rules import trades_at_once
from proofbook.spec.world import World

NO_EXPOSURE = Exposure(0)


def place(world: World, command: Place, is_released: bool = False) -> Reject | None:
    """Trade an order against its book, and let what remains of it rest if it may.

    Where a book has a speed bump, an order that would trade at once waits first. It does not wait
    a second time: `is_released` says that it has.

    Rejects as `prepare`.
    """
    accepted = prepare(world, command, is_released=is_released)
    if isinstance(accepted, Reject):
        return accepted
    execute(world, accepted, is_released)
    return None


@dataclass(frozen=True, slots=True)
class Accepted:
    """An order that nothing speaks against, with the fee limit that margin leaves it.

    `refused`: for a fill-or-kill order, those makers on its way who could not pay for their fills;
    it is known that all of it fills without them. None for any other order.
    """

    order: Place
    refused: frozenset[int] | None = None


def prepare(
    world: World, command: Place, replaced: int = NO_SLOT, is_released: bool = False
) -> Accepted | Reject:
    """Return the order as it will be executed, or the first thing that speaks against it.

    `replaced` is the slot of a resting order whose place it takes, which counts as gone.

    Rejects  in the order of `shape_rejection`; INSTRUMENT_STATE; REDUCE_ONLY_WOULD_INCREASE,
             POST_ONLY_WOULD_CROSS, WOULD_NOT_FILL; `room_rejection`; BREAKER_TRIPPED,
             ACCOUNT_INSOLVENT, INSUFFICIENT_MARGIN, DEBT_LIMIT; then, if it must wait, as
             `waiting.room_rejection`.
    """
    rejection = shape_rejection(world, command) or state_rejection(world, command)
    if rejection is not None:
        return rejection
    slot = instrument_slot(command.instrument)
    if command.post_only == PostOnly.SLIDE:
        price_ticks = slid_ticks(world, slot, command.side, command.price_ticks)
        command = replace(command, price_ticks=price_ticks)
    lots = placed_lots(world, command)
    if lots == 0:
        return Reject.REDUCE_ONLY_WOULD_INCREASE
    if command.post_only and not may_rest(world, slot, command.side, command.price_ticks):
        return Reject.POST_ONLY_WOULD_CROSS
    refused = None
    if command.time_in_force == TimeInForce.FILL_OR_KILL:
        refused = rehearse(world, _taker(command, NO_SLOT, slot, lots))
        if refused is None:
            return Reject.WOULD_NOT_FILL
    taken_out = _taken_out(world, replaced)
    can_rest = not is_immediate(command)
    rejection = room_rejection(
        world, command.account, slot, command.side, lots, taken_out, can_rest and not replaced,
        can_rest, command.reduce_only,
    )  # fmt: skip
    if rejection is not None:
        return rejection
    if is_held_by_breaker(world, command):
        return Reject.BREAKER_TRIPPED
    before = margin.portfolio(world, command.account)
    if is_insolvent(before):
        return Reject.ACCOUNT_INSOLVENT
    max_fee_ppm = _backed_fee_ppm(world, command, lots, taken_out, before)
    if max_fee_ppm is None:
        return Reject.INSUFFICIENT_MARGIN
    if _is_beyond_debt(world, command, lots, replaced):
        return Reject.DEBT_LIMIT
    if not is_released and _must_wait(world, command):
        return waiting.room_rejection(world, command.account) or Accepted(command)
    return Accepted(replace(command, max_fee_ppm=max_fee_ppm), refused)


def execute(world: World, accepted: Accepted, is_released: bool = False) -> None:
    """Trade the order, then let it rest or end; or have it wait. Nothing can refuse it any more."""
    command = accepted.order
    slot, lots = instrument_slot(command.instrument), placed_lots(world, command)
    end_orders_if_due(world, command.account)
    position_slot = find_position(world, command.account, slot)
    if not is_released and _must_wait(world, command):
        bump_ns = world.instruments[slot].speed_bump_ms * NS_PER_MS
        waiting.wait(world, command, release_ns=world.header.window_ns + bump_ns)
        if position_slot:
            release_position(world, position_slot)
        return
    if not position_slot:
        position_slot = open_position(world, command.account, slot)
    leg_holds.hold(world, command.account, slot)
    taker = _taker(command, position_slot, slot, lots)
    taker.refused = accepted.refused
    is_matched = trades_at_once(world.instruments[slot])
    removal = matching.match(world, taker) if is_matched else None
    if removal is None and is_immediate(command):
        removal = Removal.IMMEDIATE
    if taker.lots and removal is not None:
        assert command.time_in_force != TimeInForce.FILL_OR_KILL, "all of it would have filled"
        _emit_rest_removed(world, command, taker.lots, removal)
    elif taker.lots:
        rest(world, command, position_slot, taker.lots)
    leg_holds.drop(world, command.account, slot)
    release_position(world, position_slot)


def rest(world: World, command: Place, position_slot: int, lots: int) -> int:
    """Put what is left of an order into the book; return its slot."""
    instrument = world.positions[position_slot].instrument
    slot, order = world.orders.allocate()
    order.account = command.account
    order.position = position_slot
    order.instrument = instrument
    order.price_ticks = command.price_ticks
    order.side = command.side
    order.time_in_force = command.time_in_force
    order.flags = command.flags
    order.self_trade_prevention = command.self_trade_prevention
    order.lots_remaining = lots
    order.lots_original = command.lots
    order.reserve_per_lot_atoms = margin.reserve_per_lot(
        world, instrument, command.side, command.price_ticks, command.max_fee_ppm
    )
    order.order_epoch = world.accounts[command.account].order_epoch
    order.max_fee_ppm = command.max_fee_ppm
    order.expires_ns = command.expires_ns
    order.nonce = command.nonce
    order.seq = world.header.seq
    order.label = command.label
    order.group = command.group
    book.rest_order(world, slot)
    return slot


def _emit_rest_removed(world: World, command: Place, lots: int, removal: Removal) -> None:
    """Tell what took away the rest of an order that never came to rest."""
    world.emit(
        OrderRemoved(
            0, command.account, command.instrument, command.side, command.price_ticks, lots,
            command.nonce, removal,
        )
    )  # fmt: skip


# An order that rests, changed


def amend(world: World, command: Amend) -> Reject | None:
    """Shrink an order where it stands; for any other change take it out and place it anew.

    Only who shrinks keeps his place in the queue.

    Rejects  ORDER_NOT_FOUND, ORDER_NOT_OWNED; ORDER_COMBINATION_INVALID for a quote, which its
             next batch changes; LOTS_OUT_OF_RANGE for an order that would grow without a price;
             then, placed anew, as `prepare`.
    """
    rejection = order_rejection(world, command.account, command.order)
    if rejection is not None:
        return rejection
    slot = order_slot(command.order)
    old = world.orders[slot]
    if ladder.is_expired(world, old):
        return Reject.ORDER_NOT_FOUND
    if book.is_quote(old):
        return Reject.ORDER_COMBINATION_INVALID
    if command.price_ticks in (0, old.price_ticks) and command.lots <= old.lots_remaining:
        return _shrink(world, slot, command.lots)
    if command.price_ticks == 0:
        return Reject.LOTS_OUT_OF_RANGE
    accepted = prepare(world, _renewed(world, old, command), slot)
    if isinstance(accepted, Reject):
        return accepted
    book.remove_order(world, slot, Removal.AMENDED)
    execute(world, accepted)
    return None


def _shrink(world: World, slot: int, lots: int) -> Reject | None:
    """Take lots out of a resting order; what is left is no smaller than an order may be."""
    order = world.orders[slot]
    is_reduce_only = bool(order.flags & REDUCE_ONLY_FLAG)
    lots_min = 1 if is_reduce_only else world.instruments[order.instrument].lots_min
    if lots < min(lots_min, order.lots_remaining):
        return Reject.LOTS_OUT_OF_RANGE
    if lots < order.lots_remaining:
        book.decrement_order(world, slot, order.lots_remaining - lots, Removal.AMENDED)
    return None


def _renewed(world: World, order: OrderRecord, command: Amend) -> Place:
    """Return an order with its new price and size, to be placed again.

    A good-till-time order ends when it was to end. Any other takes the expiry of the message that
    amends it, which matters only while it waits behind a speed bump.
    """
    post_only, reduce_only = read_order_flags(order.flags)
    is_timed = order.time_in_force == TimeInForce.GOOD_TILL_TIME
    expires_ns = order.expires_ns if is_timed else command.expires_ns
    return Place(
        command.account, command.nonce, expires_ns, book.order_instrument_id(world, order),
        Side(order.side), command.price_ticks, command.lots, TimeInForce(order.time_in_force),
        post_only, reduce_only, order.max_fee_ppm, order.label, OrderType.LIMIT,
        SelfTradePrevention(order.self_trade_prevention), order.group,
    )  # fmt: skip


# The order by itself, and its book


def shape_rejection(world: World, command: Place) -> Reject | None:
    """Return what speaks against the order by itself, whatever its book takes now."""
    rejection = instrument_rejection(world, command.instrument)
    if rejection is not None:
        return rejection
    rejection = terms_rejection(
        world, command.account, instrument_slot(command.instrument), command.side,
        command.price_ticks, command.lots, command.max_fee_ppm, command.reduce_only,
    )  # fmt: skip
    if rejection is not None:
        return rejection
    return None if is_combination_valid(command) else Reject.ORDER_COMBINATION_INVALID


def is_combination_valid(command: Place) -> bool:
    """Whether a market order is immediate, and a post-only one is not."""
    if command.order_type == OrderType.MARKET and not is_immediate(command):
        return False
    return not (command.post_only and is_immediate(command))


def is_immediate(command: Place) -> bool:
    """Whether nothing of the order may rest."""
    return command.time_in_force in (TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL)


def state_rejection(world: World, command: Place) -> Reject | None:
    """Return INSTRUMENT_STATE if state or mode of the book keep the order out now."""
    slot = instrument_slot(command.instrument)
    return states.order_rejection(
        world, slot, bool(command.post_only), command.reduce_only, is_immediate(command)
    )


def _must_wait(world: World, command: Place) -> bool:
    """Whether a speed bump holds the order up: it would trade at once."""
    slot = instrument_slot(command.instrument)
    is_bumped = world.instruments[slot].mode == InstrumentMode.SPEED_BUMP
    return is_bumped and crossed_ticks(world, slot, command.side, command.price_ticks) != 0


def placed_lots(world: World, command: Place) -> int:
    """Return the lots that an order is for: reduce-only, no more than there is to reduce."""
    if not command.reduce_only:
        return command.lots
    position_slot = find_position(world, command.account, instrument_slot(command.instrument))
    position_lots = world.positions[position_slot].lots if position_slot else 0
    return min(command.lots, matching.reducible_lots(position_lots, command.side))


def _taker(command: Place, position_slot: int, slot: int, lots: int) -> Taker:
    return Taker(
        command.account, position_slot, slot, command.side, command.price_ticks, lots,
        command.max_fee_ppm, command.nonce, command.self_trade_prevention, command.group,
    )  # fmt: skip


def may_rest(world: World, slot: int, side: Side, price_ticks: int) -> bool:
    """Whether there is a limit, and it meets no opposite order."""
    return price_ticks != 0 and not crossed_ticks(world, slot, side, price_ticks)


def slid_ticks(world: World, slot: int, side: Side, price_ticks: int) -> int:
    """Return the limit, or the nearest price on tick that does not cross; 0 if there is none."""
    best_ticks = crossed_ticks(world, slot, side, price_ticks)
    if best_ticks == 0:
        return price_ticks
    instrument = world.instruments[slot]
    if side == Side.BUY:
        ticks = best_ticks - 1
        return ticks - ticks % tick_step(instrument, ticks)
    ticks = best_ticks + 1
    ticks += -ticks % tick_step(instrument, ticks)
    return ticks if ticks < 1 << PRICE_TICKS_BITS else 0


def crossed_ticks(world: World, slot: int, side: Side, price_ticks: int) -> int:
    """Return the best opposite price if a limit reaches it, or 0; 0 where orders only gather.

    Dead orders count until they are swept.
    """
    instrument = world.instruments[slot]
    level_slot = ladder.best_level(world, instrument, ladder.opposite(side))
    if not level_slot or states.gathers(instrument):
        return 0
    best_ticks = world.levels[level_slot].price_ticks
    return best_ticks if ladder.crosses(side, price_ticks, best_ticks) else 0


# Limits


def room_rejection(
    world: World,
    account: int,
    slot: int,
    side: Side,
    lots: int,
    taken_out: Exposure = NO_EXPOSURE,
    is_new: bool = True,
    may_rest: bool = True,
    is_reduce_only: bool = False,
) -> Reject | None:
    """Return the first limit of the account or of the arenas that an order could exceed, or None.

    It is asked for what the order needs at worst: a record of its own (`is_new`, unless it takes
    the place of another or never rests), a level, and a position in each instrument that it may
    bring. An immediate order in a position that is there needs no record at all: a full arena keeps
    nobody from closing.

    Rejects ORDER_LIMIT, INSTRUMENT_LIMIT, POSITION_LIMIT, OPEN_INTEREST_LIMIT, ARENA_FULL.
    """
    record = world.accounts[account]
    if is_new and record.orders_resident >= ORDERS_PER_ACCOUNT_MAX:
        return Reject.ORDER_LIMIT
    parts = [(slot, 1), *legs_of(world.instruments[slot])]
    held = [find_position(world, account, part) for part, _ in parts]
    opened = [part for position, (part, _) in zip(held, parts, strict=True) if not position]
    counted = record.positions_count + sum(margined(world, part) for part in opened)
    if counted > instruments_max(world, account):
        return Reject.INSTRUMENT_LIMIT
    added = lots + (taken_out.buys if side == Side.BUY else taken_out.sells)
    for part, ratio in parts:
        part_side = side if ratio > 0 else ladder.opposite(side)
        rejection = position_limits.order_rejection(
            world, account, part, part_side, abs(ratio) * added, is_reduce_only
        )
        if rejection is not None:
            return rejection
    missing = held.count(NO_SLOT)
    has_room = (
        world.positions.has_room(missing)
        and (not is_new or world.orders.has_room(1))
        and (not may_rest or world.levels.has_room(1))
        and world.nodes.has_room(trie.PRICE_DEPTH * may_rest + trie.INSTRUMENT_DEPTH * missing)
    )
    return None if has_room else Reject.ARENA_FULL


def is_held_by_breaker(world: World, command: Place) -> bool:
    """Whether a tripped breaker keeps the order out: it takes, and not only to shrink positions."""
    slot = instrument_slot(command.instrument)
    if command.reduce_only or not breakers.is_tripped(world, slot):
        return False
    takes = is_immediate(command) or crossed_ticks(world, slot, command.side, command.price_ticks)
    signed_lots = command.lots if command.side == Side.BUY else -command.lots
    legs = legs_of(world.instruments[slot]) or [(slot, 1)]
    return bool(takes) and not all(
        position_limits.shrinks(world, command.account, leg, ratio * signed_lots)
        for leg, ratio in legs
    )


# Margin and debt


def _taken_out(world: World, replaced: int) -> Exposure:
    """Return what leaves the account's exposure with the order that is replaced, if one is."""
    if not replaced:
        return NO_EXPOSURE
    old = world.orders[replaced]
    lots = old.lots_remaining
    return margin.resting(old.side, -lots, -lots * old.reserve_per_lot_atoms)


def _backed_fee_ppm(
    world: World, command: Place, lots: int, taken_out: Exposure, before: Portfolio
) -> int | None:
    """Return the fee limit with which margin lets the order in, or None if it does not.

    The order keeps its own limit if equity covers initial margin with it, or if it replaces another
    and requires no more than that one did. Any other order must reduce what is at risk, and if it
    may rest it must be reduce-only: it is let in with its own limit or, if its account could not
    pay the fee, without one.
    """
    slot, side = instrument_slot(command.instrument), command.side
    reserve = margin.reserve_per_lot(world, slot, side, command.price_ticks, command.max_fee_ppm)
    change = {slot: margin.resting(side, lots, lots * reserve) + taken_out}
    after = margin.with_changes(world, before, change)
    if margin.covers(world, after):
        return command.max_fee_ppm
    if taken_out != NO_EXPOSURE:
        if margin.requires_no_more(world, before, after):
            return command.max_fee_ppm
        before = margin.with_changes(world, before, {slot: taken_out})
    if not is_immediate(command) and not command.reduce_only:
        return None
    return _reducing_fee_ppm(world, command, lots, before)


def _reducing_fee_ppm(world: World, command: Place, lots: int, before: Portfolio) -> int | None:
    """Return the fee limit of an order that leaves no scenario worse, filled at its price, or None.

    Who cannot pay the fee pays none: want of it keeps nobody from closing.
    """
    slot, side = instrument_slot(command.instrument), command.side
    fee = margin.fee_per_lot_up(world.instruments[slot], command.price_ticks, command.max_fee_ppm)
    adverse = margin.adverse_per_lot(world, slot, side, command.price_ticks)
    is_charged = margin.can_pay(before, lots * (adverse + fee))
    cost_atoms = lots * (adverse + fee * is_charged)
    filled = {slot: Exposure(lots if side == Side.BUY else -lots)}
    is_reducing = margin.is_reducing(world, before, filled, cost_atoms)
    return command.max_fee_ppm * is_charged if is_reducing else None


def _is_beyond_debt(world: World, command: Place, lots: int, replaced: int) -> bool:
    """Whether filling the order could take the account too deep into debt.

    That is not asked of an order that only reduces, be it by its flag or by what margin says of it,
    nor of one that costs no more than the order that it replaces.
    """
    slot = instrument_slot(command.instrument)
    outflow = lots * debts.outflow_per_lot(
        world, slot, command.side, command.price_ticks, command.max_fee_ppm
    )
    if command.reduce_only or not debts.is_beyond_limit(world, command.account, outflow):
        return False
    if replaced and outflow <= debts.order_outflow(world, replaced):
        return False
    before = margin.portfolio(world, command.account)
    return _reducing_fee_ppm(world, command, lots, before) is None
