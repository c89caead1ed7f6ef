"""A proxy that cuts, delays and reorders connections at random, without changing a byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from random import Random

CHUNK_BYTES = 4096


class HostileProxy:
    """Stands between a client and a venue, until it is told to be kind."""

    def __init__(self, random: Random, port: int, cut_bytes_max: int, delay_max: float) -> None:
        self.random = random
        self.port = port
        self.cut_bytes_max = cut_bytes_max
        self.delay_max = delay_max
        self.cuts = self.late = 0
        self.is_kind = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the client; cut it after a random number of bytes."""
        try:
            onward = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            writer.transport.abort()
            return
        budget = [self.random.randint(0, self.cut_bytes_max)]
        up = self._spawn(self._carry(reader, onward[1], budget, writer))
        down = self._spawn(self._carry(onward[0], writer, budget, onward[1]))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            onward[1].transport.abort()
            raise
        finally:
            writer.transport.abort()
        if up.done() and not self.is_kind and self.random.random() < 0.5:
            # What the venue's end still holds goes on after the client has connected again.
            self._spawn(self._end_late(onward[1]))
        else:
            onward[1].transport.abort()
        for task in (up, down):
            task.cancel()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        budget: list[int],
        other: asyncio.StreamWriter,
    ) -> None:
        """Pass bytes on, late; where the budget ends pass a part, and cut one side or both."""
        while data := await reader.read(CHUNK_BYTES):
            if not self.is_kind:
                await asyncio.sleep(self.random.random() ** 3 * self.delay_max)
                budget[0] -= len(data)
                if budget[0] < 0:
                    self.cuts += 1
                    if not writer.is_closing():
                        writer.write(data[: self.random.randrange(len(data) + 1)])
                        await writer.drain()
                    if self.random.random() < 0.5:
                        other.transport.abort()
                    return
            if writer.is_closing():
                return
            writer.write(data)
            await writer.drain()

    async def _end_late(self, writer: asyncio.StreamWriter) -> None:
        self.late += 1
        try:
            await asyncio.sleep(self.random.random() * 4 * self.delay_max)
        finally:  # told to stop before its time, too
            writer.transport.abort()

    def _spawn(self, work) -> asyncio.Task[None]:  # type: ignore[no-untyped-def]
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            fault = task.exception()
            assert fault is None or isinstance(fault, ConnectionError), fault


@contextlib.asynccontextmanager
async def hostile_proxy(
    random: Random, port: int, cut_bytes_max: int = 30_000, delay_max: float = 0.03
) -> AsyncIterator[tuple[HostileProxy, str]]:
    """Run a proxy while the block runs; yield it and the URL that leads through it."""
    proxy = HostileProxy(random, port, cut_bytes_max, delay_max)
    server = await asyncio.start_server(proxy.take, "127.0.0.1", 0)
    try:
        yield proxy, f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
    finally:
        server.close()
        for task in list(proxy._tasks):
            task.cancel()
        await asyncio.gather(*proxy._tasks, return_exceptions=True)
