"""What one publisher observes, signed by his key and said to a venue."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from proofbook.api.convert import from_hex, hex_text
from proofbook.api.display import usdc_atoms
from proofbook.api.errors import ApiError
from proofbook.api.prices import OracleReply, PublishedReply
from proofbook.api.signing import Key
from proofbook.client.client import Client
from proofbook.client.errors import NotPublishable
from proofbook.protocol.eip712 import (
    forward_curve_digest,
    index_price_digest,
    vol_surface_digest,
)
from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.protocol.observations import SurfaceSlice
from proofbook.protocol.surface import SURFACE_ONE

SECONDS_TRIED = 3
U64_MAX = 2**64 - 1
SHOWN_MAX = 50
"""Of a text that is no time, the letters that are shown."""
SLICE_END = 2**63 // SURFACE_ONE
"""What no number of a slice reaches: it would not fit where it is kept."""
AFTER_NS = NS_PER_SECOND // 50
"""So long after a second begins it has begun at the venue too."""


class Slice(NamedTuple):
    """Raw SVI total variance: w(k) = a + b (rho (k - m) + sqrt((k - m)² + sigma²))."""

    a: float
    b: float
    rho: float
    m: float
    sigma: float


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is observed of an underlying at one time, a line of a feed.

    Forwards and slices by expiry, as ISO 8601 or ns since the Unix epoch. Units  USDC as decimals.
    """

    underlying: str
    index: str | None = None
    forwards: dict[str, str] | None = None
    surface: dict[str, Slice] | None = None
    published_ns: str | None = None


class PricePublisher:
    """One publisher of a venue. Made by `publisher_of`."""

    def __init__(self, client: Client, key: Key, number: int) -> None:
        self.client = client
        self.number = number
        self._key = key
        self._said_ns: dict[int, int] = {}

    async def say(self, prices: Prices) -> list[PublishedReply]:
        """Say everything that a line has: index, forwards, surface.

        Without a time of its own it is of this second, so that publishers meet in one round, and of
        the next one where something was said of this: then it waits for that.
        Raises ApiError, NotPublishable, OffStep, OutOfRange, ConnectionLost.
        """
        known = {row.symbol: row for row in await oracle(self.client)}
        if prices.underlying not in known:
            names = ", ".join(known)
            raise NotPublishable(f"the venue knows no {prices.underlying}, but {names}")
        row = known[prices.underlying]
        if prices.published_ns is not None:
            return await self._say_at(row, moment_ns(prices.published_ns), prices)
        for left in reversed(range(SECONDS_TRIED)):
            published_ns = await self._next_second_ns(row.underlying)
            try:
                return await self._say_at(row, published_ns, prices)
            except ApiError as refusal:
                # Another program with this key may have spoken in this second.
                if refusal.reason != "OBSERVATION_STALE" or not left:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _next_second_ns(self, underlying: int) -> int:
        """Return the beginning of this second, or of the next one once it is there."""
        now_ns = self.client.now_ns()
        second_ns = now_ns - now_ns % NS_PER_SECOND
        free_ns = self._said_ns.get(underlying, 0) + NS_PER_SECOND
        if second_ns < free_ns:
            await asyncio.sleep((free_ns - now_ns + AFTER_NS) / NS_PER_SECOND)
            second_ns = free_ns
        self._said_ns[underlying] = second_ns
        return second_ns

    async def _say_at(
        self, row: OracleReply, published_ns: int, prices: Prices
    ) -> list[PublishedReply]:
        said: list[PublishedReply] = []
        if prices.index is not None:
            said.append(await self.say_index(row.underlying, published_ns, prices.index))
        expiries_ns = [int(each) for each in row.expiries_ns]
        if prices.forwards is not None and expiries_ns:
            forwards = by_expiry(prices.forwards, expiries_ns, "forward")
            said.append(
                await self.say_forwards(row.underlying, published_ns, expiries_ns, forwards)
            )
        if prices.surface is not None and expiries_ns:
            fits = by_expiry(prices.surface, expiries_ns, "slice")
            slices = [quantised(e, fit) for e, fit in zip(expiries_ns, fits, strict=True)]
            said.append(await self.say_surface(row.underlying, published_ns, slices))
        return said

    async def say_index(self, underlying: int, published_ns: int, price: str) -> PublishedReply:
        """Sign and send an index price, USDC."""
        separator = self.client.separator
        digest = index_price_digest(separator, underlying, published_ns, usdc_atoms(price))
        return await self._send("publish_index", underlying, published_ns, digest, price=price)

    async def say_forwards(
        self,
        underlying: int,
        published_ns: int,
        expiries_ns: Sequence[int],
        forwards: Sequence[str],
    ) -> PublishedReply:
        """Sign and send the forwards of all dated expiries, USDC."""
        atoms = [usdc_atoms(each) for each in forwards]
        separator = self.client.separator
        digest = forward_curve_digest(separator, underlying, published_ns, expiries_ns, atoms)
        return await self._send(
            "publish_forwards", underlying, published_ns, digest,
            expiries_ns=[str(each) for each in expiries_ns], forwards=list(forwards),
        )  # fmt: skip

    async def say_surface(
        self, underlying: int, published_ns: int, slices: Sequence[SurfaceSlice]
    ) -> PublishedReply:
        """Sign and send the surface; a quorum has to sign the very same."""
        digest = vol_surface_digest(self.client.separator, underlying, published_ns, slices)
        rows = [
            {
                "expiry_ns": str(s.expiry_ns), "a": str(s.a), "b": str(s.b), "rho": str(s.rho),
                "m": str(s.m), "sigma": str(s.sigma),
            }
            for s in slices
        ]  # fmt: skip
        return await self._send("publish_surface", underlying, published_ns, digest, slices=rows)

    async def _send(
        self, method: str, underlying: int, published_ns: int, digest: bytes, **what: Any
    ) -> PublishedReply:
        return await self.client.ask(
            PublishedReply,
            method,
            publisher=self.number,
            underlying=underlying,
            published_ns=str(published_ns),
            signature=hex_text(self._key.sign(digest)),
            **what,
        )


