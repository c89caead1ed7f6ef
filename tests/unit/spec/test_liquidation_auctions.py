"""Liquidation auctions: from the mark to all equity, then against the fund."""

import pytest
from tests.unit.spec.falling import BUY, LONG_LOTS, MARK, SELL, equity_of, long_at, move, underwater

from proofbook.protocol.commands import AuctionBid, BidLeg, StartAuction, Transfer
from proofbook.protocol.events import (
    DeficitCovered,
    LiquidationAuctionEnded,
    LiquidationAuctionStarted,
    LiquidationAuctionTaken,
    PositionTransferred,
    WithdrawalQueued,
    WithdrawalReduced,
)
from proofbook.protocol.limits import FEE_ACCOUNT, FUND_ACCOUNT, InstrumentKind, InstrumentState
from proofbook.simulator.inspection import (
    account,
    account_at,
    auction,
    header,
    money,
    position_in,
    risk_array,
)
from proofbook.simulator.scene import USDC, Scene

SECOND_NS = 10**9
FUND_USDC = 400_000


def give_fund(scene: Scene, name: str, amount_atoms: int) -> None:
    command = Transfer(*scene.header(name), FUND_ACCOUNT, 0, amount_atoms)
    assert scene.submit(command, name).is_applied


@pytest.fixture
def insured(scene: Scene) -> Scene:
    """A venue whose fund has 400,000 USDC, given by dan."""
    scene.deposit("dan", 2 * FUND_USDC * USDC)
    give_fund(scene, "dan", FUND_USDC * USDC)
    return scene


@pytest.fixture
def auctioned(insured: Scene, perpetual: int) -> Scene:
    """Ann's long position is auctioned while equity is left."""
    underwater(insured, perpetual)
    insured.liquidate("ann", perpetual)
    assert insured.start_auction("ann").is_applied
    return insured


@pytest.fixture
def insolvent(insured: Scene, perpetual: int) -> Scene:
    """Ann's position is auctioned against the fund: she owes 40,000 USDC at the mark."""
    long_at(insured, perpetual, 74)
    assert insured.start_auction("ann").is_applied
    return insured


def taken(scene: Scene) -> LiquidationAuctionTaken:
    return next(event for event in scene.events() if isinstance(event, LiquidationAuctionTaken))


def cash(scene: Scene, slot: int) -> int:
    return account_at(scene, slot).cash_atoms


# Starting


def test_start_rejects_an_unknown_account(scene: Scene) -> None:
    assert scene.submit(StartAuction(99)).name == "ACCOUNT_NOT_FOUND"


@pytest.mark.parametrize("slot", [FUND_ACCOUNT, FEE_ACCOUNT])
def test_fund_and_fees_are_not_auctioned(scene: Scene, slot: int) -> None:
    assert scene.submit(StartAuction(slot)).name == "NOT_LIQUIDATABLE"


def test_account_above_maintenance_is_not_auctioned(scene: Scene, perpetual: int) -> None:
    long_at(scene, perpetual, 95)
    assert scene.start_auction("ann").name == "NOT_LIQUIDATABLE"


def test_slices_come_first(scene: Scene, perpetual: int) -> None:
    """Neither is a slice tried yet, nor is the equity low."""
    long_at(scene, perpetual, 86)
    assert scene.start_auction("ann").name == "LIQUIDATION_NOT_EXHAUSTED"
    assert scene.liquidate("ann", perpetual).is_applied
    assert scene.start_auction("ann").is_applied, "nobody bid in the book"
    assert LiquidationAuctionStarted(scene.accounts["ann"], 0, 0) in scene.events()


def test_missed_slice_counts_for_a_while(scene: Scene, perpetual: int) -> None:
    long_at(scene, perpetual, 86)
    assert scene.liquidate("ann", perpetual).is_applied
    scene.wait(30 * SECOND_NS)
    assert scene.start_auction("ann").name == "LIQUIDATION_NOT_EXHAUSTED"


