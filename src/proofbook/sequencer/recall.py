"""Answers from before a restart: signed again from the journal, byte for byte as they were.

A receipt covers an entry's hash, chain, time of receipt and outcome, and the promise of its group.
The journal has all but the outcomes; those come from the replay that every start begins with. The
promise is the group's mark in the journal, so that what is signed twice is the same.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import NamedTuple, Protocol, Self

from proofbook.api.signing import Key
from proofbook.protocol.codec import TraderCommand
from proofbook.protocol.commands import Command
from proofbook.protocol.engine import Result
from proofbook.protocol.entry import HEAD, TRADER_TAGS, Entry, entry_hash
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import OutcomeKind
from proofbook.protocol.outcomes import Outcome
from proofbook.sequencer.receipts import Shared, SignedReceipt, sign_group
from proofbook.sequencer.repeats import SIGNED_HEAD, Receipted, key_of

RECEIPTS_KEPT = 65_536
"""Receipts that can be asked for again; older ones are with those who got them."""

EVENTS_BYTES_MAX = 64 << 20
"""Of results that are kept, what their events may take up."""

READ_ENTRIES = 4096


class Promise(NamedTuple):
    """What a group's receipts say of all its entries. include_by_ns 0: nothing is promised."""

    epoch: int
    include_by_ns: int

    LAYOUT = Struct("<QQ")

    def mark(self) -> bytes:
        """Return the 16 bytes that the journal remembers with the group."""
        return self.LAYOUT.pack(*self)

    @classmethod
    def of_mark(cls, mark: bytes) -> Self:
        return cls(*cls.LAYOUT.unpack(mark))


class Group(Protocol):
    """Entries that became durable at once, and under one signature."""

    @property
    def first_seq(self) -> int: ...
    @property
    def mark(self) -> bytes: ...
    @property
    def chain_hash_before(self) -> bytes: ...
    @property
    def entries(self) -> Sequence[bytes]: ...


class GroupSource(Protocol):
    """A journal, read back."""

    def group(self, seq: int) -> Group | None: ...
    def read(self, from_seq: int, entries_max: int) -> Sequence[bytes]: ...


class RecentResults:
    """What the last entries of a journal led to: so many at most, and so many bytes of events."""

    def __init__(self, kept_max: int = RECEIPTS_KEPT, bytes_max: int = EVENTS_BYTES_MAX) -> None:
        self._kept_max = kept_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._results: deque[Result] = deque()
        self._last_seq = 0

    def __len__(self) -> int:
        return len(self._results)

    def keep(self) -> list[tuple[OutcomeKind, int, bytes]]:
        """Return for a snapshot what was kept: kind and reason of the outcome, events."""
        return [(outcome.kind, outcome.reason, events) for outcome, events in self._results]

    def restore(self, last_seq: int, kept: Iterable[tuple[int, int, bytes]]) -> None:
        """Go on from a snapshot that was taken after an entry."""
        rows = (Result(Outcome(OutcomeKind(kind), reason), events) for kind, reason, events in kept)
        self.take(last_seq, rows)

    def take_last(self, last_seq: int, kept: Sequence[tuple[int, int, bytes]]) -> None:
        """Go on with the last results up to an entry: what lies before a gap is forgotten."""
        if last_seq - len(kept) > self._last_seq:
            self._results.clear()
            self._bytes = 0
        self.restore(last_seq, kept)

    @property
    def first_seq(self) -> int:
        """The first entry whose result is kept."""
        return self._last_seq + 1 - len(self._results)

    def take(self, last_seq: int, results: Iterable[Result]) -> None:
        """Keep the results of the entries up to a number, and forget older ones."""
        for result in results:
            self._results.append(result)
            self._bytes += len(result.events)
        while len(self._results) > self._kept_max or self._bytes > self._bytes_max:
            self._bytes -= len(self._results.popleft().events)
        self._last_seq = last_seq

    def of(self, seq: int) -> Result | None:
        """Return what an entry led to, if that is kept."""
        place = seq - self.first_seq
        return self._results[place] if 0 <= place < len(self._results) else None


class Recall:
    """The last commands before a start, each with the answer that it had or should have had."""

    def __init__(
        self, journal: GroupSource, results: RecentResults, key: Key, separator: bytes, epoch: int
    ) -> None:
        self._journal = journal
        self._results = results
        self._key = key
        self._separator = separator
        self._epoch = epoch
        self._receipts: dict[int, SignedReceipt] = {}
        self._seqs: dict[tuple[int, int, int], int] = {}
        self._index()

    def find(self, command: Command, session: int, signature: bytes) -> Receipted | None:
        """Return the answer to exactly this signed command."""
        if not isinstance(command, TraderCommand):
            return None
        seq = self._seqs.get((command.account, session, command.nonce))
        if seq is None:
            return None
        entry = Entry.decode(self._journal.read(seq, 1)[0])
        if entry.command != command or entry.signature != signature:
            return None
        result, receipt = self._results.of(seq), self.receipt(seq)
        return None if result is None or receipt is None else Receipted(result, receipt)

    def knows(self, key: tuple[int, int, int]) -> bool:
        """Whether a command of an account and session came under a nonce before the start."""
        return key in self._seqs

    def receipt(self, seq: int) -> SignedReceipt | None:
        """Return the receipt of an entry, if its whole group is kept and of this epoch."""
        known = self._receipts.get(seq)
        if known is not None or self._results.of(seq) is None:
            return known
        group = self._journal.group(seq)
        assert group is not None, f"entry {seq} was replayed, and is not in the journal"
        receipts = self._sign(group)
        self._receipts.update({receipt.seq: receipt for receipt in receipts})
        return self._receipts.get(seq)

    def _sign(self, group: Group) -> list[SignedReceipt]:
        """Sign a group again; nothing if it was another epoch's, or is not kept as a whole."""
        epoch, include_by_ns = Promise.of_mark(group.mark)
        entry_hashes = [entry_hash(entry) for entry in group.entries]
        received_ns = [HEAD.unpack_from(entry)[2] for entry in group.entries]
        chain_hashes: list[bytes] = []
        outcomes: list[Outcome] = []
        chain_hash = group.chain_hash_before
        for seq, hashed in enumerate(entry_hashes, group.first_seq):
            result = self._results.of(seq)
            if result is None or epoch != self._epoch:
                return []
            chain_hash = keccak(chain_hash + hashed)
            chain_hashes.append(chain_hash)
            outcomes.append(result.outcome)
        _, window_ns, _ = HEAD.unpack_from(group.entries[0])
        shared = Shared(epoch, group.first_seq, window_ns, include_by_ns)
        hashes = entry_hashes, chain_hashes
        return sign_group(self._key, self._separator, shared, hashes, received_ns, outcomes)

    def _index(self) -> None:
        """Remember where the first command of each nonce is."""
        seq, left = self._results.first_seq, len(self._results)
        while left:
            entries = self._journal.read(seq, min(left, READ_ENTRIES))
            for entry in entries:
                key = signed_key(entry)
                if key is not None:
                    self._seqs.setdefault(key, seq)
                seq += 1
            left -= len(entries)


def signed_key(entry: bytes) -> tuple[int, int, int] | None:
    """Return account, session and nonce of an entry that a trader has signed; None of others."""
    if len(entry) < HEAD.size + SIGNED_HEAD.size or entry[HEAD.size] not in TRADER_TAGS:
        return None
    return key_of(entry, HEAD.size)
