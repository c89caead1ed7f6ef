"""How often a venue looks for what only refers to itself: seldom, as there is next to none.

What is kept for long, receipts, answers, notices, trades, is freed without the collector once it is
forgotten. Python's own thresholds make it walk through what hundreds of orders in flight hold again
and again, and then all that is kept, while everybody waits.
"""

import gc

NEW_MAX = 20_000
"""Objects that may be new before the young are looked through: more than a full window holds."""
YOUNG_ROUNDS, MIDDLE_ROUNDS = 10, 10
"""Of a generation, before the next is looked through: as Python has it."""


def collect_seldom() -> None:
    """Leave out for ever what is there now, modules and state; look for garbage seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_MAX, YOUNG_ROUNDS, MIDDLE_ROUNDS)
