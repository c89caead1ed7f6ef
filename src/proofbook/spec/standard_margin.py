"""Standard margin: each position by itself, and options of one expiry against each other.

A linear position, or a token beside USDC, needs a share of its value; a long option its mark: it
lends its owner nothing. A short option needs a share of its forward, less what it is out of the
money, a put at most its strike. The options of an expiry together need no more than what they are
worth beyond what they pay at the worst of the settlement prices 0 and every strike, and for a call
sold beyond those held a multiple of the forward. Open orders count at their worst, each leg of a
combo by itself. What has its final mark needs nothing: equity counts it, and nothing moves it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from proofbook.protocol.limits import FRACTION_ONE_PPM, InstrumentKind
from proofbook.protocol.records import InstrumentRecord
from proofbook.spec.collateral import Balances, index_value_down
from proofbook.spec.exposure import Exposure
from proofbook.spec.payoff import NANOS_PER_UNIT
from proofbook.spec.portfolio import Netting, Portfolio
from proofbook.spec.positions import is_linear, is_settled
from proofbook.spec.prices import legs_of
from proofbook.spec.rounding import ceil_div
from proofbook.spec.scenario_margin import Totals
from proofbook.spec.world import PARAMETERS_SLOT, World


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of values, in ppm, for one of the two margins."""

    linear_ppm: int
    short_max_ppm: int
    short_min_ppm: int
    unpaired_ppm: int
    stale_ppm: int


@dataclass(frozen=True, slots=True)
class OptionLeg:
    """An exposure in an option: mark and short requirement in atoms per lot, strike per unit."""

    exposure: Exposure
    is_call: bool
    strike_atoms: int
    lot_nanos: int
    mark_atoms: int
    short_atoms: int

    def alone(self) -> int:
        """Return what it needs by itself, at the worst of position, all buys and all sells."""
        held = self.exposure
        longest, shortest = held.lots + held.buys, held.lots - held.sells
        return max(longest * self.mark_atoms, -shortest * self.short_atoms)

    def profit_nanos(self, price_atoms: int) -> int:
        """Return what it gains if the expiry settles at a price, in 1e-9 atoms, orders at worst."""
        moved_atoms = price_atoms - self.strike_atoms
        payoff_atoms = max(0, moved_atoms if self.is_call else -moved_atoms)
        profit = payoff_atoms * self.lot_nanos - self.mark_atoms * NANOS_PER_UNIT
        held = self.exposure
        return held.lots * profit + min(0, held.buys * profit, -held.sells * profit)

    def unpaired_nanos(self) -> int:
        """Return the calls sold, less those held, in 1e-9 units, all sells filled."""
        short_lots = self.exposure.sells - self.exposure.lots
        return short_lots * self.lot_nanos if self.is_call else 0


@dataclass(slots=True)
class UnderlyingLegs:
    """What an account has in one underlying: linear value, and options by expiry."""

    linear_atoms: int = 0
    options: dict[int, list[OptionLeg]] = field(default_factory=dict[int, list[OptionLeg]])


def initial_rates(world: World) -> Rates:
    """Return the shares that new risk must cover."""
    parameters = world.parameters[PARAMETERS_SLOT]
    return Rates(
        parameters.standard_linear_initial_ppm, parameters.standard_short_max_ppm,
        parameters.standard_short_min_ppm, parameters.standard_unpaired_ppm,
        parameters.stale_margin_ppm,
    )  # fmt: skip


def maintenance_rates(world: World) -> Rates:
    """Return the shares that positions must cover to be kept."""
    parameters = world.parameters[PARAMETERS_SLOT]
    short_ppm = parameters.standard_short_maintenance_ppm
    return Rates(
        parameters.standard_linear_maintenance_ppm, short_ppm, short_ppm,
        parameters.standard_unpaired_ppm, FRACTION_ONE_PPM,
    )  # fmt: skip


def initial_up(world: World, portfolio: Portfolio) -> int:
    """Return what new risk must cover; an underlying with a stale leg counts several fold.

    With a netting each expiry counts as it says; without, as what asks for less.

    Units   atoms.
    Rounds  up, at each of its divisions: against the account.
    """
    underlyings = _by_underlying(
        world, initial_rates(world), portfolio.exposures, portfolio.balances
    )
    return _requirement_up(
        world, initial_rates(world), underlyings, portfolio.totals, portfolio.netting or {}
    )


def maintenance_up(world: World, portfolio: Portfolio, totals: Totals) -> int:
    """Return what positions must cover to be kept. Units and rounding as `initial_up`."""
    held = {slot: exposure.held for slot, exposure in portfolio.exposures.items()}
    underlyings = _by_underlying(world, maintenance_rates(world), held, portfolio.balances)
    return _requirement_up(world, maintenance_rates(world), underlyings, totals, {})


def netting_of(world: World, portfolio: Portfolio) -> Netting:
    """Return for each expiry whether initial margin takes the greatest loss of its options."""
    rates = initial_rates(world)
    return {
        expiry: _greatest_loss_up(world, rates, expiry, options) < _alone(options)
        for each in _by_underlying(world, rates, portfolio.exposures, portfolio.balances).values()
        for expiry, options in each.options.items()
    }


