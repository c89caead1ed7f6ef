"""Combos: books of several legs, margined and filled as the sum of them."""

from dataclasses import replace

import pytest
from tests.unit.spec.conftest import ENGINES

from proofbook.protocol.commands import (
    AssignFees,
    ComboLeg,
    CreateCombo,
    FireTrigger,
    Leg,
    ListInstrument,
    Remark,
    SetFeeSchedule,
    Tick,
)
from proofbook.protocol.eip712 import command_digest
from proofbook.protocol.entry import Entry
from proofbook.protocol.events import (
    AuctionFilled,
    ComboCreated,
    Filled,
    LegFilled,
    OrderRemoved,
    Transferred,
    TriggerFired,
)
from proofbook.protocol.genesis import Terms, UnderlyingGrid
from proofbook.protocol.limits import (
    COMBO_FEE_ATOMS,
    COMBO_RATIO_MAX,
    FEE_ACCOUNT,
    FUND_ACCOUNT,
    ORDER_LOTS_MAX,
    POSITION_LOTS_MAX,
    InstrumentKind,
    InstrumentState,
    Removal,
    Side,
    TimeInForce,
    TriggerCondition,
)
from proofbook.protocol.limits import (
    COMBO_PRICE_OFFSET_TICKS as ZERO,
)
from proofbook.simulator.inspection import (
    account,
    account_at,
    instrument,
    money,
    position_in,
    risk_array,
)
from proofbook.simulator.scene import EXPIRY_NS, LINEAR_TERMS, STRIKE_ATOMS, USDC, Scene
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload, compact_signature

BUY, SELL = Side.BUY, Side.SELL
IOC, FOK = TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL
TICK_ATOMS = 1_000
"""What a tick of the call, and so of the combo, is worth per lot."""


@pytest.fixture
def covered(scene: Scene, perpetual: int, call: int) -> int:
    """Long a hundred lots of the perpetual against one short lot of the call, marked."""
    return scene.combo("ann", (perpetual, 100), (call, -1))


def remark(scene: Scene, option: int) -> None:
    """Mark every option of an expiry again."""
    assert scene.submit(Remark(instrument(scene, option).expiry)).is_applied


def fair_ticks(scene: Scene, perpetual: int, call: int) -> int:
    mark = 100 * risk_array(scene, perpetual).mark_atoms - risk_array(scene, call).mark_atoms
    return ZERO + mark // TICK_ATOMS


def test_a_combo_stands_on_the_terms_of_its_coarsest_leg(
    scene: Scene, perpetual: int, call: int, covered: int
) -> None:
    record = instrument(scene, covered)
    assert (record.kind, record.legs_count) == (InstrumentKind.COMBO, 2)
    assert record.legs == [perpetual, call, 0, 0]
    assert record.ratios == [100, -1, 0, 0]
    assert record.tick_value_atoms == TICK_ATOMS
    assert record.expiry_ns == EXPIRY_NS
    assert (record.maker_fee_ppm, record.taker_fee_ppm) == (200, 500)
    created, paid = scene.events()
    assert created == ComboCreated(covered, 1, EXPIRY_NS, perpetual, 100, call, -1, 0, 0, 0, 0)
    assert paid == Transferred(scene.accounts["ann"], FUND_ACCOUNT, 0, COMBO_FEE_ATOMS)


def test_every_leg_must_be_there(scene: Scene, perpetual: int, call: int) -> None:
    assert scene.create_combo("ann", (perpetual, 1), (99, 1)).name == "INSTRUMENT_NOT_FOUND"
    scene.wait(EXPIRY_NS)
    assert scene.create_combo("ann", (perpetual, 1), (call, 1)).name == "INSTRUMENT_EXPIRED"


def test_a_combo_has_no_combo_within(scene: Scene, perpetual: int, covered: int) -> None:
    assert scene.create_combo("ann", (perpetual, 1), (covered, 1)).name == "KIND_NOT_SUPPORTED"


@pytest.mark.parametrize(
    "ratios",
    [(0, 1), (1, 0), (-1, 1), (2, 4), (3, -6), (COMBO_RATIO_MAX + 1, 1), (1, -COMBO_RATIO_MAX - 1),
     (1, 1 << 62), (1, -(1 << 63))],
)  # fmt: skip
def test_ratios_are_small_and_lowest_terms(
    scene: Scene, perpetual: int, call: int, ratios: tuple[int, int]
) -> None:
    legs = (perpetual, ratios[0]), (call, ratios[1])
    assert scene.create_combo("ann", *legs).name == "COMBO_INVALID"


