"""Tokens beside USDC: who is credited, what they cover, what may leave, what the governor sets."""

from dataclasses import replace

import pytest
from tests.unit.spec.conftest import ENGINES

from proofbook.protocol.commands import Deposit, SetToken
from proofbook.protocol.events import Deposited, TokenChanged, Transferred, WithdrawalQueued
from proofbook.protocol.limits import AMOUNT_ATOMS_MAX, FRACTION_ONE_PPM, Side
from proofbook.simulator.inspection import account, header, token
from proofbook.simulator.scene import SPOT_ATOMS, UNBOUND, USDC, WBTC, Scene, key_of
from proofbook.simulator.workload import address_of

BITCOIN = 10**8
LOTS_PER_BITCOIN = 10_000
MARK = 800_000
INDEBTED = replace(UNBOUND, debt_account_usd=2_000_000)
PRICE = SPOT_ATOMS
"""Of a bitcoin, in quote atoms."""


@pytest.fixture(params=list(ENGINES))
def scene(request: pytest.FixtureRequest) -> Scene:
    """A venue that takes bitcoin, where ann has 2 of it and bob a million USDC."""
    scene = Scene(ENGINES[request.param], tokens=(WBTC,), parameters=INDEBTED)
    scene.deposit("ann", 2 * BITCOIN, token=1)
    scene.deposit("bob", 1_000_000 * USDC)
    return scene


def balances(scene: Scene, name: str) -> tuple[int, int]:
    record = account(scene, name)
    return record.cash_atoms, record.balances_atoms[0]


def short(scene: Scene, name: str, lots: int) -> int:
    """Have a trader sell lots of the perpetual at the mark; return its id."""
    perpetual = scene.open_perpetual()
    scene.resting("bob", perpetual, Side.BUY, MARK, lots)
    outcome = scene.place(name, perpetual, Side.SELL, MARK, lots)
    assert outcome.is_applied, outcome.name
    return perpetual


def fee_of(lots: int) -> int:
    """Return what a taker pays for lots of the perpetual, in quote atoms."""
    return lots * PRICE // LOTS_PER_BITCOIN * 400 // FRACTION_ONE_PPM


# Deposits


def test_a_deposit_of_a_token_is_credited_and_counted(scene: Scene) -> None:
    assert balances(scene, "ann") == (0, 2 * BITCOIN)
    record = token(scene, 1)
    assert (record.deposits_atoms, record.custody_atoms) == (2 * BITCOIN, 2 * BITCOIN)
    assert header(scene).custody_atoms == 1_000_000 * USDC, "USDC is counted by itself"


def test_a_deposit_of_a_token_makes_the_next_account(scene: Scene) -> None:
    owner = address_of(key_of("cid"))
    assert scene.submit(Deposit(5, owner, 0, 1, 7)).is_applied
    assert scene.events() == [Deposited(5, owner, 1, 7, 1)]


def test_deposits_go_up_to_the_cap_and_go_back_above_it(scene: Scene) -> None:
    room = WBTC.cap_atoms - 2 * BITCOIN
    bob, owner = scene.accounts["bob"], address_of(key_of("bob"))
    scene.submit(Deposit(bob, owner, 0, 1, room + 1))
    assert scene.events() == [WithdrawalQueued(0, 1, owner, room + 1, 0)]
    scene.submit(Deposit(bob, owner, 0, 1, room))
    assert balances(scene, "bob") == (1_000_000 * USDC, room)
    scene.submit(Deposit(bob, owner, 0, 1, 1))
    assert scene.events() == [WithdrawalQueued(1, 1, owner, 1, 0)]


@pytest.mark.parametrize("number", [2, 3, 4, 255])
def test_a_token_that_the_venue_does_not_take_goes_back(scene: Scene, number: int) -> None:
    bob, owner = scene.accounts["bob"], address_of(key_of("bob"))
    assert scene.submit(Deposit(bob, owner, 0, number, 9)).is_applied
    assert scene.events() == [WithdrawalQueued(0, number, owner, 9, 0)]


# Withdrawals and transfers