def test_filled_slice_is_none_that_was_missed(scene: Scene, perpetual: int) -> None:
    long_at(scene, perpetual, 84)
    scene.resting("cid", perpetual, BUY, MARK * 84 // 100, 120_000)
    assert scene.liquidate("ann", perpetual).is_applied
    assert scene.start_auction("ann").name == "LIQUIDATION_NOT_EXHAUSTED"


def test_low_equity_waits_for_no_slice(scene: Scene, perpetual: int) -> None:
    underwater(scene, perpetual)
    assert scene.start_auction("ann").is_applied


def test_book_that_does_not_trade_leaves_an_auction(scene: Scene, perpetual: int) -> None:
    long_at(scene, perpetual, 86)
    scene.set_instrument(perpetual, InstrumentState.POST_ONLY)
    assert scene.start_auction("ann").is_applied


def test_orders_go_before_an_auction(scene: Scene, perpetual: int) -> None:
    ticks = underwater(scene, perpetual)
    assert scene.place("ann", perpetual, SELL, ticks + 5, 7, reduce_only=True).is_applied
    assert scene.start_auction("ann").name == "LIQUIDATION_NOT_EXHAUSTED"
    assert scene.liquidate("ann").is_applied
    assert scene.start_auction("ann").is_applied


def test_running_auction_is_not_started_again(auctioned: Scene) -> None:
    assert auctioned.start_auction("ann").name == "LIQUIDATION_AUCTION_RUNNING"


def test_old_auction_begins_anew(auctioned: Scene, perpetual: int) -> None:
    """Nobody gets all equity because an auction of long ago was never ended."""
    auctioned.wait(60 * SECOND_NS)
    bid = auctioned.bid("cid", "ann", (perpetual, 1_000))
    assert bid.name == "LIQUIDATION_AUCTION_NOT_FOUND"
    assert auctioned.start_auction("ann").is_applied
    record = auction(auctioned, "ann")
    assert record and record.started_ns == auctioned.window_ns
    move(auctioned, 82)
    assert auctioned.bid("cid", "ann", (perpetual, 1_000)).is_applied
    assert taken(auctioned).premium_atoms < 10 * USDC


def test_anybody_ends_the_auction_of_an_account_that_is_covered(
    auctioned: Scene, perpetual: int
) -> None:
    move(auctioned, 95)
    assert auctioned.bid("cid", "ann", (perpetual, 1)).name == "NOT_LIQUIDATABLE"
    assert auctioned.start_auction("ann").is_applied
    assert auctioned.events() == [LiquidationAuctionEnded(auctioned.accounts["ann"])]
    assert auction(auctioned, "ann") is None


@pytest.mark.parametrize("is_transfer", [False, True])
def test_money_ends_an_auction(auctioned: Scene, is_transfer: bool) -> None:
    if is_transfer:
        assert auctioned.transfer("dan", "ann", 300_000 * USDC).is_applied
    else:
        auctioned.deposit("ann", 300_000 * USDC)
    assert LiquidationAuctionEnded(auctioned.accounts["ann"]) in auctioned.events()
    assert auction(auctioned, "ann") is None


def test_slices_go_on_beside_an_auction_and_end_it(auctioned: Scene, perpetual: int) -> None:
    auctioned.resting("cid", perpetual, BUY, MARK * 82 // 100, LONG_LOTS)
    while auction(auctioned, "ann"):
        auctioned.wait(SECOND_NS)
        assert auctioned.liquidate("ann", perpetual).is_applied
    assert auctioned.liquidate("ann", perpetual).name == "NOT_LIQUIDATABLE"


# Bidding while there is equity


def test_bid_takes_legs_at_the_mark_for_a_rising_premium(auctioned: Scene, perpetual: int) -> None:
    """After a third of the time, half of the risk earns a sixth of the equity."""
    total, equity = money(auctioned), equity_of(auctioned, perpetual)
    auctioned.wait(10 * SECOND_NS - 10**6)
    assert auctioned.bid("cid", "ann", (perpetual, LONG_LOTS // 2)).is_applied
    event, mark_atoms = taken(auctioned), risk_array(auctioned, perpetual).mark_atoms
    assert event.premium_atoms == pytest.approx(equity / 6, rel=1e-3)
    assert event.is_from_fund == 0
    moved = auctioned.events()[0]
    assert isinstance(moved, PositionTransferred)
    assert (moved.lots, moved.mark_atoms) == (LONG_LOTS // 2, mark_atoms)
    held, bought = (position_in(auctioned, name, perpetual) for name in ("ann", "cid"))
    assert held and held.lots == LONG_LOTS // 2
    assert bought and bought.lots == LONG_LOTS // 2
    assert bought.entry_atoms == -bought.lots * mark_atoms
    assert account(auctioned, "cid").cash_atoms == 1_000_000 * USDC + event.premium_atoms
    assert equity_of(auctioned, perpetual) == equity - event.premium_atoms
    assert money(auctioned) == total, "no atom is lost"


def test_last_leg_after_all_the_time_earns_all_equity(auctioned: Scene, perpetual: int) -> None:
    equity = equity_of(auctioned, perpetual)
    auctioned.wait(40 * SECOND_NS)
    assert auctioned.bid("cid", "ann", (perpetual, LONG_LOTS)).is_applied
    assert taken(auctioned).premium_atoms == equity
    assert account(auctioned, "ann").cash_atoms == 0
    assert LiquidationAuctionEnded(auctioned.accounts["ann"]) in auctioned.events()


def test_bid_may_restore_the_account(auctioned: Scene, perpetual: int) -> None:
    assert auctioned.bid("cid", "ann", (perpetual, 300_000)).is_applied
    assert auction(auctioned, "ann") is None
    assert auctioned.bid("cid", "ann", (perpetual, 1)).name == "LIQUIDATION_AUCTION_NOT_FOUND"


def test_bid_rejects_an_unknown_target(scene: Scene, perpetual: int) -> None:
    rows = (BidLeg(perpetual, 1),)
    outcome = scene.submit(AuctionBid(*scene.header("cid"), 99, 0, rows), "cid")
    assert outcome.name == "ACCOUNT_NOT_FOUND"


@pytest.mark.parametrize("name", ["ann", "ann two"])
def test_owner_cannot_bid_for_his_own_liquidation(
    auctioned: Scene, perpetual: int, name: str
) -> None:
    auctioned.deposit("ann two", 2_000_000 * USDC, owner="ann")
    assert auctioned.bid(name, "ann", (perpetual, 1_000)).name == "OWN_LIQUIDATION"


def test_bid_needs_an_auction(scene: Scene, perpetual: int) -> None:
    underwater(scene, perpetual)
    outcome = scene.bid("cid", "ann", (perpetual, 1_000))
    assert outcome.name == "LIQUIDATION_AUCTION_NOT_FOUND"


@pytest.mark.parametrize("lots", [0, -1, LONG_LOTS + 1, -(1 << 63), (1 << 63) - 1])
def test_bid_takes_no_more_than_there_is(auctioned: Scene, perpetual: int, lots: int) -> None:
    assert auctioned.bid("cid", "ann", (perpetual, lots)).name == "LEG_INVALID"


def test_bid_names_what_the_account_holds(auctioned: Scene, perpetual: int, call: int) -> None:
    for identifier in (call, 77, perpetual + (1 << 16)):
        assert auctioned.bid("cid", "ann", (identifier, 1)).name == "LEG_INVALID"


def test_halted_leg_is_not_offered(auctioned: Scene, perpetual: int) -> None:
    auctioned.set_instrument(perpetual, InstrumentState.HALTED)
    assert auctioned.bid("cid", "ann", (perpetual, 1)).name == "LEG_INVALID"


def test_stale_leg_is_not_offered(auctioned: Scene, perpetual: int) -> None:
    """Nobody picks what the venue prices wrongly because publishers are silent."""
    auctioned.wait(61 * SECOND_NS)
    move(auctioned, 82)
    assert auctioned.start_auction("ann").is_applied
    auctioned.wait(59 * SECOND_NS)
    assert auctioned.bid("cid", "ann", (perpetual, 1)).is_applied
    auctioned.wait(2 * SECOND_NS)
    assert auctioned.start_auction("ann").is_applied
    assert auctioned.bid("cid", "ann", (perpetual, 1)).name == "LEG_INVALID"


def test_bid_must_relieve(scene: Scene, perpetual: int) -> None:
    """Who takes the hedge away leaves the account worse."""
    put = scene.open_option(kind=InstrumentKind.PUT)
    scene.resting("bob", put, SELL, 40_000, 1_000)
    assert scene.place("ann", put, BUY, 40_000, 1_000).is_applied
    long_at(scene, perpetual, 76)
    assert scene.start_auction("ann").is_applied
    assert scene.bid("cid", "ann", (put, 1_000)).name == "BID_NOT_HELPFUL"
    assert scene.bid("cid", "ann", (perpetual, 1_000)).is_applied


def test_bid_bounds_its_cost(auctioned: Scene, perpetual: int) -> None:
    mark_atoms = risk_array(auctioned, perpetual).mark_atoms
    auctioned.wait(10 * SECOND_NS)
    dear = 1_000 * mark_atoms - 1_000_000 * USDC
    outcome = auctioned.bid("cid", "ann", (perpetual, 1_000), max_cost_atoms=dear)
    assert outcome.name == "BID_COST_ABOVE_MAX"
    fair = 1_000 * mark_atoms - 1
    assert auctioned.bid("cid", "ann", (perpetual, 1_000), max_cost_atoms=fair).is_applied


def test_bidder_must_be_covered(auctioned: Scene, perpetual: int) -> None:
    auctioned.deposit("poor", 100 * USDC)
    outcome = auctioned.bid("poor", "ann", (perpetual, 100_000))
    assert outcome.name == "INSUFFICIENT_MARGIN"


def test_bidder_may_close_what_he_holds(auctioned: Scene, perpetual: int) -> None:
    """Bob is short the whole position: to take it leaves him with nothing."""
    assert auctioned.bid("bob", "ann", (perpetual, LONG_LOTS)).is_applied
    assert position_in(auctioned, "bob", perpetual) is None


def test_bid_takes_several_legs(scene: Scene, perpetual: int) -> None:
    put = scene.open_option(kind=InstrumentKind.PUT)
    scene.resting("bob", put, BUY, 40_000, 100)
    assert scene.place("ann", put, SELL, 40_000, 100).is_applied
    underwater(scene, perpetual)
    assert scene.start_auction("ann").is_applied
    total = money(scene)
    assert scene.bid("cid", "ann", (perpetual, 1_000), (put, -100)).is_applied
    held = position_in(scene, "cid", put)
    assert held and held.lots == -100
    assert position_in(scene, "ann", put) is None
    assert money(scene) == total


# Against the fund


def test_insolvent_account_is_auctioned_against_the_fund(insolvent: Scene, perpetual: int) -> None:
    record = auction(insolvent, "ann")
    assert record and record.insolvent_ns == insolvent.window_ns
    assert record.fund_atoms == FUND_USDC * USDC // 4
    assert insolvent.liquidate("ann", perpetual).name == "ACCOUNT_INSOLVENT"


def test_fund_pays_a_premium_and_then_the_debt(insolvent: Scene, perpetual: int) -> None:
    total, fund = money(insolvent), cash(insolvent, FUND_ACCOUNT)
    deficit = -equity_of(insolvent, perpetual)
    assert 40_000 * USDC < deficit < 42_000 * USDC
    insolvent.wait(6 * SECOND_NS - 10**6)
    assert insolvent.bid("cid", "ann", (perpetual, LONG_LOTS)).is_applied
    event = taken(insolvent)
    assert event.is_from_fund == 1
    assert 0 < event.premium_atoms <= FUND_USDC * USDC // 4 - deficit
    assert DeficitCovered(insolvent.accounts["ann"], deficit, 0) in insolvent.events()
    assert cash(insolvent, FUND_ACCOUNT) == fund - event.premium_atoms - deficit
    assert account(insolvent, "ann").cash_atoms == 0
    assert auction(insolvent, "ann") is None
    assert money(insolvent) == total


def test_premium_leaves_the_fund_what_is_owed(insolvent: Scene, perpetual: int) -> None:
    deficit = -equity_of(insolvent, perpetual)
    insolvent.wait(100 * SECOND_NS)
    move(insolvent, 74)
    assert insolvent.bid("cid", "ann", (perpetual, 400_000)).is_applied
    assert taken(insolvent).premium_atoms == FUND_USDC * USDC // 4 - deficit
    insolvent.wait(SECOND_NS)
    assert insolvent.bid("cid", "ann", (perpetual, 100_000)).is_applied
    assert taken(insolvent).premium_atoms == 0
    assert cash(insolvent, FUND_ACCOUNT) == FUND_USDC * USDC * 3 // 4


def test_debt_above_the_funds_share_takes_no_bids(insolvent: Scene, perpetual: int) -> None:
    move(insolvent, 70)
    outcome = insolvent.bid("cid", "ann", (perpetual, 1_000))
    assert outcome.name == "LIQUIDATION_AUCTION_NOT_FOUND"


def test_phase_follows_equity_in_both_directions(insolvent: Scene, perpetual: int) -> None:
    move(insolvent, 76)
    outcome = insolvent.bid("cid", "ann", (perpetual, 1_000))
    assert outcome.name == "LIQUIDATION_AUCTION_NOT_FOUND"
    assert insolvent.start_auction("ann").is_applied
    assert LiquidationAuctionStarted(insolvent.accounts["ann"], 0, 0) in insolvent.events()
    assert insolvent.bid("cid", "ann", (perpetual, 1_000)).is_applied
    move(insolvent, 73)
    assert insolvent.start_auction("ann").is_applied
    record = auction(insolvent, "ann")
    assert record and record.insolvent_ns == insolvent.window_ns


def test_phases_that_alternate_cost_the_fund_no_more(insolvent: Scene, perpetual: int) -> None:
    """Its share of the fund is settled once, whatever the fund has got or paid since."""
    insolvent.wait(30 * SECOND_NS)
    assert insolvent.bid("cid", "ann", (perpetual, 1_000)).is_applied
    left = FUND_USDC * USDC // 4 - taken(insolvent).premium_atoms
    give_fund(insolvent, "dan", FUND_USDC * USDC)
    for percent in (76, 74):
        move(insolvent, percent)
        assert insolvent.start_auction("ann").is_applied
    assert insolvent.events() == [LiquidationAuctionStarted(insolvent.accounts["ann"], 1, left)]


def test_old_auction_against_the_fund_begins_anew(insolvent: Scene, perpetual: int) -> None:
    insolvent.wait(120 * SECOND_NS)
    move(insolvent, 74)
    outcome = insolvent.bid("cid", "ann", (perpetual, 1_000))
    assert outcome.name == "LIQUIDATION_AUCTION_NOT_FOUND"
    assert insolvent.start_auction("ann").is_applied
    assert insolvent.bid("cid", "ann", (perpetual, 1_000)).is_applied


# What nobody pays


def owing(scene: Scene, perpetual: int) -> int:
    """Bob, who is alone on the other side, has left only what his own margin needs.

    Return what ann owes once he has given all of it.
    """
    long_at(scene, perpetual, 50)
    bob = scene.engine.margin(scene.accounts["bob"])
    left_atoms = 400_000 * USDC
    assert scene.transfer("bob", "cid", bob.equity_atoms - left_atoms).is_applied
    debt = -equity_of(scene, perpetual) - left_atoms
    assert scene.start_auction("ann").is_applied
    assert scene.deleverage("ann", perpetual).is_applied
    assert position_in(scene, "ann", perpetual) is None
    return debt


def test_what_an_account_without_positions_owes_is_covered_at_once(
    insured: Scene, perpetual: int
) -> None:
    """Beyond its share of one insolvency, too: nobody else is left."""
    give_fund(insured, "dan", FUND_USDC * USDC)
    total = money(insured)
    debt = owing(insured, perpetual)
    assert DeficitCovered(insured.accounts["ann"], debt, 0) in insured.events()
    assert cash(insured, FUND_ACCOUNT) == 2 * FUND_USDC * USDC - debt
    assert account(insured, "ann").cash_atoms == 0
    assert money(insured) == total


def test_fees_pay_after_the_fund_and_withdrawals_share_the_rest(
    scene: Scene, perpetual: int
) -> None:
    total, debt = money(scene), owing(scene, perpetual)
    missing = debt - 2_000 * USDC
    assert DeficitCovered(scene.accounts["ann"], debt, missing) in scene.events()
    assert cash(scene, FUND_ACCOUNT) == -missing
    assert cash(scene, FEE_ACCOUNT) == 0
    claims = header(scene).custody_atoms + missing
    amount = 300_000 * USDC
    assert scene.withdraw("cid", amount).is_applied
    withheld = -(-amount * missing // claims)
    events = scene.events()
    assert WithdrawalReduced(scene.accounts["cid"], withheld) in events
    queued = next(event for event in events if isinstance(event, WithdrawalQueued))
    assert queued.amount_atoms == amount - withheld
    assert cash(scene, FUND_ACCOUNT) == withheld - missing
    assert money(scene) == total - queued.amount_atoms == header(scene).custody_atoms


def test_who_leaves_first_loses_as_much_as_who_leaves_last(scene: Scene, perpetual: int) -> None:
    owing(scene, perpetual)
    shares: list[float] = []
    for _ in range(3):
        assert scene.withdraw("cid", 100_000 * USDC).is_applied
        reduced = next(e for e in scene.events() if isinstance(e, WithdrawalReduced))
        shares.append(reduced.withheld_atoms)
    assert max(shares) - min(shares) <= 1


def test_withdrawal_of_which_nothing_is_left_is_refused(scene: Scene, perpetual: int) -> None:
    owing(scene, perpetual)
    assert scene.withdraw("cid", 1).name == "AMOUNT_OUT_OF_RANGE"


def test_funds_debt_is_paid_by_what_it_gets(scene: Scene, perpetual: int) -> None:
    owing(scene, perpetual)
    missing = -cash(scene, FUND_ACCOUNT)
    give_fund(scene, "cid", missing)
    assert scene.withdraw("cid", 1_000 * USDC).is_applied
    assert not any(isinstance(event, WithdrawalReduced) for event in scene.events())
