"""From genesis to the end of the journal: by a snapshot as far as one holds good, then entry by
entry.
"""

import gc
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import structlog

from proofbook.history.journal_reader import JournalReader
from proofbook.protocol.engine import Engine, SnapshotEngine
from proofbook.protocol.replay import ReplayEngine
from proofbook.recovery.derived import KEPT_MOST, Derived, KeptMost
from proofbook.recovery.errors import (
    JournalBehindSnapshot,
    SnapshotDamaged,
    SnapshotOfAnotherJournal,
    SnapshotOfAnotherVenue,
    SnapshotRefused,
)
from proofbook.recovery.replay import Replay
from proofbook.recovery.snapshot_file import (
    Place,
    Snapshot,
    read_head,
    read_snapshot,
    snapshot_paths,
)

ChainHashAt = Callable[[int], bytes | None]
"""Gives a journal's chain after an entry; None for a number that it has not reached."""

ENTRIES_TOGETHER = 1 << 15
"""Entries that are read and executed in one go: some megabytes."""
TOLD_SECONDS = 5.0
"""How often the log says how far a long replay has come."""

_log = structlog.get_logger()


class Replayable(Protocol):
    """A journal, read from the front."""

    @property
    def last_seq(self) -> int: ...
    def chain_hash(self, seq: int) -> bytes | None: ...
    def replay(self, from_seq: int = 1) -> Iterator[Sequence[bytes]]: ...
    def read_joined(self, from_seq: int, entries_max: int) -> bytes: ...


def recover(
    engine: Engine,
    journal: Replayable,
    snapshots: Path | None,
    most: KeptMost = KEPT_MOST,
    sealed_seq: int = 0,
) -> Derived:
    """Bring an engine from genesis to the end of a journal, and all that is derived with it.

    Of entries up to `sealed_seq` it is known that their signatures are good.

    Raises JournalBehindSnapshot, JournalFault.
    """
    with garbage_left():
        derived = bring_up(engine, journal, snapshots, most, sealed_seq)
    assert engine.seq == journal.last_seq, f"replay ended at {engine.seq} of {journal.last_seq}"
    derived.models.books.count_changes_from(engine.seq)
    return derived


@contextmanager
def garbage_left() -> Generator[None]:
    """Look for no garbage meanwhile: nearly all that is made here stays."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def bring_up(
    engine: Engine, journal: Replayable, snapshots: Path | None, most: KeptMost, sealed_seq: int
) -> Derived:
    """Restore what a snapshot says, and execute the entries after it."""
    derived = None
    if snapshots is not None and isinstance(engine, SnapshotEngine):
        derived = from_snapshot(engine, snapshots, journal.chain_hash, most)
    if derived is None:
        derived = Derived(engine, most)
    if isinstance(engine, ReplayEngine):
        replay_joined(engine, derived, journal, sealed_seq)
    else:
        for entries in journal.replay(engine.seq + 1):
            derived.replay(entries)
    return derived


def replay_joined(
    engine: ReplayEngine, derived: Derived, journal: Replayable, sealed_seq: int
) -> None:
    """Execute what an engine has not yet of a journal, tens of thousands of entries at once."""
    replay = Replay(engine, derived)
    started = told = time.monotonic()
    while (first := engine.seq + 1) <= journal.last_seq:
        is_sealed = first <= sealed_seq
        count = min(ENTRIES_TOGETHER, sealed_seq + 1 - first) if is_sealed else ENTRIES_TOGETHER
        replay.take(journal.read_joined(first, count), is_sealed=is_sealed)
        if time.monotonic() - told >= TOLD_SECONDS:
            told = time.monotonic()
            _log.info("journal.replaying", seq=engine.seq, last_seq=journal.last_seq)
    replay.finish()
    seconds = round(time.monotonic() - started, 3)
    _log.info("journal.replayed", seq=engine.seq, sealed_seq=sealed_seq, seconds=seconds)


def from_snapshot(
    engine: SnapshotEngine, folder: Path, chain_hash_at: ChainHashAt, most: KeptMost
) -> Derived | None:
    """Restore the newest snapshot that holds good; what does not is named in the log.

    Raises JournalBehindSnapshot.
    """
    snapshot = load_newest(engine, folder, chain_hash_at)
    return None if snapshot is None else Derived.restored(engine, snapshot.derived, most)


def restore_state(
    engine: Engine, folder: Path, chain_hash_at: ChainHashAt, seq_max: int
) -> Path | None:
    """Restore the newest state that was taken at an entry or before it, and nothing beside it.

    Return its file; None leaves the engine at genesis. Raises JournalBehindSnapshot.
    """
    if not isinstance(engine, SnapshotEngine):
        return None
    snapshot = load_newest(engine, folder, chain_hash_at, seq_max)
    return None if snapshot is None else snapshot.path


def restore_beside(journal: Path, folder: Path, engine: Engine, seq_max: int) -> Path | None:
    """Restore as `restore_state` from what was taken of a journal that another process writes.

    Raises JournalBehindSnapshot, HistoryFault.
    """
    reader = JournalReader(journal)
    try:
        return restore_state(engine, folder, reader.chain_hash_of, seq_max)
    finally:
        reader.close()


def load_newest(
    engine: SnapshotEngine, folder: Path, chain_hash_at: ChainHashAt, seq_max: int | None = None
) -> Snapshot | None:
    """Let an engine become the newest state that holds good; what does not is named in the log.

    Raises JournalBehindSnapshot.
    """
    assert engine.seq == 0, f"the engine stands at {engine.seq}, must stand at genesis"
    venue = engine.root()
    try:
        paths = snapshot_paths(folder)
    except SnapshotRefused as fault:
        _tell_refused(fault)
        return None
    for path in paths:
        try:
            if seq_max is not None and read_head(path).place.seq > seq_max:
                continue
            snapshot = read_snapshot(path)
            check_place(path, snapshot.place, venue, chain_hash_at)
            load(engine, snapshot)
        except SnapshotRefused as fault:
            _tell_refused(fault)
            continue
        _log.info("snapshot.restored", path=str(path), seq=engine.seq)
        return snapshot
    return None


def _tell_refused(fault: SnapshotRefused) -> None:
    _log.warning("snapshot.refused", fault=type(fault).__name__, reason=str(fault))


def check_place(path: Path, place: Place, venue: bytes, chain_hash_at: ChainHashAt) -> None:
    """Hold what a snapshot says of its place to the venue and its journal.

    Raises SnapshotOfAnotherVenue, SnapshotOfAnotherJournal, JournalBehindSnapshot.
    """
    if place.venue != venue:
        reason = f"state 0 has root {place.venue.hex()}, the venue's has {venue.hex()}"
        raise SnapshotOfAnotherVenue(path, reason)
    chain_hash = chain_hash_at(place.seq)
    if chain_hash is None:
        raise JournalBehindSnapshot(path, place.seq)
    if chain_hash != place.chain_hash:
        reason = f"the journal has other entries up to {place.seq}"
        raise SnapshotOfAnotherJournal(path, reason)


def load(engine: SnapshotEngine, snapshot: Snapshot) -> None:
    """Let an engine become what a file says; it is unchanged if that is refused.

    Raises SnapshotDamaged.
    """
    try:
        engine.load(snapshot.state, snapshot.place.root)
    except ValueError as error:
        raise SnapshotDamaged(snapshot.path, str(error)) from None
