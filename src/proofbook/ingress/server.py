"""HTTP and WebSocket around the session core: `/rpc`, `/ws`; `/health`, `/ready`, `/metrics`."""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Generator
from typing import Protocol

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from proofbook.api.schema import FRAME_BYTES_MAX
from proofbook.ingress.connections import TooManyConnections, Weigh, ignore, nothing
from proofbook.ingress.health import health_of
from proofbook.ingress.metrics import MEDIA_TYPE
from proofbook.ingress.session import Answering, Session
from proofbook.ingress.timed_http import timed_http
from proofbook.ingress.venue import Venue
from proofbook.ingress.wire import EXTENSION, GOODBYE_SECONDS_MAX, Wire
from proofbook.queries.feeds import NOTICES_KEPT
from proofbook.sequencer.stages import RequestStage, RequestWatch, Stopwatch

OUTBOX_MESSAGES_MIN = 8_192
"""Messages that may wait for a slow reader at least; see `outbox_messages_max`."""
OUTBOX_BYTES_MAX = 64 << 20
"""Bytes that may wait for a slow reader, likewise: those notices, or the books of a large
chain, twice over and more. Notices are the same bytes for all connections."""
OUTBOX_PAUSE_BYTES = 1 << 20
"""With more bytes waiting, a connection is not read further: who asks has to read answers."""
ACTIONS_IN_FLIGHT_MAX = 1_024
"""Signed methods of one connection that may wait for the disk; then it is not read further."""
SIGNED_IN_TURN_MAX = 16
"""Signed methods of one connection that are taken before others have their turn."""
WRITE_BYTES = 256 << 10
"""About how much is written at once."""
CLOSE_TOO_SLOW = CLOSE_TRY_LATER = 1013
HTTP_CONNECTIONS_MAX = 512
"""Connections beside the WebSockets; more are answered 503."""


def outbox_messages_max(notices_max: int) -> int:
    """Return how many messages may wait for a slow reader: a gap would be worse, so it is closed.

    Who resumes account channels gets all notices that are kept at once, and new ones behind them.
    """
    return max(OUTBOX_MESSAGES_MIN, 2 * notices_max)


class Writer(Protocol):
    """What an outbox writes to."""

    @property
    def has_room(self) -> bool: ...

    def write_texts(self, messages: list[bytes]) -> None: ...


class Source(Protocol):
    """What messages come from."""

    def hold(self) -> None: ...

    def listen(self) -> None: ...


