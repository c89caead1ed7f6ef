"""The fund's share: what one insolvency may cost it beyond what an account that owes still has."""

from proofbook.protocol.limits import FRACTION_ONE_PPM, FUND_ACCOUNT
from proofbook.protocol.records import AuctionRecord
from proofbook.spec.world import PARAMETERS_SLOT, World


def fund_atoms(world: World) -> int:
    """Return the cash of the fund, 0 if it owes."""
    return max(0, world.accounts[FUND_ACCOUNT].cash_atoms)


def share_down(world: World) -> int:
    """Return what an insolvency that begins now may cost the fund. Rounds down."""
    share_ppm = world.parameters[PARAMETERS_SLOT].fund_share_ppm
    return fund_atoms(world) * share_ppm // FRACTION_ONE_PPM


def left_atoms(world: World, auction: AuctionRecord) -> int:
    """Return what the fund may still pay for an account that is auctioned."""
    return min(auction.fund_atoms, fund_atoms(world))


def left_for(world: World, account: int) -> int:
    """Return what the fund may still pay for an account: what is left of its share, if it has one,
    else a new share.
    """
    slot = world.accounts[account].auction
    if slot and world.auctions[slot].is_fund_bound:
        return left_atoms(world, world.auctions[slot])
    return share_down(world)
