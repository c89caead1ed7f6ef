"""Limits on what one account may hold and have ordered, and on open interest."""

from dataclasses import replace

import pytest
from tests.unit.spec.conftest import ENGINES

from proofbook.protocol.commands import Leg, Quote, Remark, SetTerms
from proofbook.protocol.events import OrderRested, QuoteRefused
from proofbook.protocol.genesis import UnderlyingGrid
from proofbook.protocol.limits import POSITION_LOTS_MAX, InstrumentKind, Reject, Side, TermsKind
from proofbook.simulator.inspection import instrument
from proofbook.simulator.scene import EXPIRY_NS, GRID, LINEAR_TERMS, OPTION_TERMS, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
MARK = 800_000
POSITION, OPEN_INTEREST = 50, 80
BOUND = replace(LINEAR_TERMS, position_lots_max=POSITION, open_interest_lots_max=OPEN_INTEREST)
BOUND_GRID = UnderlyingGrid("BTC", 1, GRID.strike_step_atoms, BOUND, BOUND, OPTION_TERMS)


@pytest.fixture(params=list(ENGINES))
def bound(request: pytest.FixtureRequest) -> Scene:
    """A venue whose perpetual has both limits; four traders with money."""
    scene = Scene(ENGINES[request.param], BOUND_GRID)
    for name in ("ann", "bob", "cid", "dan"):
        scene.deposit(name, 1_000_000 * USDC)
    assert scene.open_perpetual() == PERPETUAL
    return scene


PERPETUAL = 1


def trade(scene: Scene, buyer: str, seller: str, lots: int) -> None:
    scene.resting(seller, PERPETUAL, SELL, MARK, lots)
    outcome = scene.place(buyer, PERPETUAL, BUY, MARK, lots)
    assert outcome.is_applied, outcome.name


@pytest.mark.parametrize("side", [BUY, SELL])
def test_an_order_may_not_exceed_the_position_limit(bound: Scene, side: Side) -> None:
    assert bound.place("ann", PERPETUAL, side, MARK, POSITION + 1).name == "POSITION_LIMIT"
    assert bound.place("ann", PERPETUAL, side, MARK, POSITION).is_applied


def test_orders_of_a_side_count_together_with_the_position(bound: Scene) -> None:
    trade(bound, "ann", "bob", 30)
    bound.resting("ann", PERPETUAL, BUY, MARK - 1, 15)
    assert bound.place("ann", PERPETUAL, BUY, MARK - 2, 6).name == "POSITION_LIMIT"
    assert bound.place("ann", PERPETUAL, BUY, MARK - 2, 5).is_applied


def test_the_other_side_may_close_and_open_as_much(bound: Scene) -> None:
    trade(bound, "ann", "bob", POSITION)
    assert bound.place("ann", PERPETUAL, SELL, MARK, 2 * POSITION + 1).name == "POSITION_LIMIT"
    outcome = bound.place("ann", PERPETUAL, SELL, MARK + 1, POSITION + 30)
    assert outcome.is_applied, outcome.name


def test_what_only_reduces_is_never_refused(bound: Scene) -> None:
    """Ann's orders to sell are as many as the limit lets her; reduce-only goes on top."""
    trade(bound, "ann", "bob", 10)
    bound.resting("ann", PERPETUAL, SELL, MARK + 10, 60)
    assert bound.place("ann", PERPETUAL, SELL, MARK + 1, 1).name == "POSITION_LIMIT"
    assert bound.place("ann", PERPETUAL, SELL, MARK + 1, 10, reduce_only=True).is_applied


def test_an_amended_order_counts_once(bound: Scene) -> None:
    order = bound.resting("ann", PERPETUAL, BUY, MARK - 10, POSITION)
    assert bound.amend("ann", order, MARK - 9, POSITION).is_applied
    order = next(event.order for event in bound.events() if isinstance(event, OrderRested))
    assert bound.amend("ann", order, MARK - 8, POSITION + 1).name == "POSITION_LIMIT"


def test_an_order_above_a_lowered_limit_may_still_move(bound: Scene) -> None:
    order = bound.resting("ann", PERPETUAL, BUY, MARK - 10, POSITION)
    lowered = replace(BOUND, position_lots_max=10)
    assert bound.submit(SetTerms(1, 2, TermsKind.PERPETUAL, lowered)).is_applied
    assert bound.submit(Remark(1)).is_applied
    assert instrument(bound, PERPETUAL).position_lots_max == 10
    assert bound.amend("ann", order, MARK - 9, POSITION).is_applied
    assert bound.place("ann", PERPETUAL, BUY, MARK - 11, 1).name == "POSITION_LIMIT"


# Open interest


def test_an_order_may_not_carry_open_interest_beyond_its_limit(bound: Scene) -> None:
    trade(bound, "ann", "bob", 50)
    bound.resting("dan", PERPETUAL, SELL, MARK, 30)
    assert bound.place("cid", PERPETUAL, BUY, MARK, 31).name == "OPEN_INTEREST_LIMIT"
    assert bound.place("cid", PERPETUAL, BUY, MARK, 30).is_applied
    assert instrument(bound, PERPETUAL).open_interest_lots == OPEN_INTEREST
    assert bound.place("cid", PERPETUAL, BUY, MARK, 1).name == "OPEN_INTEREST_LIMIT"


