"""A connection that is made again when it ends: nothing is asked twice with two effects.

What was asked and not answered is asked again, in the same bytes: reading changes nothing, and a
venue answers a signed command that it has taken already as it did then. Streams go on where they
ended: `proofbook.client.resuming`. What one connection left to be done at its end the next one has
done before anything else, and leaves anew.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from proofbook.api.schema import SubscriptionReply
from proofbook.client.answers import decoded
from proofbook.client.connection import Connection, NoticeHead, Refusal
from proofbook.client.errors import ConnectionLost
from proofbook.client.resuming import Resuming
from proofbook.client.signer import EXPLAINED_BY_SUCCESS, SAYS_NOTHING_OF_BEFORE

SignCancelAll = Callable[[], dict[str, Any]]
"""Signs a CancelAll, a new one each time."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: for a reply, between attempts, and for a venue that is gone."""

    reply: float = 10.0
    pause_min: float = 0.05
    pause_max: float = 5.0
    give_up: float = 300.0


class Line:
    """Asks over one connection after the other."""

    def __init__(self, url: str, connection: Connection, patience: Patience) -> None:
        self.url = url
        self.connections = 1
        self._patience = patience
        self._connection = connection
        self._renewing: asyncio.Task[Connection] | None = None
        self._resuming = Resuming()
        self._is_closed = False
        self.sign_cancel_all: SignCancelAll | None = None
        self._left: dict[str, Any] | None = None
        self._cancel_fault: ConnectionLost | None = None

    @classmethod
    async def open(cls, url: str, patience: Patience | None = None) -> "Line":
        """Connect, trying again for a while. Raises ConnectionLost."""
        patience = patience or Patience()
        connection = await connect_patiently(lambda: Connection.open(url), url, patience)
        return cls(url, connection, patience)

    async def close(self) -> None:
        """Close the connection, and make no other."""
        self._is_closed = True
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        await self._connection.close()

    async def request(self, method: str, params: dict[str, Any]) -> msgspec.Raw:
        """Return the result of a method, asked until it is answered.

        A venue that stopped by a fault may have what it was asked on its disk, and answers once it
        is there again.
        Raises Refusal (`is_repeated` if an earlier attempt may have had its effect),
        ConnectionLost when the venue stays away, or when this line is closed.
        """
        is_repeated, loop = False, asyncio.get_running_loop()
        until, pause = loop.time() + self._patience.give_up, self._patience.pause_min
        while True:
            connection = self._connection
            try:
                async with asyncio.timeout(self._patience.reply):
                    return await self._ask(connection, method, params)
            except Refusal as refusal:
                refusal.is_repeated = is_repeated
                if refusal.error.data.reason != "STOPPED_BY_FAULT" or loop.time() + pause > until:
                    raise
                await asyncio.sleep(pause)
                is_repeated, pause = True, min(2 * pause, self._patience.pause_max)
                await self._renew(connection)
            except (ConnectionLost, TimeoutError):
                is_repeated = True
                await self._renew(connection)

    async def notices(self) -> AsyncIterator[NoticeHead]:
        """Yield notices over all connections, none missed and none repeated.

        Raises StreamGap where the venue keeps no more what was missed, ConnectionLost.
        """
        while True:
            connection = self._connection
            joining = asyncio.create_task(self._join_again(connection))
            try:
                async for notice in connection.notices():
                    for new in self._resuming.take(notice):
                        yield new
            except ConnectionLost:
                await self._renew(connection)
            finally:
                joining.cancel()

    async def _join_again(self, connection: Connection) -> None:
        """Join on a new connection what was joined before; a connection that stalls is ended."""
        if not self._resuming.is_due(connection):
            return
        try:
            await self._resuming.resume(connection, self._patience.reply)
        except (ConnectionLost, TimeoutError):
            with suppress(ConnectionLost):  # who reads notices hears of it too
                await self._renew(connection)

    async def _ask(
        self, connection: Connection, method: str, params: dict[str, Any]
    ) -> msgspec.Raw:
        """Ask once; what is subscribed is noted, to be joined again elsewhere."""
        if method == "cancel_on_disconnect":
            return await self._leave(connection)
        if method != "subscribe":
            result = await connection.request(method, params)
            if method == "unsubscribe":
                self._resuming.left(params["channels"])
            return result
        added = self._resuming.joining(connection, params)
        try:
            result = await connection.request(method, params)
        except Refusal:
            self._resuming.left(added)
            raise
        self._resuming.joined(added, decoded(method, result, SubscriptionReply).seq)
        return result

    async def _renew(self, ended: Connection) -> None:
        """Have another connection than the one that ended. Raises ConnectionLost."""
        if self._is_closed:
            raise ConnectionLost(self.url, "closed")
        if self._connection is not ended:
            return
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._replace(ended))
        await asyncio.shield(self._renewing)

    async def _replace(self, ended: Connection) -> Connection:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await ended.close()
            self._connection = await connect_patiently(self._open, self.url, self._patience)
            self.connections += 1
            fault, self._cancel_fault = self._cancel_fault, None
            if fault is not None:
                raise fault
            return self._connection
        finally:
            self._renewing = None

    async def _open(self) -> Connection:
        """Connect, and leave what the last connection left. Raises ConnectionLost."""
        connection = await Connection.open(self.url)
        try:
            await self._leave_again(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _leave(self, connection: Connection) -> msgspec.Raw:
        """Leave a CancelAll that is signed anew: one that was left before may be executed."""
        before = self._left
        self._left = {
            "cancel_all": None if self.sign_cancel_all is None else self.sign_cancel_all()
        }
        try:
            return await connection.request("cancel_on_disconnect", self._left)
        except Refusal:
            self._left = before
            raise

    async def _leave_again(self, connection: Connection) -> None:
        """Send the CancelAll that the last connection left, and leave a new one.

        A venue may hear late that a connection ended: what is sent now it does not execute then,
        when it would end orders that were placed since.
        Raises ConnectionLost, where the venue may take it later.
        """
        if self.sign_cancel_all is None or self._left is None:
            return
        try:
            await execute_left(connection, self._left["cancel_all"])
            await self._leave(connection)
        except Refusal as refusal:
            reason = refusal.error.data.reason
            fault = ConnectionLost(self.url, f"and its CancelAll is refused: {reason}")
            if reason in SAYS_NOTHING_OF_BEFORE:
                raise fault from None
            self.sign_cancel_all = None
            if reason != "MESSAGE_EXPIRED":
                self._cancel_fault = fault


async def execute_left(connection: Connection, cancel_all: dict[str, Any]) -> None:
    """Send a CancelAll that was left, unless it is void by now. Raises Refusal, ConnectionLost."""
    try:
        await connection.request("cancel_all", cancel_all)
    except Refusal as refusal:
        if refusal.error.data.reason not in EXPLAINED_BY_SUCCESS:
            raise


async def connect_patiently(
    open_one: Callable[[], Awaitable[Connection]], url: str, patience: Patience
) -> Connection:
    """Connect, with pauses that grow; the last fault is told. Raises ConnectionLost."""
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + patience.give_up, patience.pause_min
    while True:
        try:
            async with asyncio.timeout(patience.reply):
                return await open_one()
        except (ConnectionLost, TimeoutError) as fault:
            if loop.time() + pause > until:
                raise ConnectionLost(url, str(fault) or "no answer") from None
        await asyncio.sleep(pause * random.uniform(0.5, 1))
        pause = min(2 * pause, patience.pause_max)
