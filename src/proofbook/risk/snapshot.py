"""Read a Deribit option chain from a CSV file.

A row that cannot be used is counted under one reason, the first that applies in the order of
`Unusable`. A file that is no option chain at all is a `SnapshotFault`.

Columns  prices in units of the underlying (inverse options), `underlying` is the forward of the
         row's expiry, `implied_volatility` in units of 1. An empty or zero bid or ask is no quote.
"""

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from statistics import median

from proofbook.protocol.limits import (
    EXPIRIES_PER_UNDERLYING_MAX,
    EXPIRY_AHEAD_MAX_NS,
    INDEX_ATOMS_MAX,
    NS_PER_SECOND,
    NS_PER_YEAR,
    InstrumentKind,
)
from proofbook.risk.chain import (
    ATOMS_PER_USD,
    ChainSnapshot,
    ExpiryChain,
    OptionQuote,
    Snapshot,
    is_expiry_time,
)

FILE_BYTES_MAX = 1 << 26
"""64 MiB: a hundred times the largest chain seen; more is some other file."""

STRIKE_STEPS_ATOMS: Mapping[str, int] = {"BTC": 50 * ATOMS_PER_USD, "ETH": ATOMS_PER_USD}
"""Underlyings that a venue lists, with the finest step of their strikes."""

STRIKE_TO_FORWARD_MAX = 50
"""A strike further than this factor from its forward is a typing error, not an option."""

VOLATILITY_MIN, VOLATILITY_MAX = 0.02, 10.0
TOTAL_VARIANCE_MAX = 30.0
"""Squared volatility times years: a published slice ends at 32."""

TAKEN_SPREAD_MAX_NS = 600 * NS_PER_SECOND
"""Rows of one snapshot are stamped within ten minutes of each other."""

EXPIRY_NEAREST_NS = 600 * NS_PER_SECOND
"""An option that expires within ten minutes would expire while it trades."""

INSTRUMENTS_MAX = 4000
"""Options of all underlyings: the arena has 4,096 slots, perpetuals and the header take some."""

KINDS = {"call": InstrumentKind.CALL, "put": InstrumentKind.PUT}
COLUMNS = (
    "timestamp", "option_type", "strike", "expiry_datetime", "underlying", "bid_price", "ask_price",
    "mark_price", "implied_volatility", "currency", "index_price",
)  # fmt: skip
REQUIRED = tuple(column for column in COLUMNS if column not in ("bid_price", "ask_price"))


class Unusable(StrEnum):
    """Why a row is of no use, in order of precedence."""

    FIELD_MISSING = "field_missing"
    FIELD_SURPLUS = "field_surplus"
    NOT_A_NUMBER = "not_a_number"
    TIME_INVALID = "time_invalid"
    CURRENCY_UNKNOWN = "currency_unknown"
    OPTION_TYPE_UNKNOWN = "option_type_unknown"
    SNAPSHOT_TIME_DIFFERS = "snapshot_time_differs"
    EXPIRED = "expired"
    EXPIRES_TOO_SOON = "expires_too_soon"
    EXPIRES_TOO_LATE = "expires_too_late"
    EXPIRY_OFF_GRID = "expiry_off_grid"
    STRIKE_NOT_POSITIVE = "strike_not_positive"
    FORWARD_NOT_POSITIVE = "forward_not_positive"
    INDEX_NOT_POSITIVE = "index_not_positive"
    PRICE_OUT_OF_RANGE = "price_out_of_range"
    STRIKE_OUT_OF_RANGE = "strike_out_of_range"
    STRIKE_OFF_GRID = "strike_off_grid"
    VOLATILITY_OUT_OF_RANGE = "volatility_out_of_range"
    QUOTE_NEGATIVE = "quote_negative"
    QUOTE_CROSSED = "quote_crossed"
    DUPLICATE = "duplicate"
    EXPIRY_LIMIT = "expiry_limit"
    INSTRUMENT_LIMIT = "instrument_limit"


