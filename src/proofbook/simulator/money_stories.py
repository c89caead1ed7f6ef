"""Stories for vectors that are told about collateral."""

from typing import Any

from proofbook.protocol.commands import Deposit, SetToken
from proofbook.protocol.limits import Side, TimeInForce
from proofbook.simulator.scene import USDC, WBTC, Scene, key_of
from proofbook.simulator.workload import address_of

MARK = 800_000
BITCOIN = 10**8


def tokens_story(engine_type: Any) -> Scene:
    """Bitcoin beside USDC: it covers a short position, comes up to the cap, goes where it may."""
    scene = Scene(engine_type, tokens=(WBTC,))
    scene.deposit("ann", 2 * BITCOIN, token=1)
    scene.deposit("bob", 1_000_000 * USDC)
    perpetual = scene.open_perpetual()
    scene.resting("bob", perpetual, Side.BUY, MARK, 30_000)
    scene.place("ann", perpetual, Side.SELL, MARK, 20_000)
    scene.place(
        "ann", perpetual, Side.SELL, MARK, 10**9, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL
    )
    scene.deposit("bob", 998 * BITCOIN, token=1)
    scene.submit(Deposit(scene.accounts["bob"], address_of(key_of("bob")), 0, 1, 1))
    scene.submit(Deposit(scene.accounts["bob"], address_of(key_of("bob")), 0, 2, 7))
    for amount_atoms in (2 * BITCOIN + 1, 2 * BITCOIN, BITCOIN // 2):
        scene.withdraw("ann", amount_atoms, token=1)
    scene.transfer("bob", "ann", BITCOIN, token=1)
    scene.withdraw("bob", 5, token=2)
    scene.withdraw("bob", 5 * USDC)
    scene.submit(SetToken(1, 2, 400_000, BITCOIN))
    scene.submit(SetToken(1, 2, 400_000, BITCOIN))
    scene.submit(SetToken(1, 3, 1_000_001, BITCOIN))
    scene.submit(SetToken(2, 2, 0, 0))
    scene.withdraw("bob", 3 * BITCOIN, token=1)
    scene.submit(Deposit(scene.accounts["bob"], address_of(key_of("bob")), 0, 1, 1))
    scene.wait(10**9)
    scene.publish_index(95_000_000_000)
    scene.remark_perpetual()
    scene.withdraw("ann", BITCOIN, token=1)
    return scene
