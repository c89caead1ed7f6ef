"""The index circuit breaker: after a violent move, who takes may only reduce for a while.

A window begins with the first index after the end of the last one, and its reference is the index
before. An index further from the reference than the governor's share trips the breaker of its
underlying and begins a new window at itself, so that a market that goes on moving trips it again.
Whoever rests goes on resting, with new risk too: those who reduce keep their counterparties.
"""

from proofbook.protocol.events import BreakerTripped
from proofbook.protocol.limits import FRACTION_ONE_PPM, NS_PER_SECOND
from proofbook.spec.world import PARAMETERS_SLOT, World


def is_tripped(world: World, instrument: int) -> bool:
    """Whether the breaker of an instrument's underlying is on: of a combo, that of its legs."""
    underlying = world.underlyings[world.instruments[instrument].underlying]
    return world.header.window_ns < underlying.breaker_until_ns


def observe(world: World, slot: int, index_before: int) -> None:
    """Compare the new index of an underlying with the reference, and trip if it is too far off."""
    underlying, now_ns = world.underlyings.edit(slot), world.header.window_ns
    parameters = world.parameters[PARAMETERS_SLOT]
    index = underlying.index_atoms
    window_ns = parameters.breaker_window_seconds * NS_PER_SECOND
    if index_before == 0:
        _begin(world, slot, index)
    elif now_ns - underlying.breaker_reference_ns >= window_ns:
        _begin(world, slot, index_before)
    reference = underlying.breaker_reference_atoms
    allowed = reference * parameters.breaker_move_ppm
    if parameters.breaker_move_ppm and abs(index - reference) * FRACTION_ONE_PPM > allowed:
        underlying.breaker_until_ns = now_ns + parameters.breaker_seconds * NS_PER_SECOND
        _begin(world, slot, index)
        world.emit(BreakerTripped(slot, index, reference, underlying.breaker_until_ns))


def _begin(world: World, slot: int, reference_atoms: int) -> None:
    underlying = world.underlyings.edit(slot)
    underlying.breaker_reference_atoms = reference_atoms
    underlying.breaker_reference_ns = world.header.window_ns
