"""What an engine offers to a venue that starts: a journal executed in one go.

Nobody listens while it is. Of what entries told, a tape keeps the last; what has to be seen in
order is handed on; and which orders rest is read off the state at the end.
"""

from collections.abc import Iterator, Mapping
from enum import IntFlag
from typing import NamedTuple, Protocol, runtime_checkable

from proofbook.protocol.engine import SnapshotEngine
from proofbook.protocol.limits import EventTag


class EventUse(IntFlag):
    """What becomes of the events of one kind; those of two kinds begin with their instrument."""

    HANDED = 1
    LAST_HANDED = 2
    """Of an instrument only the last before the next stop."""
    TRADE = 4
    """The last of each instrument are kept."""
    TOLD = 8
    """The last that accounts are told of are kept."""


class EventAt(NamedTuple):
    """An event as bytes: of which entry, in which window, the how manyth of the entry."""

    seq: int
    window_ns: int
    place: int
    event: bytes


class TapeLimits(NamedTuple):
    """How much a tape keeps at most: of trades so many of each instrument."""

    told: int
    trades: int
    results: int
    result_bytes: int


class RestingOrder(NamedTuple):
    """An order that rests and can trade, and what may end it.

    `expires_ns` is 0 if its time is never over, `protection` if it is under none.
    """

    order: int
    account: int
    instrument: int
    side: int
    price_ticks: int
    lots: int
    label: bytes
    expires_ns: int
    protection: int
    protection_epoch: int


class Resting(NamedTuple):
    """Orders that can trade; and account and number of those that cannot, and are still there."""

    live: list[RestingOrder]
    over: list[tuple[int, int]]


class Tape(Protocol):
    """Keeps the last of what entries told. What is taken is on it no more."""

    @property
    def window_ns(self) -> int:
        """The window of the last entry."""
        ...

    def take_told(self) -> list[EventAt]:
        """Return the last events that accounts are told of, oldest first."""
        ...

    def take_trades(self) -> list[EventAt]:
        """Return the last trades of each instrument, oldest first."""
        ...

    def take_results(self) -> list[tuple[int, int, bytes]]:
        """Return kind and reason of the last outcomes, and events, oldest first."""
        ...


@runtime_checkable
class ReplayEngine(SnapshotEngine, Protocol):
    """An engine that executes joined entries without an object for each of them."""

    def tape(self, uses: Mapping[EventTag, EventUse], limits: TapeLimits) -> Tape:
        """Return an empty tape for `replay`."""
        ...

    def replay(self, entries: bytes, tape: Tape, *, is_sealed: bool) -> Iterator[list[EventAt]]:
        """Apply joined entries; stop before each release and at the end, and yield what is handed
        on.

        With `is_sealed` no signature is recovered: the caller knows that all are good.
        """
        ...

    def resting_orders(self) -> Resting:
        """Return the resting orders, by slot."""
        ...
