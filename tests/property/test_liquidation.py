"""Whatever order commands come in: who covers maintenance margin keeps what he holds."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.spec.falling import BUY, MARK, SELL, move

from proofbook.protocol.commands import Transfer
from proofbook.protocol.limits import FUND_ACCOUNT, Side, TimeInForce
from proofbook.simulator.inspection import account_at, money, position_in
from proofbook.simulator.scene import USDC, Scene
from proofbook.spec import State, margin
from proofbook.spec.portfolio import positions_alone

NAMES = ("ann", "bob", "cid")
FUND_USDC = 400_000
SECOND_NS = 10**9
MOST_LOTS = 300_000

names = st.sampled_from(NAMES)
lots = st.integers(1, MOST_LOTS)
percents = st.integers(60, 150)
steps = st.one_of(
    st.tuples(st.just("move"), percents),
    st.tuples(st.just("place"), names, st.sampled_from(Side), percents, lots),
    st.tuples(st.just("liquidate"), names),
    st.tuples(st.just("start"), names),
    st.tuples(st.just("bid"), names, names, lots, st.booleans()),
    st.tuples(st.just("wait"), st.integers(1, 40)),
)


def venue() -> tuple[Scene, int]:
    """Ann is long and bob short, twice what they have; the fund has 400,000 USDC."""
    scene = Scene(State)
    for name in (*NAMES, "dan"):
        scene.deposit(name, 1_000_000 * USDC)
    perpetual = scene.open_perpetual()
    gift = Transfer(*scene.header("dan"), FUND_ACCOUNT, 0, FUND_USDC * USDC)
    assert scene.submit(gift, "dan").is_applied
    scene.resting("bob", perpetual, SELL, MARK, MOST_LOTS)
    immediate = TimeInForce.IMMEDIATE_OR_CANCEL
    assert scene.place("ann", perpetual, BUY, MARK, MOST_LOTS, time_in_force=immediate).is_applied
    return scene, perpetual


def is_safe(scene: Scene, name: str) -> bool:
    assert isinstance(scene.engine, State)
    world = scene.engine.world
    held = positions_alone(world, scene.accounts[name])
    return not margin.is_below_maintenance(world, held)


def lots_of(scene: Scene, perpetual: int, name: str) -> int:
    held = position_in(scene, name, perpetual)
    return held.lots if held else 0


def attack(scene: Scene, perpetual: int, target: str, step: tuple[object, ...]) -> None:
    """Let somebody try a step against an account, and see whether he may."""
    safe, before = is_safe(scene, target), lots_of(scene, perpetual, target)
    kind = step[0]
    if kind == "liquidate":
        scene.liquidate(target, perpetual)
    elif kind == "start":
        scene.start_auction(target)
    else:
        _, _, bidder, amount, is_long = step
        assert isinstance(bidder, str) and isinstance(amount, int)
        outcome = scene.bid(bidder, target, (perpetual, amount if is_long else -amount))
        assert not (outcome.is_applied and bidder == target)
    after = lots_of(scene, perpetual, target)
    assert after == before or not safe
    assert abs(after) <= abs(before)


def play(scene: Scene, perpetual: int, step: tuple[object, ...]) -> None:
    match step:
        case ("move", int(percent)):
            move(scene, percent)
        case ("place", str(name), Side() as side, int(percent), int(amount)):
            scene.place(name, perpetual, side, MARK * percent // 100, amount)
        case ("wait", int(seconds)):
            scene.wait(seconds * SECOND_NS)
        case _:
            assert isinstance(step[1], str)
            attack(scene, perpetual, step[1], step)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=5, max_size=30))
def test_nobody_above_maintenance_is_liquidated_and_no_atom_is_lost(
    story: list[tuple[object, ...]],
) -> None:
    scene, perpetual = venue()
    total, highest = money(scene), 0
    for step in story:
        fund = account_at(scene, FUND_ACCOUNT).cash_atoms
        highest = max(highest, fund)
        play(scene, perpetual, step)
        assert money(scene) == total
        if step[0] == "bid":
            paid = fund - account_at(scene, FUND_ACCOUNT).cash_atoms
            assert paid <= highest // 4, "a premium and a debt, within one share"
