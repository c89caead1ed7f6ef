"""Accounts in every state when an expiry settles: auctioned, indebted, for sale, with orders."""

from dataclasses import replace

import pytest
from tests.unit.spec.conftest import ENGINES

from proofbook.protocol.commands import Remark, Tick
from proofbook.protocol.events import (
    ConversionEnded,
    DeficitCovered,
    LiquidationAuctionEnded,
    OrderRemoved,
    PositionSettled,
    TriggerRemoved,
)
from proofbook.protocol.limits import (
    COMBO_PRICE_OFFSET_TICKS,
    FUND_ACCOUNT,
    InstrumentKind,
    Reject,
    Removal,
    Side,
    TriggerCondition,
)
from proofbook.protocol.liquidation_commands import Deleverage
from proofbook.simulator.inspection import (
    account,
    account_at,
    auction,
    header,
    instrument,
    money,
    position,
    position_in,
    token,
)
from proofbook.simulator.scene import (
    EXPIRY_NS,
    FLAT_SLICE,
    MINUTE_NS,
    STRIKE_ATOMS,
    UNBOUND,
    USDC,
    WBTC,
    Scene,
)

BUY, SELL = Side.BUY, Side.SELL
CALL, PUT = InstrumentKind.CALL, InstrumentKind.PUT
BITCOIN = 10**8
TICKS = 30_000
LOTS = 1_000
"""Ten bitcoin of calls."""

WINDOW_NS = EXPIRY_NS - 30 * MINUTE_NS


@pytest.fixture(params=list(ENGINES))
def scene(request: pytest.FixtureRequest) -> Scene:
    """A venue where bob has 200,000 USDC and others a million, and whose debts cost nothing."""
    parameters = replace(UNBOUND, debt_interest_ppm=0)
    scene = Scene(ENGINES[request.param], tokens=(WBTC,), parameters=parameters)
    for name, usdc in (("ann", 1_000_000), ("bob", 200_000), ("cid", 1_000_000)):
        scene.deposit(name, usdc * USDC)
    return scene


@pytest.fixture
def call(scene: Scene) -> int:
    """A call that bob has sold to ann; its expiry is slot 1."""
    call = scene.open_option()
    sell(scene, call)
    return call


def sell(scene: Scene, book: int, ticks: int = TICKS, lots: int = LOTS) -> None:
    scene.resting("bob", book, SELL, ticks, lots)
    assert scene.place("ann", book, BUY, ticks, lots).is_applied


def mark_at(scene: Scene, index_usd: int) -> None:
    """Let all be marked at an index, half an hour before the window of the expiry opens."""
    scene.at(EXPIRY_NS - 60 * MINUTE_NS)
    price_atoms = index_usd * USDC
    assert scene.publish_index(price_atoms).is_applied
    assert scene.publish_forward(price_atoms).is_applied
    assert scene.publish_surface(replace(FLAT_SLICE, expiry_ns=EXPIRY_NS)).is_applied
    assert scene.submit(Remark(1)).is_applied


def end_at(scene: Scene, index_usd: int) -> None:
    """Settle the expiry, and write the final marks."""
    scene.publish_each_minute(WINDOW_NS, *[index_usd * USDC] * 30)
    scene.at(EXPIRY_NS + 2 * MINUTE_NS)
    outcome = scene.settle_expiry(1)
    assert outcome.is_applied, outcome.name
    assert scene.submit(Remark(1)).is_applied


def check(scene: Scene) -> None:
    """Money and tokens are conserved; debts are the sum of what is below zero."""
    assert money(scene) == header(scene).custody_atoms
    records = [account_at(scene, number) for number in range(1, 3 + len(scene.accounts))]
    assert header(scene).debt_atoms == sum(max(0, -record.cash_atoms) for record in records)
    assert token(scene, 1).custody_atoms == sum(record.balances_atoms[0] for record in records)


# Accounts that are auctioned


def test_debt_of_an_auctioned_account_is_covered_when_its_last_leg_settles(
    scene: Scene, call: int
) -> None:
    mark_at(scene, 120_000)
    assert scene.start_auction("bob").is_applied
    cash = account(scene, "bob").cash_atoms
    end_at(scene, 120_000)
    assert scene.settle_account("bob").is_applied
    loss_atoms = LOTS * 40_000 * USDC // 100
    bob, owed = scene.accounts["bob"], loss_atoms - cash
    held = PositionSettled(bob, call, -LOTS, 400 * USDC)
    fund_atoms = account_at(scene, FUND_ACCOUNT).cash_atoms
    assert scene.events() == [
        held,
        DeficitCovered(bob, owed, max(0, -fund_atoms)),
        LiquidationAuctionEnded(bob),
    ]
    assert fund_atoms < 0, "fees of the trade did not pay for it"
    assert account(scene, "bob").cash_atoms == 0
    assert auction(scene, "bob") is None and position(scene, "bob") is None
    check(scene)


