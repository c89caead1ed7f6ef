"""What happened in a rehearsal, counted from outcomes and events."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from proofbook.protocol.commands import Command
from proofbook.protocol.engine import Result
from proofbook.protocol.events import (
    Event,
    ExpirySettled,
    Filled,
    PositionSettled,
    WithdrawalQueued,
    decode_events,
)
from proofbook.protocol.limits import FRACTION_ONE_PPM, OutcomeKind, Reject, Side
from proofbook.protocol.liquidation_events import (
    AccountReduced,
    DeficitCovered,
    DeleveragingStarted,
    LiquidationAuctionStarted,
    LiquidationAuctionTaken,
    OrdersUnbacked,
    PositionDeleveraged,
    WithdrawalReduced,
)


@dataclass(slots=True)
class Tally:
    """Counts; amounts in atoms; times in ns of the venue's clock."""

    tick_value_atoms: int
    applied: Counter[str] = field(default_factory=Counter[str])
    rejected: Counter[str] = field(default_factory=Counter[str])
    liquidated: set[int] = field(default_factory=set[int])
    unbacked: int = 0
    slices: int = 0
    slices_unfilled: int = 0
    value_atoms: int = 0
    slippage_atoms: int = 0
    fees_atoms: int = 0
    auctions: int = 0
    auctions_insolvent: int = 0
    auction_bids_taken: int = 0
    premiums_atoms: int = 0
    fund_premiums_atoms: int = 0
    deleveragings: int = 0
    deleveraged: set[int] = field(default_factory=set[int])
    deleveraged_atoms: int = 0
    charges_atoms: int = 0
    covered_debts_atoms: int = 0
    uncovered_atoms: int = 0
    expiries: int = 0
    settled_positions: int = 0
    settled_atoms: int = 0
    withdrawn_atoms: int = 0
    withheld_atoms: int = 0
    first_step_ns: list[int] = field(default_factory=list[int])
    covered_ns: list[int] = field(default_factory=list[int])
    _below_since_ns: dict[int, int] = field(default_factory=dict[int, int])
    _waiting: set[int] = field(default_factory=set[int])

    def count(self, commands: Sequence[Command], results: Sequence[Result]) -> None:
        """Count outcomes by kind of command and reason."""
        for command, result in zip(commands, results, strict=True):
            name, outcome = type(command).__name__, result.outcome
            assert outcome.kind != OutcomeKind.VOID, f"{command} was void"
            if outcome.is_applied:
                self.applied[name] += 1
            else:
                self.rejected[f"{name} {Reject(outcome.reason).name}"] += 1
            for event in decode_events(result.events):
                self._see(event)

    def _see(self, event: Event) -> None:
        """Take note of what came of auctions, debts, expiries and withdrawals."""
        match event:
            case LiquidationAuctionStarted():
                self.liquidated.add(event.account)
                self.auctions += not event.is_insolvent
                self.auctions_insolvent += event.is_insolvent
            case LiquidationAuctionTaken():
                self.auction_bids_taken += 1
                if event.is_from_fund:
                    self.fund_premiums_atoms += event.premium_atoms
                else:
                    self.premiums_atoms += event.premium_atoms
            case DeleveragingStarted():
                self.deleveragings += 1
            case PositionDeleveraged():
                self.deleveraged.add(event.holder)
                self.deleveraged_atoms += abs(event.lots * event.mark_atoms)
                self.charges_atoms += event.charge_atoms
            case DeficitCovered():
                self.covered_debts_atoms += event.deficit_atoms
                self.uncovered_atoms = max(self.uncovered_atoms, event.uncovered_atoms)
            case ExpirySettled():
                self.expiries += 1
            case PositionSettled():
                self.settled_positions += 1
                self.settled_atoms += max(0, event.lots * event.mark_atoms)
            case WithdrawalQueued():
                self.withdrawn_atoms += event.amount_atoms
            case WithdrawalReduced():
                self.withheld_atoms += event.withheld_atoms
            case _:
                pass

    def see_below(self, accounts: Iterable[int], marked_ns: int, now_ns: int) -> None:
        """Take note of who is below maintenance since the last marks, and who no longer is."""
        below = set(accounts)
        for account in sorted(self._below_since_ns.keys() - below):
            self.covered_ns.append(now_ns - self._below_since_ns.pop(account))
            self._waiting.discard(account)
        for account in below - self._below_since_ns.keys():
            self._below_since_ns[account] = marked_ns
            self._waiting.add(account)

    @property
    def below(self) -> int:
        """How many accounts were below maintenance at the last look."""
        return len(self._below_since_ns)

    def see_liquidation(self, result: Result, now_ns: int, mark_atoms: int) -> bool:
        """Take note of what a Liquidate did; true if the book gave nothing for a slice.

        The mark is that of a lot of the leg that it named.
        """
        fills: list[Filled] = []
        is_missed = False
        for event in decode_events(result.events):
            if isinstance(event, OrdersUnbacked):
                self.unbacked += 1
            elif isinstance(event, Filled):
                fills.append(event)
            elif isinstance(event, AccountReduced):
                self._see_slice(event, fills, now_ns, mark_atoms)
                is_missed = event.filled_lots == 0
        return is_missed

    def _see_slice(
        self, event: AccountReduced, fills: Iterable[Filled], now_ns: int, mark_atoms: int
    ) -> None:
        self.liquidated.add(event.account)
        self.slices += 1
        self.slices_unfilled += event.filled_lots == 0
        self.fees_atoms += event.fee_atoms
        sign = 1 if event.side == Side.BUY else -1
        for fill in fills:
            value_atoms = fill.price_ticks * self.tick_value_atoms
            self.value_atoms += fill.lots * value_atoms
            self.slippage_atoms += fill.lots * sign * (value_atoms - mark_atoms)
        if event.account in self._waiting:
            self._waiting.remove(event.account)
            self.first_step_ns.append(now_ns - self._below_since_ns[event.account])

    @property
    def slippage_ppm(self) -> int:
        """Slippage against marks, of the value that was liquidated. Rounds to nearest."""
        share = self.slippage_atoms * FRACTION_ONE_PPM / max(1, self.value_atoms)
        return round(share)
