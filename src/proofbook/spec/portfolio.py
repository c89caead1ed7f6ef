"""Portfolios: what an account owns and risks at current marks, as it is or as it would be.

Every question of margin is asked of one: of what is, and of what would be after an order, a trade
or a withdrawal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from proofbook.protocol.limits import FRACTION_ONE_PPM, QUOTE_TOKEN, MarginMode
from proofbook.spec import collateral, funding
from proofbook.spec.accounts import cash_atoms
from proofbook.spec.collateral import NO_FLOWS, Balances, Flows
from proofbook.spec.exposure import NO_CHANGES, Changes, Exposure
from proofbook.spec.positions import open_orders
from proofbook.spec.prices import unit_nanos
from proofbook.spec.scenario_margin import Totals, totals_of
from proofbook.spec.staleness import interval_ppm
from proofbook.spec.world import World

Netting: TypeAlias = Mapping[int, bool]
"""Of expiries, whether their options count at their greatest loss, or each by itself."""


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What margin depends on, in atoms.

    Equity takes every mark as it stands. A leg that is stale, or whose index or forward has moved
    since its mark, may be worth less or more: all of them together between `stale_low_atoms` and
    `stale_high_atoms`. `held_nanos` is the contract size of the positions as they are, by
    underlying, in 1e-9 units. With a `netting` standard margin counts expiries as it says; without
    one, in the way that asks for less.
    """

    account: int
    mode: MarginMode
    equity_atoms: int
    stale_low_atoms: int
    stale_high_atoms: int
    reserve_atoms: int
    exposures: dict[int, Exposure]
    balances: Balances
    totals: Totals
    held_nanos: dict[int, int]
    netting: Netting | None = None

    @property
    def secured_atoms(self) -> int:
        """Equity with every stale leg at its worst."""
        return self.equity_atoms + self.stale_low_atoms


def portfolio(
    world: World, account: int, changes: Changes = NO_CHANGES, flows: Flows = NO_FLOWS
) -> Portfolio:
    """Return the account's portfolio with changes to its exposures, and money coming or going."""
    balances, exposures = collateral.balances_of(world, account, flows), dict[int, Exposure]()
    equity_atoms = cash_atoms(world, account) + flows.get(QUOTE_TOKEN, 0)
    equity_atoms += collateral.value_atoms(world, balances)
    held_nanos: dict[int, int] = {}
    for position in world.positions_of(account):
        slot = position.instrument
        equity_atoms += position.entry_atoms + position.lots * world.risk_arrays[slot].mark_atoms
        equity_atoms -= funding.pending_atoms(world, position)
        exposures[slot] = Exposure(position.lots, *open_orders(world, position))
        instrument = world.instruments[slot]
        size_nanos = abs(position.lots) * unit_nanos(world, slot)
        held_nanos[instrument.underlying] = held_nanos.get(instrument.underlying, 0) + size_nanos
    merged = _merged(exposures, changes)
    return _portfolio_of(world, account, equity_atoms, merged, balances, held_nanos)


def positions_alone(world: World, account: int) -> Portfolio:
    """Return the account's portfolio as it is, orders left out."""
    whole = portfolio(world, account)
    held = {slot: exposure.held for slot, exposure in whole.exposures.items()}
    return _portfolio_of(world, account, whole.equity_atoms, held, whole.balances, whole.held_nanos)


def is_insolvent(held: Portfolio) -> bool:
    """Whether equity is below zero even with every stale leg at its best."""
    return held.equity_atoms + held.stale_high_atoms < 0


def with_changes(world: World, before: Portfolio, changes: Changes) -> Portfolio:
    """Return a portfolio with changes to its exposures, traded at their marks."""
    exposures = _merged(before.exposures, changes)
    return _portfolio_of(
        world, before.account, before.equity_atoms, exposures, before.balances, before.held_nanos
    )


def _merged(exposures: dict[int, Exposure], changes: Changes) -> dict[int, Exposure]:
    added = {slot: exposures.get(slot, Exposure(0)) + change for slot, change in changes.items()}
    return exposures | added


def _portfolio_of(
    world: World,
    account: int,
    equity_atoms: int,
    exposures: dict[int, Exposure],
    balances: Balances,
    held_nanos: dict[int, int],
) -> Portfolio:
    reserve_atoms = sum(exposure.reserve_atoms for exposure in exposures.values())
    low_atoms, high_atoms = _stale_interval(world, exposures, balances)
    totals = totals_of(world, exposures)
    collateral.add_columns(world, totals, balances)
    mode = MarginMode(world.accounts[account].margin_mode)
    return Portfolio(
        account,
        mode,
        equity_atoms,
        low_atoms,
        high_atoms,
        reserve_atoms,
        exposures,
        balances,
        totals,
        held_nanos,
    )


def _stale_interval(
    world: World, exposures: Mapping[int, Exposure], balances: Balances
) -> tuple[int, int]:
    """Return how far below and above its mark what is held may be worth. Rounds outwards."""
    low, high = collateral.stale_interval_ppm(world, balances)
    for slot, exposure in exposures.items():
        if exposure.lots:
            bounds = [exposure.lots * bound for bound in interval_ppm(world, slot)]
            low += min(bounds)
            high += max(bounds)
    return low // FRACTION_ONE_PPM, -(-high // FRACTION_ONE_PPM)
