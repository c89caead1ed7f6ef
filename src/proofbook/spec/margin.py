"""Margin: profit in 27 scenarios, weighted by position, and what open orders could add.

The requirement of an account is, per underlying, the loss in the worst column of

    Σ over instruments  lots·c + min(0, buys·c, −sells·c)

(each instrument at the worst of its position alone, with all its buys, with all its sells), summed
over underlyings, times the initial factor, plus what the orders reserve. Every term is a maximum of
linear functions of the positions: the measure is coherent.
"""

from dataclasses import dataclass

from proofbook.protocol.limits import CORE_COLUMNS, FEE_PPM_MAX, FRACTION_ONE_PPM, Side
from proofbook.protocol.records import InstrumentRecord
from proofbook.spec.positions import is_linear, open_orders
from proofbook.spec.world import PARAMETERS_SLOT, World


@dataclass(frozen=True, slots=True)
class Exposure:
    """Position and open orders of one account in one instrument."""

    instrument: int
    lots: int
    buys: int
    sells: int


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What margin depends on: equity and reserve in atoms, columns by underlying."""

    equity_atoms: int
    reserve_atoms: int
    columns: dict[int, list[int]]


def portfolio(world: World, account: int, change: Exposure | None = None) -> Portfolio:
    """Return the account's portfolio, with a change added to its exposure in one instrument."""
    owner = world.accounts[account]
    equity, reserve, columns = owner.cash_atoms, 0, dict[int, list[int]]()
    for position in world.positions_of(account):
        buys, sells, reserved = open_orders(owner, position)
        equity += (
            position.entry_atoms + position.lots * world.risk_arrays[position.instrument].mark_atoms
        )
        reserve += reserved
        exposure = Exposure(position.instrument, position.lots, buys, sells)
        if change is not None and change.instrument == position.instrument:
            exposure, change = _joined(exposure, change), None
        _add_columns(world, columns, exposure)
    if change is not None:
        _add_columns(world, columns, change)
    return Portfolio(equity, reserve, columns)


def _joined(exposure: Exposure, change: Exposure) -> Exposure:
    return Exposure(
        exposure.instrument,
        exposure.lots + change.lots,
        exposure.buys + change.buys,
        exposure.sells + change.sells,
    )


def _add_columns(world: World, columns: dict[int, list[int]], exposure: Exposure) -> None:
    underlying = world.instruments[exposure.instrument].underlying
    totals = columns.setdefault(underlying, [0] * CORE_COLUMNS)
    lots, buys, sells = exposure.lots, exposure.buys, exposure.sells
    for index, profit in enumerate(world.risk_arrays[exposure.instrument].core):
        totals[index] += lots * profit + min(0, buys * profit, -sells * profit)


def initial_margin_up(world: World, portfolio: Portfolio) -> int:
    """Return the equity that gates new risk, in atoms. Rounds up: against the account."""
    worst = sum(max(0, -min(totals)) for totals in portfolio.columns.values())
    factor_ppm = world.parameters[PARAMETERS_SLOT].initial_factor_ppm
    return ceil_div(worst * factor_ppm, FRACTION_ONE_PPM) + portfolio.reserve_atoms


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


def covers_order(
    world: World, account: int, instrument: int, side: Side, lots: int, reserve_per_lot: int
) -> bool:
    """Whether equity covers initial margin with the order resting beside all others."""
    is_buy = side == Side.BUY
    after = portfolio(world, account, Exposure(instrument, 0, lots * is_buy, lots * (not is_buy)))
    required = initial_margin_up(world, after) + lots * reserve_per_lot
    return after.equity_atoms >= required


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
    after = portfolio(world, account, Exposure(instrument, signed_lots, 0, 0))
    equity_after = before.equity_atoms - lots * cost_per_lot
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
    value = price_ticks * instrument.tick_value_atoms
    return ceil_div(value * min(max_fee_ppm, FEE_PPM_MAX), FRACTION_ONE_PPM)


def adverse_per_lot(world: World, instrument: int, side: Side, price_ticks: int) -> int:
    """Return by how much a lot filled at the limit is worse than the mark; negative when better."""
    value = price_ticks * world.instruments[instrument].tick_value_atoms
    difference = value - world.risk_arrays[instrument].mark_atoms
    return difference if side == Side.BUY else -difference


def ceil_div(numerator: int, denominator: int) -> int:
    """Return the quotient of a non-negative number, rounded up."""
    return -(-numerator // denominator)
