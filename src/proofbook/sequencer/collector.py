"""Looks after debts: sends what anybody may do about accounts that owe.

Their tokens are put up for sale when they owe too much, and no longer than that; losses that stand
in positions are settled, so that they cost interest like any debt. The state machine believes
nobody: what is sent, it judges again.
"""

import asyncio
from collections.abc import Iterable

from proofbook.api.errors import Refused
from proofbook.protocol.collateral_commands import SettleVariation
from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.protocol.watch import DebtStep, Watch
from proofbook.sequencer.sequencer import Sequencer

LOOK_NS = 10 * NS_PER_SECOND
"""Between two looks: a sale takes minutes."""

SETTLE_NS = 3600 * NS_PER_SECOND
"""For so long an account is not settled again: interest for that time is let go."""

STEPS_PER_LOOK_MAX = 64
"""Steps that are sent at once, so that traders keep most of every window."""


class Collector:
    """Knows whom it has settled lately, and nothing else: a restart loses nothing."""

    def __init__(self, watch: Watch, look_ns: int = LOOK_NS) -> None:
        self._watch = watch
        self._look_ns = look_ns
        self._settled: dict[int, int] = {}

    async def run(self, sequencer: Sequencer) -> None:
        """Look and send until the sequencer stops."""
        while sequencer.is_accepting:
            found = await asyncio.to_thread(self._watch.debts)
            steps = self.due(found, sequencer.clock.now_ns())
            await asyncio.gather(*(self._send(sequencer, step) for step in steps))
            await asyncio.sleep(self._look_ns / NS_PER_SECOND)

    def due(self, found: Iterable[DebtStep], now_ns: int) -> list[DebtStep]:
        """Return the steps to send now, a bounded number of them."""
        self._settled = {
            account: settled_ns
            for account, settled_ns in self._settled.items()
            if now_ns < settled_ns + SETTLE_NS
        }
        steps = [
            step
            for step in found
            if not (isinstance(step, SettleVariation) and step.account in self._settled)
        ][:STEPS_PER_LOOK_MAX]
        settled = (step.account for step in steps if isinstance(step, SettleVariation))
        self._settled.update(dict.fromkeys(settled, now_ns))
        return steps

    async def _send(self, sequencer: Sequencer, step: DebtStep) -> None:
        """Send one step; what is refused is found again by the next look."""
        try:
            await sequencer.enqueue(step)
        except Refused:
            self._settled.pop(step.account, None)
