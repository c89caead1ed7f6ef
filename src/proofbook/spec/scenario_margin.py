"""Scenario margin: what positions and orders lose in the worst scenario, by underlying and expiry.

Each instrument counts, in each column, at the worst of its position alone, with all its buys, with
all its sells. The requirement is

    factor · (loss of the columns + Σ per expiry of |skew| and |basis|) + naked · |slopes below 0|

where the loss of the columns is κ · (worst joint column) + (1 − κ) · Σ per underlying of its worst
column. Every term is a maximum of linear functions of the positions: the measure is coherent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proofbook.protocol.limits import CORE_COLUMNS, FRACTION_ONE_PPM, TAIL_COLUMNS
from proofbook.spec.exposure import Exposure
from proofbook.spec.prices import columns_of, expiry_rows, unit_nanos
from proofbook.spec.rounding import ceil_div
from proofbook.spec.scenarios import SPOT_STEPS, VOLATILITY_MOVES
from proofbook.spec.staleness import is_stale
from proofbook.spec.world import PARAMETERS_SLOT, World

COLUMNS = CORE_COLUMNS + TAIL_COLUMNS
UNMOVED_STEP = SPOT_STEPS.index(0)


@dataclass(slots=True)
class Span:
    """Between what a profit can be at the least and at the most, whichever orders are filled."""

    low: int = 0
    high: int = 0

    def add(self, exposure: Exposure, profit: int) -> None:
        bought, sold = exposure.buys * profit, -exposure.sells * profit
        self.low += exposure.lots * profit + min(0, bought, sold)
        self.high += exposure.lots * profit + max(0, bought, sold)

    @property
    def size(self) -> int:
        """The larger of the two magnitudes."""
        return max(-self.low, self.high)


@dataclass(slots=True)
class ExpiryTotals:
    """Profits, in atoms, that the instruments of one expiry share; perpetuals are one of their own.

    Skews of volatility, a move of the forward against the index, the forward delta, and what a
    further 100 % of the index up or down brings.
    """

    skew_linear: Span = field(default_factory=Span)
    skew_absolute: Span = field(default_factory=Span)
    basis: Span = field(default_factory=Span)
    delta: Span = field(default_factory=Span)
    slope_up: Span = field(default_factory=Span)
    slope_down: Span = field(default_factory=Span)

    @property
    def skew_loss(self) -> int:
        """The larger magnitude of the two skews: each may go either way."""
        return max(self.skew_linear.size, self.skew_absolute.size)

    @property
    def naked(self) -> int:
        """Index value that is lost beyond all scenarios, upwards and downwards."""
        return max(0, -self.slope_up.low) + max(0, -self.slope_down.low)


@dataclass(slots=True)
class UnderlyingTotals:
    """Columns, in atoms, and expiries of the instruments of one underlying, contract size in 1e-9
    units with both directions added, and how many legs are stale.
    """

    columns: list[int] = field(default_factory=lambda: [0] * COLUMNS)
    expiries: dict[int, ExpiryTotals] = field(default_factory=dict[int, ExpiryTotals])
    gross_nanos: int = 0
    stale_legs: int = 0

    @property
    def worst_loss(self) -> int:
        return max(0, -min(self.columns))


Totals = dict[int, UnderlyingTotals]
"""What scenario margin depends on, by underlying."""


def totals_of(world: World, exposures: Mapping[int, Exposure]) -> Totals:
    """Return the columns and expiries of exposures, by instrument."""
    totals: Totals = {}
    for slot, exposure in exposures.items():
        if not exposure.is_empty:
            _add(world, totals, slot, exposure)
    return totals


def _add(world: World, totals: Totals, slot: int, exposure: Exposure) -> None:
    """Add what an instrument's exposure could lose."""
    underlying = totals.setdefault(world.instruments[slot].underlying, UnderlyingTotals())
    lots, buys, sells = exposure.lots, exposure.buys, exposure.sells
    for index, profit in enumerate(columns_of(world, slot)):
        underlying.columns[index] += lots * profit + min(0, buys * profit, -sells * profit)
    for number, row in expiry_rows(world, slot).items():
        expiry = underlying.expiries.setdefault(number, ExpiryTotals())
        expiry.skew_linear.add(exposure, row.skew_linear)
        expiry.skew_absolute.add(exposure, row.skew_absolute)
        expiry.basis.add(exposure, row.basis)
        expiry.delta.add(exposure, row.delta)
        expiry.slope_up.add(exposure, row.slope_up)
        expiry.slope_down.add(exposure, row.slope_down)
    underlying.gross_nanos += exposure.gross_lots * unit_nanos(world, slot)
    underlying.stale_legs += is_stale(world, slot)


