"""Deals: trades of up to four legs between two accounts, outside the books; all legs or none.

A taker accepts a quote that a maker signed at his request, or both sign a block that they agreed on
elsewhere. Nobody else sees the price before: so it must lie in the bands of both sides.
"""

from dataclasses import dataclass

from proofbook.protocol.commands import AcceptQuote, BlockTrade, Leg
from proofbook.protocol.events import BlockTraded, Filled, QuoteAccepted
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    FEE_ACCOUNT,
    ORDER_LOTS_MAX,
    ORDER_VALUE_ATOMS_MAX,
    PRICE_TICKS_BITS,
    Reject,
    Side,
)
from proofbook.spec import breakers, debts, fees, margin, position_limits, trie
from proofbook.spec.accounts import add_cash
from proofbook.spec.margin import Exposure
from proofbook.spec.margin_modes import instruments_max
from proofbook.spec.matching import fee_up
from proofbook.spec.order_terms import instrument_rejection, is_in_band, is_in_stale_band
from proofbook.spec.positions import (
    find_position,
    is_linear,
    open_position,
    release_position,
    trade,
)
from proofbook.spec.prices import is_combo
from proofbook.spec.rules import RULES
from proofbook.spec.world import World


@dataclass(frozen=True, slots=True)
class Share:
    """What one of the two gets of a leg: signed lots, what they cost and the fee, in atoms."""

    instrument: int
    lots: int
    value_atoms: int
    fee_atoms: int


@dataclass(frozen=True, slots=True)
class Deal:
    """A trade of several legs: who takes, who makes, and the highest fee that each accepts."""

    taker: int
    taker_nonce: int
    taker_max_fee_ppm: int
    maker: int
    maker_max_fee_ppm: int
    legs: tuple[Leg, ...]
    is_block: bool = False


def accept_quote(world: World, command: AcceptQuote) -> Reject | None:
    """Trade all legs of a quote between its maker and who accepts it.

    Rejects  COUNTERPARTY_INVALID if the quote is for another account or of the same one; then in
             the order of `_deal_rejection`.
    """
    quote = command.quote
    if quote.taker not in (0, command.account) or quote.account == command.account:
        return Reject.COUNTERPARTY_INVALID
    deal = Deal(
        command.account, command.nonce, command.max_fee_ppm, quote.account, quote.max_fee_ppm,
        quote.legs,
    )  # fmt: skip
    rejection = _deal_rejection(world, deal)
    if rejection is None:
        world.emit(QuoteAccepted(command.account, command.nonce, quote.account, quote.nonce))
        _settle(world, deal)
    return rejection


def block_trade(world: World, command: BlockTrade) -> Reject | None:
    """Trade all legs of a block between the two who signed it.

    Rejects COUNTERPARTY_INVALID if both are one account; then in the order of `_deal_rejection`.
    """
    if command.maker_account == command.account:
        return Reject.COUNTERPARTY_INVALID
    deal = Deal(
        command.account, command.nonce, command.max_fee_ppm,
        command.maker_account, command.max_fee_ppm, command.legs, is_block=True,
    )  # fmt: skip
    rejection = _deal_rejection(world, deal)
    if rejection is None:
        numbers = command.account, command.nonce, command.maker_account, command.maker_nonce
        world.emit(BlockTraded(*numbers))
        _settle(world, deal)
    return rejection


