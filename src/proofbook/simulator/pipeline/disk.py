"""How long the disk takes alone: what the journal does with a group, and nothing else."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

RESERVED_BYTES = 64 << 20


def fdatasync_ns(folder: Path, sizes: Sequence[int]) -> list[int]:
    """Return how long each write of so many bytes and its `fdatasync` take, one after the other.

    The file has its blocks reserved, as a segment of the journal has.
    """
    times: list[int] = []
    with NamedTemporaryFile(dir=folder) as file:
        number = file.fileno()
        os.posix_fallocate(number, 0, RESERVED_BYTES)
        os.fsync(number)
        offset = 0
        for size in sizes:
            data = os.urandom(size)
            began_ns = time.perf_counter_ns()
            os.pwrite(number, data, offset)
            os.fdatasync(number)
            times.append(time.perf_counter_ns() - began_ns)
            offset = (offset + size) % (RESERVED_BYTES - size)
    return times
