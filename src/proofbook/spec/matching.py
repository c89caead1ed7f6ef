"""Matching: an order that arrives, the taker, trades with those that rest, the makers.

It meets the best price first, and at one price the oldest order, and trades at the maker's price. A
maker that may not trade is taken out of its way: an order that is over, one of the taker's own, one
whose protection has no room, one that would no longer reduce, one whose account cannot pay. A
command looks at a bounded number of makers; what is left of the taker then is cancelled.
"""

from dataclasses import dataclass, field

from proofbook.protocol.commands import REDUCE_ONLY_FLAG
from proofbook.protocol.events import Filled
from proofbook.protocol.identifiers import instrument_id, order_id
from proofbook.protocol.limits import (
    FEE_ACCOUNT,
    FILLS_PER_COMMAND_MAX,
    FRACTION_ONE_PPM,
    Removal,
    SelfTradePrevention,
    Side,
)
from proofbook.protocol.records import OrderRecord
from proofbook.spec import book, combos, fees, ladder, protections
from proofbook.spec.accounts import add_cash
from proofbook.spec.backing import Burden, Effort, burden_of, can_bear, is_free
from proofbook.spec.positions import release_position
from proofbook.spec.prices import value_per_lot
from proofbook.spec.rounding import ceil_div
from proofbook.spec.world import World


@dataclass(slots=True)
class Taker:
    """An order on its way through the book; `lots` is what is left of it.

    `is_liquidation`: it meets no order of its owner, in whichever of his accounts. `refused`: for a
    fill-or-kill order, the makers who could not pay, known before it trades. `is_effort_spent`: it
    may look at no more makers' equity, and met another one.
    """

    account: int
    position: int
    instrument: int
    side: Side
    price_ticks: int
    lots: int
    max_fee_ppm: int
    nonce: int
    self_trade_prevention: SelfTradePrevention
    group: int
    is_cancelled: bool = False
    is_liquidation: bool = False
    refused: frozenset[int] | None = None
    effort: Effort = field(default_factory=Effort)
    is_effort_spent: bool = False


def match(world: World, taker: Taker) -> Removal | None:
    """Fill the taker against the book; return what took the rest of it away, or None."""
    for _ in range(FILLS_PER_COMMAND_MAX):
        maker_slot = next_maker(world, taker)
        if taker.lots == 0 or maker_slot == 0:
            return None
        meet(world, taker, maker_slot)
        if taker.is_cancelled:
            return Removal.SELF_TRADE
        if taker.is_effort_spent:
            return Removal.FILL_LIMIT
    is_cut_short = taker.lots > 0 and next_maker(world, taker) != 0
    return Removal.FILL_LIMIT if is_cut_short else None


def next_maker(world: World, taker: Taker) -> int:
    """Return the order that the taker meets next, if its limit reaches that far, or 0."""
    instrument = world.instruments[taker.instrument]
    level_slot = ladder.best_level(world, instrument, ladder.opposite(taker.side))
    if level_slot == 0 or not ladder.crosses(
        taker.side, taker.price_ticks, world.levels[level_slot].price_ticks
    ):
        return 0
    return world.levels[level_slot].head


def meet(world: World, taker: Taker, maker_slot: int) -> None:
    """Trade with one maker, or take it out of the way if it may not trade."""
    maker = world.orders[maker_slot]
    position_slot = maker.position
    lots = min(taker.lots, tradable_lots(world, maker))
    if ladder.is_over(world, maker):
        remove_over(world, maker_slot)
    elif may_not_meet(world, taker, maker):
        prevent_self_trade(world, taker, maker_slot)
    elif lots == 0:
        remove_untradable(world, maker_slot)
    else:
        fill_if_backed(world, taker, maker_slot, lots)
    if position_slot != taker.position:
        release_position(world, position_slot)


def remove_over(world: World, slot: int) -> None:
    """Remove an order that has ended and say what ended it."""
    order = world.orders[slot]
    is_dead = ladder.is_dead(world, order)
    book.remove_order(world, slot, ladder.end_of(world, order) if is_dead else Removal.EXPIRED)


def is_self_trade(world: World, one: Taker | OrderRecord, other: OrderRecord) -> bool:
    """Whether both orders are of one account, or of one owner and one group other than 0."""
    if one.account == other.account:
        return True
    owners = world.accounts[one.account].owner, world.accounts[other.account].owner
    return one.group != 0 and one.group == other.group and owners[0] == owners[1]


def may_not_meet(world: World, taker: Taker, maker: OrderRecord) -> bool:
    """Whether the taker may not trade with an order, since nobody may trade with himself.

    An owner meets his own liquidation in none of his accounts: he could buy back there, at the
    worst price, what it takes from him.
    """
    if not taker.is_liquidation:
        return is_self_trade(world, taker, maker)
    return world.accounts[taker.account].owner == world.accounts[maker.account].owner


def prevent_self_trade(world: World, taker: Taker, maker_slot: int) -> None:
    """Do what the taker's mode says instead of a trade with oneself."""
    mode = taker.self_trade_prevention
    if mode == SelfTradePrevention.DECREMENT:
        lots = min(taker.lots, world.orders[maker_slot].lots_remaining)
        taker.lots -= lots
        book.decrement_order(world, maker_slot, lots, Removal.SELF_TRADE)
        return
    taker.is_cancelled = mode != SelfTradePrevention.CANCEL_MAKER
    if mode != SelfTradePrevention.CANCEL_TAKER:
        book.remove_order(world, maker_slot, Removal.SELF_TRADE)


