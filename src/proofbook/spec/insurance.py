"""Insurance: what the fund pays for accounts that owe, and what happens once it owes itself.

The fund is an account like others. What it cannot pay, the account of fees pays; what neither can,
the fund owes. Then claims add up to more than is in custody, and each withdrawal leaves the share
of it that is missing: everybody who leaves loses alike, whoever leaves first. What is left so, and
what the fund earns, pays its debt.
"""

from proofbook.protocol.events import DeficitCovered, LiquidationAuctionEnded, Transferred
from proofbook.protocol.limits import FEE_ACCOUNT, FIRST_USER_ACCOUNT, FUND_ACCOUNT, QUOTE_TOKEN
from proofbook.protocol.records import AuctionRecord
from proofbook.spec import collateral, conversion, margin
from proofbook.spec.accounts import add_cash, cash_atoms
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.fund_share import left_atoms
from proofbook.spec.portfolio import Portfolio, positions_alone
from proofbook.spec.rounding import ceil_div
from proofbook.spec.wide import event_atoms
from proofbook.spec.world import World


def uncovered_atoms(world: World) -> int:
    """Return what the fund owes."""
    return max(0, -world.accounts[FUND_ACCOUNT].cash_atoms)


def is_paid_by_fund(world: World, auction: AuctionRecord, held: Portfolio) -> bool:
    """Whether the fund's share pays all that an account owes at its marks."""
    return left_atoms(world, auction) + held.equity_atoms >= 0


def cover(world: World, account: int) -> None:
    """Pay what an account owes that holds nothing more, its interest with it.

    What dust there is of tokens goes to the fund.
    """
    deficit_atoms = -cash_atoms(world, account)
    assert deficit_atoms > 0, "only a debt is covered"
    for token, atoms in enumerate(collateral.balances_of(world, account), 1):
        if atoms:
            collateral.add_tokens(world, account, token, -atoms)
            collateral.add_tokens(world, FUND_ACCOUNT, token, atoms)
            world.emit(Transferred(account, FUND_ACCOUNT, token, atoms))
    add_cash(world, account, deficit_atoms)
    add_cash(world, FUND_ACCOUNT, -deficit_atoms)
    fees_atoms = max(0, world.accounts[FEE_ACCOUNT].cash_atoms)
    from_fees = min(fees_atoms, uncovered_atoms(world))
    add_cash(world, FEE_ACCOUNT, -from_fees)
    add_cash(world, FUND_ACCOUNT, from_fees)
    uncovered = event_atoms(uncovered_atoms(world))
    world.emit(DeficitCovered(account, event_atoms(deficit_atoms), uncovered))


def withheld_up(world: World, token: int, amount_atoms: int) -> int:
    """Return what stays of a withdrawal of USDC: its share of what is missing, 0 if nothing is.

    All that accounts may claim is what is in custody and what the fund owes. Rounds up: against
    the account.
    """
    missing_atoms = uncovered_atoms(world)
    if missing_atoms == 0 or token != QUOTE_TOKEN:
        return 0
    claimed_atoms = world.header.custody_atoms + missing_atoms
    return ceil_div(amount_atoms * missing_atoms, claimed_atoms)


def holds_lots(held: Portfolio) -> bool:
    """Whether any position is more than its open orders."""
    return any(exposure.lots for exposure in held.exposures.values())


def holds_nothing(world: World, held: Portfolio) -> bool:
    """Whether an account has neither positions nor tokens that could pay what it owes.

    Of tokens less than a USDC: who owes more would keep them for ever, since nobody asks for them.
    """
    if holds_lots(held):
        return False
    is_insolvent = held.equity_atoms < 0
    return not any(held.balances) or (is_insolvent and collateral.is_dust(world, held.balances))


def settle(world: World, account: int) -> None:
    """Cover the debt of an account that holds nothing more, and end its auctions if they are over.

    To be called whenever an account may have closed its last position, or has got money.
    """
    record = world.accounts[account]
    is_user = account >= FIRST_USER_ACCOUNT
    is_owing = is_user and record.cash_atoms < 0
    if not (record.auction or record.conversion_ns or is_owing):
        return
    held = positions_alone(world, account)
    if is_owing and holds_nothing(world, held):
        cover(world, account)
        held = positions_alone(world, account)
    if record.auction and not margin.is_below_maintenance(world, held):
        end_auction(world, account)
    conversion.end_if_over(world, held)


def end_auction(world: World, account: int) -> None:
    """Take the liquidation auction of an account away."""
    record = world.accounts.edit(account)
    world.auctions.free(record.auction)
    record.auction = NO_SLOT
    world.emit(LiquidationAuctionEnded(account))
