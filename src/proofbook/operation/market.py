"""The market of a served venue: what is listed by the calendar, and marked as prices come."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from proofbook.api.errors import Refused
from proofbook.node import Node
from proofbook.operation.configuration import ListingSection
from proofbook.protocol.commands import Command, ListInstrument, Remark
from proofbook.protocol.engine import Engine
from proofbook.protocol.limits import (
    EXPIRIES_PER_UNDERLYING_MAX,
    EXPIRY_TIME_OF_DAY_NS,
    NS_PER_DAY,
    NS_PER_SECOND,
    REMARK_INSTRUMENTS_MAX,
    ArenaId,
    InstrumentKind,
)
from proofbook.protocol.records import ExpiryRecord, InstrumentRecord, UnderlyingRecord

FRIDAY = 4
TOGETHER = 256
"""Commands that are sent at once, so that traders keep most of every window."""

_log = structlog.get_logger()


class Market:
    """Lists and marks; the state machine judges both again, and believes nobody."""

    def __init__(self, node: Node, listing: ListingSection, mark_seconds: float) -> None:
        self._node = node
        self._listing = listing
        self._mark_seconds = mark_seconds
        self._seen: dict[int, tuple[int, ...]] = {}

    async def keep_listing(self) -> None:
        """List what the calendar asks for, again and again, until cancelled."""
        while True:
            await self._send(self.missing())
            await asyncio.sleep(self._listing.every_seconds)

    async def keep_marking(self) -> None:
        """Mark what prices have moved, until cancelled."""
        while True:
            await self._send(self.due())
            await asyncio.sleep(self._mark_seconds)

    def missing(self) -> list[Command]:
        """Return what is to be listed and is not."""
        rows = self._node.models.instruments
        there = {(row.underlying, row.kind, row.expiry_ns, row.strike_atoms) for row in rows}
        now_ns = self._node.sequencer.clock.now_ns()
        wanted: list[Command] = []
        for number, underlying in underlyings(self._node.engine):
            plan = planned(self._listing, number, underlying, now_ns)
            known = {each[2] for each in there if each[0] == number and each[2]}
            room = EXPIRIES_PER_UNDERLYING_MAX - underlying.expiries_count
            opened = sorted({row.expiry_ns for row in plan if row.expiry_ns} - known)[:room]
            wanted += [
                row
                for row in plan
                if (number, row.kind, row.expiry_ns, row.strike_atoms) not in there
                and row.expiry_ns in {0, *known, *opened}
            ]
        return wanted

    def due(self) -> list[Command]:
        """Return what marks every instrument whose prices have moved since the last time."""
        engine, now_ns = self._node.engine, self._node.sequencer.clock.now_ns()
        commands: list[Command] = []
        for _, underlying in underlyings(engine):
            if not underlying.index_version:
                continue
            dated = underlying.expiries[: underlying.expiries_count]
            for slot in (underlying.perpetual_expiry, *dated):
                expiry = ExpiryRecord.unpack(engine.read(ArenaId.EXPIRIES, slot)) if slot else None
                if expiry is None or 0 < expiry.expiry_ns <= now_ns:
                    continue
                versions = expiry.forward_version, expiry.surface_version
                seen = underlying.index_version, *versions, expiry.instruments_count
                if self._seen.get(slot) == seen or (expiry.expiry_ns and not versions[0]):
                    continue
                self._seen[slot] = seen
                commands += [Remark(slot, cursor) for cursor in cursors(engine, expiry)]
        return commands

    async def _send(self, commands: Sequence[Command]) -> None:
        """Send commands; what is refused or rejected is due again when prices move."""
        submit = self._node.sequencer.submit
        for first in range(0, len(commands), TOGETHER):
            sent = map(submit, commands[first : first + TOGETHER])
            for answer in await asyncio.gather(*sent, return_exceptions=True):
                if isinstance(answer, Refused):
                    _log.warning("market.refused", reason=str(answer))
                elif isinstance(answer, BaseException):
                    raise answer


def planned(
    listing: ListingSection, number: int, underlying: UnderlyingRecord, now_ns: int
) -> list[ListInstrument]:
    """Return everything that should be listed of an underlying; options once it has an index."""
    plan = [ListInstrument(number, InstrumentKind.PERPETUAL)] if listing.perpetuals else []
    for expiry_ns in calendar(listing, now_ns):
        if listing.futures:
            plan.append(ListInstrument(number, InstrumentKind.FUTURE, expiry_ns))
        if not underlying.index_version:
            continue
        for strike_atoms in strikes(listing, underlying):
            for kind in (InstrumentKind.CALL, InstrumentKind.PUT):
                plan.append(ListInstrument(number, kind, expiry_ns, strike_atoms))
    return plan


def calendar(listing: ListingSection, now_ns: int) -> list[int]:
    """Return the next days, the next Fridays and the last Fridays of the next months, 08:00 UTC."""
    first = now_ns + NS_PER_DAY - EXPIRY_TIME_OF_DAY_NS
    day = datetime.fromtimestamp(first // NS_PER_DAY * NS_PER_DAY // NS_PER_SECOND, UTC)
    days = [day + timedelta(days=place) for place in range(listing.days)]
    fridays = [day + timedelta(days=(FRIDAY - day.weekday()) % 7 + 7 * n) for n in range(120)]
    last = [each for each in fridays if (each + timedelta(days=7)).month != each.month]
    chosen = {*days, *fridays[: listing.weeks], *last[: listing.months]}
    return sorted(
        round(each.timestamp()) * NS_PER_SECOND + EXPIRY_TIME_OF_DAY_NS for each in chosen
    )


def strikes(listing: ListingSection, underlying: UnderlyingRecord) -> list[int]:
    """Return strikes around the index, on the grid, about so many percent apart."""
    step_atoms = underlying.strike_step_atoms
    apart_atoms = underlying.index_atoms * listing.strike_percent / 100
    spacing_atoms = max(1, round(apart_atoms / step_atoms)) * step_atoms
    middle = round(underlying.index_atoms / spacing_atoms)
    places = range(middle - listing.strikes, middle + listing.strikes + 1)
    return [place * spacing_atoms for place in places if place > 0]


def underlyings(engine: Engine) -> Iterator[tuple[int, UnderlyingRecord]]:
    """Yield every underlying with its number."""
    for number in range(1, 1 << UnderlyingRecord.CAPACITY_LOG2):
        record = UnderlyingRecord.unpack(engine.read(ArenaId.UNDERLYINGS, number))
        if not record.quorum:
            return
        yield number, record


def cursors(engine: Engine, expiry: ExpiryRecord) -> Iterator[int]:
    """Yield every sixteenth instrument of an expiry, in the order of their listing."""
    slot, place = expiry.instruments_head, 0
    while slot:
        if place % REMARK_INSTRUMENTS_MAX == 0:
            yield slot
        record = InstrumentRecord.unpack(engine.read(ArenaId.INSTRUMENTS, slot))
        slot, place = record.next_in_expiry, place + 1
