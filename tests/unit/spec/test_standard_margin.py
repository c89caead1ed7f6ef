"""Standard margin: what a position needs by itself, and options of an expiry together."""

import pytest

from proofbook.protocol.commands import Remark, SetParameters
from proofbook.protocol.events import MarginModeSet
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    REMARK_INSTRUMENTS_MAX,
    STANDARD_INSTRUMENTS_MAX,
    ArenaId,
    InstrumentKind,
    MarginMode,
    Side,
)
from proofbook.protocol.records import RiskArrayRecord
from proofbook.protocol.terms import MarginParameters
from proofbook.simulator.inspection import account
from proofbook.simulator.scene import EXPIRY_NS, STRIKE_ATOMS, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
STANDARD, PORTFOLIO = MarginMode.STANDARD, MarginMode.PORTFOLIO
MARK = 800_000
FORWARD_ATOMS = 80_000 * USDC
LOT = 100
"""Lots of an option in one unit."""

STEP_ATOMS = 1_000 * USDC


def mark_of(scene: Scene, instrument: int) -> int:
    data = scene.engine.read(ArenaId.RISK_ARRAYS, instrument & 0xFFFF)
    return RiskArrayRecord.unpack(data).mark_atoms


def open_strike(scene: Scene, kind: InstrumentKind, steps: int = 0) -> int:
    """List an option so many steps above the money, and mark its expiry."""
    return scene.open_option(kind, STRIKE_ATOMS + steps * STEP_ATOMS)


def hold(scene: Scene, instrument: int, lots: int) -> None:
    """Let ann buy lots of an option from bob near the mark, or sell them to him."""
    ticks = round(mark_of(scene, instrument) / 1_000)
    side = BUY if lots > 0 else SELL
    scene.resting("bob", instrument, Side(1 - side), ticks, abs(lots))
    outcome = scene.place("ann", instrument, side, ticks, abs(lots))
    assert outcome.is_applied, outcome.name


def choose(scene: Scene, mode: MarginMode = STANDARD, name: str = "ann") -> None:
    outcome = scene.set_margin_mode(name, mode)
    assert outcome.is_applied, outcome.name


def needs(scene: Scene, initial_atoms: int, maintenance_atoms: int) -> None:
    """Assert both margins of ann, to the atom, marks left out of neither."""
    report = scene.engine.margin(scene.accounts["ann"])
    assert (report.initial_atoms, report.maintenance_atoms) == (initial_atoms, maintenance_atoms)


def test_mode_is_set_and_told(scene: Scene) -> None:
    choose(scene)
    assert scene.events() == [MarginModeSet(scene.accounts["ann"], STANDARD)]
    assert account(scene, "ann").margin_mode == STANDARD
    assert scene.engine.margin(scene.accounts["ann"]).mode == STANDARD
    choose(scene, PORTFOLIO)
    assert account(scene, "ann").margin_mode == PORTFOLIO


def test_mode_rejects_the_one_that_is_there(scene: Scene) -> None:
    assert scene.set_margin_mode("ann", PORTFOLIO).name == "MARGIN_MODE_UNCHANGED"
    choose(scene)
    assert scene.set_margin_mode("ann", STANDARD).name == "MARGIN_MODE_UNCHANGED"


def test_mode_rejects_an_account_that_it_would_not_cover(scene: Scene, perpetual: int) -> None:
    """Straddles on a forward of 80,000: scenarios ask for less than each leg by itself."""
    call, put = (open_strike(scene, kind) for kind in (InstrumentKind.CALL, InstrumentKind.PUT))
    for option in (call, put):
        scene.resting("bob", option, BUY, round(mark_of(scene, option) / 1_000), 42 * LOT)
    for option in (call, put):
        ticks = round(mark_of(scene, option) / 1_000)
        assert scene.place("ann", option, SELL, ticks, 42 * LOT).is_applied
    before = scene.engine.margin(scene.accounts["ann"])
    outcome = scene.set_margin_mode("ann", STANDARD)
    assert outcome.name == "INSUFFICIENT_MARGIN"
    assert scene.engine.margin(scene.accounts["ann"]) == before


