"""Stories for vectors that are told about collateral."""

from dataclasses import replace
from typing import Any

from proofbook.protocol.commands import Deposit, Leg, Quote, SetParameters, SetToken
from proofbook.protocol.limits import NS_PER_DAY, Side, TimeInForce
from proofbook.simulator.conversion_stories import conversion_story
from proofbook.simulator.scene import UNBOUND, USDC, WBTC, Scene, key_of
from proofbook.simulator.workload import address_of

MARK = 800_000
BITCOIN = 10**8
TICKS = 50_000


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


def debts_story(engine_type: Any) -> Scene:
    """Who has bitcoin buys a call with what she owes: it costs interest, and comes to an end."""
    parameters = replace(UNBOUND, debt_account_usd=1_000, debt_venue_usd=1_500)
    scene = Scene(engine_type, tokens=(WBTC,), parameters=parameters)
    for name in ("ann", "cid"):
        scene.deposit(name, 2 * BITCOIN, token=1)
    scene.deposit("bob", 1_000_000 * USDC)
    call = scene.open_option()
    scene.publish_index()
    scene.resting("bob", call, Side.SELL, TICKS, 100)
    for name, lots in (("ann", 20), ("ann", 19), ("ann", 1), ("cid", 12), ("cid", 10)):
        scene.place(name, call, Side.BUY, TICKS, lots)
    scene.quote("ann", Quote(call, Side.BUY, TICKS - 10, 1))
    scene.accept("cid", "bob", scene.offer("bob", [Leg(call, 1, TICKS)]))
    scene.deposit("cid two", BITCOIN, owner="cid", token=1)
    scene.position_transfer("cid", "cid two", call, 10)
    scene.position_transfer("cid", "cid two", call, 1)
    scene.wait(12 * NS_PER_DAY)
    scene.submit(SetParameters(2, replace(parameters, debt_interest_ppm=200_000)))
    scene.transfer("bob", "ann", 1)
    scene.wait(12 * NS_PER_DAY)
    scene.publish_index()
    scene.withdraw("ann", BITCOIN, token=1)
    scene.withdraw("ann", 1)
    scene.deposit("ann", 2_000 * USDC)
    scene.resting("bob", call, Side.BUY, TICKS - 100, 30)
    scene.place("cid", call, Side.SELL, TICKS - 100, 9)
    return scene


STORIES = {"tokens": tokens_story, "debts": debts_story, "conversion": conversion_story}
"""By the names of their vectors."""
