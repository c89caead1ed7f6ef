"""Margin: what an account's equity must cover, and what a command may do to it.

Initial margin gates new risk: scenarios of positions and open orders, add-ons, and what the orders
reserve. Maintenance margin is that of the positions alone, with its own factors; who falls below it
may be liquidated.
"""

from dataclasses import replace

from proofbook.protocol.limits import (
    FEE_PPM_MAX,
    FRACTION_ONE_PPM,
    QUOTE_TOKEN,
    MarginMode,
    Reject,
    Side,
)
from proofbook.protocol.records import InstrumentRecord
from proofbook.spec import add_ons, collateral, funding, scenario_margin, standard_margin
from proofbook.spec.accounts import cash_atoms
from proofbook.spec.exposure import NO_CHANGES as NO_CHANGES
from proofbook.spec.exposure import Changes
from proofbook.spec.exposure import Exposure as Exposure
from proofbook.spec.exposure import resting as resting
from proofbook.spec.portfolio import Portfolio, is_insolvent, portfolio, with_changes
from proofbook.spec.positions import is_linear, is_settled
from proofbook.spec.prices import mark_atoms, value_per_lot
from proofbook.spec.rounding import ceil_div
from proofbook.spec.scenario_margin import UnderlyingTotals, totals_of
from proofbook.spec.world import World

NO_TOTALS = UnderlyingTotals()
"""Of an underlying in which nothing is held."""


def initial_margin_up(world: World, portfolio: Portfolio) -> int:
    """Return the equity that new risk needs, in atoms. Rounds up: against the account."""
    return (
        positions_initial_up(world, portfolio)
        + add_ons.concentration_up(world, portfolio, portfolio.totals)
        + add_ons.confidence_up(world, portfolio.totals)
        + portfolio.reserve_atoms
    )


def positions_initial_up(world: World, portfolio: Portfolio) -> int:
    """Return what positions and orders need in the account's margin mode."""
    if portfolio.mode == MarginMode.STANDARD:
        return standard_margin.initial_up(world, portfolio)
    return scenario_margin.initial_up(world, portfolio.totals)


def maintenance_margin_up(world: World, portfolio: Portfolio) -> int:
    """Return the equity that keeps the positions, in atoms: orders and what they reserve apart.

    Rounds up: against the account.
    """
    held = {slot: exposure.held for slot, exposure in portfolio.exposures.items()}
    totals = totals_of(world, held)
    collateral.add_columns(world, totals, portfolio.balances)
    concentration = add_ons.concentration_up(world, portfolio, totals)
    if portfolio.mode == MarginMode.STANDARD:
        return standard_margin.maintenance_up(world, portfolio, totals) + concentration
    return scenario_margin.maintenance_up(world, totals) + concentration


def is_below_maintenance(world: World, portfolio: Portfolio) -> bool:
    """Whether equity falls short of maintenance margin even with every stale leg at its best."""
    best_atoms = portfolio.equity_atoms + portfolio.stale_high_atoms
    return best_atoms < maintenance_margin_up(world, portfolio)


def covers(world: World, portfolio: Portfolio, cost_atoms: int = 0) -> bool:
    """Whether equity, less a cost and with every stale leg at its worst, covers initial margin."""
    return portfolio.secured_atoms - cost_atoms >= initial_margin_up(world, portfolio)


def requires_no_more(world: World, before: Portfolio, after: Portfolio) -> bool:
    """Whether changes to what rests leave the requirement where it is, or lower it.

    They may reserve more only as far as equity pays for it: fills at the limits may not make the
    account owe.
    """
    is_paid = after.reserve_atoms <= max(before.reserve_atoms, after.secured_atoms)
    return is_paid and initial_margin_up(world, after) <= initial_margin_up(world, before)


def settled_cash(world: World, account: int) -> int:
    """Return the cash that `settle_variation` would leave: with what expired options pay."""
    cash = cash_atoms(world, account)
    for position in world.positions_of(account):
        instrument = world.instruments[position.instrument]
        if is_linear(instrument) or is_settled(instrument):
            mark_atoms = world.risk_arrays[position.instrument].mark_atoms
            cash += position.entry_atoms + position.lots * mark_atoms
            cash -= funding.pending_atoms(world, position)
    return cash


def outflow_rejection(world: World, account: int, token: int, amount_atoms: int) -> Reject | None:
    """Return why money may not leave an account, or None.

    Rejects  INSUFFICIENT_BALANCE (more than the balance, of USDC the cash after variation
             settlement); INSUFFICIENT_MARGIN (what remains would not cover initial margin).
    """
    if amount_atoms > spendable_atoms(world, account, token):
        return Reject.INSUFFICIENT_BALANCE
    if not covers(world, portfolio(world, account, flows={token: -amount_atoms})):
        return Reject.INSUFFICIENT_MARGIN
    return None


