"""Auctions: orders that have gathered in a crossed book all trade at one price.

Orders gather before a book opens, and in one that trades in batches between two auctions. The
price is the one at which most lots can trade; of several the nearest to the mark, then the lower.
It is found by adding up bids from the highest down and asks from the lowest up, always on the side
with fewer lots so far, until the next order no longer reaches the other side. Then the best bid
trades with the best ask at that price, and so on. Each Uncross takes a bounded number of steps, and
the next one goes on from there. No order comes in meanwhile, and one that leaves makes the search
begin anew.
"""

from proofbook.protocol.commands import Uncross
from proofbook.protocol.events import AuctionEnded, AuctionFilled, AuctionPriced
from proofbook.protocol.identifiers import instrument_id, order_id
from proofbook.protocol.limits import (
    AUCTION_STEPS_MAX,
    FEE_ACCOUNT,
    NS_PER_MS,
    AuctionPhase,
    InstrumentMode,
    Reject,
    Removal,
    SelfTradePrevention,
    Side,
)
from proofbook.protocol.records import InstrumentRecord, OrderRecord
from proofbook.spec import book, combos, funding, ladder, states, trie
from proofbook.spec.accounts import add_cash
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.backing import Effort, can_bear, is_free
from proofbook.spec.matching import (
    burden_at,
    is_self_trade,
    maker_fee_up,
    remove_over,
    remove_untradable,
    take_filled,
    tradable_lots,
)
from proofbook.spec.positions import release_position
from proofbook.spec.prices import mark_atoms, value_per_lot
from proofbook.spec.world import World


def uncross(world: World, command: Uncross) -> Reject | None:
    """Take the next 32 steps of the auction that runs or is due, fewer once the effort is spent.

    Rejects  INSTRUMENT_NOT_FOUND, INSTRUMENT_EXPIRED; INSTRUMENT_STATE if the book does not trade
             now; AUCTION_NOT_DUE if no auction runs and none may begin.
    """
    slot = states.find_instrument(world, command.instrument)
    if not slot:
        return Reject.INSTRUMENT_NOT_FOUND
    instrument = world.instruments[slot]
    if states.is_expired(world, instrument):
        return Reject.INSTRUMENT_EXPIRED
    if not states.trades(world, slot):
        return Reject.INSTRUMENT_STATE
    is_running = instrument.auction_phase != AuctionPhase.NONE
    if not is_running and not is_due(world, instrument):
        return Reject.AUCTION_NOT_DUE
    funding.accrue(world, slot)
    if not is_running:
        book.restart_auction(world.instruments.edit(slot), AuctionPhase.PRICING)
    effort = Effort()
    for _ in range(AUCTION_STEPS_MAX):
        if instrument.auction_phase == AuctionPhase.PRICING:
            _price_step(world, slot)
        elif instrument.auction_phase == AuctionPhase.FILLING and not effort.is_spent:
            _fill_step(world, slot, effort)
    return None


def is_due(world: World, instrument: InstrumentRecord) -> bool:
    """Whether a batch auction may begin: its time has come and a bid reaches an ask."""
    is_time = world.header.window_ns >= instrument.auction_next_ns
    is_batched = instrument.mode == InstrumentMode.BATCH_AUCTION
    return is_batched and is_time and ladder.is_crossed(world, instrument)


# The price


def _price_step(world: World, slot: int) -> None:
    """Add the next order of the side with fewer lots so far, or conclude that none reaches."""
    instrument = world.instruments.edit(slot)
    is_bid = instrument.auction_bid_lots <= instrument.auction_ask_lots
    order_slot = _next_order(world, instrument, Side.BUY if is_bid else Side.SELL)
    if not order_slot or not _reaches(world, instrument, world.orders[order_slot]):
        _conclude(world, slot)
        return
    order = world.orders[order_slot]
    if not is_tradable(world, order):
        _drop_in_search(world, instrument, order_slot)
    elif is_bid:
        # From the last ask to this bid all prices trade as many lots.
        if instrument.auction_bid_lots < instrument.auction_ask_lots:
            instrument.auction_high_ticks = order.price_ticks
        instrument.auction_bid = order_slot
        instrument.auction_bid_lots += tradable_lots(world, order)
    else:
        instrument.auction_high_ticks = world.orders[instrument.auction_bid].price_ticks
        instrument.auction_ask = order_slot
        instrument.auction_ask_lots += tradable_lots(world, order)


