"""A crash in a random stream: somebody deals with more than he can lose, and the index falls away.

What random draws hardly ever reach in the right order is written as a script: two new accounts, a
block between them, a gap, and after it an auction: in a mild crash with bids that it takes, in any
other with deleveraging at marks of then.
"""

from collections.abc import Callable

from proofbook.protocol.commands import (
    BlockTrade,
    Command,
    Deleverage,
    Deposit,
    Leg,
    Liquidate,
    Remark,
    StartAuction,
)
from proofbook.protocol.entry import UNSIGNED
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import FIRST_USER_ACCOUNT, NS_PER_SECOND, QUOTE_TOKEN
from proofbook.simulator.expiry_draws import AUCTIONED_NS, ExpiryDraws
from proofbook.simulator.listed import Listed

CRASH_WINDOWS = 170
"""After that many windows there is a crash."""

STAKE_ATOMS = 10**8
"""What the victim deposits; the other side a hundredfold."""

LEVERAGE = 2.2
FALL, RISE = 0.5, 1.6
"""What becomes of an index: more than the stake is lost."""

SLIDE, CLIMB = 0.62, 1.38
"""And in a mild crash: less than the stake is lost, and more than margin allows."""

MILD_SHARE = 0.4

CALM_NS = 301 * NS_PER_SECOND
"""Longer than a breaker stays tripped."""

STEPS = 3
"""Commands in which a deleveraging mostly ends."""


class Crash:
    """One crash; its acts know each other's accounts, as they are made while the script runs."""

    def __init__(self, draws: ExpiryDraws, book: Listed, spot_atoms: int) -> None:
        self.draws = draws
        self.book = book
        self.place = book.underlying - 1
        self.is_rise = draws.spot[self.place] < spot_atoms
        self.is_mild = draws.random.random() < MILD_SHARE
        self.victim = self.other = FIRST_USER_ACCOUNT

    def write(self) -> None:
        """Put the crash into the script."""
        begin_ns = self.draws.window_ns + NS_PER_SECOND
        self._act(begin_ns, self._victims_deposit, self._others_deposit)
        self._mark(begin_ns, self._index)
        start_ns = begin_ns + CALM_NS
        self._mark(start_ns, self._index)
        self._act(start_ns + 2, self._deal)
        self._mark(start_ns + NS_PER_SECOND, self._gap)
        after_ns = start_ns + NS_PER_SECOND + 2
        if self.is_mild:
            self._act(after_ns, self._liquidate, self._auction, *[self._bid] * STEPS)
            return
        self._act(after_ns, self._auction, self._bid, *[self._close] * STEPS)
        self._mark(start_ns + AUCTIONED_NS, self._index)
        self._act(start_ns + AUCTIONED_NS + 2, self._auction, *[self._close] * STEPS)

    def _act(self, moment_ns: int, *acts: Callable[[], Command]) -> None:
        self.draws.script.extend((moment_ns, act) for act in acts)

    def _mark(self, moment_ns: int, index: Callable[[], Command]) -> None:
        """Publish all that the book's mark is made of, and mark it."""
        forwards = [lambda: self.draws.forwards_of(self.place)] if self.book.expiry else []
        self._act(moment_ns, index, *forwards)
        cursor = instrument_slot(self.book.identifier)
        self._act(moment_ns + 1, lambda: Remark(self.book.expiry, cursor))

    def _index(self) -> Command:
        return self.draws.index_of(self.place, may_jump=False)

    def _gap(self) -> Command:
        """Let the index fall, or rise if it has fallen before."""
        fall, rise = (SLIDE, CLIMB) if self.is_mild else (FALL, RISE)
        spot_atoms = self.draws.spot[self.place]
        self.draws.spot[self.place] = int(spot_atoms * (rise if self.is_rise else fall))
        return self._index()

    def _victims_deposit(self) -> Deposit:
        self.victim = self.draws.next_account
        owner = self.draws.random.choice(self.draws.traders[1:]).owner
        return Deposit(self.victim, owner, 0, QUOTE_TOKEN, STAKE_ATOMS)

    def _others_deposit(self) -> Deposit:
        self.other = self.draws.next_account
        owner = self.draws.traders[0].owner
        return Deposit(self.other, owner, 0, QUOTE_TOKEN, 100 * STAKE_ATOMS)

    def _deal(self) -> BlockTrade:
        """Trade at the mark as many lots as the stake may carry."""
        draws, mark_atoms = self.draws, max(1, self.book.mark_atoms)
        lots = int(LEVERAGE * STAKE_ATOMS / mark_atoms) * (-1 if self.is_rise else 1)
        legs = (Leg(self.book.identifier, lots, self.book.fair_ticks),)
        maker = draws.header(self.other)
        return BlockTrade(
            *draws.header(self.victim), 1_000, self.other, maker[1], 0, UNSIGNED, legs
        )

    def _liquidate(self) -> Liquidate:
        return Liquidate(self.victim, self.book.identifier)

    def _auction(self) -> StartAuction:
        return StartAuction(self.victim)

    def _bid(self) -> Command:
        return self.draws.bid_on(self.victim)

    def _close(self) -> Deleverage:
        return Deleverage(self.victim, self.book.identifier)
