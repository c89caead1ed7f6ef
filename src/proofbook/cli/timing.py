"""How long something takes: by the clock, and of the processor."""

import time
from collections.abc import Callable
from typing import TypeAlias

Times: TypeAlias = tuple[float, float]
"""Milliseconds by the clock, and of all threads of the process."""


def times_of(run: Callable[[], object]) -> Times:
    """Return how long a call takes."""
    cpu = time.process_time()
    wall_ms = milliseconds(run)
    return wall_ms, (time.process_time() - cpu) * 1e3


def milliseconds(run: Callable[[], object]) -> float:
    """Return how long a call takes by the clock."""
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1e3
