"""The node liquidates who is below his margin, without anybody asking."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.integration.small_venue import (
    CHAIN_ID,
    CONTRACT,
    FIRST_ACCOUNT,
    GENESIS,
    fund_and_list,
    publish,
    running,
    settings,
    two_traders,
)

from proofbook.api.errors import Refusal, Refused
from proofbook.client import Trader
from proofbook.kernel import Kernel
from proofbook.node import Node, open_node
from proofbook.protocol.entry import HEAD
from proofbook.protocol.limits import ArenaId, OutcomeKind, Reject, Tag
from proofbook.protocol.liquidation_commands import Liquidate
from proofbook.protocol.outcomes import APPLIED, Outcome
from proofbook.protocol.records import AccountRecord
from proofbook.protocol.watch import Findings
from proofbook.sequencer.monitor import RETRY_NS, STEPS_PER_LOOK_MAX, Monitor
from proofbook.sequencer.sequencer import Sequencer

PERPETUAL = "BTC-PERP"
LARGE = "90"
"""Coins of which a fall by a quarter takes more than a trader's million."""


def open_watched(folder: Path) -> Node:
    kernel = Kernel(GENESIS, CHAIN_ID, CONTRACT)
    return open_node(settings(folder), kernel, watch=kernel)


@asynccontextmanager
async def watched_venue(folder: Path) -> AsyncGenerator[Node]:
    """A running node over the kernel, which watches its accounts."""
    async with running(open_watched(folder)) as node:
        await fund_and_list(node)
        yield node


