"""Follows a journal into a history, from wherever the history stands, each entry exactly once.

It runs in a process of its own and reads the journal's files: the venue does not know of it. A
database that is slow or gone delays the history and nothing else.
"""

from collections.abc import Callable
from pathlib import Path
from threading import Event

from structlog import get_logger

from proofbook.history.database import START, Database, Identity, Position
from proofbook.history.errors import DatabaseFailed, HistoryOfAnotherJournal, HistoryTaken
from proofbook.history.journal_reader import JournalReader, Read
from proofbook.history.projection import Projection, Rows
from proofbook.protocol.engine import Engine

ROWS_TOGETHER = 5_000
"""Rows after which a transaction ends, though more entries wait."""
POLL_SECONDS = 0.2
RETRY_SECONDS_MIN, RETRY_SECONDS_MAX = 0.2, 30.0

ENTRIES_TOGETHER = 4096
"""Entries that are executed in one go where no rows are wanted."""

MakeEngine = Callable[[bytes, int, bytes], Engine]
"""Returns an engine at genesis, given genesis, chain id and contract."""

Restore = Callable[[Engine, int], object]
"""Lets an engine at genesis become the state after an entry of the journal, that of a number or one
before it; or leaves it at genesis."""

log = get_logger("history")


def at_genesis(_: Engine, __: int) -> None:
    """Restore nothing."""


class Projector:
    """A journal, a projection that has executed its first entries, and rows not yet written."""

    def __init__(
        self,
        journal: Path,
        identity: Identity,
        make_engine: MakeEngine,
        restore: Restore = at_genesis,
    ) -> None:
        self.identity = identity
        self._reader = JournalReader(journal)
        self._engine = make_engine(*identity)
        self._restore = restore
        self._projection = Projection(self._engine)
        self._rows = Rows()
        self._read = START
        self._ahead: list[Read] = []
        self._written = START

    @property
    def seq(self) -> int:
        """The last entry that was executed."""
        return self._read.seq

    def close(self) -> None:
        """Let go of the journal; what is not written yet comes again."""
        self._reader.close()

    def attach(self, database: Database) -> None:
        """Execute, without writing, what a history holds already.

        Raises HistoryOfAnotherVenue, HistoryOfAnotherJournal, HistoryTaken, what `restore` raises.
        """
        database.claim(self.identity)
        position = database.position()
        if position.seq > self._read.seq:
            self._skip_to(position.seq)
        if position == self._read:
            self._rows = Rows()  # written, though nobody may have told us
        elif position.seq not in (self._written.seq, self._read.seq):
            raise HistoryTaken(self._written.seq)
        elif position != self._written:
            raise HistoryOfAnotherJournal(position.seq, "where the journal holds other entries")
        self._written = position

    def write_next(self, database: Database) -> int:
        """Write the rows of the next entries; return how many entries. Raises HistoryTaken."""
        while self._rows.count < ROWS_TOGETHER and self._execute_next():
            pass
        count = self._read.seq - self._written.seq
        if count:
            database.write(self._written, self._read, self._rows.tables)
            self._written, self._rows = self._read, Rows()
        return count

    def _execute_next(self) -> bool:
        """Execute one entry; return whether there was one."""
        read = self._next()
        if read is None:
            return False
        self._projection.take(read, self._rows)
        self._read = Position(read.seq, read.chain_hash)
        return True

    def _next(self) -> Read | None:
        if not self._ahead:
            self._ahead = self._reader.read_group()[::-1]
        return self._ahead.pop() if self._ahead else None

    def _skip_to(self, seq: int) -> None:
        """Execute everything up to an entry without a look at what it does."""
        if self._read == START:
            self._restore(self._engine, seq)
            self._begin_behind(self._engine.seq)
        together: list[bytes] = []
        while self._read.seq < seq:
            read = self._next()
            if read is None:
                raise HistoryOfAnotherJournal(seq, f"the journal ends at {self._read.seq}")
            together.append(read.entry)
            self._read = Position(read.seq, read.chain_hash)
            if len(together) == ENTRIES_TOGETHER or read.seq == seq:
                self._engine.apply(together)
                together.clear()
        self._projection, self._rows = Projection(self._engine), Rows()

    def _begin_behind(self, seq: int) -> None:
        """Read on behind the entry where a state was restored."""
        if seq:
            self._reader.go_behind(seq)
            self._ahead.clear()
            self._read = Position(seq, self._reader.chain_hash)


def catch_up(
    projector: Projector, database: Database, on_progress: Callable[[int], None] = lambda seq: None
) -> int:
    """Write everything that the journal holds now; return the last entry."""
    projector.attach(database)
    while projector.write_next(database):
        on_progress(projector.seq)
    return projector.seq


def follow(
    projector: Projector,
    open_history: Callable[[], Database],
    stop: Event,
    on_progress: Callable[[int], None] = lambda seq: None,
) -> None:
    """Keep a history up with its journal until told to stop; a database that fails is tried again.

    Raises every other HistoryFault.
    """
    retry_seconds = RETRY_SECONDS_MIN
    while not stop.is_set():
        try:
            with open_history() as database:
                projector.attach(database)
                while not stop.is_set():
                    if projector.write_next(database):
                        retry_seconds = RETRY_SECONDS_MIN
                        on_progress(projector.seq)
                    else:
                        stop.wait(POLL_SECONDS)
        except DatabaseFailed as fault:
            log.warning("history_waits", reason=str(fault), retry_seconds=retry_seconds)
            stop.wait(retry_seconds)
            retry_seconds = min(2 * retry_seconds, RETRY_SECONDS_MAX)
