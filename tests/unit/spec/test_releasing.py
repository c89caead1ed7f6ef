"""Instruments that are over or idle are freed, with all that hangs on them, and nothing else is."""

import pytest
from tests.exhaustion import with_combos

from proofbook.kernel import Store
from proofbook.protocol.commands import (
    ComboLeg,
    CreateCombo,
    FireTrigger,
    Leg,
    ListInstrument,
    Place,
    Quote,
    Remark,
    Tick,
)
from proofbook.protocol.events import (
    InstrumentListed,
    InstrumentReleased,
    TriggerRemoved,
    decode_events,
)
from proofbook.protocol.limits import (
    COMBO_FEE_ATOMS,
    COMBO_PRICE_OFFSET_TICKS,
    COMBOS_MAX,
    EXPIRIES_PER_UNDERLYING_MAX,
    FUND_ACCOUNT,
    INSTRUMENT_IDLE_NS,
    NS_PER_DAY,
    ArenaId,
    InstrumentKind,
    InstrumentMode,
    InstrumentState,
    Removal,
    Side,
    TriggerCondition,
)
from proofbook.protocol.records import ExpiryRecord, UnderlyingRecord
from proofbook.simulator.inspection import (
    account,
    account_at,
    header,
    instrument,
    money,
    risk_array,
)
from proofbook.simulator.scene import EXPIRY_NS, STRIKE_ATOMS, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
ZERO = COMBO_PRICE_OFFSET_TICKS
DAY_NS = NS_PER_DAY


def list_call(scene: Scene, steps: int = 1, expiry_ns: int = EXPIRY_NS) -> int:
    strike_atoms = STRIKE_ATOMS + steps * 10**9
    return scene.list_instrument(InstrumentKind.CALL, expiry_ns, strike_atoms)


def underlying(scene: Scene) -> UnderlyingRecord:
    return UnderlyingRecord.unpack(scene.engine.read(ArenaId.UNDERLYINGS, 1))


def expiry(scene: Scene, slot: int) -> ExpiryRecord:
    return ExpiryRecord.unpack(scene.engine.read(ArenaId.EXPIRIES, slot))


def until(scene: Scene, time_ns: int) -> None:
    scene.wait(time_ns - scene.window_ns)


# What is over


def test_an_option_past_its_expiry_is_released(scene: Scene, call: int) -> None:
    assert scene.release(call).name == "INSTRUMENT_NOT_ENDED"
    slot = instrument(scene, call).expiry
    until(scene, EXPIRY_NS)
    assert scene.release(call).is_applied
    assert scene.events() == [InstrumentReleased(call, 1, slot)]
    assert instrument(scene, call).kind == 0
    assert risk_array(scene, call).marked_ns == 0, "its array is gone with it"


@pytest.mark.parametrize(
    "state", [state for state in InstrumentState if state != InstrumentState.OPEN]
)
def test_what_the_governor_halted_or_ended_is_not_listed_anew(
    scene: Scene, call: int, state: InstrumentState
) -> None:
    """Released while idle, it could be opened again by anyone, with a mark and a book."""
    assert scene.set_instrument(call, state).is_applied
    assert scene.release(call).name == "INSTRUMENT_NOT_ENDED"
    scene.wait(INSTRUMENT_IDLE_NS)
    assert scene.release(call).name == "INSTRUMENT_NOT_ENDED"
    again = ListInstrument(1, InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS)
    assert scene.submit(again).name == "INSTRUMENT_EXISTS"
    until(scene, EXPIRY_NS)
    assert scene.release(call).is_applied, "its time is over"
    assert scene.submit(again).name == "OFF_GRID"


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        (InstrumentMode.SPEED_BUMP, {"speed_bump_ms": 100}),
        (InstrumentMode.BATCH_AUCTION, {"auction_interval_ms": 1_000}),
    ],
)
def test_what_trades_by_the_governor_s_mode_does_so_until_its_time(
    scene: Scene, call: int, mode: InstrumentMode, options: dict[str, int]
) -> None:
    assert scene.set_instrument(call, mode=mode, **options).is_applied
    scene.wait(INSTRUMENT_IDLE_NS)
    assert scene.release(call).name == "INSTRUMENT_NOT_ENDED"
    assert scene.set_instrument(call).is_applied
    assert scene.release(call).is_applied, "the governor has taken it back"


