"""Histories in SQLite: a file, readable while it is written."""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proofbook.history.errors import HistoryRemoved
from proofbook.history.tables import Kind, Row, Table

BUSY_SECONDS = 5.0
TYPES = {Kind.INTEGER: "INTEGER", Kind.EXACT: "ANY", Kind.TEXT: "TEXT", Kind.BYTES: "BLOB"}
INTEGERS = range(-(1 << 63), 1 << 63)


class Sqlite:
    """The dialect of SQLite. Tables are STRICT: no value changes its type."""

    name = "sqlite"
    placeholder = "?"
    begin = "BEGIN IMMEDIATE"
    begin_to_read = "BEGIN"
    zero_hash = "zeroblob(32)"
    table_options = " STRICT, WITHOUT ROWID"
    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: os.stat_result | None = None

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Let readers read while one writes. A lost power supply costs rows, which come again."""
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        self._opened = os.stat(self.path)

    def check(self) -> None:
        """Raise HistoryRemoved once another file, or none, has the name of what was opened.

        SQLite would write on into a file without a name.
        """
        try:
            now = os.stat(self.path)
        except OSError:
            now = None
        if now is None or self._opened is None or not os.path.samestat(now, self._opened):
            raise HistoryRemoved(self.path)

    def lock(self, cursor: sqlite3.Cursor) -> None:
        """Do nothing: the transaction has the file to itself."""

    def tables(self, cursor: sqlite3.Cursor) -> list[str]:
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        return [name for (name,) in cursor.execute(names).fetchall()]

    def drop(self, cursor: sqlite3.Cursor) -> None:
        query = "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'table')"
        for kind, name in sorted(cursor.execute(query).fetchall(), reverse=True):
            cursor.execute(f"DROP {kind} {name}")

    def insert(self, cursor: sqlite3.Cursor, table: Table, rows: Sequence[Row]) -> None:
        marks = ", ".join("?" * len(table.columns))
        bound = ([self.bound(value) for value in row] for row in rows)
        cursor.executemany(f"INSERT INTO {table.name} VALUES ({marks})", bound)

    def column(self, table: Table, name: str) -> str:
        return f"{name} {TYPES[table.columns[name]]}"

    def quotient(self, dividend: str, divisor: int) -> str:
        """Return the multiple of the divisor that a whole number begins with. Rounds down."""
        return f"{dividend} / {divisor} * {divisor}"

    def bound(self, value: Any) -> Any:
        """Return a value as it is stored: integers beyond 64 bits as decimal text."""
        return str(value) if isinstance(value, int) and value not in INTEGERS else value

    def reason(self, error: Exception) -> str:
        return str(error)