class WebSocketOutbox:
    """Replies and notices of one connection, in order, bounded.

    What is put in one turn of the event loop is written at once; with nobody to write to it waits.
    """

    def __init__(self, writer: Writer | None = None, notices_max: int = NOTICES_KEPT) -> None:
        self._writer = writer
        self._messages_max = outbox_messages_max(notices_max)
        self._messages: deque[bytes] = deque()
        self._is_flushing = False
        self.when_room: Callable[[], None] = nothing
        self.broken = asyncio.Event()
        self.waiting_bytes = 0
        self._written_bytes = 0
        self.unanswered = 0
        self.is_overflown = False
        self.dropped = 0
        self.watch: RequestWatch | None = None
        self._on_waiting: Weigh = ignore
        self.fault: BaseException | None = None

    @property
    def is_idle(self) -> bool:
        """Whether everything was answered and sent, or the connection ends unread."""
        return (not self._messages and not self.unanswered) or self.is_overflown

    @property
    def waiting(self) -> int:
        """How many messages wait to be sent."""
        return len(self._messages)

    @property
    def has_room(self) -> bool:
        """Whether the other side has read enough to ask for more."""
        is_read = self.waiting_bytes <= OUTBOX_PAUSE_BYTES
        return is_read and self.unanswered < ACTIONS_IN_FLIGHT_MAX

    def put(self, message: bytes) -> None:
        """Queue a message; past a bound everything is dropped and the connection closes."""
        if self.is_overflown:
            return
        is_full = self.waiting_bytes + len(message) > OUTBOX_BYTES_MAX
        if is_full or len(self._messages) >= self._messages_max:
            self.overflow()
            return
        self._messages.append(message)
        self.waiting_bytes += len(message)
        if self._writer is not None and not self._is_flushing:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self.flush)
        self._on_waiting(len(message))

    def tell(self, on_waiting: Weigh) -> None:
        """Tell from now on how many bytes more wait, or fewer."""
        self._on_waiting = on_waiting

    def overflow(self) -> None:
        """Drop what waits, at once: who does not read may not take the end in either."""
        self.is_overflown = True
        dropped_bytes, self.waiting_bytes = self.waiting_bytes, 0
        self._written_bytes = 0
        self.dropped = len(self._messages)
        self._messages.clear()
        self.broken.set()
        self._on_waiting(-dropped_bytes)

    def answered(self, message: bytes) -> None:
        """Queue the answer of a signed method."""
        self.unanswered -= 1
        self.put(message)

    def takes(self, count: int, size_bytes: int) -> bool:
        """Whether messages can wait behind those that do, and leave half the bounds for others."""
        is_few = len(self._messages) + count <= self._messages_max // 2
        return is_few and self.waiting_bytes + size_bytes <= OUTBOX_BYTES_MAX // 2

    def fail(self, fault: BaseException) -> None:
        """End the connection: an answer could not be made."""
        self.fault = fault
        self.broken.set()

    def flush(self) -> None:
        """Write what waits, as long as there is room.

        What is written and finds no room waits all the same, and is counted until there is some.
        """
        self._is_flushing = False
        while self._writer is not None and self._writer.has_room:
            self._forget_written()
            if not self._messages:
                break
            self._write(self._writer, self._take_some())
        self.when_room()

    def _write(self, writer: Writer, messages: list[bytes]) -> None:
        if self.watch is None:
            writer.write_texts(messages)
            return
        stopwatch = Stopwatch()
        writer.write_texts(messages)
        self.watch(RequestStage.SEND, stopwatch.lap_ns())

    def _take_some(self) -> list[bytes]:
        """Take out some messages for one write."""
        taken: list[bytes] = []
        size = 0
        while self._messages and size < WRITE_BYTES:
            taken.append(self._messages.popleft())
            size += len(taken[-1])
        self._written_bytes += size
        return taken

    def _forget_written(self) -> None:
        """Count what was written no more."""
        written_bytes, self._written_bytes = self._written_bytes, 0
        if written_bytes:
            self.waiting_bytes -= written_bytes
            self._on_waiting(-written_bytes)


class Reading:
    """Messages of one connection on their way to its session, in order.

    Signed methods are taken a few at a time, others one: who sends much must not shut others out.
    """

    def __init__(self, session: Session, outbox: WebSocketOutbox, source: Source) -> None:
        self._session = session
        self._outbox = outbox
        self._source = source
        self._frames: deque[bytes] = deque()
        self._is_due = False
        self._later: set[asyncio.Future[bytes]] = set()
        outbox.when_room = self.go_on

    def take(self, frames: list[bytes]) -> None:
        """Take messages in."""
        self._frames += frames
        self.go_on()

    def go_on(self) -> None:
        """Answer what has come, unless that is to be done soon anyway."""
        if self._frames and not self._is_due:
            self._turn()

    def close(self) -> None:
        """Answer nothing more."""
        self._outbox.when_room = nothing
        self._frames.clear()
        for each in self._later:
            each.cancel()

    def _turn(self) -> None:
        self._is_due = False
        for _ in range(min(len(self._frames), SIGNED_IN_TURN_MAX)):
            if not self._outbox.has_room or not self._answer(self._frames.popleft()):
                break
        if not self._frames:
            self._source.listen()
            return
        self._source.hold()
        if self._outbox.has_room:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _answer(self, frame: bytes) -> bool:
        """Answer one message, now or when it is durable; return whether that took no time."""
        reply = self._session.receive(frame)
        if isinstance(reply, bytes):
            self._outbox.put(reply)
            return False
        self._outbox.unanswered += 1
        if isinstance(reply, Answering):
            reply.tell(self._outbox.answered, self._outbox.fail)
            return True
        later = asyncio.ensure_future(reply)
        self._later.add(later)
        later.add_done_callback(self._take_later)
        return False

    def _take_later(self, later: asyncio.Future[bytes]) -> None:
        self._later.discard(later)
        if later.cancelled():
            return
        fault = later.exception()
        if fault is None:
            self._outbox.answered(later.result())
        else:
            self._outbox.fail(fault)


