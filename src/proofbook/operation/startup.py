"""What a process has made by its start, and keeps until its end; and what it gives back."""

import ctypes
import gc
from collections.abc import Generator
from contextlib import contextmanager

NEW_MAX = 20_000
"""Objects that may be new before they are looked through: more than a full window holds."""

YOUNG_ROUNDS, MIDDLE_ROUNDS = 5, 2
"""Of a generation, before the next is looked through. A socket of asyncio that has ended refers to
itself: at Python's 10 and 10, two million new objects, a flood of them stays for minutes."""

M_MMAP_THRESHOLD = -3  # mallopt(3)
LARGE_BYTES = 128 << 10
"""From here on a block of memory is the system's: what the C library begins with. asyncio reads a
socket into 256 KiB, and keeps a few bytes of them: such blocks were most of the holes."""


def give_back_large_blocks() -> None:
    """Let every large block of memory be taken from the system, and given back when it is freed.

    Left to itself, the C library of Linux takes ever larger ones, once freed, from its own heap.
    There, what waits for a slow reader or goes to the chain leaves holes between what stays, and
    the memory of a process that keeps nothing grows. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


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