def _next_order(world: World, instrument: InstrumentRecord, side: Side) -> int:
    """Return the order after the last one that was added, 0 at the end of the side."""
    is_bid = side == Side.BUY
    last_slot = instrument.auction_bid if is_bid else instrument.auction_ask
    if last_slot == NO_SLOT:
        level_slot = ladder.best_level(world, instrument, side)
    else:
        last = world.orders[last_slot]
        if last.next_in_level:
            return last.next_in_level
        root, neighbour = (
            (instrument.bids_root, trie.below) if is_bid else (instrument.asks_root, trie.above)
        )
        level_slot = neighbour(world.nodes, root, last.price_ticks, trie.PRICE_DEPTH)
    return world.levels[level_slot].head if level_slot else NO_SLOT


def _reaches(world: World, instrument: InstrumentRecord, order: OrderRecord) -> bool:
    """Whether an order reaches the last one that was added on the other side, or its best."""
    is_bid = order.side == Side.BUY
    facing_slot = instrument.auction_ask if is_bid else instrument.auction_bid
    if facing_slot:
        facing_ticks = world.orders[facing_slot].price_ticks
    else:
        level_slot = ladder.best_level(world, instrument, ladder.opposite(Side(order.side)))
        if not level_slot:
            return False
        facing_ticks = world.levels[level_slot].price_ticks
    return ladder.crosses(Side(order.side), order.price_ticks, facing_ticks)


def _drop_in_search(world: World, instrument: InstrumentRecord, order_slot: int) -> None:
    """Remove an order that was not added, without beginning the search anew."""
    cursor = (
        instrument.auction_bid, instrument.auction_ask, instrument.auction_bid_lots,
        instrument.auction_ask_lots, instrument.auction_high_ticks,
    )  # fmt: skip
    _drop(world, order_slot)
    (
        instrument.auction_bid, instrument.auction_ask, instrument.auction_bid_lots,
        instrument.auction_ask_lots, instrument.auction_high_ticks,
    ) = cursor  # fmt: skip


def _conclude(world: World, slot: int) -> None:
    """Fix the price, or end the auction if nothing can trade."""
    instrument = world.instruments.edit(slot)
    if not instrument.auction_ask:
        _end(world, slot)
        return
    low_ticks = world.orders[instrument.auction_ask].price_ticks
    mark_above_lowest = mark_atoms(world, slot) - value_per_lot(instrument, 0)
    lots = min(instrument.auction_bid_lots, instrument.auction_ask_lots)
    ticks = nearest_ticks(
        mark_above_lowest, instrument.tick_value_atoms, low_ticks, instrument.auction_high_ticks
    )
    book.restart_auction(instrument, AuctionPhase.FILLING)
    instrument.auction_ticks = ticks
    world.emit(AuctionPriced(instrument_id(slot, instrument.generation), ticks, lots))


def nearest_ticks(mark: int, tick_value_atoms: int, low_ticks: int, high_ticks: int) -> int:
    """Return the price from low to high that is nearest to the mark; of two the lower.

    The mark is in atoms above the price of 0 ticks.
    """
    below = mark // tick_value_atoms
    is_above_half = 2 * (mark - below * tick_value_atoms) > tick_value_atoms
    return max(low_ticks, min(high_ticks, below + is_above_half))


# The fills


def _fill_step(world: World, slot: int, effort: Effort) -> None:
    """Let the best bid meet the best ask; end, or look for a new price, if they cannot."""
    instrument = world.instruments.edit(slot)
    if not ladder.is_crossed(world, instrument):
        _end(world, slot)
        return
    bid_slot, ask_slot = (
        world.levels[ladder.best_level(world, instrument, side)].head for side in Side
    )
    bid, ask = world.orders[bid_slot], world.orders[ask_slot]
    for order_slot in (bid_slot, ask_slot):
        if not is_tradable(world, world.orders[order_slot]):
            _drop(world, order_slot)
            book.restart_auction(instrument, AuctionPhase.PRICING)
            return
    if not ask.price_ticks <= instrument.auction_ticks <= bid.price_ticks:
        book.restart_auction(instrument, AuctionPhase.PRICING)
    elif is_self_trade(world, bid, ask):
        _prevent_self_trade(world, bid_slot, ask_slot)
    elif not _drop_unbacked(world, instrument, (bid_slot, ask_slot), effort):
        _fill(world, slot, bid_slot, ask_slot)


