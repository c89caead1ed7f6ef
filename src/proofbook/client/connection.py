"""One WebSocket: requests answered by number, notices by channel."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Literal

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from proofbook.api.errors import ApiError
from proofbook.api.schema import Error
from proofbook.client.errors import ConnectionLost

MESSAGE_BYTES_MAX = 16 << 20
"""Bytes of one answer: the list of some ten thousand instruments."""
NOTICES_MAX = 65_536
"""Notices that may wait for a slow reader of `notices`; then the connection is closed."""


class Message(msgspec.Struct, frozen=True):
    """Anything that the venue sends: a reply or a notice."""

    id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Error | None = None
    method: Literal["subscription"] | None = None
    params: "NoticeHead | None" = None


class NoticeHead(msgspec.Struct, frozen=True):
    channel: str
    data: msgspec.Raw


class Refusal(Exception):
    """An error reply, before the caller says what it means."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error
        self.is_repeated = False


_decode_message = msgspec.json.Decoder(Message).decode


class Connection:
    """A connection that is read by one task."""

    def __init__(self, url: str, websocket: ClientConnection) -> None:
        self.url = url
        self._websocket = websocket
        self._replies: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._notices: asyncio.Queue[NoticeHead | None] = asyncio.Queue(NOTICES_MAX)
        self._next_identifier = 1
        self._fault: ConnectionLost | None = None
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, url: str) -> "Connection":
        """Connect. Raises ConnectionLost."""
        try:
            websocket = await connect_websocket(
                url, max_size=MESSAGE_BYTES_MAX, compression=None, max_queue=1024
            )
        except (OSError, TimeoutError, ValueError, InvalidHandshake, InvalidURI) as fault:
            raise ConnectionLost(url, str(fault)) from None
        return cls(url, websocket)

    async def close(self) -> None:
        """Close the connection; what is in flight gets ConnectionLost."""
        await self._websocket.close()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def request(self, method: str, params: dict[str, Any]) -> msgspec.Raw:
        """Return the result of a method. Raises Refusal, ConnectionLost."""
        if self._fault is not None:
            raise self._fault
        identifier = self._next_identifier
        self._next_identifier += 1
        reply: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._replies[identifier] = reply
        request = {"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}
        # A write to a closed connection is answered by the reader, which fails every open reply.
        with contextlib.suppress(ConnectionClosed):
            await self._websocket.send(msgspec.json.encode(request).decode())
        return await reply

    async def notices(self) -> AsyncIterator[NoticeHead]:
        """Yield notices until the connection ends; then raise ConnectionLost."""
        while True:
            notice = await self._notices.get()
            if notice is None:
                assert self._fault is not None, "the end of the notices says why"
                raise self._fault
            yield notice

    def tell(self, notice: NoticeHead) -> None:
        """Put a notice of our own behind those that have come; a full queue ends the connection."""
        try:
            self._notices.put_nowait(notice)
        except asyncio.QueueFull:
            self._reader.cancel()

    async def _read(self) -> None:
        cause = "closed"
        try:
            async for frame in self._websocket:
                self._take(_decode_message(frame))
        except ConnectionClosed as fault:
            cause = str(fault)
        except asyncio.QueueFull:
            cause = f"{NOTICES_MAX} notices waited to be read"
        except (msgspec.DecodeError, RecursionError) as fault:
            cause = f"what answers there is no venue: {fault}"
        finally:
            self._end(cause)

    def _take(self, message: Message) -> None:
        if message.params is not None:
            self._notices.put_nowait(message.params)
            return
        reply = None if message.id is None else self._replies.pop(message.id, None)
        if reply is None or reply.done():
            return
        if message.error is not None:
            reply.set_exception(Refusal(message.error))
        else:
            reply.set_result(message.result)

    def _end(self, cause: str) -> None:
        self._fault = ConnectionLost(self.url, cause)
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(self._fault)
        self._replies.clear()
        if self._notices.full():
            self._notices.get_nowait()
        self._notices.put_nowait(None)


def api_error(error: Error) -> ApiError:
    """Return an error reply without a receipt as an exception."""
    data = error.data
    operands = data.value, data.limit, data.retry_after_ms
    return ApiError(error.code, data.reason, error.message, *operands)
