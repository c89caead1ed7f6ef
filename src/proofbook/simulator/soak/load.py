"""What a busy venue does all day: makers, traders, stops, watchers, clients that come and go."""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from random import Random
from typing import Any

from proofbook.api.actions import QuoteRow
from proofbook.api.errors import ApiError
from proofbook.api.schema import InstrumentReply, SideName
from proofbook.api.signing import Key
from proofbook.client import Client, ConnectionLost, Trader, connect
from proofbook.protocol.limits import NS_PER_DAY, NS_PER_SECOND
from proofbook.simulator.soak.pace import paced
from proofbook.simulator.soak.tally import Tally

MAKERS, TRADERS, WATCHERS = 3, 4, 3
QUOTED_TOGETHER = 8
"""Instruments of one QuoteBatch, both sides of each."""
MAKERS_SHARE = 0.1
"""Of all commands, those that are QuoteBatches."""
MARKS_SECONDS = 10.0
VISITS_PER_SECOND = 1.0
KEPT_OPEN = 24
"""Orders that a trader leaves open before the oldest is cancelled."""
WATCHED_MAX = 32


class Marks:
    """The mark of each instrument, as the venue said it last."""

    def __init__(self) -> None:
        self._marks: dict[str, Decimal] = {}

    async def follow(self, client: Client) -> None:
        """Ask for all marks from time to time."""
        while True:
            await self.ask(client)
            await asyncio.sleep(MARKS_SECONDS)

    async def ask(self, client: Client) -> None:
        """Ask for all marks. Raises ApiError, ConnectionLost."""
        for underlying in {row.underlying for row in client.instruments.values()}:
            summary = await client.summary(underlying)
            for ticker in summary.tickers:
                if ticker.mark is not None:
                    self._marks[ticker.instrument] = Decimal(ticker.mark)

    def names(self) -> list[str]:
        """Return every instrument with a mark."""
        return sorted(self._marks)

    def price(self, row: InstrumentReply, factor: float) -> str:
        """Return a price on the grid, so much of the mark and never below one step."""
        step = Decimal(row.price_step)
        steps = max(1, int(self._marks[row.name] * Decimal(factor) / step))
        return f"{steps * step:f}"


async def counted(tally: Tally, kind: str, answer: Awaitable[Any]) -> Any:
    """Await an answer and count it; None for what was refused. Raises ConnectionLost."""
    try:
        reply = await answer
    except ApiError as fault:
        tally.count(kind, fault.reason)
        return None
    tally.count(kind, "APPLIED")
    return reply


async def make(trader: Trader, marks: Marks, tally: Tally, per_second: float, seed: int) -> None:
    """Quote both sides of some instruments, others each time."""
    random = Random(seed)
    async for _ in paced(per_second):
        names = marks.names()
        chosen = random.sample(names, min(QUOTED_TOGETHER, len(names)))
        width = 1 + random.uniform(0.002, 0.02)
        sides: tuple[tuple[SideName, float], ...] = (("buy", 1 / width), ("sell", width))
        rows: list[QuoteRow] = []
        for name in chosen:
            row = trader.client.instruments[name]
            rows += [
                QuoteRow(
                    instrument=name, side=side, price=marks.price(row, factor),
                    amount=row.amount_step,
                )
                for side, factor in sides
            ]  # fmt: skip
        await counted(tally, "quote_batch", trader.quote(rows, slide=True))