def _drop_unbacked(
    world: World, instrument: InstrumentRecord, slots: tuple[int, int], effort: Effort
) -> bool:
    """Remove the first order whose account cannot pay for the trade; look for a new price then."""
    lots = tradable_in_both(world, *slots)
    for order_slot in slots:
        order = world.orders[order_slot]
        burden = burden_at(world, order, lots, instrument.auction_ticks)
        if not is_free(world, order, burden) and not can_bear(world, order, burden, effort):
            position_slot = order.position
            book.remove_order(world, order_slot, Removal.UNBACKED)
            release_position(world, position_slot)
            book.restart_auction(instrument, AuctionPhase.PRICING)
            return True
    return False


def tradable_in_both(world: World, bid_slot: int, ask_slot: int) -> int:
    """Return the lots that two orders may trade with each other."""
    return min(tradable_lots(world, world.orders[slot]) for slot in (bid_slot, ask_slot))


def is_tradable(world: World, order: OrderRecord) -> bool:
    """Whether at least one lot of an order may trade."""
    return not ladder.is_over(world, order) and tradable_lots(world, order) > 0


def _drop(world: World, order_slot: int) -> None:
    """Remove an order of which nothing may trade."""
    position_slot = world.orders[order_slot].position
    if ladder.is_over(world, world.orders[order_slot]):
        remove_over(world, order_slot)
    else:
        remove_untradable(world, order_slot)
    release_position(world, position_slot)


def _prevent_self_trade(world: World, bid_slot: int, ask_slot: int) -> None:
    """Do what the later order's mode says instead of a trade with oneself."""
    bid, ask = world.orders[bid_slot], world.orders[ask_slot]
    earlier, later = (ask_slot, bid_slot) if bid.seq > ask.seq else (bid_slot, ask_slot)
    mode = world.orders[later].self_trade_prevention
    positions = {bid.position: None, ask.position: None}
    if mode == SelfTradePrevention.DECREMENT:
        lots = min(bid.lots_remaining, ask.lots_remaining)
        for order_slot in (bid_slot, ask_slot):
            book.decrement_order(world, order_slot, lots, Removal.SELF_TRADE)
    if mode in (SelfTradePrevention.CANCEL_MAKER, SelfTradePrevention.CANCEL_BOTH):
        book.remove_order(world, earlier, Removal.SELF_TRADE)
    if mode in (SelfTradePrevention.CANCEL_TAKER, SelfTradePrevention.CANCEL_BOTH):
        book.remove_order(world, later, Removal.SELF_TRADE)
    for position_slot in positions:
        release_position(world, position_slot)


def _fill(world: World, slot: int, bid_slot: int, ask_slot: int) -> None:
    """Trade at the auction's price; both sides pay the fee of a maker, both having rested."""
    instrument = world.instruments.edit(slot)
    bid, ask = world.orders[bid_slot], world.orders[ask_slot]
    ticks = instrument.auction_ticks
    lots = tradable_in_both(world, bid_slot, ask_slot)
    per_lot = value_per_lot(instrument, ticks)
    value_atoms = lots * per_lot
    paid = [maker_fee_up(world, order, value_atoms) for order in (bid, ask)]
    combos.trade_position(world, bid.position, lots, value_atoms)
    combos.trade_position(world, ask.position, -lots, -value_atoms)
    for order, fee in zip((bid, ask), paid, strict=True):
        add_cash(world, order.account, -fee)
    add_cash(world, FEE_ACCOUNT, sum(paid))
    instrument.last_price_ticks = ticks
    instrument.active_ns = world.header.window_ns
    world.emit(
        AuctionFilled(
            instrument_id(slot, instrument.generation), ticks, lots,
            order_id(bid_slot, bid.generation), order_id(ask_slot, ask.generation),
            bid.account, ask.account, *paid,
        )
    )  # fmt: skip
    combos.emit_legs(world, slot, (bid.account, ask.account), lots, per_lot)
    for order_slot in (bid_slot, ask_slot):
        position_slot = world.orders[order_slot].position
        take_filled(world, order_slot, lots)
        release_position(world, position_slot)


def _end(world: World, slot: int) -> None:
    instrument = world.instruments.edit(slot)
    book.restart_auction(instrument, AuctionPhase.NONE)
    if instrument.mode == InstrumentMode.BATCH_AUCTION:
        interval_ns = instrument.auction_interval_ms * NS_PER_MS
        instrument.auction_next_ns = world.header.window_ns + interval_ns
    world.emit(AuctionEnded(instrument_id(slot, instrument.generation)))
