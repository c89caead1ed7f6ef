"""Questions to a history: rows of one table or view, by account, instrument and time."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from proofbook.history.database import Database
from proofbook.history.errors import QuestionRefused
from proofbook.history.tables import CANDLE_MINUTES, TABLES, Kind, Row, Value

ROWS_MAX = 10_000
SEQ_TOGETHER = 10_000
"""Entries whose rows one step of a whole table reads."""

ORDER_COLUMNS = {
    "order_number": Kind.EXACT, "account": Kind.INTEGER, "instrument": Kind.INTEGER,
    "side": Kind.INTEGER, "price_ticks": Kind.INTEGER, "lots": Kind.EXACT, "nonce": Kind.EXACT,
    "label": Kind.TEXT, "seq": Kind.INTEGER, "place": Kind.INTEGER, "window_ns": Kind.EXACT,
    "filled_lots": Kind.EXACT, "removal": Kind.TEXT,
}  # fmt: skip
CANDLE_COLUMNS = {
    "instrument": Kind.INTEGER, "start_ns": Kind.EXACT, "open_ticks": Kind.INTEGER,
    "high_ticks": Kind.INTEGER, "low_ticks": Kind.INTEGER, "close_ticks": Kind.INTEGER,
    "lots": Kind.EXACT, "trades": Kind.INTEGER,
}  # fmt: skip
COLUMNS: dict[str, dict[str, Kind]] = {
    **{name: table.columns for name, table in TABLES.items()},
    "orders": ORDER_COLUMNS,
    **dict.fromkeys(CANDLE_MINUTES, CANDLE_COLUMNS),
}
"""What each table and each view has."""


class Question(NamedTuple):
    """Which rows: those of an account or instrument, from a moment on, before another."""

    account: int | None = None
    instrument: int | None = None
    from_ns: int | None = None
    to_ns: int | None = None
    before_seq: int | None = None


def ask(database: Database, name: str, question: Question, rows_max: int) -> list[Row]:
    """Return the newest rows that fit, newest first. Raises QuestionRefused."""
    if not 0 < rows_max <= ROWS_MAX:
        raise QuestionRefused(f"{rows_max} rows, at least 1 and at most {ROWS_MAX}")
    conditions, values = _conditions(name, question)
    columns = COLUMNS[name]
    latest = [column for column in ("start_ns", "seq", "place", "side") if column in columns]
    order = ", ".join(f"{column} DESC" for column in latest)
    text = f"SELECT {', '.join(columns)} FROM {name}{conditions} ORDER BY {order} LIMIT ?"
    return [exact(name, row) for row in database.select(text, [*values, rows_max])]


def scan(database: Database, name: str, question: Question) -> Iterator[list[Row]]:
    """Yield all rows of a table that fit, oldest first, some thousands at a time."""
    if name not in TABLES:
        raise QuestionRefused(f"no table is named {name}: {', '.join(TABLES)}")
    conditions, values = _conditions(name, question)
    table = TABLES[name]
    bounds = database.select(f"SELECT MIN(seq), MAX(seq) FROM {name}{conditions}", values)
    ((first_seq, last_seq),) = bounds
    if first_seq is None:
        return
    glue = " AND" if conditions else " WHERE"
    keys = ", ".join(list(table.columns)[: table.keys])
    text = (
        f"SELECT {', '.join(table.columns)} FROM {name}{conditions}"
        f"{glue} seq >= ? AND seq < ? ORDER BY {keys}"
    )
    for seq in range(first_seq, last_seq + 1, SEQ_TOGETHER):
        until = min(seq + SEQ_TOGETHER, last_seq + 1)
        yield [exact(name, row) for row in database.select(text, [*values, seq, until])]


def exact(name: str, row: Row) -> Row:
    """Return a row with whole numbers as such, however the database holds them."""
    kinds = COLUMNS[name].values()
    return tuple(_exact(kind, value) for kind, value in zip(kinds, row, strict=True))


def _exact(kind: Kind, value: Any) -> Value:
    if value is None or kind is Kind.TEXT:
        return value
    return bytes(value) if kind is Kind.BYTES else int(value)


def _conditions(name: str, question: Question) -> tuple[str, list[int]]:
    if name not in COLUMNS:
        raise QuestionRefused(f"no table is named {name}: {', '.join(COLUMNS)}")
    time = "start_ns" if "start_ns" in COLUMNS[name] else "window_ns"
    asked = (
        ("account", "=", question.account),
        ("instrument", "=", question.instrument),
        (time, ">=", question.from_ns),
        (time, "<", question.to_ns),
        ("seq", "<", question.before_seq),
    )
    parts: list[str] = []
    values: list[int] = []
    for column, sign, value in asked:
        if value is None:
            continue
        if column not in COLUMNS[name]:
            raise QuestionRefused(f"{name} has no {column}")
        parts.append(f"{column} {sign} ?")
        values.append(value)
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), values
