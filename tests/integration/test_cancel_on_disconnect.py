"""What connections leave to be cancelled, while the venue refuses what it is sent."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.integration.small_venue import (
    FIRST_ACCOUNT,
    TRADER_KEYS,
    listed_venue,
    two_traders,
)

from proofbook.client import Client, Trader, connect
from proofbook.ingress.cancel_on_disconnect import RETRY_SECONDS
from proofbook.ingress.connections import ConnectionLimits
from proofbook.ingress.wire import Wire
from proofbook.node import Node
from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.sequencer.clock import ShiftedClock
from proofbook.sequencer.rates import Rate, RateLimits
from proofbook.sequencer.sighting import Sighting

PERPETUAL = "BTC-PERP"
ONE_CANCEL = RateLimits(
    orders=Rate(10, 10), cancels=Rate(1, 1), requests=Rate(100, 100), invalid_signatures=Rate(1, 3)
)
DAY_NS = 86_400 * NS_PER_SECOND


async def open_orders(client: Client) -> int:
    return len((await client.account(FIRST_ACCOUNT)).open_orders)


async def orders_end(client: Client) -> None:
    for _ in range(150):
        if not await open_orders(client):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the orders stand")


async def leave_unseen(node: Node) -> Sighting:
    """Place an order, leave a cancel of it, and end the connection of a venue without its chain."""
    async with await connect(node.websocket_url) as leaving:
        trader = leaving.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
        await trader.place(PERPETUAL, "buy", "50000", "0.001")
        await trader.cancel_on_disconnect()
        sighting = Sighting(node.sequencer.clock.now_ns() - NS_PER_SECOND)
        node.sequencer.sighting = sighting
    return sighting


def shown(logs: list[Any]) -> list[tuple[int, str, bool]]:
    """Return whose was refused, why, and whether it is sent again."""
    rows = [row for row in logs if row["event"] == "cancel_on_disconnect.refused"]
    return [(row["account"], row["reason"], row["is_kept"]) for row in rows]


async def told(logs: list[Any], count: int = 1) -> None:
    for _ in range(150):
        if len(shown(logs)) >= count:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"the log has {shown(logs)}")


async def spend_the_cancels(trader: Trader) -> None:
    placed = await trader.place(PERPETUAL, "buy", "50001", "0.001")
    await trader.place(PERPETUAL, "buy", "50000", "0.001")
    assert placed.order is not None
    await trader.cancel(placed.order)


def test_a_key_that_has_no_cancels_left_has_its_orders_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path, rates=ONE_CANCEL) as node, two_traders(node) as (c, *_):
            async with await connect(node.websocket_url) as leaving:
                trader = leaving.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
                await trader.cancel_on_disconnect()
                await spend_the_cancels(trader)
            await orders_end(c)
            assert node.sequencer.rates is not None
            assert not node.sequencer.rates.cancels.left((FIRST_ACCOUNT, 0)), "its key paid"
            assert not node.armed

    asyncio.run(scenario())


def test_a_drain_ends_the_orders_of_a_key_that_has_no_cancels_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path, rates=ONE_CANCEL) as node, two_traders(node) as (c, a, _):
            await a.cancel_on_disconnect()
            await spend_the_cancels(a)
            await node.drain()
            assert not await open_orders(c)

    asyncio.run(scenario())


def test_what_is_refused_while_the_chain_is_unseen_is_sent_when_it_is_seen(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, *_):
            with capture_logs() as logs:
                sighting = await leave_unseen(node)
                await told(logs)
                assert await open_orders(client) == 1
                sighting.saw(node.sequencer.clock.now_ns())
                await orders_end(client)
            assert shown(logs) == [(FIRST_ACCOUNT, "CHAIN_UNSEEN", True)], "once for all attempts"
            assert not node.armed

    asyncio.run(scenario())


def test_what_expires_before_it_is_taken_is_given_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, *_):
            with capture_logs() as logs:
                sighting = await leave_unseen(node)
                await told(logs)
                node.sequencer.clock = ShiftedClock(node.sequencer.clock.now_ns() + DAY_NS)
                await told(logs, 2)
                sighting.saw(node.sequencer.clock.now_ns())
                await asyncio.sleep(2 * RETRY_SECONDS)
            assert [is_kept for _, _, is_kept in shown(logs)] == [True, False]
            assert await open_orders(client) == 1
            assert not node.armed

    asyncio.run(scenario())


def test_a_drain_sends_what_was_refused_before(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, *_):
            with capture_logs() as logs:
                sighting = await leave_unseen(node)
                await told(logs)
                sighting.saw(node.sequencer.clock.now_ns())
                await node.drain()
            assert not await open_orders(client)
            await asyncio.sleep(2 * RETRY_SECONDS)
            assert len(shown(logs)) == 1, "it is not sent a second time"

    asyncio.run(scenario())


def test_of_one_key_that_leaves_again_and_again_one_is_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, *_):
            sighting = await leave_unseen(node)
            for _ in range(3):
                async with await connect(node.websocket_url) as leaving:
                    await leaving.trader(TRADER_KEYS[0], FIRST_ACCOUNT).cancel_on_disconnect()
            for _ in range(100):
                if len(node.armed) == 1:
                    break
                await asyncio.sleep(0.02)
            assert len(node.armed) == 1
            seq = node.models.seq
            sighting.saw(node.sequencer.clock.now_ns())
            await orders_end(client)
            await asyncio.sleep(2 * RETRY_SECONDS)
            assert node.models.seq == seq + 1

    asyncio.run(scenario())


@asynccontextmanager
async def freezing_line(node: Node) -> AsyncGenerator[tuple[str, asyncio.Event]]:
    """A way to a venue that ends nothing, and hands on no more of its answers once that is set."""
    host, port = node.address.split(":")
    frozen = asyncio.Event()
    ends: list[StreamWriter] = []

    async def carry(reader: StreamReader, writer: StreamWriter, is_down: bool) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                if is_down and frozen.is_set():
                    return
                writer.write(data)

    async def take(reader: StreamReader, writer: StreamWriter) -> None:
        answers, questions = await asyncio.open_connection(host, int(port), limit=4096)
        ends.extend((writer, questions))
        await asyncio.gather(carry(reader, questions, False), carry(answers, writer, True))

    server = await asyncio.start_server(take, host, 0)
    yield f"ws://{host}:{server.sockets[0].getsockname()[1]}/ws", frozen
    server.close()
    for end in ends:
        end.transport.abort()
    await asyncio.sleep(0.02)


async def full_wire(node: Node) -> Wire:
    """Return the connection that takes no more of what is written to it, once there is one."""
    while True:
        for wire in node._server.server_state.connections:
            if isinstance(wire, Wire) and not wire.has_room:
                return wire
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("ending", ["too much waits", "a ping is not answered"])
def test_who_is_frozen_has_his_orders_ended_though_he_takes_no_goodbye(
    ending: str, tmp_path: Path
) -> None:
    """His socket stays open and full: nothing that is written to it arrives."""
    bytes_max = 1 << (20 if ending == "too much waits" else 28)

    async def scenario() -> None:
        limits = ConnectionLimits(outbox_bytes_max=bytes_max)
        async with (
            listed_venue(tmp_path, connections=limits) as node,
            two_traders(node) as (client, *_),
            freezing_line(node) as (url, frozen),
        ):
            leaving = await connect(url)
            trader = leaving.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
            await trader.place(PERPETUAL, "buy", "50000", "0.001")
            await trader.cancel_on_disconnect()
            frozen.set()
            asked = [leaving.connection.request("rpc.discover", {}) for _ in range(400)]
            unread = asyncio.gather(*asked, return_exceptions=True)
            if ending == "a ping is not answered":
                (await full_wire(node)).keepalive_timeout()
            await orders_end(client)
            assert node.connections.open == 1, "and he takes up no place"
        await unread
        await leaving.close()

    asyncio.run(scenario())
