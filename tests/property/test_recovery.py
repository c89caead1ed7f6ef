"""A venue that comes back, by a snapshot or not, is the one that saw event after event."""

from pathlib import Path
from random import Random

import pytest
from tests.journals import kernel_at_genesis, workload_entries, write_journal

from proofbook.protocol.commands import Tick
from proofbook.queries.views import account_view, book_view
from proofbook.recovery.derived import Derived, KeptMost
from proofbook.recovery.recover import recover
from proofbook.recovery.snapshot_file import snapshot_paths
from proofbook.recovery.snapshotter import SnapshotSettings, Snapshotter
from proofbook.sequencer.journal import Journal

ENTRIES = 5_000
BOOK_LEVELS = 10
CUTS = 3


def recovered(folder: Path, genesis: bytes, snapshots: Path | None) -> Derived:
    with Journal(folder / "journal") as journal:
        return recover(kernel_at_genesis(genesis), journal, snapshots)


def take_snapshots(folder: Path, snapshots: Path, genesis: bytes, every: int) -> None:
    settings = SnapshotSettings(folder / "journal", snapshots, every, kept=1)
    snapshotter = Snapshotter(settings, kernel_at_genesis(genesis))
    while snapshotter.step():
        pass
    snapshotter.close()
    assert len(snapshot_paths(snapshots)) == 1


def due(derived: Derived, now_ns: int) -> set[object]:
    """Return what is due; with which of an account's orders a sweep begins is all the same."""
    commands = derived.keeper.due(now_ns)
    return {Tick(each.account, 0) if isinstance(each, Tick) else each for each in commands}


def assert_same(one: Derived, other: Derived) -> None:
    assert one.engine.root() == other.engine.root()
    assert one.engine.seq == other.engine.seq
    assert one.keep() == other.keep()
    for instrument in one.models.instruments:
        views = [book_view(each.models, instrument, BOOK_LEVELS) for each in (one, other)]
        assert views[0] == views[1]
    accounts = {account for account, _, _ in one.feeds.keep().notices if account}
    for account in accounts:
        assert account_view(one.models, account) == account_view(other.models, account)
    now_ns = one.models.window_ns + 10**12
    assert due(one, now_ns) == due(other, now_ns)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_snapshot_and_tail_lead_where_the_journal_leads(seed: int, tmp_path: Path) -> None:
    genesis, entries = workload_entries(seed, ENTRIES)
    write_journal(tmp_path / "journal", entries, seed)
    random = Random(seed)
    for number in range(CUTS):
        snapshots = tmp_path / f"snapshots {number}"
        take_snapshots(tmp_path, snapshots, genesis, random.randint(ENTRIES // 20, ENTRIES - 1))
        assert_same(recovered(tmp_path, genesis, snapshots), recovered(tmp_path, genesis, None))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_entries_executed_in_one_go_lead_where_they_lead_one_by_one(
    seed: int, tmp_path: Path
) -> None:
    genesis, entries = workload_entries(seed, ENTRIES)
    write_journal(tmp_path / "journal", entries, seed)
    most = Random(seed).choice([KeptMost(), KeptMost(notices=200, results=100)])
    derived = Derived(kernel_at_genesis(genesis), most)
    derived.replay(entries)
    derived.models.books.count_changes_from(len(entries))
    with Journal(tmp_path / "journal") as journal:
        at_once = recover(kernel_at_genesis(genesis), journal, None, most)
    assert_same(at_once, derived)
