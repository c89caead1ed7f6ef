"""However often it was interrupted, a followed history equals one that is written anew."""

from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import pytest
from tests.unit.history.stage import (
    Server,
    append,
    contents,
    identity_of,
    projector_of,
    stream,
)

from proofbook.history.database import Database
from proofbook.history.errors import DatabaseFailed
from proofbook.history.projector import catch_up, follow
from proofbook.history.setting import open_database
from proofbook.history.tables import TABLES
from proofbook.kernel import Kernel
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import ArenaId
from proofbook.protocol.records import AccountRecord, PositionRecord
from proofbook.simulator.workload import CHAIN_ID, CONTRACT

ENTRIES = 500
KINDS = ["sqlite", "postgresql"]


def groups_of(entries: tuple[bytes, ...], random: Random) -> list[list[bytes]]:
    groups: list[list[bytes]] = []
    rest = list(entries)
    while rest:
        size = random.randint(1, 12)
        groups.append(rest[:size])
        rest = rest[size:]
    return groups


def setting_of(kind: str, folder: Path, server: Server) -> str:
    return str(folder / "history.db") if kind == "sqlite" else server.new_database()


class Unreliable:
    """Makes a database fail within a transaction, or just after it was committed."""

    def __init__(self, database: Database, random: Random) -> None:
        self.database = database
        dialect, self.insert = database.dialect, database.dialect.insert
        self.left = random.randint(0, 12)
        dialect.insert = self._insert  # type: ignore[method-assign]
        self.is_late = random.random() < 0.4

    def _insert(self, *arguments: Any) -> None:
        if not self.is_late and self.left == 0:
            raise self.database.dialect.errors[0]("the line was cut")
        self.left -= 1
        self.insert(*arguments)

    def write(self, *arguments: Any) -> None:
        Database.write(self.database, *arguments)
        if self.is_late and self.left < 0:
            raise DatabaseFailed("write", "committed, but the answer was lost")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_history_followed_with_interruptions_equals_one_written_anew(
    kind: str, seed: int, tmp_path: Path, server: Server
) -> None:
    random = Random(seed)
    genesis, entries = stream(seed, ENTRIES)
    groups = groups_of(entries, random)
    journal, setting = tmp_path / "journal", setting_of(kind, tmp_path, server)
    failures, projector, failures_left = 0, None, True
    while groups or projector is None or projector.seq < ENTRIES or failures_left:
        size = random.randint(1, 25)
        if groups:
            append(journal, groups[:size])
            groups = groups[size:]
        if projector is None or random.random() < 0.3:
            projector = projector_of(journal, genesis)  # killed, and started again
        with open_database(setting) as database:
            failures_left = random.random() < 0.6
            if failures_left:
                database.write = Unreliable(database, random).write  # type: ignore[method-assign]
            try:
                catch_up(projector, database)
            except DatabaseFailed:
                failures += 1
    assert failures > 0, "nothing was interrupted"
    with open_database(setting) as database:
        catch_up(projector, database)
        followed = contents(database)
        database.reset()
        assert sum(map(len, contents(database).values())) == 0
        catch_up(projector_of(journal, genesis), database)
        assert contents(database) == followed
    with open_database(str(tmp_path / "other.db")) as other:
        catch_up(projector_of(journal, genesis), other)
        assert contents(other) == followed, "both databases hold the same"
    assert [row[0] for row in followed["entries"]] == list(range(1, ENTRIES + 1))
    assert all(followed[name] for name in TABLES if name != "leg_fills")


