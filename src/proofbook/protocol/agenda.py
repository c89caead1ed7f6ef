"""What comes due, by a number that rises: a time, or a price.

A key is due once. What is moved or dropped is left where it lies until that is most of all there
is, so that whoever moves and drops for ever takes no more memory than who does so once.
"""

from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

Key = TypeVar("Key", int, str)

LEFT_MIN = 64
"""So much may always lie about."""


class Agenda(Generic[Key]):
    """Keys by when they are due."""

    def __init__(self) -> None:
        self._due: dict[Key, int] = {}
        self._heap: list[tuple[int, Key]] = []

    def __len__(self) -> int:
        """How many keys are still to come."""
        return len(self._due)

    @property
    def size(self) -> int:
        """How many places are taken, those left behind included: at most twice as many."""
        return len(self._heap)

    def put(self, key: Key, due: int) -> None:
        """Let a key be due then, and not when it was before."""
        if self._due.get(key) != due:
            self._due[key] = due
            heappush(self._heap, (due, key))
            self._tidy()

    def drop(self, key: Key) -> None:
        """Let a key be due no more, if it is at all."""
        if self._due.pop(key, None) is not None:
            self._tidy()

    def first(self) -> int | None:
        """Return when the first key is due; None if none is."""
        self._drop_left()
        return self._heap[0][0] if self._heap else None

    def take(self, until: int) -> list[Key]:
        """Take out the keys that are due by then, inclusive, in their order."""
        taken: list[Key] = []
        while (due := self.first()) is not None and due <= until:
            key = heappop(self._heap)[1]
            del self._due[key]
            taken.append(key)
        return taken

    def keys(self) -> list[Key]:
        """Return every key that is still to come."""
        return list(self._due)

    def items(self) -> list[tuple[int, Key]]:
        """Return every key that is still to come behind when it is due, in that order."""
        return sorted((due, key) for key, due in self._due.items())

    def _drop_left(self) -> None:
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._due) + LEFT_MIN:
            self._heap = [(due, key) for key, due in self._due.items()]
            heapify(self._heap)
