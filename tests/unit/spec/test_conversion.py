"""Conversion: whose tokens are sold, at which price, to whom, and what becomes of the debt."""

from dataclasses import replace

import pytest
from tests.unit.spec.conftest import ENGINES

from proofbook.protocol.commands import (
    BuyCollateral,
    Leg,
    Remark,
    SettleVariation,
    StartConversion,
    Transfer,
)
from proofbook.protocol.events import (
    CollateralSold,
    ConversionEnded,
    ConversionStarted,
    DeficitCovered,
    LiquidationAuctionEnded,
    Transferred,
    VariationSettled,
)
from proofbook.protocol.genesis import TokenTerms
from proofbook.protocol.limits import (
    AMOUNT_ATOMS_MAX,
    FUND_ACCOUNT,
    INDEX_ATOMS_MAX,
    NS_PER_SECOND,
    InstrumentKind,
    MarginMode,
    Side,
)
from proofbook.protocol.terms import Terms
from proofbook.simulator.inspection import account, account_at, header, money, position_in, token
from proofbook.simulator.scene import EXPIRY_NS, GRID, MILLISECOND_NS, UNBOUND, USDC, WBTC, Scene

BITCOIN = 10**8
MARK = 800_000
TICKS_PER_USD = 10
LOTS_PER_BITCOIN = 10_000
COUNTED = 152_000 * USDC
"""Of ann's two bitcoin at 80,000 USDC, 5 % off."""

FREE = Terms(100_000, 100_000)
FREE_GRID = replace(GRID, perpetual=FREE)
PARAMETERS = replace(UNBOUND, debt_interest_ppm=0)
WETH = TokenTerms("WETH", 1, 9, 50_000, 10**15)


def opened(engine: str, **changes: int) -> Scene:
    """Return a venue without fees where ann has two bitcoin, bob and cid a million USDC each."""
    parameters = replace(PARAMETERS, **changes)
    scene = Scene(ENGINES[engine], FREE_GRID, (WBTC, WETH), parameters)
    scene.deposit("ann", 2 * BITCOIN, token=1)
    for name in ("bob", "cid"):
        scene.deposit(name, 1_000_000 * USDC)
    assert scene.open_perpetual()
    return scene


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def scene(engine: str) -> Scene:
    return opened(engine)


PERPETUAL = 1


def owe(scene: Scene, usd: int, name: str = "ann") -> None:
    """Let a trader lose so much to bob: sell two bitcoin too cheap, and buy them at the mark."""
    ticks = MARK - usd // 2 * TICKS_PER_USD
    assert scene.block(name, "bob", [Leg(PERPETUAL, -2 * LOTS_PER_BITCOIN, ticks)]).is_applied
    assert scene.block(name, "bob", [Leg(PERPETUAL, 2 * LOTS_PER_BITCOIN, MARK)]).is_applied


def move(scene: Scene, price_usd: int) -> None:
    assert scene.publish_index(price_usd * USDC).is_applied
    assert scene.remark_perpetual().is_applied


def after(scene: Scene, seconds: int, price_usd: int = 80_000) -> None:
    """Let the next entry come so long after ann's tokens were put up for sale, at a fresh index."""
    started_ns = account(scene, "ann").conversion_ns
    scene.window_ns = started_ns + seconds * NS_PER_SECOND - 3 * MILLISECOND_NS
    move(scene, price_usd)


def cash(scene: Scene, name: str) -> int:
    return account(scene, name).cash_atoms


def tokens_of(scene: Scene, name: str) -> int:
    return account(scene, name).balances_atoms[0]


def equity(scene: Scene, name: str) -> int:
    return scene.engine.margin(scene.accounts[name]).equity_atoms


def for_sale(scene: Scene, usd: int = 80_000) -> None:
    """Let ann owe more than half of what her tokens count for, and put them up for sale."""
    owe(scene, usd)
    outcome = scene.start_conversion("ann")
    assert outcome.is_applied, outcome.name