@pytest.mark.parametrize("seed", [3, 4])
def test_transactions_add_up_to_the_state_at_every_checked_entry(seed: int, tmp_path: Path) -> None:
    genesis, entries = stream(seed, 1_500)
    append(tmp_path / "journal", [list(entries)])
    with open_database(str(tmp_path / "history.db")) as database:
        catch_up(projector_of(tmp_path / "journal", genesis), database)
        rows = contents(database)
    kernel = Kernel(genesis, CHAIN_ID, CONTRACT)
    sums: dict[tuple[int, int], int] = {}
    shown: dict[tuple[int, int], int] = {}
    held: dict[tuple[int, int], tuple[int, int]] = {}
    transactions, positions = iter(rows["transactions"]), iter(rows["positions"])
    transaction, position = next(transactions, None), next(positions, None)
    for seq, entry in enumerate(entries, 1):
        kernel.apply([entry])
        while transaction is not None and transaction[0] == seq:
            _, account, _, _, _, token, amount, balance = transaction
            sums[account, token] = sums.get((account, token), 0) + amount
            shown[account, token] = balance
            transaction = next(transactions, None)
        while position is not None and position[0] == seq:
            _, account, instrument, _, lots, entry_atoms = position
            held[account, instrument_slot(instrument)] = lots, entry_atoms
            position = next(positions, None)
        if seq % 20 == 0:
            balances, holdings = state_of(kernel)
            assert {key: atoms for key, atoms in sums.items() if atoms} == balances, seq
            assert {key: atoms for key, atoms in shown.items() if atoms} == balances, seq
            assert {key: both for key, both in held.items() if both != (0, 0)} == holdings, seq
    assert transaction is position is None


Balances = dict[tuple[int, int], int]
Holdings = dict[tuple[int, int], tuple[int, int]]


def state_of(kernel: Kernel) -> tuple[Balances, Holdings]:
    """Return what the state says accounts hold, zeros left out."""
    balances: Balances = {}
    holdings: Holdings = {}
    account = 1
    while True:
        record = AccountRecord.unpack(kernel.read(ArenaId.ACCOUNTS, account))
        if account > 2 and record.owner == bytes(20):
            return balances, holdings
        for token, atoms in enumerate((record.cash_atoms, *record.balances_atoms)):
            if atoms:
                balances[account, token] = atoms
        slot = record.positions_head
        while slot:
            position = PositionRecord.unpack(kernel.read(ArenaId.POSITIONS, slot))
            if (position.lots, position.entry_atoms) != (0, 0):
                holdings[account, position.instrument] = position.lots, position.entry_atoms
            slot = position.next_in_account
        account += 1


@pytest.mark.parametrize("kind", KINDS)
def test_who_reads_while_it_is_written_sees_whole_entries(
    kind: str, tmp_path: Path, server: Server
) -> None:
    genesis, entries = stream(1, ENTRIES)
    journal, setting = tmp_path / "journal", setting_of(kind, tmp_path, server)
    groups = groups_of(entries, Random(5))
    append(journal, groups[:1])
    stop, projector = Event(), projector_of(journal, genesis)
    thread = Thread(target=follow, args=(projector, lambda: open_database(setting), stop))
    question = (
        "SELECT (SELECT seq FROM progress), (SELECT COUNT(*) FROM entries), "
        "(SELECT COALESCE(MAX(seq), 0) FROM transactions)"
    )
    seen = set[int]()
    thread.start()
    try:
        for place in range(1, len(groups) + 1, 4):
            append(journal, groups[place : place + 4])
            with open_database(setting) as database:
                ((seq, count, transaction_seq),) = database.select(question)
            assert count == seq and transaction_seq <= seq
            seen.add(seq)
        while seq < ENTRIES:
            with open_database(setting) as database:
                ((seq, count, _),) = database.select(question)
            assert count == seq
            seen.add(seq)
    finally:
        stop.set()
        thread.join()
    assert len(seen) > 1


def test_database_that_comes_late_delays_nothing_but_the_history(tmp_path: Path) -> None:
    genesis, entries = stream(1, ENTRIES)
    append(tmp_path / "journal", [list(entries)])
    stop, attempts = Event(), []

    def open_late() -> Database:
        attempts.append(1)
        if len(attempts) < 3:
            raise DatabaseFailed("connect", "nobody listens")
        return open_database(str(tmp_path / "history.db"))

    def stop_at_end(seq: int) -> None:
        if seq == ENTRIES:
            stop.set()

    follow(projector_of(tmp_path / "journal", genesis), open_late, stop, stop_at_end)
    with open_database(str(tmp_path / "history.db")) as database:
        assert (database.position().seq, len(attempts)) == (ENTRIES, 3)
        assert database.identity() == identity_of(genesis)
