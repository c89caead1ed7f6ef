"""Transfers of money and positions between accounts."""

import pytest

from proofbook.protocol.commands import PositionTransfer, Transfer
from proofbook.protocol.events import PositionTransferred, Transferred
from proofbook.protocol.limits import (
    AMOUNT_ATOMS_MAX,
    FUND_ACCOUNT,
    INSTRUMENTS_PER_ACCOUNT_MAX,
    ORDER_LOTS_MAX,
    POSITION_LOTS_MAX,
    Side,
)
from proofbook.simulator.inspection import account, account_at, header, instrument, money, position
from proofbook.simulator.scene import EXPIRY_NS, USDC, Scene
from proofbook.spec import State
from proofbook.spec.world import World

BUY, SELL = Side.BUY, Side.SELL
MARK = 800_000
MILLION = 1_000_000 * USDC


# Money


def test_transfer_rejects_other_tokens(scene: Scene) -> None:
    assert scene.transfer("ann", "bob", 1, token=1).name == "TOKEN_NOT_SUPPORTED"


@pytest.mark.parametrize("amount", [0, AMOUNT_ATOMS_MAX + 1, (1 << 64) - 1])
def test_transfer_rejects_amount_out_of_range(scene: Scene, amount: int) -> None:
    assert scene.transfer("ann", "bob", amount).name == "AMOUNT_OUT_OF_RANGE"


def test_transfer_rejects_recipients_that_are_none(scene: Scene) -> None:
    for recipient in (0, 99, scene.accounts["ann"]):
        command = Transfer(*scene.header("ann"), recipient, 0, 1)
        assert scene.submit(command, "ann").name == "RECIPIENT_INVALID"


def test_transfer_rejects_more_than_the_cash(scene: Scene) -> None:
    assert scene.transfer("ann", "bob", MILLION + 1).name == "INSUFFICIENT_BALANCE"
    assert scene.transfer("ann", "bob", MILLION).is_applied
    assert scene.events() == [Transferred(scene.accounts["ann"], scene.accounts["bob"], 0, MILLION)]
    assert (account(scene, "ann").cash_atoms, account(scene, "bob").cash_atoms) == (0, 2 * MILLION)


def test_transfer_rejects_what_margin_needs(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 100_000)
    scene.place("ann", perpetual, BUY, MARK, 100_000)
    free = MILLION - MARK * 1_000_000 * 4 // 10_000 - MARK * 1_000_000 * 17 // 100
    assert scene.transfer("ann", "bob", free + 1).name == "INSUFFICIENT_MARGIN"
    assert scene.transfer("ann", "bob", free).is_applied


def test_transfer_settles_the_senders_variation_first(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 10)
    scene.place("ann", perpetual, BUY, MARK, 10)
    scene.wait(10**9)
    assert scene.publish_index(81_000_000_000).is_applied
    assert scene.remark_perpetual().is_applied
    before = money(scene)
    assert scene.transfer("ann", "cid", USDC).is_applied
    held = position(scene, "ann")
    assert held and held.entry_atoms == -10 * 8_100_000, "the entry stands at the mark"
    assert money(scene) == before


def test_transfer_conserves_what_is_in_custody(scene: Scene) -> None:
    before, total = header(scene), money(scene)
    assert scene.transfer("ann", "bob", 77).is_applied
    assert scene.transfer("bob", "ann", 1 << 59).name == "INSUFFICIENT_BALANCE"
    after = header(scene)
    assert (after.custody_atoms, money(scene)) == (before.custody_atoms, total)


def test_anybody_can_add_to_the_insurance_fund(scene: Scene) -> None:
    assert scene.submit(Transfer(*scene.header("ann"), FUND_ACCOUNT, 0, 9), "ann").is_applied
    assert account_at(scene, FUND_ACCOUNT).cash_atoms == 9


# Positions


@pytest.fixture
def held(scene: Scene, perpetual: int) -> int:
    """Ann is long ten lots, bob short; each has an empty second account."""
    for name in ("ann", "bob"):
        scene.deposit(f"{name} two", 1_000 * USDC, owner=name)
    scene.resting("bob", perpetual, SELL, MARK, 10)
    assert scene.place("ann", perpetual, BUY, MARK, 10).is_applied
    return perpetual


