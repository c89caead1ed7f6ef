"""A stream of entries written down with those who signed them, to be executed again and again.

Commands are executed while they are written, so that later ones can name what earlier ones made.
Every command has a window of its own. Signatures are left out, but for those of publishers: who
signed is told beside.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from proofbook.api.signing import Key
from proofbook.kernel import Counts, Kernel
from proofbook.protocol.commands import (
    Command,
    ForwardCurve,
    IndexPrice,
    QuoteBatch,
    TraderCommand,
    VolSurface,
)
from proofbook.protocol.eip712 import command_digest
from proofbook.protocol.entry import Entry
from proofbook.protocol.events import Event, Filled, decode_events
from proofbook.protocol.limits import OutcomeKind
from proofbook.simulator.floor import Floor

BATCH = 4_096
"""Entries executed at once while a stream is written."""
NO_SIGNERS = b"\x00"
OUTCOME_BYTES = 2

Watcher: TypeAlias = Callable[[int, Sequence[Event]], None]
"""Is told the number of an entry, from 0, and its events."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A state, and joined entries with their rows of signers that go on from it."""

    snapshot: bytes
    entries: bytes
    signers: bytes
    entry_ends: Sequence[int]
    signer_ends: Sequence[int]
    counts: Counts
    fills: int
    lots: int
    quotes: int
    separator: bytes
    keys: Mapping[int, Key]

    def __len__(self) -> int:
        return len(self.entry_ends)

    def kernel(self) -> Kernel:
        """Return a kernel that stands before the first entry."""
        return Kernel.restore(self.snapshot)

    def signed(self, count: int) -> list[bytes]:
        """Return the first so many entries, with the signatures that are left out here."""
        ends = self.entry_ends[:count]
        starts = [0, *ends[:-1]]
        return [self._signed(self.entries[s:e]) for s, e in zip(starts, ends, strict=True)]

    def _signed(self, data: bytes) -> bytes:
        entry = Entry.decode(data)
        if not isinstance(entry.command, TraderCommand):
            return data
        digest = command_digest(self.separator, entry.command)
        return replace(entry, signature=self.keys[entry.command.account].sign(digest)).encode()

    def batches(self, size: int) -> list[tuple[slice, slice]]:
        """Return where each so many entries stand, and their rows."""
        firsts = range(0, len(self), size)
        return [(self._span(self.entry_ends, f, size), self._span(self.signer_ends, f, size))
                for f in firsts]  # fmt: skip

    def _span(self, ends: Sequence[int], first: int, size: int) -> slice:
        return slice(ends[first - 1] if first else 0, ends[min(first + size, len(self)) - 1])


@dataclass(slots=True)
class Recorder:
    """Writes commands down from the present state of a floor on."""

    floor: Floor
    watch: Watcher
    entries: bytearray = field(default_factory=bytearray)
    signers: bytearray = field(default_factory=bytearray)
    entry_ends: "array[int]" = field(default_factory=lambda: array("Q"))
    signer_ends: "array[int]" = field(default_factory=lambda: array("Q"))
    executed: int = 0
    fills: int = 0
    lots: int = 0
    quotes: int = 0
    _snapshot: bytes = field(init=False)
    _outcomes: list[int] = field(default_factory=lambda: [0] * len(OutcomeKind))
    _rows: dict[int, bytes] = field(init=False)
    _publishers: bytes = field(init=False)

    def __post_init__(self) -> None:
        assert isinstance(self.floor.engine, Kernel)
        self._snapshot = self.floor.engine.snapshot()
        self._rows = {a: _row([key.address]) for a, key in self.floor.keys.items()}
        self._publishers = _row([p.key.address for p in self.floor.publishers.members])

    def __len__(self) -> int:
        return len(self.entry_ends)

    def add(self, command: Command, after_ns: int) -> None:
        """Write a command down, in a window so much later than the last."""
        self.floor.wait(after_ns)
        now_ns = self.floor.now_ns
        self.entries += Entry(now_ns, now_ns, command).encode()
        self.signers += self._row_of(command)
        if isinstance(command, QuoteBatch):
            self.quotes += len(command.quotes)
        self.entry_ends.append(len(self.entries))
        self.signer_ends.append(len(self.signers))
        if len(self) - self.executed >= BATCH:
            self.execute()

    def _row_of(self, command: Command) -> bytes:
        if isinstance(command, TraderCommand):
            return self._rows[command.account]
        if isinstance(command, IndexPrice | ForwardCurve | VolSurface):
            return self._publishers
        return NO_SIGNERS

    def execute(self) -> None:
        """Execute what is written and was not yet executed."""
        if self.executed == len(self):
            return
        first = self.executed
        start, rows = (
            ends[first - 1] if first else 0 for ends in (self.entry_ends, self.signer_ends)
        )
        engine: Any = self.floor.engine
        applied = engine.apply_recovered(bytes(self.entries[start:]), bytes(self.signers[rows:]))
        self.executed = len(self)
        for kind in applied.outcomes[::OUTCOME_BYTES]:
            self._outcomes[kind - OutcomeKind.APPLIED] += 1
        begin = 0
        for number, end in enumerate(memoryview(applied.event_ends).cast("I"), start=first):
            if end != begin:
                self._observe(number, [*decode_events(applied.events[begin:end])])
            begin = end

    def _observe(self, number: int, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Filled):
                self.fills += 1
                self.lots += event.lots
        self.watch(number, events)

    def finish(self) -> Recording:
        """Execute the rest; return all."""
        self.execute()
        return Recording(
            self._snapshot, bytes(self.entries), bytes(self.signers), self.entry_ends,
            self.signer_ends, Counts(*self._outcomes), self.fills, self.lots, self.quotes,
            self.floor.separator, self.floor.keys,
        )  # fmt: skip


def _row(addresses: Sequence[bytes]) -> bytes:
    return bytes((len(addresses),)) + b"".join(addresses)