def test_a_combo_that_the_governor_halted_is_not_opened_anew(
    scene: Scene, perpetual: int, call: int
) -> None:
    legs = (perpetual, 100), (call, -1)
    combo = scene.combo("ann", *legs)
    assert scene.set_instrument(combo, InstrumentState.HALTED).is_applied
    scene.wait(INSTRUMENT_IDLE_NS)
    assert scene.release(combo).name == "INSTRUMENT_NOT_ENDED"
    assert scene.create_combo("ann", *legs).name == "INSTRUMENT_EXISTS"
    scene.set_instrument(call, InstrumentState.EXPIRED)
    assert scene.release(combo).is_applied, "a leg has ended"
    assert scene.create_combo("ann", *legs).name == "INSTRUMENT_EXPIRED"


def test_legs_that_the_governor_halted_do_not_keep_an_idle_combo(
    scene: Scene, perpetual: int, call: int
) -> None:
    combo = scene.combo("ann", (perpetual, 100), (call, -1))
    scene.set_instrument(call, InstrumentState.HALTED)
    scene.wait(INSTRUMENT_IDLE_NS)
    assert scene.release(combo).is_applied
    assert scene.release(call).name == "INSTRUMENT_NOT_ENDED"


def test_an_idle_listing_is_released_after_a_day(scene: Scene, call: int) -> None:
    scene.cancel("ann", scene.resting("ann", call, BUY, 10, 1))
    last_ns = instrument(scene, call).active_ns
    assert last_ns < scene.window_ns, "a cancel is no use of a book"
    until(scene, last_ns + INSTRUMENT_IDLE_NS - 2 * 10**6)
    assert scene.release(call).name == "INSTRUMENT_NOT_ENDED", "a millisecond too early"
    assert scene.release(call).is_applied


def test_a_fill_and_a_new_order_make_a_book_busy_again(
    scene: Scene, perpetual: int, call: int
) -> None:
    combo = scene.combo("ann", (perpetual, 100), (call, -1))
    mark = 100 * risk_array(scene, perpetual).mark_atoms - risk_array(scene, call).mark_atoms
    ticks = ZERO + mark // 1_000
    for _ in range(2):
        scene.wait(INSTRUMENT_IDLE_NS - 10 * 10**6)
        scene.resting("bob", combo, SELL, ticks, 1)
        assert scene.release(combo).name == "INSTRUMENT_IN_USE"
        scene.wait(INSTRUMENT_IDLE_NS - 10 * 10**6)
        assert scene.place("ann", combo, BUY, ticks, 1).is_applied
        assert scene.release(combo).name == "INSTRUMENT_NOT_ENDED"
    scene.wait(INSTRUMENT_IDLE_NS)
    assert scene.release(combo).is_applied, "its lots are never held, only its legs'"


def test_a_combo_is_released_when_a_leg_has_ended(scene: Scene, perpetual: int, call: int) -> None:
    combo = scene.combo("ann", (perpetual, 100), (call, -1))
    assert scene.release(combo).name == "INSTRUMENT_NOT_ENDED"
    scene.set_instrument(call, InstrumentState.EXPIRED)
    assert scene.release(combo).is_applied
    assert scene.events() == [InstrumentReleased(combo, 1, 0)]
    assert scene.release(call).name == "INSTRUMENT_NOT_ENDED"


# Rejections, in their order


def test_release_rejects_what_is_not_there(scene: Scene, call: int) -> None:
    for number in (0, 99, 1 << 16 | call, (1 << 32) - 1):
        assert scene.release(number).name == "INSTRUMENT_NOT_FOUND"
    until(scene, EXPIRY_NS)
    assert scene.release(call).is_applied
    assert scene.release(call).name == "INSTRUMENT_NOT_FOUND", "once is enough"


