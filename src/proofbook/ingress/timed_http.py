"""HTTP whose requests must come within a time: who sends a header a minute holds no connection."""

import asyncio
from collections import Counter
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from proofbook.ingress.connections import ConnectionLimits

TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class TimedHttp(H11Protocol):
    """The server's own protocol, with a deadline for headers; a WebSocket leaves it behind.

    The deadline runs from the opening of a connection, or the first byte of a further request, to
    the last header. Between two requests the server's own time for keeping alive runs. An address
    may have no more of these connections than WebSockets.
    """

    limits: ConnectionLimits
    asking: Counter[str]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self._address: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin()
        self._address = self.client[0] if self.client else ""
        self.asking[self._address] += 1
        is_full = len(self.connections) > (self.limit_concurrency or 0)
        if is_full or self.asking[self._address] > self.limits.per_address_max:
            transport.abort()  # an answer would take as long as the other side likes

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._leave()
        super().handle_websocket_upgrade(event)

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and self.conn.their_state is h11.IDLE:
            self._begin()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        self._leave()
        super().connection_lost(exc)

    def _leave(self) -> None:
        """Be counted no more, once."""
        if self._address is None:
            return
        self.asking[self._address] -= 1
        if not self.asking[self._address]:
            del self.asking[self._address]
        self._address = None

    def _begin(self) -> None:
        self._deadline = self.loop.call_later(self.limits.request_seconds_max, self._refuse)

    def _end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self) -> None:
        self._deadline = None
        if self.transport.get_protocol() is self and not self.transport.is_closing():
            self.transport.write(TOO_SLOW)
            self.transport.close()


def timed_http(limits: ConnectionLimits) -> type[TimedHttp]:
    """Return the protocol with the limits of a venue."""
    return type("TimedHttp", (TimedHttp,), {"limits": limits, "asking": Counter[str]()})
