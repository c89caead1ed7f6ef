"""Histories in PostgreSQL: a schema of its own in a database of a server."""

import re
from collections.abc import Sequence
from io import BytesIO
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import pg8000.dbapi
from pg8000.exceptions import Error

from proofbook.history.errors import DatabaseSettingInvalid
from proofbook.history.tables import Kind, Row, Table, Value

SCHEMA = "proofbook"
MIGRATION_LOCK = 0x70726F6F66
"""The letters "proof"."""
CONNECT_SECONDS = 10
STATEMENT_MILLISECONDS = 60_000
TYPES = {
    Kind.INTEGER: "BIGINT", Kind.EXACT: "NUMERIC(39, 0)", Kind.TEXT: "TEXT", Kind.BYTES: "BYTEA",
}  # fmt: skip
ESCAPED = re.compile(r"[\\\t\n\r]")
ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}


class Postgres:
    """The dialect of PostgreSQL, for one database."""

    name = "postgresql"
    placeholder = "%s"
    begin = "BEGIN ISOLATION LEVEL READ COMMITTED"
    begin_to_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    zero_hash = r"decode(repeat('00', 32), 'hex')"
    table_options = ""
    errors: tuple[type[Exception], ...] = (Error, OSError)

    def __init__(self, setting: str) -> None:
        """Take a URL: postgresql://user:password@host:port/database, socket folder as ?host=.

        Raises DatabaseSettingInvalid.
        """
        try:
            parts = urlsplit(setting)
            port = parts.port or 5432
        except ValueError as error:
            raise DatabaseSettingInvalid(_without_password(setting), str(error)) from None
        if "\0" in unquote(setting):
            raise DatabaseSettingInvalid(_without_password(setting), "it has a zero byte")
        if not parts.username or not parts.path.strip("/"):
            reason = "a user and a database are needed: postgresql://user@host/database"
            raise DatabaseSettingInvalid(_without_password(setting), reason)
        folder = parse_qs(parts.query).get("host", [""])[0]
        self._options: dict[str, Any] = {
            "user": unquote(parts.username),
            "password": unquote(parts.password) if parts.password else None,
            "database": unquote(parts.path.strip("/")),
            "timeout": CONNECT_SECONDS,
        }
        if folder:
            self._options["unix_sock"] = f"{folder}/.s.PGSQL.{port}"
        else:
            self._options |= {"host": parts.hostname or "localhost", "port": port}

    def connect(self) -> Any:
        connection = pg8000.dbapi.connect(**self._options)
        connection.autocommit = True  # transactions are begun and ended in so many words
        return connection

    def prepare(self, connection: Any) -> None:
        """Look nowhere but into our schema; give up on what takes a minute."""
        cursor = connection.cursor()
        cursor.execute(f"SET client_min_messages = warning; SET search_path = {SCHEMA}")
        cursor.execute(f"SET statement_timeout = {STATEMENT_MILLISECONDS}")

    def check(self) -> None:
        """Do nothing: a server says itself that a database is gone."""

    def lock(self, cursor: Any) -> None:
        """Let one at a time bring the schema up to date, and make it."""
        cursor.execute(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")

    def tables(self, cursor: Any) -> list[str]:
        cursor.execute(f"SELECT tablename FROM pg_tables WHERE schemaname = '{SCHEMA}'")
        return [name for (name,) in cursor.fetchall()]

    def drop(self, cursor: Any) -> None:
        cursor.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
        cursor.execute(f"CREATE SCHEMA {SCHEMA}")

    def insert(self, cursor: Any, table: Table, rows: Sequence[Row]) -> None:
        """Copy rows in one stream: a round trip for all of them, not one for each."""
        lines = "".join("\t".join(map(_copied, row)) + "\n" for row in rows)
        columns = ", ".join(table.columns)
        stream = BytesIO(lines.encode())
        cursor.execute(f"COPY {table.name} ({columns}) FROM STDIN", stream=stream)

    def column(self, table: Table, name: str) -> str:
        collation = ' COLLATE "C"' if table.columns[name] is Kind.TEXT else ""
        return f"{name} {TYPES[table.columns[name]]}{collation}"

    def quotient(self, dividend: str, divisor: int) -> str:
        """Return the multiple of the divisor that a whole number begins with. Rounds down."""
        return f"div({dividend}, {divisor}) * {divisor}"

    def bound(self, value: Any) -> Any:
        """Return a value as the driver takes it."""
        return value

    def reason(self, error: Exception) -> str:
        """Return what the server said, without the place in its sources."""
        said = error.args[0] if error.args else error
        return (
            str(cast(dict[str, Any], said).get("M", said)) if isinstance(said, dict) else str(said)
        )


def _copied(value: Value) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, bytes):
        return r"\\x" + value.hex()
    if isinstance(value, int):
        return str(value)
    return ESCAPED.sub(lambda found: ESCAPES[found[0]], value)


def _without_password(setting: str) -> str:
    return re.sub(r":[^:@/]*@", ":…@", setting)