def test_a_perpetual_is_never_released(scene: Scene, perpetual: int) -> None:
    scene.wait(2 * INSTRUMENT_IDLE_NS)
    assert scene.release(perpetual).name == "KIND_NOT_SUPPORTED"
    scene.set_instrument(perpetual, InstrumentState.EXPIRED)
    assert scene.release(perpetual).name == "KIND_NOT_SUPPORTED"


def test_what_is_held_is_not_released(scene: Scene, call: int) -> None:
    scene.resting("bob", call, SELL, 60_000, 5)
    assert scene.place("ann", call, BUY, 60_000, 5).is_applied
    until(scene, EXPIRY_NS)
    assert scene.release(call).name == "INSTRUMENT_IN_USE"


def test_a_book_with_orders_is_released_only_after_a_sweep(scene: Scene, call: int) -> None:
    scene.resting("bob", call, SELL, 60_000, 5)
    until(scene, EXPIRY_NS)
    assert scene.release(call).name == "INSTRUMENT_IN_USE"
    assert scene.submit(Tick(scene.accounts["bob"])).is_applied
    assert scene.release(call).is_applied


def test_a_leg_is_not_released_before_its_combos(scene: Scene, perpetual: int, call: int) -> None:
    combos = [scene.combo("ann", (perpetual, ratio), (call, -1)) for ratio in (100, 101)]
    scene.set_instrument(call, InstrumentState.EXPIRED)
    assert instrument(scene, call).combos_count == 2, "a later leg counts too"
    for combo in combos:
        assert scene.release(call).name == "INSTRUMENT_IN_USE"
        assert scene.release(combo).is_applied
    assert instrument(scene, perpetual).combos_root == 0
    until(scene, EXPIRY_NS)
    assert scene.release(call).is_applied


# What hangs on it


def test_the_last_of_an_expiry_takes_it_along(scene: Scene) -> None:
    first, second = list_call(scene, 1), list_call(scene, 2)
    other = list_call(scene, 1, EXPIRY_NS + DAY_NS)
    slot = instrument(scene, first).expiry
    assert underlying(scene).expiries_count == 2
    until(scene, EXPIRY_NS)
    assert scene.release(first).is_applied
    assert scene.events() == [InstrumentReleased(first, 1, 0)]
    assert (expiry(scene, slot).instruments_head, expiry(scene, slot).instruments_tail) == (
        second,
        second,
    )
    assert scene.release(second).is_applied
    record = underlying(scene)
    assert record.expiries_count == 1
    assert record.expiries[:2] == [instrument(scene, other).expiry, 0]
    assert scene.submit(Remark(slot)).name == "EXPIRY_NOT_FOUND"
    assert scene.submit(Remark(slot, other)).name == "EXPIRY_NOT_FOUND"


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_the_list_of_an_expiry_closes_over_the_gap(scene: Scene, gone: int) -> None:
    listed = [list_call(scene, steps) for steps in range(3)]
    slot = instrument(scene, listed[0]).expiry
    scene.wait(INSTRUMENT_IDLE_NS)
    assert scene.release(listed[gone]).is_applied
    left = listed[:gone] + listed[gone + 1 :]
    assert expiry(scene, slot).instruments_count == 2
    assert expiry(scene, slot).instruments_head == left[0]
    assert instrument(scene, left[0]).next_in_expiry == left[1]
    assert instrument(scene, left[1]).previous_in_expiry == left[0]
    assert instrument(scene, left[1]).next_in_expiry == 0
    assert expiry(scene, slot).instruments_tail == left[1]
    again = list_call(scene, gone)
    assert instrument(scene, left[1]).next_in_expiry == again & 0xFFFF, "its strike is free again"


def test_24_expiries_are_not_for_life(scene: Scene) -> None:
    dates = [EXPIRY_NS + day * DAY_NS for day in range(EXPIRIES_PER_UNDERLYING_MAX + 1)]
    listed = [list_call(scene, 0, date) for date in dates[:-1]]
    last = ListInstrument(1, InstrumentKind.CALL, dates[-1], STRIKE_ATOMS)
    assert scene.submit(last).name == "EXPIRY_LIMIT"
    until(scene, EXPIRY_NS)
    assert scene.release(listed[0]).is_applied
    assert scene.submit(last).is_applied
    assert scene.publish_forward().name == "EXPIRY_SET_MISMATCH", "the passed one is not named"
    slots = underlying(scene).expiries
    assert [expiry(scene, slot).expiry_ns for slot in slots] == dates[1:]


