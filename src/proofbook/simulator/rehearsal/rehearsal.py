"""A rehearsal: the venue's services and its crowd, step after step along a path.

Each step publishers speak, unless they are stalled, and all books are marked; makers quote around
what books are worth, takers trade, and after the time that a service needs the liquidators begin.
They act once a second of the venue's clock as long as somebody is below maintenance margin, and
bidders once a second as long as an auction runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from proofbook.kernel import Kernel
from proofbook.protocol.commands import CancelAll, Command
from proofbook.protocol.engine import Result
from proofbook.protocol.limits import FUND_ACCOUNT, NS_PER_SECOND, Reject
from proofbook.protocol.liquidation_commands import Liquidate, StartAuction
from proofbook.protocol.outcomes import Outcome
from proofbook.protocol.watch import Step
from proofbook.sequencer.settlements import PAUSE_NS
from proofbook.simulator.rehearsal.bidders import Bidders
from proofbook.simulator.rehearsal.ledger import Ledger, recount
from proofbook.simulator.rehearsal.participants import Crowd
from proofbook.simulator.rehearsal.scenario import Scenario
from proofbook.simulator.rehearsal.stage import USD, Stage
from proofbook.simulator.rehearsal.tally import Tally

LATENCY_NS = 50 * 10**6
"""From marks to the first Liquidate: a sweep, a window, a commit."""
ROUND_NS = NS_PER_SECOND
ROUNDS_MAX = 20
RECOUNT_EVERY = 100
NOT_AUCTIONED = Outcome.rejected(Reject.LIQUIDATION_AUCTION_NOT_FOUND)


@dataclass(slots=True)
class Track:
    """What is drawn: a number for each step."""

    seconds: list[float] = field(default_factory=list[float])
    spot_usd: list[float] = field(default_factory=list[float])
    volatility: list[float] = field(default_factory=list[float])
    fund_usd: list[float] = field(default_factory=list[float])
    below: list[int] = field(default_factory=list[int])
    liquidated: list[int] = field(default_factory=list[int])
    slices: list[int] = field(default_factory=list[int])
    auctions: list[int] = field(default_factory=list[int])
    bids_taken: list[int] = field(default_factory=list[int])
    deleveraged_usd: list[float] = field(default_factory=list[float])
    withheld_usd: list[float] = field(default_factory=list[float])


class Rehearsal:
    """One path with one crowd; the same seed gives the same run."""

    def __init__(self, scenario: Scenario, traders: int, seed: int) -> None:
        self.stage = Stage(Kernel, scenario)
        self.stage.go_to(0)
        for result in self.stage.publish():
            assert result.outcome.is_applied, result.outcome.name
        self.crowd = Crowd(self.stage, traders, seed)
        self.crowd.take_positions()
        self.bidders = Bidders(self.stage, self.crowd.bidders, seed)
        self.tally = Tally(self.stage.tick_value_atoms)
        self.track = Track()
        self.ledgers: list[Ledger] = []
        self._highest_usd = scenario.first_price_usd

    @property
    def kernel(self) -> Kernel:
        return self.stage.kernel

    def run(self, progress: Callable[[int], None] = lambda step: None) -> None:
        """Go along the path to its end."""
        self.ledgers.append(recount(self.kernel))
        for step in range(self.stage.scenario.steps):
            self.stage.go_to(step)
            self._step()
            self._draw()
            if step % RECOUNT_EVERY == 0:
                self.ledgers.append(recount(self.kernel))
            progress(step + 1)
        self.ledgers.append(recount(self.kernel))

    def fund_atoms(self) -> int:
        """Return the equity of the insurance fund."""
        return self.kernel.standings()[FUND_ACCOUNT - 1].equity_atoms

    def _step(self) -> None:
        self.stage.publish()
        self._settle()
        self._quote()
        self._apply(self.crowd.takers(self._fall()))
        self._apply(self.crowd.leavers(self._fall()))
        self._apply(self.bidders.sales())
        self.stage.floor.wait(LATENCY_NS)
        missed: set[int] = set()
        for _ in range(min(ROUNDS_MAX, max(1, round(self.stage.scenario.step_seconds)))):
            is_acting = self._liquidate(missed)
            self._bid()
            if not is_acting and not self.bidders.running:
                break
            self.stage.floor.wait(ROUND_NS)
            if is_acting:
                self._quote()

    def _settle(self) -> None:
        """Do what expiries that are over ask of anybody, until nothing can be done now."""
        while commands := self.stage.settling():
            self._apply(commands)
            self.stage.floor.wait(PAUSE_NS)

    def _bid(self) -> None:
        """Let bidders bid one after the other; where no bids are taken nobody tries again."""
        for bid in self.bidders.bids():
            (result,) = self._apply([bid])
            if result.outcome == NOT_AUCTIONED:
                self.bidders.leave(bid.target)

    def _liquidate(self, missed: set[int]) -> bool:
        """Do what is to be done about accounts below their margin; false if that is nothing.

        Whom the book gave nothing is sent no more slices until the next step, and put among the
        missed. While he cools down an auction is what is due, so there is a second look.
        """
        floor = self.stage.floor
        below = [standing.account for standing in self.kernel.below_maintenance()]
        self.tally.see_below(below, self.stage.published_ns, floor.now_ns)
        duties = [
            duty
            for duty in self.kernel.unbacked() + self.kernel.look(floor.now_ns).duties
            if not isinstance(duty, Liquidate) or duty.account not in missed
        ]
        for duty in duties:
            self._send(duty, missed)
        due = self.kernel.look(floor.now_ns).duties
        auctions = [duty for duty in due if isinstance(duty, StartAuction)]
        for duty in auctions:
            self._send(duty, missed)
        return bool(duties or auctions)

    def _send(self, duty: Step, missed: set[int]) -> None:
        mark_atoms = self._mark_atoms(duty) if isinstance(duty, Liquidate) else 0
        result, now_ns = self.stage.floor.submit(duty), self.stage.floor.now_ns
        self.tally.count([duty], [result])
        if isinstance(duty, StartAuction):
            self.bidders.watch(duty.account)
            return
        is_missed = self.tally.see_liquidation(result, now_ns, mark_atoms)
        if is_missed:
            missed.add(duty.account)

    def _quote(self) -> None:
        """Let makers quote; one whose margin does not allow it leaves its books."""
        commands = self.crowd.quotes()
        results = self._apply(commands)
        refused = {
            command.account
            for command, result in zip(commands, results, strict=True)
            if not result.outcome.is_applied
        }
        self._apply([CancelAll(*self.stage.floor.header(maker)) for maker in sorted(refused)])

    def _mark_atoms(self, duty: Liquidate) -> int:
        book = self.stage.floor.books.get(duty.instrument)
        return self.stage.floor.mark_atoms(book) if book else 0

    def _apply(self, commands: Sequence[Command]) -> list[Result]:
        results = self.stage.floor.apply(commands)
        self.tally.count(commands, results)
        return results

    def _fall(self) -> float:
        """Return how far the price is below the highest of the path so far, as a share."""
        price_usd = self.stage.fair().price_usd
        self._highest_usd = max(self._highest_usd, price_usd)
        return 1 - price_usd / self._highest_usd

    def _draw(self) -> None:
        fair, track = self.stage.fair(), self.track
        track.seconds.append(self.stage.seconds())
        track.spot_usd.append(fair.price_usd)
        track.volatility.append(fair.volatility)
        track.fund_usd.append(self.fund_atoms() / USD)
        tally = self.tally
        track.below.append(tally.below)
        track.liquidated.append(len(tally.liquidated))
        track.slices.append(tally.slices)
        track.auctions.append(len(self.bidders.running))
        track.bids_taken.append(tally.auction_bids_taken)
        track.deleveraged_usd.append(tally.deleveraged_atoms / USD)
        track.withheld_usd.append(tally.withheld_atoms / USD)

    def debts_atoms(self) -> int:
        """Return what accounts are below zero, all together, as a positive number."""
        return sum(max(0, -standing.equity_atoms) for standing in self.kernel.standings())
