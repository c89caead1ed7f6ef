"""Nobody is made to owe without a move of the mark, whatever accomplices trade at whatever prices.

A crowd trades while marks move, until some of it is short of margin. Then marks and funding stand
still, and it does what it likes: books, combos, blocks, quotes on request, transfers, amendments,
quotes, reduce-only orders, changes of margin mode, prices far from the mark; and it sells its
tokens to itself, where they are for sale for a debt. No account's equity may fall below zero, or
further below it.
"""

import pytest
from tests.property.crowds import NAMES, ROUNDED_ATOMS, Crowd

from proofbook.protocol.events import CollateralSold, decode_events
from proofbook.protocol.limits import FUND_ACCOUNT

STEPS = 1_500

SEEDS = [*range(6), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(6, 60))]
"""Each a venue of its own: 9,000 acts where marks stand still, 90,000 with the slow ones."""


@pytest.mark.parametrize("seed", SEEDS)
def test_no_act_makes_an_account_owe_while_marks_stand_still(seed: int) -> None:
    crowd = Crowd(seed)
    for step in range(STEPS // 3):
        crowd.act()
        if step % 60 == 59:
            crowd.move()
    crowd.move()
    owed, fund = crowd.equities(), crowd.scene.engine.margin(FUND_ACCOUNT).cash_atoms
    for _ in range(STEPS):
        crowd.act()
        for name, equity in crowd.equities().items():
            assert equity >= min(0, owed[name]) - ROUNDED_ATOMS, (
                name,
                crowd.scene.results[-1].outcome.name,
            )
    assert crowd.scene.engine.margin(FUND_ACCOUNT).cash_atoms >= fund


def test_the_crowd_is_short_of_margin_and_trades() -> None:
    """The search is worth something: accounts are below margin, and much is accepted."""
    crowd, short = Crowd(1), 0
    for step in range(600):
        crowd.act()
        if step % 60 == 59:
            crowd.move()
            for name in NAMES:
                report = crowd.scene.engine.margin(crowd.scene.accounts[name])
                short += report.equity_atoms < report.initial_atoms
    applied = sum(result.outcome.is_applied for result in crowd.scene.results)
    sales = sum(
        isinstance(event, CollateralSold)
        for result in crowd.scene.results
        for event in decode_events(result.events)
    )
    assert short > 0
    assert applied > 200
    assert sales > 3
