"""Snapshots that do not hold good are named and passed over; a journal behind one is a fault."""

import errno
import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import structlog
from tests.journals import kernel_at_genesis, workload_entries, write_journal

from proofbook.recovery.derived import Derived
from proofbook.recovery.errors import JournalBehindSnapshot, SnapshotDamaged, SnapshotUnwritable
from proofbook.recovery.recover import recover, restore_state
from proofbook.recovery.snapshot_file import (
    CHECKSUM_BYTES,
    PART_SUFFIX,
    Place,
    read_head,
    read_snapshot,
    remove_old,
    snapshot_paths,
    write_snapshot,
)
from proofbook.recovery.snapshotter import SnapshotSettings, Snapshotter
from proofbook.sequencer.journal import Journal
from proofbook.simulator.workload import CHAIN_ID, CONTRACT
from proofbook.spec import State

ENTRIES, EVERY = 1_200, 400
SEED = 4


class Venue:
    """A journal, and the snapshots that were taken of it."""

    def __init__(self, folder: Path, seed: int = SEED, kept: int = 3) -> None:
        self.journal, self.snapshots = folder / "journal", folder / "snapshots"
        self.genesis, self.entries = workload_entries(seed, ENTRIES)
        write_journal(self.journal, self.entries)
        self.settings = SnapshotSettings(self.journal, self.snapshots, EVERY, kept)

    def take(self) -> None:
        snapshotter = Snapshotter(self.settings, kernel_at_genesis(self.genesis))
        while snapshotter.step():
            pass
        snapshotter.close()

    def recover(self) -> tuple[Derived, list[tuple[str, str]]]:
        """Return what comes back, and event and fault of every line about snapshots."""
        with structlog.testing.capture_logs() as logs, Journal(self.journal) as journal:
            derived = recover(kernel_at_genesis(self.genesis), journal, self.snapshots)
        told = [(line["event"], line.get("fault", "")) for line in logs]
        return derived, [line for line in told if line[0].startswith("snapshot.")]

    def root(self) -> bytes:
        kernel = kernel_at_genesis(self.genesis)
        kernel.apply(self.entries)
        return kernel.root()


@pytest.fixture
def venue(tmp_path: Path) -> Venue:
    venue = Venue(tmp_path)
    venue.take()
    return venue


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_newest_snapshot_is_taken_up_and_the_journal_after_it(venue: Venue) -> None:
    paths = snapshot_paths(venue.snapshots)
    assert len(paths) >= 2, "one after every so many entries"
    derived, told = venue.recover()
    assert told == [("snapshot.restored", "")]
    assert derived.engine.root() == venue.root()


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "magic": lambda path: flip(path, 0),
    "version": lambda path: flip(path, 8),
    "seq": lambda path: flip(path, 13),
    "chain hash": lambda path: flip(path, 25),
    "root": lambda path: flip(path, 60),
    "state": lambda path: flip(path, 400),
    "derived": lambda path: flip(path, path.stat().st_size - 100),
    "checksum": lambda path: flip(path, path.stat().st_size - 1),
    "cut": cut,
    "empty": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_snapshot_is_named_and_the_next_older_one_used(damage: str, venue: Venue) -> None:
    newest = snapshot_paths(venue.snapshots)[0]
    DAMAGES[damage](newest)
    derived, told = venue.recover()
    assert told == [("snapshot.refused", "SnapshotDamaged"), ("snapshot.restored", "")]
    assert derived.engine.root() == venue.root()


def test_without_a_good_snapshot_the_whole_journal_is_replayed(venue: Venue) -> None:
    paths = snapshot_paths(venue.snapshots)
    for path in paths:
        flip(path, 500)
    derived, told = venue.recover()
    assert told == [("snapshot.refused", "SnapshotDamaged")] * len(paths)
    assert derived.engine.root() == venue.root()


def test_folder_that_cannot_be_listed_is_named_and_the_whole_journal_replayed(venue: Venue) -> None:
    venue.snapshots.rename(venue.snapshots.with_name("moved"))
    venue.snapshots.write_bytes(b"a file")
    derived, told = venue.recover()
    assert told == [("snapshot.refused", "SnapshotUnreadable")]
    assert derived.engine.root() == venue.root()


