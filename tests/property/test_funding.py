"""Funding of any stream of orders, trades, indices and settlements, on the spec."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from proofbook.protocol.genesis import Genesis, MarginParameters
from proofbook.protocol.limits import FEMTOS_PER_PPM, Side
from proofbook.simulator.inspection import instrument, money
from proofbook.simulator.scene import USDC, Scene
from proofbook.spec import State, funding, ladder
from proofbook.spec.rules import trades_at_once

NAMES = ("ann", "bob", "cid")
DEPOSITS = len(NAMES) * 1_000_000 * USDC
MARK = 800_000
SECOND_NS = 10**9

Step = Callable[[Scene, int], object]


def order(name: str, side: Side, away_ticks: int, lots: int) -> Step:
    return lambda scene, perpetual: scene.place(name, perpetual, side, MARK + away_ticks, lots)


def wait(nanoseconds: int) -> Step:
    return lambda scene, _: scene.wait(nanoseconds)


def index(price_atoms: int) -> Step:
    return lambda scene, _: scene.publish_index(price_atoms)


def cancel_all(name: str) -> Step:
    return lambda scene, _: scene.cancel_all(name)


def names() -> st.SearchStrategy[str]:
    return st.sampled_from(NAMES)


def steps() -> st.SearchStrategy[list[Step]]:
    """Return streams in which premiums of either sign stand, and the three trade in between."""
    return st.lists(
        st.one_of(
            st.builds(
                order,
                names(),
                st.sampled_from(Side),
                st.integers(-8_000, 8_000),
                st.sampled_from((1, 300, 1_250, 5_000)),
            ),
            st.builds(wait, st.integers(0, 90 * SECOND_NS)),
            st.builds(index, st.integers(79_000_000_000, 81_000_000_000)),
            st.builds(cancel_all, names()),
        ),
        max_size=30,
    )


def scene_of() -> tuple[Scene, int]:
    """Return a venue with three traders, and its perpetual."""
    scene = Scene(State)
    for name in NAMES:
        scene.deposit(name, 1_000_000 * USDC)
    return scene, scene.open_perpetual()


def settle_all(scene: Scene) -> None:
    """Settle every position by itself, as a trade of nothing would."""
    assert isinstance(scene.engine, State)
    world = scene.engine.world
    for slot in [slot for slot in world.positions.records if world.positions[slot].account]:
        funding.settle(world, slot)


def cash(scene: Scene) -> list[int]:
    assert isinstance(scene.engine, State)
    return [record.cash_atoms for record in scene.engine.world.accounts.records.values()]


@settings(max_examples=60, deadline=None)
@given(steps(), st.sets(st.integers(0, 29)))
def test_settling_at_any_moments_comes_to_settling_at_the_end(
    stream: list[Step], moments: set[int]
) -> None:
    (often, perpetual), (once, _) = scene_of(), scene_of()
    for place, step in enumerate(stream):
        for scene in (often, once):
            step(scene, perpetual)
        if place in moments:
            settle_all(often)
        assert money(often) == money(once) == DEPOSITS, "no atom comes or goes"
    for scene in (often, once):
        settle_all(scene)
    assert cash(often) == cash(once)


@settings(max_examples=60, deadline=None)
@given(steps())
def test_what_a_lot_pays_and_what_the_mark_follows_is_bounded(stream: list[Step]) -> None:
    scene, perpetual = scene_of()
    highest_lot_atoms = 8_100_000
    for step in stream:
        before, since_ns = instrument(scene, perpetual), scene.window_ns
        step(scene, perpetual)
        after = instrument(scene, perpetual)
        passed_ns = scene.window_ns - min(since_ns, before.funding_ns)
        most = highest_lot_atoms * 4_000 * passed_ns // (28_800 * SECOND_NS * 10**6) + 1
        assert abs(after.funding_index - before.funding_index) <= most
        assert abs(after.mark_premium_femtos) <= 5_000 * FEMTOS_PER_PPM
        assert 0 <= after.funding_remainder < 28_800 * SECOND_NS * 10**6


@settings(max_examples=60, deadline=None)
@given(steps())
def test_premium_is_that_of_the_best_orders_at_most(stream: list[Step]) -> None:
    """No order moves the premium beyond the best price of its own side."""
    scene, perpetual = scene_of()
    assert isinstance(scene.engine, State)
    world = scene.engine.world
    for step in stream:
        step(scene, perpetual)
        record = world.instruments[perpetual]
        index_atoms = world.underlyings[1].index_atoms
        premium = funding.premium_ppm(world, record)
        best = {side: ladder.best_level(world, record, side) for side in Side}
        assert trades_at_once(record)
        if premium:
            slot = best[Side.BUY] if premium > 0 else best[Side.SELL]
            price_atoms = world.levels[slot].price_ticks * record.tick_atoms
            assert abs(premium) <= abs(price_atoms - index_atoms) * 10**6 // index_atoms + 1


def test_first_bounds_are_those_that_the_reference_names() -> None:
    parameters = MarginParameters()
    assert parameters.funding_impact_usd == 10_000
    assert parameters.funding_premium_max_ppm == 4_000, "0.4 % in eight hours"
    assert parameters.perpetual_mark_max_ppm == 5_000, "0.5 % of the index"
    used = Genesis.decode(Scene(State).genesis).parameters
    assert used.funding_impact_usd == parameters.funding_impact_usd
    assert used.funding_premium_max_ppm == parameters.funding_premium_max_ppm
    assert used.perpetual_mark_max_ppm == parameters.perpetual_mark_max_ppm
