"""The WebSockets that are open: how many, what waits for them, and whether all is answered."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

POLL_SECONDS = 0.005


class Outgoing(Protocol):
    """What waits to be sent over a connection."""

    @property
    def waiting_bytes(self) -> int: ...

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, nothing is being sent and no signed method is unanswered."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many WebSockets may be open, in all and from one address, and how slow HTTP may be.

    Who is behind a proxy has the proxy's address: there the proxy counts. `request_seconds_max` is
    the time for the headers of a request, and again for its body.
    """

    connections_max: int = 4_096
    per_address_max: int = 512
    request_seconds_max: float = 10.0


class TooManyConnections(Exception):
    """A connection beyond a limit. Operands: count, limit, whose."""

    def __init__(self, count: int, limit: int, whose: str) -> None:
        super().__init__(f"CONNECTION_LIMIT: {count} connections {whose}, at most {limit}")
        self.count = count
        self.limit = limit
        self.whose = whose


class Connections:
    """Every connection from its handshake to its end."""

    def __init__(self, limits: ConnectionLimits | None = None) -> None:
        self.limits = limits or ConnectionLimits()
        self._outgoing: dict[Outgoing, str] = {}
        self._of_address: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many there are."""
        return len(self._outgoing)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait for all of them."""
        return sum(outgoing.waiting_bytes for outgoing in self._outgoing)

    def add(self, outgoing: Outgoing, address: str) -> None:
        """Count a connection. Raises TooManyConnections, and then counts nothing."""
        if self.open >= self.limits.connections_max:
            raise TooManyConnections(self.open, self.limits.connections_max, "are open")
        count, limit = self._of_address[address], self.limits.per_address_max
        if count >= limit:
            raise TooManyConnections(count, limit, f"are open from {address}")
        self._outgoing[outgoing] = address
        self._of_address[address] += 1

    def remove(self, outgoing: Outgoing) -> None:
        """Forget a connection that has ended."""
        address = self._outgoing.pop(outgoing)
        self._of_address[address] -= 1
        if not self._of_address[address]:
            del self._of_address[address]

    async def until_idle(self, seconds_max: float) -> bool:
        """Wait until everybody has been answered; return false for who did not read in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds_max
        while not (is_idle := all(outgoing.is_idle for outgoing in self._outgoing)):
            if loop.time() > deadline:
                break
            await asyncio.sleep(POLL_SECONDS)
        return is_idle
