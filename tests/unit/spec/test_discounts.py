"""What the discount of a conversion may cost the fund: its share for one insolvency."""

import pytest
from tests.unit.spec.conftest import ENGINES
from tests.unit.spec.test_conversion import (
    BITCOIN,
    LOTS_PER_BITCOIN,
    MARK,
    PERPETUAL,
    after,
    cash,
    check,
    equity,
    for_sale,
    move,
    opened,
    owe,
    tokens_of,
)

from proofbook.protocol.commands import Leg, Transfer
from proofbook.protocol.limits import FUND_ACCOUNT
from proofbook.simulator.inspection import account_at
from proofbook.simulator.scene import USDC, Scene


@pytest.fixture(params=list(ENGINES))
def scene(request: pytest.FixtureRequest) -> Scene:
    return opened(request.param)


def give_fund(scene: Scene, usd: int) -> None:
    fund = Transfer(*scene.header("bob"), FUND_ACCOUNT, 0, usd * USDC)
    assert scene.submit(fund, "bob").is_applied


@pytest.mark.parametrize("parts", [1, 4])
def test_the_discount_costs_the_fund_its_share_at_most(scene: Scene, parts: int) -> None:
    """Of 10,000 that are 2,500, of which 300 are owed: 2,200 of the 119,700 that are counted."""
    give_fund(scene, 10_000)
    for_sale(scene, 120_000)
    after(scene, 300, 63_000)
    assert equity(scene, "ann") == -300 * USDC
    for _ in range(parts):
        with scene.window():
            outcome = scene.buy_collateral("cid", "ann", 2 * BITCOIN // parts)
            assert outcome.is_applied, outcome.name
    assert (tokens_of(scene, "ann"), cash(scene, "ann")) == (0, 0)
    spent = 10_000 * USDC - account_at(scene, FUND_ACCOUNT).cash_atoms
    assert 2_499 * USDC < spent <= 2_500 * USDC
    check(scene)


def test_a_debt_beyond_the_share_is_not_made_larger(scene: Scene) -> None:
    """Without a fund the price stops at what the tokens count for: 5 % off, and no further."""
    for_sale(scene, 120_000)
    after(scene, 300, 60_000)
    owed = equity(scene, "ann")
    assert owed == -6_000 * USDC
    limit = 60_000 * 950_000
    outcome = scene.buy_collateral("cid", "ann", BITCOIN, price_max_atoms=limit - 1)
    assert outcome.name == "PRICE_ABOVE_LIMIT"
    assert scene.buy_collateral("cid", "ann", BITCOIN, price_max_atoms=limit).is_applied
    assert equity(scene, "ann") == owed


def test_what_an_auction_has_left_of_the_share_bounds_it(scene: Scene) -> None:
    """The share is settled once: money that comes to the fund later is for others."""
    give_fund(scene, 10_000)
    owe(scene, 60_000)
    leg = Leg(PERPETUAL, LOTS_PER_BITCOIN // 2, MARK)
    assert scene.block("ann", "bob", [leg]).is_applied
    move(scene, 25_000)
    assert equity(scene, "ann") < 0
    assert scene.start_auction("ann").is_applied
    assert scene.start_conversion("ann").is_applied
    give_fund(scene, 900_000)
    after(scene, 300, 25_000)
    limit = 25_000 * 950_000
    outcome = scene.buy_collateral("cid", "ann", BITCOIN, price_max_atoms=limit - 1)
    assert outcome.name == "PRICE_ABOVE_LIMIT"
    assert scene.buy_collateral("cid", "ann", BITCOIN, price_max_atoms=limit).is_applied
