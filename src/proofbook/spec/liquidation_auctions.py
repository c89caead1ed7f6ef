"""Auctions of accounts below maintenance margin that slices do not bring back.

A Dutch auction: bidders take legs at their marks, and the premium that they get for it rises with
time. While the account has equity, the premium comes from it, up to all of it for all the risk.
Once it has none, the premium comes from the fund, up to the maintenance margin of what is taken,
as far as one insolvency may cost the fund and what the account owes is paid first.
"""

from dataclasses import dataclass

from proofbook.protocol.commands import AuctionBid, BidLeg, StartAuction
from proofbook.protocol.events import (
    LiquidationAuctionStarted,
    LiquidationAuctionTaken,
    PositionTransferred,
)
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    FIRST_USER_ACCOUNT,
    FRACTION_ONE_PPM,
    FUND_ACCOUNT,
    NS_PER_SECOND,
    Reject,
)
from proofbook.protocol.records import AuctionRecord
from proofbook.spec import fund_share, insurance, liquidation, margin, position_limits, states, trie
from proofbook.spec.accounts import add_cash
from proofbook.spec.arena import NO_SLOT
from proofbook.spec.exposure import Changes, Exposure
from proofbook.spec.margin_modes import instruments_max
from proofbook.spec.portfolio import Portfolio, is_insolvent, positions_alone
from proofbook.spec.positions import find_position, open_position, release_position, trade
from proofbook.spec.prices import is_marked
from proofbook.spec.relief import Relief
from proofbook.spec.rules import RULES
from proofbook.spec.staleness import is_stale, is_superseded
from proofbook.spec.wide import event_atoms, is_product_at_least, mul_div_down
from proofbook.spec.world import PARAMETERS_SLOT, World

LAPSE_FOLD = 2
"""A phase takes bids for so many times as long as its premium rises: then it is old."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a bidder gets for legs now: changes to his exposures, a premium, and their cost.

    Their cost is what the legs are worth at their marks, less the premium.
    """

    changes: Changes
    premium_atoms: int
    cost_atoms: int


def start_auction(world: World, command: StartAuction) -> Reject | None:
    """Auction an account, let its auction go on to its next phase, or end it.

    Of an account that owes and holds nothing, the debt is covered at once.

    Rejects  ACCOUNT_NOT_FOUND; NOT_LIQUIDATABLE (the fund, the account of fees, or one above
             maintenance margin); LIQUIDATION_AUCTION_RUNNING; LIQUIDATION_NOT_EXHAUSTED while there
             are orders or slices are to be tried first, or nothing but tokens; ARENA_FULL.
    """
    account = command.account
    if not world.account_exists(account):
        return Reject.ACCOUNT_NOT_FOUND
    if account < FIRST_USER_ACCOUNT:
        return Reject.NOT_LIQUIDATABLE
    held = positions_alone(world, account)
    slot = world.accounts[account].auction
    if slot:
        return _go_on(world, slot, held)
    if not margin.is_below_maintenance(world, held):
        return Reject.NOT_LIQUIDATABLE
    if liquidation.has_live_orders(world, account) or not _is_exhausted(world, held):
        return Reject.LIQUIDATION_NOT_EXHAUSTED
    if insurance.holds_nothing(world, held):
        insurance.cover(world, account)
        return None
    if not insurance.holds_lots(held):
        return Reject.LIQUIDATION_NOT_EXHAUSTED
    if not world.auctions.has_room(1):
        return Reject.ARENA_FULL
    slot, auction = world.auctions.allocate()
    auction.account = account
    world.accounts.edit(account).auction = slot
    _begin(world, auction, held)
    return None


def _is_exhausted(world: World, held: Portfolio) -> bool:
    """Whether slices are no longer to be waited for.

    Too little equity is left, the last slice has just missed, or none that could be closed now
    would relieve.
    """
    parameters, record = world.parameters[PARAMETERS_SLOT], world.accounts[held.account]
    best_atoms = max(0, held.equity_atoms + held.stale_high_atoms)
    relief = Relief(world, held)
    share_ppm = parameters.auction_margin_ppm
    if not is_product_at_least(best_atoms, FRACTION_ONE_PPM, relief.required_atoms, share_ppm):
        return True
    remembered_ns = record.liquidated_ns + parameters.auction_seconds * NS_PER_SECOND
    if record.slice_missed and world.header.window_ns < remembered_ns:
        return True
    slices = liquidation.slices(world, held.account, relief)
    return not any(each.relief_atoms > 0 for each in slices)


