"""Expiries: the average that settles them, what happens when samples are missing, and the end."""

from dataclasses import replace

import pytest

from proofbook.protocol.commands import (
    ListInstrument,
    Remark,
    SetSettlement,
    SettleAccount,
    SettleExpiry,
    SetUnderlying,
    Tick,
)
from proofbook.protocol.events import (
    ExpirySettled,
    FundingSettled,
    Marked,
    OrderRemoved,
    PositionSettled,
)
from proofbook.protocol.genesis import MarginTerms
from proofbook.protocol.limits import (
    CORE_COLUMNS,
    FUND_ACCOUNT,
    NS_PER_DAY,
    TAIL_COLUMNS,
    InstrumentKind,
    InstrumentState,
    MarginMode,
    Side,
    TimeInForce,
)
from proofbook.simulator.inspection import (
    account,
    account_at,
    expiry,
    instrument,
    money,
    position,
    position_in,
    risk_array,
)
from proofbook.simulator.scene import (
    EXPIRY_NS,
    FLAT_SLICE,
    GRID,
    MINUTE_NS,
    SPOT_ATOMS,
    STRIKE_ATOMS,
    USDC,
    Scene,
)

BUY, SELL = Side.BUY, Side.SELL
IOC = TimeInForce.IMMEDIATE_OR_CANCEL
CALL, PUT, FUTURE = InstrumentKind.CALL, InstrumentKind.PUT, InstrumentKind.FUTURE
DEPOSITS = 3_000_000 * USDC
EXPIRY = 1
OPENS_NS = EXPIRY_NS - 30 * MINUTE_NS
SECOND_NS = 10**9
NEVER_STALE_NS = (1 << 63) - 1
LOW, HIGH = 80_000_000_000, 82_000_000_000


def settle(scene: Scene, *prices_atoms: int) -> int:
    """Publish a price a minute over the window and settle; return the settlement price."""
    scene.publish_each_minute(OPENS_NS, *prices_atoms)
    scene.at(EXPIRY_NS + MINUTE_NS + SECOND_NS)
    outcome = scene.settle_expiry(EXPIRY)
    assert outcome.is_applied, outcome.name
    return expiry(scene, EXPIRY).settlement_atoms


# The average


def test_price_is_the_average_over_thirty_minutes(scene: Scene, call: int) -> None:
    assert settle(scene, *[LOW] * 15, *[HIGH] * 15) == 81_000_000_000
    (event,) = scene.events()
    assert event == ExpirySettled(EXPIRY, 1, EXPIRY_NS, 81_000_000_000, 30 * MINUTE_NS)
    assert expiry(scene, EXPIRY).settled_ns == scene.window_ns


