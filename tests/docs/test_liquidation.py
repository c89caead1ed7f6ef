"""The example in docs/reference/liquidation.md is what the state machine does."""

from pathlib import Path

from tests.unit.spec.falling import LONG_LOTS, equity_of, long_at

from proofbook.protocol.commands import Transfer
from proofbook.protocol.events import DeficitCovered, LiquidationAuctionTaken, PositionDeleveraged
from proofbook.protocol.limits import FUND_ACCOUNT
from proofbook.simulator.inspection import account_at, money
from proofbook.simulator.scene import USDC, Scene
from proofbook.spec import State

PAGE = Path("docs/reference/liquidation.md").read_text()
SECOND_NS = 10**9


def auctioned(percent: int) -> tuple[Scene, int]:
    """Ann of the example, auctioned at a percentage of 80,000."""
    scene = Scene(State)
    for name in ("ann", "bob", "cid", "dan"):
        scene.deposit(name, 1_000_000 * USDC)
    perpetual = scene.open_perpetual()
    gift = Transfer(*scene.header("dan"), FUND_ACCOUNT, 0, 400_000 * USDC)
    assert scene.submit(gift, "dan").is_applied
    long_at(scene, perpetual, percent)
    scene.liquidate("ann", perpetual)
    assert scene.start_auction("ann").is_applied
    return scene, perpetual


def bid(scene: Scene, perpetual: int, lots: int, seconds: int) -> int:
    """Let cid bid so many seconds after the start; return his premium."""
    scene.wait(seconds * SECOND_NS - 10**6)
    total = money(scene)
    assert scene.bid("cid", "ann", (perpetual, lots)).is_applied
    assert money(scene) == total
    taken = next(e for e in scene.events() if isinstance(e, LiquidationAuctionTaken))
    return taken.premium_atoms


def said(atoms: int) -> bool:
    """Whether the page names an amount."""
    assert atoms % USDC == 0
    return f"{atoms // USDC:,}" in PAGE


def test_example_while_there_is_equity() -> None:
    scene, perpetual = auctioned(82)
    equity = equity_of(scene, perpetual)
    premium = bid(scene, perpetual, LONG_LOTS // 2, 10)
    assert premium == 46_400 * USDC == equity * 223_040 // 446_080 // 3
    assert said(equity) and said(premium)


def test_example_against_the_fund() -> None:
    scene, perpetual = auctioned(74)
    debt = -equity_of(scene, perpetual)
    before = account_at(scene, FUND_ACCOUNT).cash_atoms
    premium = bid(scene, perpetual, LONG_LOTS, 6)
    assert DeficitCovered(scene.accounts["ann"], debt, 0) in scene.events()
    paid = before - account_at(scene, FUND_ACCOUNT).cash_atoms
    assert paid == premium + debt <= before // 4
    assert said(debt) and said(premium) and said(paid)


def test_example_of_deleveraging() -> None:
    scene, perpetual = auctioned(70)
    debt, total = -equity_of(scene, perpetual), money(scene)
    before = account_at(scene, FUND_ACCOUNT).cash_atoms
    assert scene.deleverage("ann", perpetual).is_applied
    (closed,) = [e for e in scene.events() if isinstance(e, PositionDeleveraged)]
    assert (closed.holder, closed.lots) == (scene.accounts["bob"], LONG_LOTS)
    assert before - account_at(scene, FUND_ACCOUNT).cash_atoms == before // 4
    assert closed.charge_atoms == debt - before // 4
    price_atoms = (closed.lots * closed.mark_atoms + closed.charge_atoms) // closed.lots
    assert said(debt) and said(closed.charge_atoms) and said(price_atoms * 10_000)
    assert money(scene) == total
