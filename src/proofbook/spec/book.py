"""The order book: what it takes to put an order in, to make it smaller, and to take it out.

Levels are in a trie by price, orders in a queue at each level, so that price and time decide; and
in a list of their account, so that it can be swept. A position counts what its orders could add to
it and what they reserve, so that margin need not look into the book.
"""

from proofbook.protocol.commands import QUOTE_FLAG
from proofbook.protocol.events import OrderReduced, OrderRemoved, OrderRested
from proofbook.protocol.identifiers import instrument_id, order_id
from proofbook.protocol.limits import AuctionPhase, Removal, Side
from proofbook.protocol.records import InstrumentRecord, OrderRecord, PositionRecord
from proofbook.spec import funding, ladder, leg_holds, trie
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.positions import renew
from proofbook.spec.world import World


def rest_order(world: World, slot: int) -> None:
    """Put an order, filled in but for its links, at the end of its level and account's list."""
    order = world.orders.edit(slot)
    funding.accrue(world, order.instrument)
    _join_level(world, slot, order)
    _join_account(world, slot, order)
    position = world.positions.edit(order.position)
    renew(position, order.order_epoch)
    if order.side == Side.BUY:
        position.open_buy_lots += order.lots_remaining
    else:
        position.open_sell_lots += order.lots_remaining
    position.order_reserve_atoms += order.lots_remaining * order.reserve_per_lot_atoms
    position.orders_resident += 1
    world.instruments.edit(order.instrument).active_ns = world.header.window_ns
    leg_holds.hold(world, order.account, order.instrument)
    leg_holds.count(world, order, order.lots_remaining)
    world.emit(
        OrderRested(
            order_id(slot, order.generation), order.account, order_instrument_id(world, order),
            order.side, order.price_ticks, order.lots_remaining, order.nonce, order.label,
        )
    )  # fmt: skip


def _join_level(world: World, slot: int, order: OrderRecord) -> None:
    instrument = world.instruments.edit(order.instrument)
    root = instrument.bids_root if order.side == Side.BUY else instrument.asks_root
    level_slot = trie.find(world.nodes, root, order.price_ticks, trie.PRICE_DEPTH)
    if level_slot == NO_SLOT:
        level_slot, level = world.levels.allocate()
        level.price_ticks = order.price_ticks
        level.head = slot
        root = trie.insert(world.nodes, root, order.price_ticks, trie.PRICE_DEPTH, level_slot)
        set_root(instrument, order.side, root)
    else:
        level = world.levels.edit(level_slot)
        order.previous_in_level = level.tail
        world.orders.edit(level.tail).next_in_level = slot
    level.tail = slot
    level.orders += 1
    level.lots += order.lots_remaining
    order.level = level_slot


def set_root(instrument: InstrumentRecord, side: int, root: int) -> None:
    if side == Side.BUY:
        instrument.bids_root = root
    else:
        instrument.asks_root = root


def _join_account(world: World, slot: int, order: OrderRecord) -> None:
    account = world.accounts.edit(order.account)
    order.previous_in_account = account.orders_tail
    if account.orders_tail:
        world.orders.edit(account.orders_tail).next_in_account = slot
    else:
        account.orders_head = slot
    account.orders_tail = slot
    account.orders_live += 1
    account.orders_resident += 1


def reduce_order(world: World, slot: int, lots: int) -> None:
    """Take filled or cancelled lots out of an order, its level and what its position reserves."""
    order = world.orders.edit(slot)
    funding.accrue(world, order.instrument)
    order.lots_remaining -= lots
    world.levels.edit(order.level).lots -= lots
    if world.instruments[order.instrument].auction_phase == AuctionPhase.PRICING:
        restart_auction(world.instruments.edit(order.instrument), AuctionPhase.PRICING)
    if ladder.is_epoch_over(world, order):
        return
    position = world.positions.edit(order.position)
    if order.side == Side.BUY:
        position.open_buy_lots -= lots
    else:
        position.open_sell_lots -= lots
    position.order_reserve_atoms -= lots * order.reserve_per_lot_atoms
    leg_holds.count(world, order, -lots)


def restart_auction(instrument: InstrumentRecord, phase: AuctionPhase) -> None:
    """Put an auction at the beginning of a phase. A search goes stale when an order leaves."""
    instrument.auction_phase = phase
    instrument.auction_bid = instrument.auction_ask = 0
    instrument.auction_bid_lots = instrument.auction_ask_lots = 0
    instrument.auction_high_ticks = instrument.auction_ticks = 0


def remove_order(world: World, slot: int, removal: Removal) -> None:
    """Take an order with lots left out of the book and say why."""
    order = world.orders[slot]
    world.emit(
        OrderRemoved(
            order_id(slot, order.generation), order.account, order_instrument_id(world, order),
            order.side, order.price_ticks, order.lots_remaining, order.nonce, removal,
        )
    )  # fmt: skip
    reduce_order(world, slot, order.lots_remaining)
    unlink_order(world, slot)


def decrement_order(world: World, slot: int, lots: int, removal: Removal) -> None:
    """Take lots out of an order without a trade, and the order out of the book if none are left."""
    order = world.orders[slot]
    if lots == order.lots_remaining:
        remove_order(world, slot, removal)
        return
    world.emit(
        OrderReduced(
            order_id(slot, order.generation), order.account, order_instrument_id(world, order),
            order.side, order.price_ticks, lots, order.nonce, removal,
        )
    )  # fmt: skip
    reduce_order(world, slot, lots)


def unlink_order(world: World, slot: int) -> None:
    """Free an order that has no lots left, with its level if that is empty. Its position stays."""
    order = world.orders[slot]
    _leave_level(world, order)
    account = world.accounts.edit(order.account)
    account.orders_live -= not ladder.is_epoch_over(world, order)
    account.orders_resident -= 1
    before, after = order.previous_in_account, order.next_in_account
    if before:
        world.orders.edit(before).next_in_account = after
    else:
        account.orders_head = after
    if after:
        world.orders.edit(after).previous_in_account = before
    else:
        account.orders_tail = before
    position = world.positions.edit(order.position)
    position.orders_resident -= 1
    if is_quote(order):
        set_quote(position, order.side, NO_SLOT)
    leg_holds.drop(world, order.account, order.instrument)
    world.orders.free(slot)


def is_quote(order: OrderRecord) -> bool:
    return bool(order.flags & QUOTE_FLAG)


def quote_of(position: PositionRecord, side: int) -> int:
    """Return the order that is the account's quote of a side, or 0."""
    return position.bid_quote if side == Side.BUY else position.ask_quote


def set_quote(position: PositionRecord, side: int, order_slot: int) -> None:
    if side == Side.BUY:
        position.bid_quote = order_slot
    else:
        position.ask_quote = order_slot


def _leave_level(world: World, order: OrderRecord) -> None:
    level = world.levels.edit(order.level)
    before, after = order.previous_in_level, order.next_in_level
    if before:
        world.orders.edit(before).next_in_level = after
    else:
        level.head = after
    if after:
        world.orders.edit(after).previous_in_level = before
    else:
        level.tail = before
    level.orders -= 1
    if level.orders == 0:
        instrument = world.instruments.edit(order.instrument)
        root = instrument.bids_root if order.side == Side.BUY else instrument.asks_root
        root = trie.remove(world.nodes, root, order.price_ticks, trie.PRICE_DEPTH)
        set_root(instrument, order.side, root)
        world.levels.free(order.level)


def order_instrument_id(world: World, order: OrderRecord) -> int:
    return instrument_id(order.instrument, world.instruments[order.instrument].generation)