@pytest.mark.parametrize("number", [2, 3, 4, 255])
def test_withdraw_and_transfer_reject_tokens_that_the_venue_does_not_take(
    scene: Scene, number: int
) -> None:
    assert scene.withdraw("ann", 1, token=number).name == "TOKEN_NOT_SUPPORTED"
    assert scene.transfer("ann", "bob", 1, token=number).name == "TOKEN_NOT_SUPPORTED"


@pytest.mark.parametrize("amount", [0, AMOUNT_ATOMS_MAX + 1])
def test_withdraw_rejects_amounts_of_a_token_out_of_range(scene: Scene, amount: int) -> None:
    assert scene.withdraw("ann", amount, token=1).name == "AMOUNT_OUT_OF_RANGE"


def test_withdraw_rejects_more_of_a_token_than_the_balance(scene: Scene) -> None:
    assert scene.withdraw("ann", 2 * BITCOIN + 1, token=1).name == "INSUFFICIENT_BALANCE"
    assert scene.withdraw("bob", 1, token=1).name == "INSUFFICIENT_BALANCE", "USDC is no bitcoin"
    assert scene.withdraw("ann", 1).name == "INSUFFICIENT_BALANCE", "nor is bitcoin USDC"


def test_a_withdrawal_of_a_token_leaves_under_its_number(scene: Scene) -> None:
    assert scene.withdraw("ann", BITCOIN, b"\x05" * 20, token=1).is_applied
    ann = scene.accounts["ann"]
    assert scene.events() == [WithdrawalQueued(0, 1, b"\x05" * 20, BITCOIN, ann)]
    record = token(scene, 1)
    assert (record.withdrawals_atoms, record.custody_atoms) == (BITCOIN, BITCOIN)
    assert balances(scene, "ann") == (0, BITCOIN)
    assert scene.withdraw("ann", BITCOIN, token=1).is_applied, "without debts all of it may go"


def test_a_withdrawal_makes_room_under_the_cap(scene: Scene) -> None:
    scene.deposit("bob", WBTC.cap_atoms - 2 * BITCOIN, token=1)
    assert scene.withdraw("ann", 5, token=1).is_applied
    scene.deposit("bob", 5, token=1)
    assert isinstance(scene.events()[0], Deposited)


def test_a_transfer_moves_a_token(scene: Scene) -> None:
    assert scene.transfer("ann", "bob", BITCOIN, token=1).is_applied
    moved = Transferred(scene.accounts["ann"], scene.accounts["bob"], 1, BITCOIN)
    assert scene.events() == [moved]
    assert balances(scene, "ann") == (0, BITCOIN)
    assert balances(scene, "bob") == (1_000_000 * USDC, BITCOIN)
    assert scene.transfer("ann", "bob", BITCOIN + 1, token=1).name == "INSUFFICIENT_BALANCE"


def test_withdraw_rejects_a_token_that_margin_needs(scene: Scene) -> None:
    short(scene, "ann", LOTS_PER_BITCOIN)
    assert scene.withdraw("ann", 2 * BITCOIN, token=1).name == "INSUFFICIENT_MARGIN"
    assert scene.transfer("ann", "bob", 2 * BITCOIN, token=1).name == "INSUFFICIENT_MARGIN"
    assert scene.withdraw("ann", BITCOIN, token=1).is_applied, "the other one covers the position"


def test_usdc_can_be_withdrawn_only_as_far_as_the_venue_holds_it(scene: Scene) -> None:
    """A buyer pays with a debt more than there is: the seller waits until it is repaid."""
    call = scene.open_option()
    scene.publish_index()
    scene.deposit("ann", 100 * BITCOIN, token=1)
    scene.resting("bob", call, Side.SELL, 1_500_000, 1_000)
    assert scene.place("ann", call, Side.BUY, 1_500_000, 1_000).is_applied
    assert account(scene, "ann").cash_atoms < -1_500_000 * USDC
    held = header(scene).custody_atoms
    assert held == 1_000_000 * USDC
    assert scene.withdraw("bob", held + 1).name == "LIQUIDITY_INSUFFICIENT"
    assert scene.withdraw("bob", held).is_applied
    assert scene.withdraw("bob", 1).name == "LIQUIDITY_INSUFFICIENT"
    scene.deposit("ann", 400_000 * USDC)
    assert scene.withdraw("bob", 400_000 * USDC).is_applied


