"""A connection that has ended is freed at once, however it ended, and waits for no collector."""

import asyncio
import contextlib
import gc
import json
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import msgspec
import pytest
from tests.integration.small_venue import listed_venue, two_traders
from tests.integration.test_wire import HANDSHAKE, Peer, ask, framed
from websockets.frames import Opcode

from proofbook.api.schema import FRAME_BYTES_MAX
from proofbook.node import Node
from proofbook.protocol.commands import CancelAll
from proofbook.protocol.limits import NS_PER_SECOND, Reject

TIMES = 3
LINGER_NOT = struct.pack("ii", 1, 0)
KINDS = {
    *("Wire", "TimedHttp", "Framed", "Flow", "RequestResponseCycle", "ServerProtocol"),
    *("StreamReader", "Session", "WebSocketOutbox", "Reading", "WebSocket"),
    *("Request", "Response", "Headers", "Task"),
}
"""What a connection is made of, by the names of its classes."""

Address = tuple[str, int]
Ending = Callable[[Address], Awaitable[None]]


def posted(body: bytes, headers: bytes = b"") -> bytes:
    head = b"POST /rpc HTTP/1.1\r\nHost: venue\r\n" + headers
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def shaken(address: Address) -> Peer:
    """Return a client that has shaken hands and was answered once."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    peer = Peer(reader, writer)
    await peer.send(framed(ask(1)))
    await peer.answer()
    return peer


def over_websocket(story: Callable[[Peer], Awaitable[object]]) -> Ending:
    async def ending(address: Address) -> None:
        peer = await shaken(address)
        await story(peer)
        peer.writer.close()

    return ending


def over_http(request: bytes) -> Ending:
    """Send a request and read the answer to its end, or leave after a moment."""

    async def ending(address: Address) -> None:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(request)
        try:
            async with asyncio.timeout(0.05):
                await reader.read()
        except TimeoutError:
            pass
        writer.close()

    return ending


async def leave(_: Peer) -> None:
    """Say nothing more."""


async def cut(peer: Peer) -> None:
    """End the connection as a machine does that was switched off and on."""
    connection = peer.writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)


async def say_goodbye(peer: Peer) -> None:
    await peer.send(framed(struct.pack("!H", 1000), Opcode.CLOSE))
    assert (await peer.frame())[0] == Opcode.CLOSE


async def send_no_text(peer: Peer) -> None:
    await peer.send(framed(b"\xff"))
    assert (await peer.frame())[0] == Opcode.CLOSE


async def send_too_much(peer: Peer) -> None:
    with contextlib.suppress(ConnectionError):
        await peer.send(framed(b" " * (FRAME_BYTES_MAX + 1)))


async def leave_half(peer: Peer) -> None:
    await peer.send(framed(ask(2))[:-3])


async def subscribe(peer: Peer) -> None:
    params = {"channels": ["account.1", "book.BTC-PERP"]}
    request = {"jsonrpc": "2.0", "id": 2, "method": "subscribe", "params": params}
    await peer.send(framed(json.dumps(request).encode()))
    await peer.frame()


ENDINGS: dict[str, Ending] = {
    "websocket left": over_websocket(leave),
    "websocket cut": over_websocket(cut),
    "goodbye": over_websocket(say_goodbye),
    "not text": over_websocket(send_no_text),
    "too much": over_websocket(send_too_much),
    "half a frame": over_websocket(leave_half),
    "subscriptions": over_websocket(subscribe),
    "no such websocket": over_http(HANDSHAKE.replace(b"/ws", b"/elsewhere")),
    "handshake without key": over_http(HANDSHAKE.replace(b"Sec-WebSocket-Key", b"X")),
    "handshake that cannot be read": over_http(HANDSHAKE.replace(b"Host:", b"Host\x01:")),
    "handshake and gone": over_http(HANDSHAKE),
    "silent": over_http(b""),
    "half a head": over_http(b"POST /rpc HTTP/1.1\r\nHost: venue\r\nX-Slow: "),
    "half a body": over_http(posted(ask(1))[:-3]),
    "no HTTP": over_http(b"not even close\r\n\r\n"),
    "two lengths": over_http(posted(b"0\r\n\r\n", b"Transfer-Encoding: chunked\r\n")),
    "request": over_http(posted(ask(1))),
    "request and close": over_http(posted(ask(1), b"Connection: close\r\n")),
    "two requests": over_http(posted(ask(1)) + posted(ask(2), b"Connection: close\r\n")),
    "no such page": over_http(b"GET /elsewhere HTTP/1.1\r\nHost: venue\r\n\r\n"),
    "metrics": over_http(b"GET /metrics HTTP/1.1\r\nHost: venue\r\nConnection: close\r\n\r\n"),
}


@contextmanager
def no_collector() -> Generator[None]:
    """Let nothing be freed but what nobody refers to any more."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def alive() -> Counter[str]:
    """Count what connections are made of."""
    names = (type(each).__name__ for each in gc.get_objects())
    return Counter(name for name in names if name in KINDS)


@pytest.mark.parametrize("name", ENDINGS)
def test_nothing_is_left_of_a_connection(name: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            assert not await left_by(ENDINGS[name], node)

    asyncio.run(scenario())


def test_nothing_is_left_of_a_connection_whose_command_its_window_refused(tmp_path: Path) -> None:
    """Of two commands under one nonce, both good when they came, a window takes one."""

    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (_, trader, _):
            nonces = count(trader.head()[1] + 1)

            async def send_two(peer: Peer) -> None:
                nonce, now_ns = next(nonces), node.settings.clock.now_ns()
                frames: list[bytes] = []
                for number in range(2):
                    expires_ns = now_ns + 60 * NS_PER_SECOND + number
                    command = CancelAll(trader.account, nonce, expires_ns)
                    params = trader.signed_params(command, {})
                    request = {"jsonrpc": "2.0", "id": number, "method": "cancel_all"}
                    frames.append(framed(msgspec.json.encode(request | {"params": params})))
                await peer.send(b"".join(frames))
                answers = [json.loads((await peer.frame())[1]) for _ in frames]
                (error,) = (each["error"] for each in answers if "error" in each)
                assert error["data"]["reason"] == Reject.NONCE_USED.name

            assert not await left_by(over_websocket(send_two), node)

    asyncio.run(scenario())


async def left_by(ending: Ending, node: Node) -> dict[str, int]:
    """Return what is left of a few connections that ended alike."""
    host, _, port = node.address.partition(":")
    address = (host, int(port))
    await ending(address)
    await asyncio.sleep(0.1)
    with no_collector():
        before = alive()
        for _ in range(TIMES):
            await ending(address)
        left = Counter[str]()
        for _ in range(100):
            await asyncio.sleep(0.02)
            left = alive() - before
            if not any(number >= TIMES for number in left.values()):
                break
    return {kind: number for kind, number in left.items() if number >= TIMES}
