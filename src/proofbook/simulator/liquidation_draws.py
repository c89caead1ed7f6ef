"""Draws of commands about accounts below their margin."""

from proofbook.protocol.commands import (
    AuctionBid,
    BidLeg,
    Deleverage,
    Liquidate,
    StartAuction,
    TraderCommand,
)
from proofbook.protocol.engine import Result
from proofbook.protocol.entry import Entry
from proofbook.protocol.events import (
    AccountReduced,
    DeleveragingEnded,
    DeleveragingStarted,
    Event,
    InstrumentChanged,
    LiquidationAuctionEnded,
    LiquidationAuctionStarted,
    OrdersUnbacked,
)
from proofbook.protocol.limits import LEGS_MAX, InstrumentState, Reject
from proofbook.protocol.outcomes import Outcome
from proofbook.simulator.crowd import Crowd
from proofbook.spec.states import RULES

BID_LEGS = (1, 1, 1, 2, 4, LEGS_MAX)
NOT_COVERED = Outcome.rejected(Reject.INSUFFICIENT_MARGIN)
NOT_AUCTIONED = Outcome.rejected(Reject.LIQUIDATION_AUCTION_NOT_FOUND)


class LiquidationDraws(Crowd):
    """A crowd in which somebody looks for accounts to liquidate, and bids for them."""

    def observe_weakness(self, data: bytes, result: Result) -> None:
        """Remember accounts that margin refused something, and auctions that take no bids."""
        if result.outcome == NOT_AUCTIONED:
            bid = Entry.decode(data).command
            assert isinstance(bid, AuctionBid)
            self.lapsed.add(bid.target)
        if result.outcome == NOT_COVERED:
            command = Entry.decode(data).command
            assert isinstance(command, TraderCommand)
            self.weak.append(command.account)

    def observe_liquidation(self, event: Event) -> None:
        """Remember accounts below their margin or auctioned, and books that do not trade."""
        if isinstance(event, OrdersUnbacked | AccountReduced):
            self.weak.append(event.account)
        elif isinstance(event, InstrumentChanged):
            if event.state == InstrumentState.EXPIRED:
                self.ended.add(event.instrument)
            change = self.shut.discard if RULES[event.state].trades else self.shut.add
            change(event.instrument)
        elif isinstance(event, LiquidationAuctionStarted):
            self.auctions.add(event.account)
            self.lapsed.discard(event.account)
        elif isinstance(event, LiquidationAuctionEnded):
            self.auctions.discard(event.account)
        elif isinstance(event, DeleveragingStarted):
            self.deleveraged[event.instrument] = event.account
        elif isinstance(event, DeleveragingEnded):
            self.deleveraged.pop(event.instrument, None)

    def _liquidate(self) -> Liquidate:
        """Try a position that somebody may hold, mostly somebody who is short of margin."""
        held = [place for place, lots in self.held_lots.items() if lots and self._trades(place[1])]
        if self.random.random() < 0.8:
            held = [place for place in held if place[0] in self.weak] or held
        if not held or self.random.random() < 0.1:
            return Liquidate(self._account(), self.random.randrange(30))
        return Liquidate(*self.random.choice(held))

    def _start_auction(self) -> StartAuction:
        """Try an account that is short of margin, or is auctioned already."""
        accounts = [*self.weak, *sorted(self.auctions)]
        if not accounts or self.random.random() < 0.1:
            return StartAuction(self._account())
        return StartAuction(self.random.choice(accounts))

    def _deleverage(self) -> Deleverage:
        """Go on with a leg whose book is halted, or try one that an auctioned account holds."""
        if self.deleveraged and self.random.random() < 0.8:
            instrument, account = self.random.choice(list(self.deleveraged.items()))
            return Deleverage(account, instrument)
        places = [
            place for place, lots in self.held_lots.items() if lots and self._trades(place[1])
        ]
        legs = [place for place in places if place[0] in self.auctions]
        if not legs or self.random.random() < 0.1:
            return Deleverage(self._account(), self.random.randrange(30))
        return Deleverage(*self.random.choice(legs))

    def _auction_bid(self) -> AuctionBid:
        return self.bid_on(self.random.choice(self._biddable() or [self._account()]))

    def bid_on(self, target: int) -> AuctionBid:
        """Bid for some of what an auctioned account holds."""
        held = [
            BidLeg(instrument, lots)
            for (account, instrument), lots in sorted(self.held_lots.items())
            if account == target and lots and self._trades(instrument)
        ]
        chosen = self.random.sample(held, min(len(held), self.random.choice(BID_LEGS)))
        legs = [BidLeg(leg.instrument, self._part(leg.lots)) for leg in chosen]
        legs.sort(key=lambda leg: leg.instrument)
        rows = tuple(legs) or (BidLeg(1, 1),)
        cost_atoms = self.random.choice((1 << 60, 1 << 60, 1 << 60, 0, -1))
        return AuctionBid(*self.header(self._bidder(target)), target, cost_atoms, rows)

    def _biddable(self) -> list[int]:
        """Return accounts whose auctions take bids, as far as is known, for what trades."""
        held = {place for place, lots in self.held_lots.items() if lots and self._trades(place[1])}
        holders = {account for account, _ in held}
        return sorted((self.auctions - self.lapsed) & holders)

    def _part(self, lots: int) -> int:
        """Return all or half of a position, rarely more than it."""
        sign, most = (1 if lots > 0 else -1), abs(lots)
        return sign * self.random.choices((most, max(1, most // 2), most + 1), (10, 5, 1))[0]

    def _is_ended(self, instrument: int) -> bool:
        """Whether an instrument is past its expiry, or was ended by the governor."""
        return self._is_past(instrument) or instrument in self.ended

    def _trades(self, instrument: int) -> bool:
        return not self._is_past(instrument) and instrument not in self.shut

    def _is_past(self, instrument: int) -> bool:
        listed = self.instruments.get(instrument)
        return listed is not None and 0 < listed.expiry_ns <= self.window_ns
