"""What each leg relieves is in the kernel what the reference says, whatever else is held."""

from copy import deepcopy
from dataclasses import replace

from hypothesis import event, given, settings
from hypothesis import strategies as st

from proofbook.kernel import Kernel
from proofbook.protocol.commands import Remark
from proofbook.protocol.genesis import TokenTerms
from proofbook.protocol.limits import InstrumentKind, MarginMode, Side
from proofbook.protocol.terms import MarginTerms
from proofbook.simulator.costly import CostlyScene, dates_of
from proofbook.simulator.inspection import risk_array
from proofbook.simulator.scene import EXPIRY_NS, GRID, SPOT_ATOMS, STRIKE_ATOMS, UNBOUND, USDC
from proofbook.simulator.workload import CHAIN_ID, CONTRACT
from proofbook.spec import State

SECOND_NS = 10**9
BITCOIN = 10**8
STEP_ATOMS = GRID.strike_step_atoms
KINDS = (
    (InstrumentKind.FUTURE, 0),
    (InstrumentKind.CALL, STRIKE_ATOMS),
    (InstrumentKind.PUT, STRIKE_ATOMS),
    (InstrumentKind.CALL, STRIKE_ATOMS + 5 * STEP_ATOMS),
    (InstrumentKind.PUT, STRIKE_ATOMS - 5 * STEP_ATOMS),
)
LINEAR_LOTS = 20
"""A lot of an option is as much of the underlying as a hundred of a future."""

percents = st.integers(75, 130)
lots_of_legs = st.lists(st.integers(-40, 40), min_size=2 * len(KINDS), max_size=2 * len(KINDS))
terms = st.builds(
    MarginTerms,
    beta_ppm=st.integers(0, 1_000_000),
    concentration_ppm=st.sampled_from((0, 3_000, 40_000)),
    concentration_nanos=st.integers(0, 10**9),
)


class Venue(CostlyScene):
    """Two underlyings, on each a future and options; ann holds some, bob the other side."""

    def __init__(self, joint_ppm: int, margins: tuple[MarginTerms, MarginTerms]) -> None:
        parameters = replace(
            UNBOUND, joint_ppm=joint_ppm, debt_account_usd=10**9, debt_venue_usd=10**9
        )
        grids = tuple(
            replace(GRID, symbol=f"U{place}", margin=margin) for place, margin in enumerate(margins)
        )
        super().__init__((TokenTerms("T", 2, 8, 50_000, 10**15),), parameters, grids)
        self.kinds = [kind for _ in (1, 2) for kind, _ in KINDS]
        self.listed = [
            self.list_instrument(kind, EXPIRY_NS, strike_atoms, underlying)
            for underlying in (1, 2)
            for kind, strike_atoms in KINDS
        ]
        self.publish(100, 100)

    def publish(self, *percents: int) -> None:
        """Move the prices of both underlyings to percents of the first, and mark what they have."""
        self.wait(SECOND_NS)
        for underlying, percent in enumerate(percents, 1):
            atoms = SPOT_ATOMS * percent // 100
            self.must(self.index(1, atoms, underlying))
            self.must(self.curve(dates_of(1), 1, atoms, underlying))
            self.must(self.surface(dates_of(1), 1, underlying))
            self.must(Remark(underlying))

    def trade(self, lots: list[int]) -> None:
        """Let ann buy from bob at the marks, or sell to him, as far as her margin goes."""
        for instrument, kind, size in zip(self.listed, self.kinds, lots, strict=True):
            if size == 0:
                continue
            is_future = kind == InstrumentKind.FUTURE
            tick_value_atoms = 10 if is_future else 1_000
            ticks = risk_array(self, instrument).mark_atoms // tick_value_atoms
            traded = abs(size) * (LINEAR_LOTS if is_future else 1)
            sides = (Side.SELL, Side.BUY) if size > 0 else (Side.BUY, Side.SELL)
            for name, side in zip(("bob", "ann"), sides, strict=True):
                self.place(name, instrument, side, ticks, traded)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from((0, 300_000, 1_000_000)),
    st.tuples(terms, terms),
    st.sampled_from(MarginMode),
    lots_of_legs,
    st.integers(1, 12),
    st.tuples(percents, percents),
)
def test_every_leg_relieves_what_the_reference_says(
    joint_ppm: int,
    margins: tuple[MarginTerms, MarginTerms],
    mode: MarginMode,
    lots: list[int],
    thousands: int,
    moved: tuple[int, int],
) -> None:
    scene = Venue(joint_ppm, margins)
    scene.deposit("bob", 10**7 * USDC)
    scene.deposit("ann", thousands * 1_000 * USDC)
    scene.deposit("ann", BITCOIN // 100, token=1)
    if mode != MarginMode.PORTFOLIO:
        assert scene.set_margin_mode("ann", mode).is_applied
    scene.trade(lots)
    scene.publish(*moved)
    state = State(scene.genesis, CHAIN_ID, CONTRACT)
    state.apply(scene.entries)
    assert state.root() == scene.kernel.root()
    snapshot = scene.kernel.snapshot()
    for instrument in scene.listed:
        scene.kernel = scene.engine = Kernel.restore(snapshot)
        outcome = scene.liquidate("ann", instrument)
        event(f"{mode.name} {outcome.name}")
        expected = deepcopy(state)
        assert expected.apply(scene.entries[-1:])[0] == scene.results[-1]
        assert expected.root() == scene.kernel.root()
