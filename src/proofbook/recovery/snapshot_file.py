"""A snapshot's file.

    magic 8 | version u32 | seq u64 | chain_hash 32 | root 32 | venue 32 | state u64 | derived u64
    state bytes | derived bytes | checksum 32

Little-endian. `chain_hash` is the journal's after entry `seq`, `root` the state root there, `venue`
the root of state 0, which fixes genesis, chain and contract. State is as the kernel writes it;
derived is MessagePack. The checksum is BLAKE2b over all that stands before it.

A file has its name only when it is whole: it is written under another, made durable and renamed.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import NamedTuple

import msgspec

from proofbook.recovery.derived import DerivedKept
from proofbook.recovery.errors import SnapshotDamaged, SnapshotUnreadable, SnapshotUnwritable

MAGIC = b"PROOFSNP"
VERSION = 1
HEAD = Struct("<8sIQ32s32s32sQQ")
CHECKSUM_BYTES = 32
SUFFIX, PART_SUFFIX = ".snapshot", ".part"


class Place(NamedTuple):
    """Of which venue, and after which of its entries: the same in two files that say the same."""

    seq: int
    chain_hash: bytes
    root: bytes
    venue: bytes


class Head(NamedTuple):
    """How a file begins."""

    place: Place
    state_bytes: int
    derived_bytes: int

    @property
    def file_bytes(self) -> int:
        return HEAD.size + self.state_bytes + self.derived_bytes + CHECKSUM_BYTES


class Snapshot(NamedTuple):
    """A whole file, its checksum held."""

    path: Path
    place: Place
    state: bytes
    derived: DerivedKept


def snapshot_paths(folder: Path) -> list[Path]:
    """Return the snapshots of a folder, newest first; none if there is no folder.

    Raises SnapshotUnreadable.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SnapshotUnreadable(folder, error.strerror or str(error)) from None
    return [folder / name for name in sorted(names, reverse=True) if name.endswith(SUFFIX)]


def write_snapshot(folder: Path, place: Place, state: bytes, derived: DerivedKept) -> Path:
    """Write a snapshot, durable once this returns. Raises SnapshotUnwritable."""
    encoded = msgspec.msgpack.encode(derived)
    head = HEAD.pack(MAGIC, VERSION, *place, len(state), len(encoded))
    checksum = blake2b(digest_size=CHECKSUM_BYTES)
    path = folder / f"{place.seq:020}{SUFFIX}"
    part = path.with_suffix(PART_SUFFIX)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            for piece in (head, state, encoded):
                checksum.update(piece)
                file.write(piece)
            file.write(checksum.digest())
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        sync_folder(folder)
    except OSError as error:
        # A piece of a snapshot would take the room that a full disk still has for the journal.
        with suppress(OSError):
            part.unlink()
        raise SnapshotUnwritable(path, error.strerror or str(error)) from None
    return path


def read_head(path: Path) -> Head:
    """Return how a snapshot begins, if the file is as long as that says.

    Raises SnapshotUnreadable, SnapshotDamaged.
    """
    try:
        with path.open("rb") as file:
            data, size = file.read(HEAD.size), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise SnapshotUnreadable(path, error.strerror or str(error)) from None
    return head_of(path, data, size)


def read_snapshot(path: Path) -> Snapshot:
    """Return all that a snapshot says. Raises SnapshotUnreadable, SnapshotDamaged."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SnapshotUnreadable(path, error.strerror or str(error)) from None
    head = head_of(path, data[: HEAD.size], len(data))
    view = memoryview(data)
    checksum = blake2b(view[:-CHECKSUM_BYTES], digest_size=CHECKSUM_BYTES)
    if checksum.digest() != data[-CHECKSUM_BYTES:]:
        raise SnapshotDamaged(path, "the checksum differs")
    end = HEAD.size + head.state_bytes
    try:
        derived = msgspec.msgpack.decode(view[end:-CHECKSUM_BYTES], type=DerivedKept)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SnapshotDamaged(path, f"what is derived cannot be read: {error}") from None
    return Snapshot(path, head.place, data[HEAD.size : end], derived)


def head_of(path: Path, data: bytes, size: int) -> Head:
    """Return what the first bytes of a file of some size say. Raises SnapshotDamaged."""
    if len(data) < HEAD.size or data[: len(MAGIC)] != MAGIC:
        raise SnapshotDamaged(path, "the file is no snapshot")
    _, version, *members, state_bytes, derived_bytes = HEAD.unpack(data)
    if version != VERSION:
        raise SnapshotDamaged(path, f"the file has version {version}, must be {VERSION}")
    head = Head(Place(*members), state_bytes, derived_bytes)
    if size != head.file_bytes:
        raise SnapshotDamaged(path, f"the file has {size} bytes, must have {head.file_bytes}")
    return head


def remove_parts(folder: Path) -> None:
    """Remove what a process that was killed has left of snapshots. Raises SnapshotUnwritable."""
    for part in folder.glob(f"*{PART_SUFFIX}"):
        _remove(part)


def remove_old(folder: Path, venue: bytes, kept: int) -> None:
    """Remove all but the newest snapshots of a venue; what is damaged or foreign is left alone.

    Raises SnapshotUnwritable.
    """
    for path in list(_of_venue(folder, venue))[kept:]:
        _remove(path)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SnapshotUnwritable(path, error.strerror or str(error)) from None


def _of_venue(folder: Path, venue: bytes) -> Iterator[Path]:
    for path in snapshot_paths(folder):
        try:
            is_ours = read_head(path).place.venue == venue
        except (SnapshotDamaged, SnapshotUnreadable):
            continue
        if is_ours:
            yield path


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
