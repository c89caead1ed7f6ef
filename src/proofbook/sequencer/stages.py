"""How long a window takes, stage by stage: for those who watch a venue, never for the order."""

from collections.abc import Callable
from time import perf_counter_ns
from typing import NamedTuple


class WindowStages(NamedTuple):
    """What became of a window, and how long it took. Units  ns.

    `collect_ns`: the first command's wait until the window closed, by the venue's clock.
    `execute_ns`: the engine; `journal_ns`: until `fdatasync` returned; `sign_ns`: receipts;
    `publish_ns`: read models and feeds; `acknowledge_ns`: waking those who wait.
    """

    applied: int
    rejected: int
    collect_ns: int
    execute_ns: int
    journal_ns: int
    sign_ns: int
    publish_ns: int
    acknowledge_ns: int


StagesListener = Callable[[WindowStages], None]


class Stopwatch:
    """Measures one stage after the other."""

    def __init__(self) -> None:
        self._last_ns = perf_counter_ns()

    def lap_ns(self) -> int:
        """Return the time since the last lap, or since the start."""
        before_ns, self._last_ns = self._last_ns, perf_counter_ns()
        return self._last_ns - before_ns