def _deal_rejection(world: World, deal: Deal) -> Reject | None:
    """Return what is wrong with the legs one by one, then with room and margin of both accounts."""
    for leg in deal.legs:
        rejection = _leg_rejection(world, leg, deal)
        if rejection is not None:
            return rejection
    both = (deal.taker, _shares(world, deal, True)), (deal.maker, _shares(world, deal, False))
    nodes = positions = 0
    for account, shares in both:
        opened = _positions_opened(world, account, shares)
        if world.accounts[account].positions_count + opened > instruments_max(world, account):
            return Reject.INSTRUMENT_LIMIT
        if any(_is_beyond_reach(world, account, share) for share in shares):
            return Reject.POSITION_LIMIT
        positions += opened
        nodes += opened * trie.INSTRUMENT_DEPTH
    if any(_is_too_open(world, deal, leg) for leg in deal.legs):
        return Reject.OPEN_INTEREST_LIMIT
    if not (world.positions.has_room(positions) and world.nodes.has_room(nodes)):
        return Reject.ARENA_FULL
    if _is_stopped(world, *both[0]):
        return Reject.BREAKER_TRIPPED
    rejections = [_margin_rejection(world, account, shares) for account, shares in both]
    rejection = rejections[0] or rejections[1]
    if rejection is not None:
        return rejection
    if any(_is_beyond_debt(world, account, shares) for account, shares in both):
        return Reject.DEBT_LIMIT
    return None


def _leg_rejection(world: World, leg: Leg, deal: Deal) -> Reject | None:
    """Return what is wrong with one leg: its instrument, price, size, value, fees, bands, state."""
    rejection = instrument_rejection(world, leg.instrument)
    if rejection is not None:
        return rejection
    slot, lots = instrument_slot(leg.instrument), abs(leg.taker_lots)
    instrument = world.instruments[slot]
    if is_combo(instrument):
        return Reject.KIND_NOT_SUPPORTED
    if not 1 <= leg.price_ticks < 1 << PRICE_TICKS_BITS:
        return Reject.PRICE_OUT_OF_RANGE
    if not 1 <= lots <= ORDER_LOTS_MAX:
        return Reject.LOTS_OUT_OF_RANGE
    if deal.is_block and lots < instrument.block_lots_min:
        return Reject.BLOCK_TOO_SMALL
    if leg.price_ticks * lots * instrument.tick_value_atoms > ORDER_VALUE_ATOMS_MAX:
        return Reject.VALUE_OUT_OF_RANGE
    if (
        fees.taker_fee_ppm(world, deal.taker, slot) > deal.taker_max_fee_ppm
        or fees.maker_fee_ppm(world, deal.maker, slot) > deal.maker_max_fee_ppm
    ):
        return Reject.FEE_ABOVE_MAX
    if world.risk_arrays[slot].marked_ns == 0:
        return Reject.MARK_MISSING
    is_in_both_bands = all(is_in_band(world, slot, side, leg.price_ticks) for side in Side)
    is_shrinking = _shrinks_both(world, deal, slot, leg.taker_lots)
    is_near = is_shrinking or is_in_stale_band(world, slot, leg.price_ticks)
    if not (is_in_both_bands and is_near):
        return Reject.PRICE_OUTSIDE_BAND
    rules = RULES[instrument.state]
    is_taken = rules.any_order or is_shrinking
    return None if rules.trades and is_taken else Reject.INSTRUMENT_STATE


def _shrinks_both(world: World, deal: Deal, slot: int, taker_lots: int) -> bool:
    """Whether the leg only reduces what taker and maker hold."""
    return position_limits.shrinks(world, deal.taker, slot, taker_lots) and position_limits.shrinks(
        world, deal.maker, slot, -taker_lots
    )


def _shares(world: World, deal: Deal, is_taker: bool) -> list[Share]:
    """Return what one of the two takes of each leg."""
    shares: list[Share] = []
    for leg in deal.legs:
        slot = instrument_slot(leg.instrument)
        instrument = world.instruments[slot]
        lots = leg.taker_lots if is_taker else -leg.taker_lots
        value_atoms = leg.price_ticks * lots * instrument.tick_value_atoms
        fee_ppm = (
            fees.taker_fee_ppm(world, deal.taker, slot)
            if is_taker
            else fees.maker_fee_ppm(world, deal.maker, slot)
        )
        shares.append(Share(slot, lots, value_atoms, fee_up(abs(value_atoms), fee_ppm)))
    return shares


