"""What an expiry that is over still asks of anybody: its price, final marks, accounts to settle.

Everything is read off the records, looked at from time to time: nothing is remembered that a
restart could forget.
"""

from collections.abc import Iterator

from proofbook.protocol.commands import Remark, SettleAccount, SettleExpiry
from proofbook.protocol.engine import Engine
from proofbook.protocol.limits import (
    NS_PER_SECOND,
    ORACLE_AGE_MAX_NS,
    REMARK_INSTRUMENTS_MAX,
    SETTLEMENT_LEAST_NS,
    SETTLEMENT_WINDOW_NS,
    ArenaId,
)
from proofbook.protocol.records import (
    ExpiryRecord,
    InstrumentRecord,
    PositionRecord,
    UnderlyingRecord,
)
from proofbook.sequencer.releases import NEVER_NS

LOOK_AGAIN_NS = 2 * NS_PER_SECOND
"""After how long to look again at an expiry for which nothing can be done now."""

PAUSE_NS = NS_PER_SECOND // 10
"""Between two rounds of commands for an expiry."""

ACCOUNTS_PER_ROUND_MAX = 64
POSITIONS_PER_LOOK_MAX = 1024

Settling = SettleExpiry | Remark | SettleAccount


class Settlements:
    """Expiries that have instruments, by when to look at them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._looks: dict[int, int] = {}

    def watch(self, expiry: int, expiry_ns: int) -> None:
        """Take an expiry in that has an instrument now; perpetuals have none that ends."""
        if expiry_ns:
            self._looks.setdefault(expiry, expiry_ns)

    def forget(self, expiry: int) -> None:
        """Take an expiry out whose last instrument is released."""
        self._looks.pop(expiry, None)

    def keep(self) -> list[tuple[int, int]]:
        """Return which expiries to look at, and when."""
        return sorted(self._looks.items())

    @property
    def next_ns(self) -> int:
        """When to look again, at the earliest."""
        return min(self._looks.values(), default=NEVER_NS)

    def due(self, now_ns: int) -> list[Settling]:
        """Return what can be done now, a bounded part of it."""
        due: list[Settling] = []
        for slot in [slot for slot, look_ns in self._looks.items() if look_ns <= now_ns]:
            expiry = ExpiryRecord.unpack(self._engine.read(ArenaId.EXPIRIES, slot))
            if expiry.settled_ns:
                commands = self._marks(slot, expiry) or self._accounts(expiry)
                self._looks[slot] = now_ns + (PAUSE_NS if commands else LOOK_AGAIN_NS)
            else:
                commands = [SettleExpiry(slot)] if self._has_average(expiry, now_ns) else []
                self._looks[slot] = now_ns + LOOK_AGAIN_NS
            due.extend(commands)
        return due

    def _has_average(self, expiry: ExpiryRecord, now_ns: int) -> bool:
        """Whether an expiry has its average: no observation from before it can come any more, and
        enough is covered, with the last index before it.
        """
        data = self._engine.read(ArenaId.UNDERLYINGS, expiry.underlying)
        index_ns = UnderlyingRecord.unpack(data).index_ns
        is_over = now_ns > expiry.expiry_ns + ORACLE_AGE_MAX_NS
        begin_ns = max(index_ns, expiry.expiry_ns - SETTLEMENT_WINDOW_NS)
        end_ns = min(index_ns + ORACLE_AGE_MAX_NS, expiry.expiry_ns)
        covered_ns = expiry.settlement_covered_ns + max(0, end_ns - begin_ns)
        return (index_ns >= expiry.expiry_ns or is_over) and covered_ns >= SETTLEMENT_LEAST_NS

    def _marks(self, slot: int, expiry: ExpiryRecord) -> list[Settling]:
        """Return Remarks that write the final marks that are missing."""
        commands: list[Settling] = []
        reached = 0
        for place, (instrument, record) in enumerate(self._instruments(expiry)):
            if not record.settled_ns and place >= reached:
                commands.append(Remark(slot, instrument))
                reached = place + REMARK_INSTRUMENTS_MAX
        return commands

    def _accounts(self, expiry: ExpiryRecord) -> list[Settling]:
        """Return commands that settle some of the accounts with positions at final marks."""
        places: dict[int, int] = {}
        for slot, position in self._positions(expiry):
            if position.lots or not position.orders_resident:
                places.setdefault(position.account, slot)
            if len(places) == ACCOUNTS_PER_ROUND_MAX:
                break
        return [SettleAccount(account, slot) for account, slot in places.items()]

    def _instruments(self, expiry: ExpiryRecord) -> Iterator[tuple[int, InstrumentRecord]]:
        slot = expiry.instruments_head
        while slot:
            record = InstrumentRecord.unpack(self._engine.read(ArenaId.INSTRUMENTS, slot))
            yield slot, record
            slot = record.next_in_expiry

    def _positions(self, expiry: ExpiryRecord) -> Iterator[tuple[int, PositionRecord]]:
        """Yield the positions in an expiry's instruments, as many as one look may visit."""
        left = POSITIONS_PER_LOOK_MAX
        for _, instrument in self._instruments(expiry):
            slot = instrument.holders_head
            while slot and left:
                record = PositionRecord.unpack(self._engine.read(ArenaId.POSITIONS, slot))
                yield slot, record
                slot, left = record.next_in_instrument, left - 1