def test_auction_ends_with_a_settlement_that_leaves_the_account_covered(
    scene: Scene, call: int
) -> None:
    mark_at(scene, 95_000)
    assert scene.start_auction("bob").is_applied
    end_at(scene, 95_000)
    assert scene.settle_account("bob").is_applied
    bob = scene.accounts["bob"]
    assert scene.events() == [
        PositionSettled(bob, call, -LOTS, 150 * USDC),
        LiquidationAuctionEnded(bob),
    ]
    assert auction(scene, "bob") is None
    assert account(scene, "bob").cash_atoms > 0
    assert account_at(scene, FUND_ACCOUNT).cash_atoms >= 0
    check(scene)


def test_auction_goes_on_with_what_does_not_expire(scene: Scene) -> None:
    """Bids for the leg at its final mark are refused; those for the other one are not."""
    call = scene.open_option()
    sell(scene, call, lots=500)
    perpetual = scene.list_perpetual()
    assert scene.publish_index().is_applied and scene.submit(Remark(2)).is_applied
    sell(scene, perpetual, 800_000, 50_000)
    mark_at(scene, 100_000)
    assert scene.submit(Remark(2)).is_applied
    assert scene.start_auction("bob").is_applied
    end_at(scene, 100_000)
    assert scene.submit(Remark(2)).is_applied
    assert scene.settle_account("bob").is_applied
    assert [type(event) for event in scene.events()] == [PositionSettled]
    assert auction(scene, "bob"), "the perpetual is still below its margin"
    assert account(scene, "bob").cash_atoms < 200_000 * USDC
    scene.start_auction("bob")
    assert scene.bid("cid", "bob", (call, -1)).name == "LEG_INVALID"
    check(scene)


def test_nobody_is_deleveraged_in_a_book_that_is_at_its_end(scene: Scene, call: int) -> None:
    mark_at(scene, 150_000)
    assert scene.start_auction("bob").is_applied
    end_at(scene, 150_000)
    bob = scene.accounts["bob"]
    assert scene.submit(Deleverage(bob, call)).name == Reject.LEG_INVALID.name
    for name in ("bob", "ann"):
        assert scene.settle_account(name).is_applied
    check(scene)


# Accounts that owe


@pytest.mark.parametrize("is_by_variation", [False, True])
def test_debt_of_who_holds_nothing_more_is_covered_at_once(
    scene: Scene, call: int, is_by_variation: bool
) -> None:
    """Without an auction too: it would have nothing to offer."""
    end_at(scene, 120_000)
    outcome = scene.settle_variation("bob") if is_by_variation else scene.settle_account("bob")
    assert outcome.is_applied
    assert any(isinstance(event, DeficitCovered) for event in scene.events())
    assert account(scene, "bob").cash_atoms == 0
    check(scene)
    assert scene.settle_account("ann").is_applied
    check(scene)


def test_debt_stays_while_another_position_could_pay_it(scene: Scene, call: int) -> None:
    perpetual = scene.list_perpetual()
    assert scene.publish_index().is_applied and scene.submit(Remark(2)).is_applied
    scene.resting("cid", perpetual, SELL, 800_000, 100_000)
    assert scene.place("bob", perpetual, BUY, 800_000, 100_000).is_applied
    end_at(scene, 120_000)
    assert scene.submit(Remark(2)).is_applied
    assert scene.settle_account("bob").is_applied
    assert [type(event) for event in scene.events()] == [PositionSettled]
    assert account(scene, "bob").cash_atoms < 0
    assert scene.engine.margin(scene.accounts["bob"]).equity_atoms > 0
    check(scene)


# Accounts whose tokens are for sale, or should be


def test_debt_that_a_settlement_makes_is_paid_with_tokens(scene: Scene, call: int) -> None:
    scene.deposit("bob", 10 * BITCOIN, token=1)
    end_at(scene, 120_000)
    assert scene.settle_account("bob").is_applied
    assert [type(event) for event in scene.events()] == [PositionSettled]
    owed = -account(scene, "bob").cash_atoms
    assert owed > 0 and scene.start_conversion("bob").name == "CONVERSION_NOT_DUE"
    assert scene.withdraw("bob", 5 * BITCOIN, token=1).is_applied
    assert scene.publish_index(60_000 * USDC).is_applied
    assert scene.start_conversion("bob").is_applied, "285,000 counted, more than half of it owed"
    assert scene.buy_collateral("cid", "bob", 10 * BITCOIN).is_applied
    assert 0 <= account(scene, "bob").cash_atoms < 600, "an atom of the token is 600"
    check(scene)