def _positions_opened(world: World, account: int, shares: list[Share]) -> int:
    """Return how many records the account lacks for its legs."""
    return sum(not find_position(world, account, share.instrument) for share in shares)


def _is_beyond_reach(world: World, account: int, share: Share) -> bool:
    """Whether position and orders of the leg's side would come to more than an account may hold."""
    return position_limits.is_taking_beyond_reach(world, account, share.instrument, share.lots)


def _is_too_open(world: World, deal: Deal, leg: Leg) -> bool:
    """Whether open interest of the leg's instrument would grow beyond its limit."""
    slot, lots = instrument_slot(leg.instrument), leg.taker_lots
    grown = position_limits.long_growth(world, deal.taker, slot, lots)
    grown += position_limits.long_growth(world, deal.maker, slot, -lots)
    return position_limits.is_too_open(world, slot, grown)


def _is_stopped(world: World, taker: int, shares: list[Share]) -> bool:
    """Whether a breaker stops the deal: its taker may only shrink what he holds."""
    return any(
        breakers.is_tripped(world, share.instrument)
        and not position_limits.shrinks(world, taker, share.instrument, share.lots)
        for share in shares
    )


def _is_reducing(world: World, account: int, shares: list[Share]) -> bool:
    """Whether each leg shrinks what is held, or all of them leave no scenario worse."""
    if all(position_limits.shrinks(world, account, s.instrument, s.lots) for s in shares):
        return True
    changes, cost_atoms = _changes(shares), _cost_atoms(world, shares)
    return margin.is_reducing(world, margin.portfolio(world, account), changes, cost_atoms)


def _is_beyond_debt(world: World, account: int, shares: list[Share]) -> bool:
    """Whether premiums and fees of the legs make too large a debt, and the legs do not reduce."""
    outflow = sum(
        share.fee_atoms
        + (0 if is_linear(world.instruments[share.instrument]) else share.value_atoms)
        for share in shares
    )
    if not debts.is_beyond_limit(world, account, outflow):
        return False
    return not _is_reducing(world, account, shares)


def _margin_rejection(world: World, account: int, shares: list[Share]) -> Reject | None:
    """Ask whether margin lets an account take all legs: ACCOUNT_INSOLVENT, INSUFFICIENT_MARGIN."""
    return margin.trade_rejection(world, account, _changes(shares), _cost_atoms(world, shares))


def _changes(shares: list[Share]) -> dict[int, Exposure]:
    return {share.instrument: Exposure(share.lots) for share in shares}


def _cost_atoms(world: World, shares: list[Share]) -> int:
    """Return what equity loses by the legs: prices against marks (negative when better), fees."""
    return sum(
        share.value_atoms
        - share.lots * world.risk_arrays[share.instrument].mark_atoms
        + share.fee_atoms
        for share in shares
    )


def _settle(world: World, deal: Deal) -> None:
    """Trade the legs; nothing can be refused any more."""
    taker_shares, maker_shares = _shares(world, deal, True), _shares(world, deal, False)
    for taken, made, leg in zip(taker_shares, maker_shares, deal.legs, strict=True):
        _trade(world, deal.taker, taken)
        _trade(world, deal.maker, made)
        add_cash(world, FEE_ACCOUNT, taken.fee_atoms + made.fee_atoms)
        side = Side.BUY if leg.taker_lots > 0 else Side.SELL
        world.emit(
            Filled(
                leg.instrument, leg.price_ticks, abs(leg.taker_lots), 0, deal.maker, deal.taker,
                side, made.fee_atoms, taken.fee_atoms, deal.taker_nonce,
            )
        )  # fmt: skip


def _trade(world: World, account: int, share: Share) -> None:
    position_slot = find_position(world, account, share.instrument)
    if not position_slot:
        position_slot = open_position(world, account, share.instrument)
    trade(world, position_slot, share.lots, share.value_atoms)
    add_cash(world, account, -share.fee_atoms)
    release_position(world, position_slot)
