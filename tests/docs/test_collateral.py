"""The examples in docs/reference/collateral.md are what the state machine does."""

from dataclasses import replace
from pathlib import Path

from proofbook.protocol.commands import Leg
from proofbook.protocol.events import CollateralSold, ConversionEnded, InterestPaid
from proofbook.protocol.limits import NS_PER_DAY, NS_PER_SECOND
from proofbook.protocol.terms import FIRST_PARAMETERS, Terms
from proofbook.simulator.inspection import account
from proofbook.simulator.scene import GRID, MILLISECOND_NS, UNBOUND, USDC, WBTC, Scene
from proofbook.spec import State

PAGE = " ".join(Path("docs/reference/collateral.md").read_text().split())
BITCOIN = 10**8
MARK = 800_000
WITHOUT_FEES = replace(GRID, perpetual=Terms(100_000, 100_000))


def indebted(debt_usd: int, rate_ppm: int = 0) -> Scene:
    """Ann has two bitcoin at 80,000 and owes; bob has won it; cid has money."""
    parameters = replace(UNBOUND, debt_interest_ppm=rate_ppm)
    scene = Scene(State, WITHOUT_FEES, (WBTC,), parameters)
    scene.deposit("ann", 2 * BITCOIN, token=1)
    for name in ("bob", "cid"):
        scene.deposit(name, 1_000_000 * USDC)
    perpetual = scene.open_perpetual()
    ticks = MARK - debt_usd // 2 * 10
    with scene.window():
        assert scene.block("ann", "bob", [Leg(perpetual, -20_000, ticks)]).is_applied
        assert scene.block("ann", "bob", [Leg(perpetual, 20_000, MARK)]).is_applied
    assert account(scene, "ann").cash_atoms == -debt_usd * USDC
    return scene


def test_interest_of_the_example() -> None:
    scene = indebted(1_000, FIRST_PARAMETERS.debt_interest_ppm)
    scene.wait(30 * NS_PER_DAY - MILLISECOND_NS)
    scene.deposit("ann", 1)
    paid = scene.events()[0]
    assert isinstance(paid, InterestPaid)
    assert f"1,000 USDC owed for 30 days at 10 % cost {paid.amount_atoms / USDC} USDC" in PAGE


def test_conversion_of_the_example() -> None:
    scene = indebted(80_000)
    assert scene.start_conversion("ann").is_applied
    scene.wait(150 * NS_PER_SECOND - 3 * MILLISECOND_NS)
    scene.publish_index()
    scene.remark_perpetual()
    amount = 52_631_579
    assert f"Cid pays 40,000 for 0.{amount} BTC" in PAGE
    assert scene.buy_collateral("cid", "ann", amount, price_max_atoms=76_000 * USDC).is_applied
    sold, ended = scene.events()
    assert isinstance(sold, CollateralSold) and isinstance(ended, ConversionEnded)
    assert round(sold.paid_atoms / USDC, 2) == 40_000
    report = scene.engine.margin(scene.accounts["ann"])
    assert f"Her debt is {-report.cash_atoms / USDC:,.0f}," in PAGE
    assert report.collateral_atoms == report.equity_atoms - report.cash_atoms
    assert f"and {report.collateral_atoms / USDC:,.0f} are counted: the sale is over" in PAGE


def test_first_parameters_are_what_the_page_says() -> None:
    first = FIRST_PARAMETERS
    assert f"`debt_interest_ppm` ({first.debt_interest_ppm // 10_000} %)" in PAGE
    assert f"`debt_account_usd` ({first.debt_account_usd:,})" in PAGE
    assert f"`debt_venue_usd` ({first.debt_venue_usd:,})" in PAGE
    assert f"`conversion_ppm` ({first.conversion_ppm // 10_000} %)" in PAGE
    discount = first.conversion_discount_ppm // 10_000
    assert f"down by {discount} % in {first.conversion_seconds} s" in PAGE
