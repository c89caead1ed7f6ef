"""The worked example of standard margin says what the kernel asks for, and the formula gives it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from proofbook.kernel import Kernel
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import InstrumentKind, MarginMode
from proofbook.protocol.margin_report import Change, MarginReport
from proofbook.simulator.inspection import risk_array
from proofbook.simulator.scene import USDC, Scene

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/reference/margin.md"
FORWARD = 80_000
STRIKES = (80_000, 84_000)
UNIT_LOTS = {"perpetual": 10_000, "C80": 100, "C84": 100, "P72": 100}

PORTFOLIOS: list[tuple[str, dict[str, int]]] = [
    ("+1 perpetual", {"perpetual": 1}),
    ("+1 C84", {"C84": 1}),
    ("−1 C80", {"C80": -1}),
    ("−1 C84", {"C84": -1}),
    ("−1 P72", {"P72": -1}),
    ("−1 C80 +1 C84", {"C80": -1, "C84": 1}),
    ("−2 C80 +1 C84", {"C80": -2, "C84": 1}),
]


@pytest.fixture(scope="module")
def venue() -> tuple[Scene, dict[str, int]]:
    scene = Scene(Kernel)
    scene.deposit("ann", 1_000_000 * USDC)
    listed = {
        "perpetual": scene.open_perpetual(),
        "C80": scene.open_option(InstrumentKind.CALL, STRIKES[0] * USDC),
        "C84": scene.open_option(InstrumentKind.CALL, STRIKES[1] * USDC),
        "P72": scene.open_option(InstrumentKind.PUT, 72_000 * USDC),
    }
    assert scene.set_margin_mode("ann", MarginMode.STANDARD).is_applied
    return scene, listed


def report(venue: tuple[Scene, dict[str, int]], held: dict[str, int]) -> MarginReport:
    scene, listed = venue
    changes = {
        instrument_slot(listed[name]): Change(units * UNIT_LOTS[name])
        for name, units in held.items()
    }
    return scene.engine.margin(scene.accounts["ann"], changes)


def rows(venue: tuple[Scene, dict[str, int]]) -> Iterator[str]:
    for title, held in PORTFOLIOS:
        needs = report(venue, held)
        cells = (f"{atoms / USDC:,.2f}" for atoms in (needs.initial_atoms, needs.maintenance_atoms))
        yield f"| {title} | {' | '.join(cells)} |"


def test_the_document_shows_what_the_kernel_asks_for(venue: tuple[Scene, dict[str, int]]) -> None:
    text = DOCUMENT.read_text()
    for row in rows(venue):
        assert row in text


def test_the_formula_gives_the_examples(venue: tuple[Scene, dict[str, int]]) -> None:
    """By hand, in USDC: shares of 80,000, and of a spread what it can lose beyond its worth."""
    scene, listed = venue
    c80, c84 = (risk_array(scene, listed[name]).mark_atoms * 100 / USDC for name in ("C80", "C84"))
    by_hand = [
        (0.1 * FORWARD, 0.065 * FORWARD),
        (c84, c84),
        (0.15 * FORWARD, 0.09 * FORWARD),
        (0.13 * FORWARD, 0.09 * FORWARD),
        (0.13 * FORWARD, 0.09 * FORWARD),
        (4_000 + c84 - c80, 4_000 + c84 - c80),
        (2 * 0.15 * FORWARD + c84, 2 * 0.09 * FORWARD + c84),
    ]
    for (_, held), expected in zip(PORTFOLIOS, by_hand, strict=True):
        needs = report(venue, held)
        found = needs.initial_atoms / USDC, needs.maintenance_atoms / USDC
        assert found == pytest.approx(expected, abs=1e-4)
