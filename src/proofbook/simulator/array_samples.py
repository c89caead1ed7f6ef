"""Risk arrays for the vectors: a seeded spread of instruments and moments, and the extremes."""

from dataclasses import asdict
from random import Random
from typing import Any

from proofbook.protocol.limits import (
    INDEX_ATOMS_MAX,
    NS_PER_DAY,
    NS_PER_YEAR,
    SETTLEMENT_WINDOW_NS,
    InstrumentKind,
)
from proofbook.protocol.parameters import PARAMETERS_MAX
from proofbook.protocol.records import (
    ExpiryRecord,
    InstrumentRecord,
    ParametersRecord,
    Record,
    UnderlyingRecord,
)
from proofbook.protocol.terms import FIRST_PARAMETERS, LOT_NANOS_MAX
from proofbook.spec.arrays import risk_array
from proofbook.spec.fixed_point import log
from proofbook.spec.payoff import market_of

NOW_NS = 20_000 * NS_PER_DAY
SURFACE_ONE = 1 << 48
KINDS = (InstrumentKind.PERPETUAL, InstrumentKind.FUTURE, InstrumentKind.CALL, InstrumentKind.PUT)
SAMPLES = 48

EXTREMES: tuple[tuple[int, int, int], ...] = (
    (INDEX_ATOMS_MAX, 1, 1), (1, INDEX_ATOMS_MAX, 1), (1, 1, 5 * NS_PER_YEAR),
    (INDEX_ATOMS_MAX, INDEX_ATOMS_MAX, 5 * NS_PER_YEAR), (10**9, 10**9, SETTLEMENT_WINDOW_NS),
    (10**9, 10**9, 0),
)  # fmt: skip
"""Forward and strike in atoms, ns to expiry."""


def array_rows() -> list[dict[str, Any]]:
    """Return records as bytes up to the last that is not zero, time, and the array they give."""
    random = Random(17)
    drawn = [_moment(random) for _ in range(SAMPLES)]
    moments = [*EXTREMES, *drawn]
    return [
        _row(random, KINDS[place % len(KINDS)] if place >= len(EXTREMES) else KINDS[2], *moment)
        for place, moment in enumerate(moments)
    ]


def _moment(random: Random) -> tuple[int, int, int]:
    forward = int(10 ** random.uniform(4.7, 12))
    strike = min(max(1, int(forward * random.lognormvariate(0, 0.7))), INDEX_ATOMS_MAX)
    short_ns = random.randrange(SETTLEMENT_WINDOW_NS)
    long_ns = int(NS_PER_YEAR * 10 ** random.uniform(-4, 0.3))
    return forward, strike, random.choice((short_ns, long_ns, long_ns))


def _row(
    random: Random, kind: InstrumentKind, forward: int, strike: int, remaining_ns: int
) -> dict[str, Any]:
    underlying, expiry = _underlying(random, forward), _expiry(random, forward, remaining_ns)
    if kind == InstrumentKind.PERPETUAL:
        expiry = ExpiryRecord()
        expiry.underlying = 1
    instrument, parameters = _instrument(random, kind, strike), _parameters(random)
    records: dict[str, Record] = {
        "underlying": underlying,
        "expiry": expiry,
        "instrument": instrument,
        "parameters": parameters,
    }
    market = market_of(underlying, expiry, parameters, NOW_NS)
    packed = {name: "0x" + record.pack().rstrip(b"\0").hex() for name, record in records.items()}
    return {**packed, "now_ns": NOW_NS, "array": asdict(risk_array(instrument, market))}


def _underlying(random: Random, index: int) -> UnderlyingRecord:
    record = UnderlyingRecord()
    record.index_atoms, record.index_version = index, 1
    record.index_ns = NOW_NS - random.randrange(10**11)
    return record


def _expiry(random: Random, forward: int, remaining_ns: int) -> ExpiryRecord:
    """Draw a surface of 0 to 200 %, and half the time the whole average that can be observed."""
    record = ExpiryRecord()
    record.underlying = 1
    record.expiry_ns = NOW_NS + remaining_ns
    record.forward_atoms, record.forward_log, record.forward_version = forward, log(forward), 1
    record.forward_ns = NOW_NS - random.randrange(10**11)
    record.surface_version, record.surface_ns = 1, NOW_NS - random.randrange(1, 10**11)
    years = (record.expiry_ns - record.surface_ns) / NS_PER_YEAR
    level = random.choice((0.0, random.uniform(0.05, 2) ** 2)) * years
    record.surface_a = int(level * SURFACE_ONE)
    record.surface_b = int(level * random.uniform(0, 2) * SURFACE_ONE)
    record.surface_rho = int(random.uniform(-0.9, 0.9) * SURFACE_ONE)
    record.surface_m = int(random.uniform(-0.2, 0.2) * SURFACE_ONE)
    record.surface_sigma = int(random.uniform(0.01, 1) * SURFACE_ONE)
    observed_ns = max(0, SETTLEMENT_WINDOW_NS - remaining_ns) * random.randrange(3) // 2
    record.settlement_covered_ns = min(observed_ns, SETTLEMENT_WINDOW_NS)
    average = max(1, int(forward * random.uniform(0.9, 1.1)))
    record.settlement_sum = record.settlement_covered_ns * average
    return record


def _instrument(random: Random, kind: InstrumentKind, strike: int) -> InstrumentRecord:
    record = InstrumentRecord()
    record.kind, record.expiry, record.underlying = kind, 1, 1
    record.lot_nanos = random.choice((10**5, 10**7, 10**9, random.randint(1, LOT_NANOS_MAX)))
    if kind in (InstrumentKind.CALL, InstrumentKind.PUT):
        record.strike_atoms, record.strike_log = strike, log(strike)
    return record


def _parameters(random: Random) -> ParametersRecord:
    """Take the first ones, or draw each up to twice its first value, or to its largest."""
    record, largest = ParametersRecord(), asdict(PARAMETERS_MAX)
    reach = random.choice((1, 2, 10**6))
    record.version = 1
    for name, first in asdict(FIRST_PARAMETERS).items():
        drawn = random.randint(0, min(reach * max(first, 1), largest[name]))
        setattr(record, name, first if reach == 1 else drawn)
    return record
