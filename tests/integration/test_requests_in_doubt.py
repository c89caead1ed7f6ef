"""Requests that no two would read alike, or nobody at all: each is refused, and its sender let go.

A proxy that ends a request at another byte than the venue sees another request in a body.
"""

import asyncio
import json
import logging
from pathlib import Path

import pytest
from tests.integration.small_venue import listed_venue
from tests.integration.test_wire import HANDSHAKE, NOT_TEXT, Peer, against_a_venue, framed

from proofbook.api.schema import FRAME_BYTES_MAX
from proofbook.ingress.wire import is_text
from proofbook.node import Node

ASKED = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "get_status"}).encode()
CHUNKS = b"%x\r\n" % len(ASKED) + ASKED + b"\r\n0\r\n\r\n"
LENGTH, CHUNKED = b"content-length: %d\r\n" % len(ASKED), b"transfer-encoding: chunked\r\n"
SMUGGLED = b"GET /health HTTP/1.1\r\nhost: venue\r\n\r\n"
HEADERS_MAX, LINE_BYTES_MAX = 128, 8192
"""What the library takes of a handshake: of more headers, or longer ones, it has an answer."""


def post(headers: bytes, body: bytes, version: bytes = b"1.1") -> bytes:
    head = b"POST /rpc HTTP/" + version + b"\r\nhost: venue\r\n"
    return head + headers + b"\r\n" + body


def handshake(more: bytes, body: bytes = b"") -> bytes:
    return HANDSHAKE[:-2] + more + b"\r\n" + body


IN_DOUBT = {
    "a length, then chunks": (post(LENGTH + CHUNKED, CHUNKS), 400),
    "chunks, then a length": (post(CHUNKED + LENGTH, CHUNKS), 400),
    "a length that hides a request": (post(b"content-length: 0\r\n" + CHUNKED, CHUNKS), 400),
    "chunks before there were any": (post(CHUNKED, CHUNKS, b"1.0"), 400),
    "both before there were any": (post(LENGTH + CHUNKED, CHUNKS, b"1.0"), 400),
    "two lengths": (post(LENGTH + b"content-length: 3\r\n", ASKED), 400),
    "a handshake of many headers": (handshake(b"x: y\r\n" * HEADERS_MAX), 431),
    "a handshake of a long header": (handshake(b"x: " + b"y" * LINE_BYTES_MAX + b"\r\n"), 431),
    "a handshake of a long path": (HANDSHAKE.replace(b"/ws", b"/ws?" + b"y" * LINE_BYTES_MAX), 414),
    "a handshake with a body": (handshake(LENGTH, ASKED), 400),
    "a handshake with chunks": (handshake(CHUNKED, CHUNKS), 400),
}


async def until_its_end(node: Node, sent: bytes) -> bytes:
    """Send some bytes; return all that comes back once the venue has closed the connection."""
    host, port = node.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


def test_a_request_in_doubt_is_refused_and_its_connection_closed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, asyncio.timeout(60):
            for name, (sent, status) in IN_DOUBT.items():
                answer = await until_its_end(node, sent + SMUGGLED)
                assert answer.startswith(b"HTTP/1.1 %d " % status), f"{name}: {answer!r}"
                assert answer.count(b"HTTP/1.1") == 1, f"{name}: what follows is not looked at"
                assert b'"seq"' not in answer, f"{name}: nothing was answered"
            await asyncio.sleep(0)
            assert not node._server.server_state.connections, "nobody is kept"

    asyncio.run(scenario())


def test_what_is_wrong_behind_an_answer_ends_the_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A body that is too long is answered before its end, and what follows in it is no chunk."""
    long = b"%x\r\n" % (FRAME_BYTES_MAX + 1) + b" " * (FRAME_BYTES_MAX + 1) + b"\r\n"

    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, asyncio.timeout(60):
            host, port = node.address.split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(post(CHUNKED, long))
            answered = await reader.readuntil(b"FRAME_TOO_LARGE")
            assert answered.startswith(b"HTTP/1.1 200 ")
            writer.write(b"no chunk\r\n")
            rest = await reader.read()
            assert b"HTTP/1.1" not in rest, "nothing is said twice"
            writer.close()

    asyncio.run(scenario())
    assert [each.message for each in caplog.records if each.exc_info] == []


def test_what_is_no_text_is_told_to_its_sender_and_not_to_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each would be a traceback of fifteen lines, for as many as anybody likes to send."""
    data = b"\xed\xa0\x80"
    assert not is_text(data)

    async def story(peer: Peer) -> None:
        await peer.send(framed(data))
        _, payload = await peer.frame()
        assert payload == NOT_TEXT.to_bytes(2, "big") + b"a text is not UTF-8"

    with caplog.at_level(logging.WARNING):
        against_a_venue(tmp_path, story)
    assert [each.message for each in caplog.records if each.levelno >= logging.ERROR] == []
