"""How often a venue looks for garbage: what may stay, and what must go."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from proofbook.operation.garbage import NEW_MAX, collect_seldom


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Ring:
    """Something that only it refers to."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_there_is_not_walked_through_again() -> None:
    collect_seldom()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold()[0] == NEW_MAX


def test_garbage_in_cycles_goes_once_enough_is_new() -> None:
    collect_seldom()
    ring = Ring()
    seen = weakref.ref(ring)
    del ring
    kept = [[number] for number in range(2 * NEW_MAX)]
    assert seen() is None
    assert len(kept) == 2 * NEW_MAX