async def soon(is_so: Callable[[], Awaitable[bool]], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not await is_so():
            await asyncio.sleep(0.01)


async def amount(trader: Trader) -> float:
    return sum(float(position.amount) for position in (await trader.state()).positions)


async def open_positions(maker: Trader, taker: Trader) -> None:
    """Let the taker buy a lot, and let the maker bid below."""
    await maker.place(PERPETUAL, "sell", "60000", LARGE)
    await taker.place(PERPETUAL, "buy", "60000", LARGE)


def has_less(trader: Trader, than: float) -> Callable[[], Awaitable[bool]]:
    async def is_so() -> bool:
        return await amount(trader) < than

    return is_so


def test_a_fall_of_the_price_liquidates_who_cannot_bear_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with watched_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            await open_positions(maker, taker)
            await maker.place(PERPETUAL, "buy", "51900", LARGE)
            await publish(node, 60_000)
            await asyncio.sleep(0.1)
            assert await amount(taker) == float(LARGE), "covered: nothing is done"
            await publish(node, 52_000)
            await soon(has_less(taker, float(LARGE)))
            first = await amount(taker)
            await soon(has_less(taker, first))
            monitor = node.monitor
            assert monitor is not None

            async def is_counted() -> bool:
                return monitor.counts.applied >= 2

            await soon(is_counted)
            assert monitor.counts.below == 1, "one slice is not enough"
            assert monitor.counts.looks < 100, "nobody is looked at all the time"
            shown = (await client.get_status()).monitor
            assert shown is not None
            assert 2 <= shown.applied <= monitor.counts.applied

    asyncio.run(scenario())


def test_orders_that_margin_does_not_back_are_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with watched_venue(tmp_path) as node, two_traders(node) as (_, maker, taker):
            await maker.place(PERPETUAL, "sell", "60000", "60")
            await taker.place(PERPETUAL, "buy", "60000", "60")
            await taker.place(PERPETUAL, "buy", "59000", "30")
            await publish(node, 54_000)

            async def is_over() -> bool:
                return not (await taker.state()).open_orders

            await soon(is_over)
            assert await amount(taker) == 60, "maintenance margin is covered"

    asyncio.run(scenario())


def test_a_node_that_was_down_liquidates_when_it_is_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(open_node(settings(tmp_path), kernel())) as node:
            await fund_and_list(node)
            async with two_traders(node) as (_, maker, taker):
                await open_positions(maker, taker)
                await maker.place(PERPETUAL, "buy", "51900", LARGE)
                await publish(node, 52_000)
                await asyncio.sleep(0.1)
                assert await amount(taker) == float(LARGE), "nobody watches"
        again = open_watched(tmp_path)
        async with running(again), two_traders(again) as (_, _, taker):
            await soon(has_less(taker, float(LARGE)))

    asyncio.run(scenario())


def test_what_no_book_takes_is_auctioned(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with watched_venue(tmp_path) as node, two_traders(node) as (_, maker, taker):
            await open_positions(maker, taker)
            await publish(node, 52_000)

            async def is_auctioned() -> bool:
                data = node.engine.read(ArenaId.ACCOUNTS, FIRST_ACCOUNT + 1)
                return AccountRecord.unpack(data).auction != 0

            await soon(is_auctioned)
            assert await amount(taker) == float(LARGE), "nobody bids in the book"
            await asyncio.sleep(0.1)
            assert node.monitor is not None
            assert node.monitor.counts.looks < 100, "no busy loop"

    asyncio.run(scenario())


def test_what_nobody_can_pay_holders_on_the_other_side_close(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with watched_venue(tmp_path) as node, two_traders(node) as (_, maker, taker):
            await open_positions(maker, taker)
            await publish(node, 45_000)
            await soon(has_less(taker, 0.1))
            assert await amount(maker) == 0
            data = node.engine.read(ArenaId.ACCOUNTS, FIRST_ACCOUNT + 1)
            assert AccountRecord.unpack(data).auction == 0
            assert AccountRecord.unpack(data).cash_atoms == 0

    asyncio.run(scenario())


def kernel() -> Kernel:
    return Kernel(GENESIS, CHAIN_ID, CONTRACT)


class FakeWatch:
    """Says that one account is below, unless it is passed over."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def look(self, now_ns: int = 0, most: int = 0, passed_over: Collection[int] = ()) -> Findings:
        self.asked.append(list(passed_over))
        assert most == STEPS_PER_LOOK_MAX
        duties = [] if passed_over else [Liquidate(FIRST_ACCOUNT, 1)]
        return Findings(duties, 1, 0)

    def unbacked(self) -> list[Liquidate]:
        return []


class FakeSequencer:
    """Answers each step the same way, at a time that stands still."""

    def __init__(self, outcome: Outcome | None) -> None:
        self.outcome = outcome
        self.window_ns = 0
        self.clock = SimpleNamespace(now_ns=lambda: 10**18)
        self.is_accepting = True

    def enqueue(self, step: Liquidate) -> "asyncio.Future[Any]":
        if self.outcome is None:
            raise Refused(Refusal.OVERLOADED, "too much waits")
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(SimpleNamespace(result=SimpleNamespace(outcome=self.outcome)))
        return answer


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        (Outcome(OutcomeKind.REJECTED, Reject.LEG_NOT_BEST), "rejected"),
        (Outcome(OutcomeKind.REJECTED, Reject.NOT_LIQUIDATABLE), "rejected"),
        (None, "refused"),
    ],
)
def test_an_account_whose_step_is_refused_is_left_alone_for_a_while(
    outcome: Outcome | None, counted: str
) -> None:
    async def scenario() -> None:
        watch, sequencer = FakeWatch(), FakeSequencer(outcome)
        monitor = Monitor(watch)
        task = asyncio.create_task(monitor.run(cast(Sequencer, sequencer)))
        for _ in range(5):
            await asyncio.sleep(0.02)
            entry = bytes(HEAD.size) + bytes((Tag.REMARK,))
            monitor.take([entry])
        task.cancel()
        assert watch.asked[0] == []
        assert watch.asked[1:] == [[FIRST_ACCOUNT]] * (len(watch.asked) - 1), "no busy loop"
        assert getattr(monitor.counts, counted) == 1

    asyncio.run(scenario())


class SlowWatch(FakeWatch):
    """Takes as long as it is let to judge orders."""

    def __init__(self) -> None:
        super().__init__()
        self.judging, self.judged = threading.Event(), threading.Event()

    def look(self, now_ns: int = 0, most: int = 0, passed_over: Collection[int] = ()) -> Findings:
        self.asked.append(list(passed_over))
        return Findings([], 0, 0)

    def unbacked(self) -> list[Liquidate]:
        self.judging.set()
        assert self.judged.wait(30)
        return []


def test_no_look_waits_for_orders_to_be_judged() -> None:
    async def scenario() -> None:
        watch = SlowWatch()
        monitor = Monitor(watch)
        task = asyncio.create_task(monitor.run(cast(Sequencer, FakeSequencer(APPLIED))))
        await asyncio.to_thread(watch.judging.wait, 30)
        for looks in range(1, 4):
            async with asyncio.timeout(10):
                while len(watch.asked) < looks:
                    await asyncio.sleep(0.001)
            monitor.take([bytes(HEAD.size) + bytes((Tag.REMARK,))])
        watch.judged.set()
        task.cancel()

    asyncio.run(scenario())


def test_waits_double_and_end_with_success() -> None:
    async def scenario() -> None:
        sequencer = FakeSequencer(Outcome(OutcomeKind.REJECTED, Reject.LEG_INVALID))
        now_ns = sequencer.clock.now_ns()
        monitor = Monitor(FakeWatch())
        send = monitor._send  # pyright: ignore[reportPrivateUsage]
        for times in (1, 2, 4):
            await send(cast(Sequencer, sequencer), Liquidate(FIRST_ACCOUNT, 1))
            assert monitor.waits[FIRST_ACCOUNT] == now_ns + times * RETRY_NS
        sequencer.outcome = APPLIED
        await send(cast(Sequencer, sequencer), Liquidate(FIRST_ACCOUNT, 1))
        assert monitor.waits == {}

    asyncio.run(scenario())
