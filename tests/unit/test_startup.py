"""What a process has made by its start is not searched for garbage; what it makes later is."""

import gc
import weakref

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
