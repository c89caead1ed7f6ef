"""The tables of a history: columns, keys, indexes, views, and how they came about.

Money is in atoms, prices in ticks, sizes in lots, times in nanoseconds since the Unix epoch. All
rows are only ever added. Integers are exact: INTEGER where 64 signed bits always do, else EXACT,
which is NUMERIC in PostgreSQL; SQLite holds what exceeds 64 bits as decimal text.
"""

from enum import StrEnum
from typing import NamedTuple

NS_PER_MINUTE = 60 * 10**9

Value = int | str | bytes | None
Row = tuple[Value, ...]


class Kind(StrEnum):
    """What a column holds."""

    INTEGER = "integer"
    EXACT = "exact"
    TEXT = "text"
    BYTES = "bytes"


class Table(NamedTuple):
    """A table; the first `keys` columns are its primary key, the order of its rows."""

    name: str
    columns: dict[str, Kind]
    keys: int
    indexes: tuple[tuple[str, ...], ...] = ()


I, E, T, B = Kind.INTEGER, Kind.EXACT, Kind.TEXT, Kind.BYTES  # noqa: E741

TABLES = {
    table.name: table
    for table in (
        Table(
            "entries",
            {
                "seq": I, "window_ns": E, "received_ns": E, "kind": T, "account": I,
                "hash": B, "outcome": T, "reason": T,
            },
            1,
            (("account", "seq"), ("window_ns",)),
        ),
        Table(
            "instruments",
            {
                "seq": I, "place": I, "instrument": I, "name": T, "underlying": T, "kind": T,
                "expiry_ns": E, "strike_atoms": E, "tick_atoms": E, "lot_nanos": E,
                "price_offset_ticks": I,
            },
            2,
            (("instrument",), ("name",)),
        ),
        Table(
            "order_changes",
            {
                "seq": I, "place": I, "window_ns": E, "account": I, "instrument": I,
                "order_number": E, "nonce": E, "change": T, "detail": T,
                "side": I, "price_ticks": I, "lots": E, "label": T,
            },
            2,
            (("account", "seq"), ("instrument", "seq"), ("order_number",)),
        ),
        Table(
            "fills",
            {
                "seq": I, "place": I, "side": I, "window_ns": E, "account": I,
                "counterparty": I, "instrument": I, "price_ticks": I, "lots": E,
                "role": T, "fee_atoms": E, "order_number": E, "nonce": E,
            },
            3,
            (("account", "seq"), ("instrument", "seq"), ("window_ns",), ("order_number",)),
        ),
        Table(
            "leg_fills",
            {
                "seq": I, "place": I, "window_ns": E, "instrument": I, "taker_account": I,
                "maker_account": I, "taker_lots": E, "atoms_per_lot": E,
            },
            2,
            (("taker_account", "seq"), ("maker_account", "seq"), ("instrument", "seq")),
        ),
        Table(
            "transactions",
            {
                "seq": I, "account": I, "place": I, "window_ns": E, "kind": T, "token": I,
                "amount_atoms": E, "balance_atoms": E,
            },
            3,
            (("account", "seq"), ("window_ns",)),
        ),
        Table(
            "positions",
            {
                "seq": I, "account": I, "instrument": I, "window_ns": E,
                "lots": E, "entry_atoms": E,
            },
            3,
            (("account", "instrument", "seq"), ("instrument", "seq")),
        ),
        Table(
            "prices",
            {
                "seq": I, "place": I, "window_ns": E, "kind": T, "underlying": I,
                "instrument": I, "value": E,
            },
            2,
            (("instrument", "seq"), ("underlying", "seq")),
        ),
    )
}  # fmt: skip
"""By name. In `instruments` and `prices`, 0 stands where a column does not apply."""

IDENTITY = Table("venue", {"name": T, "value": T}, 1)
"""Genesis, chain id and contract, in hexadecimal or decimal digits; and the schema's version."""

POSITION = Table("progress", {"id": I, "seq": I, "chain_hash": B}, 1)
"""One row: the last entry that the rows hold, and the journal's hash chain after it."""

OURS = frozenset({*TABLES, IDENTITY.name, POSITION.name})

CANDLE_MINUTES = {"candles_minute": 1, "candles_hour": 60, "candles_day": 1440}

CANDLES = """
CREATE VIEW {name} AS
SELECT instrument, start_ns,
  MAX(CASE WHEN from_first = 1 THEN price_ticks END) AS open_ticks,
  MAX(price_ticks) AS high_ticks, MIN(price_ticks) AS low_ticks,
  MAX(CASE WHEN from_last = 1 THEN price_ticks END) AS close_ticks,
  SUM(lots) AS lots, COUNT(*) AS trades
FROM (
  SELECT instrument, price_ticks, lots, start_ns,
    ROW_NUMBER() OVER (PARTITION BY instrument, start_ns ORDER BY seq, place) AS from_first,
    ROW_NUMBER() OVER (PARTITION BY instrument, start_ns ORDER BY seq DESC, place DESC) AS from_last
  FROM (
    SELECT instrument, price_ticks, lots, seq, place, {start} AS start_ns
    FROM fills WHERE side = 0
  ) AS trades
) AS numbered
GROUP BY instrument, start_ns
"""

ORDERS = """
CREATE VIEW orders AS
SELECT placed.order_number, placed.account, placed.instrument, placed.side, placed.price_ticks,
  placed.lots, placed.nonce, placed.label, placed.seq, placed.place, placed.window_ns,
  COALESCE((SELECT SUM(fills.lots) FROM fills
    WHERE fills.order_number = placed.order_number AND fills.account = placed.account
  ), 0) AS filled_lots,
  (SELECT ended.detail FROM order_changes AS ended
    WHERE ended.order_number = placed.order_number AND ended.change = 'REMOVED'
      AND (ended.seq, ended.place) > (placed.seq, placed.place)
    ORDER BY ended.seq, ended.place LIMIT 1
  ) AS removal
FROM order_changes AS placed WHERE placed.change = 'RESTED'
"""