async def oracle(client: Client) -> list[OracleReply]:
    """Return what publishers need to sign."""
    return await client.ask(list[OracleReply], "get_oracle")


async def publisher_of(client: Client, key: Key) -> PricePublisher:
    """Return the publisher whose key this is. Raises NotPublishable if it is none's."""
    rows = await oracle(client)
    for row in rows[0].publishers if rows else []:
        if from_hex(row.address) == key.address:
            return PricePublisher(client, key, row.publisher)
    raise NotPublishable(f"{hex_text(key.address)} is no publisher of this venue")


def by_expiry(given: dict[str, Any], expiries_ns: Sequence[int], what: str) -> list[Any]:
    """Return what is given for each of the venue's expiries. Raises NotPublishable."""
    known = {moment_ns(text): value for text, value in given.items()}
    missing = [each for each in expiries_ns if each not in known]
    if missing:
        moments = (datetime.fromtimestamp(each // NS_PER_SECOND, UTC) for each in missing)
        raise NotPublishable(f"no {what} for {', '.join(f'{m:%Y-%m-%dT%H:%MZ}' for m in moments)}")
    return [known[each] for each in expiries_ns]


def moment_ns(text: str) -> int:
    """Return a time, ns since the Unix epoch. Raises NotPublishable."""
    try:
        is_number = text.isascii() and text.isdecimal()
        time_ns = int(text) if is_number else _iso_ns(text)
    except ValueError:
        raise NotPublishable(f"{text[:SHOWN_MAX]!r} is neither ISO 8601 nor ns") from None
    if not 0 <= time_ns <= U64_MAX:
        raise NotPublishable(f"{text[:SHOWN_MAX]!r} is no time from 1970 to 2554")
    return time_ns


def _iso_ns(text: str) -> int:
    moment = datetime.fromisoformat(text)
    utc = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(utc.timestamp()) * NS_PER_SECOND


def quantised(expiry_ns: int, fit: Slice) -> SurfaceSlice:
    """Return a slice as the protocol counts it, rounded to the nearest. Raises NotPublishable."""
    for name, value in zip(fit._fields, fit, strict=True):
        if not abs(value) < SLICE_END:
            raise NotPublishable(f"{name} is {value}, not between -{SLICE_END} and {SLICE_END}")
    return SurfaceSlice(expiry_ns, *(round(each * SURFACE_ONE) for each in fit))