def test_position_transfer_rejects_unknown_instruments(scene: Scene, held: int) -> None:
    for identifier in (999, held | 1 << 16):
        outcome = scene.position_transfer("ann", "ann two", identifier, 1)
        assert outcome.name == "INSTRUMENT_NOT_FOUND"


def test_position_transfer_rejects_expired_instruments(scene: Scene, call: int) -> None:
    scene.wait(EXPIRY_NS)
    assert scene.position_transfer("ann", "bob", call, 1).name == "INSTRUMENT_EXPIRED"


@pytest.mark.parametrize("lots", [0, ORDER_LOTS_MAX + 1, (1 << 64) - 1])
def test_position_transfer_rejects_lots_out_of_range(scene: Scene, held: int, lots: int) -> None:
    assert scene.position_transfer("ann", "ann two", held, lots).name == "LOTS_OUT_OF_RANGE"


def test_position_transfer_rejects_recipients_that_are_none(scene: Scene, held: int) -> None:
    for recipient in (0, 99, scene.accounts["ann"]):
        command = PositionTransfer(*scene.header("ann"), recipient, held, 1)
        assert scene.submit(command, "ann").name == "RECIPIENT_INVALID"


def test_position_transfer_rejects_other_owners(scene: Scene, held: int) -> None:
    assert scene.position_transfer("ann", "bob", held, 1).name == "OWNER_MISMATCH"


def test_position_transfer_rejects_more_than_is_held(scene: Scene, held: int) -> None:
    assert scene.position_transfer("ann", "ann two", held, 11).name == "POSITION_TOO_SMALL"
    assert scene.position_transfer("ann two", "ann", held, 1).name == "POSITION_TOO_SMALL"


def test_position_transfer_rejects_a_recipient_full_of_instruments() -> None:
    scene = Scene(State)
    instrument_id = spec_scene(scene)
    world_of(scene).accounts.edit(
        scene.accounts["ann two"]
    ).positions_count = INSTRUMENTS_PER_ACCOUNT_MAX
    outcome = scene.position_transfer("ann", "ann two", instrument_id, 1)
    assert outcome.name == "INSTRUMENT_LIMIT"


def test_position_transfer_rejects_what_open_orders_could_carry_too_far() -> None:
    """For the sender its sells count, which could open more once the lots are gone."""
    scene = Scene(State)
    instrument_id = spec_scene(scene)
    scene.resting("ann two", instrument_id, BUY, MARK - 9, 1)
    world = world_of(scene)
    source, target = (
        world.positions.edit(world.accounts[scene.accounts[name]].positions_head)
        for name in ("ann", "ann two")
    )
    source.open_sell_lots = POSITION_LOTS_MAX + 1
    outcome = scene.position_transfer("ann", "ann two", instrument_id, 1)
    assert outcome.name == "POSITION_LIMIT"
    source.open_sell_lots = 0
    target.open_buy_lots = POSITION_LOTS_MAX
    outcome = scene.position_transfer("ann", "ann two", instrument_id, 1)
    assert outcome.name == "POSITION_LIMIT"


def test_position_transfer_rejects_what_the_recipient_cannot_carry(
    scene: Scene, perpetual: int
) -> None:
    scene.deposit("ann two", USDC, owner="ann")
    scene.resting("bob", perpetual, SELL, MARK, 1_000)
    scene.place("ann", perpetual, BUY, MARK, 1_000)
    outcome = scene.position_transfer("ann", "ann two", perpetual, 1_000)
    assert outcome.name == "INSUFFICIENT_MARGIN"
    assert scene.position_transfer("ann", "ann two", perpetual, 1).name == "INSUFFICIENT_MARGIN"
    scene.deposit("ann two", 20_000 * USDC)
    assert scene.position_transfer("ann", "ann two", perpetual, 1_000).is_applied


def test_position_transfer_rejects_taking_a_hedge_from_the_sender(
    scene: Scene, perpetual: int, call: int
) -> None:
    """Short calls against a long perpetual: without the perpetual they are naked."""
    scene.deposit("ann two", MILLION, owner="ann")
    scene.resting("bob", perpetual, SELL, MARK, 100_000)
    scene.place("ann", perpetual, BUY, MARK, 100_000)
    scene.resting("bob", call, BUY, 30_000, 1_000)
    assert scene.place("ann", call, SELL, 30_000, 1_000).is_applied
    withdraw_what_is_free(scene, "ann")
    outcome = scene.position_transfer("ann", "ann two", perpetual, 100_000)
    assert outcome.name == "INSUFFICIENT_MARGIN"


