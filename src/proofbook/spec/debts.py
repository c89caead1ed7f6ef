"""Debts: cash below zero, against what else an account has. How far a trade may take it.

An order is asked for all that it could cost by itself, when it is placed; what reduces is not
asked. Nor are losses: they may take an account as far as its margin allows. Withdrawals and
transfers of money never make a debt.
"""

from proofbook.protocol.commands import SettleVariation
from proofbook.protocol.events import VariationSettled
from proofbook.protocol.limits import ATOMS_PER_QUOTE_UNIT, Reject, Side
from proofbook.spec import insurance, margin, positions
from proofbook.spec.accounts import cash_atoms, debt_of
from proofbook.spec.positions import is_linear
from proofbook.spec.prices import legs_of, value_per_lot
from proofbook.spec.world import PARAMETERS_SLOT, World


def is_beyond_limit(world: World, account: int, outflow_atoms: int) -> bool:
    """Whether paying so much makes a debt, or adds to one, beyond what account or venue may owe.

    Funding and final marks count as paid, whether or not somebody has settled them.
    """
    if outflow_atoms <= 0:
        return False
    before = cash_atoms(world, account) + positions.due_atoms(world, account)
    debt_atoms = debt_of(before - outflow_atoms)
    if debt_atoms <= debt_of(before):
        return False
    parameters = world.parameters[PARAMETERS_SLOT]
    others_atoms = world.header.debt_atoms - debt_of(world.accounts[account].cash_atoms)
    return (
        debt_atoms > parameters.debt_account_usd * ATOMS_PER_QUOTE_UNIT
        or others_atoms + debt_atoms > parameters.debt_venue_usd * ATOMS_PER_QUOTE_UNIT
    )


def settle_variation(world: World, command: SettleVariation) -> Reject | None:
    """Turn profits and losses of linear positions into cash, so that a debt costs its interest.

    Equity and margin stay as they are, but for what has its final mark, which counts no more for
    concentration, and for what is owed by who holds nothing more: it is covered.

    Rejects ACCOUNT_NOT_FOUND.
    """
    if not world.account_exists(command.account):
        return Reject.ACCOUNT_NOT_FOUND
    positions.settle_variation(world, command.account)
    world.emit(VariationSettled(command.account))
    insurance.settle(world, command.account)
    return None


def order_outflow(world: World, slot: int) -> int:
    """Return the most cash that what is left of a resting order can cost."""
    order = world.orders[slot]
    return order.lots_remaining * outflow_per_lot(
        world, order.instrument, Side(order.side), order.price_ticks, order.max_fee_ppm
    )


def outflow_per_lot(world: World, slot: int, side: Side, price_ticks: int, max_fee_ppm: int) -> int:
    """Return the most cash that a lot of an order can cost: premium and fee, at least nothing.

    The value of linear instruments accrues in the entry. The options of a combo trade at their
    marks, but for the first leg, whose price takes what the limit is worse than the mark.
    """
    instrument, sign = world.instruments[slot], 1 if side == Side.BUY else -1
    legs = legs_of(instrument)
    if legs:
        premium = sum(
            sign * ratio * world.risk_arrays[leg].mark_atoms
            for leg, ratio in legs
            if not is_linear(world.instruments[leg])
        )
        if not is_linear(world.instruments[legs[0][0]]):
            premium += margin.adverse_per_lot(world, slot, side, price_ticks)
    else:
        premium = 0 if is_linear(instrument) else sign * value_per_lot(instrument, price_ticks)
    return max(0, premium + margin.fee_per_lot_up(instrument, price_ticks, max_fee_ppm))
