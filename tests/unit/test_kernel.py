"""The door to the state machine: the same answers as the reference, snapshots, refusals."""

import signal
import subprocess
import sys
import threading

import pytest

from proofbook.kernel import OUTCOMES, Kernel, SnapshotRootMismatch, Store
from proofbook.protocol.commands import Malformed
from proofbook.protocol.engine import Result
from proofbook.protocol.limits import ArenaId, OutcomeKind, Void
from proofbook.protocol.outcomes import Outcome
from proofbook.protocol.records import GlobalRecord
from proofbook.simulator.workload import Workload
from proofbook.spec.transition import State

CHAIN_ID = 31337
CONTRACT = bytes(range(20))
STORES: tuple[Store, ...] = ("cached", "plain", "witness")


class Recorded:
    """Some hundred entries of the simulator, with the reference program's results and state."""

    def __init__(self, count: int) -> None:
        workload = Workload(5)
        self.genesis = workload.genesis
        self.state = State(self.genesis, CHAIN_ID, CONTRACT)
        self.entries: list[bytes] = []
        self.results: list[Result] = []
        for _ in range(count):
            entry = workload.next_entry()
            result = self.state.apply([entry])[0]
            workload.observe(entry, result)
            self.entries.append(entry)
            self.results.append(result)


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return Recorded(400)


def fresh(recorded: Recorded, store: Store = "cached") -> Kernel:
    return Kernel(recorded.genesis, CHAIN_ID, CONTRACT, store=store)


@pytest.mark.parametrize("store", STORES)
def test_one_call_gives_the_results_of_the_reference(recorded: Recorded, store: Store) -> None:
    kernel = fresh(recorded, store)
    assert kernel.apply(recorded.entries) == recorded.results, "outcomes and events"
    assert kernel.root() == recorded.state.root(), "the state root"
    assert kernel.seq == recorded.state.seq == len(recorded.entries), "every entry counts"


def test_every_outcome_kind_occurs(recorded: Recorded) -> None:
    kinds = {result.outcome.kind for result in recorded.results}
    assert kinds == set(OutcomeKind), "the recorded entries would prove little otherwise"


def test_batches_of_any_size_lead_to_the_same_state(recorded: Recorded) -> None:
    kernel, results = fresh(recorded), []
    for start in range(0, len(recorded.entries), 7):
        results += kernel.apply(recorded.entries[start : start + 7])
    assert results == recorded.results, "as in one call"
    assert kernel.root() == recorded.state.root(), "the same root"
    assert kernel.apply([]) == [], "nothing in, nothing out"


@pytest.mark.parametrize("store", STORES)
def test_records_read_like_the_reference(recorded: Recorded, store: Store) -> None:
    kernel = fresh(recorded, store)
    kernel.apply(recorded.entries)
    for arena in ArenaId:
        slots = (0,) if arena == ArenaId.GLOBAL else (1, 2, 3, 60)
        for slot in slots:
            expected = recorded.state.read(arena, slot)
            assert kernel.read(arena, slot) == expected, f"{arena.name} {slot}"


def test_a_slot_outside_its_arena_is_refused(recorded: Recorded) -> None:
    kernel = fresh(recorded)
    with pytest.raises(ValueError, match="no slot 64 in an arena 11"):
        kernel.read(ArenaId.PUBLISHERS, 64)


@pytest.mark.parametrize("before", STORES)
@pytest.mark.parametrize("after", STORES)
def test_a_snapshot_goes_on_where_it_was_taken(
    recorded: Recorded, before: Store, after: Store
) -> None:
    kernel = fresh(recorded, before)
    kernel.apply(recorded.entries[:200])
    restored = Kernel.restore(kernel.snapshot(), store=after)
    assert (restored.seq, restored.root()) == (200, kernel.root()), "the state that was taken"
    assert restored.apply(recorded.entries[200:]) == recorded.results[200:], "it goes on"
    assert restored.root() == recorded.state.root(), "to the same end"
    assert kernel.seq == 200, "the kernel that was copied stays where it was"