def check(scene: Scene) -> None:
    """Money and tokens are conserved; debts are the sum of what is below zero."""
    assert money(scene) == header(scene).custody_atoms
    records = [account_at(scene, number) for number in range(1, 3 + len(scene.accounts))]
    assert header(scene).debt_atoms == sum(max(0, -record.cash_atoms) for record in records)
    for number in (1, 2):
        held = sum(record.balances_atoms[number - 1] for record in records)
        assert held == token(scene, number).custody_atoms


# Who may be converted


def test_hedged_owner_owes_nothing_while_only_the_losing_leg_is_marked(scene: Scene) -> None:
    """Thirty bitcoin either way: the perpetual alone has lost her 96,000 USDC at 4 % down."""
    future = scene.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)
    assert scene.publish_forward().is_applied and scene.submit(Remark(2)).is_applied
    lots = 30 * LOTS_PER_BITCOIN
    legs = [Leg(PERPETUAL, lots, MARK), Leg(future, -lots, MARK)]
    assert scene.block("ann", "bob", legs).is_applied
    assert scene.publish_index(76_800 * USDC).is_applied
    assert scene.publish_forward(76_800 * USDC).is_applied and scene.submit(Remark(1)).is_applied
    start = StartConversion(scene.accounts["ann"])
    assert scene.submit(start).name == "CONVERSION_NOT_DUE"
    assert scene.submit(Remark(2)).is_applied
    assert scene.submit(start).name == "CONVERSION_NOT_DUE"


