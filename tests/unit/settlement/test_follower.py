"""The follower gives the roots of an engine, whatever it is asked for first."""

from collections.abc import Sequence
from random import Random

import pytest
from tests.journals import kernel_at_genesis, workload_entries

from proofbook.chain.proofs import WithdrawalTree, withdrawal_leaf
from proofbook.kernel import Kernel
from proofbook.protocol.commands import Tick
from proofbook.protocol.engine import Result
from proofbook.protocol.entry import Entry
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import ArenaId, OutcomeKind
from proofbook.protocol.outcomes import APPLIED
from proofbook.settlement.claims import Follower
from proofbook.settlement.errors import JournalBehindChain, RootDisagrees


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


def at_genesis(_: int) -> ChainOfHashes:
    return ChainOfHashes()


def root_after(journal: ListJournal, seq: int) -> bytes:
    engine = ChainOfHashes()
    engine.apply(journal.entries[:seq])
    return engine.root()


def test_roots_stand_after_every_segment_and_the_last_entry() -> None:
    journal = ListJournal(3_000)
    roots = Follower(at_genesis, journal).checkpoint_roots(1, 3_000)
    assert roots == [root_after(journal, seq) for seq in (1_024, 2_048, 3_000)]


def test_segments_count_from_the_first_entry_of_the_batch() -> None:
    journal = ListJournal(2_000)
    roots = Follower(at_genesis, journal).checkpoint_roots(11, 1_035)
    assert roots == [root_after(journal, seq) for seq in (1_034, 1_035)]


def test_what_lies_behind_is_replayed_from_genesis() -> None:
    journal = ListJournal(100)
    follower = Follower(at_genesis, journal)
    follower.checkpoint_roots(1, 100)
    assert follower.checkpoint_roots(1, 50) == [root_after(journal, 50)]


def test_a_journal_that_ends_too_early_is_a_fault() -> None:
    with pytest.raises(JournalBehindChain) as caught:
        Follower(at_genesis, ListJournal(5)).checkpoint_roots(1, 9)
    assert (caught.value.next_seq, caught.value.last_seq) == (9, 5)


def test_states_at_the_ends_of_batches_are_kept() -> None:
    made: list[ChainOfHashes] = []

    def make(_: int) -> ChainOfHashes:
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


