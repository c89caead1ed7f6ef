"""Draws of commands about accounts below their margin."""

from collections import deque

from proofbook.protocol.commands import Liquidate, TraderCommand
from proofbook.protocol.engine import Result
from proofbook.protocol.entry import Entry
from proofbook.protocol.events import AccountReduced, Event, OrdersUnbacked
from proofbook.protocol.genesis import UnderlyingGrid
from proofbook.protocol.limits import Reject
from proofbook.protocol.outcomes import Outcome
from proofbook.simulator.collateral_draws import CollateralDraws

WEAK_ACCOUNTS = 8
NOT_COVERED = Outcome.rejected(Reject.INSUFFICIENT_MARGIN)


class LiquidationDraws(CollateralDraws):
    """A crowd in which somebody looks for accounts to liquidate."""

    def __init__(
        self, seed: int, traders: int, hostile_share: float, grids: tuple[UnderlyingGrid, ...]
    ) -> None:
        super().__init__(seed, traders, hostile_share, grids)
        self.weak: deque[int] = deque(maxlen=WEAK_ACCOUNTS)

    def observe_weakness(self, data: bytes, result: Result) -> None:
        """Remember accounts that margin refused something."""
        if result.outcome == NOT_COVERED:
            command = Entry.decode(data).command
            assert isinstance(command, TraderCommand)
            self.weak.append(command.account)

    def observe_liquidation(self, event: Event) -> None:
        """Remember accounts that were below their margin, and what they hold."""
        if isinstance(event, OrdersUnbacked | AccountReduced):
            self.weak.append(event.account)

    def _liquidate(self) -> Liquidate:
        """Try a position that somebody may hold, mostly somebody who is short of margin."""
        held = [place for place, lots in self.held_lots.items() if lots]
        if self.random.random() < 0.8:
            held = [place for place in held if place[0] in self.weak] or held
        if not held or self.random.random() < 0.1:
            return Liquidate(self._account(), self.random.randrange(30))
        return Liquidate(*self.random.choice(held))
