"""States and modes of a book: the table of what each lets in, and the speed bump."""

from dataclasses import replace
from typing import Any

import pytest

from proofbook import spec
from proofbook.protocol.commands import FireTrigger, Leg, Quote, Remark
from proofbook.protocol.events import (
    Filled,
    InstrumentChanged,
    OrderRemoved,
    OrderRested,
    QuoteRefused,
    TriggerFired,
    TriggerPlaced,
    TriggerRemoved,
)
from proofbook.protocol.limits import (
    AUCTION_INTERVAL_MS_MAX,
    SPEED_BUMP_MS_MAX,
    TRIGGERS_PER_ACCOUNT_MAX,
    ArenaId,
    InstrumentMode,
    InstrumentState,
    PostOnly,
    Reject,
    Removal,
    Side,
    TimeInForce,
    TriggerCondition,
)
from proofbook.protocol.records import TriggerRecord
from proofbook.simulator.inspection import account, instrument, risk_array
from proofbook.simulator.scene import EXPIRY_NS, GRID, STRIKE_ATOMS, Scene

BUY, SELL = Side.BUY, Side.SELL
GTC, IOC = TimeInForce.GOOD_TILL_CANCELLED, TimeInForce.IMMEDIATE_OR_CANCEL
MARK = 800_000
State, Mode = InstrumentState, InstrumentMode
SECOND_MS = 1_000

REST = {"time_in_force": GTC}
TAKE = {"time_in_force": IOC}
POST = {"post_only": True}
REDUCE = {"reduce_only": True}
REDUCE_NOW = {"reduce_only": True, "time_in_force": IOC}
"""Orders of ann, who is long: all sell."""

TABLE = {
    State.OPEN: (REST, TAKE, POST, REDUCE, REDUCE_NOW),
    State.PRE_OPEN: (REST, POST, REDUCE),
    State.CANCEL_ONLY: (),
    State.POST_ONLY: (POST,),
    State.HALTED: (),
    State.SETTLING: (REDUCE, REDUCE_NOW),
}


@pytest.fixture
def long_scene(scene: Scene, perpetual: int) -> Scene:
    """Ann has bought 100 lots, and rests one bid."""
    scene.resting("bob", perpetual, SELL, MARK, 100)
    scene.place("ann", perpetual, BUY, MARK, 100)
    return scene


@pytest.mark.parametrize("state", list(TABLE))
@pytest.mark.parametrize("options", [REST, TAKE, POST, REDUCE, REDUCE_NOW])
def test_state_lets_in_what_the_table_says(
    long_scene: Scene, perpetual: int, state: InstrumentState, options: dict[str, Any]
) -> None:
    assert long_scene.set_instrument(perpetual, state).is_applied
    outcome = long_scene.place("ann", perpetual, SELL, MARK + 9, 1, **options)
    expected = "APPLIED" if options in TABLE[state] else "INSTRUMENT_STATE"
    assert outcome.name == expected


@pytest.mark.parametrize("state", list(State))
def test_every_state_lets_orders_be_cancelled(
    scene: Scene, perpetual: int, state: InstrumentState
) -> None:
    order = scene.resting("ann", perpetual, BUY, MARK, 1)
    scene.resting("ann", perpetual, BUY, MARK - 1, 1)
    assert scene.set_instrument(perpetual, state).is_applied
    assert scene.cancel("ann", order).is_applied
    assert scene.cancel_all("ann").is_applied
    assert account(scene, "ann").orders_resident == 0


def test_expired_state_is_final(scene: Scene, perpetual: int) -> None:
    assert scene.set_instrument(perpetual, State.EXPIRED).is_applied
    assert scene.place("ann", perpetual, BUY, MARK, 1).name == "INSTRUMENT_EXPIRED"
    assert scene.set_instrument(perpetual, State.OPEN).name == "INSTRUMENT_EXPIRED"
    assert scene.uncross(perpetual).name == "INSTRUMENT_EXPIRED"


def test_option_past_its_expiry_is_expired_whatever_its_state(scene: Scene, call: int) -> None:
    scene.wait(EXPIRY_NS - scene.window_ns)
    assert scene.set_instrument(call, State.OPEN).name == "INSTRUMENT_EXPIRED"