def test_a_slot_returns_under_another_number(scene: Scene, call: int) -> None:
    stop = scene.waiting("ann", call, TriggerCondition.LAST_AT_OR_ABOVE, 10, BUY, 60_000, 1)
    until(scene, EXPIRY_NS)
    assert scene.release(call).is_applied
    again = list_call(scene, 0, EXPIRY_NS + 9 * DAY_NS)
    assert (again & 0xFFFF, again >> 16) == (call & 0xFFFF, (call >> 16) + 1)
    assert scene.place("ann", call, BUY, 60_000, 1).name == "INSTRUMENT_NOT_FOUND"
    assert scene.uncross(call).name == "INSTRUMENT_NOT_FOUND"
    assert scene.set_instrument(call).name == "INSTRUMENT_NOT_FOUND"
    assert scene.quote("ann", Quote(call, BUY, 60_000, 1)).is_applied
    assert scene.block("ann", "bob", [Leg(call, 1, 60_000)]).name == "INSTRUMENT_NOT_FOUND"
    assert scene.position_transfer("ann", "bob", call, 1).name == "INSTRUMENT_NOT_FOUND"
    assert scene.create_combo("ann", (call, 1), (again, -1)).name == "INSTRUMENT_NOT_FOUND"
    assert scene.submit(FireTrigger(stop)).is_applied
    (removed,) = scene.events()
    assert isinstance(removed, TriggerRemoved) and removed.removal == Removal.EXPIRED
    assert account(scene, "ann").triggers_count == 0


def test_a_session_asks_nothing_of_what_is_gone(scene: Scene, call: int) -> None:
    """A key that may not trade the market 0 is not told that it is beyond its scope."""
    scene.grant("ann", "phone", markets=2, session_expires_ns=EXPIRY_NS + 9 * DAY_NS)
    until(scene, EXPIRY_NS)
    assert scene.release(call).is_applied
    order = Place(scene.accounts["ann"], 1, 1 << 63, call, BUY, 10, 1, max_fee_ppm=1_000)
    assert scene.submit(order, "phone", session=1).name == "INSTRUMENT_NOT_FOUND"


def test_a_released_combo_may_be_opened_again(scene: Scene, perpetual: int, call: int) -> None:
    legs = (perpetual, 100), (call, -1)
    combo = scene.combo("ann", *legs)
    assert header(scene).combos_count == 1
    scene.wait(INSTRUMENT_IDLE_NS)
    assert scene.release(combo).is_applied
    assert header(scene).combos_count == 0
    assert scene.combo("bob", *legs) == combo + (1 << 16)
    assert scene.create_combo("cid", *legs).name == "INSTRUMENT_EXISTS"


def test_release_in_any_order_leaves_the_index_of_combos_right(
    scene: Scene, perpetual: int, call: int
) -> None:
    legs = {ratio: ((perpetual, ratio), (call, -1)) for ratio in range(1, 20)}
    combos = {ratio: scene.combo("ann", *rows) for ratio, rows in legs.items()}
    scene.wait(INSTRUMENT_IDLE_NS)
    for ratio in [*range(2, 20, 3), *range(1, 20, 3)]:
        assert scene.release(combos.pop(ratio)).is_applied
    for ratio, rows in legs.items():
        name = "INSTRUMENT_EXISTS" if ratio in combos else "APPLIED"
        assert scene.create_combo("bob", *rows).name == name, f"ratio {ratio}"


# The fee


