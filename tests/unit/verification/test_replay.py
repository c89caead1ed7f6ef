"""A verifier names what is wrong, whatever part of the chain it is in."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from proofbook.chain.batches import inbox_hash_after, is_request, segment_ends
from proofbook.chain.contracts import Appended, Claim, Claimed
from proofbook.protocol.commands import Deposit, Tick
from proofbook.protocol.entry import HEAD, Entry, entry_hash
from proofbook.protocol.genesis import Genesis, Terms, UnderlyingGrid
from proofbook.protocol.hashing import keccak, merkle_root
from proofbook.spec.transition import State
from proofbook.verification.chain_reader import AppendedAt, ClaimOnChain, Origin
from proofbook.verification.engines import EngineName
from proofbook.verification.findings import FindingKind, Governance, Report
from proofbook.verification.replay import replay_chain, segments, verify

GENESIS_NS = 1_767_225_600 * 10**9
TERMS = Terms(100_000, 1_000_000, 100, 300)
GRID = UnderlyingGrid("BTC", 1, 1_000_000_000, TERMS, TERMS, Terms(100_000, 1_000_000))
GENESIS = Genesis(GENESIS_NS, b"\x01" * 20, b"\x02" * 20, (b"\x03" * 20,), (GRID,)).encode()
CONTRACT = b"\x11" * 20
DEPOSIT = Deposit(3, b"\x05" * 20, 0, 0, 7)


def entry(number: int, command: Tick | Deposit | None = None) -> bytes:
    return Entry(GENESIS_NS + number, GENESIS_NS + number, command or Tick()).encode()


def origin_of(genesis: bytes) -> Origin:
    return Origin(genesis, keccak(genesis), State(genesis, 31337, CONTRACT).root())


@dataclass
class FakeReader:
    """A chain that holds whatever a test puts there."""

    start: Origin
    data: list[bytes | None] = field(default_factory=list[bytes | None])
    appended: list[AppendedAt] = field(default_factory=list[AppendedAt])
    claimed: list[ClaimOnChain] = field(default_factory=list[ClaimOnChain])
    requests: list[bytes] = field(default_factory=list[bytes])
    contract: bytes = CONTRACT
    chain_id: int = 31337
    block: int = 9
    foreign: str | None = None

    def custody_flaw(self, genesis: Genesis) -> str | None:
        del genesis
        return None

    def foreign_contract(self) -> str | None:
        return self.foreign

    def governance(self) -> Governance:
        return Governance("0x" + "22" * 20, 60, 1, [], [], [], [])

    def origin(self) -> Origin:
        return self.start

    def appends(self) -> list[AppendedAt]:
        return self.appended

    def entries_of(self, append: AppendedAt) -> bytes | None:
        return self.data[append.event.append_index]

    def claims(self) -> list[ClaimOnChain]:
        return self.claimed

    def request_hashes(self, first: int, count: int) -> list[bytes]:
        return self.requests[first : first + count]


def honest_chain() -> FakeReader:
    """Return a chain with a deposit and 1,100 ticks."""
    return chain_of([entry(1, DEPOSIT), *(entry(number) for number in range(2, 1_102))])


def chain_of(entries: list[bytes]) -> FakeReader:
    """Return a chain of 1,101 entries, one a deposit, in two appends, both under one claim."""
    reader = FakeReader(origin_of(GENESIS))
    engine = State(GENESIS, 31337, CONTRACT)
    reader.requests = [keccak(e[HEAD.size :]) for e in entries if is_request(e)]
    seq, position, inbox_hash = 1, 0, bytes(32)
    for index, piece in enumerate((entries[:600], entries[600:])):
        inbox_hash = inbox_hash_after(inbox_hash, piece)
        root = merkle_root([entry_hash(e) for e in piece])
        position += sum(map(is_request, piece))
        event = Appended(index, seq, len(piece), root, position, inbox_hash)
        reader.appended.append(AppendedAt(event, bytes(32), 1))
        reader.data.append(b"".join(piece))
        seq += len(piece)
    roots = []
    for _, piece in segments(1, entries):
        engine.apply(piece)
        roots.append(engine.root())
    kept = Claim(roots[-1], keccak(b"".join(roots)), b"", 0, False, 0, 2, 1, 1_101)
    reader.claimed.append(ClaimOnChain(Claimed(0, 0, 2, 1, 1_101, tuple(roots)), kept, True))
    return reader


def judged(reader: FakeReader) -> Report:
    return verify(reader, EngineName.SPEC)  # type: ignore[arg-type]


def test_an_honest_chain_is_verified() -> None:
    report = judged(honest_chain())
    assert report.verified, report.findings
    assert report.outcomes == {"APPLIED": 1_101}
    assert report.batches[0].segments == 2


def test_a_request_stamped_out_of_order_is_named() -> None:
    """It is executed, so roots agree; only the count of voids in the state tells."""
    late = entry(5, DEPOSIT)
    report = judged(chain_of([*(entry(number) for number in range(10, 1_110)), late]))
    finding = report.findings[0]
    assert (finding.kind, finding.seq) == (FindingKind.REQUEST_MISSTAMPED, 1_101)
    assert (finding.batch, finding.segment, finding.reason) == (0, 1, "ORDER_REGRESSED")
    assert len(report.findings) == 1
    assert report.outcomes == {"APPLIED": 1_101}


def hide_data(reader: FakeReader) -> None:
    reader.data[1] = None


def change_data(reader: FakeReader) -> None:
    reader.data[1] = (reader.data[1] or b"")[:-1] + b"\x01"


def cut_data(reader: FakeReader) -> None:
    reader.data[1] = (reader.data[1] or b"")[:-1]


def move_append(reader: FakeReader) -> None:
    append = reader.appended[1]
    reader.appended[1] = append._replace(event=append.event._replace(first_seq=602))


def change_request(reader: FakeReader) -> None:
    reader.requests[0] = bytes(32)


def change_inbox_hash(reader: FakeReader) -> None:
    append = reader.appended[0]
    reader.appended[0] = append._replace(event=append.event._replace(inbox_hash=bytes(32)))


def change_claim(reader: FakeReader) -> None:
    claim = reader.claimed[0]
    reader.claimed[0] = claim._replace(kept=claim.kept._replace(post_root=bytes(32)))


def drop_root(reader: FakeReader) -> None:
    claim = reader.claimed[0]
    roots = claim.event.checkpoint_roots[1:]
    reader.claimed[0] = claim._replace(event=claim.event._replace(checkpoint_roots=roots))


def change_root(reader: FakeReader) -> None:
    claim = reader.claimed[0]
    roots = (bytes(32), *claim.event.checkpoint_roots[1:])
    kept = claim.kept._replace(checkpoint_roots_hash=keccak(b"".join(roots)))
    reader.claimed[0] = ClaimOnChain(claim.event._replace(checkpoint_roots=roots), kept, True)


def change_genesis_hash(reader: FakeReader) -> None:
    reader.start = reader.start._replace(genesis_hash=bytes(32))


def change_genesis_root(reader: FakeReader) -> None:
    reader.start = reader.start._replace(genesis_root=bytes(32))


def break_genesis(reader: FakeReader) -> None:
    reader.start = Origin(GENESIS[:-1], keccak(GENESIS[:-1]), bytes(32))


@pytest.mark.parametrize(
    ("spoil", "kinds"),
    [
        (hide_data, [FindingKind.DATA_NOT_READABLE]),
        (change_data, [FindingKind.DATA_MISMATCH]),
        (cut_data, [FindingKind.DATA_MISMATCH]),
        (move_append, [FindingKind.DATA_MISMATCH]),
        (change_request, [FindingKind.INBOX_MISMATCH]),
        (change_inbox_hash, [FindingKind.INBOX_MISMATCH]),
        (change_claim, [FindingKind.CLAIM_MISMATCH]),
        (drop_root, [FindingKind.CLAIM_MISMATCH, FindingKind.ROOT_MISMATCH]),
        (change_root, [FindingKind.ROOT_MISMATCH]),
        (change_genesis_hash, [FindingKind.GENESIS_MISMATCH]),
        (change_genesis_root, [FindingKind.GENESIS_MISMATCH]),
        (break_genesis, [FindingKind.GENESIS_MISMATCH]),
    ],
)
def test_what_is_wrong_is_named(
    spoil: Callable[[FakeReader], None], kinds: list[FindingKind]
) -> None:
    reader = honest_chain()
    spoil(reader)
    report = judged(reader)
    assert [finding.kind for finding in report.findings] == kinds
    assert not report.verified


def test_a_batch_that_cannot_be_read_is_not_verified() -> None:
    reader = honest_chain()
    hide_data(reader)
    (batch,) = judged(reader).batches
    assert not batch.verified


def test_a_wrong_root_is_named_with_its_segment() -> None:
    reader = honest_chain()
    change_root(reader)
    (finding,) = judged(reader).findings
    assert (finding.batch, finding.segment) == (0, 0)
    assert (finding.first_seq, finding.last_seq) == (1, 1_024)


def test_entries_that_nobody_claimed_are_replayed() -> None:
    reader = replace(honest_chain(), claimed=[])
    report = judged(reader)
    assert report.verified
    assert report.entries_unclaimed == 1_101


def test_a_replay_can_end_with_a_claim() -> None:
    reader = honest_chain()
    report, replay = replay_chain(reader, EngineName.SPEC, last_claim=0)  # type: ignore[arg-type]
    assert report.verified
    assert replay is not None
    assert replay.engine.root() == reader.claimed[0].kept.post_root
    assert replay.engine.seq == segment_ends(1, 1_101)[-1]
