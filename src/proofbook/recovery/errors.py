"""What may be wrong with a snapshot.

Faults:

    RecoveryFault
    ├── SnapshotRefused      passed over: an older one, or the journal from its start, will do
    │   ├── SnapshotUnreadable      the operating system refused
    │   ├── SnapshotDamaged         the file does not hold what was written there
    │   ├── SnapshotOfAnotherVenue  taken of another genesis, chain or contract
    │   └── SnapshotOfAnotherJournal  at its place the journal holds other entries
    ├── JournalBehindSnapshot  the journal has lost entries that were on disk: nothing goes on
    ├── JournalBehindSeal      likewise
    ├── JournalUnlikeSeal      the journal has other entries than the venue has sealed: likewise
    ├── SnapshotUnwritable     the disk took no new one, or kept an old one
    └── SealRefused            a journal's seal is not used: every signature is checked
"""

from pathlib import Path


class RecoveryFault(Exception):
    """A fault of snapshots, or of a journal that they show to be incomplete."""


class SnapshotRefused(RecoveryFault):
    """A snapshot that is not used. Operands: path, reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class SnapshotUnreadable(SnapshotRefused):
    """Operands: path, reason."""


class SnapshotDamaged(SnapshotRefused):
    """Operands: path, reason."""


class SnapshotOfAnotherVenue(SnapshotRefused):
    """Operands: path, reason."""


class SnapshotOfAnotherJournal(SnapshotRefused):
    """Operands: path, reason."""


class JournalBehindSnapshot(RecoveryFault):
    """Operands: path, seq.

    What had a receipt up to seq is gone; another entry under its number would contradict it.
    """

    def __init__(self, path: Path, seq: int) -> None:
        super().__init__(
            f"the journal ends before {seq}, and {path} was taken of it there: "
            "entries that were on disk are lost; bring the journal back, or move the snapshot away"
        )
        self.path = path
        self.seq = seq


class JournalBehindSeal(RecoveryFault):
    """Operands: path, seq (up to which the venue itself has sealed the journal)."""

    def __init__(self, path: Path, seq: int) -> None:
        super().__init__(
            f"the journal ends before {seq}, and {path} seals it up to there: "
            "entries that were on disk are lost; bring the journal back, or move the seal away"
        )
        self.path = path
        self.seq = seq


class JournalUnlikeSeal(RecoveryFault):
    """Operands: path, seq (up to which the venue itself has sealed another journal)."""

    def __init__(self, path: Path, seq: int) -> None:
        super().__init__(
            f"the journal has other entries up to {seq} than this venue has sealed by {path}: "
            "what had receipts is lost; bring its journal back, or move the seal away"
        )
        self.path = path
        self.seq = seq


class SnapshotUnwritable(RecoveryFault):
    """Operands: path, reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot write {path}: {reason}")
        self.path = path
        self.reason = reason


class SealRefused(RecoveryFault):
    """A seal that is not used. Operands: path, reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
