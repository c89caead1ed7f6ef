"""Where two reasons apply to one command, it is rejected for the one that the reference puts first.

Random commands are spoilt in one field, in another, and in both at once, in states of a random
stream. Two flaws may bring about a third that comes before them, and never hide the first.
"""

from collections import Counter
from dataclasses import fields, replace
from itertools import combinations
from typing import Any

import pytest

from proofbook.kernel import Kernel
from proofbook.protocol.commands import (
    Amend,
    Command,
    PositionTransfer,
    SetInstrument,
    TraderCommand,
)
from proofbook.protocol.eip712 import command_digest
from proofbook.protocol.entry import Entry
from proofbook.protocol.limits import OutcomeKind, Reject
from proofbook.simulator.hostility import EXTREMES, WIDTHS_BITS
from proofbook.simulator.workload import (
    CHAIN_ID,
    CONTRACT,
    WEIGHTS,
    Workload,
    compact_signature,
)

ENTRIES = 2_500
FIELDS_SPOILT = 4
LEFT_ALONE = frozenset({"account", "nonce", "trigger_ticks"})
"""Who signs depends on the first; each copy has a nonce of its own; a trigger's price is asked for
after its order, by a reason of the order's limit.
"""

OF_THE_WHOLE = frozenset(
    {
        Reject.VALUE_OUT_OF_RANGE, Reject.ORDER_LIMIT, Reject.INSTRUMENT_LIMIT,
        Reject.POSITION_LIMIT, Reject.ARENA_FULL, Reject.INSUFFICIENT_MARGIN, Reject.WOULD_NOT_FILL,
        Reject.POST_ONLY_WOULD_CROSS, Reject.PRICE_OUTSIDE_BAND, Reject.BREAKER_TRIPPED,
        Reject.OPEN_INTEREST_LIMIT, Reject.ACCOUNT_INSOLVENT, Reject.LIQUIDITY_INSUFFICIENT,
        Reject.DEBT_LIMIT, Reject.CURSOR_INVALID,
    }
)  # fmt: skip
"""Reasons that depend on several fields together: a second flaw may take them away."""

ASKED_AFTER: dict[type[Command], tuple[int, set[Reject]]] = {
    Amend: (Reject.NONCE_USED, {Reject.ORDER_NOT_FOUND, Reject.ORDER_NOT_OWNED}),
    PositionTransfer: (
        Reject.LOTS_OUT_OF_RANGE,
        {Reject.RECIPIENT_INVALID, Reject.OWNER_MISMATCH, Reject.POSITION_TOO_SMALL},
    ),
}
"""What a command is asked earlier than the numbers say: right after this reason."""

ASKED_LAST: dict[type[Command], tuple[Reject, ...]] = {
    SetInstrument: (Reject.KIND_NOT_SUPPORTED, Reject.OFF_GRID, Reject.EXPIRY_LIMIT),
}
"""What the listing of a place says, if nothing else is wrong."""


class Spoiler(Workload):
    """A workload that also draws commands to spoil, and signs copies of them."""

    def drawn(self) -> Command:
        """Return a command of any kind, but none that two sign."""
        names = sorted(WEIGHTS.keys() - {"accept_quote", "block_trade"})
        return self.draws[self.random.choice(names)]()

    def flaws(self, command: Any) -> list[dict[str, int]]:
        """Return some fields of a command, an extreme value for each."""
        names = [
            member.name
            for member in fields(command)
            if member.name in WIDTHS_BITS.keys() - LEFT_ALONE
            and type(getattr(command, member.name)) is int
        ]
        chosen = self.random.sample(names, min(len(names), FIELDS_SPOILT))
        return [{name: self._extreme(name)} for name in chosen]

    def _extreme(self, name: str) -> int:
        return self.random.choice(EXTREMES) & (1 << WIDTHS_BITS[name]) - 1

    def signed_copy(self, command: Any, flaw: dict[str, int]) -> bytes:
        """Return an entry with the flaw, in a window and with a nonce of its own."""
        self.window_ns += 1
        self.received_ns, self.left_in_window = self.window_ns, 0
        spoilt: Any = replace(command, **flaw)
        if not isinstance(spoilt, TraderCommand):
            return Entry(self.window_ns, self.received_ns, spoilt).encode()
        trader = self.accounts.get(spoilt.account, self.traders[0])
        nonce = trader.nonces.get(spoilt.account, 0) + 1
        trader.nonces[spoilt.account] = nonce
        renewed: Any = replace(command, **flaw, nonce=nonce)
        signature = compact_signature(trader.key, command_digest(self.separator, renewed))
        return Entry(self.window_ns, self.received_ns, renewed, 0, signature).encode()


def rank(command: Command, reason: int) -> float:
    """Return the place of a reason among those of the command, lowest first."""
    if reason == Reject.PRICE_OFF_TICK:
        return Reject.PRICE_OUT_OF_RANGE + 0.5
    if reason == Reject.ACCOUNT_NOT_FOUND and isinstance(command, TraderCommand):
        return Reject.NONCE_USED + 0.5  # the account that it names beside the signer's
    before, earlier = ASKED_AFTER.get(type(command), (0, set[Reject]()))
    if reason in earlier:
        return before + reason / 1_000
    return reason + 1_000 * (reason in ASKED_LAST.get(type(command), ()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_two_flaws_the_one_that_comes_first_is_named(seed: int) -> None:
    workload = Spoiler(seed, hostile_share=0)
    kernel = Kernel(workload.genesis, CHAIN_ID, CONTRACT)
    compared = Counter[str]()

    def reason(command: Command, flaw: dict[str, int]) -> int:
        """Apply a copy with the flaw; return what it is rejected for, or 0."""
        data = workload.signed_copy(command, flaw)
        (result,) = kernel.apply([data])
        workload.observe(data, result)
        is_rejected = result.outcome.kind == OutcomeKind.REJECTED
        return result.outcome.reason if is_rejected else 0

    while kernel.seq < ENTRIES:
        entry = workload.next_entry()
        (result,) = kernel.apply([entry])
        workload.observe(entry, result)
        if workload.opening or workload.script:
            continue
        command = workload.drawn()
        alone = [(flaw, reason(command, flaw)) for flaw in workload.flaws(command)]
        single = [(f, r) for f, r in alone if r and r not in OF_THE_WHOLE]
        found = [
            (flaw, one, other_flaw, other, reason(command, flaw | other_flaw))
            for (flaw, one), (other_flaw, other) in combinations(single, 2)
            if one != other
        ]
        if reason(command, {}):
            continue  # it has a flaw of its own
        for flaw, one, other_flaw, other, both in found:
            first = min(rank(command, one), rank(command, other))
            flaws = f"{one} by {flaw}, {other} by {other_flaw}"
            assert both and rank(command, both) <= first, f"{both} of {command}: {flaws}"
            compared[type(command).__name__] += 1
    assert compared.total() > 80, compared
