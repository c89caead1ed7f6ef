"""The WebSockets that are open: how many, what waits for them, and whether all is answered."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

POLL_SECONDS = 0.005


Weigh = Callable[[int], None]


class Slow(Protocol):
    """What waits for somebody who does not read."""

    @property
    def waiting_bytes(self) -> int: ...

    def overflow(self) -> None:
        """Drop what waits, and end."""
        ...


class Outgoing(Slow, Protocol):
    """What waits to be sent over a connection."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, nothing is being sent and no signed method is unanswered."""
        ...

    def tell(self, on_waiting: Weigh) -> None:
        """Tell from now on how many bytes more wait, or, below zero, how many fewer."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How much connections may take up, in all and from one address, and how slow HTTP may be.

    Who is behind a proxy has the proxy's address: there the proxy counts. `request_seconds_max` is
    the time for the headers of a request, again for its body, and again for whoever reads nothing
    of an answer. One connection alone may have 64 MiB wait: `outbox_bytes_max` is for all; when it
    is reached the slowest of them is closed.
    """

    connections_max: int = 4_096
    per_address_max: int = 512
    request_seconds_max: float = 10.0
    subscriptions_max: int = 524_288
    subscriptions_per_address_max: int = 65_536
    outbox_bytes_max: int = 256 << 20


class TooManyConnections(Exception):
    """A connection beyond a limit. Operands: count, limit, whose."""

    def __init__(self, count: int, limit: int, whose: str) -> None:
        super().__init__(f"CONNECTION_LIMIT: {count} connections {whose}, at most {limit}")
        self.count = count
        self.limit = limit
        self.whose = whose


class TooManySubscriptions(Exception):
    """More channels than may be joined. Operands: count, limit, whose."""

    def __init__(self, count: int, limit: int, whose: str) -> None:
        super().__init__(f"{count} channels would be joined {whose}, at most {limit}")
        self.count = count
        self.limit = limit
        self.whose = whose


def ignore(_: int) -> None:
    """Nobody counts what waits."""


def nothing() -> None:
    """There is nobody to be told."""


class Connections:
    """Every connection from its handshake to its end."""

    def __init__(self, limits: ConnectionLimits | None = None) -> None:
        self.limits = limits or ConnectionLimits()
        self._outgoing: dict[Outgoing, str] = {}
        self._unread: set[Unread] = set()
        self._of_address: Counter[str] = Counter()
        self._joined: Counter[str] = Counter()
        self.subscriptions = 0
        self.waiting_bytes = 0

    @property
    def open(self) -> int:
        """How many there are."""
        return len(self._outgoing)

    def add(self, outgoing: Outgoing, address: str) -> None:
        """Count a connection. Raises TooManyConnections, and then counts nothing."""
        if self.open >= self.limits.connections_max:
            raise TooManyConnections(self.open, self.limits.connections_max, "are open")
        count, limit = self._of_address[address], self.limits.per_address_max
        if count >= limit:
            raise TooManyConnections(count, limit, f"are open from {address}")
        self._outgoing[outgoing] = address
        self._of_address[address] += 1
        outgoing.tell(self._weigh)

    def remove(self, outgoing: Outgoing) -> None:
        """Forget a connection that has ended."""
        address = self._outgoing.pop(outgoing)
        self._of_address[address] -= 1
        if not self._of_address[address]:
            del self._of_address[address]
        outgoing.tell(ignore)
        self.waiting_bytes -= outgoing.waiting_bytes

    def join(self, outgoing: Outgoing, count: int) -> None:
        """Count channels that a connection joins. Raises TooManySubscriptions, counts nothing."""
        address, limits = self._outgoing.get(outgoing, ""), self.limits
        for before, limit, whose in (
            (self.subscriptions, limits.subscriptions_max, "in all"),
            (self._joined[address], limits.subscriptions_per_address_max, f"from {address}"),
        ):
            if before + count > limit:
                raise TooManySubscriptions(before + count, limit, whose)
        self.subscriptions += count
        self._joined[address] += count

    def leave(self, outgoing: Outgoing, count: int) -> None:
        """Count channels that a connection leaves."""
        address = self._outgoing.get(outgoing, "")
        self.subscriptions -= count
        self._joined[address] -= count
        if not self._joined[address]:
            del self._joined[address]

    def hold(self, unread: "Unread") -> None:
        """Count an answer over HTTP that nobody reads, as what waits for a WebSocket."""
        self._unread.add(unread)
        self._weigh(unread.waiting_bytes)

    def let_go(self, unread: "Unread") -> None:
        """Count an answer no more."""
        self._unread.discard(unread)
        self._weigh(-unread.waiting_bytes)

    async def until_idle(self, seconds_max: float) -> bool:
        """Wait until everybody has been answered; return false for who did not read in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds_max
        while not (is_idle := all(outgoing.is_idle for outgoing in self._outgoing)):
            if loop.time() > deadline:
                break
            await asyncio.sleep(POLL_SECONDS)
        return is_idle

    def _weigh(self, more_bytes: int) -> None:
        """Count what waits; of too much the slowest reader's share is dropped, and it is closed."""
        self.waiting_bytes += more_bytes
        while self.waiting_bytes > self.limits.outbox_bytes_max:
            everybody: Iterable[Slow] = chain(self._outgoing, self._unread)
            max(everybody, key=lambda slow: slow.waiting_bytes).overflow()


class Unread:
    """An answer over HTTP that the system does not take, as nobody reads it; given up in time.

    Who reads half of what is left each time, however slowly, gets all of it.
    """

    def __init__(self, transport: asyncio.Transport, connections: Connections) -> None:
        self._transport = transport
        self._connections = connections
        self._deadline: asyncio.TimerHandle | None = None
        self.waiting_bytes = 0

    def begin(self) -> None:
        """Take note of what was written and not taken."""
        seconds_max = self._connections.limits.request_seconds_max
        self.waiting_bytes = self._transport.get_write_buffer_size()
        self._deadline = asyncio.get_running_loop().call_later(seconds_max, self._look)
        self._connections.hold(self)

    def end(self) -> None:
        """Take note that all was taken, or that the connection has ended."""
        if self._deadline is None:
            return
        self._deadline.cancel()
        self._deadline = None
        self._connections.let_go(self)
        self.waiting_bytes = 0

    def overflow(self) -> None:
        """Drop it, at once, and end the connection."""
        self.end()
        self._transport.abort()

    def _look(self) -> None:
        left_bytes, before_bytes = self._transport.get_write_buffer_size(), self.waiting_bytes
        self.end()
        if left_bytes > before_bytes // 2:
            self._transport.abort()
        else:
            self.begin()
