"""A follower that comes back by a snapshot writes the rows of one that has seen every entry."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest
import structlog
from tests.unit.history.stage import (
    Server,
    append,
    contents,
    identity_of,
    projector_of,
    stream,
)
from tests.unit.history.test_projection import KINDS, groups_of, setting_of

from proofbook.history import projector as projecting
from proofbook.history.database import Database
from proofbook.history.errors import HistoryOfAnotherJournal
from proofbook.history.projector import Projector, catch_up
from proofbook.history.setting import open_database
from proofbook.kernel import Kernel
from proofbook.protocol.engine import Engine
from proofbook.recovery.errors import JournalBehindSnapshot
from proofbook.recovery.recover import restore_beside
from proofbook.recovery.snapshot_file import read_head, snapshot_paths
from proofbook.recovery.snapshotter import SnapshotSettings, Snapshotter

ENTRIES = 600
EVERY = 150
ROWS_FEW = 30
KEPT = 100
Told = list[tuple[str, str]]


class Stage:
    """A journal, snapshots of it, and a history that stands somewhere in it."""

    def __init__(self, folder: Path, seed: int, setting: str) -> None:
        self.random = Random(seed)
        self.journal, self.snapshots = folder / "journal", folder / "snapshots"
        self.setting = setting
        self.genesis, entries = stream(seed, ENTRIES)
        append(self.journal, groups_of(entries, self.random))

    def take_snapshots(self, every: int = EVERY) -> None:
        settings = SnapshotSettings(self.journal, self.snapshots, every, KEPT)
        snapshotter = Snapshotter(settings, Kernel(*identity_of(self.genesis)))
        while snapshotter.step():
            pass
        snapshotter.close()

    def write(self, transactions: int) -> int:
        """Write rows from genesis on, in so many transactions; return where that leaves it."""
        projector = projector_of(self.journal, self.genesis)
        with open_database(self.setting) as database:
            projector.attach(database)
            for _ in range(transactions):
                projector.write_next(database)
            return database.position().seq

    def follow(self, restored: list[int] | None = None) -> Told:
        """Come back with snapshots and write the rest; return what the log tells."""

        def restore(engine: Engine, seq_max: int) -> None:
            restore_beside(self.journal, self.snapshots, engine, seq_max)
            if restored is not None:
                restored.append(engine.seq)

        projector = Projector(self.journal, identity_of(self.genesis), Kernel, restore)
        with structlog.testing.capture_logs() as logs, open_database(self.setting) as database:
            catch_up(projector, database)
        return [(line["event"], line.get("fault", "")) for line in logs]

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        with open_database(self.setting) as database:
            return contents(database)


def rows_from_genesis(stage: Stage, folder: Path) -> dict[str, list[tuple[object, ...]]]:
    with open_database(str(folder / "from genesis.db")) as database:
        catch_up(projector_of(stage.journal, stage.genesis), database)
        return contents(database)


@pytest.fixture(autouse=True)
def short_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Histories stand between two entries of a group, too."""
    monkeypatch.setattr(projecting, "ROWS_TOGETHER", ROWS_FEW)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_history_that_comes_back_by_a_snapshot_has_the_rows_of_a_replay(
    kind: str, seed: int, tmp_path: Path, server: Server
) -> None:
    stage = Stage(tmp_path, seed, setting_of(kind, tmp_path, server))
    stage.take_snapshots(every=stage.random.randint(20, EVERY))
    places = [read_head(path).place.seq for path in snapshot_paths(stage.snapshots)]
    seq, restored = stage.write(stage.random.randint(20, 60)), list[int]()
    expected = max((place for place in places if place <= seq), default=0)
    assert expected, f"no snapshot up to {seq} among {places}"
    stage.follow(restored)
    assert restored == [expected], "the newest at or before the history's position"
    assert stage.rows() == rows_from_genesis(stage, tmp_path)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def replace_by_another_venues(stage: Stage, path: Path) -> None:
    other = Stage(path.parent / "other", 8, "")
    other.take_snapshots()
    snapshot_paths(other.snapshots)[0].rename(path)


FAULTS: dict[str, Callable[[Stage, Path], None]] = {
    "SnapshotDamaged": lambda _, path: flip(path),
    "SnapshotUnreadable": lambda _, path: (path.unlink(), path.mkdir())[1],
    "SnapshotOfAnotherVenue": replace_by_another_venues,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_snapshot_that_does_not_hold_good_is_named_and_an_older_one_taken(
    fault: str, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, 5, str(tmp_path / "history.db"))
    stage.take_snapshots()
    seq = stage.write(10**3)
    assert seq == ENTRIES
    newest, older, *_ = snapshot_paths(stage.snapshots)
    expected = [read_head(older).place.seq]
    FAULTS[fault](stage, newest)
    restored: list[int] = []
    told = stage.follow(restored)
    assert told == [("snapshot.refused", fault), ("snapshot.restored", "")]
    assert restored == expected
    assert stage.rows() == rows_from_genesis(stage, tmp_path)


def test_without_a_good_snapshot_the_whole_journal_is_executed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 5, str(tmp_path / "history.db"))
    stage.take_snapshots()
    stage.write(40)
    paths = snapshot_paths(stage.snapshots)
    for path in paths:
        flip(path)
    restored: list[int] = []
    told = stage.follow(restored)
    assert restored == [0] and set(told) == {("snapshot.refused", "SnapshotDamaged")}
    assert stage.rows() == rows_from_genesis(stage, tmp_path)


def test_new_history_is_written_from_genesis_whatever_snapshots_there_are(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 5, str(tmp_path / "history.db"))
    stage.take_snapshots()
    restored: list[int] = []
    assert stage.follow(restored) == []
    assert restored == [], "nothing was asked for"
    assert stage.rows() == rows_from_genesis(stage, tmp_path)


def test_history_of_another_journal_is_refused_behind_a_snapshot_too(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 5, str(tmp_path / "history.db"))
    stage.take_snapshots()
    stage.write(40)
    with open_database(stage.setting) as database:
        before = database.position()
        database.write(before, before._replace(chain_hash=b"\x05" * 32), {})
    with pytest.raises(HistoryOfAnotherJournal):
        stage.follow()


def test_journal_that_has_lost_entries_is_a_fault_by_name(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 5, str(tmp_path / "history.db"))
    stage.take_snapshots()
    stage.write(10**3)
    for segment in stage.journal.glob("*.journal"):
        segment.unlink()
    append(stage.journal, [list(stream(5, ENTRIES)[1][:100])])
    with pytest.raises(JournalBehindSnapshot):
        stage.follow()
    for path in snapshot_paths(stage.snapshots):
        path.unlink()
    with pytest.raises(HistoryOfAnotherJournal, match="the journal ends at 100"):
        stage.follow()


@pytest.mark.parametrize("kind", KINDS)
def test_follower_that_another_has_overtaken_goes_on_from_the_state(
    kind: str, tmp_path: Path, server: Server
) -> None:
    stage = Stage(tmp_path, 6, setting_of(kind, tmp_path, server))
    first = projector_of(stage.journal, stage.genesis)
    opened: Callable[[], Database] = partial(open_database, stage.setting)
    with opened() as database:
        first.attach(database)
        first.write_next(database)
    stage.write(40)
    with opened() as database:
        catch_up(first, database)
    assert stage.rows() == rows_from_genesis(stage, tmp_path)