# Margin


def test_a_token_covers_what_is_short_of_it(scene: Scene) -> None:
    """Two bitcoin against two short: no move of the price is a loss, whatever it is."""
    perpetual = short(scene, "ann", 2 * LOTS_PER_BITCOIN)
    for price in (95_000_000_000, 300_000_000_000, 20_000_000_000):
        scene.wait(10**9)
        assert scene.publish_index(price).is_applied
        assert scene.remark_perpetual().is_applied
        assert scene.place("ann", perpetual, Side.SELL, price // 100_000, 1).is_applied
        scene.cancel_all("ann")


def test_a_haircut_is_taken_off_the_value_at_the_index(scene: Scene) -> None:
    """Of x bitcoin that go, equity loses 95 % of the value, and the short position its cover."""
    short(scene, "ann", LOTS_PER_BITCOIN)
    assert scene.withdraw("ann", BITCOIN, token=1).is_applied, "what is left covers the position"
    counted = PRICE * (FRACTION_ONE_PPM - WBTC.haircut_ppm) // FRACTION_ONE_PPM
    basis = PRICE // 100  # of the perpetual against the index
    equity = counted - fee_of(LOTS_PER_BITCOIN) - basis
    free = equity * BITCOIN // (counted + PRICE * 16 // 100)
    assert scene.withdraw("ann", free + 1, token=1).name == "INSUFFICIENT_MARGIN"
    assert scene.withdraw("ann", free, token=1).is_applied


def test_a_token_counts_for_nothing_before_its_index_is_known(scene: Scene) -> None:
    call = scene.open_option()
    assert scene.place("ann", call, Side.SELL, 30_000, 1).name == "INSUFFICIENT_MARGIN"
    assert scene.publish_index().is_applied
    assert scene.place("ann", call, Side.SELL, 30_000, 1).is_applied


# The governor


def test_the_governor_changes_haircut_and_cap_at_once(scene: Scene) -> None:
    short(scene, "ann", LOTS_PER_BITCOIN)
    version = header(scene).parameter_version
    assert scene.submit(SetToken(1, 2, FRACTION_ONE_PPM, BITCOIN)).is_applied
    assert scene.events() == [TokenChanged(1, 2)]
    record = token(scene, 1)
    assert (record.version, record.haircut_ppm, record.cap_atoms) == (2, FRACTION_ONE_PPM, BITCOIN)
    assert header(scene).parameter_version == version + 1
    assert scene.withdraw("ann", 1, token=1).name == "INSUFFICIENT_MARGIN", "nothing of it counts"
    bob, owner = scene.accounts["bob"], address_of(key_of("bob"))
    scene.submit(Deposit(bob, owner, 0, 1, 1))
    assert isinstance(scene.events()[0], WithdrawalQueued), "the cap is below what is there"


@pytest.mark.parametrize("number", [0, 2, 255])
def test_set_token_rejects_tokens_that_have_no_terms(scene: Scene, number: int) -> None:
    assert scene.submit(SetToken(number, 2, 0, 0)).name == "TOKEN_NOT_SUPPORTED"


@pytest.mark.parametrize("version", [0, 1, 3])
def test_set_token_rejects_a_version_that_is_not_the_next(scene: Scene, version: int) -> None:
    assert scene.submit(SetToken(1, version, 0, 0)).name == "VERSION_MISMATCH"


@pytest.mark.parametrize(
    "unsound", [SetToken(1, 2, FRACTION_ONE_PPM + 1, 0), SetToken(1, 2, 0, AMOUNT_ATOMS_MAX + 1)]
)
def test_set_token_rejects_what_genesis_refuses(scene: Scene, unsound: SetToken) -> None:
    before = token(scene, 1).pack()
    assert scene.submit(unsound).name == "PARAMETERS_INVALID"
    assert token(scene, 1).pack() == before
