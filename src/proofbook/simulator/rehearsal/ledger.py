"""Where the money is, recounted from the records of the state."""

from dataclasses import dataclass

from proofbook.protocol.engine import Engine
from proofbook.protocol.limits import ArenaId
from proofbook.protocol.records import (
    AccountRecord,
    GlobalRecord,
    InstrumentRecord,
    PositionRecord,
    RiskArrayRecord,
)


@dataclass(frozen=True, slots=True)
class Ledger:
    """All money in custody, in atoms: cash, entries of positions, funding and final values that
    are not settled yet.
    """

    deposits_atoms: int
    withdrawals_atoms: int
    cash_atoms: int
    entries_atoms: int
    funding_atoms: int
    finals_atoms: int

    @property
    def atoms_lost(self) -> int:
        """What was paid in and is neither paid out nor anywhere; 0 if no atom is lost."""
        held = self.cash_atoms + self.entries_atoms - self.funding_atoms + self.finals_atoms
        return self.deposits_atoms - self.withdrawals_atoms - held


def recount(engine: Engine) -> Ledger:
    """Add up every account and every position."""
    header = GlobalRecord.unpack(engine.read(ArenaId.GLOBAL, 0))
    cash = entries = funding = finals = 0
    for account in range(1, _records(engine, ArenaId.ACCOUNTS)):
        record = AccountRecord.unpack(engine.read(ArenaId.ACCOUNTS, account))
        cash += record.cash_atoms
        slot = record.positions_head
        while slot:
            held = PositionRecord.unpack(engine.read(ArenaId.POSITIONS, slot))
            book = InstrumentRecord.unpack(engine.read(ArenaId.INSTRUMENTS, held.instrument))
            entries += held.entry_atoms
            funding += held.lots * (book.funding_index - held.funding_index)
            if book.settled_ns:
                data = engine.read(ArenaId.RISK_ARRAYS, held.instrument)
                finals += held.lots * RiskArrayRecord.unpack(data).mark_atoms
            slot = held.next_in_account
    return Ledger(header.deposits_atoms, header.withdrawals_atoms, cash, entries, funding, finals)


def _records(engine: Engine, arena: ArenaId) -> int:
    """Return the first slot of an arena that was never used: its header has it."""
    return int.from_bytes(engine.read(arena, 0)[12:16], "little")