def _requirement_up(
    world: World,
    rates: Rates,
    underlyings: Mapping[int, UnderlyingLegs],
    totals: Totals,
    netting: Netting,
) -> int:
    required = 0
    for underlying, each in underlyings.items():
        linear = ceil_div(each.linear_atoms * rates.linear_ppm, FRACTION_ONE_PPM)
        options = sum(
            _options_up(world, rates, expiry, options, netting)
            for expiry, options in each.options.items()
        )
        is_stale = underlying in totals and totals[underlying].stale_legs > 0
        fold_ppm = rates.stale_ppm if is_stale else FRACTION_ONE_PPM
        required += ceil_div((linear + options) * fold_ppm, FRACTION_ONE_PPM)
    return required


def _options_up(
    world: World, rates: Rates, expiry: int, options: list[OptionLeg], netting: Netting
) -> int:
    """Return what the options of an expiry need: the lesser way, or the one that is given."""
    alone, together = _alone(options), _greatest_loss_up(world, rates, expiry, options)
    if expiry not in netting:
        return min(alone, together)
    return together if netting[expiry] else alone


def _alone(options: Iterable[OptionLeg]) -> int:
    return sum(option.alone() for option in options)


def _greatest_loss_up(world: World, rates: Rates, expiry: int, options: list[OptionLeg]) -> int:
    """Return what the options lose at the worst settlement price, and for calls beyond any.

    Rounds up.
    """
    prices = {0, *(option.strike_atoms for option in options)}
    worst_nanos = min(sum(option.profit_nanos(price) for option in options) for price in prices)
    unpaired_nanos = max(0, sum(option.unpaired_nanos() for option in options))
    forward_atoms = world.expiries[expiry].forward_atoms
    price_atoms = ceil_div(forward_atoms * rates.unpaired_ppm, FRACTION_ONE_PPM)
    loss_atoms = ceil_div(max(0, -worst_nanos), NANOS_PER_UNIT)
    return loss_atoms + ceil_div(unpaired_nanos * price_atoms, NANOS_PER_UNIT)


def _by_underlying(
    world: World, rates: Rates, exposures: Mapping[int, Exposure], balances: Balances
) -> dict[int, UnderlyingLegs]:
    """Return exposures by underlying, combos as their legs; tokens are linear."""
    underlyings: dict[int, UnderlyingLegs] = {}
    for slot, exposure in _by_leg(world, exposures).items():
        instrument = world.instruments[slot]
        each = underlyings.setdefault(instrument.underlying, UnderlyingLegs())
        mark_atoms = world.risk_arrays[slot].mark_atoms
        if is_linear(instrument):
            each.linear_atoms += exposure.gross_lots * mark_atoms
        else:
            short_atoms = _short_up(world, rates, instrument)
            option = OptionLeg(
                exposure, instrument.kind == InstrumentKind.CALL, instrument.strike_atoms,
                instrument.lot_nanos, mark_atoms, short_atoms,
            )  # fmt: skip
            each.options.setdefault(instrument.expiry, []).append(option)
    for token, atoms in enumerate(balances, 1):
        if atoms:
            each = underlyings.setdefault(world.tokens[token].underlying, UnderlyingLegs())
            each.linear_atoms += index_value_down(world, token, atoms)
    return underlyings


def _by_leg(world: World, exposures: Mapping[int, Exposure]) -> dict[int, Exposure]:
    """Return exposures with the orders of combos as orders in each leg; final marks left out."""
    legs: dict[int, Exposure] = {}
    for slot, exposure in exposures.items():
        for leg, ratio in legs_of(world.instruments[slot]) or [(slot, 1)]:
            size, (buys, sells) = abs(ratio), (exposure.buys, exposure.sells)
            if ratio < 0:
                buys, sells = sells, buys
            share = Exposure(ratio * exposure.lots, size * buys, size * sells)
            legs[leg] = legs.get(leg, Exposure(0)) + share
    return {
        leg: exposure
        for leg, exposure in legs.items()
        if not (exposure.is_empty or is_settled(world.instruments[leg]))
    }


def _short_up(world: World, rates: Rates, instrument: InstrumentRecord) -> int:
    """Return what a lot of an option needs when it is sold, in atoms. Rounds up."""
    forward_atoms = world.expiries[instrument.expiry].forward_atoms
    above_atoms = instrument.strike_atoms - forward_atoms
    is_call = instrument.kind == InstrumentKind.CALL
    out_atoms = max(0, above_atoms if is_call else -above_atoms)
    unit_ppm = max(
        forward_atoms * rates.short_max_ppm - out_atoms * FRACTION_ONE_PPM,
        forward_atoms * rates.short_min_ppm,
    )
    if not is_call:
        unit_ppm = min(unit_ppm, instrument.strike_atoms * FRACTION_ONE_PPM)
    return ceil_div(unit_ppm * instrument.lot_nanos, FRACTION_ONE_PPM * NANOS_PER_UNIT)
