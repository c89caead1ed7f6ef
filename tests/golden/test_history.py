"""Every story of the vectors as transactions: they add up to the state, and each says why."""

import json
from pathlib import Path
from typing import Any

import pytest

from proofbook.history.journal_reader import Read
from proofbook.history.projection import Projection, Rows
from proofbook.history.reasons import Kind
from proofbook.kernel import Kernel
from proofbook.protocol.limits import FIRST_USER_ACCOUNT, ArenaId, Side
from proofbook.protocol.records import AccountRecord
from proofbook.simulator.scene import CHAIN_ID, CONTRACT, SPOT_ATOMS, USDC, Scene

TRANSITIONS = sorted((Path(__file__).resolve().parents[2] / "vectors/transition").glob("*.json"))
MARK, LOTS = 800_000, 500_000
Transaction = tuple[Any, ...]
Balances = dict[tuple[int, int], int]


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def balances_of(kernel: Kernel) -> Balances:
    """Return what the state says accounts have of each token, zeros left out."""
    balances: Balances = {}
    account = 1
    while True:
        record = AccountRecord.unpack(kernel.read(ArenaId.ACCOUNTS, account))
        if account >= FIRST_USER_ACCOUNT and record.owner == bytes(20):
            return balances
        for token, atoms in enumerate((record.cash_atoms, *record.balances_atoms)):
            if atoms:
                balances[account, token] = atoms
        account += 1


def shortfall_story() -> Scene:
    """Ann owes what nobody pays: the fund does, then the fees, then who withdraws."""
    scene = Scene(Kernel)
    for name in ("ann", "bob", "cid"):
        scene.deposit(name, 1_000_000 * USDC)
    perpetual = scene.open_perpetual()
    scene.resting("bob", perpetual, Side.SELL, MARK, LOTS)
    scene.place("ann", perpetual, Side.BUY, MARK, LOTS)
    scene.publish_index(SPOT_ATOMS // 2)
    scene.remark_perpetual()
    scene.transfer("bob", "cid", 2_500_000 * USDC)
    assert scene.start_auction("ann").is_applied
    assert scene.deleverage("ann", perpetual).is_applied
    assert scene.withdraw("cid", 300_000 * USDC).is_applied
    return scene


def vector(path: Path) -> tuple[Kernel, list[bytes]]:
    story: dict[str, Any] = json.loads(path.read_text())
    kernel = Kernel(unhex(story["genesis"]), story["chain_id"], unhex(story["contract"]))
    return kernel, [unhex(row["entry"]) for row in story["entries"]]


def transactions_of(kernel: Kernel, entries: list[bytes]) -> list[Transaction]:
    """Return the transactions of a story, having compared their sums after every entry."""
    projection = Projection(kernel)
    sums: Balances = {}
    told: list[Transaction] = []
    for seq, entry in enumerate(entries, 1):
        rows = Rows()
        projection.take(Read(seq, entry, bytes(32), bytes(32)), rows)
        for transaction in rows.tables.get("transactions", []):
            _, account, _, _, _, token, amount_atoms, balance_atoms = transaction
            sums[account, token] = sums.get((account, token), 0) + amount_atoms
            assert sums[account, token] == balance_atoms
            told.append(transaction)
        assert {key: atoms for key, atoms in sums.items() if atoms} == balances_of(kernel), seq
    return told


@pytest.fixture(scope="module")
def transactions() -> dict[str, list[Transaction]]:
    told = {path.stem: transactions_of(*vector(path)) for path in TRANSITIONS}
    scene = shortfall_story()
    kernel = Kernel(scene.genesis, CHAIN_ID, CONTRACT)
    return told | {"shortfall": transactions_of(kernel, scene.entries)}


def test_transactions_of_every_story_say_why(transactions: dict[str, list[Transaction]]) -> None:
    unknown = {
        (story, f"entry {told[0]}", told[4])
        for story, rows in transactions.items()
        for told in rows
        if told[4] not in set(Kind)
    }
    assert unknown == set(), "map the event that explains it in src/proofbook/history/reasons.py"


def test_every_reason_happens_in_some_story(transactions: dict[str, list[Transaction]]) -> None:
    happened = {told[4] for rows in transactions.values() for told in rows}
    assert sorted(happened) == sorted(Kind), "add a story, or to an existing one"
