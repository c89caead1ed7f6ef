"""Risk arrays against their formulas in mpmath, and what must cancel between instruments."""

from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, replace
from math import exp

import mpmath as mp
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.strategies import EXAMPLES, FEW_EXAMPLES, margin_parameters

from proofbook.protocol.limits import (
    INDEX_ATOMS_MAX,
    NS_PER_DAY,
    NS_PER_YEAR,
    SETTLEMENT_LEAST_NS,
    SETTLEMENT_WINDOW_NS,
    TAIL_MOVES_PPM,
    InstrumentKind,
)
from proofbook.protocol.records import (
    ExpiryRecord,
    InstrumentRecord,
    ParametersRecord,
    UnderlyingRecord,
)
from proofbook.protocol.terms import FIRST_PARAMETERS, LOT_NANOS_MAX, MarginParameters
from proofbook.spec.arrays import Array, risk_array
from proofbook.spec.averaging import Averaging
from proofbook.spec.black76 import DEVIATION_MAX
from proofbook.spec.fixed_point import FRACTION_BITS, log
from proofbook.spec.payoff import NEVER_STALE_NS, Market, market_of

K = InstrumentKind
SURFACE_BITS = 48
NOW_NS = 20_000 * NS_PER_DAY
SPOT_STEPS = [step / mp.mpf(4) for step in range(-4, 5)]
HALF_AN_ATOM = mp.mpf("0.5000001")


@dataclass(frozen=True)
class Case:
    """What the instruments of a strike are priced from: a slice that is flat but for its wings."""

    forward_atoms: int
    strike_atoms: int
    lot_nanos: int
    remaining_ns: int
    volatility: float
    wing: float
    parameters: MarginParameters
    covered_ns: int = 0
    settlement_sum: int = 0
    surface_ahead_ns: int = 0

    def market(self) -> Market:
        underlying, expiry = UnderlyingRecord(), ExpiryRecord()
        underlying.index_atoms, underlying.index_version, underlying.index_ns = (
            self.forward_atoms, 1, NOW_NS - 7,
        )  # fmt: skip
        expiry.forward_atoms, expiry.forward_log = self.forward_atoms, log(self.forward_atoms)
        expiry.forward_version, expiry.forward_ns = 1, NOW_NS - 8
        expiry.surface_version, expiry.surface_ns = 1, NOW_NS - self.surface_ahead_ns
        expiry.expiry_ns = NOW_NS + self.remaining_ns
        expiry.settlement_sum, expiry.settlement_covered_ns = self.settlement_sum, self.covered_ns
        years = (self.remaining_ns + self.surface_ahead_ns) / NS_PER_YEAR
        expiry.surface_a = int(self.volatility**2 * years * (1 << SURFACE_BITS))
        expiry.surface_b = int(self.wing * self.volatility**2 * years * (1 << SURFACE_BITS))
        expiry.surface_rho, expiry.surface_sigma = -(1 << 46), 1 << 46
        record = ParametersRecord()
        for name, value in asdict(self.parameters).items():
            setattr(record, name, value)
        return market_of(underlying, expiry, record, NOW_NS)

    def array(self, kind: InstrumentKind) -> Array:
        instrument = InstrumentRecord()
        instrument.kind, instrument.lot_nanos = kind, self.lot_nanos
        if kind in (K.CALL, K.PUT):
            instrument.strike_atoms = self.strike_atoms
            instrument.strike_log = log(self.strike_atoms)
        return risk_array(instrument, self.market())


@st.composite
def cases(draw: st.DrawFn, parameters: MarginParameters | None = FIRST_PARAMETERS) -> Case:
    """Draw from an hour to two years, volatility 5 to 400 %, strikes up to eight deviations off."""
    forward = int(50_000 * (10**12 / 50_000) ** draw(st.floats(0, 1)))
    volatility = 0.05 * 80 ** draw(st.floats(0, 1))
    remaining_ns = int(NS_PER_YEAR * 2 / (2 * 8_760) ** draw(st.floats(0, 1)))
    spread = volatility * (remaining_ns / NS_PER_YEAR) ** 0.5
    strike = forward * exp(max(-12.0, min(draw(st.floats(-8, 8)) * spread, 12.0)))
    lot_nanos = draw(
        st.one_of(st.sampled_from([10**5, 10**7, 10**9]), st.integers(1, LOT_NANOS_MAX))
    )
    return Case(
        forward,
        max(1, min(int(strike), INDEX_ATOMS_MAX)),
        lot_nanos,
        remaining_ns,
        volatility,
        draw(st.floats(0, 2)),
        parameters or draw(margin_parameters()),
    )


