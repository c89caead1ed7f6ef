"""Liquidation: what anybody may do to an account below its margin, one bounded step a command.

Orders that initial margin does not back are ended. A portfolio below maintenance margin is reduced
by slices in the books, the submitter naming the leg: it must relieve at least the governed share,
90 % at first, of what the best leg relieves per cost. The state decides all of it; nothing that a
submitter says is believed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from proofbook.protocol.commands import Liquidate
from proofbook.protocol.events import AccountReduced, OrdersUnbacked
from proofbook.protocol.identifiers import instrument_id
from proofbook.protocol.limits import (
    FIRST_USER_ACCOUNT,
    FRACTION_ONE_PPM,
    FUND_ACCOUNT,
    NS_PER_MS,
    PRICE_TICKS_BITS,
    AuctionPhase,
    Reject,
    Removal,
    SelfTradePrevention,
    Side,
)
from proofbook.protocol.records import PositionRecord
from proofbook.spec import funding, insurance, margin, matching, states, waiting
from proofbook.spec.accounts import add_cash, cash_atoms
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.cancellation import end_orders, end_orders_if_due, sweep
from proofbook.spec.exposure import Exposure
from proofbook.spec.matching import Taker
from proofbook.spec.portfolio import Portfolio, is_insolvent, portfolio, positions_alone
from proofbook.spec.positions import find_position, is_linear, release_position
from proofbook.spec.prices import index_value_per_lot, is_marked
from proofbook.spec.relief import Relief
from proofbook.spec.rounding import ceil_div
from proofbook.spec.rules import trades_at_once
from proofbook.spec.staleness import is_stale, is_superseded
from proofbook.spec.wide import is_product_at_least, mul_div_down
from proofbook.spec.world import PARAMETERS_SLOT, World

NO_FEE_PPM = 0
NO_NONCE = 0
NO_GROUP = 0


@dataclass(frozen=True, slots=True)
class Slice:
    """What one step may close of a leg.

    `lots` are signed, against the position; `relief_atoms` is by how much maintenance margin falls
    when they are closed at the mark, `cost_ppm_atoms` what closing them is thought to cost, in
    1e-6 atoms.
    """

    instrument: int
    lots: int
    relief_atoms: int
    cost_ppm_atoms: int


def liquidate(world: World, command: Liquidate) -> Reject | None:
    """End the orders of an account below initial margin; below maintenance, close some of a leg.

    Both at once if need be: otherwise a fresh order before each step would shield the position.

    Rejects  ACCOUNT_NOT_FOUND; NOT_LIQUIDATABLE: equity covers maintenance margin, and initial
             margin backs the orders; without orders, then as `_slice_asked`.
    """
    account = command.account
    if not world.account_exists(account):
        return Reject.ACCOUNT_NOT_FOUND
    if account < FIRST_USER_ACCOUNT:
        return Reject.NOT_LIQUIDATABLE
    held = positions_alone(world, account)
    asked = _slice_asked(world, command, held)
    if has_live_orders(world, account):  # they end first; only without any is a refusal final
        # Below maintenance margin nothing backs them: asking would add all of it up again.
        is_covered = asked == Reject.NOT_LIQUIDATABLE
        if is_covered and is_backed(world, account):
            return Reject.NOT_LIQUIDATABLE
        _end_unbacked(world, account)
    elif isinstance(asked, Reject):
        return asked
    if isinstance(asked, Slice):
        _offer(world, account, asked, held)
    return None


def has_live_orders(world: World, account: int) -> bool:
    """Whether orders of the account stand in books: none do after its deadline."""
    return world.accounts[account].orders_live > 0 and not world.is_deadline_passed(account)


def is_backed(world: World, account: int) -> bool:
    """Whether equity, every stale leg at its best, covers margin of positions and orders."""
    whole = portfolio(world, account)
    best_atoms = whole.equity_atoms + whole.stale_high_atoms
    return best_atoms >= margin.initial_margin_up(world, whole)


def _end_unbacked(world: World, account: int) -> None:
    """End all orders of an account, waiting ones with them, and remove the first records."""
    end_orders(world, account)
    world.emit(OrdersUnbacked(account))
    sweep(world, account)
    waiting.sweep(world, account)


def _slice_asked(world: World, command: Liquidate, held: Portfolio) -> Slice | Reject:
    """Return the slice of the leg named, or why none is to be closed.

    Rejects  NOT_LIQUIDATABLE; LEG_INVALID (no position, none that `is_reducible`, or its mark
             `is_superseded`); ACCOUNT_INSOLVENT (who owes more than he has is for auction and
             deleveraging, not for the books); LIQUIDATION_COOLDOWN; LEG_NOT_BEST (it relieves
             nothing, or too little per cost beside the best leg).
    """
    if not margin.is_below_maintenance(world, held):
        return Reject.NOT_LIQUIDATABLE
    slot = states.find_instrument(world, command.instrument)
    position_slot = find_position(world, command.account, slot) if slot else NO_SLOT
    is_held = position_slot and is_reducible(world, world.positions[position_slot])
    if not is_held or is_superseded(world, slot):
        return Reject.LEG_INVALID
    if is_insolvent(held):
        return Reject.ACCOUNT_INSOLVENT
    if is_cooling(world, command.account):
        return Reject.LIQUIDATION_COOLDOWN
    relief = Relief(world, held)
    chosen = slice_of(world, relief, world.positions[position_slot])
    is_near = is_near_best(world, chosen, slices(world, command.account, relief))
    return chosen if is_near else Reject.LEG_NOT_BEST


def is_reducible(world: World, position: PositionRecord) -> bool:
    """Whether a position can be closed in its book now: freshly marked, and trading at once."""
    instrument = world.instruments[position.instrument]
    return (
        position.lots != 0
        and is_marked(world, position.instrument)
        and not is_stale(world, position.instrument)
        and trades_at_once(instrument)
        and instrument.auction_phase == AuctionPhase.NONE
        and not states.is_expired(world, instrument)
    )


def is_cooling(world: World, account: int) -> bool:
    """Whether the last slice of the account is so recent that makers may not have come back."""
    cooldown_ns = world.parameters[PARAMETERS_SLOT].liquidation_cooldown_ms * NS_PER_MS
    return world.header.window_ns < world.accounts[account].liquidated_ns + cooldown_ns


def slices(world: World, account: int, relief: Relief) -> Iterator[Slice]:
    """Yield a slice of each position that can be closed now."""
    for position in world.positions_of(account):
        if is_reducible(world, position):
            yield slice_of(world, relief, position)


def slice_of(world: World, relief: Relief, position: PositionRecord) -> Slice:
    """Return the slice of a position: a share of it, at least the least order, at most all of it.

    Rounds lots up.
    """
    parameters, slot = world.parameters[PARAMETERS_SLOT], position.instrument
    instrument, held_lots = world.instruments[slot], abs(position.lots)
    share = ceil_div(held_lots * parameters.liquidation_slice_ppm, FRACTION_ONE_PPM)
    lots = min(held_lots, max(instrument.lots_min, share))
    closing = -lots if position.lots > 0 else lots
    cost_ppm = (
        parameters.liquidation_cost_linear_ppm
        if is_linear(instrument)
        else parameters.liquidation_cost_option_ppm
    )
    value_atoms = max(1, index_value_per_lot(world, slot))
    relief_atoms = relief.of({slot: Exposure(closing)})
    return Slice(slot, closing, relief_atoms, lots * value_atoms * max(1, cost_ppm))


def is_near_best(world: World, chosen: Slice, others: Iterator[Slice]) -> bool:
    """Whether a slice relieves at least the asked share of what any other does per cost."""
    if chosen.relief_atoms <= 0:
        return False
    share_ppm = world.parameters[PARAMETERS_SLOT].liquidation_relief_ppm
    return all(
        is_product_at_least(
            chosen.relief_atoms * FRACTION_ONE_PPM, other.cost_ppm_atoms,
            other.relief_atoms * share_ppm, chosen.cost_ppm_atoms,
        )
        for other in others
        if other.relief_atoms > 0
    )  # fmt: skip


def _offer(world: World, account: int, chosen: Slice, held: Portfolio) -> None:
    """Trade the slice at its limit or better, and charge the fund's fee.

    The account pays no fee of the book. A slice that met only orders to be removed may be tried
    again at once; any other starts the cooldown.
    """
    end_orders_if_due(world, account)
    instrument, lots = world.instruments[chosen.instrument], abs(chosen.lots)
    position_slot = find_position(world, account, chosen.instrument)
    side = Side.BUY if chosen.lots > 0 else Side.SELL
    allowance_atoms = allowance_down(world, held, chosen)
    taker = Taker(
        account, position_slot, chosen.instrument, side,
        limit_ticks(world, chosen, allowance_atoms), lots, NO_FEE_PPM, NO_NONCE,
        SelfTradePrevention.CANCEL_MAKER, NO_GROUP, is_liquidation=True,
    )  # fmt: skip
    funding.accrue(world, chosen.instrument)
    funding.settle(world, position_slot)
    before = _spent_atoms(world, account, position_slot)
    removal = matching.match(world, taker)
    filled = lots - taker.lots
    fee_atoms = _charge(world, taker, filled, allowance_atoms, lots, before)
    record = world.accounts.edit(account)
    if filled or removal != Removal.FILL_LIMIT:
        record.liquidated_ns = world.header.window_ns
        record.slice_missed = taker.lots > 0
    identifier = instrument_id(chosen.instrument, instrument.generation)
    world.emit(
        AccountReduced(account, identifier, side, taker.price_ticks, lots, filled, fee_atoms)
    )
    release_position(world, position_slot)
    insurance.settle(world, account)


def allowance_down(world: World, held: Portfolio, chosen: Slice) -> int:
    """Return what closing the whole slice may cost so that equity / maintenance does not fall.

    Nothing when there is no equity: then the mark itself is the worst price. Rounds down: for the
    account.
    """
    if held.equity_atoms <= 0:
        return 0
    required = margin.maintenance_margin_up(world, held)
    return mul_div_down(held.equity_atoms, chosen.relief_atoms, required)


def limit_ticks(world: World, chosen: Slice, allowance_atoms: int) -> int:
    """Return the worst price of a slice: the mark ∓ the smaller of band and allowance per lot.

    Rounds into the limit: for the account. A limit that no order can reach matches nothing.
    """
    band_ppm = world.parameters[PARAMETERS_SLOT].liquidation_band_ppm
    band_atoms = index_value_per_lot(world, chosen.instrument) * band_ppm // FRACTION_ONE_PPM
    worse_atoms = min(band_atoms, allowance_atoms // abs(chosen.lots))
    mark_atoms = world.risk_arrays[chosen.instrument].mark_atoms
    tick_value_atoms = world.instruments[chosen.instrument].tick_value_atoms
    if chosen.lots > 0:
        return min((mark_atoms + worse_atoms) // tick_value_atoms, (1 << PRICE_TICKS_BITS) - 1)
    lowest = ceil_div(max(0, mark_atoms - worse_atoms), tick_value_atoms)
    return min(max(1, lowest), 1 << PRICE_TICKS_BITS)


def _spent_atoms(world: World, account: int, position_slot: int) -> int:
    """Return what trades in the position change beside its lots: cash and entry."""
    return cash_atoms(world, account) + world.positions[position_slot].entry_atoms


def _charge(
    world: World, taker: Taker, filled: int, allowance_atoms: int, lots: int, before: int
) -> int:
    """Pay the fund its share of what was filled, as far as the allowance leaves any; return it.

    Rounds down: for the account.
    """
    value_atoms = _spent_atoms(world, taker.account, taker.position) - before
    sign = 1 if taker.side == Side.BUY else -1
    mark_atoms = world.risk_arrays[taker.instrument].mark_atoms
    loss_atoms = -value_atoms - sign * filled * mark_atoms
    left_atoms = max(0, mul_div_down(allowance_atoms, filled, lots) - loss_atoms)
    fee_ppm = world.parameters[PARAMETERS_SLOT].liquidation_fee_ppm
    fee_atoms = min(left_atoms, abs(value_atoms) * fee_ppm // FRACTION_ONE_PPM)
    add_cash(world, taker.account, -fee_atoms)
    add_cash(world, FUND_ACCOUNT, fee_atoms)
    return fee_atoms
