"""Whether a venue lives, and whether it is ready: for whoever restarts it, or sends it traffic."""

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from proofbook.sequencer.sequencer import CLOCK_BEHIND_NS_MAX

if TYPE_CHECKING:
    from proofbook.ingress.venue import Venue


class State(StrEnum):
    """What a venue does with a command that comes now."""

    ACCEPTING = "accepting"
    THROTTLED = "throttled"
    CLOCK_BEHIND = "clock_behind"
    CHAIN_UNSEEN = "chain_unseen"
    DRAINING = "draining"
    STOPPED = "stopped"


class Health(msgspec.Struct, frozen=True):
    """What `/health` and `/ready` answer."""

    state: State
    seq: int
    fault: str | None = None

    @property
    def is_alive(self) -> bool:
        """Whether a restart would mend nothing: only a fault ends a venue."""
        return self.state is not State.STOPPED

    @property
    def is_ready(self) -> bool:
        """Whether commands are taken."""
        return self.state is State.ACCEPTING


def health_of(venue: "Venue") -> Health:
    """Return the state of a venue, and the fault that stopped it."""
    fault = venue.sequencer.fault
    words = None if fault is None else f"{type(fault).__name__}: {fault}"
    return Health(_state_of(venue), venue.models.seq, words)


def _state_of(venue: "Venue") -> State:
    sequencer = venue.sequencer
    if sequencer.fault is not None:
        return State.STOPPED
    if not sequencer.is_accepting:
        return State.DRAINING
    if sequencer.clock_behind_ns > CLOCK_BEHIND_NS_MAX:
        return State.CLOCK_BEHIND
    if sequencer.is_chain_unseen:
        return State.CHAIN_UNSEEN
    if sequencer.inclusion is not None and not sequencer.inclusion.is_open:
        return State.THROTTLED
    return State.ACCEPTING
