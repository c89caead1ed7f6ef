"""What can be asked about all accounts at once: who is below his margin, and what may be done."""

from collections.abc import Collection
from typing import NamedTuple, Protocol, TypeAlias

from proofbook.protocol.collateral_commands import SettleVariation, StartConversion
from proofbook.protocol.liquidation_commands import Deleverage, Liquidate, StartAuction

Step: TypeAlias = Liquidate | StartAuction | Deleverage
"""What the monitor sends: the next step of the waterfall."""

DebtStep: TypeAlias = StartConversion | SettleVariation
"""What the collector sends."""

MOST = 2**32 - 1
"""As many as there are."""


class Findings(NamedTuple):
    """What was found in one look at all accounts.

    `below` is how many are below maintenance margin; `next_ns` when the first of those that cool
    down may be looked at again, 0 if none does.
    """

    duties: list[Step]
    below: int
    next_ns: int


class Watch(Protocol):
    """Looks at all accounts of a state, from another thread while entries are applied to it.

    What it says is a hint: the state machine judges every step again.
    """

    def look(
        self, now_ns: int = 0, most: int = MOST, passed_over: Collection[int] = ()
    ) -> Findings:
        """Return the next steps that would be applied now, at most so many, the worst first.

        There is none while an account cools down, if it has nothing that can be closed, or for
        those passed over.
        """
        ...

    def unbacked(self) -> list[Liquidate]:
        """Return a Liquidate for every account whose orders initial margin does not back."""
        ...

    def debts(self) -> list[DebtStep]:
        """Return a step for every account whose tokens are to be sold, or are not any more, and
        for every one that would owe more if its losses were settled.
        """
        ...
