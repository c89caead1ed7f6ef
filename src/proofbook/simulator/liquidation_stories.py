"""Stories of accounts below their margin."""

from proofbook.protocol import commands as c
from proofbook.protocol.limits import FUND_ACCOUNT, Side, TimeInForce
from proofbook.simulator.scene import SPOT_ATOMS, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
MARK = 800_000
LOTS = 500_000
SAMPLES = (
    c.Liquidate(3, 1 << 16 | 6),
    c.StartAuction(3),
    c.Deleverage(3, 1 << 16 | 6),
    c.AuctionBid(4, 15, 1 << 60, 3, -5, (c.BidLeg(5, -300), c.BidLeg(6, 7))),
)


def slices_story(scene: Scene) -> Scene:
    """Ann's orders go, then a fifth of her position at a time, until she is covered."""
    perpetual = scene.open_perpetual()
    scene.resting("bob", perpetual, SELL, MARK, LOTS)
    scene.place("ann", perpetual, BUY, MARK, LOTS)
    scene.liquidate("ann", perpetual)
    scene.resting("ann", perpetual, BUY, MARK - 5_000, 20_000)
    scene.liquidate("ann", perpetual)
    scene.publish_index(SPOT_ATOMS * 83 // 100)
    scene.remark_perpetual()
    scene.resting("cid", perpetual, BUY, MARK * 82 // 100, 150_000)
    scene.liquidate("ann", perpetual)
    scene.liquidate("ann", perpetual)
    for _ in range(3):
        scene.wait(10**9)
        scene.liquidate("ann", perpetual)
    scene.liquidate("ann", 77)
    scene.publish_index(SPOT_ATOMS * 70 // 100)
    scene.remark_perpetual()
    scene.wait(10**9)
    scene.liquidate("ann", perpetual)
    scene.withdraw("ann", USDC)
    return scene


def gap_story(scene: Scene) -> Scene:
    """After a gap ann can pay for the first of her bids, and for no other; cid pays for all."""
    perpetual = scene.open_perpetual()
    scene.deposit("ann", 500_000 * USDC)
    for lots in (10_000, 150_000, 100):
        scene.resting("ann", perpetual, BUY, MARK - 10_000, lots)
    scene.resting("cid", perpetual, BUY, MARK - 10_001, 10_000)
    scene.submit(c.Transfer(*scene.header("ann"), scene.accounts["cid"], 0, 500_000 * USDC), "ann")
    scene.resting("bob", perpetual, SELL, MARK, LOTS)
    scene.place("ann", perpetual, BUY, MARK, LOTS)
    scene.publish_index(SPOT_ATOMS * 76 // 100)
    scene.remark_perpetual()
    fill_or_kill = TimeInForce.FILL_OR_KILL
    for lots in (300_000, 20_100):
        scene.place("bob", perpetual, SELL, MARK - 10_001, lots, time_in_force=fill_or_kill)
    scene.place("bob", perpetual, SELL, MARK - 10_001, 1_000)
    scene.withdraw("cid", USDC)
    return scene


def auction_story(scene: Scene) -> Scene:
    """Ann is auctioned while she has equity, then against the fund, which pays what she owes."""
    perpetual = scene.open_perpetual()
    scene.deposit("dan", 300_000 * USDC)
    scene.submit(c.Transfer(*scene.header("dan"), FUND_ACCOUNT, 0, 200_000 * USDC), "dan")
    scene.resting("bob", perpetual, SELL, MARK, LOTS)
    scene.place("ann", perpetual, BUY, MARK, LOTS)
    scene.start_auction("ann")
    scene.publish_index(SPOT_ATOMS * 80 // 100)
    scene.remark_perpetual()
    scene.start_auction("ann")
    scene.bid("ann", "ann", (perpetual, 1_000))
    scene.wait(10**10)
    scene.bid("cid", "ann", (perpetual, 100_000))
    scene.bid("cid", "ann", (perpetual, 100_000), max_cost_atoms=0)
    scene.bid("cid", "ann", (perpetual, -1))
    scene.publish_index(SPOT_ATOMS * 74 // 100)
    scene.remark_perpetual()
    scene.start_auction("ann")
    scene.start_auction("ann")
    scene.liquidate("ann", perpetual)
    scene.wait(3 * 10**10)
    scene.bid("cid", "ann", (perpetual, 100_000))
    scene.bid("bob", "ann", (perpetual, 300_000))
    scene.withdraw("cid", 1_000 * USDC)
    return scene


def deleveraging_story(scene: Scene) -> Scene:
    """Ann owes more than the fund may pay: of those short, the most leveraged close with her.

    Dan and eve pay for it; of bob a part is needed. Cid is long like her, and is left alone.
    """
    perpetual = scene.open_perpetual()
    for name, amount, lots in (
        ("bob", 0, 300_000),
        ("dan", 400_000, 200_000),
        ("eve", 300_000, 200_000),
    ):
        if amount:
            scene.deposit(name, amount * USDC)
        scene.resting(name, perpetual, SELL, MARK, lots)
    scene.place("cid", perpetual, BUY, MARK, 200_000)
    scene.place("ann", perpetual, BUY, MARK, LOTS)
    scene.deleverage("ann", perpetual)
    scene.publish_index(SPOT_ATOMS * 70 // 100)
    scene.remark_perpetual()
    scene.place("ann", perpetual, SELL, MARK * 70 // 100, LOTS, reduce_only=True)
    scene.liquidate("ann", perpetual)
    scene.deleverage("ann", perpetual)
    scene.start_auction("ann")
    scene.deleverage("cid", perpetual)
    scene.deleverage("ann", perpetual)
    scene.withdraw("cid", 1_000 * USDC)
    return scene


STORIES = (
    ("liquidation", slices_story),
    ("gap", gap_story),
    ("liquidation_auction", auction_story),
    ("deleveraging", deleveraging_story),
)
"""Each with the name of its vector."""
