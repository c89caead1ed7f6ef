"""What both engines offer: the spec's `State` and the kernel's door.

Callers name this type, never an engine.
"""

from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple, Protocol, runtime_checkable

from proofbook.protocol.limits import ArenaId
from proofbook.protocol.margin_report import NO_CHANGES_ASKED, ChangesAsked, MarginReport
from proofbook.protocol.outcomes import Outcome

ARENA_HEADER = Struct("<IIIII12x")
"""What stands in slot 0 of an arena: twice 0, the first free slot, the first that was never used,
and how many are in use."""


class Result(NamedTuple):
    """The outcome of one entry, and its events as bytes (`events.decode_events` reads them)."""

    outcome: Outcome
    events: bytes


class Engine(Protocol):
    """A state machine somewhere between genesis and the end of the journal."""

    @property
    def seq(self) -> int:
        """The number of the last entry applied; 0 at genesis."""
        ...

    def apply(self, entries: Sequence[bytes]) -> list[Result]:
        """Apply whole entries in order. Total: every entry has a result."""
        ...

    def apply_unless_void(self, entries: Sequence[bytes]) -> list[Result]:
        """Apply entries in order, but those that would be void.

        They leave no trace, not even a seq. For whoever makes the order, to look before he writes.
        """
        ...

    def root(self) -> bytes:
        """Return the state root, 32 bytes."""
        ...

    def arena_roots(self) -> list[bytes]:
        """Return the roots of the arenas by ArenaId, absent ones zero: the root's leaves."""
        ...

    def margin(self, account: int, changes: ChangesAsked = NO_CHANGES_ASKED) -> MarginReport:
        """Return what an account owns and needs, with changes. Raises QuestionInvalid."""
        ...

    def read(self, arena: ArenaId, slot: int) -> bytes:
        """Return the words of one record; zeros for a slot never used."""
        ...


@runtime_checkable
class SnapshotEngine(Engine, Protocol):
    """An engine whose state can be written out as bytes, and taken up from them."""

    def snapshot(self) -> bytes:
        """Return the state written out, under its root."""
        ...

    def load(self, snapshot: bytes, root: bytes) -> None:
        """Become the state of a snapshot, if that has a root; unchanged if it raises ValueError."""
        ...
