"""What positions hold: lots and entry after every entry that changed them, read from the state."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from proofbook.protocol.engine import Engine
from proofbook.protocol.events import (
    DeadManSet,
    Event,
    OrderReduced,
    OrderRemoved,
    OrderRested,
    OrdersCancelled,
    ProtectionChanged,
    QuoteRefused,
    TriggerPlaced,
    TriggerRemoved,
)
from proofbook.protocol.identifiers import instrument_id, instrument_slot
from proofbook.protocol.limits import ArenaId
from proofbook.protocol.records import AccountRecord, InstrumentRecord, PositionRecord

NO_SLOT = 0
NOTHING_HELD = (0, 0)

MOVES_NOTHING = (
    OrderRested,
    OrderRemoved,
    OrderReduced,
    OrdersCancelled,
    QuoteRefused,
    ProtectionChanged,
    DeadManSet,
    TriggerPlaced,
    TriggerRemoved,
)
"""Events of accounts that leave every position as it is, by themselves."""

TRADES = frozenset(
    {"PLACE", "AMEND", "QUOTE_BATCH", "FIRE_TRIGGER", "UNCROSS", "CANCEL", "CANCEL_ALL"}
)
"""Commands that change no position but those in the instruments that their events name."""


class Holding(NamedTuple):
    """A position after an entry."""

    account: int
    instrument: int
    lots: int
    entry_atoms: int


class Holdings:
    """All positions as of the last entry."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: dict[int, dict[int, tuple[int, int]]] = {}
        self._slots: dict[tuple[int, int], int] = {}

    def take_up(self, account: int, record: AccountRecord) -> None:
        """Start from what an account holds."""
        held = self._held_from(account, record)
        some = {slot: both for slot, both in held.items() if both != NOTHING_HELD}
        if some:
            self._held[account] = some

    def changes(
        self, kind: str, accounts: Sequence[int], events: Sequence[Event]
    ) -> Iterator[Holding]:
        """Yield the positions that an entry changed, by account and instrument."""
        if all(isinstance(event, MOVES_NOTHING) for event in events):
            return
        named = {
            instrument_slot(instrument)
            for event in events
            if (instrument := getattr(event, "instrument", 0))
        }
        for account in accounts:
            held = self._held.setdefault(account, {})
            after = (
                {slot: self._read(account, slot) for slot in named}
                if kind in TRADES
                else dict.fromkeys(held, NOTHING_HELD) | self._read_all(account)
            )
            for slot in sorted(after):
                if after[slot] != held.get(slot, NOTHING_HELD):
                    yield Holding(account, self._number(slot), *after[slot])
                    held[slot] = after[slot]
                if after[slot] == NOTHING_HELD:
                    held.pop(slot, None)

    def _read(self, account: int, instrument: int) -> tuple[int, int]:
        slot = self._slots.get((account, instrument), NO_SLOT)
        if slot:
            record = PositionRecord.unpack(self._engine.read(ArenaId.POSITIONS, slot))
            if (record.account, record.instrument) == (account, instrument):
                return record.lots, record.entry_atoms
        return self._read_all(account).get(instrument, NOTHING_HELD)

    def _read_all(self, account: int) -> dict[int, tuple[int, int]]:
        """Return what an account holds by slot of instruments, and learn where it stands."""
        data = self._engine.read(ArenaId.ACCOUNTS, account)
        return self._held_from(account, AccountRecord.unpack(data))

    def _held_from(self, account: int, record: AccountRecord) -> dict[int, tuple[int, int]]:
        held: dict[int, tuple[int, int]] = {}
        slot = record.positions_head
        while slot:
            position = PositionRecord.unpack(self._engine.read(ArenaId.POSITIONS, slot))
            held[position.instrument] = position.lots, position.entry_atoms
            self._slots[account, position.instrument] = slot
            slot = position.next_in_account
        return held

    def _number(self, slot: int) -> int:
        """Return the number of the instrument in a slot, which is listed: somebody holds it."""
        record = InstrumentRecord.unpack(self._engine.read(ArenaId.INSTRUMENTS, slot))
        return instrument_id(slot, record.generation)
