"""Who wants too much: a named refusal, bounded memory, and nobody else notices."""

import asyncio
import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.small_venue import (
    FIRST_ACCOUNT,
    engine_at_genesis,
    fund_and_list,
    listed_venue,
    running,
    settings,
    two_traders,
)
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed

from proofbook.api.schema import FRAME_BYTES_MAX
from proofbook.client import ConnectionLost, connect
from proofbook.ingress.connections import ConnectionLimits, Connections, TooManyConnections
from proofbook.ingress.server import WebSocketOutbox
from proofbook.ingress.session import CHANNELS_MAX, Session
from proofbook.node import Node, open_node


def test_connections_are_counted_in_all_and_by_address() -> None:
    connections = Connections(ConnectionLimits(connections_max=3, per_address_max=2))
    outboxes = [WebSocketOutbox() for _ in range(4)]
    for outbox in outboxes[:2]:
        connections.add(outbox, "a")
    with pytest.raises(TooManyConnections, match="2 connections are open from a, at most 2"):
        connections.add(outboxes[2], "a")
    connections.add(outboxes[2], "b")
    with pytest.raises(TooManyConnections, match="3 connections are open, at most 3"):
        connections.add(outboxes[3], "c")
    connections.remove(outboxes[0])
    connections.add(outboxes[3], "a")
    assert connections.open == 3


def test_a_connection_too_many_is_told_so_and_others_go_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        given = replace(settings(tmp_path), connections=ConnectionLimits(per_address_max=2))
        async with running(open_node(given, engine_at_genesis())) as node:
            await fund_and_list(node)
            async with await connect(node.websocket_url) as first:
                async with await connect(node.websocket_url):
                    for _ in range(20):
                        async with connect_websocket(node.websocket_url) as third:
                            with pytest.raises(ConnectionClosed) as closed:
                                await third.recv()
                        assert closed.value.rcvd is not None
                        assert closed.value.rcvd.code == 1013
                        assert closed.value.rcvd.reason.startswith("CONNECTION_LIMIT: 2 ")
                    with pytest.raises(ConnectionLost, match="CONNECTION_LIMIT"):
                        await connect(node.websocket_url)
                    assert (await first.account(FIRST_ACCOUNT)).account == FIRST_ACCOUNT
                while node.connections.open > 1:
                    await asyncio.sleep(0.01)
                async with await connect(node.websocket_url) as again:
                    assert (await again.account(FIRST_ACCOUNT)).account == FIRST_ACCOUNT

    asyncio.run(scenario())


def test_of_all_that_wait_the_slowest_reader_is_closed() -> None:
    connections = Connections(ConnectionLimits(outbox_bytes_max=1_000))
    slow, slower, fast = (WebSocketOutbox() for _ in range(3))
    for outbox in (slow, slower, fast):
        connections.add(outbox, "a")
    slow.put(bytes(300))
    slower.put(bytes(600))
    fast.put(bytes(100))
    assert connections.waiting_bytes == 1_000 and not slower.is_overflown, "as much as may be"
    fast.put(bytes(100))
    assert slower.is_overflown and not slow.is_overflown and not fast.is_overflown
    assert connections.waiting_bytes == 500, "what waited for the slowest is gone"
    slower.put(bytes(900))
    assert connections.waiting_bytes == 500, "nothing waits for who is being closed"
    for outbox in (slow, slower, fast):
        connections.remove(outbox)
    slow.put(bytes(300))
    assert connections.waiting_bytes == 0


def test_channels_are_limited_in_all_and_by_address(tmp_path: Path) -> None:
    async def scenario() -> None:
        limits = ConnectionLimits(subscriptions_max=5, subscriptions_per_address_max=3)
        given = replace(settings(tmp_path), connections=limits)
        async with running(open_node(given, engine_at_genesis())) as node:
            await fund_and_list(node)
            sessions: dict[str, Session] = {}
            for address in ("a", "b"):
                outbox = WebSocketOutbox()
                node.connections.add(outbox, address)
                sessions[address] = Session(node.venue, outbox)

            def asked(address: str, method: str, *accounts: int) -> str:
                params = {"channels": [f"account.{number}" for number in accounts]}
                frame = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                reply = sessions[address].receive(json.dumps(frame).encode())
                assert isinstance(reply, bytes)
                error = json.loads(reply).get("error")
                return "" if error is None else error["message"]

            assert not asked("a", "subscribe", 1, 2)
            message = asked("a", "subscribe", 3, 4)
            assert message == "4 channels would be joined from a, at most 3"
            assert not asked("a", "subscribe", 3) and not asked("b", "subscribe", 1, 2)
            message = asked("b", "subscribe", 3)
            assert message == "6 channels would be joined in all, at most 5"
            assert not asked("a", "unsubscribe", 1) and not asked("b", "subscribe", 3)
            sessions["a"].close()
            sessions["b"].close()
            assert node.connections.subscriptions == node.feeds.subscriptions == 0

    asyncio.run(scenario())


