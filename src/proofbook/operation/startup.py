"""What a process has made by its start, and keeps until its end."""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def set_aside() -> Generator[None]:
    """Let Python search what there is now for unreachable cycles no more, while the block runs.

    Modules, classes and functions, a hundred thousand objects and more, live as long as the
    process; looked at anew in every full search they stop the event loop for a tenth of a second.
    What is set aside and let go of is still freed at once, unless it is part of a cycle.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