def owe_for_calls(scene: Scene) -> int:
    """Let dan buy calls with money that he owes, and his bitcoin fall; return the calls' book."""
    scene.deposit("dan", 2 * BITCOIN, token=1)
    assert scene.publish_index().is_applied
    call = scene.open_option()
    scene.resting("ann", call, SELL, TICKS, 2_000)
    assert scene.place("dan", call, BUY, TICKS, 2_000).is_applied
    mark_at(scene, 60_000)
    assert scene.start_conversion("dan").is_applied, "60,000 owed, 114,000 counted"
    return call


def test_settlement_that_pays_the_debt_ends_the_sale(scene: Scene) -> None:
    call, dan = owe_for_calls(scene), scene.accounts["dan"]
    end_at(scene, 90_000)
    assert scene.settle_account("dan").is_applied
    settled = PositionSettled(dan, call, 2_000, 100 * USDC)
    assert scene.events() == [settled, ConversionEnded(dan)]
    assert account(scene, "dan").cash_atoms > 0
    check(scene)


def test_sale_goes_on_if_a_settlement_does_not_pay_the_debt(scene: Scene) -> None:
    call, dan = owe_for_calls(scene), scene.accounts["dan"]
    end_at(scene, 60_000)
    assert scene.settle_account("dan").is_applied
    assert scene.events() == [PositionSettled(dan, call, 2_000, 0)]
    assert account(scene, "dan").conversion_ns > 0
    assert scene.start_conversion("dan").is_applied, "from the index on: the first one is old"
    assert scene.publish_index(60_000 * USDC).is_applied
    assert scene.buy_collateral("cid", "dan", BITCOIN).is_applied
    check(scene)


# What stands in the books


def test_whatever_waits_in_an_ended_book_goes_by_anybodys_hand(scene: Scene, call: int) -> None:
    """An order, quotes under a protection, a stop: no lot of them trades, and nothing is left."""
    number = scene.accounts["cid"]
    resting = scene.resting("cid", call, BUY, 20_000, 5)
    stop = scene.waiting("cid", call, TriggerCondition.MARK_AT_OR_BELOW, 10_000, SELL, 9_000, 5)
    end_at(scene, 90_000)
    for name in ("ann", "bob"):
        assert scene.settle_account(name).is_applied
    assert scene.settle_account("cid").name == "NOTHING_TO_SETTLE", "an order stands in his name"
    assert scene.submit(Tick(number, resting)).is_applied
    order, trigger = scene.events()
    assert isinstance(order, OrderRemoved) and isinstance(trigger, TriggerRemoved)
    assert (order.order, order.removal) == (resting, Removal.EXPIRED)
    assert trigger.trigger == stop
    assert account(scene, "cid").positions_count == 0
    assert scene.release(call).is_applied
    check(scene)


def test_legs_of_a_combo_settle_and_its_book_goes_first(scene: Scene) -> None:
    call = scene.open_option()
    put = scene.open_option(PUT, STRIKE_ATOMS - 2_000 * USDC)
    combo = scene.combo("cid", (call, 1), (put, -1))
    scene.resting("bob", call, SELL, TICKS, 10)
    assert scene.place("ann", call, BUY, TICKS, 10).is_applied
    scene.resting("ann", put, SELL, TICKS, 10)
    assert scene.place("bob", put, BUY, TICKS, 10).is_applied
    end_at(scene, 75_000)
    for name in ("ann", "bob"):
        assert scene.settle_account(name).is_applied
        assert len(scene.events()) == 2
    assert scene.release(call).name == "INSTRUMENT_IN_USE"
    assert scene.release(combo).is_applied
    for book in (call, put):
        assert scene.release(book).is_applied
    assert instrument(scene, call).kind == 0
    check(scene)


def test_order_of_a_combo_holds_the_settled_legs_until_it_is_swept(scene: Scene) -> None:
    call = scene.open_option()
    put = scene.open_option(PUT, STRIKE_ATOMS - 2_000 * USDC)
    combo = scene.combo("cid", (call, 1), (put, -1))
    order = scene.resting("ann", combo, BUY, COMBO_PRICE_OFFSET_TICKS + 10, 10)
    scene.resting("bob", call, SELL, TICKS, 10)
    assert scene.place("ann", call, BUY, TICKS, 10).is_applied
    end_at(scene, 90_000)
    assert scene.settle_account("ann").is_applied
    held = position_in(scene, "ann", call)
    assert held and held.lots == 0, "its record is the order's"
    assert scene.submit(Tick(scene.accounts["ann"], order)).is_applied
    assert account(scene, "ann").positions_count == 0
    assert scene.settle_account("bob").is_applied
    for book in (combo, call, put):
        assert scene.release(book).is_applied
    check(scene)