def _begin(world: World, auction: AuctionRecord, held: Portfolio) -> None:
    """Start the phase that the account's equity is for.

    What one insolvency may cost the fund is settled once: phases that alternate bring no more.
    """
    now_ns = world.header.window_ns
    auction.started_ns, auction.insolvent_ns = now_ns, 0
    if is_insolvent(held):
        auction.insolvent_ns = now_ns
        if not auction.is_fund_bound:
            auction.fund_atoms = fund_share.share_down(world)
            auction.is_fund_bound = True
    fund_atoms = event_atoms(auction.fund_atoms) if auction.insolvent_ns else 0
    world.emit(LiquidationAuctionStarted(auction.account, is_insolvent(held), fund_atoms))


def _go_on(world: World, slot: int, held: Portfolio) -> Reject | None:
    """End the auction of an account that is covered; begin a phase anew if it is due."""
    if not margin.is_below_maintenance(world, held):
        insurance.end_auction(world, held.account)
        return None
    auction = world.auctions[slot]
    if is_current(world, auction, held):
        return Reject.LIQUIDATION_AUCTION_RUNNING
    _begin(world, world.auctions.edit(slot), held)
    return None


def is_current(world: World, auction: AuctionRecord, held: Portfolio) -> bool:
    """Whether the auction is in the phase that the equity is for, and not too old."""
    if is_insolvent(held) != bool(auction.insolvent_ns):
        return False
    lapse_ns = LAPSE_FOLD * full_ns(world, auction)
    return world.header.window_ns < auction.started_ns + lapse_ns


def full_ns(world: World, auction: AuctionRecord) -> int:
    """Return how long the premium of the auction's phase rises."""
    parameters = world.parameters[PARAMETERS_SLOT]
    is_solvent = not auction.insolvent_ns
    seconds = parameters.auction_seconds if is_solvent else parameters.insolvency_seconds
    return max(1, seconds * NS_PER_SECOND)


def auction_bid(world: World, command: AuctionBid) -> Reject | None:
    """Take legs out of an auction at their marks, for its premium.

    Rejects  ACCOUNT_NOT_FOUND (the one that is auctioned); OWN_LIQUIDATION;
             LIQUIDATION_AUCTION_NOT_FOUND (none that takes bids now); NOT_LIQUIDATABLE (the account
             covers maintenance margin again); LEG_INVALID; BID_NOT_HELPFUL unless the legs lower
             maintenance margin; BID_COST_ABOVE_MAX; INSTRUMENT_LIMIT, POSITION_LIMIT, ARENA_FULL;
             ACCOUNT_INSOLVENT if the bidder is; INSUFFICIENT_MARGIN unless he is covered after it,
             or no worse for it.
    """
    target = command.target
    if not world.account_exists(target):
        return Reject.ACCOUNT_NOT_FOUND
    if world.accounts[target].owner == world.accounts[command.account].owner:
        return Reject.OWN_LIQUIDATION
    held, slot = positions_alone(world, target), world.accounts[target].auction
    if not slot or not _takes_bids(world, world.auctions[slot], held):
        return Reject.LIQUIDATION_AUCTION_NOT_FOUND
    if not margin.is_below_maintenance(world, held):
        return Reject.NOT_LIQUIDATABLE
    if not all(_is_leg_offered(world, target, leg) for leg in command.legs):
        return Reject.LEG_INVALID
    offer = _offer(world, command, held)
    if offer is None:
        return Reject.BID_NOT_HELPFUL
    if offer.cost_atoms > command.max_cost_atoms:
        return Reject.BID_COST_ABOVE_MAX
    rejection = _room_rejection(world, command)
    if rejection is not None:
        return rejection
    rejection = margin.trade_rejection(world, command.account, offer.changes, -offer.premium_atoms)
    if rejection is not None:
        return rejection
    _take(world, command, offer)
    return None


def _takes_bids(world: World, auction: AuctionRecord, held: Portfolio) -> bool:
    """Whether the auction is in the right phase; and against the fund, whether that pays the debt.

    If it does not, holders on the other side close the legs.
    """
    if not is_current(world, auction, held):
        return False
    return not auction.insolvent_ns or insurance.is_paid_by_fund(world, auction, held)


def _is_leg_offered(world: World, target: int, leg: BidLeg) -> bool:
    """Whether the account holds what a leg names, and that `is_leg_live`.

    At a stale mark bidders would take what is worth more, and leave what is worth less.
    """
    slot = states.find_instrument(world, leg.instrument)
    position_slot = find_position(world, target, slot) if slot else NO_SLOT
    held_lots = world.positions[position_slot].lots if position_slot else 0
    is_part = 0 < leg.lots <= held_lots or held_lots <= leg.lots < 0
    return is_part and is_leg_live(world, slot)


