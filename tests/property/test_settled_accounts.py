"""SettleAccount is no lever: whoever sends it, an account is worth what it was, and as safe.

Margin may fall: what is settled counts no more towards the concentration of its owner.
"""

from operator import le

import pytest

from proofbook.protocol.commands import SettleAccount
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload
from proofbook.spec import State, expiries, margin
from proofbook.spec.portfolio import portfolio, positions_alone
from proofbook.spec.world import World

ENTRIES = 4_000
EVERY = 10


def standing(world: World, account: int) -> tuple[int, ...]:
    """Return equity, both margins, and whether it can be liquidated."""
    whole, alone = portfolio(world, account), positions_alone(world, account)
    return (
        whole.equity_atoms,
        margin.initial_margin_up(world, whole),
        margin.maintenance_margin_up(world, alone),
        margin.is_below_maintenance(world, alone),
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_settling_moves_no_equity_and_raises_no_margin(seed: int) -> None:
    """In streams with both margin modes, funding due and expiries that pass."""
    workload = Workload(seed)
    state = State(workload.genesis, CHAIN_ID, CONTRACT)
    world, settled = state.world, 0
    while state.seq < ENTRIES:
        entry = workload.next_entry()
        (result,) = state.apply([entry])
        workload.observe(entry, result)
        if state.seq % EVERY:
            continue
        for account in workload.accounts:
            before = standing(world, account)
            if expiries.settle_account(world, SettleAccount(account)) is None:
                after = standing(world, account)
                assert after[0] == before[0], f"equity after seq {state.seq}"
                assert all(map(le, after[1:], before[1:])), f"margin after seq {state.seq}"
                settled += 1
    assert settled > 5
