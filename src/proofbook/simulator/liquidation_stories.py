"""Stories of accounts below their margin."""

from proofbook.protocol.limits import Side
from proofbook.simulator.scene import SPOT_ATOMS, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
MARK = 800_000
LOTS = 500_000


def liquidation_story(scene: Scene) -> Scene:
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
