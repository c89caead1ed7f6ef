"""When which instrument may be released: its records say, looked at from time to time."""

from heapq import heappop, heappush

from proofbook.protocol.engine import Engine
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    INSTRUMENT_IDLE_NS,
    NS_PER_SECOND,
    ArenaId,
    InstrumentKind,
    InstrumentMode,
    InstrumentState,
)
from proofbook.protocol.records import InstrumentRecord

LOOK_AGAIN_NS = 60 * NS_PER_SECOND
"""After how long to look again at what is over and still held."""

NEVER_NS = 1 << 64
"""Later than any time that a record holds."""


class Releases:
    """Instruments that will be over, and combos that may be idle, by when to look at them.

    Other idle instruments are left alone: they were listed to be traded.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._looks: list[tuple[int, int]] = []

    def look_at(self, instrument: int, not_before_ns: int) -> None:
        heappush(self._looks, (not_before_ns, instrument))

    def keep(self) -> list[tuple[int, int]]:
        """Return when to look at which instruments, of those that are there."""
        return sorted(look for look in self._looks if self.record(look[1]) is not None)

    @property
    def next_ns(self) -> int:
        """When to look again, at the earliest."""
        return self._looks[0][0] if self._looks else NEVER_NS

    def due(self, now_ns: int) -> list[int]:
        """Return what can be released now; each is looked at again unless that was done."""
        due: list[int] = []
        while self.next_ns <= now_ns:
            _, instrument = heappop(self._looks)
            record = self.record(instrument)
            if record is None or record.kind == InstrumentKind.PERPETUAL:
                continue
            free_ns = NEVER_NS if record.holders_count or record.combos_count else _over_ns(record)
            if free_ns <= now_ns:
                due.append(instrument)
            at_ns = now_ns if free_ns == NEVER_NS else max(now_ns, free_ns)
            self.look_at(instrument, max(at_ns, now_ns + LOOK_AGAIN_NS))
        return due

    def record(self, instrument: int) -> InstrumentRecord | None:
        """Return the record of an instrument that is there."""
        slot = instrument_slot(instrument)
        record = InstrumentRecord.unpack(self._engine.read(ArenaId.INSTRUMENTS, slot))
        return record if record.generation & 0xFFFF == instrument >> 16 and record.kind else None


def _over_ns(record: InstrumentRecord) -> int:
    """Return when an instrument is past; a combo that is open and continuous may be idle before."""
    ends_ns = record.expiry_ns or NEVER_NS
    is_as_listed = (record.state, record.mode) == (InstrumentState.OPEN, InstrumentMode.CONTINUOUS)
    may_be_idle = record.kind == InstrumentKind.COMBO and is_as_listed
    return min(ends_ns, record.active_ns + INSTRUMENT_IDLE_NS) if may_be_idle else ends_ns
