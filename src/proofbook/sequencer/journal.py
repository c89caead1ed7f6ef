"""The door to the write-ahead journal in Rust, for one event loop.

Faults:

    JournalFault
    ├── JournalLocked       another process writes the journal
    ├── JournalIo           the operating system refused an operation
    ├── JournalBroken       a file does not hold what was written there
    ├── JournalPoisoned     an earlier write failed: open the journal again
    ├── JournalBusy         too many groups wait for the disk
    ├── EntriesMalformed    the bytes to append are not whole entries
    ├── GroupTooLarge       more bytes than one group holds
    └── SequenceMismatch    the caller counts differently
"""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from proofbook import _native
from proofbook.protocol.entry import entry_hash, split_entries
from proofbook.protocol.hashing import keccak

SEGMENT_BYTES = 64 << 20
"""Bytes of one journal file, reserved when it is made: a few hundred thousand entries."""
GROUPS_WAITING_MAX = 1024
"""Groups on their way to the disk: seconds of a slow disk."""
READ_ENTRIES = 4096
"""Entries that one step of a replay holds in memory: at most 8 MiB."""
HASH_BYTES = 32
NO_MARK = bytes(16)
"""What is remembered with a group about which nothing is to be said."""


class JournalFault(Exception):
    """A fault of the disk or of the data; `operands` holds what the message says, by name."""

    def __init__(self, message: str, operands: dict[str, Any]) -> None:
        super().__init__(message)
        self.operands = operands

    def __getattr__(self, name: str) -> Any:
        """Return an operand: `fault.offset`."""
        if name == "operands" or name not in self.operands:
            raise AttributeError(name)
        return self.operands[name]


class JournalLocked(JournalFault):
    """Operands: path."""


class JournalIo(JournalFault):
    """Operands: operation, path, code (errno or None)."""


class JournalBroken(JournalFault):
    """Operands: path, offset, seq (the first entry in doubt), reason."""


class JournalPoisoned(JournalFault):
    """Operands: cause."""


class JournalBusy(JournalFault):
    """Operands: groups_max."""


class EntriesMalformed(JournalFault):
    """Operands: offset, bytes."""


class GroupTooLarge(JournalFault):
    """Operands: bytes, bytes_max."""


class SequenceMismatch(JournalFault):
    """Operands: expected, next."""


FAULTS: dict[str, type[JournalFault]] = {
    "locked": JournalLocked,
    "io": JournalIo,
    "broken": JournalBroken,
    "poisoned": JournalPoisoned,
    "busy": JournalBusy,
    "malformed": EntriesMalformed,
    "group_too_large": GroupTooLarge,
    "sequence_mismatch": SequenceMismatch,
}


class Durable(NamedTuple):
    """A group on the disk: its numbers, the keccak of each entry and the chain after each."""

    first_seq: int
    last_seq: int
    chain_hash_before: bytes
    entry_hashes: list[bytes]
    chain_hashes: list[bytes]
    sync_ns: int


class Group(NamedTuple):
    """What became durable at once: entries, and the mark that came with them."""

    first_seq: int
    mark: bytes
    chain_hash_before: bytes
    entries: list[bytes]

    @property
    def last_seq(self) -> int:
        return self.first_seq + len(self.entries) - 1


class Tail(NamedTuple):
    """The last durable entry and the chain after it; seq 0 and zeros before the first."""

    seq: int
    chain_hash: bytes


class TornTail(NamedTuple):
    """What a crash had left of a group that was never acknowledged: cut before more is written."""

    path: Path
    offset: int
    bytes: int
    seq: int