async def trade(trader: Trader, marks: Marks, tally: Tally, per_second: float, seed: int) -> None:
    """Place, take and cancel; now and then move a deadline, or place and cancel a stop."""
    random = Random(seed)
    orders: list[str] = []
    row = trader.client.instruments["BTC-PERP"]
    async for number in paced(per_second):
        side = random.choice(("buy", "sell"))
        if len(orders) >= KEPT_OPEN or (orders and random.random() < 0.45):
            order = orders.pop(random.randrange(len(orders)))
            await counted(tally, "cancel", trader.cancel(order))
        elif random.random() < 0.1:
            price = marks.price(row, 1.05 if side == "buy" else 0.95)
            taking = trader.place(
                row.name, side, price, row.amount_step, time_in_force="immediate_or_cancel"
            )
            await counted(tally, "take", taking)
        elif number % 20 == 0:
            await _wait_and_cancel(trader, marks, tally, row)
        else:
            factor = random.uniform(0.90, 0.97)
            price = marks.price(row, factor if side == "buy" else 2 - factor)
            ends: dict[str, Any] = {}
            if number % 2:
                expires_ns = trader.client.now_ns() + 300 * NS_PER_DAY
                ends = {"time_in_force": "good_till_time", "expires_ns": expires_ns}
            placing = trader.place(row.name, side, price, row.amount_step, post_only=True, **ends)
            reply = await counted(tally, "place", placing)
            if reply is not None and reply.order is not None:
                orders.append(reply.order)


async def _wait_and_cancel(
    trader: Trader, marks: Marks, tally: Tally, row: InstrumentReply
) -> None:
    """Move the deadline, and place a stop far away and cancel it."""
    deadline_ns = trader.client.now_ns() + 3_000 * NS_PER_SECOND
    await counted(tally, "set_dead_man", trader.set_dead_man(deadline_ns))
    stop = trader.place_trigger(
        row.name, "mark_at_or_above", marks.price(row, 1.5), "buy",
        marks.price(row, 1.05), row.amount_step,
    )  # fmt: skip
    reply = await counted(tally, "place_trigger", stop)
    if reply is not None:
        await counted(tally, "cancel_trigger", trader.cancel_trigger(reply.trigger))


async def watch(client: Client, tally: Tally, channels: Sequence[str]) -> None:
    """Read everything that some channels say."""
    await client.subscribe(channels)
    async for _ in client.connection.notices():
        tally.count("watch", "NOTICE")


async def visit(url: str, tally: Tally) -> None:
    """Come, look, and go without a word, again and again."""
    async for number in paced(VISITS_PER_SECOND):
        try:
            async with await connect(url) as client:
                names = list(client.instruments)
                await client.book(names[number % len(names)])
                await client.subscribe([f"book.{names[number % len(names)]}", "trades.BTC-PERP"])
            tally.count("visit", "SEEN")
        except (ApiError, ConnectionLost) as fault:
            tally.count("visit", type(fault).__name__)


async def run(running: dict[str, Any], commands_per_second: float, tally: Tally) -> None:
    """Load a venue until cancelled. Raises ConnectionLost."""
    url, accounts = running["websocket"], running["accounts"]
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(await connect(url))
            for _ in range(MAKERS + TRADERS + WATCHERS)
        ]
        people = [
            client.trader(Key.from_hex(row["key"]), row["account"])
            for client, row in zip(clients, accounts[: MAKERS + TRADERS], strict=False)
        ]
        marks = Marks()
        await marks.ask(clients[-1])
        async with asyncio.TaskGroup() as group:
            group.create_task(marks.follow(clients[-1]))
            group.create_task(visit(url, tally))
            quotes = commands_per_second * MAKERS_SHARE / MAKERS
            for seed, trader in enumerate(people[:MAKERS]):
                group.create_task(make(trader, marks, tally, quotes, seed))
            orders = commands_per_second * (1 - MAKERS_SHARE) / TRADERS
            for seed, trader in enumerate(people[MAKERS:]):
                for half in range(2):
                    group.create_task(trade(trader, marks, tally, orders / 2, 2 * seed + half))
            names = marks.names()[:WATCHED_MAX]
            channels = [f"{kind}.{name}" for kind in ("book", "trades") for name in names]
            channels += [f"account.{row['account']}" for row in accounts]
            for client in clients[MAKERS + TRADERS :]:
                group.create_task(watch(client, tally, channels))
