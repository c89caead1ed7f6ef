"""A market maker: two-sided quotes in its share of the instruments, kept around the marks."""

import asyncio
from collections.abc import Mapping, Sequence

from proofbook.api.schema import InstrumentReply
from proofbook.liquidity.desk import Desk
from proofbook.liquidity.quoting import QUOTED_MAX, quote_around
from proofbook.protocol.limits import NS_PER_SECOND, QUOTES_PER_BATCH_MAX, Reject

TOGETHER = QUOTES_PER_BATCH_MAX // 2
"""Instruments that are requoted under one signature: each has two sides."""

PROTECTION = 1
PROTECTED_UNITS = "10"
PROTECTED_NS = NS_PER_SECOND
"""All quotes end once they trade more than 10 units of the underlyings within a second."""


class Maker:
    """Quotes at most 400 instruments, under a protection. Quotes rest until they are replaced."""

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
        self._is_protected = False

    async def quote_all(self) -> None:
        """Quote every instrument of the share once. Raises NotMarked, ConnectionLost."""
        for first in range(0, len(self.share), TOGETHER):
            await self.requote(self.share[first : first + TOGETHER])

    async def look_around(self) -> None:
        """Learn the venue's time again, and leave what has ended. Raises ApiError, ConnectionLost.

        Time can pass by leaps, and an expiry that is settled is listed no more.
        """
        client = self.desk.trader.client
        status = await client.get_status()
        listed = await client.refresh_instruments()
        now_ns = int(status.now_ns)
        self.share = [
            row
            for row in self.share
            if row.name in listed and (row.expiry_ns is None or int(row.expiry_ns) > now_ns)
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Go round the share until told to stop."""
        first = 0
        while not stop.is_set():
            await self.requote(self.share[first : first + TOGETHER])
            first = first + TOGETHER if first + TOGETHER < len(self.share) else 0

    async def requote(self, instruments: Sequence[InstrumentReply]) -> None:
        """Replace the quotes in some instruments by ones around their marks."""
        if not self._is_protected:
            await self.desk.protect(PROTECTION, PROTECTED_UNITS, PROTECTED_NS)
            self._is_protected = True
        vegas = [self._vegas_ticks.get(instrument.name, 0.0) for instrument in instruments]
        fairs = await asyncio.gather(*map(self.desk.fair, instruments, vegas))
        quotes = [quote_around(fair, self.lots) for fair in fairs]
        reasons = await self.desk.quote(instruments, quotes, PROTECTION)
        if Reject.PROTECTION_FROZEN.name in reasons:
            # It has looked: the next quotes are around newer marks.
            await self.desk.thaw(PROTECTION)