class Journal:
    """An open journal: appends in order, acknowledges when durable, reads back."""

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        groups_waiting_max: int = GROUPS_WAITING_MAX,
    ) -> None:
        """Open the journal of a folder, made if there is none, and verify all of it.

        Raises JournalLocked, JournalBroken, JournalIo.
        """
        try:
            self._journal = _native.Journal(
                folder, segment_bytes=segment_bytes, groups_waiting_max=groups_waiting_max
            )
        except _native.JournalError as error:
            raise fault_of(error) from None
        self._waiting: dict[int, asyncio.Future[Durable]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def next_seq(self) -> int:
        """The number of the next entry to append."""
        return self._journal.next_seq

    @property
    def last_seq(self) -> int:
        """The number of the last durable entry; 0 before the first."""
        return self._journal.tail()[0]

    def tail(self) -> Tail:
        return Tail(*self._journal.tail())

    def torn(self) -> TornTail | None:
        """Return what opening has found torn, worth a line in the log."""
        torn = self._journal.torn()
        return None if torn is None else TornTail(*torn)

    def append_group(
        self,
        entries: Sequence[bytes],
        expected_seq: int | None = None,
        mark: bytes = NO_MARK,
    ) -> asyncio.Future[Durable]:
        """Send entries on their way to the disk now; the future is done when they are durable.

        The mark, 16 bytes, is remembered with them.

        Raises EntriesMalformed, GroupTooLarge, SequenceMismatch, JournalBusy and JournalPoisoned
        at once; the future raises JournalIo and JournalPoisoned.
        """
        loop = self._attach()
        first_seq = self._journal.next_seq if expected_seq is None else expected_seq
        try:
            self._journal.append(b"".join(entries), first_seq, mark)
        except _native.JournalError as error:
            raise fault_of(error) from None
        future: asyncio.Future[Durable] = loop.create_future()
        self._waiting[first_seq] = future
        return future

    def read(self, from_seq: int, entries_max: int) -> list[bytes]:
        """Return durable entries from a number on, at most so many.

        Raises JournalBroken, JournalIo.
        """
        return split_entries(self.read_joined(from_seq, entries_max))

    def read_joined(self, from_seq: int, entries_max: int) -> bytes:
        """Return durable entries from a number on, at most so many, one after the other.

        Raises JournalBroken, JournalIo.
        """
        try:
            return self._journal.read(from_seq, entries_max)
        except _native.JournalError as error:
            raise fault_of(error) from None

    def group(self, seq: int) -> Group | None:
        """Return the group of a durable entry; None for a number that is not there.

        Raises JournalBroken, JournalIo.
        """
        try:
            found = self._journal.group(seq)
        except _native.JournalError as error:
            raise fault_of(error) from None
        if found is None:
            return None
        first_seq, mark, chain_hash_before, entries = found
        return Group(first_seq, mark, chain_hash_before, split_entries(entries))

    def chain_hash(self, seq: int) -> bytes | None:
        """Return the chain after an entry, zeros for 0; None for a number that is not there.

        Raises JournalBroken, JournalIo.
        """
        if seq == 0:
            return bytes(HASH_BYTES)
        group = self.group(seq)
        if group is None:
            return None
        chain_hash = group.chain_hash_before
        for entry in group.entries[: seq + 1 - group.first_seq]:
            chain_hash = keccak(chain_hash + entry_hash(entry))
        return chain_hash

    def sizes(self) -> list[tuple[int, int]]:
        """Return the last number of some neighbouring groups each, and their entries' bytes.

        Raises JournalBroken, JournalIo.
        """
        try:
            return self._journal.sizes()
        except _native.JournalError as error:
            raise fault_of(error) from None

    def replay(self, from_seq: int = 1) -> Iterator[list[bytes]]:
        """Yield all durable entries from a number on, some thousands at a time."""
        while entries := self.read(from_seq, READ_ENTRIES):
            yield entries
            from_seq += len(entries)

    def close(self) -> None:
        """Write what waits, answer it, and let another writer in."""
        self._journal.close()
        self._take_completed()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._journal.fileno())
        self._loop = None

    def _attach(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            assert self._loop is None, "a journal belongs to one event loop"
            loop.add_reader(self._journal.fileno(), self._take_completed)
            self._loop = loop
        return loop

    def _take_completed(self) -> None:
        for completed in self._journal.drain():
            future = self._waiting.pop(completed.first_seq)
            if future.cancelled():
                continue  # whoever waited has gone; the entries are in the journal all the same
            if completed.error is None:
                future.set_result(durable_of(completed))
            else:
                future.set_exception(fault_of(completed.error))


def durable_of(completed: _native.Completed) -> Durable:
    return Durable(
        completed.first_seq,
        completed.last_seq,
        completed.chain_hash_before,
        split_hashes(completed.entry_hashes),
        split_hashes(completed.chain_hashes),
        completed.sync_ns,
    )


def split_hashes(joined: bytes) -> list[bytes]:
    return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]


def fault_of(error: _native.JournalError) -> JournalFault:
    """Return the exception of this module for one of the extension."""
    message, kind, operands = error.args
    return FAULTS[kind](message, operands)
