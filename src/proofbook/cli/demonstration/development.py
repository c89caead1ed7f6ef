"""Time and prices of a development venue, moved by hand: `proofbook warp` and `shock`."""

import asyncio
import time
from collections.abc import Iterator

from proofbook.api.development import ShockReply, WarpReply
from proofbook.api.display import usdc_text
from proofbook.api.errors import Refusal, Refused
from proofbook.cli.demonstration.errors import CommandRefused
from proofbook.cli.demonstration.venue import Venue, moved_ppm
from proofbook.protocol.limits import NS_PER_SECOND, SETTLEMENT_WINDOW_NS, ArenaId, Reject
from proofbook.protocol.records import UnderlyingRecord
from proofbook.risk.market import Observations
from proofbook.settlement.development_chain import advance_clock

STEP_NS = 60 * NS_PER_SECOND
"""Between two prices while an expiry settles."""
BEFORE_NS = SETTLEMENT_WINDOW_NS + STEP_NS
POLL_SECONDS = 0.02
SETTLED_SECONDS_MAX = 30.0
FAR_NS = 2**63
BAND_SECONDS = 1.0
"""Between two steps of an index that the band stopped."""
SHOCK_SECONDS_MAX = 300.0


class DevelopmentTools:
    """Moves one venue; one at a time, and no prices meanwhile but its own."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    async def warp(self, until_ns: int) -> WarpReply:
        """Put both clocks forward; publishers go on where an expiry settles.

        What was committed before is on the chain first: it may not come there hours late.
        Raises Refused, ChainFault, SettlementFault.
        """
        venue = self._venue
        before_ns, expiries = venue.clock.now_ns(), len(venue.unsettled_ns())
        async with venue.turn:
            for moments_ns in stretches(before_ns, until_ns, sorted(venue.unsettled_ns())):
                await venue.settlement.settle_all()
                left_ns = moments_ns[-1] - venue.clock.now_ns()
                await advance_clock(venue.rpc, max(0, left_ns) // NS_PER_SECOND)
                for moment_ns in moments_ns:
                    venue.clock.advance_to(moment_ns)
                    await self._until_seen()
                    await self._publish()
                await self._until_settled()
        settled = expiries - len(venue.unsettled_ns())
        now_ns = str(venue.clock.now_ns())
        return WarpReply(
            before_ns=str(before_ns), now_ns=now_ns, settled=settled, seq=venue.node.engine.seq
        )

    async def shock(self, underlying: str, move_ppm: int) -> ShockReply:
        """Move an index, its forwards with it, in as many steps as its band asks; mark all.

        Raises Refused.
        """
        venue = self._venue
        observed = self._observed(underlying)
        async with venue.turn:
            before = self._index(observed)
            steps = await self._move(observed, moved_ppm(venue.shock_ppm(observed), move_ppm))
            await self._publish()
        seq = venue.node.engine.seq
        return ShockReply(
            underlying=underlying, before=before, index=self._index(observed), steps=steps, seq=seq
        )

    async def _move(self, observed: Observations, target_ppm: int) -> int:
        """Publish indices until the target is reached; return how many were taken."""
        venue, number = self._venue, observed.underlying
        deadline = time.monotonic() + SHOCK_SECONDS_MAX
        reached_ppm, steps = venue.shock_ppm(observed), 0
        step_ppm = target_ppm - reached_ppm
        while reached_ppm != target_ppm:
            left_ppm = target_ppm - reached_ppm
            venue.shocks_ppm[number] = reached_ppm + min(step_ppm, left_ppm, key=abs)
            try:
                await venue.publish_index(observed)
            except CommandRefused as refused:
                venue.shocks_ppm[number] = reached_ppm
                is_band = refused.outcome == Reject.OBSERVATION_OUTSIDE_BAND.name
                if not is_band or time.monotonic() > deadline:
                    raise refused_by(refused) from None
                step_ppm = int(step_ppm / 2) or (1 if step_ppm > 0 else -1)
                await asyncio.sleep(BAND_SECONDS)
            else:
                reached_ppm, steps = venue.shocks_ppm[number], steps + 1
        return steps

    async def _publish(self) -> None:
        try:
            await self._venue.publish_all()
        except CommandRefused as refused:
            raise refused_by(refused) from None

    async def _until_seen(self) -> None:
        """Wait until the node has looked at the chain late enough to let its time go on."""
        sighting = self._venue.node.sequencer.sighting
        while sighting is not None and sighting.limit_ns < self._venue.clock.now_ns():
            await asyncio.sleep(POLL_SECONDS)

    async def _until_settled(self) -> None:
        """Wait a while for the node to settle what has expired."""
        deadline = time.monotonic() + SETTLED_SECONDS_MAX
        while min(self._venue.unsettled_ns(), default=FAR_NS) <= self._venue.clock.now_ns():
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(POLL_SECONDS)

    def _observed(self, symbol: str) -> Observations:
        known = {observed.chain.symbol: observed for observed in self._venue.observations}
        if symbol not in known:
            names = ", ".join(known)
            message = f"the publishers know no {symbol}, but {names}"
            raise Refused(Reject.UNDERLYING_NOT_FOUND, message, symbol, names)
        return known[symbol]

    def _index(self, observed: Observations) -> str:
        engine = self._venue.node.engine
        record = UnderlyingRecord.unpack(engine.read(ArenaId.UNDERLYINGS, observed.underlying))
        return usdc_text(record.index_atoms)


def stretches(now_ns: int, until_ns: int, expiries_ns: list[int]) -> Iterator[list[int]]:
    """Yield the moments at which prices are published, expiry by expiry, and the last by itself."""
    for expiry_ns in expiries_ns:
        if expiry_ns > until_ns:
            break
        first_ns = max(now_ns, expiry_ns - BEFORE_NS)
        last_ns = max(first_ns, expiry_ns + STEP_NS)
        yield [*range(first_ns, last_ns, STEP_NS), last_ns]
    yield [until_ns]


def refused_by(refused: CommandRefused) -> Refused:
    """Return the reply to a command of the venue itself that was not applied."""
    reason = Reject.__members__.get(refused.outcome, Refusal.NOT_ACCEPTING)
    return Refused(reason, str(refused), refused.outcome)
