"""The index circuit breaker: who takes may only reduce, and always finds a counterparty."""

from dataclasses import replace

import pytest
from tests.unit.spec.conftest import ENGINES

from proofbook.protocol.commands import FireTrigger, Leg, Quote, Remark
from proofbook.protocol.events import BreakerTripped, Filled
from proofbook.protocol.limits import (
    NS_PER_SECOND,
    ArenaId,
    InstrumentKind,
    InstrumentMode,
    OrderType,
    PostOnly,
    Side,
    TimeInForce,
    TriggerCondition,
)
from proofbook.protocol.records import UnderlyingRecord
from proofbook.protocol.terms import FIRST_PARAMETERS
from proofbook.simulator.inspection import position
from proofbook.simulator.scene import EXPIRY_NS, SPOT_ATOMS, UNBOUND, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
IOC, FOK = TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL
MARK = 800_000
SECONDS = 300
WITH_BREAKER = replace(UNBOUND, breaker_move_ppm=FIRST_PARAMETERS.breaker_move_ppm)
FALLEN = SPOT_ATOMS * 88 // 100


@pytest.fixture(params=list(ENGINES))
def calm(request: pytest.FixtureRequest) -> Scene:
    """A venue with a breaker, its perpetual marked; ann is long 10 lots, bob short."""
    scene = Scene(ENGINES[request.param], parameters=WITH_BREAKER)
    for name in ("ann", "bob", "cid"):
        scene.deposit(name, 1_000_000 * USDC)
    perpetual = scene.open_perpetual()
    scene.resting("bob", perpetual, SELL, MARK, 10)
    assert scene.place("ann", perpetual, BUY, MARK, 10).is_applied
    return scene


@pytest.fixture
def tripped(calm: Scene) -> Scene:
    """The same after a fall of 12 % within a minute."""
    assert calm.publish_index(FALLEN).is_applied
    assert is_tripped(calm)
    assert calm.submit(Remark(1)).is_applied
    return calm


PERPETUAL = 1
"""Slot and identifier of the perpetual."""


def underlying(scene: Scene) -> UnderlyingRecord:
    return UnderlyingRecord.unpack(scene.engine.read(ArenaId.UNDERLYINGS, 1))


def is_tripped(scene: Scene) -> bool:
    return scene.window_ns < underlying(scene).breaker_until_ns


def trips(scene: Scene, price: int) -> bool:
    """Publish an index; return whether it tripped the breaker."""
    assert scene.publish_index(price).is_applied
    return any(isinstance(event, BreakerTripped) for event in scene.events())


# When it trips


