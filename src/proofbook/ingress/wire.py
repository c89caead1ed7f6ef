"""A WebSocket whose ordinary frames skip what the library does for all others.

A frame that is whole, masked, final, not compressed and not long is taken off the bytes in a few
lines here; the library, which does the handshake, gets every other: controls, fragments, long and
wrong ones. It always gets whole frames from their beginning, so both agree on where one begins.
"""

from asyncio import Task, TimerHandle
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import apply_mask  # type: ignore[attr-defined]
from websockets.protocol import OPEN

from proofbook.ingress.connections import nothing

EXTENSION = "proofbook.wire"
FINAL_TEXT, FINAL_BINARY = 0x81, 0x82
MASKED = 0x80
LENGTH_BITS = 0x7F
LENGTH_16, LENGTH_64 = 126, 127
HEAD_BYTES, MASK_BYTES = 2, 4
LENGTH_16_MAX = 0xFFFF
RESTARTING = 1012
NOT_WANTED = 1008
NOT_TEXT = 1007
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
LIBRARY_TURN_MAX = 4
"""Frames that the library takes of a connection before others have their turn: a ping costs the
venue as much as a question, and its sender nothing."""
MESSAGES_TURN_MAX = 1_024
"""Messages that are taken off what has come before they are answered: a read of the socket may hold
tens of thousands of empty ones, and each takes several times its bytes."""
FRAGMENTS_MAX = 4_096
"""Fragments of a message. The library counts their bytes, and empty ones have none."""
GOODBYE_SECONDS_MAX = 1.0
"""So long the other side may take to read what was written before the goodbye, and to return it."""
LINGER_SECONDS_MAX = 10.0
"""So long a connection that nobody attends to any more may take to be closed."""

Taker = Callable[[list[bytes]], None]
"""Takes messages that have come, in order."""


