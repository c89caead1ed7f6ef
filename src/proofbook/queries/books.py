"""Books as events tell them: resting orders by number, lots by price.

An order leaves when it can trade no more, whenever its record goes: at the end of its time or of
its book, at its account's deadline, with a CancelAll, with its protection.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple, Self

import msgspec

from proofbook.protocol.agenda import Agenda
from proofbook.protocol.engine import Engine
from proofbook.protocol.events import (
    AuctionFilled,
    DeadManSet,
    Filled,
    OrderReduced,
    OrderRemoved,
    OrderRested,
    OrdersCancelled,
    ProtectionChanged,
)
from proofbook.protocol.identifiers import order_slot
from proofbook.protocol.limits import ArenaId, Side, TimeInForce
from proofbook.protocol.records import OrderRecord
from proofbook.protocol.replay import RestingOrder

Level = tuple[int, int]
"""Ticks and lots."""


class Ends(NamedTuple):
    """What may end an order without an event of its own. Expires 0: time does not."""

    expires_ns: int = 0
    protection: int = 0
    protection_epoch: int = 0


ENDLESS = Ends()


class Lapsed(NamedTuple):
    """An order that can trade no more, though its record may still be there."""

    account: int
    order: int


_ENDS_OF = itemgetter(
    *map(
        OrderRecord.__slots__.index,
        (
            "generation",
            "account",
            "time_in_force",
            "expires_ns",
            "protection",
            "protection_epoch",
        ),
    )
)
"""Takes what `read_ends` needs out of an order's members: every quote that rests is asked."""


def read_ends(engine: Engine, order: int) -> Ends:
    """Return what may end an order; of one that has gone already, nothing more."""
    record = OrderRecord.FORMAT.unpack(engine.read(ArenaId.ORDERS, order_slot(order)))
    generation, account, time_in_force, expires_ns, protection, epoch = _ENDS_OF(record)
    if generation != order >> 32 or not account:
        return ENDLESS
    is_timed = time_in_force == TimeInForce.GOOD_TILL_TIME
    return Ends(expires_ns * is_timed, protection, epoch)


class BooksKept(msgspec.Struct, array_like=True, frozen=True):
    """What a snapshot keeps of books: live orders, and the times at which books and orders end."""

    orders: list[RestingOrder]
    ends: list[tuple[int, int]]
    deadlines: list[tuple[int, int]]


@dataclass(slots=True)
class Book:
    """Lots by price on both sides, and what changed since the last change was published."""

    change_id: int = 0
    sides: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    touched: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])

    def add(self, side: int, price_ticks: int, lots: int) -> None:
        """Add lots (negative: take some away) at a price."""
        levels = self.sides[side]
        lots_after = levels.get(price_ticks, 0) + lots
        assert lots_after >= 0, f"{lots_after} lots at {price_ticks}: an event was lost"
        if lots_after:
            levels[price_ticks] = lots_after
        else:
            levels.pop(price_ticks)
        self.touched.add((side, price_ticks))

    def best(self, side: int) -> Level | None:
        """Return the best level of a side."""
        levels = self.sides[side]
        if not levels:
            return None
        ticks = max(levels) if side == Side.BUY else min(levels)
        return ticks, levels[ticks]

    def levels(self, side: int, depth: int | None = None) -> list[Level]:
        """Return the levels of a side, best first."""
        return sorted(self.sides[side].items(), reverse=side == Side.BUY)[:depth]

    def pass_changes(self) -> None:
        """Count a change that nobody wants to know."""
        self.change_id += 1
        self.touched.clear()

    def take_changes(self) -> tuple[list[Level], list[Level]]:
        """Return the levels touched since the last call, and count the change.

        Lots 0: the level is gone.
        """
        self.change_id += 1
        changed: tuple[list[Level], list[Level]] = ([], [])
        for side, ticks in sorted(self.touched):
            changed[side].append((ticks, self.sides[side].get(ticks, 0)))
        self.touched.clear()
        return changed


