"""Debts: what cash below zero costs, how far trades may take it, and who is never refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import pytest
from tests.unit.spec.conftest import ENGINES

from proofbook.protocol.commands import Leg, Quote, Remark, SetParameters
from proofbook.protocol.events import Deposited, InterestPaid
from proofbook.protocol.limits import (
    AMOUNT_ATOMS_MAX,
    FUND_ACCOUNT,
    NS_PER_YEAR,
    MarginMode,
    Side,
    TimeInForce,
)
from proofbook.protocol.outcomes import Outcome
from proofbook.protocol.terms import MarginParameters
from proofbook.simulator.inspection import account, account_at, header, money, position_in
from proofbook.simulator.scene import (
    EXPIRY_NS,
    MILLISECOND_NS,
    MINUTE_NS,
    SPOT_ATOMS,
    UNBOUND,
    USDC,
    WBTC,
    Scene,
)

BUY, SELL = Side.BUY, Side.SELL
IOC = TimeInForce.IMMEDIATE_OR_CANCEL
BITCOIN = 10**8
MARK = 800_000
TICKS = 50_000
PREMIUM = 50 * USDC
"""Of a lot of the call at `TICKS`; with the highest fee signed 50.05."""

RATE_PPM = 100_000
ACCOUNT_USD, VENUE_USD = 1_000, 1_500
MOST_LOTS = 19
"""At `TICKS`: one more costs more than an account may owe."""

PARAMETERS = replace(UNBOUND, debt_account_usd=ACCOUNT_USD, debt_venue_usd=VENUE_USD)
OWES = -(MOST_LOTS * PREMIUM + MOST_LOTS * PREMIUM * 500 // 10**6)

Trade: TypeAlias = Callable[[Scene, int, int], Outcome]


@pytest.fixture(params=list(ENGINES))
def scene(request: pytest.FixtureRequest) -> Scene:
    """A venue where ann and cid have two bitcoin each and bob a million USDC."""
    scene = Scene(ENGINES[request.param], tokens=(WBTC,), parameters=PARAMETERS)
    for name in ("ann", "cid"):
        scene.deposit(name, 2 * BITCOIN, token=1)
    scene.deposit("bob", 1_000_000 * USDC)
    return scene


@pytest.fixture
def perpetual(scene: Scene) -> int:
    return scene.open_perpetual()


@pytest.fixture
def call(scene: Scene, perpetual: int) -> int:
    """A call that bob offers."""
    call = scene.open_option()
    scene.resting("bob", call, SELL, TICKS, 500)
    return call


def buy(scene: Scene, name: str, call: int, lots: int = MOST_LOTS) -> None:
    outcome = scene.place(name, call, BUY, TICKS, lots)
    assert outcome.is_applied, outcome.name


def cash(scene: Scene, name: str) -> int:
    return account(scene, name).cash_atoms


def fund(scene: Scene) -> int:
    return account_at(scene, FUND_ACCOUNT).cash_atoms


def units(ppm_ns: int) -> int:
    return ppm_ns >> 22


def interest(debt_atoms: int, since_ns: int, until_ns: int, rate_ppm: int = RATE_PPM) -> int:
    """Return what a debt costs between two times after genesis, at a rate that never changed."""
    elapsed = units(rate_ppm * until_ns) - units(rate_ppm * since_ns)
    return -(-debt_atoms * elapsed // units(10**6 * NS_PER_YEAR))


def elapsed_ns(scene: Scene) -> int:
    return scene.window_ns - header(scene).genesis_ns


def check(scene: Scene) -> None:
    """Money is conserved, and debts are the sum of what is below zero."""
    assert money(scene) == header(scene).custody_atoms
    records = [account_at(scene, number) for number in range(1, 3 + len(scene.accounts))]
    assert header(scene).debt_atoms == sum(max(0, -record.cash_atoms) for record in records)


# Interest


def test_a_debt_pays_for_the_time_in_which_it_stood(scene: Scene, call: int) -> None:
    buy(scene, "ann", call)
    since = elapsed_ns(scene)
    assert cash(scene, "ann") == OWES and header(scene).debt_atoms == -OWES
    scene.wait(NS_PER_YEAR // 2)
    scene.deposit("ann", 7)
    cost = interest(-OWES, since, elapsed_ns(scene))
    assert cost == pytest.approx(-OWES / 20, rel=1e-6), "half of a year at 10 %"
    paid, credited = scene.events()
    assert paid == InterestPaid(scene.accounts["ann"], cost)
    assert isinstance(credited, Deposited)
    assert cash(scene, "ann") == OWES - cost + 7
    assert fund(scene) == cost
    check(scene)


def test_interest_is_paid_on_what_is_repaid_and_no_more(scene: Scene, call: int) -> None:
    buy(scene, "ann", call)
    scene.wait(NS_PER_YEAR)
    scene.deposit("ann", 2_000 * USDC)
    assert cash(scene, "ann") > 0 and header(scene).debt_atoms == 0
    before = fund(scene)
    scene.wait(NS_PER_YEAR)
    scene.deposit("ann", 1)
    assert [type(event) for event in scene.events()] == [Deposited]
    assert fund(scene) == before
    check(scene)


def test_interest_is_not_evaded_by_paying_often(scene: Scene, call: int) -> None:
    """Paid a hundred times it is at least what it is when paid once, and an atom a time more."""
    buy(scene, "ann", call)
    buy(scene, "cid", call, 1)
    since, owed = elapsed_ns(scene), -cash(scene, "cid")
    for _ in range(100):
        scene.wait(NS_PER_YEAR // 10_000)
        scene.transfer("bob", "cid", 1)
    paid = -cash(scene, "cid") - owed + 100
    once = interest(owed, since, elapsed_ns(scene))
    assert once - 1 <= paid <= once + 110
    check(scene)


def test_who_never_comes_back_owes_his_interest_all_the_same(scene: Scene, call: int) -> None:
    """Margin counts it from moment to moment, in either mode, though nobody has paid it."""
    buy(scene, "ann", call)
    buy(scene, "cid", call, 1)
    assert scene.set_margin_mode("cid", MarginMode.STANDARD).is_applied
    scene.wait(10**12)
    scene.publish_index()
    first = {n: scene.engine.margin(scene.accounts[n]) for n in ("ann", "cid")}
    scene.wait(10**12)
    scene.publish_index()
    for name, then in first.items():
        now = scene.engine.margin(scene.accounts[name])
        assert now.cash_atoms < then.cash_atoms < cash(scene, name) < 0
        assert now.equity_atoms - then.equity_atoms == now.cash_atoms - then.cash_atoms


def test_another_rate_counts_from_then_on(scene: Scene, call: int) -> None:
    buy(scene, "ann", call)
    since = elapsed_ns(scene)
    scene.wait(NS_PER_YEAR)
    scene.submit(SetParameters(2, replace(PARAMETERS, debt_interest_ppm=0)))
    until = elapsed_ns(scene)
    scene.wait(NS_PER_YEAR)
    scene.submit(SetParameters(3, PARAMETERS))
    scene.deposit("ann", 1)
    paid = scene.events()[0]
    assert isinstance(paid, InterestPaid)
    cost = interest(-OWES, since, until + MILLISECOND_NS)
    assert abs(paid.amount_atoms - cost) <= 1, "nothing for the year without a rate"
    check(scene)


def test_no_rate_takes_more_than_all_there_is_in_a_year(scene: Scene) -> None:
    unsound = replace(PARAMETERS, debt_interest_ppm=1_000_001)
    assert scene.submit(SetParameters(2, unsound)).name == "PARAMETERS_INVALID"


def test_interest_outlasts_the_clock(scene: Scene, call: int) -> None:
    """At the highest rate up to the last nanosecond that there is: no number overflows."""
    scene.submit(SetParameters(2, replace(PARAMETERS, debt_interest_ppm=1_000_000)))
    buy(scene, "ann", call)
    since = elapsed_ns(scene)
    scene.wait((1 << 63) - 1 - scene.window_ns - 2 * MILLISECOND_NS)
    scene.deposit("ann", 1)
    paid = scene.events()[0]
    assert isinstance(paid, InterestPaid)
    assert paid.amount_atoms == pytest.approx(-OWES * (elapsed_ns(scene) - since) / NS_PER_YEAR)
    assert paid.amount_atoms < AMOUNT_ATOMS_MAX
    check(scene)


# How far a trade may take a debt


def test_place_rejects_what_could_owe_more_than_an_account_may(scene: Scene, call: int) -> None:
    assert scene.place("ann", call, BUY, TICKS, MOST_LOTS + 1).name == "DEBT_LIMIT"
    assert scene.place("ann", call, BUY, TICKS - 1, MOST_LOTS + 1).name == "DEBT_LIMIT", "resting"
    assert scene.place("ann", call, BUY, TICKS, MOST_LOTS + 1, time_in_force=IOC).name == (
        "DEBT_LIMIT"
    )
    buy(scene, "ann", call)
    assert scene.place("ann", call, BUY, TICKS, 1).name == "DEBT_LIMIT"
    check(scene)


def test_place_rejects_what_could_make_all_owe_more_than_they_may(scene: Scene, call: int) -> None:
    buy(scene, "ann", call)
    assert scene.place("cid", call, BUY, TICKS, 12).name == "DEBT_LIMIT", "1,550 together"
    buy(scene, "cid", call, 10)
    assert scene.place("bob", call, BUY, TICKS - 1, 100).is_applied, "who has cash makes no debt"


def test_a_fee_alone_may_be_too_much(scene: Scene, perpetual: int, call: int) -> None:
    buy(scene, "ann", call)
    scene.resting("bob", perpetual, BUY, MARK - 10, 20_000)
    outcome = scene.place("ann", perpetual, BUY, MARK - 10, 20_000)
    assert outcome.name == "DEBT_LIMIT", "the fee may be 160 USDC"
    outcome = scene.place("ann", perpetual, SELL, MARK - 10, 20_000)
    assert outcome.is_applied, "a hedge of her bitcoin reduces"
    check(scene)


def test_what_is_sold_makes_no_debt(scene: Scene, call: int) -> None:
    buy(scene, "ann", call)
    scene.resting("bob", call, BUY, TICKS - 10, 100)
    assert scene.place("ann", call, SELL, TICKS - 10, MOST_LOTS + 50).is_applied
    assert cash(scene, "ann") > 0
    check(scene)


def test_an_amended_order_may_cost_less_but_not_more(scene: Scene, call: int) -> None:
    order = scene.resting("ann", call, BUY, TICKS - 10, MOST_LOTS)
    buy(scene, "cid", call, 12)
    assert scene.amend("ann", order, TICKS - 5, MOST_LOTS).name == "DEBT_LIMIT"
    assert scene.amend("ann", order, TICKS - 20, MOST_LOTS).is_applied
    assert scene.place("ann", call, BUY, TICKS - 20, MOST_LOTS).name == "DEBT_LIMIT", "a second"


def test_quotes_reject_what_could_owe_too_much_together(scene: Scene, call: int) -> None:
    put = scene.open_option(strike_atoms=SPOT_ATOMS + 1_000 * USDC)
    both = Quote(call, BUY, TICKS - 10, 10), Quote(put, BUY, TICKS - 10, 10)
    assert scene.quote("ann", *both).name == "DEBT_LIMIT"
    assert scene.quote("ann", *both[:1]).is_applied
    assert scene.quote("ann", Quote(call, SELL, TICKS * 2, 100)).is_applied, "offers cost nothing"


def test_quotes_may_be_replaced_by_such_as_cost_no_more(scene: Scene, call: int) -> None:
    assert scene.quote("ann", Quote(call, BUY, TICKS - 10, MOST_LOTS)).is_applied
    buy(scene, "cid", call, 12)
    assert scene.quote("ann", Quote(call, BUY, TICKS - 9, MOST_LOTS)).name == "DEBT_LIMIT"
    assert scene.quote("ann", Quote(call, BUY, TICKS - 12, MOST_LOTS)).is_applied
    assert scene.quote("ann", Quote(call, BUY, TICKS - 12, 0)).is_applied


def test_a_combo_counts_what_its_legs_cost_together(scene: Scene, call: int) -> None:
    """A spread costs the difference of its premiums: bought, but not with the long leg alone."""
    above = scene.open_option(strike_atoms=SPOT_ATOMS + 1_000 * USDC)
    spread = scene.combo("bob", (call, 1), (above, -1))
    offset = 1 << 23
    ticks = offset + 5_000
    scene.resting("bob", spread, SELL, ticks, 500)
    assert scene.place("ann", spread, BUY, ticks, 300).name == "DEBT_LIMIT", "1,500 USDC"
    assert scene.place("ann", spread, BUY, ticks, 150).is_applied, "750 USDC"
    assert -1_000 * USDC < cash(scene, "ann") < -700 * USDC
    check(scene)


def by_quote(scene: Scene, call: int, lots: int) -> Outcome:
    return scene.accept("ann", "bob", scene.offer("bob", [Leg(call, lots, TICKS)]))


def by_quote_made(scene: Scene, call: int, lots: int) -> Outcome:
    return scene.accept("bob", "ann", scene.offer("ann", [Leg(call, -lots, TICKS)]))


def by_block(scene: Scene, call: int, lots: int) -> Outcome:
    return scene.block("ann", "bob", [Leg(call, lots, TICKS)])


def by_block_made(scene: Scene, call: int, lots: int) -> Outcome:
    return scene.block("bob", "ann", [Leg(call, -lots, TICKS)])


@pytest.mark.parametrize("trade", [by_quote, by_quote_made, by_block, by_block_made])
def test_legs_reject_what_makes_too_large_a_debt(scene: Scene, call: int, trade: Trade) -> None:
    assert trade(scene, call, MOST_LOTS + 1).name == "DEBT_LIMIT", "of taker or maker"
    assert trade(scene, call, MOST_LOTS).is_applied
    assert trade(scene, call, 1).name == "DEBT_LIMIT"
    assert trade(scene, call, -MOST_LOTS).is_applied, "sold again"
    check(scene)


def test_legs_that_shrink_are_never_refused(scene: Scene, perpetual: int, call: int) -> None:
    """Ann is short of the call and owes as much as she may; to buy back costs her more debt."""
    assert scene.block("ann", "bob", [Leg(call, -10, TICKS)]).is_applied
    scene.transfer("ann", "bob", cash(scene, "ann"))
    assert cash(scene, "ann") == 0
    lose(scene, perpetual, 2_000)
    assert scene.block("ann", "bob", [Leg(call, 11, TICKS)]).name == "DEBT_LIMIT"
    assert scene.block("ann", "bob", [Leg(call, 10, TICKS)]).is_applied


def lose(scene: Scene, perpetual: int, lots: int) -> None:
    """Let ann lose a thousandth of a bitcoin's value for each ten lots, and settle it as cash."""
    scene.resting("bob", perpetual, SELL, MARK, lots)
    assert scene.place("ann", perpetual, BUY, MARK, lots).is_applied
    scene.wait(10**9)
    assert scene.publish_index(SPOT_ATOMS * 9 // 10).is_applied
    assert scene.remark_perpetual().is_applied
    ticks = MARK * 9 // 10
    scene.resting("bob", perpetual, BUY, ticks, lots)
    assert scene.place("ann", perpetual, SELL, ticks, lots, reduce_only=True).is_applied


@pytest.mark.parametrize("side", [BUY, SELL])
def test_final_marks_count_though_nobody_has_settled_them(
    scene: Scene, perpetual: int, call: int, side: Side
) -> None:
    """Ann owes 950 USDC and has won 1,900; or has 950, and has lost 2,850 by what she sold."""
    usd = 90_000 if side == BUY else 95_000
    scene.resting("bob", call, BUY, TICKS, MOST_LOTS)
    scene.place("ann", call, side, TICKS, MOST_LOTS, time_in_force=IOC)
    scene.publish_each_minute(EXPIRY_NS - 30 * MINUTE_NS, *[usd * USDC] * 32)
    assert scene.settle_expiry(2).is_applied and scene.submit(Remark(2)).is_applied
    assert scene.remark_perpetual().is_applied
    outcomes = [scene.place("ann", perpetual, BUY, MARK, 20_000), scene.settle_account("ann")]
    outcomes.append(scene.place("ann", perpetual, BUY, MARK - 1, 20_000))
    names = [outcome.name for outcome in outcomes]
    assert names[0] == names[2] == ("APPLIED" if side == BUY else "DEBT_LIMIT")
    check(scene)


def test_funding_counts_though_nobody_has_settled_it(
    scene: Scene, perpetual: int, call: int
) -> None:
    """The highest fee of an order takes ann just to the limit; what she owes longs, beyond it."""
    scene.resting("bob", perpetual, SELL, MARK, 10_000)
    assert scene.place("ann", perpetual, BUY, MARK, 10_000).is_applied
    buy(scene, "ann", call, MOST_LOTS - 1)
    lots = (ACCOUNT_USD * USDC + cash(scene, "ann")) // (MARK // 100)
    assert lots > 1_000
    order = scene.resting("ann", perpetual, BUY, MARK - 10, lots)
    assert scene.cancel("ann", order).is_applied
    scene.resting("bob", perpetual, BUY, MARK + 1_000, 2_000)
    scene.wait(59 * 10**9)
    assert scene.publish_index().is_applied
    assert scene.place("ann", perpetual, BUY, MARK - 10, lots).name == "DEBT_LIMIT"
    assert scene.settle_account("ann").is_applied
    assert scene.place("ann", perpetual, BUY, MARK - 10, lots).name == "DEBT_LIMIT"
    check(scene)


def test_losses_may_go_beyond_what_trades_may(scene: Scene, perpetual: int) -> None:
    lose(scene, perpetual, 5_000)
    assert cash(scene, "ann") < -4 * ACCOUNT_USD * USDC
    check(scene)


def test_an_order_that_reduces_is_never_refused(scene: Scene, perpetual: int, call: int) -> None:
    """Though all that may be owed is owed, what is short is bought back."""
    scene.resting("cid", call, BUY, TICKS - 10, MOST_LOTS)
    assert scene.place("ann", call, SELL, TICKS - 10, MOST_LOTS).is_applied
    scene.transfer("ann", "bob", cash(scene, "ann"))
    lose(scene, perpetual, 5_000)
    assert header(scene).debt_atoms > VENUE_USD * USDC
    assert scene.place("ann", call, BUY, TICKS, MOST_LOTS + 1).name == "DEBT_LIMIT"
    assert scene.place("ann", call, BUY, TICKS, 4, reduce_only=True).is_applied
    held = position_in(scene, "ann", call)
    assert held and held.lots == 4 - MOST_LOTS
    check(scene)


def test_a_liquidation_is_never_refused_for_debts(scene: Scene, perpetual: int) -> None:
    """Bob's loss is more than ann owes: slices of her position go on, and her debt grows."""
    scene.resting("bob", perpetual, SELL, MARK, 70_000)
    assert scene.place("ann", perpetual, BUY, MARK, 30_000, max_fee_ppm=400).is_applied
    scene.wait(10**9)
    scene.publish_index(SPOT_ATOMS * 68 // 100)
    scene.remark_perpetual()
    scene.resting("bob", perpetual, BUY, MARK * 68 // 100, 30_000)
    assert scene.liquidate("ann", perpetual).is_applied
    scene.deposit("bob", 1)
    assert header(scene).debt_atoms > 0
    check(scene)


@pytest.mark.parametrize("lots", [MOST_LOTS, -MOST_LOTS])
def test_a_position_moved_may_not_make_too_large_a_debt(scene: Scene, call: int, lots: int) -> None:
    """To another account of the owner, at the mark: of 63 USDC a lot, who is long pays it."""
    scene.deposit("ann two", 2 * BITCOIN, owner="ann", token=1)
    source, target = "ann", "ann two"
    if lots > 0:
        buy(scene, source, call, lots)
    else:
        source, target = "bob", "ann"
        scene.deposit("bob two", 2 * BITCOIN, owner="bob", token=1)
        source, target = "ann two", "ann"
        scene.resting("bob", call, BUY, TICKS - 10, 100)
        assert scene.place("ann two", call, SELL, TICKS - 10, -lots).is_applied
        scene.transfer("ann two", "bob", cash(scene, "ann two"))
    moved = scene.position_transfer(source, target, call, abs(lots))
    if lots > 0:
        assert moved.name == "DEBT_LIMIT", "the recipient opens"
        assert scene.position_transfer(source, target, call, 5).is_applied
    else:
        assert moved.is_applied, "the source shrinks: it pays to be rid of what it is short of"
    check(scene)


# What never makes a debt


def test_withdrawals_and_transfers_never_make_a_debt(scene: Scene, call: int) -> None:
    assert scene.withdraw("ann", 1).name == "INSUFFICIENT_BALANCE"
    assert scene.transfer("ann", "bob", 1).name == "INSUFFICIENT_BALANCE"
    assert scene.create_combo("ann", (call, 1), (call, -2)).name != "APPLIED"
    buy(scene, "ann", call, 2)
    scene.deposit("ann", 100 * USDC)
    free = 100 * USDC - 2 * PREMIUM - 2 * PREMIUM * 500 // 10**6
    assert free < 0 and scene.withdraw("ann", 1).name == "INSUFFICIENT_BALANCE"
    check(scene)


def test_interest_is_taken_off_before_a_withdrawal(scene: Scene, call: int) -> None:
    """What a deposit repays is counted with the interest: no atom of it can be taken out."""
    buy(scene, "ann", call)
    scene.wait(10**12)
    scene.publish_index()
    owed = -scene.engine.margin(scene.accounts["ann"]).cash_atoms
    assert owed > -OWES
    scene.deposit("ann", owed)
    assert cash(scene, "ann") <= 0
    assert scene.withdraw("ann", 1).name == "INSUFFICIENT_BALANCE"
    check(scene)


def test_a_venue_without_debts_takes_none(scene: Scene, call: int) -> None:
    none: MarginParameters = replace(PARAMETERS, debt_venue_usd=0)
    assert scene.submit(SetParameters(2, none)).is_applied
    assert scene.place("ann", call, BUY, TICKS, 1).name == "DEBT_LIMIT"
    scene.deposit("ann", 51 * USDC)
    assert scene.place("ann", call, BUY, TICKS, 1).is_applied
