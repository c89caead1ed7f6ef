"""A journal's seal: what a venue says to itself about entries whose signatures it has checked.

    magic 8 | seq u64 | chain_hash 32 | venue 32 | signature 64

Little-endian. The sequencer's key signs that of the entries up to `seq`, which lead to this chain
hash from state 0 with the root `venue`, none is void: who had to sign each of them has. A start
recovers no signature of theirs. Without the key nobody can seal other entries; without a seal, or
beyond it, every signature is checked. Whoever does not have the venue's word for it, a verifier, a
history, the process that takes snapshots, reads no seal.
"""

from collections.abc import Callable
from pathlib import Path
from struct import Struct
from typing import NamedTuple

import structlog

from proofbook.api.signing import Key, recover
from proofbook.protocol.engine import Engine
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import ArenaId
from proofbook.protocol.records import GlobalRecord
from proofbook.recovery.errors import JournalBehindSeal, JournalUnlikeSeal, SealRefused
from proofbook.sequencer.journal import Tail

MAGIC = b"PROOFSEL"
NAME, PART_NAME = "seal", "seal.part"
LAYOUT = Struct("<8sQ32s32s64s")
DIGEST_PREFIX = b"\x19Proofbook seal\n"
"""Unlike what begins a typed message, a transaction or the leaf of any tree."""
SEALED_EVERY = 4_096
"""Entries after which there is a new seal: their signatures are checked in a part of a second."""

_log = structlog.get_logger()


class Seal(NamedTuple):
    """Up to which entry of which journal of which venue."""

    seq: int
    chain_hash: bytes
    venue: bytes

    def digest(self) -> bytes:
        """Return what is signed."""
        return keccak(DIGEST_PREFIX + self.seq.to_bytes(8, "little") + self.chain_hash + self.venue)


class Sealer:
    """Seals the journal of a folder as it grows.

    `venue` is the root of state 0. The engine has executed every entry of the journal and recovered
    every signature that no seal of this key vouched for.
    """

    def __init__(
        self, folder: Path, key: Key, venue: bytes, engine: Engine, tail: Callable[[], Tail]
    ) -> None:
        self._path = folder / NAME
        self._part = folder / PART_NAME
        self._key = key
        self._venue = venue
        self._engine = engine
        self._tail = tail
        self._is_closed = False
        self.sealed_seq = 0

    def read(self, chain_hash_at: Callable[[int], bytes | None]) -> int:
        """Return up to which entry the journal is sealed: 0 without a seal that holds good.

        What is wrong with one is named in the log. Raises JournalBehindSeal, JournalUnlikeSeal.
        """
        try:
            self.sealed_seq = read_seal(self._path, self._key.address, self._venue, chain_hash_at)
        except SealRefused as fault:
            _log.warning("seal.refused", fault=type(fault).__name__, reason=str(fault))
        return self.sealed_seq

    def grown(self) -> None:
        """Seal the journal if it has grown by enough."""
        if self._tail().seq - self.sealed_seq >= SEALED_EVERY:
            self.seal()

    def close(self) -> None:
        """Seal all there is, for the last time: the journal is about to be closed."""
        if not self._is_closed:
            self.seal()
        self._is_closed = True

    def seal(self) -> None:
        """Seal the whole journal, unless an entry in it was void; a disk that refuses is logged."""
        tail = self._tail()
        header = GlobalRecord.unpack(self._engine.read(ArenaId.GLOBAL, 0))
        if tail.seq == self.sealed_seq or header.void_count:
            return
        seal = Seal(tail.seq, tail.chain_hash, self._venue)
        try:
            self._part.write_bytes(LAYOUT.pack(MAGIC, *seal, self._key.sign(seal.digest())))
            self._part.rename(self._path)
        except OSError as error:
            _log.warning("seal.unwritten", path=str(self._path), reason=error.strerror)
        self.sealed_seq = tail.seq


def read_seal(
    path: Path, signer: bytes, venue: bytes, chain_hash_at: Callable[[int], bytes | None]
) -> int:
    """Return up to which entry a journal is sealed; 0 if there is no seal.

    Raises SealRefused; JournalBehindSeal or JournalUnlikeSeal where what this key has sealed is not
    there any more.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise SealRefused(path, error.strerror or str(error)) from None
    if len(data) != LAYOUT.size or data[: len(MAGIC)] != MAGIC:
        raise SealRefused(path, "the file is no seal")
    _, *members, signature = LAYOUT.unpack(data)
    seal = Seal(*members)
    if seal.venue != venue:
        raise SealRefused(path, "it is another venue's")
    if recover(seal.digest(), signature) != signer:
        raise SealRefused(path, "another key has signed it")
    chain_hash = chain_hash_at(seal.seq)
    if chain_hash is None:
        raise JournalBehindSeal(path, seal.seq)
    if chain_hash != seal.chain_hash:
        raise JournalUnlikeSeal(path, seal.seq)
    return seal.seq
