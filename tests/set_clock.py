"""Clocks for tests that are put forward by hand."""

import time


class SetClock:
    """A clock that stands where it is put."""

    def __init__(self, time_ns: int) -> None:
        self.time_ns = time_ns

    def now_ns(self) -> int:
        return self.time_ns


class RunningClock:
    """A clock that runs from where it is put, and is put forward only."""

    def __init__(self, start_ns: int) -> None:
        self._offset_ns = start_ns - time.monotonic_ns()

    def now_ns(self) -> int:
        return time.monotonic_ns() + self._offset_ns

    def put_to(self, moment_ns: int) -> None:
        self._offset_ns = max(self._offset_ns, moment_ns - time.monotonic_ns())
