"""State roots of appended entries, from an engine that follows the journal."""

from collections.abc import Callable
from dataclasses import dataclass, field

from proofbook.chain.batches import queued_withdrawals, segment_ends
from proofbook.chain.proofs import CommittedEngine, StateWitness
from proofbook.protocol.events import WithdrawalQueued
from proofbook.settlement.appends import EntrySource
from proofbook.settlement.errors import JournalBehindChain

READ_ENTRIES_MAX = 1024  # entries applied in one call when no roots are wanted

EngineFactory = Callable[[], CommittedEngine]
"""Makes an engine at genesis."""


@dataclass
class Follower:
    """Replays the journal at the pace of the claims.

    It can only go forward. Asked for what lies behind it (a reorganised chain, a deleted claim), it
    begins again at genesis.
    """

    make_engine: EngineFactory
    source: EntrySource
    withdrawals: list[WithdrawalQueued] = field(default_factory=list)
    _engine: CommittedEngine | None = None

    @property
    def seq(self) -> int:
        return self._engine.seq if self._engine else 0

    def checkpoint_roots(self, first_seq: int, last_seq: int) -> list[bytes]:
        """Return the roots of the batch first..last. Raises JournalBehindChain."""
        self.advance(first_seq - 1)
        roots = []
        for end in segment_ends(first_seq, last_seq):
            engine = self.advance(end)
            roots.append(engine.root())
        return roots

    def witness(self, seq: int) -> StateWitness:
        """Return what opens the global record after an entry. Raises JournalBehindChain."""
        return StateWitness.of(self.advance(seq))

    def advance(self, seq: int) -> CommittedEngine:
        """Return the engine with everything up to and with this entry applied.

        Raises  JournalBehindChain.
        """
        if self._engine is None or self._engine.seq > seq:
            self._engine = self.make_engine()
            self.withdrawals.clear()
        engine = self._engine
        while engine.seq < seq:
            wanted = min(READ_ENTRIES_MAX, seq - engine.seq)
            entries = self.source.read(engine.seq + 1, wanted)
            if not entries:
                raise JournalBehindChain(seq, engine.seq)
            for entry, result in zip(entries, engine.apply(entries), strict=True):
                self.withdrawals += queued_withdrawals(entry, result)
        return engine