def test_mode_rejects_more_instruments_than_it_takes(scene: Scene) -> None:
    options = [
        open_strike(scene, InstrumentKind.CALL, steps)
        for steps in range(STANDARD_INSTRUMENTS_MAX + 1)
    ]
    for first in options[::REMARK_INSTRUMENTS_MAX]:
        assert scene.submit(Remark(1, instrument_slot(first))).is_applied
    for option in options:
        scene.resting("ann", option, BUY, 1, 1)
    assert scene.set_margin_mode("ann", STANDARD).name == "INSTRUMENT_LIMIT"
    scene.cancel_all("ann")
    choose(scene, name="cid")
    for option in options[:-1]:
        scene.resting("cid", option, BUY, 1, 1)
    assert scene.place("cid", options[-1], BUY, 1, 1).name == "INSTRUMENT_LIMIT"


def test_linear_position_needs_a_share_of_its_value(scene: Scene, perpetual: int) -> None:
    """Ten units at 80,000: 10 % to open, 6.5 % to keep."""
    choose(scene)
    scene.resting("bob", perpetual, SELL, MARK, 100_000)
    assert scene.place("ann", perpetual, BUY, MARK, 100_000).is_applied
    needs(scene, FORWARD_ATOMS, FORWARD_ATOMS * 65 // 100)


def test_open_orders_count_at_their_worst(scene: Scene, perpetual: int) -> None:
    """One bid and three offered: three short, and what each order pays in fees."""
    choose(scene)
    scene.resting("ann", perpetual, BUY, MARK - 1, 10_000, max_fee_ppm=400)
    scene.resting("ann", perpetual, SELL, MARK, 30_000, max_fee_ppm=400)
    fees = 10_000 * (-(-(MARK - 1) * 10 * 400 // 10**6)) + 30_000 * (MARK * 10 * 400 // 10**6)
    needs(scene, 3 * FORWARD_ATOMS // 10 + fees, 0)


@pytest.mark.parametrize("kind", [InstrumentKind.CALL, InstrumentKind.PUT])
def test_long_option_lends_its_owner_nothing(scene: Scene, kind: InstrumentKind) -> None:
    option = open_strike(scene, kind)
    choose(scene)
    hold(scene, option, LOT)
    needs(scene, LOT * mark_of(scene, option), LOT * mark_of(scene, option))


@pytest.mark.parametrize(
    ("steps", "initial_percent"), [(0, 1500), (1, 1375), (2, 1300), (20, 1300), (-20, 1500)]
)
def test_short_call_needs_a_share_less_what_it_is_out_of_the_money(
    scene: Scene, steps: int, initial_percent: int
) -> None:
    option = open_strike(scene, InstrumentKind.CALL, steps)
    choose(scene)
    hold(scene, option, -LOT)
    initial, maintenance = (FORWARD_ATOMS * share // 10_000 for share in (initial_percent, 900))
    needs(scene, initial, maintenance)


def test_short_put_needs_no_more_than_its_strike(scene: Scene) -> None:
    """A strike of 8,000 on a forward of 80,000: 13 % of it would be 10,400; to keep it 7,200.

    What the put is worth has left equity already.
    """
    option = open_strike(scene, InstrumentKind.PUT, -72)
    choose(scene)
    hold_free(scene, option)
    needs(scene, 8_000 * USDC - LOT * mark_of(scene, option), 7_200 * USDC)


def hold_free(scene: Scene, option: int) -> None:
    """Let ann sell a unit of an option that is worth next to nothing for a tick."""
    scene.resting("bob", option, BUY, 1, LOT)
    assert scene.place("ann", option, SELL, 1, LOT).is_applied


def test_spread_needs_its_width(scene: Scene) -> None:
    """Short at the money, long 4,000 above: what it can lose beyond what it is worth."""
    low, high = (open_strike(scene, InstrumentKind.CALL, steps) for steps in (0, 4))
    choose(scene)
    hold(scene, high, LOT)
    hold(scene, low, -LOT)
    worth = LOT * (mark_of(scene, high) - mark_of(scene, low))
    needs(scene, 4_000 * USDC + worth, 4_000 * USDC + worth)


def test_box_needs_nothing_but_what_it_is_worth_beyond_its_payoff(scene: Scene) -> None:
    low, high = -2, 2
    legs = [
        (open_strike(scene, InstrumentKind.CALL, low), LOT),
        (open_strike(scene, InstrumentKind.PUT, low), -LOT),
        (open_strike(scene, InstrumentKind.CALL, high), -LOT),
        (open_strike(scene, InstrumentKind.PUT, high), LOT),
    ]
    choose(scene)
    for option, lots in legs:
        hold(scene, option, lots)
    worth = sum(lots * mark_of(scene, option) for option, lots in legs)
    needs(scene, max(0, worth - 4_000 * USDC), max(0, worth - 4_000 * USDC))


def test_call_sold_beyond_those_held_is_no_spread(scene: Scene) -> None:
    """Two short, one long: each by itself is less than 1.2 forwards for the one unpaired."""
    low, high = (open_strike(scene, InstrumentKind.CALL, steps) for steps in (0, 4))
    choose(scene)
    hold(scene, high, LOT)
    hold(scene, low, -2 * LOT)
    long_atoms = LOT * mark_of(scene, high)
    needs(
        scene, 2 * FORWARD_ATOMS * 15 // 100 + long_atoms, 2 * FORWARD_ATOMS * 9 // 100 + long_atoms
    )


def test_order_for_a_combo_counts_by_its_legs(scene: Scene, perpetual: int) -> None:
    """Offering a perpetual less a call: a tenth of the perpetual, and the call's mark."""
    call = open_strike(scene, InstrumentKind.CALL)
    combo = scene.combo("cid", (perpetual, 100), (call, -1))
    choose(scene)
    worth_ticks = round((100 * mark_of(scene, perpetual) - mark_of(scene, call)) / 1_000)
    outcome = scene.place("ann", combo, SELL, (1 << 23) + worth_ticks + 1, LOT, max_fee_ppm=500)
    assert outcome.is_applied, outcome.name
    report = scene.engine.margin(scene.accounts["ann"])
    assert report.positions_atoms == LOT * mark_of(scene, call) + FORWARD_ATOMS // 10


def test_a_stale_leg_doubles_what_new_risk_needs(scene: Scene, perpetual: int) -> None:
    choose(scene)
    scene.resting("bob", perpetual, SELL, MARK, 100_000)
    assert scene.place("ann", perpetual, BUY, MARK, 100_000).is_applied
    scene.wait(3_600 * 10**9)
    scene.deposit("dan", USDC)
    needs(scene, 2 * FORWARD_ATOMS, FORWARD_ATOMS * 65 // 100)


def test_reducing_is_never_refused(scene: Scene, perpetual: int) -> None:
    """Far below its margin the account may close, at the mark, what it can pay the fee of."""
    choose(scene)
    scene.resting("bob", perpetual, SELL, MARK, 500_000)
    assert scene.place("ann", perpetual, BUY, MARK, 500_000).is_applied
    dear = MarginParameters(
        standard_linear_initial_ppm=900_000, standard_linear_maintenance_ppm=900_000
    )
    assert scene.submit(SetParameters(2, dear)).is_applied
    report = scene.engine.margin(scene.accounts["ann"])
    assert report.maintenance_atoms > report.equity_atoms
    scene.resting("bob", perpetual, BUY, MARK, 500_000)
    assert scene.place("ann", perpetual, BUY, MARK, 1).name == "INSUFFICIENT_MARGIN"
    immediate = {"time_in_force": 1, "max_fee_ppm": 400}
    assert scene.place("ann", perpetual, SELL, MARK, 400_000, **immediate).is_applied
    assert scene.window_ns < EXPIRY_NS
