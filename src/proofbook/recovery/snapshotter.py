"""Takes snapshots of a venue that runs, in a process of its own: the venue does not wait for it.

It reads the journal's files as a history does, executes the entries once more, and writes down what
it has after every so many. From its newest snapshot it goes on by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import structlog

from proofbook.history.journal_reader import JournalReader
from proofbook.protocol.replay import ReplayEngine
from proofbook.recovery.derived import KEPT_MOST, Derived, KeptMost
from proofbook.recovery.recover import from_snapshot
from proofbook.recovery.replay import Replay
from proofbook.recovery.snapshot_file import Place, remove_old, remove_parts, write_snapshot

POLL_SECONDS = 0.2
ENTRIES_TOGETHER = 4096
"""Entries that are executed in one go, so that signatures are recovered on all cores."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    """Of which journal, into which folder, after how many entries, and how many are kept.

    `most` is what the venue keeps of notices and results: a snapshot has as many.
    """

    journal: Path
    folder: Path
    every: int
    kept: int
    most: KeptMost = KEPT_MOST


class Snapshotter:
    """A journal, and what its first entries have led to."""

    def __init__(self, settings: SnapshotSettings, engine: ReplayEngine) -> None:
        """Start from the newest snapshot that holds good, or from genesis.

        Raises JournalBehindSnapshot, HistoryFault.
        """
        self.settings = settings
        self._engine = engine
        self._venue = engine.root()
        self._reader = JournalReader(settings.journal)
        remove_parts(settings.folder)
        self._derived = self._start(engine)
        self._replay = Replay(engine, self._derived)
        self.taken_seq = engine.seq

    @property
    def seq(self) -> int:
        """The last entry that was executed."""
        return self._engine.seq

    def close(self) -> None:
        """Let go of the journal."""
        self._reader.close()

    def step(self) -> bool:
        """Execute what comes next, and take a snapshot if it is time; whether there was anything.

        Raises HistoryFault, SnapshotUnwritable.
        """
        entries = self._read()
        if entries:
            self._replay.take(b"".join(entries), is_sealed=False)
        if self.seq - self.taken_seq >= self.settings.every:
            self.take()
        return bool(entries)

    def take(self) -> Path:
        """Write down what there is now, and remove what is too old. Raises SnapshotUnwritable."""
        engine, folder = self._engine, self.settings.folder
        self._replay.finish()
        place = Place(engine.seq, self._reader.chain_hash, engine.root(), self._venue)
        path = write_snapshot(folder, place, engine.snapshot(), self._derived.keep())
        self.taken_seq = place.seq
        remove_old(folder, self._venue, self.settings.kept)
        _log.info("snapshot.taken", path=str(path), seq=place.seq, bytes=path.stat().st_size)
        return path

    def _start(self, engine: ReplayEngine) -> Derived:
        settings = self.settings
        reader = JournalReader(settings.journal)
        try:
            derived = from_snapshot(engine, settings.folder, reader.chain_hash_of, settings.most)
        finally:
            reader.close()
        if derived is None:
            return Derived(engine, settings.most)
        self._reader.go_behind(engine.seq)
        return derived

    def _read(self) -> list[bytes]:
        """Return the entries of the next groups, whole groups, some thousands at most."""
        entries: list[bytes] = []
        left = self.taken_seq + self.settings.every - self.seq
        while len(entries) < min(left, ENTRIES_TOGETHER):
            group = self._reader.read_group()
            if not group:
                break
            entries += [read.entry for read in group]
        return entries


def keep_taking(
    settings: SnapshotSettings,
    engine: ReplayEngine,
    stop: Event,
    on_progress: Callable[[int, int], None] = lambda seq, taken_seq: None,
) -> tuple[int, int]:
    """Take snapshots until told to stop; return the last entry executed, and the last written down.

    Raises RecoveryFault, HistoryFault.
    """
    snapshotter = Snapshotter(settings, engine)
    try:
        while not stop.is_set():
            if not snapshotter.step():
                stop.wait(POLL_SECONDS)
            on_progress(snapshotter.seq, snapshotter.taken_seq)
        return snapshotter.seq, snapshotter.taken_seq
    finally:
        snapshotter.close()
