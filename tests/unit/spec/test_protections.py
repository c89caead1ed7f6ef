"""Market-maker protections: what the quotes under one may trade, and how it freezes and thaws."""

import pytest

from proofbook.protocol.commands import Quote
from proofbook.protocol.events import Filled, OrderRemoved, ProtectionChanged, QuoteRefused
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    PROTECTION_INTERVAL_MAX_NS,
    Reject,
    Removal,
    Side,
    TimeInForce,
)
from proofbook.protocol.margin_report import Change
from proofbook.simulator.inspection import account, order, position
from proofbook.simulator.scene import Scene

BUY, SELL = Side.BUY, Side.SELL
IOC, FOK = TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL
MARK = 800_000
LOT_NANOS = 100_000
SECOND_NS = 10**9


def refusals(scene: Scene) -> list[tuple[int, str]]:
    events = [event for event in scene.events() if isinstance(event, QuoteRefused)]
    return [(event.place, Reject(event.reason).name) for event in events]


def protected(scene: Scene, perpetual: int, limit_lots: int, frozen_ns: int = 0) -> None:
    """Ann offers 10 lots at each of two levels under a protection."""
    limit_nanos = limit_lots * LOT_NANOS
    assert scene.protect("ann", 1, SECOND_NS, frozen_ns, limit_nanos).is_applied
    quotes = Quote(perpetual, BUY, MARK - 5, 10), Quote(perpetual, SELL, MARK, 10)
    assert scene.quote("ann", *quotes, protection=1).is_applied


@pytest.mark.parametrize(("number", "interval_ns", "limit_nanos"), [
    (0, 1, 1), (5, 1, 1), (255, 1, 1), (1, 0, 1), (1, PROTECTION_INTERVAL_MAX_NS + 1, 1), (1, 1, 0),
])  # fmt: skip
def test_a_protection_that_cannot_be_is_refused(
    scene: Scene, number: int, interval_ns: int, limit_nanos: int
) -> None:
    outcome = scene.protect("ann", number, interval_ns, 0, limit_nanos)
    assert outcome.name == "PROTECTION_OUT_OF_RANGE"


@pytest.mark.parametrize("number", [1, 4, 5, 255])
def test_a_protection_that_is_not_there_is_not_found(
    scene: Scene, perpetual: int, number: int
) -> None:
    assert scene.reset_protection("ann", number).name == "PROTECTION_NOT_FOUND"
    outcome = scene.quote("ann", Quote(perpetual, BUY, MARK, 1), protection=number)
    assert outcome.name == "PROTECTION_NOT_FOUND"


def test_no_more_trades_than_the_limit(scene: Scene, perpetual: int) -> None:
    protected(scene, perpetual, limit_lots=6)
    scene.place("bob", perpetual, BUY, MARK, 10, time_in_force=IOC)
    fill, frozen, removed, _ = scene.events()
    assert isinstance(fill, Filled) and fill.lots == 6
    assert isinstance(frozen, ProtectionChanged) and frozen.frozen_until_ns == (1 << 64) - 1
    assert isinstance(removed, OrderRemoved) and removed.removal == Removal.PROTECTION


def test_a_frozen_protection_ends_quotes_on_every_side(scene: Scene, perpetual: int) -> None:
    protected(scene, perpetual, limit_lots=6)
    scene.place("bob", perpetual, BUY, MARK, 6, time_in_force=IOC)
    scene.place("bob", perpetual, SELL, MARK - 5, 6, time_in_force=IOC)
    removed = scene.events()[0]
    assert isinstance(removed, OrderRemoved) and removed.removal == Removal.PROTECTION
    assert not any(isinstance(event, Filled) for event in scene.events())
    held = position(scene, "ann")
    assert held is not None
    assert (held.lots, held.open_buy_lots, held.open_sell_lots) == (-6, 0, 0)
    assert held.order_reserve_atoms == 0


def test_frozen_quotes_are_refused_until_the_thaw(scene: Scene, perpetual: int) -> None:
    protected(scene, perpetual, limit_lots=6, frozen_ns=SECOND_NS)
    scene.place("bob", perpetual, BUY, MARK, 6, time_in_force=IOC)
    quote = Quote(perpetual, BUY, MARK - 5, 10)
    scene.quote("ann", quote, protection=1)
    assert refusals(scene) == [(0, "PROTECTION_FROZEN")]
    scene.quote("ann", Quote(perpetual, SELL, 0, 0), protection=1)
    assert refusals(scene) == [], "pulling is never refused"
    scene.wait(SECOND_NS)
    scene.quote("ann", quote, protection=1)
    assert refusals(scene) == []