def spendable_atoms(world: World, account: int, token: int) -> int:
    """Return what an account has of a token: of USDC, once its profits are cash."""
    if token == QUOTE_TOKEN:
        return settled_cash(world, account)
    return world.accounts[account].balances_atoms[token - 1]


def trade_rejection(world: World, account: int, changes: Changes, cost_atoms: int) -> Reject | None:
    """Return why an account may not trade so, or None.

    `cost_atoms` is what equity loses by it: prices against marks (negative when better), plus fees.

    Rejects  ACCOUNT_INSOLVENT; INSUFFICIENT_MARGIN unless equity covers initial margin after the
             trade, or the trade reduces.
    """
    before = portfolio(world, account)
    if is_insolvent(before):
        return Reject.ACCOUNT_INSOLVENT
    after = with_changes(world, before, changes)
    if covers(world, after, cost_atoms) or _is_no_worse(world, before, after, cost_atoms):
        return None
    return Reject.INSUFFICIENT_MARGIN


def can_pay(portfolio: Portfolio, cost_atoms: int) -> bool:
    """Whether equity less a cost still pays for all that open orders reserve, or nothing is lost.

    Marks move equity: who owes after a move may still trade at a gain, and at no loss.
    """
    return cost_atoms <= max(0, portfolio.secured_atoms - portfolio.reserve_atoms)


def is_reducing(world: World, before: Portfolio, changes: Changes, cost_atoms: int) -> bool:
    """Whether a trade of all these lots for this cost leaves no scenario worse.

    Initial margin − equity does not rise, nor any column's loss; so of no partial fill either,
    since both are convex. And what it costs leaves enough for all that open orders
    reserve: two who agree on prices may not make one of them owe what the other takes away.
    """
    return _is_no_worse(world, before, with_changes(world, before, changes), cost_atoms)


def _is_no_worse(world: World, before: Portfolio, after: Portfolio, cost_atoms: int) -> bool:
    """Say what `is_reducing` says; `after` is changed by it.

    Under standard margin an expiry keeps the netting that it had, or a part of
    the trade could need more than all of it. An underlying with a stale leg counts as one with it
    afterwards, too: to be rid of the whole leg is no relief that a part of it would not give.
    """
    if not can_pay(after, cost_atoms):
        return False
    gap_before = initial_margin_up(world, before) - before.secured_atoms
    for underlying, totals in before.totals.items():
        after.totals.setdefault(underlying, UnderlyingTotals()).stale_legs += totals.stale_legs
    if after.mode == MarginMode.STANDARD:
        after = replace(after, netting=standard_margin.netting_of(world, before))
    gap_after = initial_margin_up(world, after) - (after.secured_atoms - cost_atoms)
    return gap_after <= gap_before and _loses_no_more(before, after)


def _loses_no_more(before: Portfolio, after: Portfolio) -> bool:
    """Whether no column that is a loss afterwards is a larger one than before."""
    return all(
        min(0, column_after) >= min(0, column_before)
        for underlying, totals in after.totals.items()
        for column_after, column_before in zip(
            totals.columns, before.totals.get(underlying, NO_TOTALS).columns, strict=True
        )
    )


def fee_per_lot_up(instrument: InstrumentRecord, price_ticks: int, max_fee_ppm: int) -> int:
    """Return the most that one lot at a price can pay in fees. Rounds up: against the account."""
    value = abs(value_per_lot(instrument, price_ticks))
    return ceil_div(value * min(max_fee_ppm, FEE_PPM_MAX), FRACTION_ONE_PPM)


def reserve_per_lot(
    world: World, instrument: int, side: Side, price_ticks: int, max_fee_ppm: int
) -> int:
    """Return what a resting order reserves per lot, in atoms.

    Its fee, and by how much its limit is worse than the mark; a better limit earns no credit.
    """
    fee = fee_per_lot_up(world.instruments[instrument], price_ticks, max_fee_ppm)
    return max(0, adverse_per_lot(world, instrument, side, price_ticks)) + fee


def adverse_per_lot(world: World, instrument: int, side: Side, price_ticks: int) -> int:
    """Return by how much a lot filled at the limit is worse than the mark; negative when better."""
    value = value_per_lot(world.instruments[instrument], price_ticks)
    difference = value - mark_atoms(world, instrument)
    return difference if side == Side.BUY else -difference