Silent = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def silent_connection(node: Node) -> Silent:
    """Begin a request that will never be finished."""
    host, port = node.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /rpc HTTP/1.1\r\nHost: venue\r\n")
    return reader, writer


async def is_closed(connection: Silent) -> bool:
    """Whether the other side closes within a while."""
    reader, writer = connection
    try:
        return await asyncio.wait_for(reader.read(), 20) == b""
    except ConnectionResetError:
        return True
    finally:
        await close(writer)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def test_silent_connections_of_one_address_are_few(tmp_path: Path) -> None:
    async def scenario() -> None:
        given = replace(settings(tmp_path), connections=ConnectionLimits(per_address_max=3))
        async with running(open_node(given, engine_at_genesis())) as node:
            waiting = [await silent_connection(node) for _ in range(3)]
            assert await is_closed(await silent_connection(node)), "one too many"
            assert not any(reader.at_eof() for reader, _ in waiting)
            for _, writer in waiting:
                await close(writer)
            await asyncio.sleep(0.2)  # the node notices

    asyncio.run(scenario())


BOMBS = {
    "nested lists": b'{"jsonrpc":"2.0","id":1,"method":"get_book","params":' + b"[" * 60_000,
    "nested objects": b'{"jsonrpc":"2.0","id":1,"method":"get_book","params":' + b'{"a":' * 12_000,
    "nested and closed": b'{"jsonrpc":"2.0","id":1,"method":"x","params":'
    + b"[" * 30_000
    + b"]" * 30_000
    + b"}",
    "a nested id": b'{"jsonrpc":"2.0","method":"x","id":' + b"[" * 60_000,
    "a long number": b'{"jsonrpc":"2.0","method":"x","id":' + b"9" * 60_000 + b"}",
    "many members": b"{" + b",".join(b'"%d":0' % n for n in range(5_000)) + b"}",
    "one name again and again": b"{" + b",".join([b'"id":1'] * 9_000) + b"}",
    "escapes": b'{"jsonrpc":"2.0","id":"' + b"\\u0000" * 10_000 + b'","method":"x","params":{}}',
}


@pytest.mark.parametrize("name", list(BOMBS))
def test_json_made_to_hurt_is_refused_by_name(name: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            assert len(BOMBS[name]) <= FRAME_BYTES_MAX
            reply = Session(node.venue).receive(BOMBS[name])
            assert isinstance(reply, bytes)
            reasons = ("PARSE_ERROR", "INVALID_REQUEST", "INVALID_PARAMS", "METHOD_NOT_FOUND")
            assert json.loads(reply)["error"]["data"]["reason"] in reasons

    asyncio.run(scenario())


def test_a_storm_of_subscriptions_keeps_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (_, first, _):
            session = Session(node.venue, WebSocketOutbox())
            channels = [f"account.{n}" for n in range(CHANNELS_MAX)]
            frames = [
                json.dumps(
                    {
                        "jsonrpc": "2.0", "id": 1, "method": method,
                        "params": {"channels": channels[at : at + 1024]},
                    }
                ).encode()
                for method in ("subscribe", "unsubscribe")
                for at in range(0, CHANNELS_MAX, 1024)
            ]  # fmt: skip
            for frame in frames * 5:
                assert isinstance(session.receive(frame), bytes)
            assert node.feeds.subscriptions == 0, "what was left is forgotten"
            await first.place("BTC-PERP", "buy", "59000", "1")
            session.close()

    asyncio.run(scenario())


def test_signatures_that_are_nobodys_take_no_place_and_leave_no_trace(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (_, first, _):
            seq = node.engine.seq
            session = Session(node.venue)
            for nonce in range(1, 500):
                params = {
                    "account": FIRST_ACCOUNT, "nonce": str(nonce),
                    "expires_ns": "2000000000000000000", "signature": "0x" + "11" * 64,
                }  # fmt: skip
                frame = {"jsonrpc": "2.0", "id": 1, "method": "cancel_all", "params": params}
                reply = session.receive(json.dumps(frame).encode())
                assert isinstance(reply, bytes), "it is refused before it waits"
                assert json.loads(reply)["error"]["data"]["reason"] == "SIGNATURE_INVALID"
            assert (node.sequencer.waiting, node.engine.seq) == (0, seq)
            await first.place("BTC-PERP", "buy", "59000", "1")

    asyncio.run(scenario())
