"""How a history's schema came about, step by step; a step that was released never changes."""

from typing import TYPE_CHECKING

from proofbook.history.tables import (
    CANDLE_MINUTES,
    CANDLES,
    IDENTITY,
    NS_PER_MINUTE,
    ORDERS,
    POSITION,
    TABLES,
    Table,
)

if TYPE_CHECKING:
    from proofbook.history.database import Dialect

Step = tuple[str, ...]


def migrations(dialect: "Dialect") -> tuple[Step, ...]:
    """Return the steps from nothing to the newest version: version n is after n of them."""
    return (_tables(dialect), _indexes(), _views(dialect))


def _tables(dialect: "Dialect") -> Step:
    tables = (IDENTITY, POSITION, *TABLES.values())
    start = f"INSERT INTO {POSITION.name} VALUES (1, 0, {dialect.zero_hash})"
    return (*(create_table(dialect, table) for table in tables), start)


def _indexes() -> Step:
    return tuple(
        f"CREATE INDEX {table.name}_by_{'_'.join(columns)} ON {table.name} ({', '.join(columns)})"
        for table in TABLES.values()
        for columns in table.indexes
    )


def _views(dialect: "Dialect") -> Step:
    candles = (
        CANDLES.format(name=name, start=dialect.quotient("window_ns", minutes * NS_PER_MINUTE))
        for name, minutes in CANDLE_MINUTES.items()
    )
    return (*candles, ORDERS)


def create_table(dialect: "Dialect", table: Table) -> str:
    """Return the statement that makes a table."""
    names = list(table.columns)
    columns = [dialect.column(table, name) for name in names]
    key = f"PRIMARY KEY ({', '.join(names[: table.keys])})"
    return f"CREATE TABLE {table.name} ({', '.join([*columns, key])}){dialect.table_options}"
