"""The promise in a receipt: by when its entry is on chain, computed from what is waiting."""

from collections import deque

from proofbook.protocol.limits import APPEND_BYTES_MAX, NS_PER_SECOND


class Inclusion:
    """Counts the bytes that are journalled but not yet appended on chain.

    Units  base_ns: time of one append when nothing waits; append_ns: time between two appends;
           promise_ns_max: the longest promise that is given; beyond it intake throttles. Half of
           the hour after which a request that waits on chain blocks every append.
    """

    def __init__(
        self,
        base_ns: int = 60 * NS_PER_SECOND,
        append_ns: int = 15 * NS_PER_SECOND,
        promise_ns_max: int = 1800 * NS_PER_SECOND,
    ) -> None:
        self._base_ns = base_ns
        self._append_ns = append_ns
        self._promise_ns_max = promise_ns_max
        self._waiting: deque[tuple[int, int]] = deque()
        self._waiting_bytes = 0

    def journalled(self, last_seq: int, size_bytes: int) -> None:
        """Count a group that is on disk."""
        self._waiting.append((last_seq, size_bytes))
        self._waiting_bytes += size_bytes

    def appended(self, last_seq: int) -> None:
        """Forget the groups that are on chain up to a seq, inclusive."""
        while self._waiting and self._waiting[0][0] <= last_seq:
            self._waiting_bytes -= self._waiting.popleft()[1]

    @property
    def waiting_bytes(self) -> int:
        """How many bytes are journalled and not yet on chain."""
        return self._waiting_bytes

    @property
    def promise_ns(self) -> int:
        """How long after its window an entry taken now will be on chain at the latest."""
        appends_waiting = self._waiting_bytes // APPEND_BYTES_MAX
        return self._base_ns + appends_waiting * self._append_ns

    @property
    def is_open(self) -> bool:
        """Whether the promise can still be kept."""
        return self.promise_ns <= self._promise_ns_max
