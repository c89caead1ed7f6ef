"""Margin: profit in 27 scenarios, weighted by position, and what open orders could add.

The requirement of an account is, per underlying, the loss in the worst column of

    Σ over instruments  lots·c + min(0, buys·c, −sells·c)

(each instrument at the worst of its position alone, with all its buys, with all its sells), summed
over underlyings, times the initial factor, plus what the orders reserve. Every term is a maximum of
linear functions of the positions: the measure is coherent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from proofbook.protocol.limits import CORE_COLUMNS, FEE_PPM_MAX, FRACTION_ONE_PPM, Reject, Side
from proofbook.protocol.records import InstrumentRecord
from proofbook.spec.positions import is_linear, open_orders
from proofbook.spec.prices import core_columns, mark_atoms, value_per_lot
from proofbook.spec.world import PARAMETERS_SLOT, World


@dataclass(frozen=True, slots=True)
class Exposure:
    """Position, open orders and what they reserve, of one account in one instrument."""

    lots: int
    buys: int = 0
    sells: int = 0
    reserve_atoms: int = 0

    def __add__(self, other: "Exposure") -> "Exposure":
        return Exposure(
            self.lots + other.lots,
            self.buys + other.buys,
            self.sells + other.sells,
            self.reserve_atoms + other.reserve_atoms,
        )


Changes: TypeAlias = Mapping[int, Exposure]
"""What a command would add to an account's exposures, by instrument."""

NO_CHANGES: Changes = {}


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What margin depends on: equity and reserve in atoms, columns by underlying."""

    equity_atoms: int
    reserve_atoms: int
    columns: dict[int, list[int]]


def portfolio(world: World, account: int, changes: Changes = NO_CHANGES) -> Portfolio:
    """Return the account's portfolio as it would be with changes to its exposures."""
    equity, reserve, columns = world.accounts[account].cash_atoms, 0, dict[int, list[int]]()
    unseen = dict(changes)
    for position in world.positions_of(account):
        slot = position.instrument
        equity += position.entry_atoms + position.lots * world.risk_arrays[slot].mark_atoms
        exposure = Exposure(position.lots, *open_orders(world, position))
        exposure += unseen.pop(slot, Exposure(0))
        reserve += exposure.reserve_atoms
        _add_columns(world, columns, slot, exposure)
    for slot, exposure in unseen.items():
        reserve += exposure.reserve_atoms
        _add_columns(world, columns, slot, exposure)
    return Portfolio(equity, reserve, columns)


def _add_columns(
    world: World, columns: dict[int, list[int]], instrument: int, exposure: Exposure
) -> None:
    underlying = world.instruments[instrument].underlying
    totals = columns.setdefault(underlying, [0] * CORE_COLUMNS)
    lots, buys, sells = exposure.lots, exposure.buys, exposure.sells
    for index, profit in enumerate(core_columns(world, instrument)):
        totals[index] += lots * profit + min(0, buys * profit, -sells * profit)


def initial_margin_up(world: World, portfolio: Portfolio) -> int:
    """Return the equity that gates new risk, in atoms. Rounds up: against the account."""
    factor_ppm = world.parameters[PARAMETERS_SLOT].initial_factor_ppm
    worst = _worst_loss(portfolio)
    return ceil_div(worst * factor_ppm, FRACTION_ONE_PPM) + portfolio.reserve_atoms


def _worst_loss(portfolio: Portfolio) -> int:
    """Return the loss in the worst column of each underlying, summed."""
    return sum(max(0, -min(totals)) for totals in portfolio.columns.values())


def settled_cash(world: World, account: int) -> int:
    """Return the cash that variation settlement at current marks would leave."""
    cash = world.accounts[account].cash_atoms
    for position in world.positions_of(account):
        if is_linear(world.instruments[position.instrument]):
            cash += (
                position.entry_atoms
                + position.lots * world.risk_arrays[position.instrument].mark_atoms
            )
    return cash


def outflow_fault(world: World, account: int, amount_atoms: int) -> Reject | None:
    """Return why money may not leave an account, or None.

    Rejects  INSUFFICIENT_BALANCE (more than the cash after variation settlement);
             INSUFFICIENT_MARGIN (what remains would not cover initial margin).
    """
    if amount_atoms > settled_cash(world, account):
        return Reject.INSUFFICIENT_BALANCE
    held = portfolio(world, account)
    if amount_atoms > held.equity_atoms - initial_margin_up(world, held):
        return Reject.INSUFFICIENT_MARGIN
    return None


def covers(world: World, account: int, changes: Changes) -> bool:
    """Whether equity covers initial margin with changes to what rests."""
    after = portfolio(world, account, changes)
    return after.equity_atoms >= initial_margin_up(world, after)


def requires_no_more(world: World, account: int, changes: Changes) -> bool:
    """Whether changes to what rests leave the requirement where it is, or lower it."""
    before, after = portfolio(world, account), portfolio(world, account, changes)
    return initial_margin_up(world, after) <= initial_margin_up(world, before)


def resting(side: int, lots: int, reserve_atoms: int) -> Exposure:
    """Return what an order adds to the exposure in its instrument."""
    is_buy = side == Side.BUY
    return Exposure(0, lots * is_buy, lots * (not is_buy), reserve_atoms)


def is_reducing(
    world: World, account: int, instrument: int, side: Side, lots: int, cost_per_lot: int
) -> bool:
    """Whether the order, filled wholly at its limit with maximal fee, leaves no scenario worse.

    Initial margin − equity must not rise, and no column that is a loss afterwards may be a larger
    loss than before. `cost_per_lot` is what equity loses per lot: limit against mark (negative when
    better), plus fee.
    """
    signed_lots = lots if side == Side.BUY else -lots
    before = portfolio(world, account)
    after = portfolio(world, account, {instrument: Exposure(signed_lots)})
    return _is_no_worse(world, before, after, lots * cost_per_lot)


def covers_trade(world: World, account: int, changes: Changes, cost_atoms: int) -> bool:
    """Whether equity covers initial margin after a trade, or no scenario is worse for it.

    `cost_atoms` is what equity loses by it: prices against marks (negative when better), plus fees.
    Two who agree on a price may not make one of them owe what the other takes away.
    """
    before, after = portfolio(world, account), portfolio(world, account, changes)
    equity_after = after.equity_atoms - cost_atoms
    if equity_after >= initial_margin_up(world, after):
        return True
    is_owing = cost_atoms > 0 and equity_after < 0
    return not is_owing and _is_no_worse(world, before, after, cost_atoms)


def _is_no_worse(world: World, before: Portfolio, after: Portfolio, cost_atoms: int) -> bool:
    """Whether neither initial margin − equity rises nor any column's loss."""
    equity_after = before.equity_atoms - cost_atoms
    gap_before = initial_margin_up(world, before) - before.equity_atoms
    gap_after = initial_margin_up(world, after) - equity_after
    if gap_after > gap_before:
        return False
    return all(
        min(0, total_after) >= min(0, total_before)
        for underlying, totals in after.columns.items()
        for total_after, total_before in zip(
            totals, before.columns.get(underlying, [0] * CORE_COLUMNS), strict=True
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


def ceil_div(numerator: int, denominator: int) -> int:
    """Return the quotient of a non-negative number, rounded up."""
    return -(-numerator // denominator)
