"""Deposits and withdrawals: who is credited, what goes back, what may leave."""

import pytest

from proofbook.protocol.commands import Deposit
from proofbook.protocol.entry import Entry
from proofbook.protocol.events import Deposited, WithdrawalQueued
from proofbook.protocol.hashing import keccak, root_from_proof, zero_subtrees
from proofbook.protocol.limits import AMOUNT_ATOMS_MAX, Side
from proofbook.simulator.inspection import account, header, money, position
from proofbook.simulator.scene import USDC, Scene, key_of
from proofbook.simulator.workload import address_of

OWNER = address_of(key_of("dan"))


def test_deposit_makes_the_next_account(empty: Scene) -> None:
    assert empty.submit(Deposit(3, OWNER, 0, 0, 5)).is_applied
    event = empty.events()[0]
    assert event == Deposited(3, OWNER, 0, 5, 1)
    assert header(empty).custody_atoms == 5


def test_deposit_to_an_existing_account_adds_up(empty: Scene) -> None:
    empty.deposit("ann", 5)
    empty.deposit("ann", 6)
    assert account(empty, "ann").cash_atoms == 11


@pytest.mark.parametrize(
    "command",
    [
        Deposit(4, OWNER, 0, 0, 5),
        Deposit(1, OWNER, 0, 0, 5),
        Deposit(3, OWNER, 0, 1, 5),
        Deposit(3, OWNER, 0, 0, AMOUNT_ATOMS_MAX + 1),
    ],
    ids=["number skipped", "reserved account", "unknown token", "too much"],
)
def test_deposit_that_cannot_be_credited_goes_back(empty: Scene, command: Deposit) -> None:
    assert empty.submit(command).is_applied, "a deposit is never rejected"
    event = empty.events()[0]
    assert event == WithdrawalQueued(0, command.token, OWNER, command.amount_atoms, 0)
    assert header(empty).custody_atoms == 0


def test_deposit_for_another_owner_goes_back(scene: Scene) -> None:
    scene.submit(Deposit(scene.accounts["ann"], OWNER, 0, 0, 5))
    assert isinstance(scene.events()[0], WithdrawalQueued)
    assert account(scene, "ann").cash_atoms == 1_000_000 * USDC


def test_deposits_that_go_back_do_not_shut_out_later_ones(empty: Scene) -> None:
    """Found by reading: what went back once counted against the bound for good."""
    empty.submit(Deposit(3, OWNER, 0, 1, (1 << 64) - 1))
    empty.submit(Deposit(9, OWNER, 0, 0, AMOUNT_ATOMS_MAX))
    assert empty.deposit("ann", 5) == 3
    assert account(empty, "ann").cash_atoms == 5
    record = header(empty)
    assert record.deposits_atoms - record.withdrawals_atoms == record.custody_atoms == 5


def test_inbox_hash_is_a_chain_over_requests(empty: Scene) -> None:
    chain = bytes(32)
    for amount in (5, 6):
        command = Deposit(3, OWNER, 0, 0, amount)
        empty.submit(command)
        chain = keccak(chain + keccak(b"\x01" + command.body()))
    assert (header(empty).inbox_position, header(empty).inbox_hash) == (2, chain)


def test_withdraw_rejects_other_tokens(scene: Scene) -> None:
    assert scene.withdraw("ann", 1, token=1).name == "TOKEN_NOT_SUPPORTED"


@pytest.mark.parametrize("amount", [0, AMOUNT_ATOMS_MAX + 1, (1 << 64) - 1])
def test_withdraw_rejects_amount_out_of_range(scene: Scene, amount: int) -> None:
    assert scene.withdraw("ann", amount).name == "AMOUNT_OUT_OF_RANGE"


def test_withdraw_rejects_the_zero_address(scene: Scene) -> None:
    assert scene.withdraw("ann", 1, recipient=bytes(20)).name == "RECIPIENT_INVALID"


def test_withdraw_rejects_more_than_the_cash(scene: Scene) -> None:
    assert scene.withdraw("ann", 1_000_000 * USDC + 1).name == "INSUFFICIENT_BALANCE"
    assert scene.withdraw("ann", 1_000_000 * USDC).is_applied


def test_withdraw_rejects_what_margin_needs(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, Side.SELL, 800_000, 100_000)
    scene.place("ann", perpetual, Side.BUY, 800_000, 100_000)
    margin = 800_000 * 1_000_000 * 17 // 100
    fee = 800_000 * 1_000_000 * 4 // 10_000
    free = 1_000_000 * USDC - fee - margin
    assert scene.withdraw("ann", free + 1).name == "INSUFFICIENT_MARGIN"
    assert scene.withdraw("ann", free).is_applied


def test_withdraw_settles_variation_first(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, Side.SELL, 800_000, 10)
    scene.place("ann", perpetual, Side.BUY, 800_000, 10)
    scene.wait(10**9)
    assert scene.publish_index(81_000_000_000).is_applied
    assert scene.remark_perpetual().is_applied
    before = money(scene)
    assert scene.withdraw("ann", USDC).is_applied
    held = position(scene, "ann")
    assert held and held.entry_atoms == -10 * 8_100_000, "the entry stands at the mark"
    fee = 800_000 * 100 * 400 // 10**6
    assert account(scene, "ann").cash_atoms == 1_000_000 * USDC - fee + 1_000_000 - USDC
    assert money(scene) == before - USDC


def test_rejected_withdrawal_writes_nothing_but_its_nonce(scene: Scene) -> None:
    before, total = header(scene), money(scene)
    scene.withdraw("ann", 1 << 59)
    after = header(scene)
    assert (after.withdrawal_root, after.custody_atoms) == (
        before.withdrawal_root,
        before.custody_atoms,
    )
    assert money(scene) == total


def test_withdrawal_root_opens_every_leaf(scene: Scene) -> None:
    for amount in (10, 20, 30, 40, 50):
        assert scene.withdraw("ann", amount).is_applied
    leaves = [
        keccak(i.to_bytes(8, "big") + b"\x00" + b"\x07" * 20 + (10 * i + 10).to_bytes(16, "big"))
        for i in range(5)
    ]
    zeros = zero_subtrees(32)
    levels = [leaves]
    for height in range(32):
        padded = [*levels[-1], zeros[height]]
        levels.append([keccak(padded[i] + padded[i + 1]) for i in range(0, len(padded) - 1, 2)])
    for index, leaf in enumerate(leaves):
        siblings = []
        for height in range(32):
            place = (index >> height) ^ 1
            siblings.append(levels[height][place] if place < len(levels[height]) else zeros[height])
        assert root_from_proof(leaf, index, siblings) == header(scene).withdrawal_root


def test_deposit_with_a_wrong_stamp_is_credited_and_counted_as_void(scene: Scene) -> None:
    """Found by reading: a sequencer could have burnt a deposit by posting it out of order."""
    before = header(scene)
    command = Deposit(scene.accounts["ann"], address_of(key_of("ann")), 0, 0, 5)
    stale = Entry(scene.window_ns - 1, scene.window_ns - 1, command)
    assert scene.submit_bytes(stale.encode()).is_applied
    after = header(scene)
    assert account(scene, "ann").cash_atoms == 1_000_000 * USDC + 5
    assert after.void_count == before.void_count + 1
    assert after.inbox_position == before.inbox_position + 1
    assert after.window_ns == before.window_ns