@pytest.fixture(autouse=True, scope="module")
def digits() -> Iterator[None]:
    with mp.workdps(40):
        yield


# The formulas, told once more


def share(ppm: int) -> mp.mpf:
    return mp.mpf(ppm) / 10**6


class Formulas:
    """The formulas of docs/reference/pricing.md on real numbers, in quote atoms."""

    def __init__(self, case: Case) -> None:
        market, self.parameters = case.market(), case.parameters
        self.years = mp.mpf(case.remaining_ns) / NS_PER_YEAR
        self.days = mp.mpf(case.remaining_ns) / NS_PER_DAY
        self.forward, self.strike = mp.mpf(case.forward_atoms), mp.mpf(case.strike_atoms)
        self.units = mp.mpf(case.lot_nanos) / 10**9
        self.moneyness = mp.log(self.strike / self.forward)
        a, b, rho, m, sigma = (
            mp.ldexp(x, -SURFACE_BITS)
            for x in (
                market.expiry.surface_a, market.expiry.surface_b, market.expiry.surface_rho,
                market.expiry.surface_m, market.expiry.surface_sigma,
            )
        )  # fmt: skip
        x = max(-8, min(self.moneyness, 8)) - m
        variance = min(a + b * (rho * x + mp.sqrt(x * x + sigma * sigma)), mp.mpf(64))
        elapsed = mp.mpf(market.averaging.variance_ns)
        self.deviation = mp.sqrt(variance * elapsed / (case.remaining_ns + case.surface_ahead_ns))
        self.root_time = mp.sqrt(elapsed / NS_PER_YEAR)

    def call(self, forward: mp.mpf, deviation: mp.mpf) -> mp.mpf:
        if deviation == 0:
            return max(mp.mpf(0), forward - self.strike)
        d1 = mp.log(forward / self.strike) / deviation + deviation / 2
        return forward * mp.ncdf(d1) - self.strike * mp.ncdf(d1 - deviation)

    def profit(self, move: mp.mpf, deviation: mp.mpf) -> mp.mpf:
        after = self.call(self.forward * (1 + move), deviation)
        return self.units * (after - self.call(self.forward, self.deviation))

    def deviations(self) -> tuple[mp.mpf, mp.mpf, mp.mpf]:
        p = self.parameters
        power = p.vol_power_short_ppm if self.days <= 30 else p.vol_power_long_ppm
        multiple = (30 / max(self.days, mp.mpf(1))) ** share(power)
        up = self.deviation * (1 + share(p.vol_up_ppm) * multiple)
        down = self.deviation * max(mp.mpf(0), 1 - share(p.vol_down_ppm) * multiple)
        floor = share(p.vol_up_floor_ppm) * self.root_time
        return max(up, floor), self.deviation, down

    def skewed(self, moneyness: mp.mpf) -> mp.mpf:
        p, root = self.parameters, self.root_time
        cap = max(mp.mpf(0), share(p.skew_cap_ppm) - share(p.skew_cap_fall_ppm) * root)
        volatility = share(p.skew_volatility_ppm) - share(p.skew_volatility_fall_ppm) * root
        width = max(share(p.skew_width_min_ppm), root * share(p.skew_width_ppm) * volatility)
        shift = max(-cap, min(moneyness * cap / width, cap))
        return self.deviation * max(mp.mpf(0), 1 + shift)

    def basis(self) -> mp.mpf:
        grown = mp.exp(share(self.parameters.basis_rate_ppm) * self.years) - 1
        return max(share(self.parameters.basis_floor_ppm), grown)

    def delta(self) -> mp.mpf:
        d1 = -self.moneyness / self.deviation + self.deviation / 2
        return self.units * self.forward * mp.ncdf(d1)

    def sensitivity(self) -> mp.mpf:
        """Return what a lot may be off by in any column: 2e-8 USD a unit, and half an atom."""
        return HALF_AN_ATOM + self.units * mp.mpf("0.02")

    def delta_sensitivity(self) -> mp.mpf:
        """Return what the delta may be off by: as any column, and what two ulps of variance make.

        A share of a small variance moves a large forward's delta most at one deviation from the
        money: by F × |d1| φ(d1) / 2 a share of it, at most F × 0.121.
        """
        rounded_share = mp.ldexp(2, -FRACTION_BITS) / self.deviation**2
        return self.sensitivity() + self.units * self.forward * mp.mpf("0.121") * rounded_share


