"""Margin is coherent: joining, scaling and changing portfolios in steps do what they should.

Reference and kernel agree on any portfolio. The venue is priced; portfolios are asked for as
changes to an account that holds nothing.
"""

from dataclasses import replace
from functools import cache
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import FEW_EXAMPLES

from proofbook.kernel import Kernel
from proofbook.protocol.commands import Leg, Remark, SetParameters
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    INDEX_ATOMS_MAX,
    POSITION_LOTS_MAX,
    InstrumentKind,
    MarginMode,
)
from proofbook.protocol.margin_report import Change, MarginReport, QuestionInvalid
from proofbook.simulator.inspection import risk_array
from proofbook.simulator.scene import EXPIRY_NS, SPOT_ATOMS, STRIKE_ATOMS, UNBOUND, USDC, Scene
from proofbook.spec import State

CALL, PUT = InstrumentKind.CALL, InstrumentKind.PUT
BOOKS = 8
"""A perpetual, a future, calls and puts of three strikes."""

ROUNDINGS_MAX = 8
"""Divisions in a requirement: of an underlying, the scenarios, the slopes, add-ons; generously."""

Portfolio = dict[int, Change]


@cache
def venues(price_atoms: int = SPOT_ATOMS) -> tuple[Scene, Scene]:
    """The same venue on both engines: ann under portfolio margin, bob under standard margin."""
    made: list[Scene] = []
    for engine in (State, Kernel):
        scene = Scene(engine)
        open_books(scene, price_atoms)
        assert scene.set_margin_mode("bob", MarginMode.STANDARD).is_applied
        made.append(scene)
    return made[0], made[1]


def open_books(scene: Scene, price_atoms: int) -> None:
    """Make accounts, and list and mark every book."""
    for name in ("ann", "bob", "cid", "dan"):
        scene.deposit(name, 10**8 * USDC)
    scene.open_perpetual(price_atoms)
    scene.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)
    for step in (-5, 0, 5):
        strike = STRIKE_ATOMS + step * 1_000 * USDC
        for kind in (CALL, PUT):
            scene.list_instrument(kind, EXPIRY_NS, strike)
    assert scene.publish_forward(price_atoms).is_applied
    assert scene.publish_surface().is_applied
    assert scene.submit(Remark(2)).is_applied


def slot(place: int) -> int:
    """Return the slot of a book: 0 the perpetual, 1 the future, then call and put by strike."""
    return instrument_slot(place + 1)


def asked(held: Portfolio, name: str = "ann", price_atoms: int = SPOT_ATOMS) -> MarginReport:
    """Return what the kernel says; the reference says the same."""
    reports = [scene.engine.margin(scene.accounts[name], held) for scene in venues(price_atoms)]
    assert reports[0] == reports[1]
    return reports[1]


def needs(held: Portfolio, name: str = "ann") -> tuple[int, int]:
    report = asked(held, name)
    return report.initial_atoms, report.maintenance_atoms


def portfolios(most: int = 1_000_000) -> st.SearchStrategy[Portfolio]:
    """Draw positions and orders in some of the books."""
    sizes = st.one_of(st.just(0), st.integers(0, most))
    change = st.builds(Change, st.integers(-most, most), sizes, sizes, st.integers(0, 10**9))
    return st.dictionaries(st.integers(0, BOOKS - 1).map(slot), change, max_size=BOOKS)


def added(one: Portfolio, other: Portfolio) -> Portfolio:
    nothing = Change(0)
    return {
        book: Change(
            *(a + b for a, b in zip(one.get(book, nothing), other.get(book, nothing), strict=True))
        )
        for book in sorted(one.keys() | other.keys())
    }


def scaled(held: Portfolio, factor: int) -> Portfolio:
    return {book: Change(*(factor * part for part in each)) for book, each in held.items()}


@FEW_EXAMPLES
@given(portfolios(), portfolios())
def test_two_accounts_joined_need_no_more_than_both(one: Portfolio, other: Portfolio) -> None:
    """Sub-additive, orders, rounding and stale legs included; under portfolio margin."""
    joined = needs(added(one, other))
    for whole, first, second in zip(joined, needs(one), needs(other), strict=True):
        assert whole <= first + second


@pytest.mark.parametrize("name", ["ann", "bob"])
@FEW_EXAMPLES
@given(held=portfolios(), factor=st.integers(0, 1_000))
def test_twice_the_portfolio_needs_twice_as_much(name: str, held: Portfolio, factor: int) -> None:
    """Positively homogeneous in both modes, up to what is rounded up each time."""
    for many, one in zip(needs(scaled(held, factor), name), needs(held, name), strict=True):
        assert factor * (one - ROUNDINGS_MAX) <= many <= factor * one


@pytest.mark.parametrize("name", ["ann", "bob"])
@FEW_EXAMPLES
@given(held=portfolios(), more=portfolios())
def test_more_orders_never_need_less(name: str, held: Portfolio, more: Portfolio) -> None:
    """Monotone in what rests; the positions alone are what has to be kept."""
    orders = {book: each._replace(lots=0) for book, each in more.items()}
    before, after = asked(held, name), asked(added(held, orders), name)
    assert after.initial_atoms >= before.initial_atoms
    assert after.maintenance_atoms == before.maintenance_atoms


OPTION_LOT_IN_FUTURES = 100
"""Lots of the future in a lot of an option."""