@pytest.mark.parametrize(("price", "is_far"), [
    (SPOT_ATOMS * 110 // 100, False), (SPOT_ATOMS * 110 // 100 + 1, True),
    (SPOT_ATOMS * 90 // 100, False), (SPOT_ATOMS * 90 // 100 - 1, True),
])  # fmt: skip
def test_it_trips_beyond_ten_percent_of_the_reference(
    calm: Scene, price: int, is_far: bool
) -> None:
    assert trips(calm, price) == is_far
    until_ns = calm.window_ns + SECONDS * NS_PER_SECOND if is_far else 0
    assert underlying(calm).breaker_until_ns == until_ns


def test_its_event_names_index_reference_and_end(calm: Scene) -> None:
    assert trips(calm, FALLEN)
    until_ns = calm.window_ns + SECONDS * NS_PER_SECOND
    assert calm.events()[-1] == BreakerTripped(1, FALLEN, SPOT_ATOMS, until_ns)


def test_moves_within_a_window_add_up(calm: Scene) -> None:
    for percent in (97, 94, 91):
        calm.wait(10 * NS_PER_SECOND)
        assert not trips(calm, SPOT_ATOMS * percent // 100)
    assert trips(calm, SPOT_ATOMS * 89 // 100)


def test_a_market_that_drifts_does_not_trip_it(calm: Scene) -> None:
    """Nine percent in each of several windows."""
    price = SPOT_ATOMS
    for _ in range(5):
        calm.wait(60 * NS_PER_SECOND)
        assert not trips(calm, price)
        price = price * 91 // 100
        assert not trips(calm, price)


def test_a_gap_is_measured_from_the_index_before_it(calm: Scene) -> None:
    calm.wait(3_600 * NS_PER_SECOND)
    assert trips(calm, FALLEN)


def test_a_market_that_goes_on_falling_trips_it_again(tripped: Scene) -> None:
    until_ns = underlying(tripped).breaker_until_ns
    assert not trips(tripped, FALLEN * 95 // 100)
    assert underlying(tripped).breaker_until_ns == until_ns
    assert trips(tripped, FALLEN * 89 // 100)
    assert underlying(tripped).breaker_until_ns > until_ns


def test_it_ends_by_time(tripped: Scene) -> None:
    tripped.wait(underlying(tripped).breaker_until_ns - tripped.window_ns - 2 * 10**6)
    tripped.resting("cid", PERPETUAL, SELL, 704_000, 1)
    assert tripped.place("ann", PERPETUAL, BUY, 704_000, 1).is_applied, "at its last nanosecond"


def test_until_its_end_it_holds(tripped: Scene) -> None:
    tripped.wait(underlying(tripped).breaker_until_ns - tripped.window_ns - 2 * 10**6 - 1)
    tripped.resting("cid", PERPETUAL, SELL, 704_000, 1)
    assert tripped.place("ann", PERPETUAL, BUY, 704_000, 1).name == "BREAKER_TRIPPED"


def test_without_a_share_it_never_trips(scene: Scene) -> None:
    scene.open_perpetual()
    assert not trips(scene, SPOT_ATOMS // 10)


# Whom it stops


@pytest.mark.parametrize("options", [
    {}, {"time_in_force": IOC}, {"time_in_force": FOK},
    {"time_in_force": IOC, "order_type": OrderType.MARKET},
])  # fmt: skip
def test_who_takes_new_risk_is_stopped(tripped: Scene, options: dict[str, int]) -> None:
    tripped.resting("cid", PERPETUAL, SELL, 704_000, 1)
    root = tripped.engine.read(ArenaId.UNDERLYINGS, 1)
    assert tripped.place("ann", PERPETUAL, BUY, 704_000, 1, **options).name == "BREAKER_TRIPPED"
    assert tripped.engine.read(ArenaId.UNDERLYINGS, 1) == root
    assert tripped.place("ann", PERPETUAL, BUY, 704_000, 1, post_only=PostOnly.SLIDE).is_applied


def test_who_reduces_finds_a_counterparty(tripped: Scene) -> None:
    """Post-only orders and quotes that add risk still rest, and reducers take them."""
    tripped.resting("cid", PERPETUAL, BUY, 703_000, 4, post_only=PostOnly.REJECT)
    assert tripped.quote("cid", Quote(PERPETUAL, BUY, 703_500, 3)).is_applied
    outcome = tripped.place("ann", PERPETUAL, SELL, 703_000, 7, reduce_only=True)
    assert outcome.is_applied
    filled = [event for event in tripped.events() if isinstance(event, Filled)]
    assert sum(event.lots for event in filled) == 7
    held = position(tripped, "ann")
    assert held is not None and held.lots == 3


def test_an_order_that_meets_nobody_rests(tripped: Scene) -> None:
    assert tripped.resting("cid", PERPETUAL, BUY, 700_000, 5)


@pytest.mark.parametrize("options", [{}, {"time_in_force": IOC}, {"time_in_force": FOK}])
def test_who_only_shrinks_a_position_needs_no_flag(tripped: Scene, options: dict[str, int]) -> None:
    tripped.resting("cid", PERPETUAL, BUY, 704_000, 11)
    assert tripped.place("ann", PERPETUAL, SELL, 704_000, 11, **options).name == "BREAKER_TRIPPED"
    assert tripped.place("ann", PERPETUAL, SELL, 704_000, 10, **options).is_applied


def test_amending_into_a_trade_is_stopped_and_shrinking_is_not(tripped: Scene) -> None:
    order = tripped.resting("cid", PERPETUAL, BUY, 700_000, 5)
    tripped.resting("bob", PERPETUAL, SELL, 704_000, 5)
    assert tripped.amend("cid", order, 704_000, 5).name == "BREAKER_TRIPPED"
    assert tripped.amend("cid", order, 700_000, 3).is_applied
    assert tripped.amend("cid", order, 701_000, 3).is_applied


def test_cancels_and_withdrawals_go_on(tripped: Scene) -> None:
    order = tripped.resting("cid", PERPETUAL, BUY, 700_000, 5)
    assert tripped.cancel("cid", order).is_applied
    assert tripped.cancel_all("cid").is_applied
    assert tripped.withdraw("cid", 1_000 * USDC).is_applied
    assert tripped.transfer("cid", "ann", USDC).is_applied


def test_a_stop_that_takes_new_risk_waits_for_the_end(tripped: Scene) -> None:
    condition = TriggerCondition.MARK_AT_OR_BELOW
    trigger = tripped.waiting(
        "cid", PERPETUAL, condition, 750_000, SELL, 700_000, 2, time_in_force=IOC
    )
    assert tripped.submit(FireTrigger(trigger)).name == "BREAKER_TRIPPED"
    tripped.wait(SECONDS * NS_PER_SECOND)
    assert tripped.submit(FireTrigger(trigger)).is_applied, "it has not been lost"


def test_a_stop_loss_fires(tripped: Scene) -> None:
    tripped.resting("cid", PERPETUAL, BUY, 700_000, 10)
    trigger = tripped.waiting(
        "ann", PERPETUAL, TriggerCondition.MARK_AT_OR_BELOW, 750_000, SELL, 700_000, 10,
        time_in_force=IOC, reduce_only=True,
    )  # fmt: skip
    assert tripped.submit(FireTrigger(trigger)).is_applied
    assert position(tripped, "ann") is None


def test_an_order_behind_a_speed_bump_waits_on(calm: Scene) -> None:
    calm.set_instrument(PERPETUAL, mode=InstrumentMode.SPEED_BUMP, speed_bump_ms=10)
    calm.resting("bob", PERPETUAL, SELL, MARK, 1)
    assert calm.place("cid", PERPETUAL, BUY, MARK, 1).is_applied
    trigger = next(event.trigger for event in calm.events() if hasattr(event, "trigger"))
    calm.wait(10**8)
    assert trips(calm, FALLEN)
    assert calm.submit(FireTrigger(trigger)).name == "BREAKER_TRIPPED"
    calm.wait(SECONDS * NS_PER_SECOND)
    assert calm.submit(FireTrigger(trigger)).is_applied


def test_a_batch_auction_gathers_and_trades(calm: Scene) -> None:
    """One price for all, and nobody is first: orders that rest are nobody's takers."""
    calm.set_instrument(PERPETUAL, mode=InstrumentMode.BATCH_AUCTION, auction_interval_ms=1)
    assert trips(calm, FALLEN)
    calm.resting("cid", PERPETUAL, BUY, 705_000, 2)
    calm.resting("bob", PERPETUAL, SELL, 704_000, 2)
    calm.wait(10**7)
    assert calm.uncross(PERPETUAL).is_applied
    held = position(calm, "cid")
    assert held is not None and held.lots == 2


# Two parties, and several legs


def leg(lots: int) -> Leg:
    return Leg(PERPETUAL, lots, 704_000)


def test_who_accepts_a_quote_must_reduce(tripped: Scene) -> None:
    added = tripped.offer("cid", [leg(2)])
    assert tripped.accept("ann", "cid", added).name == "BREAKER_TRIPPED"
    reduced = tripped.offer("cid", [leg(-2)])
    assert tripped.accept("ann", "cid", reduced).is_applied, "its maker takes new risk"


def test_who_brings_a_block_must_reduce(tripped: Scene) -> None:
    assert tripped.block("ann", "cid", [leg(2)]).name == "BREAKER_TRIPPED"
    assert tripped.block("cid", "ann", [leg(2)]).name == "BREAKER_TRIPPED"
    assert tripped.block("ann", "cid", [leg(-2)]).is_applied


def test_a_combo_is_stopped_unless_each_leg_shrinks(tripped: Scene) -> None:
    future = tripped.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)
    assert tripped.publish_forward(FALLEN).is_applied
    assert tripped.submit(Remark(2)).is_applied
    combo, level = tripped.combo("ann", (PERPETUAL, 1), (future, -1)), 1 << 23
    tripped.resting("cid", combo, BUY, level, 2)
    assert tripped.place("ann", combo, SELL, level, 1).name == "BREAKER_TRIPPED"
    tripped.wait(SECONDS * NS_PER_SECOND)
    assert tripped.block("bob", "ann", [Leg(future, 5, 704_000)]).is_applied
    assert trips(tripped, SPOT_ATOMS // 2)
    assert tripped.place("ann", combo, SELL, level, 1).is_applied, "long one leg, short the other"


def test_lots_move_between_accounts_of_an_owner(tripped: Scene) -> None:
    tripped.deposit("ann_2", 1_000_000 * USDC, owner="ann")
    assert tripped.position_transfer("ann", "ann_2", PERPETUAL, 5).is_applied