def test_a_reset_thaws_at_once(scene: Scene, perpetual: int) -> None:
    protected(scene, perpetual, limit_lots=6)
    scene.place("bob", perpetual, BUY, MARK, 6, time_in_force=IOC)
    assert scene.reset_protection("ann", 1).is_applied
    scene.quote("ann", Quote(perpetual, BUY, MARK - 5, 10), protection=1)
    assert refusals(scene) == []
    assert account(scene, "ann").orders_resident == 2 - 1


def test_trades_of_an_interval_are_counted_together(scene: Scene, perpetual: int) -> None:
    protected(scene, perpetual, limit_lots=6)
    scene.place("bob", perpetual, BUY, MARK, 4, time_in_force=IOC)
    scene.place("bob", perpetual, BUY, MARK, 4, time_in_force=IOC)
    fill = scene.events()[0]
    assert isinstance(fill, Filled) and fill.lots == 2


def test_trades_of_another_interval_are_not(scene: Scene, perpetual: int) -> None:
    protected(scene, perpetual, limit_lots=6)
    scene.place("bob", perpetual, BUY, MARK, 4, time_in_force=IOC)
    scene.wait(SECOND_NS)
    scene.place("bob", perpetual, BUY, MARK, 4, time_in_force=IOC)
    fill = scene.events()[0]
    assert isinstance(fill, Filled) and fill.lots == 4


def test_a_quote_whose_lot_does_not_fit_freezes_its_protection(
    scene: Scene, perpetual: int, call: int
) -> None:
    """A lot of the option is a hundred of the perpetual: it may not fit where the other would."""
    scene.protect("ann", 1, SECOND_NS, 0, 50 * LOT_NANOS)
    quotes = [Quote(perpetual, SELL, MARK, 10), Quote(call, SELL, 60_000, 1)]
    scene.quote("ann", *sorted(quotes, key=lambda q: q.instrument), protection=1)
    scene.place("bob", call, BUY, 60_000, 1, time_in_force=IOC)
    frozen, removed, _ = scene.events()
    assert isinstance(frozen, ProtectionChanged)
    assert isinstance(removed, OrderRemoved) and removed.removal == Removal.PROTECTION


def test_fill_or_kill_knows_what_a_protection_lets_through(scene: Scene, perpetual: int) -> None:
    protected(scene, perpetual, limit_lots=6)
    assert scene.place("bob", perpetual, BUY, MARK, 7, time_in_force=FOK).name == "WOULD_NOT_FILL"
    assert scene.place("bob", perpetual, BUY, MARK, 6, time_in_force=FOK).is_applied


def test_quotes_under_no_protection_do_not_count(scene: Scene, perpetual: int) -> None:
    scene.protect("ann", 1, SECOND_NS, 0, LOT_NANOS)
    scene.quote("ann", Quote(perpetual, SELL, MARK, 10))
    scene.place("bob", perpetual, BUY, MARK, 10, time_in_force=IOC)
    assert order(scene, 1).lots_remaining == 0
    fill = scene.events()[0]
    assert isinstance(fill, Filled) and fill.lots == 10


def test_a_protection_trades_many_times_its_limit_without_a_freeze(
    scene: Scene, perpetual: int
) -> None:
    """Why its quotes reserve in full: nothing asks for margin when an interval begins anew."""
    limit, quoted, taken = 1_000, 10_000, 990
    assert scene.protect("ann", 1, 1, 0, limit * LOT_NANOS).is_applied
    assert scene.quote("ann", Quote(perpetual, BUY, MARK, quoted), protection=1).is_applied
    margin = scene.engine.margin
    quoting = margin(scene.accounts["ann"]).positions_atoms
    slot = instrument_slot(perpetual)
    credited = margin(scene.accounts["bob"], {slot: Change(limit)}).positions_atoms
    for _ in range(quoted // limit):
        assert scene.place("bob", perpetual, SELL, MARK, taken, time_in_force=IOC).is_applied
        assert not any(isinstance(event, ProtectionChanged) for event in scene.events())
    assert position(scene, "ann").lots == 10 * taken
    holding = margin(scene.accounts["ann"]).positions_atoms
    assert 9 * credited < holding <= quoting
