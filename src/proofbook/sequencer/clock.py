"""The sequencer's time, injected: the real one, or one that starts where a snapshot was taken."""

import time
from typing import Protocol


class Clock(Protocol):
    """Anything that knows the time. Units  ns since the Unix epoch."""

    def now_ns(self) -> int: ...


class SystemClock:
    """The machine's time."""

    def now_ns(self) -> int:
        return time.time_ns()


class ShiftedClock:
    """A clock that starts at a given time and then runs like any other, unless put forward."""

    def __init__(self, start_ns: int) -> None:
        self._offset_ns = start_ns - time.monotonic_ns()

    def advance_to(self, moment_ns: int) -> None:
        """Let it be at least so late."""
        self._offset_ns = max(self._offset_ns, moment_ns - time.monotonic_ns())

    def now_ns(self) -> int:
        return time.monotonic_ns() + self._offset_ns
