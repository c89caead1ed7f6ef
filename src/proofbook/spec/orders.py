"""Orders: placing, cancelling one, cancelling all.

Every rejection is decided before the first write.
"""

from proofbook.protocol.commands import Cancel, CancelAll, Place, Tick
from proofbook.protocol.events import OrderRemoved, OrdersCancelled
from proofbook.protocol.identifiers import instrument_slot, order_slot
from proofbook.protocol.limits import (
    INSTRUMENTS_PER_ACCOUNT_MAX,
    ORDER_LOTS_MAX,
    ORDER_VALUE_ATOMS_MAX,
    ORDERS_PER_ACCOUNT_MAX,
    POSITION_LOTS_MAX,
    PRICE_TICKS_BITS,
    REMOVALS_PER_TICK_MAX,
    OrderType,
    Reject,
    Removal,
    Side,
    TimeInForce,
)
from proofbook.protocol.records import InstrumentRecord
from proofbook.spec import book, margin, matching, trie
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.fill_or_kill import would_fill
from proofbook.spec.matching import Taker
from proofbook.spec.positions import find_position, open_orders, open_position, release_position
from proofbook.spec.world import World

EPOCH_MASK = 0xFFFF_FFFF

NODES_PER_ORDER = trie.PRICE_DEPTH + trie.INSTRUMENT_DEPTH
"""Trie nodes that one order may need: a path to its price and one to its position."""


def place(world: World, command: Place) -> Reject | None:
    """Match a limit order and let what remains rest, unless it is immediate-or-cancel.

    Rejects  in the order of `_shape_fault`, `_book_fault`, `_room_fault`; then INSUFFICIENT_MARGIN.
    """
    fault = _shape_fault(world, command)
    if fault is not None:
        return fault
    slot = instrument_slot(command.instrument)
    position_slot = find_position(world, command.account, slot)
    position_lots = world.positions[position_slot].lots if position_slot else 0
    lots = command.lots
    if command.reduce_only:
        lots = min(lots, matching.reducible_lots(position_lots, command.side))
    fault = _book_fault(world, command, slot, lots) or _room_fault(
        world, command, slot, position_slot, lots
    )
    if fault is not None:
        return fault
    if not _is_covered(world, command, slot, lots):
        return Reject.INSUFFICIENT_MARGIN
    _execute(world, command, slot, position_slot, lots)
    return None


def _shape_fault(world: World, command: Place) -> Reject | None:
    """Instrument, price, size, value and fee, by themselves."""
    slot = instrument_slot(command.instrument)
    if slot not in world.instruments:
        return Reject.INSTRUMENT_NOT_FOUND
    instrument = world.instruments[slot]
    if command.instrument >> 16 != instrument.generation & 0xFFFF or not instrument.kind:
        return Reject.INSTRUMENT_NOT_FOUND
    if instrument.expiry_ns and world.header.window_ns >= instrument.expiry_ns:
        return Reject.INSTRUMENT_EXPIRED
    if not 1 <= command.price_ticks < 1 << PRICE_TICKS_BITS:
        return Reject.PRICE_OUT_OF_RANGE
    if not 1 <= command.lots <= ORDER_LOTS_MAX:
        return Reject.LOTS_OUT_OF_RANGE
    if command.price_ticks * command.lots * instrument.tick_value_atoms > ORDER_VALUE_ATOMS_MAX:
        return Reject.VALUE_OUT_OF_RANGE
    if max(instrument.maker_fee_ppm, instrument.taker_fee_ppm) > command.max_fee_ppm:
        return Reject.FEE_ABOVE_MAX
    if world.risk_arrays[slot].marked_ns == 0:
        return Reject.MARK_MISSING
    return None if is_combination_valid(command) else Reject.ORDER_COMBINATION_INVALID


def is_immediate(command: Place) -> bool:
    """Whether nothing of the order may rest."""
    return command.time_in_force in (TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL)


def is_combination_valid(command: Place) -> bool:
    """Whether a market order is immediate, and a post-only one is not."""
    if command.order_type == OrderType.MARKET and not is_immediate(command):
        return False
    return not (command.post_only and is_immediate(command))


def _book_fault(world: World, command: Place, slot: int, lots: int) -> Reject | None:
    """What position and book say against the order; reduce-only `lots` are already clipped."""
    if lots == 0:
        return Reject.REDUCE_ONLY_WOULD_INCREASE
    if command.post_only and _would_cross(world, command, slot):
        return Reject.POST_ONLY_WOULD_CROSS
    if command.time_in_force == TimeInForce.FILL_OR_KILL:
        taker = _taker(command, NO_SLOT, slot, lots)
        return None if would_fill(world, taker) else Reject.WOULD_NOT_FILL
    return None


def _taker(command: Place, position_slot: int, slot: int, lots: int) -> Taker:
    return Taker(
        command.account, position_slot, slot, command.side, command.price_ticks, lots,
        command.max_fee_ppm, command.nonce, command.self_trade_prevention, command.group,
    )  # fmt: skip