class Wire(WebSocketsSansIOProtocol):
    """One connection. Until somebody attaches to it, it is the library's."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._taker: Taker | None = None
        self._on_room: Callable[[], None] = nothing
        self.when_lost: Callable[[], None] = nothing
        self._held = b""
        self._start = 0
        self._left_bytes = 0
        self._taken: list[bytes] = []
        self._is_held = False
        self._is_behind = False
        self._is_due = False
        self._is_paused = False
        self._is_attended = False
        self._extensions: dict[str, Any] = {}
        self._ending: TimerHandle | None = None

    def attach(self, taker: Taker, on_room: Callable[[], None]) -> None:
        """Give messages to `taker`, those that have come too; tell when there is room to write."""
        self._taker, self._on_room = taker, on_room
        self.data_received(b"")

    def detach(self) -> None:
        """Give nothing more; what comes is the library's, which waits for the other's goodbye."""
        self._taker, self._on_room = None, nothing
        self.listen()
        if not self.disconnected:
            self._end_within(LINGER_SECONDS_MAX)

    @property
    def has_room(self) -> bool:
        """Whether the other side has read enough to be written to."""
        return self.writable.is_set()

    def hold(self) -> None:
        """Read nothing more for now."""
        self._is_held = True
        self._pause()

    def listen(self) -> None:
        """Read again, once what has come is taken."""
        self._is_held = False
        self._pause()
        self._take_soon()

    def write_texts(self, messages: list[bytes]) -> None:
        """Send messages of text at once; nothing after the goodbye."""
        if self.close_sent or self.disconnected or self.conn.state is not OPEN:
            return
        pieces: list[bytes] = []
        for message in messages:
            pieces += [text_head(len(message)), message]
        self.transport.write(b"".join(pieces))

    # What the library calls

    def shutdown(self) -> None:
        """Say goodbye, and close when the other side has.

        Closed at once, a socket with something left to read takes back what the other side has not
        read yet: the last answers.
        """
        if not self.handshake_complete or self.close_sent or self.conn.state is not OPEN:
            super().shutdown()
            return
        self.stop_keepalive()
        self.listen()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": RESTARTING})
        self.conn.send_close(RESTARTING)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(GOODBYE_SECONDS_MAX, self.transport.close)

    def keepalive_timeout(self) -> None:
        """Give up who has not answered a ping: who is frozen does not read the goodbye either."""
        super().keepalive_timeout()
        self._end_within(GOODBYE_SECONDS_MAX)

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.handshake_initiated and not self.handshake_complete:
            self._extensions = cast("dict[str, Any]", self.scope)["extensions"]
            self._extensions[EXTENSION] = self
            self._is_attended = True

    def data_received(self, data: bytes) -> None:
        """Take the frames of some bytes, whoever they are for."""
        if not self.handshake_complete:
            if self.handshake_initiated:
                self._held += data  # frames that did not wait for the handshake's answer
            else:
                super().data_received(data)
                self._expect_handshake()
            return
        self._held = self._held[self._start :] + data if self._held else data
        self._start = 0
        if not self._is_behind:
            self._take()

    def handle_cont(self, event: Any) -> None:
        """Take a fragment; of too many none is kept."""
        if len(self.frames) >= FRAGMENTS_MAX:
            self.frames = []
            self.conn.fail(NOT_WANTED, f"more than {FRAGMENTS_MAX} fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Take a message that the library has put together."""
        data = b"".join(self.frames)
        if self.curr_msg_data_type == "text" and not is_text(data) and not self.close_sent:
            self.frames = []
            self.conn.fail(NOT_TEXT, "a text is not UTF-8")
            self.handle_parser_exception()
            return
        if self._taker is None or self.close_sent:
            super().send_receive_event_to_app()
            return
        self.frames = []
        self._taken.append(data)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._on_room()
        self._take_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._taker, self._on_room, self._held = None, nothing, b""
        self.when_lost()
        if self._ending is not None:
            self._ending.cancel()
        self._let_go()

    def on_task_complete(self, task: Task[None]) -> None:
        super().on_task_complete(task)
        self._is_attended = False
        self._let_go()

    def _let_go(self) -> None:
        """Let go of all that refers back to here, once the connection and who attends to it ended.

        What refers to itself is freed by Python's collector alone, and that comes seldom: a flood
        of connections, ended long since, would stay in memory until then.
        """
        if not self.disconnected or self._is_attended:
            return
        self._extensions.clear()
        self.conn.parser.close()
        for error in (self.conn.handshake_exc, self.conn.parser_exc):
            forget_where(error)

    def _expect_handshake(self) -> None:
        """Refuse a request that the library cannot read: its whole head has come at once.

        The library has an answer for some of them, and does not send it.
        """
        if self.handshake_initiated:
            return
        self.handshake_complete = self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()) or BAD_REQUEST)
        self.transport.close()

    def _end_within(self, seconds: float) -> None:
        """End the connection by then, whether what was written is read or not."""
        if self._ending is None:
            self._ending = self.loop.call_later(seconds, self.transport.abort)

    def _take(self) -> None:
        """Take what has come, and read on once there is nothing left but a part of a frame."""
        was_behind, self._is_behind = self._is_behind, False
        self._start = self._take_frames(self._held, self._start)
        if self._start == len(self._held):
            self._held, self._start = b"", 0
        if self._is_behind or was_behind:
            self._pause()
        if self._taken and self._taker is not None:
            messages, self._taken = self._taken, []
            self._taker(messages)

    def _pause(self) -> None:
        """Read, or read nothing more for now."""
        is_paused = self._is_held or self._is_behind
        if is_paused == self._is_paused or self.transport.is_closing():
            return
        self._is_paused = is_paused
        if is_paused:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def _take_frames(self, data: bytes, start: int) -> int:
        """Take whole frames off some bytes; return where the first begins that is not taken."""
        end, turn = len(data), 0
        while start < end:
            if self._left_bytes:
                if turn == LIBRARY_TURN_MAX or not self.has_room:
                    self._fall_behind()
                    break
                turn += 1
                start = self._pass_on(data, start)
                continue
            if len(self._taken) == MESSAGES_TURN_MAX:
                self._fall_behind()
                break
            head = frame_head(data, start)
            if head is None:
                break
            payload, after, is_ordinary = head
            is_ours = is_ordinary and self._taker is not None and self.conn.current_size is None
            if not is_ours or self.close_sent or self.conn.state is not OPEN:
                self._left_bytes = after - start
                continue
            if after > end:
                break
            mask = data[payload - MASK_BYTES : payload]
            message = apply_mask(data[payload:after], mask)
            if data[start] == FINAL_TEXT and not is_text(message):
                self._left_bytes = after - start  # the library says goodbye to such
                continue
            self._taken.append(message)
            start = after
        return start

    def _fall_behind(self) -> None:
        """Go on in another turn, but once answers are read, and what was taken is answered."""
        self._is_behind = True
        self._take_soon()

    def _take_soon(self) -> None:
        """Go on with what has come in another turn, if something was left and there is room."""
        if self._is_behind and self.has_room and not self._is_held and not self._is_due:
            self._is_due = True
            self.loop.call_soon(self._take_later)

    def _take_later(self) -> None:
        self._is_due = False
        if self._is_behind and not self._is_held and not self.disconnected:
            self._take()

    def _pass_on(self, data: bytes, start: int) -> int:
        """Give the library what is there of a frame of its own; return where that ends.

        What follows the frame that ends a connection is the library's at once, which drops it.
        """
        after = min(len(data), start + self._left_bytes)
        self._left_bytes -= after - start
        super().data_received(data[start:after])
        if self.conn.parser_exc is not None or self.conn.close_rcvd is not None:
            super().data_received(data[after:])
            return len(data)
        return after


def frame_head(data: bytes, start: int) -> tuple[int, int, bool] | None:
    """Return where a frame's payload begins, where it ends, and whether it is an ordinary one.

    None until as much of its head has come as that takes. An ordinary frame has at most 64 KiB.
    """
    if len(data) < start + HEAD_BYTES:
        return None
    opening, length = data[start], data[start + 1]
    is_ordinary = opening in (FINAL_TEXT, FINAL_BINARY) and length >= MASKED
    begin = start + HEAD_BYTES + (MASK_BYTES if length >= MASKED else 0)
    length &= LENGTH_BITS
    size = {LENGTH_16: 2, LENGTH_64: 8}.get(length, 0)
    if size:
        first = start + HEAD_BYTES
        if len(data) < first + size:
            return None
        length = int.from_bytes(data[first : first + size], "big")
    return begin + size, begin + size + length, is_ordinary and length <= LENGTH_16_MAX


def text_head(length: int) -> bytes:
    """Return the head of a server's frame of text."""
    if length < LENGTH_16:
        return bytes((FINAL_TEXT, length))
    if length <= LENGTH_16_MAX:
        return bytes((FINAL_TEXT, LENGTH_16)) + length.to_bytes(2, "big")
    return bytes((FINAL_TEXT, LENGTH_64)) + length.to_bytes(8, "big")


def forget_where(error: BaseException | None) -> None:
    """Let go of the frames in which an error, and those behind it, were raised."""
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


def is_text(data: bytes) -> bool:
    """Whether some bytes are UTF-8."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
