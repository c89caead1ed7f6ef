"""Looks after margin: sends the next step of liquidation for accounts that are below theirs.

Anybody may do that, and the state machine believes nobody: what the monitor names, it judges again.
Margins change when books are marked, so a look at all accounts follows every group that marked
some. It runs on a thread of its own beside the sequencer, and waits whenever the state is wanted.
Orders are judged one account after the other, which takes longer: on another thread, so that no
look waits for that.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from time import perf_counter_ns

from proofbook.api.errors import Refused
from proofbook.protocol.entry import HEAD
from proofbook.protocol.limits import NS_PER_MS, NS_PER_SECOND, Tag
from proofbook.protocol.liquidation_commands import Liquidate, StartAuction
from proofbook.protocol.watch import Findings, Step, Watch
from proofbook.sequencer.sequencer import Sequencer

STEPS_PER_LOOK_MAX = 64
"""Steps that are sent before the next look, so that traders keep most of every window."""

LOOK_NS = 10 * NS_PER_SECOND
"""After how long to look again if nothing was marked: interest and age move margins, too."""

RETRY_NS = NS_PER_SECOND
RETRY_MAX_NS = 64 * NS_PER_SECOND
"""How long to leave an account alone whose step was refused: twice as long each time, at most."""

ORDERS_SHARE = 16
"""After judging all orders, so many times as long passes before they are judged again."""

MOVES = frozenset(
    bytes((tag,))
    for tag in (Tag.REMARK, Tag.INDEX_PRICE, Tag.SET_PARAMETERS, Tag.SET_UNDERLYING, Tag.SET_TOKEN)
)
"""Commands after which margins of many accounts are other ones."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a monitor has done since it was started; `below` and `look_ns` are of the last look.

    `refused`: steps that the sequencer took none of for the moment.
    """

    looks: int = 0
    look_ns: int = 0
    below: int = 0
    sent: int = 0
    applied: int = 0
    rejected: int = 0
    refused: int = 0


class Monitor:
    """Knows whom to leave alone for how long, and nothing else: a restart loses nothing."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._is_moved = asyncio.Event()
        self._are_orders_moved = asyncio.Event()
        self._waits: dict[int, tuple[int, int]] = {}  # account to (until, for how long)
        self._stepped: set[int] = set()
        self.counts = Counts()

    @property
    def waits(self) -> dict[int, int]:
        """Until when accounts are left alone."""
        return {account: until for account, (until, _) in self._waits.items()}

    def take(self, entries: Iterable[bytes]) -> None:
        """Take note of a durable group: look again if it moved margins."""
        if any(entry[HEAD.size : HEAD.size + 1] in MOVES for entry in entries):
            self._is_moved.set()
            self._are_orders_moved.set()

    async def run(self, sequencer: Sequencer) -> None:
        """Look and send until the sequencer stops."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_margins(sequencer))
            group.create_task(self._watch_orders(sequencer))

    async def _watch_margins(self, sequencer: Sequencer) -> None:
        while sequencer.is_accepting:
            self._is_moved.clear()
            found = await self._look(_now_ns(sequencer))
            sent = await self._send_all(sequencer, found.duties)
            # Whoever was sent a step now cools down or is left alone: the next look says how long.
            if not sent:
                await _sleep(self._is_moved, self._sleep_ns(found, _now_ns(sequencer)))

    async def _watch_orders(self, sequencer: Sequencer) -> None:
        while sequencer.is_accepting:
            self._are_orders_moved.clear()
            started_ns = perf_counter_ns()
            sent = await self._send_all(sequencer, await self._unbacked(sequencer))
            await asyncio.sleep((perf_counter_ns() - started_ns) * ORDERS_SHARE / NS_PER_SECOND)
            if not sent:
                await _sleep(self._are_orders_moved, LOOK_NS)

    async def _look(self, now_ns: int) -> Findings:
        """Return the next steps, off the loop."""
        passed_over = [account for account, (until, _) in self._waits.items() if until > now_ns]
        started_ns = perf_counter_ns()
        found = await asyncio.to_thread(self._watch.look, now_ns, STEPS_PER_LOOK_MAX, passed_over)
        self._count(
            looks=self.counts.looks + 1,
            look_ns=perf_counter_ns() - started_ns,
            below=found.below,
        )
        return found

    async def _unbacked(self, sequencer: Sequencer) -> list[Liquidate]:
        """Return steps for orders that margin does not back, of accounts not stepped meanwhile."""
        self._stepped.clear()
        steps = await asyncio.to_thread(self._watch.unbacked)
        now_ns = _now_ns(sequencer)
        waiting = {account for account, (until, _) in self._waits.items() if until > now_ns}
        passed_over = waiting | self._stepped
        return [step for step in steps if step.account not in passed_over][:STEPS_PER_LOOK_MAX]

    async def _send_all(self, sequencer: Sequencer, steps: Iterable[Step]) -> int:
        """Send steps side by side; return how many the sequencer took."""
        return sum(await asyncio.gather(*(self._send(sequencer, step) for step in steps)))

    async def _send(self, sequencer: Sequencer, step: Step) -> bool:
        """Send one step; whose is not applied is left alone for a while."""
        self._stepped.add(step.account)
        try:
            answer = sequencer.enqueue(step)
            self._count(sent=self.counts.sent + 1)
            outcome = (await answer).result.outcome
        except Refused:
            self._count(refused=self.counts.refused + 1)
            self._leave_alone(step.account, _now_ns(sequencer))
            return False
        if outcome.is_applied:
            if isinstance(step, StartAuction):
                # Bidders come next; and what the fund cannot pay is not to be asked for at once.
                self._leave_alone(step.account, _now_ns(sequencer))
            else:
                self._waits.pop(step.account, None)
            self._count(applied=self.counts.applied + 1)
        else:
            self._leave_alone(step.account, _now_ns(sequencer))
            self._count(rejected=self.counts.rejected + 1)
        return True

    def _leave_alone(self, account: int, now_ns: int) -> None:
        _, before_ns = self._waits.get(account, (0, 0))
        for_ns = min(RETRY_MAX_NS, 2 * before_ns or RETRY_NS)
        self._waits[account] = now_ns + for_ns, for_ns

    def _sleep_ns(self, found: Findings, now_ns: int) -> int:
        """Return after how long time alone may make a step possible; forget waits long over."""
        self._waits = {
            account: wait
            for account, wait in self._waits.items()
            if now_ns < wait[0] + RETRY_MAX_NS
        }
        times = [until for until, _ in self._waits.values() if until > now_ns]
        if found.next_ns:
            times.append(found.next_ns)
        return max(NS_PER_MS, min([now_ns + LOOK_NS, *times]) - now_ns)

    def _count(self, **counts: int) -> None:
        self.counts = replace(self.counts, **counts)


async def _sleep(event: asyncio.Event, nanoseconds: int) -> None:
    """Wait until it is time, or something has happened before."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(nanoseconds / NS_PER_SECOND):
            await event.wait()


def _now_ns(sequencer: Sequencer) -> int:
    """Return the time that no window to come is before."""
    return max(sequencer.clock.now_ns(), sequencer.window_ns)
