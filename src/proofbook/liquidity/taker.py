"""A taker: orders near the touch, some take at once and some wait; one seed, one behaviour."""

import asyncio
from collections.abc import Mapping, Sequence
from random import Random

from proofbook.api.schema import InstrumentReply
from proofbook.liquidity.desk import Desk
from proofbook.liquidity.quoting import taker_intent

RESTING_MAX = 100
"""Orders that a taker leaves in the books before it takes them all out."""

CANCEL_SHARE = 0.1
"""How often it cancels one of its orders instead of placing another."""


class Taker:
    """Trades in its share of the instruments until told to stop."""

    def __init__(
        self,
        desk: Desk,
        share: Sequence[InstrumentReply],
        vegas_ticks: Mapping[str, float],
        lots_max: int,
        seed: int,
    ) -> None:
        self.desk = desk
        self.share = share
        self.lots_max = lots_max
        self._vegas_ticks = vegas_ticks
        self._random = Random(seed)
        self._resting: list[str] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Act, one order after the other. Raises NotMarked, ConnectionLost."""
        while not stop.is_set():
            await self.act()

    async def act(self) -> None:
        """Place an order, or take back one or all of those that rest."""
        if len(self._resting) >= RESTING_MAX:
            self._resting = []
            await self.desk.cancel_all()
        elif self._resting and self._random.random() < CANCEL_SHARE:
            place = self._random.randrange(len(self._resting))
            await self.desk.cancel(self._resting.pop(place))
        else:
            await self._place()

    async def _place(self) -> None:
        instrument = self._random.choice(self.share)
        fair = await self.desk.fair(instrument, self._vegas_ticks.get(instrument.name, 0.0))
        reply = await self.desk.place(instrument, taker_intent(self._random, fair, self.lots_max))
        if reply is not None and reply.order is not None:
            self._resting.append(reply.order)
