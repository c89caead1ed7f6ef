"""A WebSocket's frames: in pieces, in fragments, between controls, wrong ones; and answers."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integration.small_venue import listed_venue
from websockets.frames import Frame, Opcode

from proofbook.api.schema import FRAME_BYTES_MAX
from proofbook.ingress.server import Reading
from proofbook.ingress.wire import (
    FRAGMENTS_MAX,
    MESSAGES_TURN_MAX,
    NOT_WANTED,
    Wire,
    frame_head,
    is_text,
    text_head,
)

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: venue\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TOO_BIG, PROTOCOL_ERROR, NOT_TEXT, RESTARTING = 1009, 1002, 1007, 1012


def ask(identifier: int, filling: int = 0) -> bytes:
    """A request for the status, as long as one likes."""
    request = {"jsonrpc": "2.0", "id": identifier, "method": "get_status", "params": {}}
    return json.dumps(request).encode() + b" " * filling


def framed(
    payload: bytes, opcode: Opcode = Opcode.TEXT, fin: bool = True, mask: bool = True
) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=mask)


class Peer:
    """A client of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *pieces: bytes) -> None:
        """Send pieces, each by itself."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0.002)

    async def frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame."""
        head = await self.reader.readexactly(2)
        length = head[1]
        if length in (126, 127):
            length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8), "big")
        return head[0] & 15, await self.reader.readexactly(length)

    async def answer(self) -> int:
        """Return the identifier of the next reply."""
        opcode, payload = await self.frame()
        assert opcode == Opcode.TEXT, payload
        return json.loads(payload)["id"]


def against_a_venue(folder: Path, story: Callable[[Peer], Awaitable[None]]) -> None:
    """Let a client that has shaken hands tell its story."""

    async def scenario() -> None:
        async with listed_venue(folder) as node:
            host, _, port = node.address.partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(HANDSHAKE)
            await reader.readuntil(b"\r\n\r\n")
            try:
                async with asyncio.timeout(20):
                    await story(Peer(reader, writer))
            finally:
                writer.close()

    asyncio.run(scenario())


def test_frames_are_taken_wherever_they_are_cut(tmp_path: Path) -> None:
    """Short, longer than 125 bytes, and as long as may be; binary ones too."""
    frames = [
        framed(ask(1)), framed(ask(2, 200)), framed(ask(3, FRAME_BYTES_MAX - len(ask(3)))),
        framed(ask(4), Opcode.BINARY), framed(ask(5)),
    ]  # fmt: skip
    data = b"".join(frames)
    starts = [sum(map(len, frames[:place])) for place in range(len(frames))]
    cuts = sorted({0, len(data), *(start + n for start in starts for n in (1, 2, 3, 5, 9, 20))})

    async def story(peer: Peer) -> None:
        await peer.send(*(data[a:b] for a, b in pairwise(cuts)))
        assert [await peer.answer() for _ in frames] == [1, 2, 3, 4, 5]
        await peer.send(data)
        assert [await peer.answer() for _ in frames] == [1, 2, 3, 4, 5], "all at once"

    against_a_venue(tmp_path, story)


def test_fragments_and_pings_are_the_librarys(tmp_path: Path) -> None:
    """A message in fragments, a ping between them, ordinary frames before and after."""
    request = ask(2)
    pieces = (
        framed(ask(1)),
        framed(request[:10], fin=False),
        framed(b"are you there", Opcode.PING),
        framed(request[10:], Opcode.CONT),
        framed(ask(3)),
    )

    async def story(peer: Peer) -> None:
        for sent in (pieces, (b"".join(pieces),)):
            await peer.send(*sent)
            frames = [await peer.frame() for _ in range(4)]
            pongs = [payload for opcode, payload in frames if opcode == Opcode.PONG]
            assert pongs == [b"are you there"]
            texts = [payload for opcode, payload in frames if opcode == Opcode.TEXT]
            assert [json.loads(text)["id"] for text in texts] == [1, 2, 3]

    against_a_venue(tmp_path, story)


