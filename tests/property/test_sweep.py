"""The sweep over all accounts says of each what the reference says of it, on random streams."""

from dataclasses import replace

import pytest

from proofbook.kernel import Kernel
from proofbook.protocol.genesis import Genesis
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


@pytest.mark.parametrize("joint_ppm", [0, 350_000])
@pytest.mark.parametrize("seed", [3, 4])
def test_the_sweep_agrees_with_the_reference(seed: int, joint_ppm: int) -> None:
    workload = Workload(seed)
    genesis = Genesis.decode(workload.genesis)
    parameters = replace(genesis.parameters, joint_ppm=joint_ppm)
    data = replace(genesis, parameters=parameters).encode()
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
