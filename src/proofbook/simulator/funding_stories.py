"""Stories of what a position pays without a trade: funding."""

from dataclasses import replace

from proofbook.protocol.commands import Remark, SetParameters, Tick
from proofbook.protocol.limits import InstrumentState, Side, TimeInForce
from proofbook.simulator.scene import UNBOUND, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
IOC = TimeInForce.IMMEDIATE_OR_CANCEL
MARK, ABOVE, BELOW = 800_000, 800_800, 799_000
SECOND_NS = 10**9


def funding_story(scene: Scene) -> Scene:
    """Premiums of both signs, beyond their bounds and in a halt; a trade, a withdrawal."""
    perpetual = scene.open_perpetual()
    scene.resting("bob", perpetual, SELL, MARK, 1_000)
    scene.place("ann", perpetual, BUY, MARK, 1_000)
    bid = scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    pass_time(scene, (7, 30, 50, 80))
    assert scene.place("bob", perpetual, SELL, ABOVE, 10, time_in_force=IOC).is_applied
    assert scene.cancel("cid", bid).is_applied
    scene.resting("cid", perpetual, SELL, BELOW, 2_000)
    pass_time(scene, (20, 20))
    assert scene.withdraw("ann", USDC).is_applied
    assert scene.set_instrument(perpetual, InstrumentState.HALTED).is_applied
    pass_time(scene, (20,))
    assert scene.set_instrument(perpetual).is_applied
    assert scene.cancel_all("cid").is_applied
    assert scene.submit(SetParameters(2, replace(UNBOUND, funding_impact_usd=100))).is_applied
    scene.resting("ann", perpetual, BUY, 850_000, 20)
    pass_time(scene, (45, 15))
    assert scene.submit(Tick(0, 0)).is_applied
    assert scene.submit(Remark(1)).is_applied
    assert scene.place("bob", perpetual, SELL, 850_000, 20, time_in_force=IOC).is_applied
    return scene


def pass_time(scene: Scene, gaps_seconds: tuple[int, ...]) -> None:
    """Publish the same index again after each gap."""
    for seconds in gaps_seconds:
        scene.wait(seconds * SECOND_NS)
        assert scene.publish_index().is_applied
