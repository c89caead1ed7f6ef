"""The methods of a development venue, which any other venue refuses by name."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from proofbook.api.development import (
    WARP_DAYS_MAX,
    ShockParams,
    ShockReply,
    WarpParams,
    WarpReply,
)
from proofbook.api.errors import Refusal, Refused
from proofbook.ingress.venue import Venue
from proofbook.protocol.limits import NS_PER_DAY


class Development(Protocol):
    """Who can put the clocks forward and move what the publishers say."""

    async def warp(self, until_ns: int) -> WarpReply: ...

    async def shock(self, underlying: str, move_ppm: int) -> ShockReply: ...


async def warp(venue: Venue, params: WarpParams) -> WarpReply:
    """Put the clocks of a development venue and its chain forward, past expiries if need be."""
    development, until_ns = _development_of(venue), int(params.until_ns)
    now_ns = venue.sequencer.clock.now_ns()
    latest_ns = now_ns + WARP_DAYS_MAX * NS_PER_DAY
    if not now_ns < until_ns <= latest_ns:
        message = f"time was {until_ns} ns, must be after {now_ns} ns and at most {latest_ns} ns"
        raise Refused(Refusal.INVALID_PARAMS, message, until_ns, latest_ns)
    return await development.warp(until_ns)


async def shock(venue: Venue, params: ShockParams) -> ShockReply:
    """Move an index of a development venue as its publishers would, and mark everything by it."""
    return await _development_of(venue).shock(params.underlying, params.move_ppm)


def _development_of(venue: Venue) -> Development:
    if venue.doors.development is None:
        message = "only `proofbook up` runs a venue whose time and prices can be moved"
        raise Refused(Refusal.NOT_A_DEVELOPMENT_VENUE, message)
    return venue.doors.development


DEVELOPMENTS: dict[str, tuple[type, Callable[[Venue, Any], Awaitable[Any]]]] = {
    "warp": (WarpParams, warp),
    "shock": (ShockParams, shock),
}
