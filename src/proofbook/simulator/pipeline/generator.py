"""An open loop of signed requests: `python -m proofbook.simulator.pipeline.generator`.

For each Load that it reads it signs everything, says so, waits to be told, and sends each request
at its time, whether earlier ones are answered or not. Times between requests are random and
independent, as if many people sent. Latency counts from the time at which a request was to be sent:
what waits behind a slow venue, or behind this program, has waited.
"""

import select
import socket
import sys
import time
from collections import Counter, deque
from random import Random

import msgspec
from msgspec import Struct

from proofbook.simulator.pipeline.frames import client_frame, sign_all
from proofbook.simulator.pipeline.plan import OWNERS, Load, Opened, Sent

ANSWERS_SECONDS_MAX = 5.0
"""For how long answers are waited for after the last request."""
LEAD_NS = 20_000_000
RECEIVE_BYTES = 1 << 18
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: venue\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCHING = b"HTTP/1.1 101"
LENGTH_16, LENGTH_64 = 126, 127
CLOSE, PING, PONG = 0x88, 0x89, 0x8A
IDENTIFIER = b'"id":'
ERROR = b'"error":'


class ErrorData(Struct):
    reason: str


class Error(Struct):
    data: ErrorData


class Refusal(Struct):
    error: Error


class Line:
    """One connection: what is to be sent still, and what came of an answer not yet whole."""

    def __init__(self, opened: Opened) -> None:
        self.socket = socket.create_connection((opened.host, opened.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(HANDSHAKE)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(RECEIVE_BYTES)
        assert answer.startswith(SWITCHING), answer
        self.socket.setblocking(False)
        self._to_send: deque[bytes] = deque()
        self._received = b""

    def send(self, frame: bytes) -> None:
        """Give a frame to the system, after those that it had no room for."""
        self._to_send.append(frame)
        self.flush()

    def flush(self) -> None:
        while self._to_send:
            frame = self._to_send.popleft()
            try:
                sent = self.socket.send(frame)
            except BlockingIOError:
                sent = 0
            if sent < len(frame):
                self._to_send.appendleft(frame[sent:])
                return

    def _take(self, opening: int, payload: bytes, payloads: list[bytes]) -> None:
        """Take an answer, or return a ping."""
        assert opening != CLOSE, f"the venue says goodbye: {payload[2:].decode()}"
        if opening == PING:
            self.send(client_frame(payload, PONG))
        else:
            payloads.append(payload)

    @property
    def is_stuck(self) -> bool:
        """Whether the system has no room."""
        return bool(self._to_send)

    def receive(self) -> list[bytes]:
        """Return the payloads that have come."""
        data = self._received + self.socket.recv(RECEIVE_BYTES)
        payloads: list[bytes] = []
        start = 0
        while (head := payload_place(data, start)) is not None and head[1] <= len(data):
            self._take(data[start], data[head[0] : head[1]], payloads)
            start = head[1]
        self._received = data[start:]
        return payloads


def payload_place(data: bytes, start: int) -> tuple[int, int] | None:
    """Return begin and end of the payload of a server's frame; None until its head is there."""
    if len(data) < start + 2:
        return None
    length, begin = data[start + 1], start + 2
    for mark, size in ((LENGTH_16, 2), (LENGTH_64, 8)):
        if length == mark:
            if len(data) < begin + size:
                return None
            return begin + size, begin + size + int.from_bytes(data[begin : begin + size], "big")
    return begin, begin + length


class Generator:
    """A load on its way."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.frames = sign_all(load.opened, load.kind, load.count, load.first_nonce)
        self.lines: list[Line] = []
        self.refused: Counter[str] = Counter()
        self._by_socket: dict[socket.socket, Line] = {}
        self._done_ns = [0] * load.count
        self._sent_ns = [0] * load.count
        self._answered = 0

    def run(self) -> Sent:
        """Send everything; return what became of it."""
        self.lines = [Line(self.load.opened) for _ in OWNERS]
        self._by_socket = {line.socket: line for line in self.lines}
        began_cpu = time.process_time()
        began_ns = time.perf_counter_ns() + LEAD_NS
        planned_ns = self._plan(began_ns)
        for place in range(self.load.count):
            self._wait_for(place, planned_ns)
            line = self.lines[place % len(self.lines)]
            self._sent_ns[place] = time.perf_counter_ns()
            line.send(self.frames[place])
        self._wait_for_answers()
        last_ns = max(self._done_ns)
        answered = [place for place, done in enumerate(self._done_ns) if done]
        return Sent(
            [self._done_ns[place] - planned_ns[place] for place in answered],
            [self._sent_ns[place] - planned_ns[place] for place in answered],
            dict(self.refused),
            self.load.count - self._answered,
            max(1, last_ns - planned_ns[0]) / 1e9,
            time.process_time() - began_cpu,
        )

    def close(self) -> None:
        """Leave the venue."""
        for line in self.lines:
            line.socket.close()

    def _plan(self, began_ns: int) -> list[int]:
        """Return when each request is to be sent; without a rate it is told as it is sent."""
        random, moment_ns = Random(self.load.seed), float(began_ns)
        times: list[int] = []
        for _ in range(self.load.count):
            times.append(round(moment_ns))
            if self.load.per_second:
                moment_ns += random.expovariate(self.load.per_second) * 1e9
        return times

    def _wait_for(self, place: int, planned_ns: list[int]) -> None:
        """Take answers until it is time for a request, or room for it."""
        if self.load.per_second:
            while (left_ns := planned_ns[place] - time.perf_counter_ns()) > 0:
                self._take(left_ns / 1e9)
            if place % len(self.lines) == 0:
                self._take(0)
            return
        while place - self._answered >= self.load.unanswered_max:
            self._take(ANSWERS_SECONDS_MAX)
        planned_ns[place] = time.perf_counter_ns()

    def _wait_for_answers(self) -> None:
        until_ns = time.perf_counter_ns() + round(ANSWERS_SECONDS_MAX * 1e9)
        while self._answered < self.load.count and time.perf_counter_ns() < until_ns:
            self._take(0.1)

    def _take(self, seconds: float) -> None:
        """Take what comes within some seconds, at most once; send what had no room."""
        stuck = [line.socket for line in self.lines if line.is_stuck]
        readable, writable, _ = select.select([*self._by_socket], stuck, [], seconds)
        for each in writable:
            self._by_socket[each].flush()
        for each in readable:
            payloads = self._by_socket[each].receive()
            now_ns = time.perf_counter_ns()
            for payload in payloads:
                self._note(payload, now_ns)

    def _note(self, payload: bytes, now_ns: int) -> None:
        begin = payload.index(IDENTIFIER) + len(IDENTIFIER)
        self._done_ns[int(payload[begin : payload.index(b",", begin)])] = now_ns
        self._answered += 1
        if ERROR in payload:
            self.refused[msgspec.json.decode(payload, type=Refusal).error.data.reason] += 1


def main() -> None:
    for line in iter(sys.stdin.readline, ""):
        generator = Generator(msgspec.json.decode(line, type=Load))
        say(b"ready")
        sys.stdin.readline()
        say(msgspec.json.encode(generator.run()))
        generator.close()


def say(line: bytes) -> None:
    sys.stdout.write(line.decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
