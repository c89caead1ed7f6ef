"""How long a window takes, stage by stage: for those who watch a venue, never for the order."""

from collections.abc import Callable
from enum import StrEnum
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


class RequestStage(StrEnum):
    """What is measured of a request beside its window, for whoever asks for it.

    To decode: from its JSON to a command; to admit: all checks, the signature's by far the longest;
    to send: one write of answers and notices to one connection.
    """

    DECODE = "decode"
    ADMIT = "admit"
    SEND = "send"


RequestWatch = Callable[[RequestStage, int], None]
"""Is told of a stage, and how long it took. Units  ns."""


class Stopwatch:
    """Measures one stage after the other."""

    def __init__(self) -> None:
        self._last_ns = perf_counter_ns()

    def lap_ns(self) -> int:
        """Return the time since the last lap, or since the start."""
        before_ns, self._last_ns = self._last_ns, perf_counter_ns()
        return self._last_ns - before_ns
