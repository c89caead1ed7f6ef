"""What the kernel keeps of accounts between commands is what their positions come to anew."""

import pytest

from proofbook.kernel import Kernel
from proofbook.protocol.engine import Engine
from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload
from proofbook.spec import State

COMMANDS = 4_000
REFERENCE_EVERY = 100
PAUSE_EVERY = 97
PAUSE_NS = 45 * NS_PER_SECOND
"""Marks are fresh for 60 s, or 3,600 s: some grow old between two commands."""


def differences(kept: Kernel, others: list[Engine], accounts: list[int]) -> list[int]:
    """Return the accounts of whose margin the engines do not say the same."""
    return [
        account
        for account in accounts
        if any(engine.margin(account) != kept.margin(account) for engine in others)
    ]


@pytest.mark.parametrize("seed", [11, 12])
def test_margin_kept_is_margin_added_up_anew(seed: int) -> None:
    """A third of the accounts after every command, so that others are written more than once."""
    workload = Workload(seed)
    spec = State(workload.genesis, CHAIN_ID, CONTRACT)
    kept, plain = (
        Kernel(workload.genesis, CHAIN_ID, CONTRACT, store=store) for store in ("cached", "plain")
    )
    for number in range(COMMANDS):
        if number % PAUSE_EVERY == 0:
            workload.window_ns += PAUSE_NS
        entry = workload.next_entry()
        expected = spec.apply([entry])[0]
        assert kept.apply([entry]) == plain.apply([entry]) == [expected]
        workload.observe(entry, expected)
        accounts = [slot for slot in spec.world.accounts.records if slot % 3 == number % 3]
        assert differences(kept, [plain], accounts) == [], f"after command {number}"
        if number % REFERENCE_EVERY == 0:
            assert differences(kept, [spec], accounts) == [], f"after command {number}"