def test_a_changed_snapshot_is_refused(recorded: Recorded) -> None:
    kernel = fresh(recorded)
    snapshot = bytearray(kernel.snapshot())
    snapshot[-1] ^= 1
    with pytest.raises(SnapshotRootMismatch) as caught:
        Kernel.restore(bytes(snapshot))
    assert caught.value.named == kernel.root(), "the root that it names"
    assert caught.value.computed != kernel.root(), "another one comes out"
    for broken in (b"", bytes(snapshot[:-5]), bytes(snapshot) + b"\0"):
        with pytest.raises(Malformed):
            Kernel.restore(broken)


def test_genesis_that_is_none_is_refused(recorded: Recorded) -> None:
    for broken in (b"", recorded.genesis[:-1], recorded.genesis + b"\0"):
        with pytest.raises(Malformed, match="genesis"):
            Kernel(broken, CHAIN_ID, CONTRACT)


def test_bytes_that_are_no_entry_are_void(recorded: Recorded) -> None:
    kernel = fresh(recorded)
    results = kernel.apply([b"", b"\x05", bytes(3000), b"\xff" * 90])
    assert {result.outcome for result in results} == {Outcome.void(Void.MALFORMED)}, "VOID"
    assert kernel.seq == 4, "they count all the same"


def test_outcomes_of_the_door_decode_as_the_protocol_says() -> None:
    for data, outcome in OUTCOMES.items():
        assert Outcome.decode(data) == outcome, "two bytes"


def test_threads_share_a_kernel(recorded: Recorded) -> None:
    kernel = fresh(recorded)
    roots: list[bytes] = []
    reader = threading.Thread(target=lambda: roots.extend(kernel.root() for _ in range(50)))
    reader.start()
    kernel.apply(recorded.entries)
    reader.join()
    assert len(roots) == 50, "roots are read while entries are applied"
    assert kernel.root() == recorded.state.root(), "and do not disturb them"


ABORTING = """
import sys
from proofbook.kernel import Kernel
kernel = Kernel.restore(bytes.fromhex(sys.stdin.read()))
try:
    kernel.apply([b""])
except BaseException:
    print("caught")
print("alive")
"""


def test_a_broken_invariant_ends_the_process(recorded: Recorded) -> None:
    kernel = fresh(recorded)
    kernel.apply(recorded.entries)
    header = GlobalRecord.unpack(kernel.read(ArenaId.GLOBAL, 0))
    header.deposits_atoms += 1  # money from nowhere, under a root that fits
    snapshot = bytearray(kernel.snapshot())
    words = header.pack()
    snapshot[44 : 44 + 256] = words[:256]
    with pytest.raises(SnapshotRootMismatch) as caught:
        Kernel.restore(bytes(snapshot))
    snapshot[8:40] = caught.value.computed
    process = subprocess.run(
        [sys.executable, "-c", ABORTING],
        input=snapshot.hex(),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert process.returncode == -signal.SIGABRT, "no layer above may catch it"
    assert process.stdout == "", "nothing ran after it"
    assert "money is conserved" in process.stderr, "the invariant is named"


def test_entries_cut_off_or_without_their_row_of_signers_are_refused(recorded: Recorded) -> None:
    kernel, entry = fresh(recorded), recorded.entries[0]
    for entries, signers, fault in (
        (entry[:-1], b"\x00", "entry 0"),
        (entry + b"\x01", b"\x00", "entry 1"),
        (entry, b"", "entry 0"),
        (entry, b"\x01" + bytes(19), "entry 0"),
        (entry, b"\x00\x00", "1 bytes of signers"),
    ):
        for apply in (kernel.apply_recovered, kernel.replay_recovered):
            with pytest.raises(ValueError, match=fault):
                apply(entries, signers)
    assert kernel.seq == 0, "nothing is applied"
    assert kernel.apply_recovered(b"", b"") == (b"", b"", b"")