class Books:
    """All books, and every live resting order."""

    def __init__(self) -> None:
        self._books: dict[int, Book] = {}
        self._orders: dict[int, RestingOrder] = {}
        self._by_account: dict[int, set[int]] = {}
        self._touched: set[int] = set()
        self._lapsed: list[Lapsed] = []
        # Books by their end, orders by their time, accounts by their deadline.
        self._ends = Agenda[int]()
        self._timed = Agenda[int]()
        self._deadlines = Agenda[int]()
        self._first_change_id = 0

    @property
    def count(self) -> int:
        """How many books there are."""
        return len(self._books)

    @property
    def orders_count(self) -> int:
        """How many orders rest in all of them."""
        return len(self._orders)

    @property
    def dates_count(self) -> int:
        """How many ends and deadlines are kept in mind, those that were moved included."""
        return self._ends.size + self._timed.size + self._deadlines.size

    def keep(self) -> BooksKept:
        """Return what `restored` needs, without what is over."""
        return BooksKept(
            [order for _, order in sorted(self._orders.items())],
            self._ends.items(),
            self._deadlines.items(),
        )

    @classmethod
    def restored(cls, kept: BooksKept) -> Self:
        """Return the books of a snapshot."""
        books = cls()
        books.stand(kept.orders)
        for ends_ns, instrument in kept.ends:
            books._ends.put(instrument, ends_ns)
        for deadline_ns, account in kept.deadlines:
            books._deadlines.put(account, deadline_ns)
        return books

    def forget_orders(self) -> None:
        """Forget every order: they will be read off the state when it stands still."""
        for book in self._books.values():
            for levels in book.sides:
                levels.clear()
        self._orders.clear()
        self._by_account.clear()
        self._timed = Agenda[int]()
        self._lapsed.clear()

    def stand(self, orders: Iterable[RestingOrder]) -> None:
        """Take up the orders that rest in a state, after all were forgotten."""
        for order in orders:
            self._put(order)

    def count_changes_from(self, change_id: int) -> None:
        """Let the changes of all books go on from a number; what was not published is forgotten."""
        self._first_change_id = change_id
        for book in self._books.values():
            book.change_id = change_id
            book.touched.clear()
        self._touched.clear()

    def book(self, instrument: int) -> Book:
        """Return the book of an instrument, empty if nothing ever rested there."""
        book = self._books.get(instrument)
        if book is None:
            book = self._books[instrument] = Book(self._first_change_id)
        return book

    def order(self, number: int) -> RestingOrder | None:
        """Return a live resting order."""
        return self._orders.get(number)

    def orders_of(self, account: int) -> list[RestingOrder]:
        """Return the live resting orders of an account, oldest number first."""
        return [self._orders[order] for order in sorted(self._by_account.get(account, ()))]

    def rested(self, event: OrderRested, ends: Ends = ENDLESS) -> None:
        order = RestingOrder(
            event.order, event.account, event.instrument,
            event.side, event.price_ticks, event.lots, event.label, *ends,
        )  # fmt: skip
        self._put(order)

    def filled(self, event: Filled) -> None:
        if not event.maker_order:
            return  # outside the book
        self._take_filled(event.maker_order, event.lots)

    def auctioned(self, event: AuctionFilled) -> None:
        self._take_filled(event.bid_order, event.lots)
        self._take_filled(event.ask_order, event.lots)

    def _take_filled(self, number: int, lots: int) -> None:
        order = self._orders[number]
        if lots == order.lots:
            self._add(order, -lots)
            self._forget(order)
        else:
            self._shrink(order, lots)

    def removed(self, event: OrderRemoved) -> None:
        # What never rested has number 0; what ended with others has left already.
        order = self._orders.get(event.order)
        if order is not None:
            self._add(order, -order.lots)
            self._forget(order)

    def reduced(self, event: OrderReduced) -> None:
        order = self._orders.get(event.order)
        if order is not None:  # one of a book at its end shrinks unseen
            self._shrink(order, event.lots)

    def cancelled(self, event: OrdersCancelled) -> None:
        """Drop every order of an account: none can match any more, whenever its record goes."""
        self._drop_all(event.account)

    def protection_changed(self, event: ProtectionChanged) -> None:
        """Drop the quotes that were placed before the protection froze."""
        for order in self.orders_of(event.account):
            is_under = order.protection == event.protection
            if is_under and order.protection_epoch != event.epoch:
                self._drop(order)

    def dead_man_set(self, event: DeadManSet) -> None:
        if event.deadline_ns:
            self._deadlines.put(event.account, event.deadline_ns)
        else:
            self._deadlines.drop(event.account)

    def ends_at(self, instrument: int, expiry_ns: int) -> None:
        """Take note of when a book comes to its end."""
        self._ends.put(instrument, expiry_ns)

    def released(self, instrument: int) -> None:
        """Forget the book of an instrument that is there no more: nobody asks for it again."""
        self._ends.drop(instrument)
        self._books.pop(instrument, None)

    def ended(self, instruments: Set[int]) -> None:
        """Drop every order of books that are at their end."""
        for order in [o for o in self._orders.values() if o.instrument in instruments]:
            self._drop(order)

    def pass_time(self, window_ns: int) -> None:
        """Drop the orders whose time, whose book's or whose account's deadline, is over."""
        ended = self._ends.take(window_ns)
        if ended:
            self.ended({*ended})
        for number in self._timed.take(window_ns - 1):
            order = self._orders.get(number)
            if order is not None:
                self._drop(order)
        for account in self._deadlines.take(window_ns - 1):
            self._drop_all(account)

    def take_touched(self) -> Iterable[int]:
        """Return the instruments whose books changed since the last call."""
        touched, self._touched = self._touched, set()
        return sorted(touched)

    def take_lapsed(self) -> list[Lapsed]:
        """Return what can trade no more since the last call."""
        lapsed, self._lapsed = self._lapsed, []
        return lapsed

    def _drop_all(self, account: int) -> None:
        for order in self.orders_of(account):
            self._drop(order)

    def _drop(self, order: RestingOrder) -> None:
        self._lapsed.append(Lapsed(order.account, order.order))
        self._add(order, -order.lots)
        self._forget(order)

    def _put(self, order: RestingOrder) -> None:
        if order.expires_ns:
            self._timed.put(order.order, order.expires_ns)
        self._orders[order.order] = order
        self._by_account.setdefault(order.account, set()).add(order.order)
        self._add(order, order.lots)

    def _shrink(self, order: RestingOrder, lots: int) -> None:
        self._add(order, -lots)
        self._orders[order.order] = order._replace(lots=order.lots - lots)

    def _add(self, order: RestingOrder, lots: int) -> None:
        self.book(order.instrument).add(order.side, order.price_ticks, lots)
        self._touched.add(order.instrument)

    def _forget(self, order: RestingOrder) -> None:
        del self._orders[order.order]
        self._timed.drop(order.order)
        others = self._by_account[order.account]
        others.discard(order.order)
        if not others:
            del self._by_account[order.account]
