"""HTTP whose requests must come within a time: who sends a header a minute holds no connection."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Any

import h11
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

from proofbook.ingress.connections import ConnectionLimits, Connections, Unread, nothing
from proofbook.ingress.wire import Wire

TURN_BYTES = 2_048
"""Bytes of a connection that are taken before others have their turn: a body may come in chunks of
a byte, each of which costs as much as a header."""
UNREAD_BYTES_MAX = 4_096
"""Of an answer that nobody reads, what may stay with the venue and be counted nowhere."""
LINGERING_FACTOR = 2
"""How many times its WebSockets an address may have, with those that were told to go and stay."""
LENGTH, CHUNKED = b"content-length", b"transfer-encoding"
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Framed(h11.Connection):
    """Requests that everybody ends at the same byte: a proxy must not see another one in a body."""

    def next_event(self) -> Any:
        """Return what comes next. Raises h11.RemoteProtocolError, for a body of two lengths too."""
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            # Where it was raised it is a name too: it would refer to itself, and to all of this.
            raise error.with_traceback(None) from None
        if isinstance(event, h11.Request):
            names = {name for name, _ in event.headers}
            if CHUNKED in names and (LENGTH in names or event.http_version < b"1.1"):
                raise h11.RemoteProtocolError("a body in chunks has no other length")
        return event


class TimedHttp(H11Protocol):
    """The server's own protocol, with a deadline for headers; a WebSocket leaves it behind.

    The deadline runs from the opening of a connection, or the first byte of a further request, to
    the last header. Between two requests the server's own time for keeping alive runs, and while
    an answer is not read, one of its own. An address may have no more of these connections than
    WebSockets.
    """

    counted: Connections
    limits: ConnectionLimits
    asking: Counter[str]
    upgraded: Counter[str]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.conn = Framed(h11.SERVER)
        self._deadline: asyncio.TimerHandle | None = None
        self._address: str | None = None
        self._pieces: deque[bytes] = deque()
        self._is_due = False
        self._is_paused = False

    @property
    def waiting_bytes(self) -> int:
        """How much has come and was not looked at."""
        return sum(map(len, self._pieces))

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Flow(transport, self._take_soon)
        self._unread = Unread(transport, self.counted)
        transport.set_write_buffer_limits(UNREAD_BYTES_MAX, 0)
        self._begin()
        self._address = self.client[0] if self.client else ""
        self.asking[self._address] += 1
        is_full = len(self.connections) > (self.limit_concurrency or 0)
        if is_full or self.asking[self._address] > self.limits.per_address_max:
            transport.abort()  # an answer would take as long as the other side likes

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        address = self._address or ""
        self._leave()
        is_full = self.upgraded[address] >= LINGERING_FACTOR * self.limits.per_address_max
        if is_full or self._unread.waiting_bytes:
            self.transport.abort()  # nobody waits for his goodbye, or for him to read
            return
        self.transport.set_write_buffer_limits()
        self.upgraded[address] += 1
        super().handle_websocket_upgrade(event)
        wire = self.transport.get_protocol()
        assert isinstance(wire, Wire), "nothing else is upgraded to"
        wire.when_lost = partial(count_out, self.upgraded, address)
        self._let_go()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, unless its beginning was answered already."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and self.conn.their_state is h11.IDLE:
            self._begin()
        self._is_paused &= not self._pieces  # else the server has begun to read again
        self._pieces.extend(data[at : at + TURN_BYTES] for at in range(0, len(data), TURN_BYTES))
        if self._is_due:
            self._pause(True)
        else:
            self._take()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread.begin()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread.end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unread.end()
        self._end()
        self._leave()
        self._pieces.clear()
        super().connection_lost(exc)
        self._let_go()

    def _take(self) -> None:
        """Take a piece of what has come, unless requests before it are to be answered first."""
        self._is_due = False
        if self._pieces and not self.flow.read_paused and not self.transport.is_closing():
            super().data_received(self._pieces.popleft())
            if self.conn.their_state is not h11.IDLE:
                self._end()
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            self._pieces.clear()
        self._pause(bool(self._pieces))
        if self._pieces:
            self._take_soon()

    def _take_soon(self) -> None:
        if self._pieces and not self._is_due and not self.flow.read_paused:
            self._is_due = True
            self.loop.call_soon(self._take)

    def _pause(self, is_paused: bool) -> None:
        """Read nothing more while something waits; the server itself may wait for an answer."""
        if is_paused != self._is_paused and not self.transport.is_closing():
            self._is_paused = is_paused
            if is_paused:
                self.transport.pause_reading()
            elif not self.flow.read_paused:
                self.transport.resume_reading()

    def _leave(self) -> None:
        """Be counted no more, once."""
        if self._address is None:
            return
        count_out(self.asking, self._address)
        self._address = None

    def _let_go(self) -> None:
        """Let go of what refers back to here, so that it is freed at once: see `Wire`."""
        assert isinstance(self.flow, Flow), "made with the connection"
        self.flow.forget()
        self.cycle = None  # type: ignore[assignment]

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


class Flow(FlowControl):
    """The server's own, which tells when a connection is to be read again."""

    def __init__(self, transport: asyncio.Transport, on_reading: Callable[[], None]) -> None:
        super().__init__(transport)
        self._on_reading = on_reading

    def resume_reading(self) -> None:
        super().resume_reading()
        self._on_reading()

    def forget(self) -> None:
        """Tell nobody more."""
        self._on_reading = nothing


def timed_http(connections: Connections) -> type[TimedHttp]:
    """Return the protocol with the limits of a venue."""
    counts = {"asking": Counter[str](), "upgraded": Counter[str]()}
    venues = {"counted": connections, "limits": connections.limits}
    return type("TimedHttp", (TimedHttp,), venues | counts)


def count_out(counts: Counter[str], address: str) -> None:
    """Count one less; of an address that has none, nothing is kept."""
    counts[address] -= 1
    if not counts[address]:
        del counts[address]
