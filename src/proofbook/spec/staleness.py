"""Stale marks: how long an instrument's observations still speak for it, and what follows after.

A mark is as fresh as the oldest observation that its kind needs. Beyond that moment it is worth an
interval that widens with its age, up to all that the core scenarios could make of it.
"""

from proofbook.protocol.limits import FRACTION_ONE_PPM, NS_PER_SECOND
from proofbook.spec.prices import legs_of
from proofbook.spec.world import PARAMETERS_SLOT, World


def is_stale(world: World, slot: int) -> bool:
    """Whether the observations behind an instrument's mark, or behind that of a leg, are old."""
    legs = legs_of(world.instruments[slot]) or [(slot, 1)]
    return any(stale_share_ppm(world, leg) > 0 for leg, _ in legs)


def stale_share_ppm(world: World, slot: int) -> int:
    """Return how much of its core scenarios a mark may be off by, in ppm; 0 while it is fresh.

    Rounds up. What has never been marked has nothing that could be stale.
    """
    fresh_until_ns = world.risk_arrays[slot].fresh_until_ns
    return share_ppm(world, fresh_until_ns) if fresh_until_ns else 0


def share_ppm(world: World, fresh_until_ns: int) -> int:
    """Return how much of its core scenarios a value may be off by that was fresh so long, in ppm.

    Rounds up.
    """
    age_ns = world.header.window_ns - fresh_until_ns
    if age_ns <= 0:
        return 0
    full_ns = world.parameters[PARAMETERS_SLOT].stale_full_seconds * NS_PER_SECOND
    if age_ns >= full_ns:
        return FRACTION_ONE_PPM
    return -(-age_ns * FRACTION_ONE_PPM // full_ns)
