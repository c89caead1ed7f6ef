"""Collateral: what tokens beside USDC add to an account's equity and to its scenarios.

A token counts for its balance at the index, less a haircut; its price moves with the index, so that
it covers what is short of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from proofbook.protocol.limits import (
    ATOMS_PER_QUOTE_UNIT,
    CORE_COLUMNS,
    FRACTION_ONE_PPM,
    NS_PER_SECOND,
    TOKENS_MAX,
)
from proofbook.spec.scenario_margin import Totals, UnderlyingTotals
from proofbook.spec.scenarios import spot_profits
from proofbook.spec.staleness import share_ppm
from proofbook.spec.world import PARAMETERS_SLOT, World

Balances: TypeAlias = tuple[int, ...]
"""Atoms of each token, the one with number 1 first."""

Flows: TypeAlias = Mapping[int, int]
"""Atoms that would come into an account, by token; below 0 what would go."""

NO_FLOWS: Flows = {}


@dataclass(frozen=True, slots=True)
class Holding:
    """What a balance adds to a portfolio, in quote atoms; columns are those of its underlying."""

    underlying: int
    value_atoms: int
    columns: list[int]
    stale_ppm: int


def balances_of(world: World, account: int, flows: Flows = NO_FLOWS) -> Balances:
    """Return what the account has of each token, with changes to it."""
    held = enumerate(world.accounts[account].balances_atoms, 1)
    return tuple(atoms + flows.get(token, 0) for token, atoms in held)


def holdings(world: World, balances: Balances) -> Iterator[Holding]:
    """Yield what balances add to a portfolio."""
    for token, atoms in enumerate(balances, 1):
        if atoms:
            yield _holding(world, token, atoms)


def _holding(world: World, token: int, atoms: int) -> Holding:
    """Return what atoms of a token add: the whole of their value moves, less of it counts.

    Rounds down, against the account.
    """
    value = index_value_down(world, token, atoms)
    record = world.tokens[token]
    return Holding(
        record.underlying,
        value * (FRACTION_ONE_PPM - record.haircut_ppm) // FRACTION_ONE_PPM,
        spot_profits(world.parameters[PARAMETERS_SLOT], value),
        stale_ppm(world, token),
    )


def index_value_down(world: World, token: int, atoms: int) -> int:
    """Return what atoms of a token are worth at the index, in quote atoms. Rounds down."""
    return atoms * index_atoms(world, token) // atoms_per_token(world, token)


def index_atoms(world: World, token: int) -> int:
    """Return what a whole token is worth at the index, in quote atoms; 0 before it is known."""
    return world.underlyings[world.tokens[token].underlying].index_atoms


def atoms_per_token(world: World, token: int) -> int:
    """Return how many atoms a whole token has."""
    return 10 ** world.tokens[token].decimals


def is_dust(world: World, balances: Balances) -> bool:
    """Whether all balances together are worth less than one USDC, every index known and fresh."""
    held = [(token, atoms) for token, atoms in enumerate(balances, 1) if atoms]
    if any(index_atoms(world, token) == 0 or stale_ppm(world, token) for token, _ in held):
        return False
    worth_atoms = sum(index_value_down(world, token, atoms) for token, atoms in held)
    return worth_atoms < ATOMS_PER_QUOTE_UNIT


def stale_ppm(world: World, token: int) -> int:
    """Return how much of its core scenarios a token's value may be off by; 0 with a fresh index."""
    underlying = world.underlyings[world.tokens[token].underlying]
    if underlying.index_version == 0:
        return 0
    age_ns = world.parameters[PARAMETERS_SLOT].index_age_seconds * NS_PER_SECOND
    return share_ppm(world, underlying.index_ns + age_ns)


def add_columns(world: World, totals: Totals, balances: Balances) -> None:
    """Add what balances gain and lose in each scenario."""
    for holding in holdings(world, balances):
        underlying = totals.setdefault(holding.underlying, UnderlyingTotals())
        for index, profit in enumerate(holding.columns):
            underlying.columns[index] += profit
        underlying.stale_legs += holding.stale_ppm > 0


def value_atoms(world: World, balances: Balances) -> int:
    """Return what balances count for, in quote atoms."""
    return sum(holding.value_atoms for holding in holdings(world, balances))


def stale_interval_ppm(world: World, balances: Balances) -> tuple[int, int]:
    """Return how far below and above their value balances with an old index may be, times 10^6."""
    low = high = 0
    for holding in holdings(world, balances):
        core = holding.columns[:CORE_COLUMNS]
        low += holding.stale_ppm * min(0, *core)
        high += holding.stale_ppm * max(0, *core)
    return low, high


def add_tokens(world: World, account: int, token: int, atoms: int) -> None:
    """Add atoms of a token, which may be negative, to an account's balance of it."""
    assert 1 <= token <= TOKENS_MAX, f"token {token} has a balance"
    world.accounts.edit(account).balances_atoms[token - 1] += atoms