def test_state_under_another_root_is_refused_though_the_checksum_holds(venue: Venue) -> None:
    newest = snapshot_paths(venue.snapshots)[0]
    _, place, state, kept = read_snapshot(newest)
    write_snapshot(venue.snapshots, place._replace(root=b"\x01" * 32), state, kept)
    derived, told = venue.recover()
    assert told[0] == ("snapshot.refused", "SnapshotDamaged")
    assert derived.engine.root() == venue.root()


def test_text_that_is_none_is_refused_though_the_checksum_holds(venue: Venue) -> None:
    newest = snapshot_paths(venue.snapshots)[0]
    data = newest.read_bytes()[:-CHECKSUM_BYTES]
    place = data.index(b"BTC", read_head(newest).state_bytes)
    data = data[:place] + b"\xff" + data[place + 1 :]
    newest.write_bytes(data + blake2b(data, digest_size=CHECKSUM_BYTES).digest())
    derived, told = venue.recover()
    assert told[0] == ("snapshot.refused", "SnapshotDamaged")
    assert derived.engine.root() == venue.root()


def test_an_outcome_that_is_none_is_refused_though_the_checksum_holds(venue: Venue) -> None:
    newest = read_snapshot(snapshot_paths(venue.snapshots)[0])
    kept = list(newest.derived.results)
    results = [cast(Any, (124, *kept[0][1:])), *kept[1:]]
    derived = msgspec.structs.replace(newest.derived, results=results)
    write_snapshot(venue.snapshots, newest.place, newest.state, derived)
    recovered, told = venue.recover()
    assert told[0] == ("snapshot.refused", "SnapshotDamaged")
    assert recovered.engine.root() == venue.root()


def test_snapshot_of_another_venue_is_named_and_passed_over(venue: Venue, tmp_path: Path) -> None:
    other = Venue(tmp_path / "other", seed=SEED + 1)
    other.take()
    for path in snapshot_paths(other.snapshots):
        path.rename(venue.snapshots / f"9{path.name[1:]}")
    derived, told = venue.recover()
    assert told[0] == ("snapshot.refused", "SnapshotOfAnotherVenue")
    assert told[-1] == ("snapshot.restored", "")
    assert derived.engine.root() == venue.root()


def test_snapshot_of_another_journal_of_the_venue_is_passed_over(tmp_path: Path) -> None:
    venue = Venue(tmp_path)
    place = Place(700, b"\x02" * 32, b"\x03" * 32, kernel_at_genesis(venue.genesis).root())
    write_snapshot(venue.snapshots, place, b"", Derived(kernel_at_genesis(venue.genesis)).keep())
    derived, told = venue.recover()
    assert told == [("snapshot.refused", "SnapshotOfAnotherJournal")]
    assert derived.engine.root() == venue.root()


def test_journal_that_ends_before_a_snapshot_is_a_fault_by_name(venue: Venue) -> None:
    taken_seq = read_head(snapshot_paths(venue.snapshots)[0]).place.seq
    (segment,) = venue.journal.glob("*.journal")
    segment.unlink()
    write_journal(venue.journal, venue.entries[: taken_seq - 1])
    with pytest.raises(JournalBehindSnapshot) as fault:
        venue.recover()
    assert fault.value.seq == taken_seq
    with pytest.raises(JournalBehindSnapshot):
        venue.take()


def test_what_a_killed_writer_left_is_no_snapshot_and_is_removed(venue: Venue) -> None:
    newest = snapshot_paths(venue.snapshots)[0]
    part = venue.snapshots / f"{ENTRIES:020}{PART_SUFFIX}"
    part.write_bytes(newest.read_bytes()[:1000])
    derived, told = venue.recover()
    assert told == [("snapshot.restored", "")] and derived.engine.root() == venue.root()
    venue.take()
    assert not part.exists()


def test_so_many_of_the_venue_are_kept_and_foreign_files_left_alone(tmp_path: Path) -> None:
    venue, other = Venue(tmp_path, kept=2), Venue(tmp_path / "other", seed=SEED + 1)
    other.take()
    venue.snapshots.mkdir()
    foreign = snapshot_paths(other.snapshots)[0].rename(venue.snapshots / f"{9:020}.snapshot")
    damaged = venue.snapshots / f"{8:020}.snapshot"
    damaged.write_bytes(b"PROOF")
    venue.take()
    left = set(snapshot_paths(venue.snapshots))
    assert {foreign, damaged} < left
    own = sorted(read_head(path).place.seq for path in left - {foreign, damaged})
    assert len(own) == 2 and own[-1] > ENTRIES - 2 * EVERY