def application(venue: Venue) -> Starlette:
    """Return the ASGI application of a venue."""

    async def rpc(request: Request) -> Response:
        try:
            async with asyncio.timeout(venue.connections.limits.request_seconds_max):
                body = await read_body(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is left to read it
        except TimeoutError:
            return Response(status_code=408, headers={"connection": "close"})
        session = Session(venue, address="" if request.client is None else request.client.host)
        reply = session.receive(body)
        content = reply if isinstance(reply, bytes) else await reply
        return Response(content, media_type="application/json")

    async def connect(websocket: WebSocket) -> None:
        await websocket.accept()
        await serve_websocket(venue, websocket)

    async def health(_: Request) -> Response:
        seen = health_of(venue)
        return json_response(seen, 200 if seen.is_alive else 503)

    async def ready(_: Request) -> Response:
        seen = health_of(venue)
        return json_response(seen, 200 if seen.is_ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(venue.metrics.text(), media_type=MEDIA_TYPE)

    return Starlette(
        routes=[
            Route("/rpc", rpc, methods=["POST"]),
            Route("/health", health),
            Route("/ready", ready),
            Route("/metrics", metrics),
            WebSocketRoute("/ws", connect),
        ]
    )


def json_response(value: object, status: int) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def read_body(request: Request) -> bytes:
    """Return a body, cut one byte above the limit, so that the session refuses it by name."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FRAME_BYTES_MAX:
            break
    return bytes(body[: FRAME_BYTES_MAX + 1])


async def serve_websocket(venue: Venue, websocket: WebSocket) -> None:
    """Let a session answer one connection until either side ends it."""
    wire: Wire = websocket.scope["extensions"][EXTENSION]
    outbox = WebSocketOutbox(wire, venue.feeds.notices_max)
    outbox.watch = venue.metrics.watch
    try:
        venue.connections.add(outbox, "" if websocket.client is None else websocket.client.host)
    except TooManyConnections as fault:
        await websocket.close(CLOSE_TRY_LATER, str(fault))
        return
    session = Session(venue, outbox)
    reading = Reading(session, outbox, wire)
    wire.attach(reading.take, outbox.flush)
    try:
        await until_ended(websocket, outbox, wire)
    finally:
        wire.detach()
        reading.close()
        session.close()
        venue.connections.remove(outbox)


async def until_ended(websocket: WebSocket, outbox: WebSocketOutbox, wire: Wire) -> None:
    """Wait until the other side leaves; close the connection of one that does not read."""
    left = asyncio.ensure_future(websocket.receive())
    broken = asyncio.ensure_future(outbox.broken.wait())
    try:
        await asyncio.wait({left, broken}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (left, broken):
            task.cancel()
        await asyncio.gather(left, broken, return_exceptions=True)
    if outbox.fault is not None:
        raise outbox.fault
    if outbox.is_overflown:
        reason = f"{outbox.dropped} messages wait: read faster"
        # Who is frozen never takes the goodbye, and what he left to be cancelled must not wait.
        with contextlib.suppress(WebSocketDisconnect):
            try:
                async with asyncio.timeout(GOODBYE_SECONDS_MAX):
                    await websocket.close(CLOSE_TOO_SLOW, reason)
            except TimeoutError:
                wire.transport.abort()  # what was written to him is given back, too


class Server(uvicorn.Server):
    """A server that leaves signals to whoever runs the node."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 takes a free one."""
    bound = socket.create_server((host, port), backlog=1024)
    bound.setblocking(False)
    return bound


def make_server(venue: Venue) -> Server:
    """Return a server for `serve(sockets=[...])`."""
    config = uvicorn.Config(
        application(venue),
        http=timed_http(venue.connections),
        ws=Wire,
        ws_max_size=FRAME_BYTES_MAX,
        # Some 80 bytes would unfold to a whole frame, and a read of the socket holds thousands.
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
        limit_concurrency=venue.connections.limits.connections_max + HTTP_CONNECTIONS_MAX,
    )
    return Server(config)
