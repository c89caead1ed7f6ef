"""Add-ons to margin: what scenarios of one account do not see.

*Concentration*: what all accounts of an owner hold in an underlying beyond a size cannot be closed
at the mark; each account bears its share. *Confidence*: publishers who disagree about an index
leave its forward deltas in doubt.
"""

from proofbook.protocol.limits import FRACTION_ONE_PPM
from proofbook.spec import owners
from proofbook.spec.payoff import NANOS_PER_UNIT
from proofbook.spec.portfolio import Portfolio
from proofbook.spec.rounding import ceil_div
from proofbook.spec.scenario_margin import Totals
from proofbook.spec.world import PARAMETERS_SLOT, World

SHARE_ONE = 1 << 28
"""A share of 1: with it all products of what a market can hold fit 128 bits."""


def concentration_up(world: World, portfolio: Portfolio, totals: Totals) -> int:
    """Return what the owner's size is charged to the account, whose `totals` count.

    Per underlying: rate · index · account's size · max(0, owner's size − threshold) / owner's size.

    Units   sizes in 1e-9 units, both directions added; atoms.
    Rounds  up, at each of its divisions: against the account.
    """
    charged = 0
    for number, each in totals.items():
        underlying = world.underlyings[number]
        if underlying.concentration_ppm == 0 or each.gross_nanos == 0:
            continue
        owner_nanos = each.gross_nanos + others_nanos(world, portfolio, number)
        excess_nanos = max(0, owner_nanos - underlying.concentration_nanos)
        share = ceil_div(excess_nanos * SHARE_ONE, owner_nanos)
        value = ceil_div(each.gross_nanos * underlying.index_atoms, NANOS_PER_UNIT)
        excess_atoms = ceil_div(value * share, SHARE_ONE)
        charged += ceil_div(excess_atoms * underlying.concentration_ppm, FRACTION_ONE_PPM)
    return charged


def others_nanos(world: World, portfolio: Portfolio, underlying: int) -> int:
    """Return what the owner's other accounts hold in an underlying."""
    held_nanos = portfolio.held_nanos.get(underlying, 0)
    return max(0, owners.gross_nanos(world, portfolio.account, underlying) - held_nanos)


def confidence_up(world: World, totals: Totals) -> int:
    """Return what disagreement about indices beyond a tolerance is charged on forward deltas.

    Rounds up: against the account.
    """
    tolerance_ppm = world.parameters[PARAMETERS_SLOT].spread_tolerance_ppm
    charged = 0
    for number, each in totals.items():
        excess_ppm = world.underlyings[number].index_spread_ppm - tolerance_ppm
        if excess_ppm > 0:
            delta = sum(expiry.delta.size for expiry in each.expiries.values())
            charged += ceil_div(delta * excess_ppm, FRACTION_ONE_PPM)
    return charged