def test_setting_rejects_unknown_instruments(scene: Scene, perpetual: int) -> None:
    assert scene.set_instrument(perpetual + 1).name == "INSTRUMENT_NOT_FOUND"
    assert scene.set_instrument(perpetual + (1 << 16)).name == "INSTRUMENT_NOT_FOUND"


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        (Mode.CONTINUOUS, {"speed_bump_ms": 1}),
        (Mode.CONTINUOUS, {"auction_interval_ms": 1}),
        (Mode.SPEED_BUMP, {}),
        (Mode.SPEED_BUMP, {"speed_bump_ms": SPEED_BUMP_MS_MAX + 1}),
        (Mode.BATCH_AUCTION, {}),
        (Mode.BATCH_AUCTION, {"auction_interval_ms": AUCTION_INTERVAL_MS_MAX + 1}),
        (Mode.BATCH_AUCTION, {"auction_interval_ms": 1, "speed_bump_ms": 1}),
    ],
)
def test_setting_rejects_times_that_do_not_fit_the_mode(
    scene: Scene, perpetual: int, mode: InstrumentMode, options: dict[str, int]
) -> None:
    before = instrument(scene, perpetual).pack()
    outcome = scene.set_instrument(perpetual, mode=mode, **options)
    assert outcome.name == "PARAMETERS_INVALID"
    assert instrument(scene, perpetual).pack() == before


def test_setting_is_recorded_and_told(scene: Scene, perpetual: int) -> None:
    scene.set_instrument(perpetual, State.POST_ONLY, Mode.SPEED_BUMP, speed_bump_ms=SECOND_MS)
    assert scene.events() == [
        InstrumentChanged(perpetual, State.POST_ONLY, Mode.SPEED_BUMP, SECOND_MS, 0, 0)
    ]
    record = instrument(scene, perpetual)
    assert (record.state, record.mode, record.speed_bump_ms) == (
        State.POST_ONLY,
        Mode.SPEED_BUMP,
        SECOND_MS,
    )


def test_mark_of_a_halted_book_stays(scene: Scene) -> None:
    call = scene.open_option()
    put = scene.list_instrument(4, EXPIRY_NS, STRIKE_ATOMS)
    scene.submit(Remark(1))
    before = risk_array(scene, call).pack()
    assert scene.set_instrument(call, State.HALTED).is_applied
    scene.wait(10**9)
    scene.publish_forward(70_000_000_000)
    assert scene.submit(Remark(1)).is_applied
    assert [event[0] for event in scene.events()] == [put]
    assert risk_array(scene, call).pack() == before
    scene.set_instrument(put, State.HALTED)
    assert scene.submit(Remark(1)).name == "OBSERVATION_MISSING"


def test_stop_waits_for_a_halt_to_end(scene: Scene, perpetual: int) -> None:
    trigger = scene.waiting("ann", perpetual, TriggerCondition.MARK_AT_OR_ABOVE, 1, BUY, MARK, 1)
    scene.set_instrument(perpetual, State.HALTED)
    assert scene.submit(FireTrigger(trigger)).name == "INSTRUMENT_STATE"
    scene.set_instrument(perpetual, State.OPEN)
    assert scene.submit(FireTrigger(trigger)).is_applied


def test_stop_can_be_stored_while_the_book_is_halted(scene: Scene, perpetual: int) -> None:
    scene.set_instrument(perpetual, State.HALTED)
    scene.waiting("ann", perpetual, TriggerCondition.MARK_AT_OR_ABOVE, 1, BUY, MARK, 1)


def test_stop_of_an_expired_book_is_gone_when_it_fires(scene: Scene, perpetual: int) -> None:
    trigger = scene.waiting("ann", perpetual, TriggerCondition.MARK_AT_OR_ABOVE, 1, BUY, MARK, 1)
    scene.set_instrument(perpetual, State.EXPIRED)
    assert scene.submit(FireTrigger(trigger)).is_applied
    (removed,) = scene.events()
    assert isinstance(removed, TriggerRemoved) and removed.removal == Removal.EXPIRED


# The speed bump


@pytest.fixture
def bumped(scene: Scene, perpetual: int) -> int:
    """The perpetual behind a bump of a second, with an offer of bob's."""
    assert scene.set_instrument(perpetual, mode=Mode.SPEED_BUMP, speed_bump_ms=SECOND_MS).is_applied
    scene.resting("bob", perpetual, SELL, MARK, 5)
    return perpetual


def delayed(scene: Scene, instrument: int, **options: Any) -> int:
    """Place an order of ann's that must wait; return the number under which it does."""
    assert scene.place("ann", instrument, BUY, MARK, 2, **options).is_applied
    (placed,) = scene.events()
    assert isinstance(placed, TriggerPlaced) and placed.condition == 0
    assert placed.release_ns == scene.window_ns + SECOND_MS * 10**6
    return placed.trigger


