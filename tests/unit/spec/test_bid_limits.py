"""What a bidder may not take, however well he could pay for it."""

from dataclasses import replace

import pytest
from tests.exhaustion import filled
from tests.unit.spec.conftest import ENGINES
from tests.unit.spec.falling import BUY, LONG_LOTS, MARK, underwater

from proofbook.kernel import Store
from proofbook.protocol.commands import Remark
from proofbook.protocol.genesis import UnderlyingGrid
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    REMARK_INSTRUMENTS_MAX,
    STANDARD_INSTRUMENTS_MAX,
    ArenaId,
    InstrumentKind,
    MarginMode,
)
from proofbook.simulator.scene import (
    EXPIRY_NS,
    GRID,
    LINEAR_TERMS,
    OPTION_TERMS,
    STRIKE_ATOMS,
    USDC,
    Scene,
)

BOUND = replace(LINEAR_TERMS, position_lots_max=LONG_LOTS)
BOUND_GRID = UnderlyingGrid("BTC", 1, GRID.strike_step_atoms, BOUND, BOUND, OPTION_TERMS)
SECOND_NS = 10**9


def auctioned(scene: Scene, perpetual: int) -> None:
    """Ann is auctioned, and cid could carry all that she holds."""
    underwater(scene, perpetual)
    assert scene.liquidate("ann", perpetual).is_applied
    assert scene.start_auction("ann").is_applied
    scene.deposit("cid", 10_000_000 * USDC)
    scene.wait(SECOND_NS)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_more_than_one_may_hold(engine: str) -> None:
    scene = Scene(ENGINES[engine], BOUND_GRID)
    for name in ("ann", "bob", "cid"):
        scene.deposit(name, 1_000_000 * USDC)
    perpetual = scene.open_perpetual()
    auctioned(scene, perpetual)
    resting = scene.resting("cid", perpetual, BUY, MARK // 2, 100_001)
    assert scene.bid("cid", "ann", (perpetual, 400_000)).name == "POSITION_LIMIT"
    assert scene.cancel("cid", resting).is_applied
    assert scene.bid("cid", "ann", (perpetual, 400_000)).is_applied


def test_no_more_instruments_than_one_may_have(scene: Scene, perpetual: int) -> None:
    options = [
        scene.list_instrument(
            InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS + step * GRID.strike_step_atoms
        )
        for step in range(STANDARD_INSTRUMENTS_MAX)
    ]
    assert scene.publish_forward().is_applied and scene.publish_surface().is_applied
    for first in options[::REMARK_INSTRUMENTS_MAX]:
        assert scene.submit(Remark(2, instrument_slot(first))).is_applied
    assert scene.set_margin_mode("cid", MarginMode.STANDARD).is_applied
    orders = [scene.resting("cid", option, BUY, 1, 1) for option in options]
    auctioned(scene, perpetual)
    assert scene.bid("cid", "ann", (perpetual, 1_000)).name == "INSTRUMENT_LIMIT"
    assert scene.cancel("cid", orders[0]).is_applied
    assert scene.bid("cid", "ann", (perpetual, 1_000)).is_applied


@pytest.mark.parametrize("arena", [ArenaId.POSITIONS, ArenaId.NODES])
def test_a_full_arena_refuses_who_has_no_record_there(
    scene: Scene, perpetual: int, store: Store | None, arena: ArenaId
) -> None:
    scene.deposit("dan", 10_000_000 * USDC)
    scene.resting("dan", perpetual, BUY, MARK // 2, 1)
    auctioned(scene, perpetual)
    scene.engine = filled(scene.engine, arena, store)
    assert scene.bid("cid", "ann", (perpetual, 1_000)).name == "ARENA_FULL"
    assert scene.bid("dan", "ann", (perpetual, 1_000)).is_applied, "he has one"