def is_leg_live(world: World, slot: int) -> bool:
    """Whether an instrument is freshly marked, and its book one in which trades may happen."""
    if not is_marked(world, slot) or is_stale(world, slot) or is_superseded(world, slot):
        return False
    instrument = world.instruments[slot]
    return RULES[instrument.state].trades and not states.is_expired(world, instrument)


def _offer(world: World, command: AuctionBid, held: Portfolio) -> Offer | None:
    """Return what the auction offers for the legs now, or None if that would relieve nothing."""
    rows = [(instrument_slot(leg.instrument), leg.lots) for leg in command.legs]
    relief = Relief(world, held)
    relief_atoms = relief.of({slot: Exposure(-lots) for slot, lots in rows})
    if relief_atoms <= 0:
        return None
    auction = world.auctions[world.accounts[held.account].auction]
    premium = premium_down(world, auction, held, relief.required_atoms, relief_atoms)
    value = sum(lots * world.risk_arrays[slot].mark_atoms for slot, lots in rows)
    return Offer({slot: Exposure(lots) for slot, lots in rows}, premium, value - premium)


def premium_down(
    world: World, auction: AuctionRecord, held: Portfolio, required_atoms: int, relief_atoms: int
) -> int:
    """Return the premium for so much relief now.

    Of equity, its share of the relief, so that equity / maintenance does not fall; of the fund, the
    relief itself, but what the account owes is left. Either is multiplied by the part of its time
    that has passed.

    Units    atoms.
    Rounds   down: against the bidder.
    """
    whole_ns = full_ns(world, auction)
    elapsed_ns = min(world.header.window_ns - auction.started_ns, whole_ns)
    if auction.insolvent_ns:
        left_atoms = fund_share.left_atoms(world, auction) + held.equity_atoms
        return min(mul_div_down(relief_atoms, elapsed_ns, whole_ns), left_atoms)
    share_atoms = mul_div_down(max(0, held.equity_atoms), relief_atoms, required_atoms)
    return mul_div_down(share_atoms, elapsed_ns, whole_ns)


def _room_rejection(world: World, command: AuctionBid) -> Reject | None:
    """Ask limits of the bidder and of the arenas: INSTRUMENT_LIMIT, POSITION_LIMIT, ARENA_FULL."""
    account = command.account
    rows = [(instrument_slot(leg.instrument), leg.lots) for leg in command.legs]
    missing = sum(not find_position(world, account, slot) for slot, _ in rows)
    if world.accounts[account].positions_count + missing > instruments_max(world, account):
        return Reject.INSTRUMENT_LIMIT
    if any(position_limits.is_taking_beyond_reach(world, account, *row) for row in rows):
        return Reject.POSITION_LIMIT
    has_room = world.positions.has_room(missing) and world.nodes.has_room(
        missing * trie.INSTRUMENT_DEPTH
    )
    return None if has_room else Reject.ARENA_FULL


def _take(world: World, command: AuctionBid, offer: Offer) -> None:
    """Move the legs at their marks, pay the premium, and settle what is left."""
    for leg in command.legs:
        _move(world, command, leg)
    auction = world.auctions.edit(world.accounts[command.target].auction)
    is_from_fund = auction.insolvent_ns != 0
    if is_from_fund:
        auction.fund_atoms -= offer.premium_atoms
    payer = FUND_ACCOUNT if is_from_fund else command.target
    add_cash(world, payer, -offer.premium_atoms)
    add_cash(world, command.account, offer.premium_atoms)
    premium_atoms = event_atoms(offer.premium_atoms)
    world.emit(
        LiquidationAuctionTaken(command.target, command.account, premium_atoms, is_from_fund)
    )
    insurance.settle(world, command.target)


def _move(world: World, command: AuctionBid, leg: BidLeg) -> None:
    slot = instrument_slot(leg.instrument)
    mark_atoms = world.risk_arrays[slot].mark_atoms
    source = find_position(world, command.target, slot)
    taken = find_position(world, command.account, slot)
    if not taken:
        taken = open_position(world, command.account, slot)
    trade(world, source, -leg.lots, -leg.lots * mark_atoms)
    trade(world, taken, leg.lots, leg.lots * mark_atoms)
    world.emit(
        PositionTransferred(command.target, command.account, leg.instrument, leg.lots, mark_atoms)
    )
    release_position(world, source)
    release_position(world, taken)
