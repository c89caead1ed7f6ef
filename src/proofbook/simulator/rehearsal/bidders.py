"""Bidders of a rehearsal: they take legs out of auctions, and sell in the books what they took."""

from collections.abc import Iterator
from random import Random

from proofbook.protocol.commands import AuctionBid, BidLeg, Command, Place
from proofbook.protocol.limits import LEGS_MAX, ArenaId, Side, TimeInForce
from proofbook.protocol.records import AccountRecord
from proofbook.simulator.floor import Book
from proofbook.simulator.rehearsal.stage import USD, Stage

ASK_LEAST, ASK_MOST, THIN_FOLD = 0.002, 0.02, 3.0
"""The premium that a bidder wants, as a share of what is taken; so many times it in thin books."""

APPETITE = 0.5
"""Of his free equity, what the margin of one bid may be about."""
MARGIN_SHARE = 0.2
SOLD_SHARE, SELL_REACH = 0.2, 0.01
MAX_FEE_PPM = 1_000


class Bidders:
    """Who waits for auctions to offer enough: each wants another premium for the same risk."""

    def __init__(self, stage: Stage, accounts: list[int], seed: int) -> None:
        self.stage = stage
        self.accounts = accounts
        random = Random(seed)
        self._asks = {account: random.uniform(ASK_LEAST, ASK_MOST) for account in accounts}
        self.running: set[int] = set()

    def watch(self, account: int) -> None:
        """Take note of an account whose auction may have begun."""
        self.running.add(account)

    def leave(self, account: int) -> None:
        """Wait for a later auction of an account: this one takes no bids."""
        self.running.discard(account)

    def bids(self) -> Iterator[AuctionBid]:
        """Yield a bid of each bidder for each account that is auctioned, if he can bear some.

        Each is made when it is asked for: what the one before took is gone.
        """
        for target in sorted(self.running):
            for bidder in self.accounts:
                is_open = target in self.running and self._is_auctioned(target)
                bid = self._bid(bidder, target) if is_open and bidder != target else None
                if bid is not None:
                    yield bid
        self.running = {account for account in self.running if self._is_auctioned(account)}

    def sales(self) -> list[Command]:
        """Return orders by which bidders close some of their perpetuals."""
        stage, book = self.stage, self.stage.perpetual
        orders: list[Command] = []
        for bidder in self.accounts:
            held = stage.floor.positions(bidder).get(book, 0)
            lots = int(abs(held) * SOLD_SHARE)
            if lots:
                side, sign = (Side.SELL, -1) if held > 0 else (Side.BUY, 1)
                limit = stage.ticks(stage.fair().price_usd * (1 + sign * SELL_REACH))
                header = stage.floor.header(bidder)
                orders.append(
                    Place(
                        *header, book.identifier, side, limit, lots,
                        TimeInForce.IMMEDIATE_OR_CANCEL, max_fee_ppm=MAX_FEE_PPM,
                    )
                )  # fmt: skip
        return orders

    def _is_auctioned(self, account: int) -> bool:
        record = AccountRecord.unpack(self.stage.kernel.read(ArenaId.ACCOUNTS, account))
        return record.auction != 0

    def _bid(self, bidder: int, target: int) -> AuctionBid | None:
        """Return a bid for the largest legs, as much of them as the bidder can bear."""
        stage, fair = self.stage, self.stage.fair()
        legs = self._largest(target)
        coins = sum(abs(lots) for _, lots in legs) * stage.lot_coins
        if not coins:
            return None
        report = stage.kernel.margin(bidder)
        free_usd = (report.equity_atoms - report.initial_atoms) / USD
        part = min(1.0, free_usd * APPETITE / MARGIN_SHARE / (coins * fair.price_usd))
        taken = {book: int(lots * part) for book, lots in legs}
        rows = [BidLeg(book.identifier, lots) for book, lots in taken.items() if lots]
        if not rows:
            return None
        value_atoms = sum(stage.floor.mark_atoms(book) * lots for book, lots in taken.items())
        size_usd = sum(map(abs, taken.values())) * stage.lot_coins * fair.price_usd
        ask = self._asks[bidder] * (THIN_FOLD if stage.point().is_thin else 1.0)
        rows.sort(key=lambda row: row.instrument)
        cost_atoms = value_atoms - round(size_usd * ask * USD)
        return AuctionBid(*stage.floor.header(bidder), target, cost_atoms, tuple(rows))

    def _largest(self, account: int) -> list[tuple[Book, int]]:
        live = set(self.stage.live_books())
        held = [row for row in self.stage.floor.positions(account).items() if row[0] in live]
        return sorted(held, key=lambda row: (-abs(row[1]), row[0].slot))[:LEGS_MAX]
