"""From genesis to the end of the journal: by a snapshot as far as one holds good, then entry by
entry.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from proofbook.protocol.engine import Engine, SnapshotEngine
from proofbook.recovery.derived import KEPT_MOST, Derived, KeptMost
from proofbook.recovery.errors import (
    JournalBehindSnapshot,
    SnapshotDamaged,
    SnapshotOfAnotherJournal,
    SnapshotOfAnotherVenue,
    SnapshotRefused,
)
from proofbook.recovery.snapshot_file import Place, Snapshot, read_snapshot, snapshot_paths

ChainHashAt = Callable[[int], bytes | None]
"""Gives a journal's chain after an entry; None for a number that it has not reached."""

_log = structlog.get_logger()


class Replayable(Protocol):
    """A journal, read from the front."""

    @property
    def last_seq(self) -> int: ...
    def chain_hash(self, seq: int) -> bytes | None: ...
    def replay(self, from_seq: int = 1) -> Iterator[Sequence[bytes]]: ...


def recover(
    engine: Engine, journal: Replayable, snapshots: Path | None, most: KeptMost = KEPT_MOST
) -> Derived:
    """Bring an engine from genesis to the end of a journal, and all that is derived with it.

    Raises JournalBehindSnapshot, JournalFault.
    """
    derived = None
    if snapshots is not None and isinstance(engine, SnapshotEngine):
        derived = from_snapshot(engine, snapshots, journal.chain_hash, most)
    if derived is None:
        derived = Derived(engine, most)
    for entries in journal.replay(engine.seq + 1):
        derived.replay(entries)
    assert engine.seq == journal.last_seq, f"replay ended at {engine.seq} of {journal.last_seq}"
    derived.models.books.count_changes_from(engine.seq)
    return derived


def from_snapshot(
    engine: SnapshotEngine, folder: Path, chain_hash_at: ChainHashAt, most: KeptMost
) -> Derived | None:
    """Restore the newest snapshot that holds good; what does not is named in the log.

    Raises JournalBehindSnapshot.
    """
    assert engine.seq == 0, f"the engine stands at {engine.seq}, must stand at genesis"
    venue = engine.root()
    for path in snapshot_paths(folder):
        try:
            snapshot = read_snapshot(path)
            check_place(path, snapshot.place, venue, chain_hash_at)
            derived = restore(engine, path, snapshot, most)
        except SnapshotRefused as fault:
            _log.warning("snapshot.refused", fault=type(fault).__name__, reason=str(fault))
            continue
        _log.info("snapshot.restored", path=str(path), seq=engine.seq)
        return derived
    return None


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


def restore(engine: SnapshotEngine, path: Path, snapshot: Snapshot, most: KeptMost) -> Derived:
    """Let an engine become what a file says; it is unchanged if that is refused.

    Raises SnapshotDamaged.
    """
    try:
        engine.load(snapshot.state, snapshot.place.root)
    except ValueError as error:
        raise SnapshotDamaged(path, str(error)) from None
    return Derived.restored(engine, snapshot.derived, most)
