"""A clock for tests that is put forward by hand."""


class SetClock:
    """A clock that stands where it is put."""

    def __init__(self, time_ns: int) -> None:
        self.time_ns = time_ns

    def now_ns(self) -> int:
        return self.time_ns