def initial_up(world: World, totals: Totals) -> int:
    """Return what new risk must cover; an underlying with a stale leg counts several fold.

    Units    atoms.
    Rounds   up, at each of its divisions: against the account.
    """
    parameters = world.parameters[PARAMETERS_SLOT]
    return _requirement_up(
        world, totals, parameters.initial_factor_ppm, parameters.naked_initial_ppm,
        parameters.stale_margin_ppm,
    )  # fmt: skip


def maintenance_up(world: World, totals: Totals) -> int:
    """Return what a portfolio must cover to be kept. Units and rounding as `initial_up`."""
    parameters = world.parameters[PARAMETERS_SLOT]
    return _requirement_up(
        world, totals, parameters.maintenance_factor_ppm, parameters.naked_maintenance_ppm,
        FRACTION_ONE_PPM,
    )  # fmt: skip


def _requirement_up(
    world: World, totals: Totals, factor_ppm: int, naked_ppm: int, stale_ppm: int
) -> int:
    expiries = [expiry for each in totals.values() for expiry in each.expiries.values()]
    shifts = sum(expiry.skew_loss + expiry.basis.size for expiry in expiries)
    naked = sum(expiry.naked for expiry in expiries)
    scenarios = column_loss_up(world, totals, stale_ppm) + shifts
    return ceil_div(scenarios * factor_ppm, FRACTION_ONE_PPM) + ceil_div(
        naked * naked_ppm, FRACTION_ONE_PPM
    )


def column_loss_up(world: World, totals: Totals, stale_ppm: int) -> int:
    """Return κ · (the worst joint column) + (1 − κ) · (the worst of each underlying, summed).

    An underlying with a stale leg counts `stale_ppm`, and what is joint with one, too. Rounds up.
    """
    joint_ppm = world.parameters[PARAMETERS_SLOT].joint_ppm
    folds = {
        number: stale_ppm if each.stale_legs else FRACTION_ONE_PPM
        for number, each in totals.items()
    }
    separate = sum(
        ceil_div(each.worst_loss * folds[number], FRACTION_ONE_PPM)
        for number, each in totals.items()
    )
    if joint_ppm == 0:
        return separate
    fold = max(folds.values(), default=FRACTION_ONE_PPM)
    joint = ceil_div(_joint_loss_up(world, totals) * fold, FRACTION_ONE_PPM)
    mixed = joint * joint_ppm + separate * (FRACTION_ONE_PPM - joint_ppm)
    return ceil_div(mixed, FRACTION_ONE_PPM)


def _joint_loss_up(world: World, totals: Totals) -> int:
    """Return the loss in the worst column of all underlyings together.

    When one moves by a step, another moves by β of it; in a tail all move alike. Rounds up.
    """
    joint = [0] * COLUMNS
    for number, each in totals.items():
        beta_ppm = world.underlyings[number].beta_ppm
        for index in range(COLUMNS):
            joint[index] += _moved_ppm(each.columns, index, beta_ppm)
    return ceil_div(max(0, -min(joint)), FRACTION_ONE_PPM)


def _moved_ppm(columns: list[int], index: int, beta_ppm: int) -> int:
    """Return the column of β of a spot move, between its neighbours in proportion, times 10^6."""
    if index >= CORE_COLUMNS:
        return columns[index] * FRACTION_ONE_PPM
    step, volatility = divmod(index, VOLATILITY_MOVES)
    place_ppm = UNMOVED_STEP * FRACTION_ONE_PPM + beta_ppm * (step - UNMOVED_STEP)
    below, share_ppm = divmod(place_ppm, FRACTION_ONE_PPM)
    above = below + (share_ppm > 0)
    low = columns[below * VOLATILITY_MOVES + volatility]
    high = columns[above * VOLATILITY_MOVES + volatility]
    return low * (FRACTION_ONE_PPM - share_ppm) + high * share_ppm