WRONG = {
    "not masked": (framed(ask(2), mask=False), PROTOCOL_ERROR),
    "a bit that nobody agreed on": (bytes((framed(ask(2))[0] | 64,)) + framed(ask(2))[1:], 1002),
    "a new message within fragments": (framed(b"{", fin=False) + framed(ask(2)), PROTOCOL_ERROR),
    "no text": (framed(b"\xff\xfe"), NOT_TEXT),
    "no text, in fragments": (framed(b"\xff", fin=False) + framed(b"", Opcode.CONT), NOT_TEXT),
    "too long": (framed(b" " * (FRAME_BYTES_MAX + 1))[:14], TOO_BIG),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_frames_end_the_connection_with_their_code(name: str, tmp_path: Path) -> None:
    data, code = WRONG[name]

    async def story(peer: Peer) -> None:
        await peer.send(framed(ask(1)) + data + (b"" if code == TOO_BIG else framed(ask(9))))
        frames = [await peer.frame()]
        while frames[-1][0] != Opcode.CLOSE:
            frames.append(await peer.frame())
        assert int.from_bytes(frames[-1][1][:2], "big") == code
        ids = [json.loads(text)["id"] for opcode, text in frames if opcode == Opcode.TEXT]
        assert ids in ([], [1]), "what comes after is not heard"

    against_a_venue(tmp_path, story)


PINGS = 10_000
UNREAD_BYTES = 32 << 20


def test_who_sends_only_pings_leaves_others_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a read full of pings few are taken before somebody else has his answer."""
    taken: list[int] = []
    answer_ping = Wire.handle_ping

    def handle_ping(wire: Wire) -> None:
        taken.append(len(taken))
        answer_ping(wire)

    monkeypatch.setattr(Wire, "handle_ping", handle_ping)

    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, asyncio.timeout(60):
            host, _, port = node.address.partition(":")
            peers: list[Peer] = []
            for _ in range(2):
                peers.append(Peer(*await asyncio.open_connection(host, int(port))))
                peers[-1].writer.write(HANDSHAKE)
                await peers[-1].reader.readuntil(b"\r\n\r\n")
            pinging, asking = peers
            pinging.writer.write(framed(b"", Opcode.PING) * PINGS)
            while not taken:
                await asyncio.sleep(0)
            asking.writer.write(framed(ask(1)))
            assert await asking.answer() == 1
            assert len(taken) < PINGS / 2, "he need not wait for all pings"
            for _ in range(PINGS):
                assert (await pinging.frame())[0] == Opcode.PONG, "which are all answered"
            for peer in peers:
                peer.writer.close()

    asyncio.run(scenario())


def test_pings_whose_answers_are_not_read_are_not_taken(tmp_path: Path) -> None:
    async def story(peer: Peer) -> None:
        pings = framed(b"." * 125, Opcode.PING) * 1_000
        for _ in range(UNREAD_BYTES // len(pings)):
            peer.writer.write(pings)
            try:
                await asyncio.wait_for(peer.writer.drain(), 1)
            except TimeoutError:
                peer.writer.transport.abort()
                return
        raise AssertionError("the venue holds the answers to all pings")

    against_a_venue(tmp_path, story)


def test_of_many_small_messages_few_are_taken_before_they_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken off a read of the socket, messages of a few bytes are many times as large."""
    count, waiting = 5 * MESSAGES_TURN_MAX, list[int]()
    take = Reading.take

    def watched_take(reading: Reading, frames: list[bytes]) -> None:
        waiting.append(len(reading._frames) + len(frames))
        take(reading, frames)

    monkeypatch.setattr(Reading, "take", watched_take)

    async def story(peer: Peer) -> None:
        small = (framed(b'{"jsonrpc":"2.0","id":%d,"method":"x"}' % n) for n in range(count))
        peer.writer.write(b"".join(small))
        assert [await peer.answer() for _ in range(count)] == list(range(count)), "in order"
        assert max(waiting) <= MESSAGES_TURN_MAX

    against_a_venue(tmp_path, story)


def test_a_message_has_few_fragments_however_empty(tmp_path: Path) -> None:
    async def story(peer: Peer) -> None:
        empty = framed(b"", Opcode.CONT, fin=False)
        pieces = framed(b"", fin=False) + empty * (FRAGMENTS_MAX - 1)
        await peer.send(pieces + empty)
        opcode, payload = await peer.frame()
        assert (opcode, int.from_bytes(payload[:2], "big")) == (Opcode.CLOSE, NOT_WANTED)

    against_a_venue(tmp_path, story)


def test_no_frame_unfolds_to_more_than_it_has(tmp_path: Path) -> None:
    """Compression is not agreed on: a read of the socket would unfold to some hundred MB."""
    asked = HANDSHAKE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"

    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            host, _, port = node.address.partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(asked)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 101 ") and b"extensions" not in answer.lower()
            writer.close()

    asyncio.run(scenario())


def test_a_goodbye_is_returned(tmp_path: Path) -> None:
    async def story(peer: Peer) -> None:
        await peer.send(framed(ask(1)) + framed((1000).to_bytes(2, "big"), Opcode.CLOSE))
        opcode, payload = await peer.frame()
        assert (opcode, payload) == (Opcode.CLOSE, (1000).to_bytes(2, "big"))
        assert await peer.reader.read() == b"", "nothing comes after"

    against_a_venue(tmp_path, story)


def test_who_still_writes_when_a_venue_closes_gets_what_it_was_answered(tmp_path: Path) -> None:
    """A slow reader's last answers are not taken back, and what it asks after them is not heard."""
    asked = range(1, 200)

    async def scenario() -> None:
        async with contextlib.AsyncExitStack() as venue:
            node = await venue.enter_async_context(listed_venue(tmp_path))
            host, _, port = node.address.partition(":")
            reader, writer = await asyncio.open_connection(host, int(port), limit=1_024)
            writer.write(HANDSHAKE)
            await reader.readuntil(b"\r\n\r\n")
            peer = Peer(reader, writer)
            await peer.send(b"".join(framed(ask(number)) for number in asked))
            await asyncio.sleep(0.3)
            closing = asyncio.create_task(venue.aclose())
            await asyncio.sleep(0.3)
            await peer.send(framed(ask(1_000)), framed(ask(1_001)), framed(ask(1_002)))
            assert [await peer.answer() for _ in asked] == list(asked)
            opcode, payload = await peer.frame()
            assert (opcode, payload[:2]) == (Opcode.CLOSE, RESTARTING.to_bytes(2, "big"))
            await peer.send(framed(payload, Opcode.CLOSE))
            writer.close()
            await closing

    asyncio.run(asyncio.wait_for(scenario(), 20))


@given(st.sampled_from([0, 1, 125, 126, 65_535, 65_536]), st.booleans(), st.binary(max_size=9))
def test_heads_are_read_as_the_library_writes_them(length: int, mask: bool, before: bytes) -> None:
    data = before + framed(bytes(length), mask=mask)
    head = frame_head(data, len(before))
    assert head is not None
    begin, end, is_ordinary = head
    assert end == len(data) and end - begin == length
    assert is_ordinary == (mask and length < 65_536)
    if not mask:
        assert data[len(before) : begin] == text_head(length)


@settings(max_examples=50)
@given(st.binary(max_size=12))
def test_text_is_what_can_be_decoded(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        assert not is_text(data)
    else:
        assert is_text(data)
