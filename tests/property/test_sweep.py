"""The sweep over all accounts says of each what the reference says of it, on random streams."""

from dataclasses import replace

import pytest

from proofbook.kernel import Kernel
from proofbook.protocol.genesis import Genesis
from proofbook.protocol.terms import MarginTerms
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload
from proofbook.spec import State, margin
from proofbook.spec.portfolio import portfolio

COMMANDS = 4_000
LOOK_EVERY = 250


def compare(spec: State, kernel: Kernel) -> int:
    """Compare all accounts; return how many have positions."""
    standings, holders = kernel.standings(), 0
    assert [s.account for s in standings] == list(spec.world.accounts.records)
    for account, equity, stale_high, maintenance in standings:
        held = portfolio(spec.world, account)
        assert equity == held.equity_atoms, account
        assert stale_high == held.stale_high_atoms, account
        assert maintenance == margin.maintenance_margin_up(spec.world, held), account
        holders += maintenance > 0
    below = [
        account
        for account in spec.world.accounts.records
        if margin.is_below_maintenance(spec.world, portfolio(spec.world, account))
    ]
    assert [s.account for s in kernel.below_maintenance()] == below
    return holders


def with_add_ons(data: bytes) -> bytes:
    """Return the genesis of a venue that charges for size and judges underlyings together."""
    genesis = Genesis.decode(data)
    parameters = replace(genesis.parameters, joint_ppm=350_000)
    charged = MarginTerms(800_000, concentration_ppm=50_000, concentration_nanos=10**9)
    grids = tuple(replace(grid, margin=charged) for grid in genesis.underlyings)
    return replace(genesis, parameters=parameters, underlyings=grids).encode()


@pytest.mark.parametrize("has_add_ons", [False, True])
@pytest.mark.parametrize("seed", [3, 4])
def test_the_sweep_agrees_with_the_reference(seed: int, has_add_ons: bool) -> None:
    workload = Workload(seed)
    data = with_add_ons(workload.genesis) if has_add_ons else workload.genesis
    spec, kernel = State(data, CHAIN_ID, CONTRACT), Kernel(data, CHAIN_ID, CONTRACT)
    holders = 0
    for number in range(1, COMMANDS + 1):
        entry = workload.next_entry()
        result = spec.apply([entry])[0]
        kernel.apply([entry])
        workload.observe(entry, result)
        if number % LOOK_EVERY == 0:
            holders += compare(spec, kernel)
    assert holders > COMMANDS // LOOK_EVERY
