"""What a process has made by its start, and keeps until its end."""

import gc
from collections.abc import Generator
from contextlib import contextmanager

NEW_MAX = 20_000
"""Objects that may be new before they are looked through: more than a full window holds."""

YOUNG_ROUNDS, MIDDLE_ROUNDS = 5, 2
"""Of a generation, before the next is looked through. Connections that have ended refer to
themselves: at Python's 10 and 10, two million new objects, a flood of them stays for minutes."""


@contextmanager
def set_aside() -> Generator[None]:
    """Let Python search what there is now for unreachable cycles no more, while the block runs.

    Modules, classes and functions, a hundred thousand objects and more, live as long as the
    process; looked at anew in every full search they stop the event loop for a tenth of a second.
    What is set aside and let go of is still freed at once, unless it is part of a cycle.

    New objects are looked through seldom too: Python does after 700, and walked again and again
    through what hundreds of orders in flight hold, then through all that is kept of those answered.
    """
    gc.collect()
    gc.freeze()
    thresholds = gc.get_threshold()
    gc.set_threshold(NEW_MAX, YOUNG_ROUNDS, MIDDLE_ROUNDS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