def _room_fault(
    world: World, command: Place, slot: int, position_slot: int, lots: int
) -> Reject | None:
    """Limits of the account and of the arenas, asked for the worst case that the order may need."""
    account = world.accounts[command.account]
    if not is_immediate(command) and account.orders_resident >= ORDERS_PER_ACCOUNT_MAX:
        return Reject.ORDER_LIMIT
    if not position_slot and account.positions_count >= INSTRUMENTS_PER_ACCOUNT_MAX:
        return Reject.INSTRUMENT_LIMIT
    held = world.positions[position_slot] if position_slot else None
    buys, sells, _ = open_orders(account, held) if held else (0, 0, 0)
    held_lots = held.lots if held else 0
    reach = held_lots + buys if command.side == Side.BUY else sells - held_lots
    if reach + lots > POSITION_LOTS_MAX:
        return Reject.POSITION_LIMIT
    has_room = (
        world.positions.has_room(1)
        and world.orders.has_room(1)
        and world.levels.has_room(1)
        and world.nodes.has_room(NODES_PER_ORDER)
    )
    return None if has_room else Reject.ARENA_FULL


def _would_cross(world: World, command: Place, slot: int) -> bool:
    """Whether the limit reaches an opposite level. Dead orders count until they are swept."""
    level_slot = book.best_level(world, world.instruments[slot], book.opposite(command.side))
    if not level_slot:
        return False
    return book.crosses(command.side, command.price_ticks, world.levels[level_slot].price_ticks)


def _is_covered(world: World, command: Place, slot: int, lots: int) -> bool:
    """Whether margin lets the order in: covered as a whole, or reducing and unable to rest else."""
    instrument = world.instruments[slot]
    fee = margin.fee_per_lot_up(instrument, command.price_ticks, command.max_fee_ppm)
    adverse = margin.adverse_per_lot(world, slot, command.side, command.price_ticks)
    reserve = max(0, adverse) + fee
    if margin.covers_order(world, command.account, slot, command.side, lots, reserve):
        return True
    if not is_immediate(command) and not command.reduce_only:
        return False
    return margin.is_reducing(world, command.account, slot, command.side, lots, adverse + fee)


def _execute(world: World, command: Place, slot: int, position_slot: int, lots: int) -> None:
    """Trade, then rest or end; nothing can be refused any more."""
    if not position_slot:
        position_slot = open_position(world, command.account, slot)
    taker = _taker(command, position_slot, slot, lots)
    removal = matching.match(world, taker)
    if removal is None and is_immediate(command):
        removal = Removal.IMMEDIATE
    if taker.lots and removal is not None:
        assert command.time_in_force != TimeInForce.FILL_OR_KILL, "all of it would have filled"
        _emit_rest_removed(world, command, taker.lots, removal)
    elif taker.lots:
        _rest(world, command, world.instruments[slot], taker)
    release_position(world, position_slot)


def _rest(world: World, command: Place, instrument: InstrumentRecord, taker: Taker) -> None:
    slot, order = world.orders.allocate()
    order.account = command.account
    order.position = taker.position
    order.instrument = taker.instrument
    order.price_ticks = command.price_ticks
    order.side = command.side
    order.time_in_force = command.time_in_force
    order.flags = command.flags
    order.self_trade_prevention = command.self_trade_prevention
    order.lots_remaining = taker.lots
    order.lots_original = command.lots
    fee = margin.fee_per_lot_up(instrument, command.price_ticks, command.max_fee_ppm)
    adverse = margin.adverse_per_lot(world, taker.instrument, command.side, command.price_ticks)
    order.reserve_per_lot_atoms = max(0, adverse) + fee
    order.order_epoch = world.accounts[command.account].order_epoch
    order.max_fee_ppm = command.max_fee_ppm
    order.expires_ns = command.expires_ns
    order.nonce = command.nonce
    order.seq = world.header.seq
    order.label = command.label
    order.group = command.group
    book.rest_order(world, slot)


def _emit_rest_removed(world: World, command: Place, lots: int, removal: Removal) -> None:
    world.emit(
        OrderRemoved(
            0, command.account, command.instrument, command.side, command.price_ticks, lots,
            command.nonce, removal,
        )
    )  # fmt: skip


def cancel(world: World, command: Cancel) -> Reject | None:
    """Remove one resting order. Rejects ORDER_NOT_FOUND, ORDER_NOT_OWNED."""
    slot = order_slot(command.order)
    if slot not in world.orders:
        return Reject.ORDER_NOT_FOUND
    order = world.orders[slot]
    if order.generation != command.order >> 32 or not order.account or book.is_dead(world, order):
        return Reject.ORDER_NOT_FOUND
    if order.account != command.account:
        return Reject.ORDER_NOT_OWNED
    position_slot = order.position
    book.remove_order(world, slot, Removal.CANCELLED)
    release_position(world, position_slot)
    return None


def cancel_all(world: World, command: CancelAll) -> None:
    """End every order of the account by raising its epoch; remove the first 32 records at once."""
    account = world.accounts.edit(command.account)
    account.order_epoch = (account.order_epoch + 1) & EPOCH_MASK
    account.orders_live = 0
    world.emit(OrdersCancelled(command.account, account.order_epoch))
    sweep(world, command.account)


def tick(world: World, command: Tick) -> Reject | None:
    """Let time pass; sweep dead orders of the account named, if any. Rejects ACCOUNT_NOT_FOUND."""
    if command.account == 0:
        return None
    if not world.account_exists(command.account):
        return Reject.ACCOUNT_NOT_FOUND
    sweep(world, command.account)
    return None


def sweep(world: World, account: int) -> None:
    """Remove up to 32 dead orders: the oldest of the account, so the first of its list."""
    for _ in range(REMOVALS_PER_TICK_MAX):
        slot = world.accounts[account].orders_head
        if slot == 0 or not book.is_dead(world, world.orders[slot]):
            return
        position_slot = world.orders[slot].position
        book.remove_order(world, slot, Removal.EPOCH)
        release_position(world, position_slot)
