"""The WebSockets that are open: how many, what waits for them, and whether all is answered."""

import asyncio
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


class Connections:
    """Every connection from its handshake to its end."""

    def __init__(self) -> None:
        self._outgoing: set[Outgoing] = set()

    @property
    def open(self) -> int:
        """How many there are."""
        return len(self._outgoing)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait for all of them."""
        return sum(outgoing.waiting_bytes for outgoing in self._outgoing)

    def add(self, outgoing: Outgoing) -> None:
        """Count a connection."""
        self._outgoing.add(outgoing)

    def remove(self, outgoing: Outgoing) -> None:
        """Forget a connection that has ended."""
        self._outgoing.discard(outgoing)

    async def until_idle(self, seconds_max: float) -> bool:
        """Wait until everybody has been answered; return false for who did not read in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds_max
        while not (is_idle := all(outgoing.is_idle for outgoing in self._outgoing)):
            if loop.time() > deadline:
                break
            await asyncio.sleep(POLL_SECONDS)
        return is_idle
