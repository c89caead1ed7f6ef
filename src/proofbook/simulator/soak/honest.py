"""An honest client beside all that: how long its orders and questions take."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from proofbook.api.errors import ApiError
from proofbook.api.signing import Key
from proofbook.client import connect
from proofbook.simulator.soak.load import Marks
from proofbook.simulator.soak.pace import paced
from proofbook.simulator.soak.tally import Tally

PER_SECOND = 10.0
INSTRUMENT = "ETH-PERP"
SHARE_OF_MARK = 0.8
"""Below it, so that nothing is filled."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A round of the honest client: when, and how long its parts took, ms."""

    second: float
    place_ms: float
    cancel_ms: float
    book_ms: float


class Honest:
    """Places an order, looks at the book, cancels it; every time the same."""

    def __init__(self, running: dict[str, Any], tally: Tally) -> None:
        self._running = running
        self._tally = tally
        self.times: list[Timed] = []

    async def run(self, started: float) -> None:
        """Trade until cancelled, counting seconds from a moment. Raises ConnectionLost."""
        row = self._running["accounts"][-2]
        async with await connect(self._running["websocket"]) as client:
            trader = client.trader(Key.from_hex(row["key"]), row["account"])
            instrument = client.instruments[INSTRUMENT]
            marks = Marks()
            await marks.ask(client)
            price = marks.price(instrument, SHARE_OF_MARK)
            async for _ in paced(PER_SECOND):
                began = time.perf_counter()
                try:
                    placed = await trader.place(
                        INSTRUMENT, "buy", price, instrument.amount_step, post_only=True
                    )
                    after_place = time.perf_counter()
                    await client.book(INSTRUMENT)
                    after_book = time.perf_counter()
                    await trader.cancel(placed.order or "0")
                except ApiError as fault:
                    self._tally.count("honest", fault.reason)
                    continue
                self._tally.count("honest", "SERVED")
                self.times.append(
                    Timed(
                        began - started,
                        1e3 * (after_place - began),
                        1e3 * (time.perf_counter() - after_book),
                        1e3 * (after_book - after_place),
                    )
                )


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return the median, the 99th of a hundred, and the most; nothing of too few."""
    if len(values) < 2:
        return {}
    cuts = quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 3), "p99": round(cuts[98], 3), "max": round(max(values), 3)}