NEAR_AND_LARGE = Case(10**12, 1_000_534_360_023, 10**9, 3_600 * 10**9, 0.05, 0.0, FIRST_PARAMETERS)
"""An hour, 5 %, a million USD: the variance has ten digits, the forward twelve."""


@EXAMPLES
@given(cases())
@example(NEAR_AND_LARGE)
def test_call_array_is_that_of_the_formulas(case: Case) -> None:
    array, f = case.array(K.CALL), Formulas(case)
    close = f.sensitivity()
    assert abs(array.mark_atoms - f.units * f.call(f.forward, f.deviation)) <= close
    expected = [
        f.profit(share(case.parameters.spot_range_ppm) * step, deviation)
        for step in SPOT_STEPS
        for deviation in f.deviations()
    ]
    assert all(abs(x - y) <= close for x, y in zip(array.core, expected, strict=True))
    for tail, move_ppm in zip(array.tails, TAIL_MOVES_PPM, strict=True):
        weight = share(770_000) * share(160_000) / abs(share(move_ppm))
        profit = f.profit(share(move_ppm), f.deviations()[0])
        rounded_weight = abs(profit) * mp.mpf("1e-6")
        assert abs(tail - weight * profit) <= close + rounded_weight
    linear, absolute = f.skewed(f.moneyness), f.skewed(abs(f.moneyness))
    assert abs(array.skew_linear_atoms - f.profit(mp.mpf(0), linear)) <= close
    assert abs(array.skew_absolute_atoms - f.profit(mp.mpf(0), absolute)) <= close
    assert abs(array.delta_atoms - f.delta()) <= f.delta_sensitivity()
    rounded_basis = f.delta() * mp.mpf("1e-6") + f.units
    assert abs(array.basis_atoms - f.delta() * f.basis()) <= HALF_AN_ATOM + rounded_basis
    assert (array.slope_up_atoms, array.slope_down_atoms) == (case.array(K.FUTURE).mark_atoms, 0)


