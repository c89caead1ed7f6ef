"""The durable prefix of a journal that another process writes, read from its files.

A group counts once it is whole and on the disk: its hash chain fits, and the reader has asked for
`fdatasync` itself after reading. What is not whole at the end is still being written, or was torn
by a crash and will be written over. `crates/journal/src/format.rs` has the layout.
"""

import os
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from proofbook.history.errors import JournalDamaged, JournalNotFound
from proofbook.protocol.commands import Malformed
from proofbook.protocol.entry import entry_hash, split_entries
from proofbook.protocol.hashing import keccak

MAGIC = b"PROOFJNL"
VERSION = 2
HEADER = Struct("<8sIIQ32sII")
RECORD = Struct("<II")
FRAME = Struct("<QI16s")
HASH_BYTES = 32
GROUP_BYTES_MAX = 4 << 20
PAYLOAD_BYTES_MIN = FRAME.size + HASH_BYTES
PAYLOAD_BYTES_MAX = PAYLOAD_BYTES_MIN + GROUP_BYTES_MAX
NO_HASH = bytes(HASH_BYTES)


class Read(NamedTuple):
    """An entry, its hash, and the chain after it."""

    seq: int
    entry: bytes
    hash: bytes
    chain_hash: bytes


class JournalReader:
    """Reads on from the first entry, a group at a time. Raises JournalDamaged, JournalNotFound."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.next_seq = 1
        self.chain_hash = NO_HASH
        self._file = -1
        self._path = folder
        self._offset = 0

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def go_behind(self, seq: int) -> None:
        """Go on behind an entry that ends a group, from the segment on that holds it.

        Raises JournalDamaged, JournalNotFound.
        """
        self._begin_segment_of(seq + 1)
        while self.next_seq <= seq and self.read_group():
            pass
        if self.next_seq != seq + 1:
            raise self._damaged(self._offset, f"no group ends with entry {seq}")

    def chain_hash_of(self, seq: int) -> bytes | None:
        """Return the chain after an entry, zeros for 0; None if the journal ends before.

        Raises JournalDamaged, JournalNotFound.
        """
        self._begin_segment_of(seq + 1)
        while self.next_seq <= seq:
            group = self.read_group()
            for read in group:
                if read.seq == seq:
                    return read.chain_hash
            if not group:
                return None
        return self.chain_hash if self.next_seq == seq + 1 else None

    def _begin_segment_of(self, seq: int) -> None:
        """Go to the start of the last segment that begins with this entry or before it."""
        self.close()
        name = self._segment(seq)
        paths = [path for path in sorted(self.folder.glob("*.journal")) if path <= name]
        self.next_seq, self.chain_hash = 1, NO_HASH
        if paths:
            self._path = paths[-1]
            with self._path.open("rb") as file:
                data = file.read(HEADER.size).ljust(HEADER.size, b"\0")
            _, _, _, self.next_seq, self.chain_hash, _, _ = HEADER.unpack(data)

    def read_group(self) -> list[Read]:
        """Return the next group; none while there is no other."""
        if self._file < 0 and not self._open(self.next_seq):
            return []
        group = self._read_record()
        if not group and self._is_followed():
            group = self._read_record()  # written whole before the next segment was begun
            if not group:
                self._expect_end()
                self._open(self.next_seq)
                group = self._read_record()
        return group

    def _is_followed(self) -> bool:
        """Whether a later segment was begun: then nothing more is written to this one."""
        return any(path > self._path for path in self.folder.glob("*.journal"))

    def _segment(self, first_seq: int) -> Path:
        return self.folder / f"{first_seq:020}.journal"

    def _open(self, first_seq: int) -> bool:
        path = self._segment(first_seq)
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._expect_no_segments()
            return False
        self.close()
        self._file, self._path, self._offset = file, path, HEADER.size
        data = os.pread(file, HEADER.size, 0)
        magic, version, _, seq, chain_hash, _, _ = HEADER.unpack(data.ljust(HEADER.size, b"\0"))
        if (magic, version) != (MAGIC, VERSION):
            raise self._damaged(0, "the file is no journal segment of this version")
        if (seq, chain_hash) != (first_seq, self.chain_hash):
            raise self._damaged(0, "the segment continues another chain")
        return True

    def _read_record(self) -> list[Read]:
        """Return the entries of the record that begins here, if it is whole, and go behind it."""
        head = os.pread(self._file, RECORD.size, self._offset)
        if len(head) < RECORD.size:
            return []
        length, _ = RECORD.unpack(head)
        if not PAYLOAD_BYTES_MIN <= length <= PAYLOAD_BYTES_MAX:
            return []
        payload = os.pread(self._file, length, self._offset + RECORD.size)
        group = self._entries_of(payload, length)
        if group:
            os.fdatasync(self._file)
            self._offset += RECORD.size + length
            self.next_seq = group[-1].seq + 1
            self.chain_hash = group[-1].chain_hash
        return group

    def _entries_of(self, payload: bytes, length: int) -> list[Read]:
        if len(payload) < length:
            return []
        first_seq, count, _ = FRAME.unpack_from(payload)
        try:
            entries = split_entries(payload[FRAME.size : -HASH_BYTES])
        except Malformed:
            return []
        if (first_seq, count) != (self.next_seq, len(entries)):
            return []
        group: list[Read] = []
        chain_hash = self.chain_hash
        for seq, entry in enumerate(entries, first_seq):
            hashed = entry_hash(entry)
            chain_hash = keccak(chain_hash + hashed)
            group.append(Read(seq, entry, hashed, chain_hash))
        return group if chain_hash == payload[-HASH_BYTES:] else []

    def _expect_end(self) -> None:
        """Raise JournalDamaged unless nothing but zeros follows: a later segment was begun."""
        if any(os.pread(self._file, RECORD.size, self._offset)):
            raise self._damaged(self._offset, "a group in the middle is not whole")

    def _expect_no_segments(self) -> None:
        if not self.folder.is_dir():
            raise JournalNotFound(self.folder)
        later = sorted(self.folder.glob("*.journal"))
        if later:
            self._path = later[0]
            raise self._damaged(0, "the segment of the next entry is missing")

    def _damaged(self, offset: int, reason: str) -> JournalDamaged:
        return JournalDamaged(self._path, offset, self.next_seq, reason)