@pytest.mark.parametrize("ratios", [(1, COMBO_RATIO_MAX), (COMBO_RATIO_MAX, -1), (2, 3)])
def test_ratios_at_their_bounds_are_taken(
    scene: Scene, perpetual: int, call: int, ratios: tuple[int, int]
) -> None:
    legs = (perpetual, ratios[0]), (call, ratios[1])
    assert scene.create_combo("ann", *legs).is_applied


def test_a_combo_is_listed_once(scene: Scene, perpetual: int, call: int, covered: int) -> None:
    assert covered
    legs = (perpetual, 100), (call, -1)
    assert scene.create_combo("bob", *legs).name == "INSTRUMENT_EXISTS"
    assert scene.create_combo("bob", (perpetual, 100), (call, 1)).is_applied
    assert scene.create_combo("bob", (perpetual, 99), (call, -1)).is_applied


def test_legs_are_two_to_four_and_ascending(scene: Scene, perpetual: int, call: int) -> None:
    for legs in ([], [(perpetual, 1)], [(call, 1), (perpetual, 1)], [(perpetual, 1)] * 2,
                 [(number, 1) for number in range(1, 6)]):  # fmt: skip
        assert scene.create_combo("ann", *legs).name == "VOID_MALFORMED"


def test_nobody_lists_a_combo_as_an_instrument(scene: Scene, perpetual: int) -> None:
    assert perpetual
    outcome = scene.submit(ListInstrument(1, InstrumentKind.COMBO))
    assert outcome.name == "KIND_NOT_SUPPORTED"


# Trading


