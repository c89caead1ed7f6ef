"""Sales of collateral: who pays some of an account's debt takes of its tokens for it."""

from proofbook.protocol.commands import BuyCollateral
from proofbook.protocol.events import CollateralSold
from proofbook.protocol.limits import AMOUNT_ATOMS_MAX, FRACTION_ONE_PPM, QUOTE_TOKEN, Reject
from proofbook.spec import collateral, conversion, insurance, margin
from proofbook.spec.accounts import add_cash, debt_of
from proofbook.spec.portfolio import Portfolio, portfolio, positions_alone
from proofbook.spec.positions import settle_variation
from proofbook.spec.rounding import ceil_div
from proofbook.spec.wide import event_atoms
from proofbook.spec.world import World


def buy_collateral(world: World, command: BuyCollateral) -> Reject | None:
    """Take of an account's token, for money that repays its debt: at most what repays all of it.

    Rounds   what is paid up, against the buyer.
    Rejects  ACCOUNT_NOT_FOUND (the one whose token it is), TOKEN_NOT_SUPPORTED,
             AMOUNT_OUT_OF_RANGE, OWN_LIQUIDATION; CONVERSION_NOT_FOUND (its tokens are not for
             sale, or for too long), CONVERSION_NOT_DUE (it does not owe too much any more),
             OBSERVATION_STALE (the token's index), PRICE_ABOVE_LIMIT; INSUFFICIENT_BALANCE (it has
             none of the token, or the buyer less cash than that costs), INSUFFICIENT_MARGIN.
    """
    rejection = _shape_rejection(world, command)
    if rejection is not None:
        return rejection
    held = positions_alone(world, command.target)
    rejection = _sale_rejection(world, command, held)
    if rejection is not None:
        return rejection
    bought = _bought_atoms(world, command, held)
    paid = _paid_up(world, command, held, bought)
    if bought == 0 or paid > margin.settled_cash(world, command.account):
        return Reject.INSUFFICIENT_BALANCE
    flows = {QUOTE_TOKEN: -paid, command.token: bought}
    if not margin.covers(world, portfolio(world, command.account, flows=flows)):
        return Reject.INSUFFICIENT_MARGIN
    _sell(world, command, bought, paid)
    return None


def _shape_rejection(world: World, command: BuyCollateral) -> Reject | None:
    """Return what is wrong with accounts, token and amount, by themselves."""
    if not world.account_exists(command.target):
        return Reject.ACCOUNT_NOT_FOUND
    if command.token not in world.tokens:
        return Reject.TOKEN_NOT_SUPPORTED
    if not 1 <= command.amount_atoms <= AMOUNT_ATOMS_MAX:
        return Reject.AMOUNT_OUT_OF_RANGE
    owners = world.accounts[command.account].owner, world.accounts[command.target].owner
    return Reject.OWN_LIQUIDATION if owners[0] == owners[1] else None


def _sale_rejection(world: World, command: BuyCollateral, held: Portfolio) -> Reject | None:
    """Return what speaks against selling of the token now, at this price."""
    if not conversion.is_running(world, command.target):
        return Reject.CONVERSION_NOT_FOUND
    if not conversion.is_due(world, held):
        return Reject.CONVERSION_NOT_DUE
    if collateral.index_atoms(world, command.token) == 0 or collateral.stale_ppm(
        world, command.token
    ):
        return Reject.OBSERVATION_STALE
    is_within = _price(world, command, held) <= command.price_max_atoms * FRACTION_ONE_PPM
    return None if is_within else Reject.PRICE_ABOVE_LIMIT


def _price(world: World, command: BuyCollateral, held: Portfolio) -> int:
    """Return the price of a whole token, in 1e-6 atoms."""
    share_ppm = conversion.price_ppm(world, command.token, held)
    return collateral.index_atoms(world, command.token) * share_ppm


def _bought_atoms(world: World, command: BuyCollateral, held: Portfolio) -> int:
    """Return how much is sold: what is asked for, there is, and repays the debt. Rounds up."""
    debt_atoms = min(debt_of(margin.settled_cash(world, command.target)), AMOUNT_ATOMS_MAX)
    scale = collateral.atoms_per_token(world, command.token) * FRACTION_ONE_PPM
    repaying = ceil_div(debt_atoms * scale, _price(world, command, held))
    return min(command.amount_atoms, held.balances[command.token - 1], repaying)


def _paid_up(world: World, command: BuyCollateral, held: Portfolio, bought: int) -> int:
    """Return what atoms of the token cost. Rounds up: against the buyer."""
    scale = collateral.atoms_per_token(world, command.token) * FRACTION_ONE_PPM
    return ceil_div(bought * _price(world, command, held), scale)


def _sell(world: World, command: BuyCollateral, bought: int, paid: int) -> None:
    """Move token and money, end what is over; nothing can be refused any more."""
    buyer, seller = command.account, command.target
    for account in (buyer, seller):
        settle_variation(world, account)
    add_cash(world, buyer, -paid)
    add_cash(world, seller, paid)
    collateral.add_tokens(world, buyer, command.token, bought)
    collateral.add_tokens(world, seller, command.token, -bought)
    paid_atoms = event_atoms(paid)
    world.emit(CollateralSold(seller, buyer, command.token, bought, paid_atoms, command.nonce))
    insurance.settle(world, seller)