def test_an_order_may_not_grow_beyond_the_limit_of_open_interest(bound: Scene) -> None:
    order = bound.resting("cid", PERPETUAL, BUY, MARK - 10, 10)
    trade(bound, "ann", "bob", 50)
    trade(bound, "cid", "dan", 30)
    assert bound.amend("cid", order, MARK - 9, 11).name == "OPEN_INTEREST_LIMIT"
    assert bound.amend("cid", order, 0, 9).is_applied


def test_closing_goes_on_at_the_limit(bound: Scene) -> None:
    trade(bound, "ann", "bob", 50)
    trade(bound, "cid", "dan", 30)
    bound.resting("bob", PERPETUAL, BUY, MARK - 1, 50)
    assert bound.place("ann", PERPETUAL, SELL, MARK - 1, 50).is_applied
    assert instrument(bound, PERPETUAL).open_interest_lots == 30


def test_orders_that_rested_may_go_beyond_it_by_what_they_are(bound: Scene) -> None:
    """Each was within the limit when it was placed; whoever closes against them is not refused."""
    trade(bound, "ann", "bob", 50)
    bound.resting("cid", PERPETUAL, BUY, MARK - 1, 30)
    bound.resting("dan", PERPETUAL, BUY, MARK - 1, 30)
    lowered = replace(BOUND, open_interest_lots_max=40)
    assert bound.submit(SetTerms(1, 2, TermsKind.PERPETUAL, lowered)).is_applied
    assert bound.submit(Remark(1)).is_applied
    assert bound.place("ann", PERPETUAL, SELL, MARK - 1, 50).is_applied
    assert instrument(bound, PERPETUAL).open_interest_lots == 50, "bob's counterparties changed"


def test_reduce_only_orders_count_for_nothing(bound: Scene) -> None:
    trade(bound, "ann", "bob", 50)
    trade(bound, "cid", "dan", 30)
    outcome = bound.place("dan", PERPETUAL, BUY, MARK - 1, 40, reduce_only=True)
    assert outcome.is_applied, "clipped to 30"


# Quotes, combos, two parties, transfers


def test_a_quote_beyond_a_limit_is_refused_by_itself(bound: Scene) -> None:
    quotes = Quote(PERPETUAL, BUY, MARK - 1, 51), Quote(PERPETUAL, SELL, MARK + 1, 50)
    assert bound.quote("ann", *quotes).is_applied
    refused = [event for event in bound.events() if isinstance(event, QuoteRefused)]
    assert [(event.side, event.reason) for event in refused] == [(BUY, Reject.POSITION_LIMIT)]


def test_a_combo_is_asked_for_the_limits_of_its_legs(bound: Scene) -> None:
    future = bound.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)
    assert bound.publish_forward().is_applied
    assert bound.submit(Remark(2)).is_applied
    combo = bound.combo("ann", (PERPETUAL, 1), (future, -2))
    level = 1 << 23
    assert bound.place("ann", combo, BUY, level, 26).name == "POSITION_LIMIT", "52 of the future"
    assert bound.place("ann", combo, BUY, level - 900_000, 25).is_applied


def leg(lots: int) -> Leg:
    return Leg(PERPETUAL, lots, MARK)


@pytest.mark.parametrize("lots", [51, -51])
def test_neither_party_of_a_deal_exceeds_its_position_limit(bound: Scene, lots: int) -> None:
    assert bound.block("ann", "bob", [leg(lots)]).name == "POSITION_LIMIT"
    assert bound.accept("ann", "bob", bound.offer("bob", [leg(lots)])).name == "POSITION_LIMIT"


def test_a_deal_does_not_carry_open_interest_beyond_its_limit(bound: Scene) -> None:
    assert bound.block("ann", "bob", [leg(50)]).is_applied
    assert bound.block("cid", "dan", [leg(31)]).name == "OPEN_INTEREST_LIMIT"
    assert bound.accept("cid", "dan", bound.offer("dan", [leg(-31)])).name == "OPEN_INTEREST_LIMIT"
    assert bound.block("cid", "bob", [leg(-31)]).is_applied, "short lots change hands"
    assert bound.block("dan", "ann", [leg(31)]).is_applied, "and long ones"
    assert instrument(bound, PERPETUAL).open_interest_lots == 50


def test_a_transfer_does_not_exceed_the_position_limit(bound: Scene) -> None:
    bound.deposit("ann_2", 1_000_000 * USDC, owner="ann")
    trade(bound, "ann", "bob", 30)
    bound.resting("ann_2", PERPETUAL, BUY, MARK - 10, 30)
    assert bound.position_transfer("ann", "ann_2", PERPETUAL, 21).name == "POSITION_LIMIT"
    assert bound.position_transfer("ann", "ann_2", PERPETUAL, 20).is_applied


def test_a_limit_above_the_protocol_is_refused(bound: Scene) -> None:
    above = replace(BOUND, position_lots_max=POSITION_LOTS_MAX + 1)
    assert bound.submit(SetTerms(1, 2, TermsKind.PERPETUAL, above)).name == "PARAMETERS_INVALID"


def test_limits_of_zero_are_none(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 10_000)
    assert scene.place("ann", perpetual, BUY, MARK, 10_000).is_applied