def test_snapshotter_goes_on_from_its_newest(venue: Venue) -> None:
    taken_seq = read_head(snapshot_paths(venue.snapshots)[0]).place.seq
    snapshotter = Snapshotter(venue.settings, kernel_at_genesis(venue.genesis))
    assert snapshotter.seq == snapshotter.taken_seq == taken_seq
    while snapshotter.step():
        pass
    assert snapshotter.seq == ENTRIES
    path = snapshotter.take()
    snapshotter.close()
    assert read_head(path).place.root == venue.root()


def test_folder_that_takes_no_file_is_named(venue: Venue, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_bytes(b"")
    _, place, state, kept = read_snapshot(snapshot_paths(venue.snapshots)[0])
    with pytest.raises(SnapshotUnwritable) as fault:
        write_snapshot(blocked, place, state, kept)
    assert fault.value.path.parent == blocked


def test_a_full_disk_is_named_and_nothing_is_left_on_it(
    venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    _, place, state, kept = read_snapshot(snapshot_paths(venue.snapshots)[0])
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SnapshotUnwritable, match="No space left") as fault:
        write_snapshot(tmp_path / "full", place, state, kept)
    assert fault.value.path.name.endswith(".snapshot")
    assert list((tmp_path / "full").iterdir()) == [], "its room is free for the journal"


def test_a_disk_that_has_become_read_only_is_named_where_old_files_should_go(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    part = venue.snapshots / f"{ENTRIES:020}{PART_SUFFIX}"
    part.write_bytes(b"PROOF")
    monkeypatch.setattr(os, "unlink", read_only)
    with pytest.raises(SnapshotUnwritable, match="Read-only file system") as fault:
        venue.take()
    assert fault.value.path == part
    with pytest.raises(SnapshotUnwritable) as fault:
        remove_old(venue.snapshots, kernel_at_genesis(venue.genesis).root(), 1)
    assert fault.value.path in snapshot_paths(venue.snapshots)


def test_file_that_is_gone_is_named(venue: Venue) -> None:
    with pytest.raises(SnapshotDamaged):
        path = snapshot_paths(venue.snapshots)[0]
        cut(path)
        read_head(path)


def restored(venue: Venue, seq_max: int) -> tuple[int, list[tuple[str, str]]]:
    """Return where a state stands that was restored, and what the log tells of snapshots."""
    kernel = kernel_at_genesis(venue.genesis)
    with structlog.testing.capture_logs() as logs, Journal(venue.journal) as journal:
        path = restore_state(kernel, venue.snapshots, journal.chain_hash, seq_max)
    assert (path is not None) == (kernel.seq > 0)
    whole = kernel_at_genesis(venue.genesis)
    whole.apply(venue.entries[: kernel.seq])
    assert kernel.root() == whole.root()
    return kernel.seq, [(line["event"], line.get("fault", "")) for line in logs]


def test_state_is_restored_from_the_newest_snapshot_at_or_before_an_entry(venue: Venue) -> None:
    newest, older = (read_head(path).place.seq for path in snapshot_paths(venue.snapshots)[:2])
    told = [("snapshot.restored", "")]
    assert restored(venue, ENTRIES) == restored(venue, newest) == (newest, told)
    assert restored(venue, newest - 1) == restored(venue, older) == (older, told)
    assert restored(venue, EVERY - 1) == (0, []), "what is too new is passed over without a word"


def test_state_is_restored_from_an_older_snapshot_where_the_newest_is_damaged(venue: Venue) -> None:
    newest, older, *_ = snapshot_paths(venue.snapshots)
    older_seq = read_head(older).place.seq
    flip(newest, 500)
    refused = ("snapshot.refused", "SnapshotDamaged")
    assert restored(venue, ENTRIES) == (older_seq, [refused, ("snapshot.restored", "")])
    for path in snapshot_paths(venue.snapshots)[1:]:
        cut(path)
    seq, told = restored(venue, ENTRIES)
    assert (seq, set(told)) == (0, {refused})


def test_engine_that_takes_up_no_snapshot_replays_the_journal(venue: Venue) -> None:
    state = State(venue.genesis, CHAIN_ID, CONTRACT)
    with Journal(venue.journal) as journal:
        assert restore_state(state, venue.snapshots, journal.chain_hash, ENTRIES) is None
        recover(state, journal, venue.snapshots)
    assert state.root() == venue.root()
