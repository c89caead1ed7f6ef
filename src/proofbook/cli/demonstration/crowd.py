"""Makers and takers in a process of their own, like strangers: they know a URL and their keys.

The plan comes as one line of JSON on standard input; progress goes as lines to standard output.
"""

import asyncio
import sys

import msgspec

from proofbook.cli.demonstration import people, trading
from proofbook.client import ConnectionLost
from proofbook.liquidity.tally import Tally

EXIT_CONNECTION_LOST = 3
PROGRESS_SECONDS = 0.2


class CrowdPlan(msgspec.Struct):
    """What the crowd needs to know. `vegas_ticks` are by instrument, per volatility point."""

    url: str
    accounts: dict[str, int]
    vegas_ticks: dict[str, float]
    seconds: float
    seed: int


class Progress(msgspec.Struct):
    """The counts so far; the last line of all has the times of the receipts too."""

    is_quoted: bool
    is_over: bool
    orders: int
    fills: int
    rejections: dict[str, int]
    receipt_ns: list[int] = []


class Crowd:
    """Everybody who trades, and their common tally."""

    def __init__(self, plan: CrowdPlan) -> None:
        self.plan = plan
        self.tally = Tally()
        self.is_quoted = False

    async def run(self) -> None:
        """Quote everything, trade for the time planned, tell how it goes."""
        reporting = asyncio.create_task(self._report())
        plan = self.plan
        members = await people.meet_at(plan.url, plan.accounts, self.tally)
        makers, takers = (
            [person for person in members if person.name.startswith(kind)]
            for kind in (trading.MAKER, trading.TAKER)
        )
        market = trading.market_between(makers, takers, plan.vegas_ticks, plan.seed)
        await market.open()
        self.is_quoted = True
        await market.run(plan.seconds)
        await people.part(members)
        reporting.cancel()
        self._tell(is_over=True)

    async def _report(self) -> None:
        while True:
            self._tell(is_over=False)
            await asyncio.sleep(PROGRESS_SECONDS)

    def _tell(self, is_over: bool) -> None:
        tally = self.tally
        times = tally.receipt_ns if is_over else []
        progress = Progress(
            self.is_quoted, is_over, tally.orders, tally.fills, dict(tally.rejections), times
        )
        sys.stdout.write(msgspec.json.encode(progress).decode() + "\n")
        sys.stdout.flush()


def main() -> int:
    """Run the crowd of the plan on standard input; return the exit code."""
    plan = msgspec.json.decode(sys.stdin.readline(), type=CrowdPlan)
    code = 0
    try:
        asyncio.run(Crowd(plan).run())
    except* ConnectionLost as lost:
        # The venue is gone, and so is the reason to be here.
        sys.stderr.write(f"{lost.exceptions[0]}\n")
        code = EXIT_CONNECTION_LOST
    return code


if __name__ == "__main__":
    sys.exit(main())
