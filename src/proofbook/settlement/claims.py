"""State roots of appended entries, from an engine that follows the journal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from proofbook.chain.batches import queued_withdrawals, segment_ends
from proofbook.chain.proofs import StateWitness
from proofbook.protocol.engine import Engine
from proofbook.protocol.events import WithdrawalQueued
from proofbook.settlement.appends import EntrySource
from proofbook.settlement.errors import JournalBehindChain

READ_ENTRIES_MAX = 1024  # entries applied in one call when no roots are wanted
OPENED_STATES_MAX = 256  # kept of recent batches, 3 KiB each: those that are not final

EngineFactory = Callable[[], Engine]
"""Makes an engine at genesis."""


@dataclass(frozen=True)
class OpenedState:
    """A state as far as paying withdrawals needs it: its global record, and the leaves it knows.

    The leaves are the first ones of a list that goes on: no state has a copy of its own.
    """

    witness: StateWitness
    all_withdrawals: Sequence[WithdrawalQueued]

    @property
    def withdrawals(self) -> Sequence[WithdrawalQueued]:
        """The leaves that the state knows."""
        return self.all_withdrawals[: self.witness.record.withdrawal_count]


class Follower:
    """Replays the journal at the pace of the claims.

    It can only go forward. Asked for what lies behind it (a reorganised chain, a deleted claim), it
    begins again at genesis; the states at the ends of recent batches it keeps. One thread at a
    time: a caller who was cancelled may have left a thread at work.
    """

    def __init__(self, make_engine: EngineFactory, source: EntrySource) -> None:
        self._make_engine = make_engine
        self._source = source
        self._engine: Engine | None = None
        self._withdrawals: list[WithdrawalQueued] = []
        self._opened: dict[int, OpenedState] = {}
        self._turn = Lock()

    def checkpoint_roots(self, first_seq: int, last_seq: int) -> list[bytes]:
        """Return the roots of the batch first..last. Raises JournalBehindChain."""
        with self._turn:
            self._advance(first_seq - 1)
            roots = [self._advance(end).root() for end in segment_ends(first_seq, last_seq)]
            self._open(last_seq)
            return roots

    def opened(self, seq: int) -> OpenedState:
        """Return the state after an entry, opened. Raises JournalBehindChain."""
        with self._turn:
            return self._opened.get(seq) or self._open(seq)

    def _open(self, seq: int) -> OpenedState:
        witness = StateWitness.of(self._advance(seq))
        self._opened[seq] = opened = OpenedState(witness, self._withdrawals)
        while len(self._opened) > OPENED_STATES_MAX:
            del self._opened[next(iter(self._opened))]
        return opened

    def _advance(self, seq: int) -> Engine:
        """Return the engine with everything up to and with this entry applied."""
        if self._engine is None or self._engine.seq > seq:
            self._engine = self._make_engine()
            self._withdrawals = []  # states that were opened before go on with theirs
        engine = self._engine
        while engine.seq < seq:
            wanted = min(READ_ENTRIES_MAX, seq - engine.seq)
            entries = self._source.read(engine.seq + 1, wanted)
            if not entries:
                raise JournalBehindChain(seq, engine.seq)
            for entry, result in zip(entries, engine.apply(entries), strict=True):
                self._withdrawals += queued_withdrawals(entry, result)
        return engine