def test_index_counts_from_the_beginning_of_the_window(scene: Scene, call: int) -> None:
    scene.publish_each_minute(OPENS_NS - MINUTE_NS // 2, HIGH, *[LOW] * 30)
    scene.at(EXPIRY_NS + MINUTE_NS + SECOND_NS)
    assert scene.settle_expiry(EXPIRY).is_applied
    assert expiry(scene, EXPIRY).settlement_atoms == LOW + (HIGH - LOW) // 60


def test_index_counts_for_a_minute_at_most(scene: Scene, call: int) -> None:
    """One price stood for eleven minutes, the others for twenty: it counts for one."""
    prices = [HIGH, *[LOW] * 20]
    scene.publish_each_minute(OPENS_NS, *prices[:1])
    scene.publish_each_minute(OPENS_NS + 10 * MINUTE_NS, *prices[1:])
    scene.at(EXPIRY_NS + MINUTE_NS + SECOND_NS)
    assert scene.settle_expiry(EXPIRY).is_applied
    record = expiry(scene, EXPIRY)
    assert record.settlement_covered_ns == 21 * MINUTE_NS
    assert record.settlement_atoms == (HIGH + 20 * LOW + 10) // 21


def test_price_is_rounded_to_nearest(scene: Scene, call: int) -> None:
    """20 parts of one and 10 of one more: a third of an atom is dropped."""
    assert settle(scene, *[LOW] * 20, *[LOW + 1] * 10) == LOW


def test_last_index_counts_up_to_the_expiry_whoever_settles_when(call: int, scene: Scene) -> None:
    """With an index after the expiry at once; the other tests wait instead."""
    scene.publish_each_minute(OPENS_NS, *[LOW] * 29, HIGH, HIGH * 2)
    assert expiry(scene, EXPIRY).settlement_covered_ns == 30 * MINUTE_NS
    assert scene.settle_expiry(EXPIRY).is_applied
    assert expiry(scene, EXPIRY).settlement_atoms == LOW + (HIGH - LOW) // 30 + 1


def test_settlement_is_not_due_while_an_observation_could_come(scene: Scene, call: int) -> None:
    scene.publish_each_minute(OPENS_NS, *[LOW] * 30)
    for moment_ns in (EXPIRY_NS - SECOND_NS, EXPIRY_NS, EXPIRY_NS + MINUTE_NS):
        scene.at(moment_ns)
        assert scene.settle_expiry(EXPIRY).name == "SETTLEMENT_NOT_DUE"
        scene.at(moment_ns)
        outcome = scene.submit(SetSettlement(EXPIRY, EXPIRY_NS, LOW))
        assert outcome.name == "SETTLEMENT_NOT_DUE"
    scene.at(EXPIRY_NS + MINUTE_NS + 1)
    assert scene.settle_expiry(EXPIRY).is_applied


@pytest.mark.parametrize("slot", [0, 2, 99])
def test_settlement_rejects_an_expiry_that_is_not_there(scene: Scene, call: int, slot: int) -> None:
    scene.list_perpetual()
    assert scene.settle_expiry(slot).name == "EXPIRY_NOT_FOUND", "2 is that of the perpetual"
    outcome = scene.submit(SetSettlement(slot, EXPIRY_NS, LOW))
    assert outcome.name == "EXPIRY_NOT_FOUND"


def test_expiry_settles_once(scene: Scene, call: int) -> None:
    settle(scene, *[LOW] * 30)
    assert scene.settle_expiry(EXPIRY).name == "SETTLEMENT_DONE"
    assert scene.submit(SetSettlement(EXPIRY, EXPIRY_NS, HIGH)).name == "SETTLEMENT_DONE"
    scene.publish_index(HIGH)
    assert expiry(scene, EXPIRY).settlement_atoms == LOW


# Missing samples


def test_twenty_minutes_are_enough(scene: Scene, call: int) -> None:
    assert settle(scene, *[LOW] * 20) == LOW
    assert expiry(scene, EXPIRY).settlement_covered_ns == 20 * MINUTE_NS


def test_too_few_samples_do_not_settle(scene: Scene, call: int) -> None:
    scene.publish_each_minute(OPENS_NS, *[LOW] * 19)
    scene.at(EXPIRY_NS + MINUTE_NS + SECOND_NS)
    assert scene.settle_expiry(EXPIRY).name == "SETTLEMENT_MISSING"


def test_window_goes_on_until_twenty_minutes_are_covered(scene: Scene, call: int) -> None:
    """Twelve minutes before the expiry; after it eight of the twenty that come."""
    scene.publish_each_minute(OPENS_NS, *[LOW] * 12)
    scene.publish_each_minute(EXPIRY_NS + 5 * MINUTE_NS, *[HIGH] * 8)
    assert scene.settle_expiry(EXPIRY).name == "SETTLEMENT_MISSING", "seven minutes so far"
    scene.publish_each_minute(EXPIRY_NS + 13 * MINUTE_NS, *[HIGH * 2] * 12)
    record = expiry(scene, EXPIRY)
    assert record.settlement_covered_ns == 20 * MINUTE_NS, "no more than is missing"
    assert scene.settle_expiry(EXPIRY).is_applied
    assert expiry(scene, EXPIRY).settlement_atoms == (12 * LOW + 8 * HIGH) // 20


def test_nothing_counts_after_the_extension(scene: Scene, call: int) -> None:
    scene.publish_each_minute(EXPIRY_NS + 11 * MINUTE_NS, *[LOW] * 40)
    assert expiry(scene, EXPIRY).settlement_covered_ns == 19 * MINUTE_NS
    assert scene.settle_expiry(EXPIRY).name == "SETTLEMENT_MISSING"


def test_expiry_without_any_sample_settles_at_the_governors_price(scene: Scene, call: int) -> None:
    """The deadlock: nobody publishes for an hour, and options are worth something."""
    trade_call(scene, call)
    scene.at(EXPIRY_NS + 31 * MINUTE_NS)
    assert scene.settle_expiry(EXPIRY).name == "SETTLEMENT_MISSING"
    scene.at(EXPIRY_NS + 31 * MINUTE_NS)
    outcome = scene.submit(SetSettlement(EXPIRY, EXPIRY_NS, HIGH))
    assert outcome.name == "SETTLEMENT_POSSIBLE", "an observation could still come"
    scene.at(EXPIRY_NS + 31 * MINUTE_NS + 1)
    assert scene.submit(SetSettlement(EXPIRY, EXPIRY_NS, HIGH)).is_applied
    assert scene.events() == [ExpirySettled(EXPIRY, 1, EXPIRY_NS, HIGH, 0)]
    assert scene.submit(Remark(EXPIRY)).is_applied
    assert risk_array(scene, call).mark_atoms == 2_000 * USDC // 100
    for name in ("ann", "bob"):
        assert scene.settle_account(name).is_applied
    assert money(scene) == DEPOSITS


def test_governor_may_not_settle_what_has_an_average(scene: Scene, call: int) -> None:
    scene.publish_each_minute(OPENS_NS, *[LOW] * 20)
    scene.at(EXPIRY_NS + 40 * MINUTE_NS)
    outcome = scene.submit(SetSettlement(EXPIRY, EXPIRY_NS, HIGH))
    assert outcome.name == "SETTLEMENT_POSSIBLE"
    assert scene.settle_expiry(EXPIRY).is_applied


@pytest.mark.parametrize("price_atoms", [0, 1 << 40])
def test_governors_price_is_one_that_an_index_could_have(
    scene: Scene, call: int, price_atoms: int
) -> None:
    scene.at(EXPIRY_NS + 40 * MINUTE_NS)
    outcome = scene.submit(SetSettlement(EXPIRY, EXPIRY_NS, price_atoms))
    assert outcome.name == "OBSERVATION_OUT_OF_RANGE"


def test_governors_price_names_the_date(scene: Scene, call: int) -> None:
    scene.at(EXPIRY_NS + 40 * MINUTE_NS)
    outcome = scene.submit(SetSettlement(EXPIRY, EXPIRY_NS + NS_PER_DAY, LOW))
    assert outcome.name == "EXPIRY_NOT_FOUND"


# The final mark


def open_all(scene: Scene) -> dict[InstrumentKind, int]:
    """A future, a call and a put at 80,000, marked."""
    future = scene.list_instrument(FUTURE, EXPIRY_NS, 0)
    put = scene.list_instrument(PUT, EXPIRY_NS, STRIKE_ATOMS)
    return {FUTURE: future, PUT: put, CALL: scene.open_option()}


def trade_call(scene: Scene, call: int, lots: int = 10) -> None:
    """Ann buys calls from bob at 3,000 USD."""
    scene.resting("bob", call, SELL, 30_000, lots)
    assert scene.place("ann", call, BUY, 30_000, lots).is_applied


@pytest.mark.parametrize(
    ("price_atoms", "future", "call", "put"),
    [
        (81_500_000_000, 8_150_000, 15_000_000, 0),
        (79_000_000_000, 7_900_000, 0, 10_000_000),
        (80_000_000_000, 8_000_000, 0, 0),
        (80_000_149_999, 8_000_010, 1_000, 0),
        (80_000_150_000, 8_000_020, 2_000, 0),
        (79_999_950_000, 8_000_000, 0, 0),
        (79_999_949_999, 7_999_990, 0, 1_000),
    ],
)
def test_final_marks_are_payoffs_in_whole_ticks(
    scene: Scene, price_atoms: int, future: int, call: int, put: int
) -> None:
    listed = open_all(scene)
    settle(scene, *[price_atoms] * 30)
    assert scene.submit(Remark(EXPIRY)).is_applied
    marks = {kind: risk_array(scene, slot).mark_atoms for kind, slot in listed.items()}
    assert marks == {FUTURE: future, CALL: call, PUT: put}
    assert {type(event) for event in scene.events()} == {Marked}


def test_final_arrays_have_no_profit_and_never_go_stale(scene: Scene, call: int) -> None:
    settle(scene, *[HIGH] * 30)
    assert scene.submit(Remark(EXPIRY)).is_applied
    array = risk_array(scene, call)
    assert array.core == [0] * CORE_COLUMNS and array.tails == [0] * TAIL_COLUMNS
    assert array.skew_linear_atoms == array.skew_absolute_atoms == array.basis_atoms == 0
    assert array.delta_atoms == array.slope_up_atoms == array.slope_down_atoms == 0
    assert array.fresh_until_ns == NEVER_STALE_NS
    record = instrument(scene, call)
    assert (record.state, record.settled_ns) == (InstrumentState.EXPIRED, array.marked_ns)
    assert scene.submit(Remark(EXPIRY)).name == "OBSERVATION_MISSING", "it is done"


def test_marks_stay_from_the_expiry_until_it_is_settled(scene: Scene, call: int) -> None:
    scene.publish_each_minute(OPENS_NS, *[HIGH] * 30)
    before = risk_array(scene, call)
    scene.at(EXPIRY_NS)
    assert scene.submit(Remark(EXPIRY)).name == "OBSERVATION_MISSING"
    assert risk_array(scene, call).pack() == before.pack()
    scene.at(EXPIRY_NS + MINUTE_NS + SECOND_NS)
    assert scene.settle_expiry(EXPIRY).is_applied
    assert risk_array(scene, call).pack() == before.pack(), "marks follow by Remark"


def test_halted_book_gets_its_final_mark(scene: Scene, call: int) -> None:
    assert scene.set_instrument(call, InstrumentState.HALTED).is_applied
    settle(scene, *[HIGH] * 30)
    assert scene.submit(Remark(EXPIRY)).is_applied
    assert risk_array(scene, call).mark_atoms == 2_000 * USDC // 100


def test_remark_goes_on_from_the_cursor(scene: Scene) -> None:
    calls = [
        scene.list_instrument(CALL, EXPIRY_NS, (60 + place) * 1_000 * USDC) for place in range(18)
    ]
    settle(scene, *[HIGH] * 30)
    assert scene.submit(Remark(EXPIRY)).is_applied
    assert len(scene.events()) == 16
    assert instrument(scene, calls[16]).settled_ns == 0
    assert scene.submit(Remark(EXPIRY, calls[16])).is_applied
    assert len(scene.events()) == 2


def test_curves_and_surfaces_name_a_settled_expiry_no_more(scene: Scene, call: int) -> None:
    later_ns = EXPIRY_NS + NS_PER_DAY
    later = scene.list_instrument(CALL, later_ns, STRIKE_ATOMS)
    settle(scene, *[LOW] * 30)
    assert scene.publish_surface(FLAT_SLICE).name == "EXPIRY_SET_MISMATCH"
    assert scene.publish_surface(replace(FLAT_SLICE, expiry_ns=later_ns)).is_applied
    assert instrument(scene, later).expiry == 2


def test_settled_expiry_makes_room_for_another(scene: Scene, call: int) -> None:
    """An underlying has 24 expiries at a time; settled ones do not count, whoever holds them."""
    trade_call(scene, call)
    for day in range(1, 24):
        scene.list_instrument(CALL, EXPIRY_NS + day * NS_PER_DAY, STRIKE_ATOMS)
    another = ListInstrument(1, CALL, EXPIRY_NS + 24 * NS_PER_DAY, STRIKE_ATOMS)
    assert scene.submit(another).name == "EXPIRY_LIMIT"
    settle(scene, *[LOW] * 30)
    assert scene.submit(another).is_applied


# The end of what is held


def test_accounts_are_settled_in_cash_by_anyone(scene: Scene, call: int) -> None:
    trade_call(scene, call)
    cash = {name: account(scene, name).cash_atoms for name in ("ann", "bob")}
    settle(scene, *[HIGH] * 30)
    assert scene.submit(Remark(EXPIRY)).is_applied
    value_atoms = 10 * 2_000 * USDC // 100
    for name, sign in (("ann", 1), ("bob", -1)):
        assert scene.settle_account(name).is_applied
        number = scene.accounts[name]
        assert scene.events() == [PositionSettled(number, call, sign * 10, 20 * USDC)]
        assert account(scene, name).cash_atoms == cash[name] + sign * value_atoms
        assert position(scene, name) is None
    assert instrument(scene, call).open_interest_lots == 0
    assert instrument(scene, call).holders_count == 0
    assert money(scene) == DEPOSITS


def test_future_settles_against_its_entry(scene: Scene) -> None:
    future = open_all(scene)[FUTURE]
    scene.resting("bob", future, SELL, 810_000, 100)
    assert scene.place("ann", future, BUY, 810_000, 100).is_applied
    cash = account(scene, "ann").cash_atoms
    settle(scene, *[HIGH] * 30)
    assert scene.submit(Remark(EXPIRY)).is_applied
    assert scene.settle_account("ann").is_applied
    assert account(scene, "ann").cash_atoms == cash + 100 * 1_000 * USDC // 10_000
    assert scene.settle_account("bob").is_applied
    assert money(scene) == DEPOSITS


def test_nothing_is_settled_before_the_final_mark(scene: Scene, call: int) -> None:
    trade_call(scene, call)
    settle(scene, *[HIGH] * 30)
    assert scene.settle_account("ann").name == "NOTHING_TO_SETTLE", "its Remark is missing"
    assert scene.submit(Remark(EXPIRY)).is_applied
    assert scene.settle_account("ann").is_applied
    assert scene.settle_account("ann").name == "NOTHING_TO_SETTLE"


def test_settle_account_rejects_who_is_not_there(scene: Scene, call: int) -> None:
    assert scene.submit(SettleAccount(99, 0)).name == "ACCOUNT_NOT_FOUND"
    assert scene.submit(SettleAccount(99, 1)).name == "ACCOUNT_NOT_FOUND"


def test_settle_account_rejects_a_cursor_that_is_not_its(scene: Scene, call: int) -> None:
    trade_call(scene, call)
    of_bob = account(scene, "bob").positions_head
    assert scene.settle_account("ann", of_bob).name == "CURSOR_INVALID"
    assert scene.settle_account("ann", 99).name == "CURSOR_INVALID"
    assert scene.settle_account("ann", account(scene, "ann").positions_head).name == (
        "NOTHING_TO_SETTLE"
    )


def test_settle_account_goes_on_from_the_cursor(scene: Scene) -> None:
    """40 positions: 32, then the other eight."""
    calls = [
        scene.list_instrument(CALL, EXPIRY_NS, (50 + place) * 1_000 * USDC) for place in range(40)
    ]
    assert scene.publish_forward().is_applied and scene.publish_surface().is_applied
    for cursor in (calls[0], calls[16], calls[32]):
        assert scene.submit(Remark(EXPIRY, cursor)).is_applied
    for call in calls:
        scene.resting("bob", call, SELL, 30_000, 1)
        assert scene.place("ann", call, BUY, 30_000, 1).is_applied
    last = position_in(scene, "ann", calls[39])
    assert last
    settle(scene, *[HIGH] * 30)
    for cursor in (calls[0], calls[16], calls[32]):
        assert scene.submit(Remark(EXPIRY, cursor)).is_applied
    assert scene.settle_account("ann", last.previous_in_account).is_applied
    assert len(scene.events()) == 2
    assert scene.settle_account("ann").is_applied
    assert len(scene.events()) == 32
    assert account(scene, "ann").positions_count == 6


def test_settle_account_pays_funding(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, 800_000, 1_000)
    assert scene.place("ann", perpetual, BUY, 800_000, 1_000).is_applied
    scene.resting("cid", perpetual, BUY, 801_000, 2_000)
    scene.wait(59 * SECOND_NS)
    assert scene.publish_index().is_applied
    assert scene.settle_account("ann").is_applied
    (event,) = scene.events()
    assert isinstance(event, FundingSettled) and event.paid_atoms > 0
    held = position(scene, "ann")
    assert held and held.lots == 1_000, "the position stays"
    assert scene.settle_account("ann").name == "NOTHING_TO_SETTLE"


def test_position_with_orders_goes_when_they_are_swept(scene: Scene, call: int) -> None:
    trade_call(scene, call)
    scene.resting("ann", call, BUY, 20_000, 5)
    settle(scene, *[HIGH] * 30)
    assert scene.submit(Remark(EXPIRY)).is_applied
    assert scene.settle_account("ann").is_applied
    held = position(scene, "ann")
    assert held and (held.lots, held.orders_resident) == (0, 1)
    assert scene.settle_account("bob").is_applied
    assert scene.release(call).name == "INSTRUMENT_IN_USE"
    assert scene.submit(Tick(scene.accounts["ann"], 0)).is_applied
    assert isinstance(scene.events()[0], OrderRemoved)
    assert position(scene, "ann") is None
    assert scene.release(call).is_applied
    assert expiry(scene, EXPIRY).underlying == 0, "the expiry went with its last instrument"


def test_nothing_is_gained_or_lost_by_not_settling(scene: Scene, call: int) -> None:
    """What may be withdrawn is the same before and after."""
    trade_call(scene, call)
    settle(scene, *[HIGH] * 30)
    assert scene.submit(Remark(EXPIRY)).is_applied
    cash = account(scene, "ann").cash_atoms
    value_atoms = 10 * 2_000 * USDC // 100
    outcome = scene.withdraw("ann", cash + value_atoms + 1)
    assert outcome.name == "INSUFFICIENT_BALANCE"
    assert scene.withdraw("ann", cash + value_atoms).is_applied
    held = position(scene, "ann")
    assert held and held.lots == 0, "closed by the withdrawal; its record stays"
    assert account(scene, "ann").cash_atoms == 0
    assert scene.settle_account("ann").is_applied
    assert position(scene, "ann") is None


def test_who_owes_by_an_option_cannot_withdraw_the_premium(scene: Scene, call: int) -> None:
    trade_call(scene, call)
    settle(scene, *[200_000 * USDC] * 30)
    assert scene.submit(Remark(EXPIRY)).is_applied
    owed_atoms = 10 * 120_000 * USDC // 100
    cash = account(scene, "bob").cash_atoms
    assert scene.withdraw("bob", cash - owed_atoms + 1).name == "INSUFFICIENT_BALANCE"
    assert scene.withdraw("bob", cash - owed_atoms).is_applied


def test_settled_positions_need_no_margin(scene: Scene, call: int) -> None:
    """Bob is short of calls that would need margin; after the settlement all he has is free."""
    trade_call(scene, call, 1_000)
    settle(scene, *[SPOT_ATOMS] * 30)
    assert scene.withdraw("bob", account(scene, "bob").cash_atoms).name == "INSUFFICIENT_MARGIN"
    assert scene.submit(Remark(EXPIRY)).is_applied
    assert scene.withdraw("bob", account(scene, "bob").cash_atoms).is_applied


def test_ended_book_takes_no_order_and_no_change(scene: Scene, call: int) -> None:
    settle(scene, *[HIGH] * 30)
    assert scene.submit(Remark(EXPIRY)).is_applied
    assert scene.place("ann", call, BUY, 30_000, 1).name == "INSTRUMENT_EXPIRED"
    assert scene.set_instrument(call).name == "INSTRUMENT_EXPIRED"
    assert scene.submit(SettleExpiry(EXPIRY)).name == "SETTLEMENT_DONE"


# Attacks and odd states


def test_expiries_a_nanosecond_apart_cannot_be_listed(scene: Scene, call: int) -> None:
    """One a day at most, or an index would have to be counted for thousands of windows."""
    for away_ns in (-1, 1, SECOND_NS, NS_PER_DAY // 2):
        command = ListInstrument(1, CALL, EXPIRY_NS + away_ns, STRIKE_ATOMS)
        assert scene.submit(command).name == "OFF_GRID"
    near = replace(FLAT_SLICE, expiry_ns=EXPIRY_NS + 1)
    assert scene.publish_surface(near).name == "EXPIRY_SET_MISMATCH"
    scene.at(EXPIRY_NS + 40 * MINUTE_NS)
    outcome = scene.submit(SetSettlement(EXPIRY, EXPIRY_NS + 1, LOW))
    assert outcome.name == "EXPIRY_NOT_FOUND"


@pytest.mark.parametrize("mode", list(MarginMode))
def test_final_marks_need_no_margin_in_either_mode(scene: Scene, mode: MarginMode) -> None:
    listed = open_all(scene)
    assert scene.set_margin_mode("bob", mode).is_applied == (mode != MarginMode.PORTFOLIO)
    ticks = {FUTURE: 800_000, CALL: 30_000, PUT: 30_000}
    for kind, book in listed.items():
        scene.resting("bob", book, SELL, ticks[kind], 50)
        assert scene.place("ann", book, BUY, ticks[kind], 50).is_applied
    settle(scene, *[HIGH] * 30)
    before = scene.engine.margin(scene.accounts["bob"])
    assert before.initial_atoms > 0 and before.maintenance_atoms > 0
    assert scene.submit(Remark(EXPIRY)).is_applied
    after = scene.engine.margin(scene.accounts["bob"])
    assert (after.initial_atoms, after.maintenance_atoms) == (0, 0)
    assert (after.stale_low_atoms, after.stale_high_atoms, after.underlyings) == (0, 0, ())
    assert scene.settle_account("bob").is_applied
    assert scene.engine.margin(scene.accounts["bob"]).equity_atoms == after.equity_atoms


def test_final_marks_are_charged_for_no_size(scene: Scene, call: int) -> None:
    terms = MarginTerms(concentration_ppm=100_000, concentration_nanos=1)
    assert scene.submit(SetUnderlying(1, 2, 1, GRID.strike_step_atoms, (), terms)).is_applied
    assert scene.publish_index().is_applied
    trade_call(scene, call, 100)
    assert scene.engine.margin(scene.accounts["ann"]).concentration_atoms > 0
    settle(scene, *[HIGH] * 30)
    assert scene.submit(Remark(EXPIRY)).is_applied
    assert scene.engine.margin(scene.accounts["ann"]).concentration_atoms == 0


def test_nobody_is_liquidated_in_an_ended_book(scene: Scene, call: int) -> None:
    """Bob owes more than he has: no leg is left to close, and the fund pays."""
    trade_call(scene, call, 1_000)
    settle(scene, *[(1 << 40) - 1] * 30)
    assert scene.liquidate("bob", call).name in {"LEG_INVALID", "NOT_LIQUIDATABLE"}
    assert scene.submit(Remark(EXPIRY)).is_applied
    assert scene.liquidate("bob", call).name == "LEG_INVALID"
    for name in ("ann", "bob"):
        assert scene.settle_account(name).is_applied
    assert account(scene, "bob").cash_atoms == 0
    assert account_at(scene, FUND_ACCOUNT).cash_atoms < 0
    assert money(scene) == DEPOSITS


def test_marks_and_accounts_can_be_settled_in_any_order(scene: Scene) -> None:
    """One account is closed between two Remarks; the other at once."""
    calls = [
        scene.list_instrument(CALL, EXPIRY_NS, (60 + place) * 1_000 * USDC) for place in range(17)
    ]
    assert scene.publish_forward().is_applied and scene.publish_surface().is_applied
    for cursor in (calls[0], calls[16]):
        assert scene.submit(Remark(EXPIRY, cursor)).is_applied
    for book in (calls[0], calls[16]):
        scene.resting("bob", book, SELL, 30_000, 1)
        assert scene.place("ann", book, BUY, 30_000, 1).is_applied
    settle(scene, *[HIGH] * 30)
    assert scene.submit(Remark(EXPIRY)).is_applied
    assert scene.settle_account("ann").is_applied
    assert money(scene) == DEPOSITS
    assert scene.submit(Remark(EXPIRY, calls[16])).is_applied
    assert money(scene) == DEPOSITS
    for name in ("bob", "ann"):
        assert scene.settle_account(name).is_applied
    assert account(scene, "ann").positions_count == account(scene, "bob").positions_count == 0
    assert money(scene) == DEPOSITS