@pytest.mark.parametrize("time_in_force", [GTC, IOC, TimeInForce.FILL_OR_KILL])
def test_taker_waits_and_trades_when_it_is_released(
    scene: Scene, bumped: int, time_in_force: TimeInForce
) -> None:
    trigger = delayed(scene, bumped, time_in_force=time_in_force)
    assert scene.submit(FireTrigger(trigger)).name == "TRIGGER_NOT_MET"
    scene.wait(10**9)
    assert scene.submit(FireTrigger(trigger)).is_applied
    filled, fired = scene.events()
    assert isinstance(filled, Filled) and filled.lots == 2
    assert fired == TriggerFired(trigger, scene.accounts["ann"], bumped, 0)


@pytest.mark.parametrize("options", [{}, {"post_only": True}])
def test_makers_do_not_wait(scene: Scene, bumped: int, options: dict[str, Any]) -> None:
    assert scene.place("ann", bumped, BUY, MARK - 1, 2, **options).is_applied
    assert isinstance(scene.events()[0], OrderRested)


def test_maker_may_leave_before_the_taker_is_released(scene: Scene, perpetual: int) -> None:
    scene.set_instrument(perpetual, mode=Mode.SPEED_BUMP, speed_bump_ms=SECOND_MS)
    order = scene.resting("bob", perpetual, SELL, MARK, 5)
    trigger = delayed(scene, perpetual, time_in_force=GTC)
    assert scene.cancel("bob", order).is_applied
    scene.wait(10**9)
    scene.submit(FireTrigger(trigger))
    assert isinstance(scene.events()[0], OrderRested)


def test_order_that_would_be_refused_does_not_wait_first(scene: Scene, bumped: int) -> None:
    assert scene.place("ann", bumped, BUY, MARK, 10**9).name == "INSUFFICIENT_MARGIN"


def test_stop_that_fires_waits_like_any_taker(scene: Scene, bumped: int) -> None:
    trigger = scene.waiting("ann", bumped, TriggerCondition.MARK_AT_OR_ABOVE, 1, BUY, MARK, 1)
    assert scene.submit(FireTrigger(trigger)).is_applied
    placed, fired = scene.events()
    assert isinstance(placed, TriggerPlaced) and placed.condition == 0
    assert fired == TriggerFired(trigger, scene.accounts["ann"], bumped, 0)


def test_waiting_order_can_be_cancelled_and_expires(scene: Scene, bumped: int) -> None:
    assert scene.cancel_trigger("ann", delayed(scene, bumped)).is_applied
    trigger = delayed(scene, bumped)
    scene.wait(10**13)
    scene.submit(FireTrigger(trigger))
    assert account(scene, "ann").triggers_count == 0
    assert not any(isinstance(event, Filled) for event in scene.events())


def test_account_may_have_sixty_four_waiting_orders(scene: Scene, bumped: int) -> None:
    for _ in range(TRIGGERS_PER_ACCOUNT_MAX):
        delayed(scene, bumped)
    assert scene.place("ann", bumped, BUY, MARK, 2).name == "TRIGGER_LIMIT"
    order = scene.resting("ann", bumped, BUY, MARK - 1, 2)
    assert order, "a maker needs no record"
    assert scene.amend("ann", order, MARK, 2).name == "TRIGGER_LIMIT", "once it takes, it does"


# Other ways into a book


def test_order_amended_to_meet_another_waits_like_any_taker(scene: Scene, bumped: int) -> None:
    order = scene.resting("ann", bumped, BUY, MARK - 5, 2)
    assert scene.amend("ann", order, MARK, 2).is_applied
    assert [type(event) for event in scene.events()] == [OrderRemoved, TriggerPlaced]


def test_an_amended_order_waits_as_long_as_its_message_says(scene: Scene, bumped: int) -> None:
    """Its first message is long over; and the position that it left empty is given back."""
    order = scene.resting("ann", bumped, BUY, MARK - 5, 2)
    scene.wait(10**13)
    assert scene.amend("ann", order, MARK, 2).is_applied
    placed = scene.events()[-1]
    assert isinstance(placed, TriggerPlaced)
    assert account(scene, "ann").positions_count == 0
    scene.wait(10**9)
    assert scene.submit(FireTrigger(placed.trigger)).is_applied
    filled, fired = scene.events()
    assert isinstance(filled, Filled) and filled.lots == 2
    assert fired == TriggerFired(placed.trigger, scene.accounts["ann"], bumped, 0)


