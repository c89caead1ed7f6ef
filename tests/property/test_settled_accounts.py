"""SettleAccount is no lever: whoever sends it, an account is worth what it was, and as safe.

Margin may fall: what is settled counts no more towards the concentration of its owner. And no
command asks an account otherwise because nobody has settled it yet.
"""

from collections import Counter
from copy import deepcopy
from operator import le

import pytest

from proofbook.protocol.commands import Malformed, SettleAccount
from proofbook.protocol.entry import Entry
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload
from proofbook.spec import State, expiries, margin
from proofbook.spec.portfolio import portfolio, positions_alone
from proofbook.spec.world import World

ENTRIES = 4_000
EVERY = 10
FORK_EVERY = 7
"""A copy of a state costs as much as many commands."""


def standing(world: World, account: int) -> tuple[int, ...]:
    """Return equity, both margins, and whether it can be liquidated."""
    whole, alone = portfolio(world, account), positions_alone(world, account)
    return (
        whole.equity_atoms,
        margin.initial_margin_up(world, whole),
        margin.maintenance_margin_up(world, alone),
        margin.is_below_maintenance(world, alone),
    )


def is_readable(data: bytes) -> bool:
    try:
        Entry.decode(data)
    except Malformed:
        return False
    return True


def settle_all(state: State, workload: Workload) -> int:
    """Settle whatever can be settled of any account; return in how many steps."""
    steps = 0
    for account in workload.accounts:
        while expiries.settle_account(state.world, SettleAccount(account)) is None:
            steps += 1
    return steps


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
    assert settled > 2, "something was settled"


@pytest.mark.parametrize("seed", [7, 11])
def test_no_outcome_depends_on_whether_accounts_were_settled(seed: int) -> None:
    """Each command of a stream, executed in the state as it is, and with all accounts settled."""
    workload = Workload(seed)
    state = State(workload.genesis, CHAIN_ID, CONTRACT)
    compared = Counter[str]()
    while state.seq < ENTRIES:
        entry = workload.next_entry()
        kind = type(Entry.decode(entry).command) if is_readable(entry) else None
        settled = deepcopy(state) if state.seq % FORK_EVERY == 0 else None
        is_other = settled is not None and settle_all(settled, workload) > 0
        (result,) = state.apply([entry])
        workload.observe(entry, result)
        if settled is not None and is_other and kind not in (SettleAccount, None):
            (outcome,) = (each.outcome for each in settled.apply([entry]))
            assert outcome == result.outcome, f"{kind} at seq {state.seq}"
            compared[outcome.name] += 1
    assert compared["APPLIED"] > 30
