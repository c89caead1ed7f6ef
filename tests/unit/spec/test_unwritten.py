"""Margin that moves although no position, order or mark is written: time, and epochs."""

import pytest

from proofbook.protocol.commands import Leg, Tick
from proofbook.protocol.limits import NS_PER_SECOND, Side
from proofbook.protocol.margin_report import MarginReport
from proofbook.simulator.inspection import risk_array
from proofbook.simulator.scene import EXPIRY_NS, SPOT_ATOMS, Scene

MARK = 800_000
LOTS = 100
ORDERS = 40
"""More than one command removes."""


def standing(scene: Scene) -> MarginReport:
    return scene.engine.margin(scene.accounts["ann"])


def pass_time(scene: Scene, until_ns: int) -> None:
    """Let a window begin in which nothing happens."""
    scene.at(until_ns)
    assert scene.submit(Tick()).is_applied


@pytest.fixture
def held(scene: Scene, perpetual: int) -> Scene:
    """Ann holds the perpetual."""
    assert scene.block("ann", "bob", [Leg(perpetual, LOTS, MARK)]).is_applied
    return scene


def test_a_mark_grows_old_by_itself(held: Scene, perpetual: int) -> None:
    fresh_until_ns = risk_array(held, perpetual).fresh_until_ns
    fresh = standing(held)
    pass_time(held, fresh_until_ns)
    assert standing(held) == fresh, "to the last nanosecond"
    pass_time(held, fresh_until_ns + NS_PER_SECOND)
    old = standing(held)
    assert old.stale_low_atoms < 0 == fresh.stale_low_atoms
    assert old.initial_atoms > fresh.initial_atoms
    pass_time(held, fresh_until_ns + 2 * NS_PER_SECOND)
    assert standing(held).stale_low_atoms < old.stale_low_atoms, "older still"
    pass_time(held, fresh_until_ns + 3_600 * NS_PER_SECOND)
    oldest = standing(held)
    pass_time(held, fresh_until_ns + 7_200 * NS_PER_SECOND)
    assert standing(held) == oldest, "as old as can be"


def test_a_forward_that_has_moved_counts_until_the_expiry(scene: Scene) -> None:
    call = scene.open_option()
    assert scene.block("ann", "bob", [Leg(call, LOTS, 7_000)]).is_applied
    pass_time(scene, EXPIRY_NS - NS_PER_SECOND)
    assert scene.publish_forward(SPOT_ATOMS * 2).is_applied
    core = risk_array(scene, call).core
    assert standing(scene).stale_high_atoms > LOTS * max(core), "the move of the forward"
    pass_time(scene, EXPIRY_NS)
    assert standing(scene).stale_high_atoms == LOTS * max(core), "the age of the mark"


def test_orders_reserve_nothing_from_their_deadline_on(held: Scene, perpetual: int) -> None:
    alone = standing(held)
    held.resting("ann", perpetual, Side.BUY, MARK - 1, LOTS)
    ordered = standing(held)
    assert ordered.initial_atoms > alone.initial_atoms
    deadline_ns = held.window_ns + NS_PER_SECOND
    assert held.set_dead_man("ann", deadline_ns).is_applied
    pass_time(held, deadline_ns)
    assert standing(held) == ordered, "in time"
    pass_time(held, deadline_ns + 1)
    assert standing(held) == alone


def test_orders_reserve_nothing_once_all_are_cancelled(held: Scene, perpetual: int) -> None:
    """In another instrument, too, whose position no command has written since."""
    alone = standing(held)
    call = held.open_option()
    held.resting("ann", call, Side.BUY, 100, LOTS)
    for step in range(ORDERS):
        held.resting("ann", perpetual, Side.BUY, MARK - 1 - step, 1)
    assert standing(held).initial_atoms > alone.initial_atoms
    assert held.cancel_all("ann").is_applied
    assert standing(held) == alone