def tradable_lots(world: World, maker: OrderRecord) -> int:
    """Return the lots that a resting order may trade.

    Reduce-only, what it can reduce; under a protection, what that has room for.
    """
    lots = maker.lots_remaining
    if maker.flags & REDUCE_ONLY_FLAG:
        lots = min(lots, reducible_lots(world.positions[maker.position].lots, maker.side))
    if maker.protection:
        lots = min(lots, protections.room_lots(world, maker))
    return lots


def remove_untradable(world: World, maker_slot: int) -> None:
    """Remove an order of which not one lot may trade, and freeze its protection if that is why."""
    maker = world.orders[maker_slot]
    if maker.protection and protections.room_lots(world, maker) == 0:
        protections.freeze(world, protections.of_order(world, maker))
        book.remove_order(world, maker_slot, Removal.PROTECTION)
    else:
        book.remove_order(world, maker_slot, Removal.REDUCE_ONLY)


def fill_if_backed(world: World, taker: Taker, maker_slot: int, lots: int) -> None:
    """Trade, unless that would cost the maker what its account cannot pay: then its order goes."""
    maker = world.orders[maker_slot]
    burden = burden_at(world, maker, lots, maker.price_ticks)
    if taker.refused is not None:
        is_backed = maker_slot not in taker.refused
    elif is_free(world, maker, burden):
        is_backed = True
    elif taker.effort.is_spent:
        taker.is_effort_spent = True
        return
    else:
        is_backed = can_bear(world, maker, burden, taker.effort)
    if is_backed:
        fill(world, taker, maker_slot, lots)
    else:
        book.remove_order(world, maker_slot, Removal.UNBACKED)


def burden_at(world: World, order: OrderRecord, lots: int, price_ticks: int) -> Burden:
    """Return what a fill of a resting order at a price would be to its account."""
    value_atoms = lots * value_per_lot(world.instruments[order.instrument], price_ticks)
    fee_atoms = maker_fee_up(world, order, value_atoms)
    return burden_of(world, order, lots, price_ticks, fee_atoms)


def reducible_lots(position_lots: int, side: int) -> int:
    """Return by how many lots an order of a side can shrink a position; 0 if it would grow it."""
    return max(0, -position_lots if side == Side.BUY else position_lots)


def fill(world: World, taker: Taker, maker_slot: int, lots: int) -> None:
    """Trade lots at the maker's price: positions, value, fees, and the maker's remaining order."""
    maker = world.orders[maker_slot]
    instrument = world.instruments.edit(taker.instrument)
    per_lot = value_per_lot(instrument, maker.price_ticks)
    value_atoms = lots * per_lot
    taker_ppm = fees.taker_fee_ppm(world, taker.account, taker.instrument)
    maker_fee = maker_fee_up(world, maker, value_atoms)
    taker_fee = fee_up(abs(value_atoms), min(taker_ppm, taker.max_fee_ppm))
    taker_sign = 1 if taker.side == Side.BUY else -1
    for position_slot, sign in ((taker.position, taker_sign), (maker.position, -taker_sign)):
        combos.trade_position(world, position_slot, sign * lots, sign * value_atoms)
    add_cash(world, taker.account, -taker_fee)
    add_cash(world, maker.account, -maker_fee)
    add_cash(world, FEE_ACCOUNT, maker_fee + taker_fee)
    instrument.last_price_ticks = maker.price_ticks
    instrument.active_ns = world.header.window_ns
    taker.lots -= lots
    world.emit(
        Filled(
            instrument_id(taker.instrument, instrument.generation), maker.price_ticks, lots,
            order_id(maker_slot, maker.generation), maker.account, taker.account, taker.side,
            maker_fee, taker_fee, taker.nonce,
        )
    )  # fmt: skip
    accounts = taker.account, maker.account
    combos.emit_legs(world, taker.instrument, accounts, taker_sign * lots, per_lot)
    take_filled(world, maker_slot, lots)


def take_filled(world: World, slot: int, lots: int) -> None:
    """Take traded lots out of a resting order, and the order out of the book if it is done."""
    book.reduce_order(world, slot, lots)
    order = world.orders[slot]
    if order.protection:
        protections.count_trade(world, order, lots)
    if order.lots_remaining == 0:
        book.unlink_order(world, slot)
    elif ladder.is_dead(world, order):
        book.remove_order(world, slot, Removal.PROTECTION)
    elif tradable_lots(world, order) == 0:
        book.remove_order(world, slot, Removal.REDUCE_ONLY)


def maker_fee_up(world: World, order: OrderRecord, value_atoms: int) -> int:
    """Return what a resting order pays for a fill of this value. Rounds up."""
    fee_ppm = fees.maker_fee_ppm(world, order.account, order.instrument)
    return fee_up(abs(value_atoms), min(fee_ppm, order.max_fee_ppm))


def fee_up(value_atoms: int, fee_ppm: int) -> int:
    """Return a fee in atoms. Rounds up: against the account."""
    return ceil_div(value_atoms * fee_ppm, FRACTION_ONE_PPM)