@EXAMPLES
@given(cases())
def test_linear_arrays_are_those_of_the_formulas(case: Case) -> None:
    f, close = Formulas(case), HALF_AN_ATOM + mp.mpf(case.lot_nanos) / 10**11
    future, perpetual = case.array(K.FUTURE), case.array(K.PERPETUAL)
    value = f.units * f.forward
    assert abs(future.mark_atoms - value) <= HALF_AN_ATOM
    for column, profit in enumerate(future.core):
        move = share(case.parameters.spot_range_ppm) * SPOT_STEPS[column // 3]
        assert abs(profit - value * move) <= close
    for tail, move_ppm in zip(future.tails, TAIL_MOVES_PPM, strict=True):
        counted = share(770_000) * share(160_000) * (1 if move_ppm > 0 else -1)
        assert abs(tail - value * counted) <= close + value * abs(share(move_ppm)) * mp.mpf("1e-6")
    assert future.delta_atoms == future.slope_up_atoms == future.mark_atoms
    assert abs(future.slope_down_atoms + future.mark_atoms) <= 1, "halves are rounded up"
    assert abs(future.basis_atoms - value * f.basis()) <= close + value * mp.mpf("1e-6")
    for array in (future, perpetual):
        assert array.skew_linear_atoms == array.skew_absolute_atoms == 0
    assert (perpetual.mark_atoms, perpetual.core, perpetual.tails, perpetual.delta_atoms) == (
        future.mark_atoms, future.core, future.tails, future.delta_atoms,
    )  # fmt: skip
    assert perpetual.slope_up_atoms == perpetual.slope_down_atoms == 0
    assert abs(perpetual.basis_atoms - value / 100) <= HALF_AN_ATOM


# What must cancel


DELTA_PLACE = 1 + 27 + 8 + 2


def columns(array: Array) -> list[int]:
    """Return every number of an array that is added up over positions; the delta is the 39th."""
    head, core, tails, *rest = astuple(array)
    return [head, *core, *tails, *rest[:-2]]


@EXAMPLES
@given(cases(None))
def test_synthetic_and_future_cancel_in_every_column(case: Case) -> None:
    """Call less put less future: nothing but the strike in cash, up to half an atom a leg."""
    call, put, future = (columns(case.array(kind)) for kind in (K.CALL, K.PUT, K.FUTURE))
    strike = mp.mpf(case.strike_atoms) * case.lot_nanos / 10**9
    assert abs(call[0] - put[0] - future[0] + strike) <= mp.mpf("1.5")
    assert all(abs(x - y - z) <= 1 for x, y, z in list(zip(call, put, future, strict=True))[1:])


@FEW_EXAMPLES
@given(cases(None), st.integers(1, INDEX_ATOMS_MAX))
def test_boxes_cancel_in_every_column(case: Case, other_strike: int) -> None:
    """Long one synthetic, short another of the same expiry: nothing but strikes in cash."""
    other = replace(case, strike_atoms=other_strike)
    legs = [columns(side.array(kind))[1:] for side in (case, other) for kind in (K.CALL, K.PUT)]
    assert all(abs(a - b - c + d) <= 2 for a, b, c, d in zip(*legs, strict=True))


@EXAMPLES
@given(cases(None))
def test_any_sound_parameters_give_an_array(case: Case) -> None:
    """With the loss of a long option never above its mark, up to what tails weigh."""
    for kind in (K.CALL, K.PUT):
        array = case.array(kind)
        assert min(array.core) >= -array.mark_atoms - 1
        assert all(abs(number) < 1 << 62 for number in columns(array))
    scenarios = case.market().scenarios
    for deviation in (0, 1, 1 << FRACTION_BITS + 3):
        up, _, down = scenarios.deviations(deviation)
        assert 0 <= down <= deviation <= up <= DEVIATION_MAX


@EXAMPLES
@given(cases())
def test_arrays_are_fresh_until_the_first_of_their_observations_is_not(case: Case) -> None:
    """A perpetual asks for the index, a future for forwards, an option for a surface too."""
    second = 10**9
    assert case.array(K.PERPETUAL).fresh_until_ns == NOW_NS - 7 + 60 * second
    assert case.array(K.FUTURE).fresh_until_ns == NOW_NS - 8 + 3_600 * second
    assert case.array(K.CALL).fresh_until_ns == NOW_NS + 1_800 * second


# The half hour before expiry


def averaged(case: Case, remaining_ns: int, covered_ns: int, price_atoms: int) -> Case:
    """Return the case with so much time left and so much of the average observed at a price."""
    return replace(
        case,
        remaining_ns=remaining_ns,
        covered_ns=covered_ns,
        settlement_sum=covered_ns * price_atoms,
    )


@EXAMPLES
@given(cases())
def test_arrays_are_continuous_where_the_window_starts(case: Case) -> None:
    """A microsecond before and after, the first price observed being the forward's.

    Tolerated: an atom for rounding, 1e-8 of the lot's price, and 3e-8 USD a unit; of a delta, what
    d1 makes of 2e-8 USD between forward and strike.
    """
    step = 1_000
    case = replace(case, surface_ahead_ns=NS_PER_DAY)
    before = averaged(case, SETTLEMENT_WINDOW_NS + step, 0, 0)
    after = averaged(case, SETTLEMENT_WINDOW_NS - step, step, case.forward_atoms)
    lot_atoms = case.forward_atoms * case.lot_nanos // 10**9
    tolerance = 1 + lot_atoms // 10**8 + 3 * case.lot_nanos // 10**11
    d1_error = 2e-2 / case.forward_atoms / Formulas(before).deviation
    for kind in (K.CALL, K.PUT, K.FUTURE):
        pairs = zip(columns(before.array(kind)), columns(after.array(kind)), strict=True)
        apart = [abs(x - y) for x, y in pairs]
        assert max(apart[:DELTA_PLACE]) <= tolerance
        assert max(apart[DELTA_PLACE:]) <= tolerance + lot_atoms * d1_error


@EXAMPLES
@given(cases(), st.integers(SETTLEMENT_LEAST_NS, SETTLEMENT_WINDOW_NS), st.floats(0.5, 2))
def test_the_observed_average_alone_counts_at_expiry(
    case: Case, covered_ns: int, ratio: float
) -> None:
    """Exactly, whatever the forward has come to; nothing moves the array any more."""
    average = max(1, int(case.forward_atoms * ratio))
    settled = averaged(case, 0, covered_ns, average)
    strike = case.strike_atoms
    payoffs = {K.CALL: average - strike, K.PUT: strike - average, K.FUTURE: average}
    for kind, payoff in payoffs.items():
        array = settled.array(kind)
        value = max(0, payoff) * case.lot_nanos
        assert array.mark_atoms == (value + 5 * 10**8) // 10**9
        assert set(columns(array)[1:]) == {0}
        assert array.fresh_until_ns == NEVER_STALE_NS


@EXAMPLES
@given(
    cases(),
    st.integers(1, SETTLEMENT_WINDOW_NS - 1),
    st.floats(0, 1),
    st.floats(0.9, 1.1),
)
def test_only_what_is_still_to_come_moves(
    case: Case, remaining_ns: int, share_observed: float, ratio: float
) -> None:
    """A forward of F_fixed + F_variable, and a third of the variance of the open time."""
    covered_ns = int((SETTLEMENT_WINDOW_NS - remaining_ns) * share_observed)
    price_atoms = max(1, int(case.forward_atoms * ratio))
    case = averaged(
        replace(case, surface_ahead_ns=NS_PER_DAY), remaining_ns, covered_ns, price_atoms
    )
    open_ns = max(remaining_ns, SETTLEMENT_LEAST_NS - covered_ns)
    fixed = mp.mpf(case.settlement_sum) / (covered_ns + open_ns)
    variable = mp.mpf(case.forward_atoms) * open_ns / (covered_ns + open_ns)
    units = mp.mpf(case.lot_nanos) / 10**9
    future, call, put = (case.array(kind) for kind in (K.FUTURE, K.CALL, K.PUT))
    close = HALF_AN_ATOM + units * mp.mpf("0.02")
    assert abs(future.mark_atoms - units * (fixed + variable)) <= close
    assert abs(future.delta_atoms - units * variable) <= close
    assert abs(future.core[0] + units * variable * share(160_000)) <= close
    f = Formulas(case)
    f.forward, f.strike = variable, f.strike - fixed
    expected = f.call(f.forward, f.deviation) if f.strike > 0 else variable - f.strike
    sensitivity = units * variable * mp.mpf("1e-8")
    assert abs(call.mark_atoms - units * expected) <= close + sensitivity
    for x, y, z in list(zip(columns(call), columns(put), columns(future), strict=True))[1:]:
        assert abs(x - y - z) <= 1


def test_a_missing_observation_leaves_the_average_open() -> None:
    """With 5 minutes left and none observed, prices of 20 minutes are still to come."""
    minute = 60 * 10**9
    case = Case(10**9, 10**9, 10**9, 5 * minute, 0.6, 0.0, FIRST_PARAMETERS)
    assert case.market().averaging == Averaging(0, 20 * minute, 20 * minute, 20 * minute // 3)
    partly = averaged(case, 5 * minute, 12 * minute, 1_200_000_000)
    assert partly.market().averaging == Averaging(
        1_200_000_000 * 100 * 12 // 20, 8 * minute, 20 * minute, 8 * minute // 3
    )