def test_a_fill_gives_both_sides_their_legs_to_the_atom(
    scene: Scene, perpetual: int, call: int, covered: int
) -> None:
    ticks = fair_ticks(scene, perpetual, call) + 3
    scene.resting("bob", covered, SELL, ticks, 5)
    before = money(scene)
    assert scene.place("ann", covered, BUY, ticks + 9, 2, time_in_force=IOC).is_applied
    fill, first, second = scene.events()
    assert isinstance(fill, Filled) and (fill.price_ticks, fill.lots) == (ticks, 2)
    assert isinstance(first, LegFilled) and isinstance(second, LegFilled)
    price_atoms = (ticks - ZERO) * TICK_ATOMS
    call_mark = risk_array(scene, call).mark_atoms
    assert (first.taker_lots, second.taker_lots) == (200, -2)
    assert second.atoms_per_lot == -call_mark, "legs after the first trade at their marks"
    assert first.atoms_per_lot == price_atoms + call_mark, "and the first for the rest"
    for name, sign in (("ann", 1), ("bob", -1)):
        long, short = position_in(scene, name, perpetual), position_in(scene, name, call)
        assert long and short
        assert (long.lots, short.lots) == (200 * sign, -2 * sign)
        assert long.entry_atoms == -2 * sign * first.atoms_per_lot
    taker_fee = -(-2 * price_atoms * 500 // 10**6)
    paid_atoms = taker_fee + COMBO_FEE_ATOMS
    assert account(scene, "ann").cash_atoms == 1_000_000 * USDC + 2 * call_mark - paid_atoms
    assert money(scene) == before


def test_a_combo_may_cost_less_than_nothing(scene: Scene, call: int) -> None:
    put = scene.list_instrument(InstrumentKind.PUT, EXPIRY_NS, STRIKE_ATOMS)
    remark(scene, call)
    combo = scene.combo("ann", (call, 1), (put, -1))
    scene.resting("bob", combo, BUY, ZERO - 40, 1)
    scene.place("ann", combo, SELL, ZERO - 50, 1)
    fill = scene.events()[0]
    assert isinstance(fill, Filled)
    assert fill.taker_fee_atoms == 40 * TICK_ATOMS * 500 // 10**6, "a share of what is paid"
    fees = fill.taker_fee_atoms + fill.maker_fee_atoms
    assert account_at(scene, FEE_ACCOUNT).cash_atoms == fees
    held = position_in(scene, "ann", call)
    assert held and held.lots == -1
    cash = {name: account(scene, name).cash_atoms for name in ("ann", "bob")}
    paid_atoms = fill.taker_fee_atoms + COMBO_FEE_ATOMS
    assert cash["ann"] == 1_000_000 * USDC - 40 * TICK_ATOMS - paid_atoms
    assert cash["bob"] == 1_000_000 * USDC + 40 * TICK_ATOMS - fill.maker_fee_atoms


def test_a_resting_order_holds_a_record_in_each_leg(
    scene: Scene, perpetual: int, call: int, covered: int
) -> None:
    order = scene.resting("bob", covered, SELL, ZERO + 700_000, 5)
    assert account(scene, "bob").positions_count == 5, "the combo counts as three, its legs too"
    long, short = position_in(scene, "bob", perpetual), position_in(scene, "bob", call)
    assert long and short
    assert (long.combo_buy_lots, long.combo_sell_lots) == (0, 500)
    assert (short.combo_buy_lots, short.combo_sell_lots) == (5, 0)
    assert scene.cancel("bob", order).is_applied
    assert account(scene, "bob").positions_count == 0


def test_dead_orders_give_their_legs_back(
    scene: Scene, perpetual: int, call: int, covered: int
) -> None:
    for place in range(40):
        scene.resting("bob", covered, SELL, ZERO + 800_000 + place, 5)
    scene.cancel_all("bob")
    held = position_in(scene, "bob", call)
    assert held and held.orders_resident == 8, "what one command does not reach"
    order = scene.resting("bob", covered, SELL, ZERO + 800_000, 1)
    held = position_in(scene, "bob", perpetual)
    assert held and held.combo_sell_lots == 100, "dead orders reach nothing"
    scene.submit(Tick(scene.accounts["bob"]))
    assert scene.cancel("bob", order).is_applied
    assert account(scene, "bob").positions_count == 0


def test_part_of_a_resting_order_leaves_the_rest_held(
    scene: Scene, perpetual: int, call: int, covered: int
) -> None:
    ticks = fair_ticks(scene, perpetual, call)
    scene.resting("bob", covered, SELL, ticks, 5)
    scene.place("ann", covered, BUY, ticks, 2, time_in_force=IOC)
    long = position_in(scene, "bob", perpetual)
    assert long and (long.lots, long.combo_sell_lots) == (-200, 300)
    scene.place("ann", covered, BUY, ticks, 3, time_in_force=IOC)
    long = position_in(scene, "bob", perpetual)
    assert long and (long.lots, long.combo_sell_lots, long.orders_resident) == (-500, 0, 0)
    scene.resting("ann", covered, SELL, ticks, 5)
    scene.place("bob", covered, BUY, ticks, 5, time_in_force=IOC)
    assert account(scene, "ann").positions_count == account(scene, "bob").positions_count == 0


def test_an_order_that_never_rests_leaves_nothing_held(scene: Scene, covered: int) -> None:
    assert scene.place("ann", covered, BUY, ZERO + 700_000, 1, time_in_force=IOC).is_applied
    (removed,) = scene.events()
    assert isinstance(removed, OrderRemoved) and removed.removal == Removal.IMMEDIATE
    assert account(scene, "ann").positions_count == 0
    assert scene.place("ann", covered, BUY, ZERO + 1, 1, time_in_force=FOK).name == "WOULD_NOT_FILL"


def test_an_order_costs_less_margin_than_its_legs(
    scene: Scene, perpetual: int, call: int, covered: int
) -> None:
    """A covered call may lose what the perpetual may, less what the call then brings."""
    scene.withdraw("cid", 999_873 * USDC)
    perpetual_ticks = risk_array(scene, perpetual).mark_atoms // 10
    ticks = fair_ticks(scene, perpetual, call)
    assert scene.place("cid", perpetual, BUY, perpetual_ticks, 100).name == "INSUFFICIENT_MARGIN"
    assert scene.place("cid", covered, BUY, ticks, 1).is_applied
    assert scene.place("cid", covered, BUY, ticks, 1).name == "INSUFFICIENT_MARGIN"


def test_a_combo_cannot_be_reduced(scene: Scene, covered: int) -> None:
    outcome = scene.place("ann", covered, BUY, ZERO + 1, 1, reduce_only=True)
    assert outcome.name == "REDUCE_ONLY_WOULD_INCREASE"


def test_the_size_of_every_leg_is_bounded(scene: Scene, covered: int) -> None:
    most = ORDER_LOTS_MAX // 100
    assert scene.place("ann", covered, BUY, ZERO, most + 1).name == "LOTS_OUT_OF_RANGE"
    assert scene.place("ann", covered, BUY, ZERO, most).name == "VALUE_OUT_OF_RANGE"
    assert scene.place("ann", covered, BUY, ZERO + 700_000, 10**7).name == "INSUFFICIENT_MARGIN"


def test_orders_of_combos_and_of_their_legs_share_the_largest_position(
    scene: Scene, perpetual: int, call: int
) -> None:
    cheap = scene.list_instrument(InstrumentKind.PUT, EXPIRY_NS, 1_000_000_000)
    remark(scene, call)
    combo = scene.combo("ann", (call, 1), (cheap, 1_000))
    scene.resting("ann", combo, BUY, ZERO, 3)
    held = position_in(scene, "ann", cheap)
    assert held and held.combo_buy_lots == 3_000
    assert perpetual
    most = POSITION_LOTS_MAX - 3_000
    assert scene.place("ann", cheap, BUY, 1, most + 1).name == "POSITION_LIMIT"
    assert scene.place("ann", cheap, BUY, 1, most).name == "INSUFFICIENT_MARGIN"
    assert scene.place("ann", combo, BUY, ZERO, most // 1_000).name == "INSUFFICIENT_MARGIN"
    scene.resting("ann", cheap, BUY, 1, 1_000)
    assert scene.place("ann", combo, BUY, ZERO, most // 1_000).name == "POSITION_LIMIT"


def test_a_leg_without_a_mark_stops_the_combo(scene: Scene, perpetual: int, call: int) -> None:
    put = scene.list_instrument(InstrumentKind.PUT, EXPIRY_NS, STRIKE_ATOMS)
    combo = scene.combo("ann", (perpetual, 1), (put, 1))
    assert call
    assert scene.place("ann", combo, BUY, ZERO + 1, 1).name == "MARK_MISSING"


def test_a_combo_ends_with_its_first_leg(scene: Scene, covered: int) -> None:
    scene.wait(EXPIRY_NS)
    assert scene.place("ann", covered, BUY, ZERO + 1, 1).name == "INSTRUMENT_EXPIRED"


def test_a_combo_is_no_leg_of_a_quote(scene: Scene, covered: int) -> None:
    quote = scene.offer("bob", [Leg(covered, 1, ZERO)])
    assert scene.accept("ann", "bob", quote).name == "KIND_NOT_SUPPORTED"


@pytest.mark.parametrize("engine", list(ENGINES))
def test_the_band_of_a_combo_is_what_its_legs_have(engine: str) -> None:
    banded = replace(LINEAR_TERMS, band_ppm=10_000)
    option = Terms(100_000, 10_000_000, 200, 500, band_ppm=10_000)
    scene = Scene(ENGINES[engine], UnderlyingGrid("BTC", 1, 1_000_000_000, banded, banded, option))
    for name in ("ann", "bob"):
        scene.deposit(name, 1_000_000 * USDC)
    perpetual, call = scene.open_perpetual(), scene.open_option()
    combo = scene.combo("ann", (perpetual, 100), (call, -1))
    array = risk_array(scene, call)
    band = 100 * 80_000 + 800_000 * 10 + max(0, -array.core[11 + 3])
    mark = 100 * risk_array(scene, perpetual).mark_atoms - array.mark_atoms
    most = ZERO + (mark + band) // TICK_ATOMS
    assert scene.place("ann", combo, BUY, most + 1, 1).name == "PRICE_OUTSIDE_BAND"
    assert scene.place("ann", combo, BUY, most, 1).is_applied


def test_a_combo_waits_for_the_books_of_its_legs(
    scene: Scene, perpetual: int, call: int, covered: int
) -> None:
    ticks = fair_ticks(scene, perpetual, call)
    scene.resting("bob", covered, SELL, ticks, 5)
    assert scene.set_instrument(call, InstrumentState.HALTED).is_applied
    assert scene.place("ann", covered, BUY, ticks, 1).name == "INSTRUMENT_STATE"
    assert scene.set_instrument(call, InstrumentState.OPEN).is_applied
    assert scene.place("ann", covered, BUY, ticks, 1).is_applied
    assert position_in(scene, "ann", call)


def test_an_auction_of_a_combo_fills_its_legs(
    scene: Scene, perpetual: int, call: int, covered: int
) -> None:
    ticks = fair_ticks(scene, perpetual, call)
    assert scene.set_instrument(covered, InstrumentState.PRE_OPEN).is_applied
    scene.resting("bob", covered, SELL, ticks - 5, 3)
    scene.resting("ann", covered, BUY, ticks + 5, 2)
    before = money(scene)
    assert scene.set_instrument(covered, InstrumentState.OPEN).is_applied
    assert scene.uncross(covered).is_applied
    fills = [event for event in scene.events() if isinstance(event, AuctionFilled | LegFilled)]
    assert [type(event) for event in fills] == [AuctionFilled, LegFilled, LegFilled]
    assert isinstance(fills[0], AuctionFilled)
    assert fills[0].price_ticks in (ticks, ticks + 1), "nearest to the mark, which no tick meets"
    long, short = position_in(scene, "ann", perpetual), position_in(scene, "bob", perpetual)
    assert long and short and (long.lots, short.lots) == (200, -200)
    assert money(scene) == before


def test_fees_of_a_schedule_are_the_highest_of_the_legs(
    scene: Scene, perpetual: int, call: int, covered: int
) -> None:
    scene.submit(SetFeeSchedule(1, 1, 0, 100, 0, 100, 0, 200))
    scene.submit(AssignFees(scene.accounts["ann"], 1))
    ticks = fair_ticks(scene, perpetual, call)
    scene.resting("bob", covered, SELL, ticks, 5)
    assert scene.place("ann", covered, BUY, ticks, 1, max_fee_ppm=199).name == "FEE_ABOVE_MAX"
    scene.place("ann", covered, BUY, ticks, 1, max_fee_ppm=200)
    fill = scene.events()[0]
    assert isinstance(fill, Filled)
    assert fill.taker_fee_atoms == -(-(ticks - ZERO) * TICK_ATOMS * 200 // 10**6)


@pytest.mark.parametrize("engine", list(ENGINES))
def test_legs_are_of_one_underlying(engine: str) -> None:
    workload = Workload(1)
    state = ENGINES[engine](workload.genesis, CHAIN_ID, CONTRACT)
    last = None
    for _ in range(400):
        entry = workload.next_entry()
        last = state.apply([entry])[0]
        workload.observe(entry, last)
    assert last is not None
    one, other = (
        next(i.identifier for i in workload.instruments.values() if i.underlying == number)
        for number in (1, 2)
    )
    legs = tuple(ComboLeg(leg, 1) for leg in sorted((one, other)))
    account_number = next(iter(workload.accounts))
    owner = workload.accounts[account_number]
    window_ns = workload.window_ns + 10**9
    command = CreateCombo(account_number, owner.nonces[account_number] + 9, 1 << 63, legs)
    digest = command_digest(workload.separator, command)
    entry = Entry(window_ns, window_ns, command, 0, compact_signature(owner.key, digest))
    assert state.apply([entry.encode()])[0].outcome.name == "COMBO_INVALID"


@pytest.mark.parametrize("state", [InstrumentState.HALTED, InstrumentState.SETTLING])
def test_a_stop_of_a_combo_outlives_a_leg_that_is_not_open(
    scene: Scene, perpetual: int, call: int, covered: int, state: InstrumentState
) -> None:
    """Anybody may fire it; it must not be lost because a leg takes nothing for the moment."""
    ticks = fair_ticks(scene, perpetual, call)
    trigger = scene.waiting("ann", covered, TriggerCondition.MARK_AT_OR_ABOVE, 1, BUY, ticks, 1)
    assert scene.set_instrument(perpetual, state).is_applied
    assert scene.submit(FireTrigger(trigger)).name == "INSTRUMENT_STATE"
    assert scene.place("ann", covered, BUY, ticks, 1).name == "INSTRUMENT_STATE"
    scene.set_instrument(perpetual)
    assert scene.submit(FireTrigger(trigger)).is_applied
    assert scene.events()[-1] == TriggerFired(trigger, scene.accounts["ann"], covered, 0)