def test_a_combo_costs_a_fee_for_the_fund(scene: Scene, perpetual: int, call: int) -> None:
    before, cash = money(scene), account(scene, "ann").cash_atoms
    fund = account_at(scene, FUND_ACCOUNT).cash_atoms
    scene.combo("ann", (perpetual, 100), (call, -1))
    assert account(scene, "ann").cash_atoms == cash - COMBO_FEE_ATOMS
    assert account_at(scene, FUND_ACCOUNT).cash_atoms == fund + COMBO_FEE_ATOMS
    assert money(scene) == before


def test_a_combo_is_refused_to_who_cannot_pay(scene: Scene, perpetual: int, call: int) -> None:
    legs = (perpetual, 100), (call, -1)
    scene.deposit("dan", COMBO_FEE_ATOMS - 1)
    assert scene.create_combo("dan", *legs).name == "INSUFFICIENT_BALANCE"
    scene.deposit("dan", 10 * USDC)
    scene.resting("dan", perpetual, BUY, 800_000, 8)
    assert scene.create_combo("dan", *legs).name == "INSUFFICIENT_MARGIN"
    scene.cancel_all("dan")
    assert scene.create_combo("dan", *legs).is_applied
    assert account(scene, "dan").cash_atoms == 10 * USDC - 1


def test_the_fee_is_paid_from_profit_that_is_settled(
    scene: Scene, perpetual: int, call: int
) -> None:
    scene.deposit("dan", 9 * USDC)
    scene.resting("bob", perpetual, SELL, 800_000, 5)
    assert scene.place("dan", perpetual, BUY, 800_000, 5).is_applied
    scene.withdraw("dan", USDC)
    scene.wait(10**9)
    assert scene.publish_index(90_000_000_000).is_applied and scene.remark_perpetual().is_applied
    assert scene.create_combo("dan", (perpetual, 100), (call, -1)).is_applied


def test_a_fee_counts_against_the_cap_of_a_session(scene: Scene, perpetual: int, call: int) -> None:
    scene.grant("ann", "phone", notional_cap_atoms=2 * COMBO_FEE_ATOMS)
    ann, names = scene.accounts["ann"], list[str]()
    for nonce in (1, 2, 3):
        legs = (ComboLeg(perpetual, 100 + nonce), ComboLeg(call, -1))
        outcome = scene.submit(CreateCombo(ann, nonce, 1 << 63, legs), "phone", session=1)
        names.append(outcome.name)
    assert names == ["APPLIED", "APPLIED", "SESSION_NOTIONAL_EXCEEDED"]


# Hostage-taking


def test_combos_up_to_the_limit_keep_nobody_from_listing(
    scene: Scene, perpetual: int, store: Store | None
) -> None:
    """All but six of 2,048 by writing their number, as nobody has the time to open them."""
    call = list_call(scene)
    paid = account(scene, "ann").cash_atoms
    scene.engine = with_combos(scene.engine, COMBOS_MAX - 6, store)
    combos = [scene.combo("ann", (perpetual, ratio), (call, -1)) for ratio in range(2, 8)]
    assert scene.create_combo("ann", (perpetual, 9), (call, -1)).name == "COMBO_LIMIT"
    assert paid - account(scene, "ann").cash_atoms == 6 * COMBO_FEE_ATOMS
    assert list_call(scene, 2), "listings have room that combos cannot take"
    scene.wait(INSTRUMENT_IDLE_NS)
    assert scene.release(combos[3]).is_applied, "anyone recycles what is idle"
    assert scene.create_combo("bob", (perpetual, 9), (call, -1)).is_applied
    assert scene.create_combo("bob", (perpetual, 10), (call, -1)).name == "COMBO_LIMIT"


def test_listings_that_nobody_uses_are_recycled(scene: Scene) -> None:
    listed = [list_call(scene, steps) for steps in range(40)]
    scene.wait(INSTRUMENT_IDLE_NS)
    assert all(scene.release(number).is_applied for number in listed)
    assert underlying(scene).expiries_count == 0
    events = [e for result in scene.results for e in decode_events(result.events)]
    numbers = [e.instrument for e in events if isinstance(e, InstrumentListed)]
    again = [list_call(scene, steps) for steps in range(40)]
    assert {number & 0xFFFF for number in again} == {number & 0xFFFF for number in numbers}