@pytest.mark.parametrize(("name", "sign"), [("ann", 1), ("bob", -1)])
def test_position_moves_at_the_mark(scene: Scene, held: int, name: str, sign: int) -> None:
    scene.wait(10**9)
    assert scene.publish_index(81_000_000_000).is_applied
    assert scene.remark_perpetual().is_applied
    before = money(scene)
    interest = instrument(scene, held).open_interest_lots
    cash = account(scene, name).cash_atoms
    assert scene.position_transfer(name, f"{name} two", held, 4).is_applied
    numbers = scene.accounts[name], scene.accounts[f"{name} two"]
    assert scene.events() == [PositionTransferred(*numbers, held, sign * 4, 8_100_000)]
    kept, moved = position(scene, name), position(scene, f"{name} two")
    assert kept and moved and (kept.lots, moved.lots) == (sign * 6, sign * 4)
    assert moved.entry_atoms == -sign * 4 * 8_100_000
    assert kept.entry_atoms == sign * (-10 * 8_000_000 + 4 * 8_100_000)
    assert scene.position_transfer(name, f"{name} two", held, 6).is_applied
    assert position(scene, name) is None, "nothing is left of it"
    assert account(scene, name).cash_atoms == cash + sign * 10 * 100_000, "its profit is cash"
    assert instrument(scene, held).open_interest_lots == interest
    assert money(scene) == before


def test_position_of_an_option_moves_its_premium(scene: Scene, call: int) -> None:
    scene.deposit("ann two", MILLION, owner="ann")
    scene.resting("bob", call, SELL, 30_000, 10)
    assert scene.place("ann", call, BUY, 30_000, 10).is_applied
    before = money(scene), account(scene, "ann").cash_atoms
    assert scene.position_transfer("ann", "ann two", call, 10).is_applied
    (event,) = scene.events()
    assert isinstance(event, PositionTransferred) and event.mark_atoms > 0
    paid = MILLION - account(scene, "ann two").cash_atoms
    assert paid == 10 * event.mark_atoms
    assert (money(scene), account(scene, "ann").cash_atoms) == (before[0], before[1] + paid)


def test_position_that_meets_its_opposite_closes_both(scene: Scene, held: int) -> None:
    scene.resting("bob", held, BUY, MARK, 10)
    assert scene.place("ann two", held, SELL, MARK, 10).is_applied
    before = money(scene)
    assert scene.position_transfer("ann", "ann two", held, 10).is_applied
    assert (position(scene, "ann"), position(scene, "ann two")) == (None, None)
    assert money(scene) == before
    assert instrument(scene, held).open_interest_lots == 0


def test_account_below_margin_can_move_a_position_that_reduces(scene: Scene, held: int) -> None:
    """Ann sinks below initial margin; what she moves away makes no scenario worse."""
    scene.resting("bob", held, SELL, MARK, 1_000)
    scene.place("ann", held, BUY, MARK, 1_000)
    scene.deposit("ann two", 100_000 * USDC)
    withdraw_what_is_free(scene, "ann")
    scene.wait(10**9)
    assert scene.publish_index(79_000_000_000).is_applied
    assert scene.remark_perpetual().is_applied
    assert scene.withdraw("ann", 1).name == "INSUFFICIENT_MARGIN"
    assert scene.position_transfer("ann", "ann two", held, 5).is_applied


def withdraw_what_is_free(scene: Scene, name: str) -> None:
    """Leave an account with nothing beyond its initial margin."""
    for power in reversed(range(40)):
        scene.withdraw(name, 1 << power)


def world_of(scene: Scene) -> World:
    state = scene.engine
    assert isinstance(state, State)
    return state.world


def spec_scene(scene: Scene) -> int:
    """Ann long one lot, with a second account; on the spec, whose records a test may change."""
    for name, owner in (("ann", ""), ("bob", ""), ("ann two", "ann")):
        scene.deposit(name, MILLION, owner=owner)
    perpetual = scene.open_perpetual()
    scene.resting("bob", perpetual, SELL, MARK, 1)
    assert scene.place("ann", perpetual, BUY, MARK, 1).is_applied
    return perpetual