def test_an_amended_order_with_an_end_keeps_it(scene: Scene, bumped: int) -> None:
    timed = {"time_in_force": TimeInForce.GOOD_TILL_TIME}
    order = scene.resting("ann", bumped, BUY, MARK - 5, 2, **timed)
    ends_ns = scene.window_ns + 10**12 - 10**6
    scene.wait(10**11)
    assert scene.amend("ann", order, MARK, 2).is_applied
    placed = scene.events()[-1]
    assert isinstance(placed, TriggerPlaced)
    record = TriggerRecord.unpack(scene.engine.read(ArenaId.TRIGGERS, placed.trigger & 0xFFFF))
    assert record.expires_ns == ends_ns


def test_order_can_shrink_in_a_halted_book_but_not_move(scene: Scene, perpetual: int) -> None:
    order = scene.resting("ann", perpetual, BUY, MARK - 5, 2)
    scene.set_instrument(perpetual, State.HALTED)
    assert scene.amend("ann", order, MARK - 6, 2).name == "INSTRUMENT_STATE"
    assert scene.amend("ann", order, 0, 1).is_applied


def test_quotes_are_refused_where_nothing_may_rest_and_can_still_be_pulled(
    scene: Scene, perpetual: int
) -> None:
    quotes = [Quote(perpetual, BUY, MARK - 1, 2), Quote(perpetual, SELL, MARK + 1, 2)]
    assert scene.quote("ann", *quotes).is_applied
    scene.set_instrument(perpetual, State.CANCEL_ONLY)
    assert scene.quote("ann", quotes[0], Quote(perpetual, SELL, 0, 0)).is_applied
    refused = scene.events()[-1]
    assert isinstance(refused, QuoteRefused) and refused.reason == Reject.INSTRUMENT_STATE
    assert account(scene, "ann").orders_resident == 0


def test_post_only_order_neither_slides_nor_is_refused_before_the_opening(
    scene: Scene, perpetual: int
) -> None:
    scene.set_instrument(perpetual, State.PRE_OPEN)
    scene.resting("bob", perpetual, SELL, MARK, 1)
    for post_only in (PostOnly.REJECT, PostOnly.SLIDE):
        scene.resting("ann", perpetual, BUY, MARK + 5, 1, post_only=post_only)
        rested = scene.events()[-1]
        assert isinstance(rested, OrderRested) and rested.price_ticks == MARK + 5


def test_block_trades_need_a_book_that_trades(scene: Scene, perpetual: int) -> None:
    legs = [Leg(perpetual, 2, MARK)]
    scene.set_instrument(perpetual, State.HALTED)
    assert scene.block("ann", "bob", legs).name == "INSTRUMENT_STATE"
    scene.set_instrument(perpetual, State.OPEN)
    assert scene.block("ann", "bob", legs).is_applied


def test_a_block_only_shrinks_positions_while_they_are_settled(
    scene: Scene, perpetual: int
) -> None:
    bought, sold = [Leg(perpetual, 2, MARK)], [Leg(perpetual, -2, MARK)]
    assert scene.block("ann", "bob", bought).is_applied
    scene.set_instrument(perpetual, State.SETTLING)
    assert scene.block("ann", "bob", bought).name == "INSTRUMENT_STATE"
    assert scene.block("ann", "cid", sold).name == "INSTRUMENT_STATE", "cid would open one"
    assert scene.block("ann", "bob", [Leg(perpetual, -3, MARK)]).name == "INSTRUMENT_STATE"
    assert scene.block("ann", "bob", sold).is_applied
    assert account(scene, "ann").positions_count == account(scene, "bob").positions_count == 0


def test_stop_is_judged_by_its_distance_from_the_mark_when_it_fires() -> None:
    grid = replace(GRID, perpetual=replace(GRID.perpetual, band_ppm=10_000))
    scene = Scene(spec.State, grid)
    scene.deposit("ann", 10**12)
    perpetual = scene.open_perpetual()
    trigger = scene.waiting(
        "ann", perpetual, TriggerCondition.MARK_AT_OR_ABOVE, 1, BUY, 2 * MARK, 1
    )
    assert scene.submit(FireTrigger(trigger)).is_applied
    fired = scene.events()[0]
    assert isinstance(fired, TriggerFired) and fired.reason == Reject.PRICE_OUTSIDE_BAND
