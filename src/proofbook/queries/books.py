"""Books as events tell them: resting orders by number, lots by price."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from proofbook.protocol.events import (
    Filled,
    OrderReduced,
    OrderRemoved,
    OrderRested,
    OrdersCancelled,
)
from proofbook.protocol.limits import Side

Level = tuple[int, int]
"""Ticks and lots."""


@dataclass(slots=True)
class RestingOrder:
    """An order that waits in a book."""

    order: int
    account: int
    instrument: int
    side: int
    price_ticks: int
    lots: int
    label: bytes


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

    def book(self, instrument: int) -> Book:
        """Return the book of an instrument, empty if nothing ever rested there."""
        return self._books.setdefault(instrument, Book())

    def orders_of(self, account: int) -> list[RestingOrder]:
        """Return the live resting orders of an account, oldest number first."""
        return [self._orders[order] for order in sorted(self._by_account.get(account, ()))]

    def rested(self, event: OrderRested) -> None:
        order = RestingOrder(
            event.order, event.account, event.instrument,
            event.side, event.price_ticks, event.lots, event.label,
        )  # fmt: skip
        self._orders[event.order] = order
        self._by_account.setdefault(event.account, set()).add(event.order)
        self._add(order, event.lots)

    def filled(self, event: Filled) -> None:
        if not event.maker_order:
            return  # outside the book
        order = self._orders[event.maker_order]
        self._add(order, -event.lots)
        order.lots -= event.lots
        if not order.lots:
            self._forget(order)

    def removed(self, event: OrderRemoved) -> None:
        # What never rested has number 0; orders of a CancelAll have left already.
        order = self._orders.get(event.order)
        if order is not None:
            self._drop(order)

    def reduced(self, event: OrderReduced) -> None:
        order = self._orders[event.order]
        self._add(order, -event.lots)
        order.lots -= event.lots

    def cancelled(self, event: OrdersCancelled) -> None:
        """Drop every order of an account: none can match any more, whenever its record goes."""
        for order in self.orders_of(event.account):
            self._drop(order)

    def take_touched(self) -> Iterable[int]:
        """Return the instruments whose books changed since the last call."""
        touched, self._touched = self._touched, set()
        return sorted(touched)

    def _drop(self, order: RestingOrder) -> None:
        self._add(order, -order.lots)
        self._forget(order)

    def _add(self, order: RestingOrder, lots: int) -> None:
        self.book(order.instrument).add(order.side, order.price_ticks, lots)
        self._touched.add(order.instrument)

    def _forget(self, order: RestingOrder) -> None:
        del self._orders[order.order]
        self._by_account[order.account].discard(order.order)