ATOMS_PER_LOT = 2
"""What a leg is off by for each of its lots: half an atom in a column, as much in a skew, a part of
one in basis and slopes.
"""


def nearly_nothing(held: Portfolio) -> int:
    """Return what a portfolio may need because its legs are rounded by themselves."""
    return ATOMS_PER_LOT * sum(abs(each.lots) for each in held.values())


@FEW_EXAMPLES
@given(st.integers(1, 10**6), st.sampled_from((1, -1)), st.sampled_from((2, 4, 6)))
def test_a_synthetic_against_its_future_needs_nothing(lots: int, sign: int, call: int) -> None:
    held = {
        slot(call): Change(sign * lots),
        slot(call + 1): Change(-sign * lots),
        slot(1): Change(-sign * lots * OPTION_LOT_IN_FUTURES),
    }
    assert max(needs(held)) <= nearly_nothing(held)


@FEW_EXAMPLES
@given(st.integers(1, 10**6), st.sampled_from((1, -1)), st.sampled_from(((2, 4), (4, 6), (2, 6))))
def test_a_box_needs_nothing(lots: int, sign: int, calls: tuple[int, int]) -> None:
    low, high = calls
    signed = {low: sign, low + 1: -sign, high: -sign, high + 1: sign}
    held = {slot(place): Change(each * lots) for place, each in signed.items()}
    assert max(needs(held)) <= nearly_nothing(held)


def test_a_portfolio_made_in_steps_needs_what_it_needs_at_once() -> None:
    """Blocks between two accounts, and what each has come to asked of an account without any."""
    random, scenes = Random(7), (Scene(State), Scene(Kernel))
    held: Portfolio = {}
    for scene in scenes:
        open_books(scene, SPOT_ATOMS)
    for _ in range(30):
        books = sorted(random.sample(range(BOOKS), random.randint(1, 4)))
        legs = [(book, random.choice((1, -1)) * random.randint(1, 500)) for book in books]
        for scene in scenes:
            block = [
                Leg(book + 1, lots, max(1, mark_ticks(scene, book + 1))) for book, lots in legs
            ]
            assert scene.block("ann", "cid", block).is_applied
        held = added(held, {slot(book): Change(lots) for book, lots in legs})
        for scene in scenes:
            margin, accounts = scene.engine.margin, scene.accounts
            for name, signed in (("ann", held), ("cid", scaled(held, -1))):
                stepwise, at_once = margin(accounts[name]), margin(accounts["dan"], signed)
                assert stepwise.positions_atoms == at_once.positions_atoms
                assert stepwise.maintenance_atoms == at_once.maintenance_atoms
                assert stepwise.underlyings == at_once.underlyings


def mark_ticks(scene: Scene, instrument: int) -> int:
    tick_value = 10 if instrument <= 2 else 1_000
    return risk_array(scene, instrument).mark_atoms // tick_value


@pytest.mark.parametrize("factor", [0, 500_000, 1_500_000, 3_000_000])
def test_a_wider_range_of_the_index_never_asks_less_of_linear_positions(factor: int) -> None:
    """Of options that holds for the range alone: a narrow butterfly may lose most within it."""
    margins: list[int] = []
    for range_ppm in (UNBOUND.spot_range_ppm, UNBOUND.spot_range_ppm + factor // 30):
        scene = Scene(Kernel)
        open_books(scene, SPOT_ATOMS)
        wider = replace(UNBOUND, spot_range_ppm=range_ppm)
        assert scene.submit(SetParameters(2, wider)).is_applied
        for expiry in (1, 2):
            assert scene.submit(Remark(expiry)).is_applied
        held = {slot(0): Change(1_000, 300, 0), slot(1): Change(-400, 0, 7)}
        margins.append(scene.engine.margin(scene.accounts["ann"], held).initial_atoms)
    assert margins[0] <= margins[1]


# Extremes

EDGES = st.sampled_from((0, 1, POSITION_LOTS_MAX - 1, POSITION_LOTS_MAX))
RESERVE_MAX = (1 << 63) - 1
extremes = st.dictionaries(
    st.integers(0, BOOKS - 1).map(slot),
    st.builds(
        Change,
        st.one_of(EDGES, EDGES.map(lambda lots: -lots)),
        EDGES,
        EDGES,
        st.sampled_from((0, RESERVE_MAX)),
    ),
    max_size=BOOKS,
)


@pytest.mark.parametrize("name", ["ann", "bob"])
@pytest.mark.parametrize("price_atoms", [1, SPOT_ATOMS, INDEX_ATOMS_MAX])
@FEW_EXAMPLES
@given(held=extremes)
def test_the_largest_portfolios_have_a_margin(name: str, price_atoms: int, held: Portfolio) -> None:
    report = asked(held, name, price_atoms)
    assert report.initial_atoms >= report.reserve_atoms
    assert report.maintenance_atoms >= 0


@pytest.mark.parametrize(
    "change",
    [
        Change(POSITION_LOTS_MAX + 1), Change(-POSITION_LOTS_MAX - 1),
        Change(0, POSITION_LOTS_MAX + 1), Change(0, 0, POSITION_LOTS_MAX + 1),
        Change(0, -1), Change(0, 0, -1),
    ],
)  # fmt: skip
def test_a_question_beyond_all_bounds_is_refused_by_both(change: Change) -> None:
    for scene in venues():
        with pytest.raises(QuestionInvalid):
            scene.engine.margin(scene.accounts["ann"], {slot(0): change})
