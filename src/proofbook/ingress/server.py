"""HTTP and WebSocket around the session core: `/rpc`, `/ws`; `/health`, `/ready`, `/metrics`."""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Awaitable, Generator

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from proofbook.api.schema import FRAME_BYTES_MAX
from proofbook.ingress.connections import TooManyConnections, Weigh, ignore
from proofbook.ingress.health import health_of
from proofbook.ingress.metrics import MEDIA_TYPE
from proofbook.ingress.session import Session
from proofbook.ingress.timed_http import timed_http
from proofbook.ingress.venue import Venue

OUTBOX_MESSAGES_MAX = 8_192
"""Messages that may wait for a slow reader; then its connection is closed: a gap would be worse."""
OUTBOX_BYTES_MAX = 32 << 20
"""Bytes that may wait for a slow reader, likewise: the books of a large chain, twice over."""
OUTBOX_PAUSE_BYTES = 1 << 20
"""With more bytes waiting, a connection is not read further: who asks has to read answers."""
ACTIONS_IN_FLIGHT_MAX = 1_024
"""Signed methods of one connection that may wait for the disk; then it is not read further."""
CLOSE_TOO_SLOW = CLOSE_TRY_LATER = 1013
HTTP_CONNECTIONS_MAX = 512
"""Connections beside the WebSockets; more are answered 503."""
CLOSE_TOO_BIG = 1009


class WebSocketOutbox:
    """Replies and notices of one connection, in order, bounded."""

    def __init__(self) -> None:
        self._messages: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._is_sending = False
        self.waiting_bytes = 0
        self.unanswered = 0
        self.is_overflown = False
        self._dropped = 0
        self._on_waiting: Weigh = ignore

    @property
    def is_idle(self) -> bool:
        """Whether everything was answered and sent, or the connection ends unread."""
        is_empty = not self._messages and not self._is_sending and not self.unanswered
        return is_empty or self.is_overflown

    @property
    def waiting(self) -> int:
        """How many messages wait to be sent."""
        return len(self._messages)

    def put(self, message: bytes) -> None:
        """Queue a message; past a bound everything is dropped and the connection closes."""
        if self.is_overflown:
            return
        is_full = self.waiting_bytes + len(message) > OUTBOX_BYTES_MAX
        if is_full or len(self._messages) >= OUTBOX_MESSAGES_MAX:
            self.overflow()
            return
        self._messages.append(message)
        self.waiting_bytes += len(message)
        if self.waiting_bytes > OUTBOX_PAUSE_BYTES:
            self._room.clear()
        self._wake.set()
        self._on_waiting(len(message))

    def tell(self, on_waiting: Weigh) -> None:
        """Tell from now on how many bytes more wait, or fewer."""
        self._on_waiting = on_waiting

    def overflow(self) -> None:
        """Drop what waits, at once: who does not read may not take the end in either."""
        self.is_overflown = True
        dropped_bytes, self.waiting_bytes = self.waiting_bytes, 0
        self._dropped = len(self._messages)
        self._messages.clear()
        self._room.set()
        self._wake.set()
        self._on_waiting(-dropped_bytes)

    async def until_room(self) -> None:
        """Wait until the other side has read enough to ask for more."""
        await self._room.wait()

    async def send_to(self, websocket: WebSocket) -> None:
        """Send what is queued until the queue overflows."""
        while not self.is_overflown:
            self._wake.clear()
            while self._messages and not self.is_overflown:
                self._is_sending = True
                await websocket.send_text(self._take().decode())
                self._is_sending = False
            if not self.is_overflown:
                await self._wake.wait()
        await websocket.close(CLOSE_TOO_SLOW, f"{self._dropped} messages wait: read faster")

    def _take(self) -> bytes:
        message = self._messages.popleft()
        self.waiting_bytes -= len(message)
        self._on_waiting(-len(message))
        if self.waiting_bytes <= OUTBOX_PAUSE_BYTES:
            self._room.set()
        return message


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
    """Read one connection until it ends; a writer sends beside it."""
    outbox = WebSocketOutbox()
    try:
        venue.connections.add(outbox, "" if websocket.client is None else websocket.client.host)
    except TooManyConnections as fault:
        await websocket.close(CLOSE_TRY_LATER, str(fault))
        return
    session = Session(venue, outbox)
    reader = asyncio.ensure_future(read_frames(session, outbox, websocket))
    writer = asyncio.ensure_future(outbox.send_to(websocket))
    try:
        done, _ = await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            with contextlib.suppress(WebSocketDisconnect):
                task.result()
    finally:
        session.close()
        venue.connections.remove(outbox)
        for task in (reader, writer):
            task.cancel()
        await asyncio.gather(reader, writer, return_exceptions=True)


async def read_frames(session: Session, outbox: WebSocketOutbox, websocket: WebSocket) -> None:
    """Feed frames to the session in order; signed methods are answered when they are durable."""
    room = asyncio.Semaphore(ACTIONS_IN_FLIGHT_MAX)
    async with asyncio.TaskGroup() as in_flight:
        while True:
            await outbox.until_room()
            await asyncio.sleep(0)  # frames that wait already must not shut others out
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            frame = message.get("bytes") or (message.get("text") or "").encode()
            reply = session.receive(frame)
            if isinstance(reply, bytes):
                outbox.put(reply)
            else:
                await room.acquire()
                outbox.unanswered += 1
                in_flight.create_task(_finish(reply, outbox, room))


async def _finish(
    reply: Awaitable[bytes], outbox: WebSocketOutbox, room: asyncio.Semaphore
) -> None:
    try:
        outbox.put(await reply)
    finally:
        outbox.unanswered -= 1
        room.release()


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
        http=timed_http(venue.connections.limits),
        ws="websockets-sansio",
        ws_max_size=FRAME_BYTES_MAX,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
        limit_concurrency=venue.connections.limits.connections_max + HTTP_CONNECTIONS_MAX,
    )
    return Server(config)
