"""Who sends a request too slowly is told so and let go; nobody else notices."""

import asyncio
import contextlib
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.integration.small_venue import (
    engine_at_genesis,
    fund_and_list,
    listed_venue,
    running,
    settings,
)
from tests.integration.test_wire import HANDSHAKE

from proofbook.client import connect
from proofbook.ingress.connections import ConnectionLimits, Connections, Unread
from proofbook.ingress.server import WebSocketOutbox
from proofbook.ingress.timed_http import TimedHttp
from proofbook.node import Node, open_node

SECONDS_MAX = 0.3
ASKED = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "get_status"}).encode()
HEAD = b"POST /rpc HTTP/1.1\r\nhost: venue\r\n"
WHOLE = HEAD + b"content-length: %d\r\n\r\n" % len(ASKED) + ASKED

SLOW = {
    "nothing at all": b"",
    "a header that does not end": HEAD,
    "a body that does not end": HEAD + b"content-length: 4096\r\n\r\n{",
    "a chunk that does not end": HEAD + b"transfer-encoding: chunked\r\n\r\nffff\r\nhe",
    "a handshake that does not end": b"GET /ws HTTP/1.1\r\nupgrade: websocket\r\n",
}


def venue_at(folder: Path) -> Node:
    limits = ConnectionLimits(request_seconds_max=SECONDS_MAX)
    return open_node(replace(settings(folder), connections=limits), engine_at_genesis())


async def dribble(node: Node, first: bytes) -> bytes:
    """Send some bytes, and then one more at a time; return what comes back until the end."""
    host, port = node.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    ended = asyncio.create_task(reader.read(64))
    writer.write(first)
    while not ended.done() and first:
        writer.write(b"x")
        await asyncio.sleep(SECONDS_MAX / 20)
    answer = await ended
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return answer


@pytest.mark.parametrize("name", list(SLOW))
def test_a_slow_request_ends_while_others_go_on(name: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(venue_at(tmp_path)) as node, asyncio.timeout(60):
            await fund_and_list(node)
            async with await connect(node.websocket_url) as client:
                answers = asyncio.gather(*(dribble(node, SLOW[name]) for _ in range(20)))
                while not answers.done():
                    await client.get_status()
                    await asyncio.sleep(SECONDS_MAX / 20)
                for answer in await answers:
                    assert answer.startswith(b"HTTP/1.1 408 "), answer
                await asyncio.sleep(2 * SECONDS_MAX)
                assert (await client.get_status()).seq > 0, "an idle WebSocket has no deadline"

    asyncio.run(scenario())


def test_a_further_request_of_a_connection_has_the_same_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(venue_at(tmp_path)) as node, asyncio.timeout(60):
            host, port = node.address.split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            for _ in range(3):
                writer.write(WHOLE)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                assert head.startswith(b"HTTP/1.1 200 ") and await reader.readexactly(length)
                await asyncio.sleep(SECONDS_MAX / 3)
            writer.write(HEAD)
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
            writer.close()
            await writer.wait_closed()

    asyncio.run(scenario())


def test_who_reads_no_answer_is_let_go_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    """More answers than the system takes wait for him, and no goodbye would ever reach him."""
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "rpc.discover"}).encode()
    request = HEAD + b"content-length: %d\r\n\r\n" % len(asked) + asked

    async def scenario() -> None:
        limits = ConnectionLimits(request_seconds_max=SECONDS_MAX)
        async with listed_venue(tmp_path, connections=limits) as node, asyncio.timeout(60):
            host, port = node.address.split(":")
            held = node._server.server_state.connections
            with socket.socket() as silent:
                silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                silent.connect((host, int(port)))
                silent.sendall(100 * request)
                while not node.connections.waiting_bytes:
                    await asyncio.sleep(0.01)
                while held:
                    await asyncio.sleep(0.01)
                assert node.connections.waiting_bytes == 0
            async with await connect(node.websocket_url) as client:
                assert (await client.get_status()).seq > 0

    asyncio.run(scenario())


class Draining:
    """A transport of which somebody reads a little: so many bytes are left at each look."""

    def __init__(self, *left_bytes: int) -> None:
        self.left_bytes = list(left_bytes)
        self.aborted = asyncio.Event()

    def get_write_buffer_size(self) -> int:
        return self.left_bytes.pop(0)

    def abort(self) -> None:
        self.aborted.set()


def test_who_reads_half_each_time_gets_more_time() -> None:
    async def scenario() -> None:
        connections = Connections(ConnectionLimits(request_seconds_max=0.001))
        draining: Any = Draining(1_000, 500, 500, 200, 200, 101)
        unread = Unread(draining, connections)
        unread.begin()
        assert connections.waiting_bytes == unread.waiting_bytes == 1_000
        async with asyncio.timeout(60):
            await draining.aborted.wait()
        assert not draining.left_bytes, "it was given up when less than half had been read"
        assert connections.waiting_bytes == unread.waiting_bytes == 0

    asyncio.run(scenario())


def test_of_all_that_wait_an_answer_over_http_may_be_the_one_to_go() -> None:
    async def scenario() -> None:
        connections = Connections(ConnectionLimits(outbox_bytes_max=1_000))
        small, large = (Draining(each) for each in (300, 800))
        outbox, transports = WebSocketOutbox(), cast(list[Any], [small, large])
        connections.add(outbox, "a")
        for transport in transports:
            Unread(transport, connections).begin()
        assert large.aborted.is_set() and not small.aborted.is_set()
        outbox.put(bytes(800))
        assert outbox.is_overflown and connections.waiting_bytes == 300

    asyncio.run(scenario())


def test_a_body_of_tiny_chunks_leaves_others_their_turn(tmp_path: Path) -> None:
    """Of a read full of chunks of a byte few are taken before somebody else has his answer."""
    chunks = 20_000
    body = HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * chunks + b"0\r\n\r\n"

    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, asyncio.timeout(60):
            host, port = node.address.split(":")
            (chunked, chunking), (reader, writer) = [
                await asyncio.open_connection(host, int(port)) for _ in range(2)
            ]
            chunking.write(body + WHOLE)
            await asyncio.sleep(0)
            writer.write(WHOLE)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            (http,) = (
                each
                for each in node._server.server_state.connections
                if isinstance(each, TimedHttp) and each.waiting_bytes
            )
            assert http.waiting_bytes > len(body) / 2, "he need not wait for all chunks"
            for reason in (b"PARSE_ERROR", b'"seq"'):
                head = await chunked.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                assert reason in await chunked.readexactly(length), "each has its answer, in order"
            for each in (chunking, writer):
                each.close()

    asyncio.run(scenario())


def test_who_is_told_to_go_and_stays_takes_no_more_places_than_he_may_have(tmp_path: Path) -> None:
    """Each of too many WebSockets is told so, and waited for: of those, too, there are few."""
    most = 4

    async def scenario() -> None:
        limits = ConnectionLimits(per_address_max=most)
        async with listed_venue(tmp_path, connections=limits) as node, asyncio.timeout(60):
            host, port = node.address.split(":")
            peers: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
            for _ in range(10 * most):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(HANDSHAKE)
                with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                    await reader.readuntil(b"\r\n\r\n")
                peers.append((reader, writer))
            held = node._server.server_state.connections
            assert most < len(held) <= 2 * most, f"{len(held)} places are taken"
            for _, writer in peers:
                writer.close()
            while held:
                await asyncio.sleep(0.01)
            async with await connect(node.websocket_url) as client:
                assert (await client.get_status()).seq > 0, "and nobody is counted for ever"

    asyncio.run(scenario())
