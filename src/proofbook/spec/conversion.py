"""Conversion: the tokens of an account that owes too much USDC are for sale, at a falling price.

Anybody starts it. The price falls from the index by a discount, stands for as long again, and is
old then: whoever finds the cause still there begins it anew. While the account has equity, a sale
takes from it no larger a part than of the tokens: who is solvent pays the discount himself.
"""

from proofbook.protocol.commands import StartConversion
from proofbook.protocol.events import ConversionEnded, ConversionStarted
from proofbook.protocol.limits import FRACTION_ONE_PPM, NS_PER_SECOND, Reject
from proofbook.spec import collateral, fund_share, margin
from proofbook.spec.accounts import debt_of
from proofbook.spec.portfolio import Portfolio, is_insolvent, positions_alone
from proofbook.spec.positions import settle_variation
from proofbook.spec.rounding import ceil_div
from proofbook.spec.wide import event_atoms, is_product_at_least
from proofbook.spec.world import PARAMETERS_SLOT, World

LAPSE_FOLD = 2
"""Tokens are for sale for so many times as long as their price falls."""


def start_conversion(world: World, command: StartConversion) -> Reject | None:
    """Put an account's tokens up for sale, begin that anew when it is old, or end it.

    Rejects  ACCOUNT_NOT_FOUND; CONVERSION_NOT_DUE unless the account owes too much, or its tokens
             are for sale though it does not any more; CONVERSION_RUNNING.
    """
    account = command.account
    if not world.account_exists(account):
        return Reject.ACCOUNT_NOT_FOUND
    held = positions_alone(world, account)
    if not is_due(world, held):
        if not world.accounts[account].conversion_ns:
            return Reject.CONVERSION_NOT_DUE
        end_if_over(world, held)
        return None
    if is_running(world, account):
        return Reject.CONVERSION_RUNNING
    settle_variation(world, account)
    record = world.accounts.edit(account)
    record.conversion_ns = world.header.window_ns
    world.emit(ConversionStarted(account, event_atoms(debt_of(record.cash_atoms))))
    return None


def is_due(world: World, held: Portfolio) -> bool:
    """Whether an account with tokens owes too much USDC.

    That is more than a share of what the tokens count for, or anything at all while equity does not
    cover maintenance margin; both with every stale leg at its best, losses not yet settled
    included. `held` is a portfolio of positions alone.
    """
    debt_atoms = debt_of(margin.settled_cash(world, held.account) + held.stale_high_atoms)
    if debt_atoms == 0 or not any(held.balances):
        return False
    share_ppm = world.parameters[PARAMETERS_SLOT].conversion_ppm
    _, high_ppm = collateral.stale_interval_ppm(world, held.balances)
    counted_ppm = collateral.value_atoms(world, held.balances) * FRACTION_ONE_PPM + high_ppm
    is_backed = is_product_at_least(counted_ppm, share_ppm, debt_atoms, FRACTION_ONE_PPM**2)
    return not is_backed or margin.is_below_maintenance(world, held)


def is_running(world: World, account: int) -> bool:
    """Whether an account's tokens are for sale."""
    started_ns = world.accounts[account].conversion_ns
    return started_ns != 0 and world.header.window_ns - started_ns < LAPSE_FOLD * _fall_ns(world)


def end_if_over(world: World, held: Portfolio) -> None:
    """End the sale of an account's tokens if it does not owe too much any more."""
    if not world.accounts[held.account].conversion_ns or is_due(world, held):
        return
    world.accounts.edit(held.account).conversion_ns = 0
    world.emit(ConversionEnded(held.account))


def _fall_ns(world: World) -> int:
    """Return how long the price falls."""
    return max(1, world.parameters[PARAMETERS_SLOT].conversion_seconds * NS_PER_SECOND)


def price_ppm(world: World, token: int, held: Portfolio) -> int:
    """Return at what part of the index an account's token is for sale now.

    With equity E and tokens that count for C, one that counts for c goes at c · (1 − E / C) at
    least: all of them together cost no more than E, and any of them leaves E / C as it is. Below
    zero the fund's share is added to E: no insolvency costs the fund more.

    Rounds up: for the account.
    """
    falling_ppm = FRACTION_ONE_PPM - _discount_ppm(world, held.account)
    counted_atoms = collateral.value_atoms(world, held.balances)
    if counted_atoms == 0:
        return falling_ppm
    share_atoms = fund_share.left_for(world, held.account) if is_insolvent(held) else 0
    kept_atoms = counted_atoms - min(max(0, held.equity_atoms + share_atoms), counted_atoms)
    kept_ppm = FRACTION_ONE_PPM - world.tokens[token].haircut_ppm
    return max(falling_ppm, ceil_div(kept_ppm * kept_atoms, counted_atoms))


def _discount_ppm(world: World, account: int) -> int:
    """Return how far below the index the price has fallen. Rounds down: for the account."""
    most_ppm = world.parameters[PARAMETERS_SLOT].conversion_discount_ppm
    elapsed_ns = world.header.window_ns - world.accounts[account].conversion_ns
    return most_ppm * min(elapsed_ns, _fall_ns(world)) // _fall_ns(world)