class SnapshotFault(Exception):
    """A file that cannot be read as an option chain."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class _Refused(Exception):
    """A row that is of no use."""

    def __init__(self, reason: Unusable) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Row:
    taken_ns: int
    symbol: str
    expiry_ns: int
    forward_usd: float
    index_usd: float
    option: OptionQuote


def read_snapshot(path: Path) -> Snapshot:
    """Return the chains of a file. Raises SnapshotFault where it is no option chain."""
    records = _records(path)
    unusable: Counter[str] = Counter()
    taken_ns = _snapshot_time(path, records)
    rows: list[_Row] = []
    for record in records:
        try:
            rows.append(_row(record, taken_ns))
        except _Refused as refused:
            unusable[refused.reason] += 1
    rows = _within_limits(rows, unusable)
    if not rows:
        counts = ", ".join(f"{reason} {count}" for reason, count in sorted(unusable.items()))
        raise SnapshotFault(path, f"none of its {len(records)} rows is usable: {counts}")
    chains = tuple(
        _chain(symbol, taken_ns, [row for row in rows if row.symbol == symbol])
        for symbol in STRIKE_STEPS_ATOMS
        if any(row.symbol == symbol for row in rows)
    )
    return Snapshot(taken_ns, chains, len(records), dict(sorted(unusable.items())))


def _records(path: Path) -> list[dict[str, str]]:
    try:
        size = path.stat().st_size
        if size > FILE_BYTES_MAX:
            raise SnapshotFault(path, f"{size} bytes, at most {FILE_BYTES_MAX}")
        data = path.read_bytes()
    except OSError as error:
        raise SnapshotFault(path, error.strerror or str(error)) from error
    if not data.strip():
        raise SnapshotFault(path, "is empty")
    try:
        text = data.decode("utf-8-sig")
        reader = csv.DictReader(text.splitlines(), strict=True)
        records = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise SnapshotFault(path, f"is no CSV text: {error}") from error
    absent = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if absent:
        raise SnapshotFault(path, f"has no column {', '.join(absent)}")
    if not records:
        raise SnapshotFault(path, "has a heading and no rows")
    return records


def _snapshot_time(path: Path, records: Iterable[Mapping[str, str]]) -> int:
    """Return the median of the rows' times, so that one wrong stamp moves nothing."""
    times: list[int] = []
    for record in records:
        try:
            times.append(_time_ns(record.get("timestamp") or ""))
        except _Refused:
            continue
    if not times:
        raise SnapshotFault(path, "no row has a readable timestamp")
    return sorted(times)[(len(times) - 1) // 2]


def _row(record: Mapping[str, str], taken_ns: int) -> _Row:
    if any(not (record.get(column) or "").strip() for column in REQUIRED):
        raise _Refused(Unusable.FIELD_MISSING)
    if None in record:
        raise _Refused(Unusable.FIELD_SURPLUS)
    strike, forward, index, mark, volatility = (
        _number(record[column])
        for column in ("strike", "underlying", "index_price", "mark_price", "implied_volatility")
    )
    bid, ask = (_number(record.get(column) or "0") for column in ("bid_price", "ask_price"))
    row_ns, expiry_ns = _time_ns(record["timestamp"]), _time_ns(record["expiry_datetime"])
    symbol, kind = record["currency"].strip(), KINDS.get(record["option_type"].strip())
    if symbol not in STRIKE_STEPS_ATOMS:
        raise _Refused(Unusable.CURRENCY_UNKNOWN)
    if kind is None:
        raise _Refused(Unusable.OPTION_TYPE_UNKNOWN)
    _check_times(row_ns, expiry_ns, taken_ns)
    _check_levels(symbol, strike, forward, index)
    years = (expiry_ns - taken_ns) / NS_PER_YEAR
    is_level = VOLATILITY_MIN <= volatility <= VOLATILITY_MAX
    if not is_level or volatility**2 * years > TOTAL_VARIANCE_MAX:
        raise _Refused(Unusable.VOLATILITY_OUT_OF_RANGE)
    if min(bid, ask, mark) < 0:
        raise _Refused(Unusable.QUOTE_NEGATIVE)
    if ask > 0 and bid > ask:
        raise _Refused(Unusable.QUOTE_CROSSED)
    option = OptionQuote(
        _atoms(strike),
        kind,
        bid * forward or None,
        ask * forward or None,
        mark * forward,
        volatility,
    )
    return _Row(row_ns, symbol, expiry_ns, forward, index, option)


def _check_times(row_ns: int, expiry_ns: int, taken_ns: int) -> None:
    if abs(row_ns - taken_ns) > TAKEN_SPREAD_MAX_NS:
        raise _Refused(Unusable.SNAPSHOT_TIME_DIFFERS)
    if expiry_ns <= taken_ns:
        raise _Refused(Unusable.EXPIRED)
    if expiry_ns <= taken_ns + EXPIRY_NEAREST_NS:
        raise _Refused(Unusable.EXPIRES_TOO_SOON)
    if expiry_ns > taken_ns + EXPIRY_AHEAD_MAX_NS:
        raise _Refused(Unusable.EXPIRES_TOO_LATE)
    if not is_expiry_time(expiry_ns):
        raise _Refused(Unusable.EXPIRY_OFF_GRID)


def _check_levels(symbol: str, strike: float, forward: float, index: float) -> None:
    for value, reason in (
        (strike, Unusable.STRIKE_NOT_POSITIVE),
        (forward, Unusable.FORWARD_NOT_POSITIVE),
        (index, Unusable.INDEX_NOT_POSITIVE),
    ):
        if value <= 0:
            raise _Refused(reason)
    if (
        not 1
        <= min(forward, index) * ATOMS_PER_USD
        <= max(forward, index) * ATOMS_PER_USD
        <= INDEX_ATOMS_MAX
    ):
        raise _Refused(Unusable.PRICE_OUT_OF_RANGE)
    is_near = 1 / STRIKE_TO_FORWARD_MAX <= strike / forward <= STRIKE_TO_FORWARD_MAX
    if not is_near or strike * ATOMS_PER_USD > INDEX_ATOMS_MAX:
        raise _Refused(Unusable.STRIKE_OUT_OF_RANGE)
    if _atoms(strike) % STRIKE_STEPS_ATOMS[symbol]:
        raise _Refused(Unusable.STRIKE_OFF_GRID)


def _within_limits(rows: Iterable[_Row], unusable: Counter[str]) -> list[_Row]:
    """Return the rows without repetitions and without what a venue cannot hold; nearest expiries
    first.
    """
    seen: set[tuple[str, int, int, InstrumentKind]] = set()
    expiries: defaultdict[str, set[int]] = defaultdict(set)
    kept: list[_Row] = []
    for row in sorted(rows, key=lambda row: row.expiry_ns):
        key = (row.symbol, row.expiry_ns, row.option.strike_atoms, row.option.kind)
        known = expiries[row.symbol]
        if key in seen:
            unusable[Unusable.DUPLICATE] += 1
        elif row.expiry_ns not in known and len(known) == EXPIRIES_PER_UNDERLYING_MAX:
            unusable[Unusable.EXPIRY_LIMIT] += 1
        elif len(kept) == INSTRUMENTS_MAX:
            unusable[Unusable.INSTRUMENT_LIMIT] += 1
        else:
            seen.add(key)
            known.add(row.expiry_ns)
            kept.append(row)
    return kept


def _chain(symbol: str, taken_ns: int, rows: list[_Row]) -> ChainSnapshot:
    expiries: list[ExpiryChain] = []
    for expiry_ns in sorted({row.expiry_ns for row in rows}):
        of_expiry = [row for row in rows if row.expiry_ns == expiry_ns]
        options = sorted((row.option for row in of_expiry), key=lambda o: (o.strike_atoms, o.kind))
        forward = median(row.forward_usd for row in of_expiry)
        expiries.append(ExpiryChain(expiry_ns, _atoms(forward), tuple(options)))
    index = median(row.index_usd for row in rows)
    return ChainSnapshot(symbol, taken_ns, _atoms(index), tuple(expiries))


def _number(text: str) -> float:
    if not text.isascii() or "_" in text:
        raise _Refused(Unusable.NOT_A_NUMBER)  # what Python reads, and no exchange writes
    try:
        number = float(text)
    except ValueError:
        raise _Refused(Unusable.NOT_A_NUMBER) from None
    if not math.isfinite(number):
        raise _Refused(Unusable.NOT_A_NUMBER)
    return number


def _time_ns(text: str) -> int:
    """Return a moment of ISO 8601 with its zone as nanoseconds, exact to the microsecond."""
    try:
        moment = datetime.fromisoformat(text.strip())
        elapsed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        raise _Refused(Unusable.TIME_INVALID) from None
    if elapsed.days < 0:
        raise _Refused(Unusable.TIME_INVALID)
    return (elapsed.days * 86_400 + elapsed.seconds) * NS_PER_SECOND + elapsed.microseconds * 1000


def _atoms(usd: float) -> int:
    return round(usd * ATOMS_PER_USD)
