"""Expensive makers: each has hundreds of positions, and its fill may cost it something."""

from functools import partial

from proofbook.protocol.commands import Leg
from proofbook.protocol.limits import (
    BACKING_LEGS_MAX,
    FILLS_PER_COMMAND_MAX,
    INSTRUMENTS_PER_ACCOUNT_MAX,
    LEGS_MAX,
    AuctionPhase,
    InstrumentState,
    Side,
    TimeInForce,
)
from proofbook.simulator.costly import (
    MONEY,
    PRICE_STEP,
    SWEEPING_TICKS,
    Construction,
    Costly,
    CostlyScene,
    all_instruments,
    dates_of,
)
from proofbook.simulator.inspection import instrument, risk_array
from proofbook.simulator.scene import SPOT_ATOMS

BUY, SELL = Side.BUY, Side.SELL
STALE_NS = 7_200 * 10**9
MOVED_PER_CENT = 103
CROWD = BACKING_LEGS_MAX // INSTRUMENTS_PER_ACCOUNT_MAX
"""So many makers are looked at, each with as many instruments as there may be."""


def crowded_book(makers: int) -> tuple[CostlyScene, int]:
    """Makers with lots in 511 instruments and an order in the 512th, whose marks are of no use now.

    Every mark is old, and the forward has moved since: each fill may cost its maker something.
    """
    scene = CostlyScene()
    target, *others = all_instruments(scene)
    scene.deposit("seller", MONEY)
    legs = [Leg(each, 1, mark_ticks(scene, each)) for each in others]
    for place in range(makers):
        name = f"maker {place}"
        scene.deposit(name, MONEY)
        for first in range(0, len(legs), LEGS_MAX):
            outcome = scene.block(name, "seller", legs[first : first + LEGS_MAX])
            assert outcome.is_applied, outcome.name
    scene.spread_out("taker", others)
    return scene, target


def mark_ticks(scene: CostlyScene, listed: int) -> int:
    """Return the mark of an instrument in ticks: at least the lowest price."""
    tick_value_atoms = instrument(scene, listed).tick_value_atoms
    return max(1, risk_array(scene, listed).mark_atoms // tick_value_atoms)


def grown_old(scene: CostlyScene) -> None:
    """Let all marks grow old, and the forward move."""
    scene.wait(STALE_NS)
    scene.must(scene.index(1))
    scene.must(scene.curve(dates_of(1), 1, MOVED_PER_CENT * SPOT_ATOMS // 100))


def swept_crowd(time_in_force: TimeInForce) -> Costly:
    """A taker takes all makers that one command may meet, the crowd first."""
    scene, target = crowded_book(CROWD)
    mark = mark_ticks(scene, target)
    for place in range(CROWD):
        scene.resting(f"maker {place}", target, SELL, mark - place, 1)
    for place in range(CROWD, FILLS_PER_COMMAND_MAX):
        scene.deposit(f"maker {place}", MONEY)
        scene.resting(f"maker {place}", target, SELL, (place + 1) * PRICE_STEP, 1)
    grown_old(scene)
    lots = FILLS_PER_COMMAND_MAX
    return scene.end_with(
        lambda: scene.place("taker", target, BUY, SWEEPING_TICKS, lots, time_in_force=time_in_force)
    )


def uncrossed_crowd() -> Costly:
    """An auction in which both sides of each trade have hundreds of positions."""
    scene, target = crowded_book(2 * CROWD)
    assert scene.set_instrument(target, InstrumentState.PRE_OPEN).is_applied
    mark = mark_ticks(scene, target)
    for place in range(2 * CROWD):
        side = SELL if place < CROWD else BUY
        scene.resting(f"maker {place}", target, side, mark, 1)
    grown_old(scene)
    assert scene.set_instrument(target).is_applied
    while instrument(scene, target).auction_phase != AuctionPhase.FILLING:
        assert scene.uncross(target).is_applied
    return scene.end_with(lambda: scene.uncross(target))


CROWDS: dict[str, Construction] = {
    "Place, immediate, makers of 512 legs": partial(swept_crowd, TimeInForce.IMMEDIATE_OR_CANCEL),
    "Place, fill-or-kill, makers of 512 legs": partial(swept_crowd, TimeInForce.FILL_OR_KILL),
    "Uncross, makers of 512 legs": uncrossed_crowd,
}
