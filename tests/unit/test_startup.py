"""What a process has made by its start is not searched for garbage; what it makes later is.

And what it takes for a moment, it gives back.
"""

import ctypes
import gc
import subprocess
import sys
import weakref

import pytest

from proofbook.operation.startup import MIDDLE_ROUNDS, NEW_MAX, YOUNG_ROUNDS, set_aside


class Knot:
    """Something that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


def test_what_was_there_before_is_set_aside_and_later_knots_are_found() -> None:
    before, after = Knot(), None
    with set_aside():
        assert gc.get_freeze_count() > 10_000, "modules, classes and functions"
        assert not any(found is before for found in gc.get_objects()), "not looked at any more"
        after = weakref.ref(Knot())
        gc.collect()
        assert after() is None, "what the block leaves behind is found"
    assert gc.get_freeze_count() == 0, "everything is looked at again"
    gone = weakref.ref(before)
    del before
    gc.collect()
    assert gone() is None, "nothing is kept for ever"


def test_new_objects_are_looked_through_seldom_but_are() -> None:
    thresholds = gc.get_threshold()
    with set_aside():
        knot = weakref.ref(Knot())
        kept = [[number] for number in range(2 * NEW_MAX)]
        assert knot() is None and len(kept) == 2 * NEW_MAX
        assert gc.get_threshold() == (NEW_MAX, YOUNG_ROUNDS, MIDDLE_ROUNDS)
    assert gc.get_threshold() == thresholds


LARGE_BLOCK = """
import ctypes, sys
from proofbook.operation.startup import LARGE_BYTES, give_back_large_blocks

class Heap(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "abcdefghij"]

library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
library.mallinfo2.restype = Heap
if sys.argv[1] == "given back":
    give_back_large_blocks()
library.free(library.malloc(64 * LARGE_BYTES))
before = library.mallinfo2().d
library.malloc(2 * LARGE_BYTES)
print(library.mallinfo2().d - before)
"""
"""Prints how many of one large block, taken after a larger one was freed, are the system's."""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library's heap")
@pytest.mark.parametrize(("way", "of_the_system"), [("given back", 1), ("left to itself", 0)])
def test_large_blocks_are_the_systems(way: str, of_the_system: int) -> None:
    command = [sys.executable, "-c", LARGE_BLOCK, way]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(found.stdout) == of_the_system
