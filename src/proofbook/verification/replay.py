"""Replay of a venue from the chain alone: every byte recomputed, every root compared.

`verify` begins at the genesis that the contract emitted. It reads the entries of each append out of
the transaction that brought them and holds them to what the contract recorded; executes them; and
holds the root of every segment to the one that was claimed. What does not follow is a finding.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import NoReturn

from proofbook.chain.batches import (
    command_of,
    inbox_hash_after,
    is_request,
    queued_withdrawals,
    segment_ends,
)
from proofbook.protocol.commands import Malformed
from proofbook.protocol.engine import Engine, Result
from proofbook.protocol.entry import Entry, entry_hash, split_entries
from proofbook.protocol.events import WithdrawalQueued
from proofbook.protocol.genesis import Genesis
from proofbook.protocol.hashing import keccak, merkle_root
from proofbook.protocol.limits import ArenaId, OutcomeKind, Void
from proofbook.protocol.records import GlobalRecord
from proofbook.verification.chain_reader import AppendedAt, ChainReader, ClaimOnChain
from proofbook.verification.engines import EngineName, make_engine
from proofbook.verification.findings import BatchVerdict, Finding, FindingKind, Report

Progress = Callable[[int], None]
"""Told the number of the last entry replayed."""

VOID_NOTES = {
    Void.MALFORMED: "its bytes are no entry",
    Void.ORDER_REGRESSED: "its time or class does not follow that of the entry before",
    Void.SIGNER_MISMATCH: "its signature is not that of the key that it names",
}


class CannotContinue(Exception):
    """What follows cannot be judged: a finding says why."""


@dataclass
class Replay:
    """A verifier in the middle of its work: an engine, and how far inbox and entries have come."""

    reader: ChainReader
    report: Report
    engine: Engine
    progress: Progress | None = None
    inbox_hash: bytes = bytes(32)
    inbox_position: int = 0
    next_seq: int = 1
    withdrawals: list[WithdrawalQueued] = field(default_factory=list[WithdrawalQueued])

    def batch(self, claim: ClaimOnChain, appends: Sequence[AppendedAt]) -> None:
        """Replay one claim over its appends and note what is wrong."""
        index, found_before = claim.event.claim_index, len(self.report.findings)
        try:
            self._check_claim(claim)
            entries = [entry for append in appends for entry in self._entries(append, index)]
            self._replay_segments(claim, entries)
        finally:
            self.report.batches.append(
                BatchVerdict(
                    batch=index,
                    first_seq=claim.event.first_seq,
                    last_seq=claim.event.last_seq,
                    segments=len(claim.event.checkpoint_roots),
                    post_root="0x" + claim.kept.post_root.hex(),
                    is_final=claim.is_final,
                    verified=len(self.report.findings) == found_before,
                )
            )

    def unclaimed(self, appends: Sequence[AppendedAt]) -> None:
        """Replay what no claim covers yet: its entries can still be void."""
        for append in appends:
            for first, piece in segments(append.event.first_seq, self._entries(append, None)):
                self._apply(piece, first, None, None)
                self.report.entries_unclaimed += len(piece)

    def _replay_segments(self, claim: ClaimOnChain, entries: Sequence[bytes]) -> None:
        """Apply a batch and compare its roots; after the first wrong one, no more are reported."""
        index, is_right_so_far = claim.event.claim_index, True
        roots = iter(claim.event.checkpoint_roots)
        for segment, (first, piece) in enumerate(segments(claim.event.first_seq, entries)):
            self._apply(piece, first, index, segment)
            claimed, expected = next(roots, b""), self.engine.root()
            if is_right_so_far and claimed != expected:
                self._note_root(index, segment, first, len(piece), expected, claimed)
                is_right_so_far = False

    def _apply(
        self, entries: Sequence[bytes], first_seq: int, batch: int | None, segment: int | None
    ) -> None:
        """Execute the entries of a segment, and note those that are void."""
        results = self._apply_watching_requests(entries, first_seq, batch, segment)
        for seq, (entry, result) in enumerate(zip(entries, results, strict=True), first_seq):
            self.report.count(result.outcome.name)
            if result.outcome.kind == OutcomeKind.VOID:
                self._note_void(entry, seq, Void(result.outcome.reason), batch, segment)
            else:
                self.withdrawals += queued_withdrawals(entry, result)
        self.report.entries += len(entries)
        if self.progress:
            self.progress(first_seq + len(entries) - 1)

    def _apply_watching_requests(
        self, entries: Sequence[bytes], first_seq: int, batch: int | None, segment: int | None
    ) -> list[Result]:
        """Apply entries, each request alone: out of order it is executed, but counts as a void."""
        results: list[Result] = []
        for is_inbox, run in groupby(entries, key=is_request):
            if not is_inbox:
                results += self.engine.apply(list(run))
                continue
            for entry in run:
                voids_before = self._void_count()
                results += self.engine.apply([entry])
                if self._void_count() != voids_before:
                    seq = first_seq + len(results) - 1
                    self._note_stamp(entry, seq, batch, segment)
        return results

    def _void_count(self) -> int:
        return GlobalRecord.unpack(self.engine.read(ArenaId.GLOBAL, 0)).void_count

    def _entries(self, append: AppendedAt, batch: int | None) -> list[bytes]:
        """Return an append's entries, checked against what the contract recorded.

        Raises CannotContinue, with a finding, when they are not to be had.
        """
        event = append.event
        data = self.reader.entries_of(append)
        where = f"append {event.append_index}, transaction 0x{append.transaction_hash.hex()}"
        if data is None:
            self._stop(FindingKind.DATA_NOT_READABLE, f"{where} is no call of append", batch)
        try:
            entries = split_entries(data)
        except Malformed as error:
            self._stop(FindingKind.DATA_MISMATCH, f"{where}: {error}", batch)
        data_root = merkle_root([entry_hash(entry) for entry in entries])
        recorded = (event.data_root, event.first_seq, event.entries)
        if (data_root, self.next_seq, len(entries)) != recorded:
            self._stop(FindingKind.DATA_MISMATCH, f"{where}: root, place or count differ", batch)
        self.next_seq += len(entries)
        self._check_inbox(entries, append, batch)
        return entries

    def _check_inbox(self, entries: Sequence[bytes], append: AppendedAt, batch: int | None) -> None:
        """Compare the requests among the entries with the inbox."""
        requests = [keccak(command_of(entry)) for entry in entries if is_request(entry)]
        kept = self.reader.request_hashes(self.inbox_position, len(requests))
        self.inbox_hash = inbox_hash_after(self.inbox_hash, entries)
        self.inbox_position += len(requests)
        recorded = (append.event.inbox_hash, append.event.inbox_position)
        if requests != kept or (self.inbox_hash, self.inbox_position) != recorded:
            self.report.findings.append(
                Finding(
                    FindingKind.INBOX_MISMATCH,
                    f"append {append.event.append_index} holds other requests than the inbox",
                    batch=batch,
                    first_seq=append.event.first_seq,
                    last_seq=append.event.first_seq + len(entries) - 1,
                )
            )

    def _check_claim(self, claim: ClaimOnChain) -> None:
        """Compare a claim's event with what the contract keeps of it."""
        event, kept = claim.event, claim.kept
        roots = event.checkpoint_roots
        from_event = (
            roots[-1] if roots else b"",
            keccak(b"".join(roots)),
            (event.first_append, event.appends, event.first_seq, event.last_seq),
            len(roots),
        )
        from_state = (
            kept.post_root,
            kept.checkpoint_roots_hash,
            (kept.first_append, kept.appends, kept.first_seq, kept.last_seq),
            len(segment_ends(kept.first_seq, kept.last_seq)),
        )
        if from_event != from_state:
            note = "the event Claimed and the contract's record differ"
            self.report.findings.append(
                Finding(FindingKind.CLAIM_MISMATCH, note, batch=event.claim_index)
            )

    def _note_root(
        self, batch: int, segment: int, first: int, count: int, expected: bytes, claimed: bytes
    ) -> None:
        self.report.findings.append(
            Finding(
                FindingKind.ROOT_MISMATCH,
                "the claimed root does not follow from the entries",
                batch=batch,
                segment=segment,
                first_seq=first,
                last_seq=first + count - 1,
                expected="0x" + expected.hex(),
                claimed="0x" + claimed.hex(),
            )
        )

    def _note_void(
        self, entry: bytes, seq: int, reason: Void, batch: int | None, segment: int | None
    ) -> None:
        self.report.findings.append(
            Finding(
                FindingKind.VOID_ENTRY,
                f"{entry_name(entry)} {seq} is void: {VOID_NOTES[reason]}",
                batch=batch,
                segment=segment,
                seq=seq,
                reason=reason.name,
            )
        )

    def _note_stamp(self, entry: bytes, seq: int, batch: int | None, segment: int | None) -> None:
        note = (
            f"{entry_name(entry)} {seq} is stamped out of order: {VOID_NOTES[Void.ORDER_REGRESSED]}"
        )
        self.report.findings.append(
            Finding(
                FindingKind.REQUEST_MISSTAMPED,
                note,
                batch=batch,
                segment=segment,
                seq=seq,
                reason=Void.ORDER_REGRESSED.name,
            )
        )

    def _stop(self, kind: FindingKind, note: str, batch: int | None) -> NoReturn:
        self.report.findings.append(Finding(kind, note, batch=batch))
        raise CannotContinue(note)