class Snapshots:
    """States of a chain of hashes after every tenth entry, and what was restored of them."""

    def __init__(self, journal: ListJournal) -> None:
        self.journal = journal
        self.made: list[int] = []
        self.is_wrong = False

    def engine_before(self, seq: int) -> ChainOfHashes:
        engine = ChainOfHashes()
        engine.apply(self.journal.entries[: seq // 10 * 10])
        if engine.seq and self.is_wrong:
            engine.hash = bytes(32)
        self.made.append(engine.seq)
        return engine


def test_follower_begins_at_a_state_before_the_claim() -> None:
    journal = ListJournal(3_000)
    snapshots = Snapshots(journal)
    follower = Follower(snapshots.engine_before, journal)
    follower.hold_to(1_234, root_after(journal, 1_234))
    roots = follower.checkpoint_roots(1_235, 3_000)
    assert roots == [root_after(journal, seq) for seq in (2_258, 3_000)]
    assert snapshots.made == [1_230], "nothing before it was executed"


def test_what_lies_behind_begins_at_an_older_state() -> None:
    journal = ListJournal(100)
    snapshots = Snapshots(journal)
    follower = Follower(snapshots.engine_before, journal)
    follower.checkpoint_roots(91, 100)
    assert follower.checkpoint_roots(1, 55) == [root_after(journal, 55)]
    assert snapshots.made == [100, 50]


def test_a_claim_that_is_made_again_is_not_computed_again() -> None:
    journal = ListJournal(3_000)
    snapshots = Snapshots(journal)
    follower = Follower(snapshots.engine_before, journal)
    roots = follower.checkpoint_roots(1, 2_000)
    assert follower.checkpoint_roots(1, 2_000) == roots
    longer = follower.checkpoint_roots(1, 3_000)
    assert longer == [root_after(journal, seq) for seq in (1_024, 2_048, 3_000)]
    assert len(snapshots.made) == 1, "it went forward alone"


def test_a_root_on_chain_that_the_journal_does_not_lead_to_is_a_fault() -> None:
    journal = ListJournal(60)
    follower = Follower(at_genesis, journal)
    follower.hold_to(50, root_after(journal, 50))
    with pytest.raises(RootDisagrees, match="the chain's claim has root") as caught:
        follower.hold_to(60, b"\x01" * 32)
    assert (caught.value.seq, caught.value.restored_seq) == (60, 0)
    assert (caught.value.found, caught.value.computed) == (b"\x01" * 32, root_after(journal, 60))


def test_a_restored_state_that_leads_elsewhere_is_named_by_its_entry() -> None:
    journal = ListJournal(60)
    snapshots = Snapshots(journal)
    snapshots.is_wrong = True
    follower = Follower(snapshots.engine_before, journal)
    with pytest.raises(RootDisagrees, match="move the snapshots away") as caught:
        follower.hold_to(55, root_after(journal, 55))
    assert (caught.value.seq, caught.value.restored_seq) == (55, 50)
    assert snapshots.made == [50, 0], "the journal from its start has decided"
    snapshots.is_wrong = False
    assert follower.checkpoint_roots(1, 55) == [root_after(journal, 55)], "nothing wrong is kept"


def test_a_wrong_claim_is_told_from_a_wrong_snapshot() -> None:
    journal = ListJournal(60)
    snapshots = Snapshots(journal)
    follower = Follower(snapshots.engine_before, journal)
    for snapshots.is_wrong in (False, True):
        with pytest.raises(RootDisagrees) as caught:
            follower.hold_to(55, b"\x01" * 32)
        assert (caught.value.restored_seq, caught.value.found) == (0, b"\x01" * 32)
        assert caught.value.computed == root_after(journal, 55)


class KernelJournal:
    """A random stream without void entries, and states of it at random places."""

    def __init__(self, seed: int, count: int = 1_500) -> None:
        self.random = Random(seed)
        self.genesis, entries = workload_entries(seed, count)
        results = self.kernel().apply_unless_void(entries)
        self.entries = [
            entry
            for entry, result in zip(entries, results, strict=True)
            if result.outcome.kind is not OutcomeKind.VOID
        ]
        kernel, count = self.kernel(), len(self.entries)
        self.places = sorted(self.random.sample(range(1, count), 8))
        self.states: dict[int, bytes] = {}
        for first, last in zip([0, *self.places], self.places, strict=False):
            kernel.apply(self.entries[first:last])
            self.states[last] = kernel.snapshot()

    def kernel(self) -> Kernel:
        return kernel_at_genesis(self.genesis)

    def read(self, first_seq: int, max_entries: int) -> list[bytes]:
        return self.entries[first_seq - 1 : first_seq - 1 + max_entries]

    def engine_before(self, seq: int) -> Kernel:
        place = max((place for place in self.places if place <= seq), default=0)
        return Kernel.restore(self.states[place]) if place else self.kernel()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_restored_state_leads_to_the_same_claims_and_withdrawals(seed: int) -> None:
    journal = KernelJournal(seed)
    count, draw = len(journal.entries), journal.random.randint
    last_seq = draw(count // 2, count)
    first_seq = draw(journal.places[0] + 1, last_seq)
    plain = Follower(lambda _: journal.kernel(), journal)
    roots, state = plain.checkpoint_roots(first_seq, last_seq), plain.opened(last_seq)
    assert state.withdrawals, "the stream has withdrawals"
    tree = WithdrawalTree([withdrawal_leaf(leaf) for leaf in state.withdrawals])
    assert tree.root() == state.witness.record.withdrawal_root, "all of them are known"
    follower = Follower(journal.engine_before, journal)
    follower.hold_to(first_seq - 1, root_of(journal, first_seq - 1))
    assert follower.checkpoint_roots(first_seq, last_seq) == roots
    assert follower.opened(last_seq) == state
    earlier = draw(1, first_seq)
    assert follower.opened(earlier) == plain.opened(earlier)


def root_of(journal: KernelJournal, seq: int) -> bytes:
    kernel = journal.kernel()
    kernel.apply(journal.entries[:seq])
    return kernel.root()
