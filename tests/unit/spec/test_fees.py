"""Fee schedules: who sets them, who is under them, what they pay."""

from dataclasses import replace

import pytest

from proofbook.protocol.commands import AssignFees, SetFeeSchedule
from proofbook.protocol.events import FeesAssigned, FeeScheduleSet, Filled
from proofbook.protocol.limits import FEE_PPM_MAX, Side
from proofbook.protocol.records import FeeScheduleRecord
from proofbook.simulator.inspection import account, money
from proofbook.simulator.scene import Scene
from proofbook.spec import State

BUY, SELL = Side.BUY, Side.SELL
MARK = 800_000
LOW = SetFeeSchedule(1, 1, 10, 20, 30, 40, 50, 60)


@pytest.fixture
def schedule(scene: Scene) -> int:
    """Schedule 1, in its first version."""
    assert scene.submit(LOW).is_applied
    return 1


def assign(scene: Scene, name: str, schedule: int) -> None:
    assert scene.submit(AssignFees(scene.accounts[name], schedule)).is_applied


def trade(scene: Scene, instrument: int, ticks: int) -> Filled:
    """Ann buys a lot from bob, who rests."""
    scene.resting("bob", instrument, SELL, ticks, 1)
    assert scene.place("ann", instrument, BUY, ticks, 1).is_applied
    (event,) = scene.events()
    assert isinstance(event, Filled)
    return event


@pytest.mark.parametrize("number", [0, 2, 1 << 31])
def test_schedules_are_numbered_without_gaps(scene: Scene, number: int) -> None:
    assert scene.submit(replace(LOW, schedule=number)).name == "FEE_SCHEDULE_NOT_FOUND"
    assert scene.submit(LOW).is_applied
    assert scene.events() == [FeeScheduleSet(1, 1)]
    assert scene.submit(replace(LOW, schedule=2)).is_applied


@pytest.mark.parametrize("name", ["perpetual_maker_ppm", "future_taker_ppm", "option_taker_ppm"])
def test_schedule_rejects_fees_out_of_range(scene: Scene, name: str) -> None:
    assert scene.submit(replace(LOW, **{name: FEE_PPM_MAX + 1})).name == "FEE_OUT_OF_RANGE"
    assert scene.submit(replace(LOW, **{name: FEE_PPM_MAX})).is_applied


def test_schedule_rejects_versions_that_do_not_follow(scene: Scene, schedule: int) -> None:
    for version in (0, 1, 3, (1 << 32) - 1):
        outcome = scene.submit(replace(LOW, schedule=schedule, version=version))
        assert outcome.name == "VERSION_MISMATCH"
    assert scene.submit(replace(LOW, schedule=schedule, version=2)).is_applied
    assert scene.submit(replace(LOW, schedule=2, version=2)).name == "VERSION_MISMATCH"


def test_schedule_rejects_when_the_arena_is_full() -> None:
    scene = Scene(State)
    for number in range(1, 1 << FeeScheduleRecord.CAPACITY_LOG2):
        assert scene.submit(replace(LOW, schedule=number)).is_applied
    full = replace(LOW, schedule=1 << FeeScheduleRecord.CAPACITY_LOG2)
    assert scene.submit(full).name == "ARENA_FULL"


def test_assignment_rejects_what_does_not_exist(scene: Scene, schedule: int) -> None:
    assert scene.submit(AssignFees(99, schedule)).name == "ACCOUNT_NOT_FOUND"
    outcome = scene.submit(AssignFees(scene.accounts["ann"], schedule + 1))
    assert outcome.name == "FEE_SCHEDULE_NOT_FOUND"
    assign(scene, "ann", schedule)
    assert scene.events() == [FeesAssigned(scene.accounts["ann"], schedule)]
    assert account(scene, "ann").fee_schedule == schedule


def test_each_side_pays_by_its_own_schedule(scene: Scene, perpetual: int, schedule: int) -> None:
    before = money(scene)
    value = MARK * 10
    story = (("cid", 100, 400), ("ann", 100, 20), ("bob", 10, 20))
    for name, maker_ppm, taker_ppm in story:
        assign(scene, name, schedule)
        fill = trade(scene, perpetual, MARK)
        fees = (fill.maker_fee_atoms, fill.taker_fee_atoms)
        assert fees == (value * maker_ppm // 10**6, value * taker_ppm // 10**6)
    assign(scene, "ann", 0)
    assert trade(scene, perpetual, MARK).taker_fee_atoms == value * 400 // 10**6
    assert money(scene) == before, "fees stay in the venue"


def test_options_have_fees_of_their_own(scene: Scene, call: int, schedule: int) -> None:
    for name in ("ann", "bob"):
        assign(scene, name, schedule)
    fill = trade(scene, call, 30_000)
    value = 30_000 * 1_000
    assert (fill.maker_fee_atoms, fill.taker_fee_atoms) == (
        value * 50 // 10**6,
        value * 60 // 10**6,
    )


def test_order_is_held_to_the_fees_of_its_account(
    scene: Scene, perpetual: int, schedule: int
) -> None:
    assert scene.place("ann", perpetual, BUY, MARK, 1, max_fee_ppm=20).name == "FEE_ABOVE_MAX"
    assign(scene, "ann", schedule)
    assert scene.place("ann", perpetual, BUY, MARK, 1, max_fee_ppm=19).name == "FEE_ABOVE_MAX"
    assert scene.place("ann", perpetual, BUY, MARK, 1, max_fee_ppm=20).is_applied


def test_resting_order_pays_no_more_than_its_owner_signed(
    scene: Scene, perpetual: int, schedule: int
) -> None:
    assign(scene, "bob", schedule)
    scene.resting("bob", perpetual, SELL, MARK, 1, max_fee_ppm=20)
    dear = replace(LOW, schedule=schedule, version=2, perpetual_maker_ppm=FEE_PPM_MAX)
    assert scene.submit(dear).is_applied
    assert scene.place("ann", perpetual, BUY, MARK, 1).is_applied
    (fill,) = scene.events()
    assert isinstance(fill, Filled) and fill.maker_fee_atoms == MARK * 10 * 20 // 10**6
