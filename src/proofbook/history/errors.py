"""What may go wrong with a history.

Faults:

    HistoryFault
    ├── DatabaseSettingInvalid   the setting names no database that we know
    ├── DatabaseFailed           the database refused or was gone: worth another try
    ├── DatabaseForeign          the database holds tables that are not a history's
    ├── HistoryDamaged           what a history says of itself cannot be read
    ├── HistoryRemoved           its file is gone, or another one is in its place
    ├── HistoryTooNew            a later program wrote the history
    ├── HistoryOfAnotherVenue    the history has another genesis, chain or contract
    ├── HistoryOfAnotherJournal  the history and the journal differ
    ├── HistoryTaken             another process follows into the same history
    ├── JournalNotFound          there is no journal in the folder
    ├── JournalDamaged           the journal does not hold what was written there
    └── QuestionRefused          no such table, account or range
"""

from pathlib import Path


class HistoryFault(Exception):
    """A fault of the database, of the journal, or of a setting."""


class DatabaseSettingInvalid(HistoryFault):
    """Operands: setting, reason."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{setting!r} names no database: {reason}")
        self.setting = setting
        self.reason = reason


class DatabaseFailed(HistoryFault):
    """Operands: operation, reason."""

    def __init__(self, operation: str, reason: str) -> None:
        super().__init__(f"the database failed to {operation}: {reason}")
        self.operation = operation
        self.reason = reason


class DatabaseForeign(HistoryFault):
    """Operands: tables, at most three of them."""

    def __init__(self, tables: list[str]) -> None:
        super().__init__(f"the database is no history, it holds {', '.join(tables)}")
        self.tables = tables


class HistoryDamaged(HistoryFault):
    """Operands: what, reason."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(
            f"the history does not say {what} ({reason}): remove it, and the journal gives another"
        )
        self.what = what
        self.reason = reason


class HistoryRemoved(HistoryFault):
    """Operands: path."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} was removed or replaced: start again, and the journal fills it")
        self.path = path


class HistoryTooNew(HistoryFault):
    """Operands: version, version_known."""

    def __init__(self, version: int, version_known: int) -> None:
        super().__init__(f"the history has version {version}, this program knows {version_known}")
        self.version = version
        self.version_known = version_known


class HistoryOfAnotherVenue(HistoryFault):
    """Operands: name, found, expected."""

    def __init__(self, name: str, found: str, expected: str) -> None:
        super().__init__(f"the history has {name} {found}, the venue {expected}")
        self.name = name
        self.found = found
        self.expected = expected


class HistoryOfAnotherJournal(HistoryFault):
    """Operands: seq, reason."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(f"the history stands at entry {seq}, {reason}: rebuild it")
        self.seq = seq
        self.reason = reason


class HistoryTaken(HistoryFault):
    """Operands: seq, where this process had left the history."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"another process has moved the history on from entry {seq}")
        self.seq = seq


class JournalNotFound(HistoryFault):
    """Operands: folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"there is no journal in {folder}")
        self.folder = folder


class JournalDamaged(HistoryFault):
    """Operands: path, offset, seq, reason."""

    def __init__(self, path: Path, offset: int, seq: int, reason: str) -> None:
        super().__init__(f"{path} is damaged at byte {offset}, entry {seq}: {reason}")
        self.path = path
        self.offset = offset
        self.seq = seq
        self.reason = reason


class QuestionRefused(HistoryFault):
    """Operands: reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
