"""Observations of single publishers become the commands of a quorum.

What is said of the same underlying and time is put together. A round is sent when everybody has
spoken, or a moment after the quorum has: so one who lies is outvoted by all others, and one who is
silent delays nobody for long. Nothing here judges prices: the state machine takes the lower median,
and refuses it outside its band.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog

from proofbook.api.errors import Refusal, Refused
from proofbook.protocol.commands import ForwardCurve, IndexPrice, OracleCommand, VolSurface
from proofbook.protocol.engine import Engine
from proofbook.protocol.limits import NS_PER_SECOND, PUBLISHERS_MAX, ArenaId, Reject
from proofbook.protocol.records import UnderlyingRecord
from proofbook.sequencer.admission import check_publishers, read_publisher
from proofbook.sequencer.sequencer import Sequencer

AGE_MAX_NS = 10 * NS_PER_SECOND
"""What is older, or as much ahead of the venue's time, is of no round."""
ROUNDS_MAX = 8
"""Rounds of one underlying and kind that one publisher may have open: so memory is bounded."""
POLL_SECONDS = 0.02

_log = structlog.get_logger()


class Topic(NamedTuple):
    """What is spoken of: a kind of command and an underlying."""

    kind: type[OracleCommand]
    underlying: int


class Place(NamedTuple):
    """A round: publishers who name other expiries, or another surface, are in another one."""

    topic: Topic
    published_ns: int
    terms: tuple[Any, ...]


class Said(NamedTuple):
    """How many publishers are in a round, and how many it takes."""

    spoken: int
    quorum: int


@dataclass
class Round:
    """Who has spoken, and since when (s, of the event loop) they are enough."""

    rows: dict[int, Any] = field(default_factory=dict[int, Any])
    enough_since: float | None = None


class PriceIntake:
    """Rounds that wait, of one venue."""

    def __init__(self, sequencer: Sequencer, gather_seconds: float) -> None:
        self._sequencer = sequencer
        self._gather_seconds = gather_seconds
        self._rounds: dict[Place, Round] = {}
        self._sent_ns: dict[Topic, int] = {}

    def __len__(self) -> int:
        return len(self._rounds)

    def take(self, command: OracleCommand) -> Said:
        """Put what one publisher says into its round; the same again changes nothing.

        Raises Refused UNDERLYING_NOT_FOUND, OBSERVATION_STALE, PUBLISHER_NOT_FOUND,
        SIGNATURE_INVALID, TOO_MANY_WAITING.
        """
        sequencer = self._sequencer
        underlying = read_underlying(sequencer.engine, command.underlying)
        place = place_of(command)
        self._check_time(place)
        check_publishers(sequencer.engine, sequencer.separator, command)
        (row,) = rows_of(command)
        if place not in self._rounds:
            self._check_room(place.topic, row.publisher)
        spoken = self._rounds.setdefault(place, Round())
        if spoken.rows.setdefault(row.publisher, row) != row:
            message = f"publisher {row.publisher} has said something else of that time"
            raise Refused(Reject.OBSERVATION_STALE, message, place.published_ns, place.published_ns)
        if len(spoken.rows) >= underlying.quorum and spoken.enough_since is None:
            spoken.enough_since = asyncio.get_running_loop().time()
        return Said(len(spoken.rows), underlying.quorum)

    async def run(self) -> None:
        """Send every round that is due, until cancelled."""
        while True:
            await self.step()
            await asyncio.sleep(POLL_SECONDS)

    async def step(self) -> None:
        """Send what is due, oldest first, and forget what came too late."""
        for place in sorted(self._due(), key=lambda place: place.published_ns):
            spoken = self._rounds.pop(place)
            if place.published_ns > self._sent_ns.get(place.topic, 0):
                self._sent_ns[place.topic] = place.published_ns
                await self._send(together(place, spoken.rows))
        oldest_ns = self._sequencer.clock.now_ns() - AGE_MAX_NS
        late = [
            place
            for place in self._rounds
            if place.published_ns < max(oldest_ns, self._sent_ns.get(place.topic, 0) + 1)
        ]
        for place in late:
            del self._rounds[place]

    def _due(self) -> list[Place]:
        until = asyncio.get_running_loop().time() - self._gather_seconds
        everybody = sum(1 for _ in publisher_slots(self._sequencer.engine))
        return [
            place
            for place, spoken in self._rounds.items()
            if spoken.enough_since is not None
            and (len(spoken.rows) >= everybody or spoken.enough_since <= until)
        ]

    async def _send(self, command: OracleCommand) -> None:
        name, underlying = command.TAG.name, command.underlying
        try:
            outcome = (await self._sequencer.submit(command)).result.outcome
        except Refused as refused:
            _log.warning("prices.refused", command=name, underlying=underlying, reason=str(refused))
            return
        if not outcome.is_applied:
            _log.warning("prices.rejected", command=name, underlying=underlying, why=outcome.name)

    def _check_time(self, place: Place) -> None:
        now_ns, published_ns = self._sequencer.clock.now_ns(), place.published_ns
        after_ns = max(now_ns - AGE_MAX_NS, self._sent_ns.get(place.topic, 0))
        if not after_ns < published_ns <= now_ns:
            message = f"published at {published_ns} ns, must be after {after_ns} and not {now_ns}"
            limit = now_ns if published_ns > now_ns else after_ns
            raise Refused(Reject.OBSERVATION_STALE, message, published_ns, limit)

    def _check_room(self, topic: Topic, publisher: int) -> None:
        count = sum(
            place.topic == topic and publisher in spoken.rows
            for place, spoken in self._rounds.items()
        )
        if count >= ROUNDS_MAX:
            message = f"{count} rounds of publisher {publisher} wait, at most {ROUNDS_MAX}"
            raise Refused(Refusal.TOO_MANY_WAITING, message, count, ROUNDS_MAX)


def place_of(command: OracleCommand) -> Place:
    """Return the round of a command."""
    topic = Topic(type(command), command.underlying)
    if isinstance(command, IndexPrice):
        return Place(topic, command.published_ns, ())
    terms = command.slices if isinstance(command, VolSurface) else command.expiries_ns
    return Place(topic, command.published_ns, terms)


def rows_of(command: OracleCommand) -> tuple[Any, ...]:
    """Return what publishers signed."""
    return command.signatures if isinstance(command, VolSurface) else command.observations


def together(place: Place, rows: dict[int, Any]) -> OracleCommand:
    """Return the command of a round, its publishers ascending."""
    said = tuple(rows[publisher] for publisher in sorted(rows))
    head = place.topic.underlying, place.published_ns
    if place.topic.kind is IndexPrice:
        return IndexPrice(*head, said)
    if place.topic.kind is ForwardCurve:
        return ForwardCurve(*head, place.terms, said)
    return VolSurface(*head, place.terms, said)


def read_underlying(engine: Engine, number: int) -> UnderlyingRecord:
    """Return an underlying of the venue. Raises Refused UNDERLYING_NOT_FOUND."""
    is_slot = 0 < number < 1 << UnderlyingRecord.CAPACITY_LOG2
    record = UnderlyingRecord.unpack(engine.read(ArenaId.UNDERLYINGS, number)) if is_slot else None
    if record is None or not record.quorum:
        message = f"underlying {number} does not exist"
        raise Refused(Reject.UNDERLYING_NOT_FOUND, message, number)
    return record


def publisher_slots(engine: Engine) -> Iterable[int]:
    """Yield the numbers of publishers that have a key."""
    slots = range(1, PUBLISHERS_MAX + 1)
    return (slot for slot in slots if read_publisher(engine, slot) is not None)
