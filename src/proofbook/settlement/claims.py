"""State roots of appended entries, from an engine that follows the journal."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import structlog

from proofbook.chain.batches import queued_withdrawals, segment_ends
from proofbook.chain.proofs import StateWitness
from proofbook.protocol.engine import Engine
from proofbook.protocol.events import WithdrawalQueued
from proofbook.settlement.appends import EntrySource
from proofbook.settlement.errors import JournalBehindChain, RootDisagrees

READ_ENTRIES_MAX = 1024  # entries applied in one call when no roots are wanted
OPENED_STATES_MAX = 256  # kept of recent batches, 3 KiB each: those that are not final
ROOTS_MAX = 4096  # kept of recent segments: those of claims that may have to be made again

_log = structlog.get_logger()

EngineFactory = Callable[[int], Engine]
"""Makes an engine that stands at an entry or somewhere before it; for 0 at genesis."""


@dataclass(frozen=True)
class OpenedState:
    """A state as far as paying withdrawals needs it: its global record, and the leaves it knows."""

    witness: StateWitness
    withdrawals: Sequence[WithdrawalQueued]


class Follower:
    """Replays the journal at the pace of the claims.

    It can only go forward. Asked for what lies behind it (a reorganised chain, a deleted claim), it
    begins again, with a state restored from somewhere before, or at genesis; roots and states at
    the ends of recent batches it keeps. One thread at a time: a caller who was cancelled may have
    left a thread at work.
    """

    def __init__(self, make_engine: EngineFactory, source: EntrySource) -> None:
        self._make_engine = make_engine
        self._source = source
        self._engine: Engine | None = None
        self._restored_seq = 0
        self._roots: OrderedDict[int, bytes] = OrderedDict()
        self._opened: OrderedDict[int, StateWitness] = OrderedDict()
        self._withdrawals: dict[int, WithdrawalQueued] = {}
        self._turn = Lock()

    def hold_to(self, seq: int, claimed_root: bytes) -> None:
        """Compare the state after an entry with what the chain has of it.

        Where they differ, and the state was a restored one, the whole journal decides which is
        wrong. Either is a fault: the venue may have come back by the same file.

        Raises RootDisagrees, JournalBehindChain.
        """
        with self._turn:
            found = self._root(seq)
            if found == claimed_root:
                return
            restored_seq, root = self._restored_seq, found
            if restored_seq:
                root = self._from_genesis(seq, "the chain has another root").root()
            self._forget()
            if root == claimed_root:
                raise RootDisagrees(seq, found, root, restored_seq)
            raise RootDisagrees(seq, claimed_root, root)

    def checkpoint_roots(self, first_seq: int, last_seq: int) -> list[bytes]:
        """Return the roots of the batch first..last. Raises JournalBehindChain."""
        with self._turn:
            roots = [self._root(end) for end in segment_ends(first_seq, last_seq)]
            if self._engine is not None and self._engine.seq == last_seq:
                self._opened[last_seq] = StateWitness.of(self._engine)
            drop_oldest(self._opened, OPENED_STATES_MAX)
            drop_oldest(self._roots, ROOTS_MAX)
            return roots

    def opened(self, seq: int) -> OpenedState:
        """Return the state after an entry, opened.

        A restored state knows how many withdrawals there were before it, and not which: they are
        looked for in the journal from its start, once.

        Raises JournalBehindChain.
        """
        with self._turn:
            witness = self._opened.get(seq) or StateWitness.of(self._advance(seq))
            indices = range(witness.record.withdrawal_count)
            if not all(index in self._withdrawals for index in indices):
                self._from_genesis(seq, "withdrawals before the restored state")
            return OpenedState(witness, [self._withdrawals[index] for index in indices])

    def _root(self, seq: int) -> bytes:
        if seq not in self._roots:
            self._roots[seq] = self._advance(seq).root()
        return self._roots[seq]

    def _advance(self, seq: int) -> Engine:
        """Return the engine with everything up to and with this entry applied."""
        if self._engine is None or self._engine.seq > seq:
            self._engine = self._make_engine(seq)
            assert self._engine.seq <= seq, f"an engine for {seq} stands at {self._engine.seq}"
            self._restored_seq = self._engine.seq or self._restored_seq
        return self._run(self._engine, seq)

    def _from_genesis(self, seq: int, reason: str) -> Engine:
        """Return another engine that has executed everything up to and with this entry."""
        _log.info("settlement.replaying", seq=seq, reason=reason)
        return self._run(self._make_engine(0), seq)

    def _run(self, engine: Engine, seq: int) -> Engine:
        while engine.seq < seq:
            wanted = min(READ_ENTRIES_MAX, seq - engine.seq)
            entries = self._source.read(engine.seq + 1, wanted)
            if not entries:
                raise JournalBehindChain(seq, engine.seq)
            for entry, result in zip(entries, engine.apply(entries), strict=True):
                for withdrawal in queued_withdrawals(entry, result):
                    self._withdrawals[withdrawal.index] = withdrawal
        return engine

    def _forget(self) -> None:
        """Believe nothing any more of what was computed."""
        self._engine, self._restored_seq = None, 0
        for kept in (self._roots, self._opened, self._withdrawals):
            kept.clear()


def drop_oldest(kept: OrderedDict[int, Any], count_max: int) -> None:
    """Drop what was put in first, beyond so many."""
    while len(kept) > count_max:
        kept.popitem(last=False)