def verify(
    reader: ChainReader, engine_name: EngineName, progress: Progress | None = None
) -> Report:
    """Return the verdict on everything that one contract holds. Raises ChainFault."""
    return replay_chain(reader, engine_name, progress)[0]


def replay_chain(
    reader: ChainReader,
    engine_name: EngineName,
    progress: Progress | None = None,
    last_claim: int | None = None,
) -> tuple[Report, Replay | None]:
    """Return the verdict and, unless the genesis is no genesis, the replay that led to it.

    With `last_claim` the replay ends with that claim, its engine in the state that it claims.
    """
    began = time.monotonic()
    contract = "0x" + reader.contract.hex()
    report = Report(reader.chain_id, contract, engine_name.value, reader.block)
    replay = begin(reader, engine_name, report, progress)
    if replay is not None:
        with suppress(CannotContinue):  # the finding that says why is in the report
            _replay_all(reader, replay, last_claim)
    report.seconds = time.monotonic() - began
    return report, replay


def begin(
    reader: ChainReader, engine_name: EngineName, report: Report, progress: Progress | None = None
) -> Replay | None:
    """Return a replay at genesis; None, with a finding, when there is no state 0."""
    foreign = reader.foreign_contract()
    if foreign is not None:
        report.findings.append(Finding(FindingKind.CONTRACT_FOREIGN, foreign))
    else:
        report.governance = reader.governance()
    origin = reader.origin()
    if keccak(origin.genesis) != origin.genesis_hash:
        note = "the hash of the genesis bytes is not the one kept"
        report.findings.append(Finding(FindingKind.GENESIS_MISMATCH, note))
    try:
        engine = make_engine(engine_name, origin.genesis, reader.chain_id, reader.contract)
    except Malformed as error:
        note = f"these bytes are no valid genesis: {error}"
        report.findings.append(Finding(FindingKind.GENESIS_MISMATCH, note))
        return None
    flaw = None if foreign else reader.custody_flaw(Genesis.decode(origin.genesis))
    if flaw is not None:
        report.findings.append(Finding(FindingKind.CONTRACT_FOREIGN, flaw))
    if engine.root() != origin.genesis_root:
        report.findings.append(
            Finding(
                FindingKind.GENESIS_MISMATCH,
                "the genesis root does not follow from the genesis bytes",
                expected="0x" + engine.root().hex(),
                claimed="0x" + origin.genesis_root.hex(),
            )
        )
    return Replay(reader, report, engine, progress)


def _replay_all(reader: ChainReader, replay: Replay, last_claim: int | None) -> None:
    appends, claims = reader.appends(), reader.claims()
    if last_claim is not None:
        del claims[last_claim + 1 :]
    covered = 0
    for claim in claims:
        covered = claim.kept.first_append + claim.kept.appends
        replay.batch(claim, appends[claim.kept.first_append : covered])
    if last_claim is None:
        replay.unclaimed(appends[covered:])


def segments(first_seq: int, entries: Sequence[bytes]) -> Iterator[tuple[int, Sequence[bytes]]]:
    """Yield the segments of a batch, each with the number of its first entry."""
    start = 0
    for end in segment_ends(first_seq, first_seq + len(entries) - 1) if entries else ():
        stop = end - first_seq + 1
        yield first_seq + start, entries[start:stop]
        start = stop


def entry_name(entry: bytes) -> str:
    """Return what an entry says it is."""
    try:
        return type(Entry.decode(entry).command).__name__
    except Malformed:
        return "entry"