def test_a_debt_above_half_of_what_tokens_count_for_is_enough(scene: Scene) -> None:
    owe(scene, 76_000)
    assert cash(scene, "ann") == -COUNTED // 2
    assert scene.start_conversion("ann").name == "CONVERSION_NOT_DUE", "exactly half"
    assert scene.block("ann", "bob", [Leg(PERPETUAL, 1, MARK + 1)]).is_applied
    assert scene.start_conversion("ann").is_applied, "the loss of ten atoms is not settled yet"
    assert scene.events()[-1] == ConversionStarted(scene.accounts["ann"], COUNTED // 2 + 10)
    assert account(scene, "ann").conversion_ns == scene.window_ns
    assert cash(scene, "ann") == -COUNTED // 2 - 10, "it is settled now"
    check(scene)


def test_any_debt_is_enough_below_maintenance_margin(engine: str) -> None:
    scene = opened(engine, conversion_ppm=1_000_000)
    owe(scene, 120_000)
    move(scene, 74_000)
    assert scene.start_conversion("ann").name == "CONVERSION_NOT_DUE"
    move(scene, 72_000)
    report = scene.engine.margin(scene.accounts["ann"])
    assert 0 < report.equity_atoms < report.maintenance_atoms
    assert scene.start_conversion("ann").is_applied
    check(scene)


def test_start_rejects_who_owes_nothing_or_has_no_tokens(scene: Scene) -> None:
    assert scene.submit(StartConversion(99)).name == "ACCOUNT_NOT_FOUND"
    assert scene.start_conversion("ann").name == "CONVERSION_NOT_DUE", "no debt"
    assert scene.start_conversion("bob").name == "CONVERSION_NOT_DUE", "no tokens"
    for_sale(scene)
    assert scene.start_conversion("ann").name == "CONVERSION_RUNNING"


def test_silence_of_publishers_converts_nobody(scene: Scene) -> None:
    """With an old index tokens count at their best: what was enough is no more."""
    owe(scene, 80_000)
    scene.wait(2 * 3_600 * NS_PER_SECOND)
    assert scene.start_conversion("ann").name == "CONVERSION_NOT_DUE"
    move(scene, 80_000)
    assert scene.start_conversion("ann").is_applied


def test_under_standard_margin_it_is_the_same(scene: Scene) -> None:
    assert scene.set_margin_mode("ann", MarginMode.STANDARD).is_applied
    for_sale(scene)
    assert scene.buy_collateral("cid", "ann", BITCOIN // 2).is_applied
    assert cash(scene, "ann") == -40_000 * USDC
    check(scene)


# Prices and amounts


@pytest.mark.parametrize(
    ("seconds", "price_usd"), [(75, 78_000), (150, 76_000), (300, 72_000), (599, 72_000)]
)
def test_the_price_falls_from_the_index_by_a_tenth(
    scene: Scene, seconds: int, price_usd: int
) -> None:
    for_sale(scene)
    after(scene, seconds)
    limit = price_usd * USDC
    with scene.window():
        outcome = scene.buy_collateral("cid", "ann", BITCOIN // 100, price_max_atoms=limit - 1)
        assert outcome.name == "PRICE_ABOVE_LIMIT"
        assert scene.buy_collateral("cid", "ann", BITCOIN // 100, price_max_atoms=limit).is_applied
    paid = limit // 100
    cid, ann = scene.accounts["cid"], scene.accounts["ann"]
    sold = CollateralSold(ann, cid, 1, BITCOIN // 100, paid, scene.nonces["cid"])
    assert scene.events() == [sold]
    assert tokens_of(scene, "cid") == BITCOIN // 100
    assert cash(scene, "cid") == 1_000_000 * USDC - paid
    assert cash(scene, "ann") == -80_000 * USDC + paid
    check(scene)


def test_at_once_the_price_is_the_index(scene: Scene) -> None:
    owe(scene, 80_000)
    with scene.window():
        assert scene.start_conversion("ann").is_applied
        assert scene.buy_collateral("cid", "ann", 1, price_max_atoms=80_000 * USDC).is_applied
    assert cash(scene, "ann") == -80_000 * USDC + 800, "an atom of it costs 800"


def test_prices_round_against_the_buyer(scene: Scene) -> None:
    for_sale(scene)
    after(scene, 150, 80_001)
    assert scene.buy_collateral("cid", "ann", 1).is_applied
    assert cash(scene, "cid") == 1_000_000 * USDC - 761, "760.0095"


def test_no_more_is_sold_than_repays_the_debt(scene: Scene) -> None:
    """And no more than an atom of the token is paid beyond it; then nothing is for sale."""
    for_sale(scene)
    after(scene, 150)
    assert scene.buy_collateral("cid", "ann", AMOUNT_ATOMS_MAX).is_applied
    bought = -(-80_000 * BITCOIN // 76_000)
    assert tokens_of(scene, "cid") == bought
    assert 0 <= cash(scene, "ann") < 760
    assert scene.events()[-1] == ConversionEnded(scene.accounts["ann"])
    assert account(scene, "ann").conversion_ns == 0
    assert scene.buy_collateral("cid", "ann", 1).name == "CONVERSION_NOT_FOUND"
    check(scene)


def test_sales_end_where_the_debt_is_not_too_large_any_more(scene: Scene) -> None:
    for_sale(scene)
    after(scene, 1)
    assert scene.buy_collateral("cid", "ann", BITCOIN // 4).is_applied
    assert scene.events()[-1] == ConversionEnded(scene.accounts["ann"])
    assert -60_100 * USDC < cash(scene, "ann") < -60_000 * USDC, "counted are 133,000"


def test_interest_is_repaid_with_the_debt(engine: str) -> None:
    scene = opened(engine, debt_interest_ppm=100_000)
    for_sale(scene)
    after(scene, 300)
    owed = cash(scene, "ann")
    assert scene.buy_collateral("cid", "ann", AMOUNT_ATOMS_MAX).is_applied
    paid = 1_000_000 * USDC - cash(scene, "cid")
    assert paid > -owed, "interest is bought with the rest"
    assert 0 <= cash(scene, "ann") < 720
    check(scene)


def test_amounts_at_every_bound_fit(engine: str) -> None:
    """The highest index, the most that a token can be, a debt of one atom."""
    scene = opened(engine, conversion_ppm=0)
    largest = TokenTerms("TOP", 1, 6, 0, AMOUNT_ATOMS_MAX)
    scene = Scene(ENGINES[engine], FREE_GRID, (largest,), replace(PARAMETERS, conversion_ppm=0))
    scene.deposit("ann", AMOUNT_ATOMS_MAX // 2, token=1)
    for name in ("bob", "cid"):
        scene.deposit(name, AMOUNT_ATOMS_MAX // 4)
    assert scene.open_perpetual(INDEX_ATOMS_MAX // 10**6 * 10**6)
    assert scene.block("ann", "bob", [Leg(PERPETUAL, 1, MARK + 1)]).is_applied
    assert scene.block("ann", "bob", [Leg(PERPETUAL, -1, MARK)]).is_applied
    assert scene.start_conversion("ann").is_applied
    assert scene.buy_collateral("cid", "ann", AMOUNT_ATOMS_MAX).is_applied
    assert cash(scene, "ann") >= 0 and tokens_of(scene, "cid") == 1


# Ends, and begins anew


def test_old_sales_are_over_until_begun_anew(scene: Scene) -> None:
    for_sale(scene)
    after(scene, 600)
    assert scene.buy_collateral("cid", "ann", 1).name == "CONVERSION_NOT_FOUND"
    with scene.window():
        assert scene.start_conversion("ann").is_applied
        assert scene.buy_collateral("cid", "ann", 1, price_max_atoms=80_000 * USDC).is_applied


def test_a_lapsed_sale_without_a_cause_is_cleared(scene: Scene) -> None:
    """It is over by itself, and its mark on the account goes with the next one who asks."""
    for_sale(scene)
    after(scene, 600, 90_000)
    assert scene.buy_collateral("cid", "ann", 1).name == "CONVERSION_NOT_FOUND"
    assert account(scene, "ann").conversion_ns
    assert scene.start_conversion("ann").is_applied
    assert scene.events() == [ConversionEnded(scene.accounts["ann"])]
    assert account(scene, "ann").conversion_ns == 0
    assert scene.start_conversion("ann").name == "CONVERSION_NOT_DUE"


def test_who_does_not_owe_too_much_any_more_is_left_alone(scene: Scene) -> None:
    """Nothing is sold when the price has risen; anybody may end it, so that no old price stays."""
    for_sale(scene)
    after(scene, 200, 90_000)
    assert scene.buy_collateral("cid", "ann", 1).name == "CONVERSION_NOT_DUE"
    assert account(scene, "ann").conversion_ns
    assert scene.start_conversion("ann").is_applied
    assert scene.events() == [ConversionEnded(scene.accounts["ann"])]
    assert scene.start_conversion("ann").name == "CONVERSION_NOT_DUE"
    move(scene, 80_000)
    with scene.window():
        assert scene.start_conversion("ann").is_applied
        limit = 80_000 * USDC - 1
        outcome = scene.buy_collateral("cid", "ann", 1, price_max_atoms=limit)
        assert outcome.name == "PRICE_ABOVE_LIMIT", "the price starts from the index again"


def test_money_that_comes_ends_it(scene: Scene) -> None:
    for_sale(scene)
    scene.deposit("ann", 3_999 * USDC)
    assert account(scene, "ann").conversion_ns, "76,001 are owed"
    assert scene.transfer("bob", "ann", USDC).is_applied
    assert scene.events()[-1] == ConversionEnded(scene.accounts["ann"])
    assert account(scene, "ann").conversion_ns == 0


# Rejections of buyers, in their order


def test_buy_rejects_in_order(scene: Scene) -> None:
    """What is wrong further down is wrong in all of them, as far as that can be."""
    scene.deposit("ann two", 1_000 * USDC, owner="ann")
    ann = scene.accounts["ann"]

    def bought(name: str, target: int, token: int, amount: int, price: int) -> str:
        command = BuyCollateral(*scene.header(name), target, token, amount, price)
        return scene.submit(command, name).name

    assert bought("ann two", 99, 0, 0, 0) == "ACCOUNT_NOT_FOUND"
    assert bought("ann two", ann, 0, 0, 0) == "TOKEN_NOT_SUPPORTED", "USDC itself"
    assert bought("ann two", ann, 3, 0, 0) == "TOKEN_NOT_SUPPORTED"
    assert bought("ann two", ann, 255, 0, 0) == "TOKEN_NOT_SUPPORTED"
    assert bought("ann two", ann, 2, 0, 0) == "AMOUNT_OUT_OF_RANGE"
    assert bought("ann two", ann, 2, AMOUNT_ATOMS_MAX + 1, 0) == "AMOUNT_OUT_OF_RANGE"
    assert bought("ann two", ann, 2, 1, 0) == "OWN_LIQUIDATION", "another account of hers"
    assert bought("ann", ann, 2, 1, 0) == "OWN_LIQUIDATION", "herself"
    assert bought("cid", ann, 2, 1, 0) == "CONVERSION_NOT_FOUND"
    for_sale(scene, 100_000)
    scene.wait(61 * NS_PER_SECOND)
    move(scene, 120_000)
    scene.wait(61 * NS_PER_SECOND)
    assert bought("cid", ann, 2, 1, 0) == "CONVERSION_NOT_DUE", "though the index is old"
    move(scene, 80_000)
    scene.wait(61 * NS_PER_SECOND)
    assert bought("cid", ann, 2, 1, 0) == "OBSERVATION_STALE"
    move(scene, 80_000)
    assert bought("cid", ann, 2, 1, 0) == "PRICE_ABOVE_LIMIT"
    assert bought("cid", ann, 2, 1, 10**12) == "INSUFFICIENT_BALANCE", "she has none of it"
    scene.deposit("dan", 100 * USDC)
    assert bought("dan", ann, 1, BITCOIN, 10**12) == "INSUFFICIENT_BALANCE", "he has not the cash"
    assert bought("cid", ann, 1, BITCOIN, 10**12) == "APPLIED"
    check(scene)


def test_a_buyer_must_cover_initial_margin(scene: Scene) -> None:
    """Dan's cash is what his position needs: tokens count for less, and move with it."""
    scene.deposit("dan", 20_000 * USDC)
    assert scene.block("dan", "bob", [Leg(PERPETUAL, 13_000, MARK)]).is_applied
    for_sale(scene)
    after(scene, 1)
    assert scene.buy_collateral("dan", "ann", BITCOIN // 5).name == "INSUFFICIENT_MARGIN"
    assert scene.buy_collateral("dan", "ann", BITCOIN // 100).is_applied
    check(scene)


def test_no_session_buys_for_its_owner(scene: Scene) -> None:
    for_sale(scene)
    assert scene.grant("cid", "key").is_applied
    header = scene.accounts["cid"], 1, scene.window_ns + 10**12
    command = BuyCollateral(*header, scene.accounts["ann"], 1, 1, 10**12)
    assert scene.submit(command, "key", session=1).name == "SESSION_SCOPE_EXCEEDED"


# Who pays


def test_the_discount_costs_no_more_than_the_equity_there_is(engine: str) -> None:
    """E is 1,600 of 121,600: the price stops at 0.95 · (1 - E / C) of the index, before 0.9."""
    scene = opened(engine)
    for_sale(scene, 120_000)
    after(scene, 300, 64_000)
    assert equity(scene, "ann") == 1_600 * USDC
    limit = 64_000 * 937_500
    outcome = scene.buy_collateral("cid", "ann", BITCOIN, price_max_atoms=limit - 1)
    assert outcome.name == "PRICE_ABOVE_LIMIT"
    assert scene.buy_collateral("cid", "ann", BITCOIN, price_max_atoms=limit).is_applied
    assert equity(scene, "ann") == 800 * USDC, "half of it for half of the tokens"
    assert scene.buy_collateral("cid", "ann", BITCOIN, price_max_atoms=limit).is_applied
    assert (tokens_of(scene, "ann"), cash(scene, "ann")) == (0, 0)
    assert account_at(scene, FUND_ACCOUNT).cash_atoms == 0, "and nothing from the fund"
    assert account(scene, "ann").conversion_ns == 0
    check(scene)


def test_what_tokens_do_not_pay_the_fund_pays(engine: str) -> None:
    """Of an account without equity the price goes on falling; what is left is the fund's."""
    scene = opened(engine)
    fund = Transfer(*scene.header("bob"), FUND_ACCOUNT, 0, 40_000 * USDC)
    assert scene.submit(fund, "bob").is_applied
    for_sale(scene, 120_000)
    after(scene, 300, 63_000)
    assert scene.buy_collateral("cid", "ann", 2 * BITCOIN).is_applied
    paid = 2 * 63_000 * 9 // 10 * USDC
    ann = scene.accounts["ann"]
    assert DeficitCovered(ann, 120_000 * USDC - paid, 0) in scene.events()
    assert scene.events()[-1] == ConversionEnded(ann)
    assert account_at(scene, FUND_ACCOUNT).cash_atoms == 40_000 * USDC - (120_000 * USDC - paid)
    assert (tokens_of(scene, "ann"), cash(scene, "ann")) == (0, 0)
    check(scene)


def test_what_the_fund_owes_counts_against_the_cap_of_all(engine: str) -> None:
    """It is missing from custody as any other debt: others may owe so much less."""
    scene = opened(engine, debt_venue_usd=6_000)
    for_sale(scene, 120_000)
    after(scene, 300, 60_000)
    assert scene.buy_collateral("cid", "ann", 2 * BITCOIN).is_applied
    owed = -account_at(scene, FUND_ACCOUNT).cash_atoms
    assert owed == header(scene).debt_atoms == 6_000 * USDC
    scene.deposit("eve", BITCOIN, token=1)
    call = scene.open_option()
    scene.resting("bob", call, Side.SELL, 50_000, 10)
    assert scene.place("eve", call, Side.BUY, 50_000, 10).name == "DEBT_LIMIT"
    gift = Transfer(*scene.header("bob"), FUND_ACCOUNT, 0, owed)
    assert scene.submit(gift, "bob").is_applied
    assert scene.place("eve", call, Side.BUY, 50_000, 10).is_applied
    assert 0 < header(scene).debt_atoms < 6_000 * USDC
    check(scene)


def test_who_owes_against_tokens_that_fall_takes_nothing_from_others(scene: Scene) -> None:
    """Ann loses all she can to eve, who leaves with it. The price falls by a quarter in steps.

    At every step somebody begins the sale, and cid buys at the lowest price that there is. Bob is
    paid all he has, the fund pays nothing, and the tokens are cid's.
    """
    scene.deposit("eve", USDC)
    ticks = MARK - 56_000 * TICKS_PER_USD
    assert scene.block("ann", "eve", [Leg(PERPETUAL, -2 * LOTS_PER_BITCOIN, ticks)]).is_applied
    assert scene.block("ann", "eve", [Leg(PERPETUAL, 2 * LOTS_PER_BITCOIN, MARK)]).is_applied
    assert cash(scene, "ann") == -112_000 * USDC
    assert scene.withdraw("eve", cash(scene, "eve")).is_applied
    for step in range(1, 11):
        scene.wait(300 * NS_PER_SECOND)
        move(scene, 80_000 - 2_000 * step)
        scene.start_conversion("ann")
        scene.wait(300 * NS_PER_SECOND)
        move(scene, 80_000 - 2_000 * step)
        scene.buy_collateral("cid", "ann", BITCOIN // 5)
        check(scene)
    assert account_at(scene, FUND_ACCOUNT).cash_atoms == 0
    assert equity(scene, "ann") >= 0
    assert scene.withdraw("bob", cash(scene, "bob")).is_applied
    assert scene.withdraw("cid", tokens_of(scene, "cid"), token=1).is_applied


def test_a_debt_beside_positions_waits_for_them(scene: Scene) -> None:
    """All tokens are sold and the debt is not paid: the position is liquidated, then it is."""
    owe(scene, 90_000)
    assert scene.block("ann", "bob", [Leg(PERPETUAL, LOTS_PER_BITCOIN, MARK)]).is_applied
    assert scene.start_conversion("ann").is_applied
    after(scene, 300, 58_000)
    assert scene.buy_collateral("cid", "ann", 2 * BITCOIN).is_applied
    assert tokens_of(scene, "ann") == 0 and cash(scene, "ann") < 0
    assert scene.start_conversion("ann").name == "CONVERSION_NOT_DUE", "there are no tokens"
    assert scene.start_auction("ann").is_applied
    assert scene.deleverage("ann", PERPETUAL).is_applied
    assert position_in(scene, "ann", PERPETUAL) is None
    assert cash(scene, "ann") == 0
    check(scene)


def test_tokens_and_legs_of_one_account_are_sold_side_by_side(scene: Scene) -> None:
    """A liquidation auction ends when tokens have paid enough, like one that found bidders."""
    owe(scene, 70_000)
    lots = 3 * LOTS_PER_BITCOIN // 2
    assert scene.block("ann", "bob", [Leg(PERPETUAL, lots, MARK)]).is_applied
    move(scene, 61_000)
    assert scene.start_auction("ann").is_applied
    assert scene.start_conversion("ann").is_applied
    assert scene.bid("cid", "ann", (PERPETUAL, 10)).is_applied
    assert account(scene, "ann").auction and account(scene, "ann").conversion_ns
    assert scene.buy_collateral("cid", "ann", AMOUNT_ATOMS_MAX).is_applied
    ann = scene.accounts["ann"]
    assert scene.events()[-2:] == [LiquidationAuctionEnded(ann), ConversionEnded(ann)]
    assert account(scene, "ann").auction == 0 and account(scene, "ann").conversion_ns == 0
    assert cash(scene, "ann") >= 0
    check(scene)


def test_dust_of_tokens_keeps_no_debt_alive(scene: Scene) -> None:
    """All but 900 atoms are bought, half a USDC: the fund pays, and gets them."""
    for_sale(scene, 120_000)
    after(scene, 300, 60_000)
    assert scene.buy_collateral("cid", "ann", 2 * BITCOIN - 900).is_applied
    ann = scene.accounts["ann"]
    assert Transferred(ann, FUND_ACCOUNT, 1, 900) in scene.events()
    assert (tokens_of(scene, "ann"), cash(scene, "ann")) == (0, 0)
    assert account_at(scene, FUND_ACCOUNT).balances_atoms[0] == 900
    assert scene.submit(StartConversion(FUND_ACCOUNT)).is_applied, "it owes, and has tokens"
    command = BuyCollateral(*scene.header("cid"), FUND_ACCOUNT, 1, 900, 10**12)
    assert scene.submit(command, "cid").is_applied
    assert account_at(scene, FUND_ACCOUNT).balances_atoms[0] == 0
    assert account_at(scene, FUND_ACCOUNT).conversion_ns == 0
    check(scene)


def test_a_little_that_pays_the_debt_is_no_dust(engine: str) -> None:
    """Of 0.8 USDC in tokens 0.2 is owed: the account keeps what is its own."""
    scene = opened(engine, conversion_ppm=0)
    scene.deposit("dan", 100_000, token=1)
    assert scene.block("dan", "bob", [Leg(PERPETUAL, -1, MARK - 20_000)]).is_applied
    assert scene.block("dan", "bob", [Leg(PERPETUAL, 1, MARK)]).is_applied
    assert scene.transfer("dan", "cid", 99_000, token=1).is_applied
    assert cash(scene, "dan") == -200_000
    scene.deposit("dan", 1)
    assert cash(scene, "dan") == -199_999 and tokens_of(scene, "dan") == 1_000
    assert scene.submit(StartConversion(scene.accounts["dan"])).is_applied
    check(scene)


# Variation


def test_a_loss_that_is_settled_costs_interest(engine: str) -> None:
    """Left in the entry of a position it costs none; anybody turns it into a debt."""
    scene = opened(engine, debt_interest_ppm=100_000)
    assert scene.block("ann", "bob", [Leg(PERPETUAL, LOTS_PER_BITCOIN, MARK)]).is_applied
    move(scene, 75_000)
    before = scene.engine.margin(scene.accounts["ann"])
    assert cash(scene, "ann") == 0
    assert scene.settle_variation("ann").is_applied
    assert scene.events() == [VariationSettled(scene.accounts["ann"])]
    assert cash(scene, "ann") == -5_000 * USDC == -header(scene).debt_atoms
    assert scene.settle_variation("bob").is_applied
    assert cash(scene, "bob") == 1_005_000 * USDC
    settled = scene.engine.margin(scene.accounts["ann"])
    assert settled.equity_atoms == before.equity_atoms - 1, "for the millisecond since"
    assert settled.maintenance_atoms == before.maintenance_atoms
    check(scene)


def test_settle_variation_rejects_accounts_that_do_not_exist(scene: Scene) -> None:
    assert scene.submit(SettleVariation(99)).name == "ACCOUNT_NOT_FOUND"


def test_nothing_to_settle_changes_nothing(scene: Scene) -> None:
    before = account(scene, "ann")
    assert scene.settle_variation("ann").is_applied
    assert account(scene, "ann").pack() == before.pack()
