"""A market maker: two-sided quotes in its share of the instruments, kept around the marks."""

import asyncio
from collections.abc import Mapping, Sequence

from proofbook.api.schema import InstrumentReply
from proofbook.liquidity.desk import Desk
from proofbook.liquidity.quoting import QUOTED_MAX, quote_around, quote_intents

TOGETHER = 4
"""Instruments that are requoted at the same time."""


class Maker:
    """Quotes at most 400 instruments. Every order only posts, and rests until it is replaced."""

    def __init__(
        self,
        desk: Desk,
        share: Sequence[InstrumentReply],
        vegas_ticks: Mapping[str, float],
        lots: int,
    ) -> None:
        assert len(share) <= QUOTED_MAX, f"{len(share)} instruments, at most {QUOTED_MAX}"
        self.desk = desk
        self.share = share
        self.lots = lots
        self._vegas_ticks = vegas_ticks
        self._orders: dict[str, list[str]] = {}

    @property
    def quoted(self) -> int:
        """How many instruments have had a quote on both sides."""
        return sum(len(orders) == 2 for orders in self._orders.values())

    async def quote_all(self) -> None:
        """Quote every instrument of the share once. Raises NotMarked, ConnectionLost."""
        for first in range(0, len(self.share), TOGETHER):
            together = self.share[first : first + TOGETHER]
            await asyncio.gather(*(self.requote(instrument) for instrument in together))

    async def run(self, stop: asyncio.Event) -> None:
        """Go round the share until told to stop."""
        place = 0
        while not stop.is_set():
            together = [self.share[(place + i) % len(self.share)] for i in range(TOGETHER)]
            unique = {instrument.name: instrument for instrument in together}
            await asyncio.gather(*(self.requote(instrument) for instrument in unique.values()))
            place += TOGETHER

    async def requote(self, instrument: InstrumentReply) -> None:
        """Replace both orders in an instrument by ones around its mark."""
        vega_ticks = self._vegas_ticks.get(instrument.name, 0.0)
        fair = await self.desk.fair(instrument, vega_ticks)
        old = self._orders.get(instrument.name, [])
        await asyncio.gather(*(self.desk.cancel(order) for order in old))
        intents = quote_intents(quote_around(fair, self.lots))
        replies = await asyncio.gather(*(self.desk.place(instrument, i) for i in intents))
        self._orders[instrument.name] = [
            reply.order for reply in replies if reply is not None and reply.order is not None
        ]
