"""A history in a database: one connection, its schema brought up to date, rows and position.

Rows and the position that they bring are written in one transaction, which starts from the position
that was read before: whoever comes second writes nothing.
"""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Protocol, Self

from proofbook.history.errors import (
    DatabaseFailed,
    DatabaseForeign,
    HistoryDamaged,
    HistoryOfAnotherVenue,
    HistoryTaken,
    HistoryTooNew,
)
from proofbook.history.migrations import migrations
from proofbook.history.tables import IDENTITY, OURS, POSITION, TABLES, Row, Table


class Position(NamedTuple):
    """The last entry that the rows hold, and the journal's hash chain after it."""

    seq: int
    chain_hash: bytes


START = Position(0, bytes(32))


class Identity(NamedTuple):
    """Of which venue a history is."""

    genesis: bytes
    chain_id: int
    contract: bytes

    def texts(self) -> dict[str, str]:
        return {
            "genesis": self.genesis.hex(),
            "chain_id": str(self.chain_id),
            "contract": self.contract.hex(),
        }


class Dialect(Protocol):
    """What differs between databases. `errors` are those of its driver and of the network."""

    name: str
    placeholder: str
    begin: str
    begin_to_read: str
    zero_hash: str
    table_options: str
    errors: tuple[type[Exception], ...]

    def connect(self) -> Any: ...
    def prepare(self, connection: Any) -> None: ...
    def check(self) -> None: ...
    def lock(self, cursor: Any) -> None: ...
    def tables(self, cursor: Any) -> list[str]: ...
    def drop(self, cursor: Any) -> None: ...
    def insert(self, cursor: Any, table: Table, rows: Sequence[Row]) -> None: ...
    def column(self, table: Table, name: str) -> str: ...
    def quotient(self, dividend: str, divisor: int) -> str: ...
    def bound(self, value: Any) -> Any: ...
    def reason(self, error: Exception) -> str: ...


class Database:
    """A connection to a history. Every method raises DatabaseFailed, HistoryRemoved."""

    def __init__(self, dialect: Dialect) -> None:
        """Connect and bring the schema up to date. Raises DatabaseForeign, HistoryTooNew too."""
        self.dialect = dialect
        with self._failing("connect"):
            self._connection = dialect.connect()
        try:
            with self._failing("prepare"):
                dialect.prepare(self._connection)
            self._migrate()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection, broken or not."""
        with suppress(*self.dialect.errors):
            self._connection.close()

    def identity(self) -> Identity | None:
        """Return of which venue the history is; None for a new one."""
        named = self._named()
        if "genesis" not in named:
            return None
        with understanding("whose it is"):
            return Identity(
                bytes.fromhex(named["genesis"]),
                int(named["chain_id"]),
                bytes.fromhex(named["contract"]),
            )

    def claim(self, identity: Identity) -> None:
        """Make the history that of a venue, or check that it is. Raises HistoryOfAnotherVenue."""
        with self._transaction("name the venue of") as cursor:
            named = dict(self._rows(cursor, f"SELECT name, value FROM {IDENTITY.name}"))
            for name, expected in identity.texts().items():
                found = named.get(name)
                if found is None:
                    self.dialect.insert(cursor, IDENTITY, [(name, expected)])
                elif found != expected:
                    raise HistoryOfAnotherVenue(name, found[:40], expected[:40])

    def position(self) -> Position:
        """Return how far the history has come."""
        with understanding("how far it has come"):
            ((seq, chain_hash),) = self.select(f"SELECT seq, chain_hash FROM {POSITION.name}")
            return Position(seq, bytes(chain_hash))

    def write(self, before: Position, after: Position, rows: dict[str, list[Row]]) -> None:
        """Add rows and move the position, both or neither. Raises HistoryTaken."""
        with self._transaction("write rows to") as cursor:
            mark = self.dialect.placeholder
            cursor.execute(
                f"UPDATE {POSITION.name} SET seq = {mark}, chain_hash = {mark} "
                f"WHERE seq = {mark} AND chain_hash = {mark}",
                (*after, *before),
            )
            if cursor.rowcount != 1:
                raise HistoryTaken(before.seq)
            for name, added in rows.items():
                self.dialect.insert(cursor, TABLES[name], added)

    def reset(self) -> None:
        """Forget every row, whatever version wrote it; the venue stays the same."""
        identity = self.identity()
        with self._transaction("reset") as cursor:
            self.dialect.drop(cursor)
            self._upgrade(cursor, 0)
            for name, value in identity.texts().items() if identity else ():
                self.dialect.insert(cursor, IDENTITY, [(name, value)])

    def select(self, question: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query, `?` standing for each value."""
        with self._transaction("read", self.dialect.begin_to_read) as cursor:
            return self._rows(cursor, question, values)

    def _named(self) -> dict[str, str]:
        return dict(self.select(f"SELECT name, value FROM {IDENTITY.name}"))

    def _rows(self, cursor: Any, question: str, values: Iterable[Any] = ()) -> list[Any]:
        bound = [self.dialect.bound(value) for value in values]
        cursor.execute(question.replace("?", self.dialect.placeholder), bound)
        return [tuple(row) for row in cursor.fetchall()]

    def _migrate(self) -> None:
        with self._transaction("bring up to date") as cursor:
            self.dialect.lock(cursor)
            tables = self.dialect.tables(cursor)
            if IDENTITY.name not in tables:
                foreign = sorted(set(tables) - OURS)
                if foreign:
                    raise DatabaseForeign(foreign[:3])
                self._upgrade(cursor, 0)
                return
            query = f"SELECT value FROM {IDENTITY.name} WHERE name = 'schema_version'"
            with understanding("its version"):
                ((version,),) = ((int(text),) for (text,) in self._rows(cursor, query))
            known = len(migrations(self.dialect))
            if version > known:
                raise HistoryTooNew(version, known)
            if version < known:
                self._upgrade(cursor, version)

    def _upgrade(self, cursor: Any, version: int) -> None:
        steps = migrations(self.dialect)
        for statements in steps[version:]:
            for statement in statements:
                cursor.execute(statement)
        cursor.execute(f"DELETE FROM {IDENTITY.name} WHERE name = 'schema_version'")
        self.dialect.insert(cursor, IDENTITY, [("schema_version", str(len(steps)))])

    @contextmanager
    def _transaction(self, operation: str, begin: str = "") -> Generator[Any]:
        self.dialect.check()
        with self._failing(operation):
            cursor = self._connection.cursor()
            cursor.execute(begin or self.dialect.begin)
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                with suppress(*self.dialect.errors):
                    cursor.execute("ROLLBACK")
                raise

    @contextmanager
    def _failing(self, operation: str) -> Generator[None]:
        try:
            yield
        except self.dialect.errors as error:
            raise DatabaseFailed(operation, self.dialect.reason(error)) from error


@contextmanager
def understanding(what: str) -> Generator[None]:
    """Raise HistoryDamaged where a history does not say of itself what every history does."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise HistoryDamaged(what, str(error)) from None
