"""Stories of accounts that owe too much beside their tokens."""

from dataclasses import replace
from typing import Any

from proofbook.protocol import commands as c
from proofbook.protocol.limits import FUND_ACCOUNT
from proofbook.simulator.scene import UNBOUND, USDC, WBTC, Scene

MARK = 800_000
BITCOIN = 10**8
LOTS = 20_000
SAMPLES = (
    c.StartConversion(3),
    c.BuyCollateral(4, 16, 1 << 60, 3, 1, 50_000_000, 79_000_000_000),
    c.SettleVariation(3),
)


def conversion_story(engine_type: Any) -> Scene:
    """Ann's bitcoin are for sale until her debt is small, then again until nothing is left."""
    scene = Scene(engine_type, tokens=(WBTC,), parameters=replace(UNBOUND, conversion_seconds=50))
    scene.deposit("ann", 2 * BITCOIN, token=1)
    for name in ("bob", "cid"):
        scene.deposit(name, 1_000_000 * USDC)
    scene.deposit("ann two", USDC, owner="ann")
    scene.submit(c.Transfer(*scene.header("bob"), FUND_ACCOUNT, 0, 1_000 * USDC), "bob")
    perpetual = scene.open_perpetual()
    scene.start_conversion("ann")
    scene.buy_collateral("cid", "ann", 1)
    scene.block("ann", "bob", [c.Leg(perpetual, -LOTS, MARK * 45 // 100)])
    scene.settle_variation("ann")
    scene.start_conversion("ann")
    scene.start_conversion("ann")
    scene.block("ann", "bob", [c.Leg(perpetual, LOTS, MARK)])
    for amount, price in ((0, 1), (1, 1), (BITCOIN // 10, 80_000 * USDC)):
        scene.buy_collateral("cid", "ann", amount, price_max_atoms=price)
    scene.buy_collateral("ann two", "ann", 1)
    scene.buy_collateral("cid", "ann", 1, token=2)
    scene.wait(25 * 10**9)
    scene.buy_collateral("cid", "ann", BITCOIN // 10)
    scene.wait(80 * 10**9)
    scene.publish_index()
    scene.buy_collateral("cid", "ann", 1)
    scene.start_conversion("ann")
    scene.deposit("ann", 20_000 * USDC)
    scene.publish_index(30_000 * USDC)
    scene.remark_perpetual()
    scene.start_conversion("ann")
    scene.wait(50 * 10**9)
    scene.buy_collateral("cid", "ann", 2 * BITCOIN - BITCOIN // 5 - 900)
    scene.withdraw("cid", 100 * USDC)
    return scene
