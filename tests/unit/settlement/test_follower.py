"""The follower gives the roots of an engine, whatever it is asked for first."""

from collections.abc import Sequence

import pytest

from proofbook.protocol.commands import Tick
from proofbook.protocol.engine import Result
from proofbook.protocol.entry import Entry
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import ArenaId
from proofbook.protocol.outcomes import APPLIED
from proofbook.settlement.claims import Follower
from proofbook.settlement.errors import JournalBehindChain


class ChainOfHashes:
    """An engine whose root is the hash chain of what it was given."""

    def __init__(self) -> None:
        self.seq = 0
        self.hash = bytes(32)

    def apply(self, entries: Sequence[bytes]) -> list[Result]:
        for entry in entries:
            self.hash = keccak(self.hash + entry)
            self.seq += 1
        return [Result(APPLIED, b"") for _ in entries]

    def root(self) -> bytes:
        return self.hash

    def arena_roots(self) -> list[bytes]:
        return [self.hash] * 16

    def read(self, arena: ArenaId, slot: int) -> bytes:
        return bytes(64 * 32)


class ListJournal:
    def __init__(self, count: int) -> None:
        self.entries = [Entry(n, n, Tick()).encode() for n in range(1, count + 1)]

    def read(self, first_seq: int, max_entries: int) -> list[bytes]:
        return self.entries[first_seq - 1 : first_seq - 1 + max_entries]


def root_after(journal: ListJournal, seq: int) -> bytes:
    engine = ChainOfHashes()
    engine.apply(journal.entries[:seq])
    return engine.root()


def test_roots_stand_after_every_segment_and_the_last_entry() -> None:
    journal = ListJournal(3_000)
    roots = Follower(ChainOfHashes, journal).checkpoint_roots(1, 3_000)
    assert roots == [root_after(journal, seq) for seq in (1_024, 2_048, 3_000)]


def test_segments_count_from_the_first_entry_of_the_batch() -> None:
    journal = ListJournal(2_000)
    roots = Follower(ChainOfHashes, journal).checkpoint_roots(11, 1_035)
    assert roots == [root_after(journal, seq) for seq in (1_034, 1_035)]


def test_what_lies_behind_is_replayed_from_genesis() -> None:
    journal = ListJournal(100)
    follower = Follower(ChainOfHashes, journal)
    follower.checkpoint_roots(1, 100)
    assert follower.checkpoint_roots(1, 50) == [root_after(journal, 50)]


def test_a_journal_that_ends_too_early_is_a_fault() -> None:
    with pytest.raises(JournalBehindChain) as caught:
        Follower(ChainOfHashes, ListJournal(5)).checkpoint_roots(1, 9)
    assert (caught.value.next_seq, caught.value.last_seq) == (9, 5)


def test_states_at_the_ends_of_batches_are_kept() -> None:
    made: list[ChainOfHashes] = []

    def make() -> ChainOfHashes:
        made.append(ChainOfHashes())
        return made[-1]

    journal = ListJournal(20)
    follower = Follower(make, journal)
    follower.checkpoint_roots(1, 10)
    follower.checkpoint_roots(11, 20)
    assert follower.opened(10).witness.arena_roots == (root_after(journal, 10),) * 16
    assert len(made) == 1, "nothing was replayed again"
    assert follower.opened(5).witness.arena_roots == (root_after(journal, 5),) * 16
    assert len(made) == 2, "what was not kept is replayed"
