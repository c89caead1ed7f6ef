"""The entries of a stream of messages on one perpetual, of a thousand accounts.

A cancel names the order by the number that the state machine gave it. The index moves, and the book
is marked, ten times a second of the stream's time, a million messages being a second.
"""

from array import array
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

from proofbook.kernel import Kernel
from proofbook.protocol.commands import Amend, Cancel, Command, ListInstrument, Place
from proofbook.protocol.events import Event, OrderRemoved, OrderRested
from proofbook.protocol.genesis import Terms, UnderlyingGrid
from proofbook.protocol.limits import NS_PER_SECOND, InstrumentKind, Removal, Side, TimeInForce
from proofbook.simulator.book_messages import MESSAGE, START_TICKS, Kind, Messages
from proofbook.simulator.floor import Floor
from proofbook.simulator.recording import Recorder, Recording

USD = 10**6
TICK_ATOMS = USD
TERMS = Terms(tick_atoms=TICK_ATOMS, lot_nanos=10**6, maker_fee_ppm=100, taker_fee_ppm=300)
GRID = UnderlyingGrid("BTC", 2, 500 * USD, TERMS, TERMS, TERMS)
UNDERLYING = 1
MAX_FEE_PPM = 1_000
DEPOSIT_ATOMS = 10**9 * USD
ACCOUNTS = 1_000
TICKS_PER_SECOND = 10
MESSAGE_NS = 1_000
MESSAGES_PER_TICK = NS_PER_SECOND // TICKS_PER_SECOND // MESSAGE_NS
NO_ORDER = 0
LIVES: dict[int, TimeInForce] = {
    Kind.REST: TimeInForce.GOOD_TILL_CANCELLED,
    Kind.IMMEDIATE: TimeInForce.IMMEDIATE_OR_CANCEL,
}


def open_floor(engine_type: Any = Kernel) -> Floor:
    """Return a floor with one perpetual, marked, and its traders, all of them rich."""
    floor = Floor(engine_type, [GRID])
    floor.list_books([ListInstrument(UNDERLYING, InstrumentKind.PERPETUAL)])
    floor.require(*market(floor, START_TICKS))
    floor.open_accounts([DEPOSIT_ATOMS] * ACCOUNTS)
    return floor


def market(floor: Floor, price_ticks: int) -> list[Command]:
    """Return the commands that set the index to a price and mark the book."""
    return [floor.index(UNDERLYING, price_ticks * TICK_ATOMS), *floor.remarks(UNDERLYING)]


def record_book(
    messages: Messages,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
    engine_type: Any = Kernel,
) -> tuple[Recording, Messages]:
    """Return the entries of messages, and the messages for a book that knows orders alone.

    The state machine takes an order out if its owner would trade with himself. A book of orders
    does not know owners: in its stream such an order is cancelled right before.
    """
    recorder = BookRecorder(open_floor(engine_type), seed)
    rows = messages.tolist()
    for done in range(0, len(rows), MESSAGES_PER_TICK):
        some = rows[done : done + MESSAGES_PER_TICK]
        recorder.add_market(round(float(np.median(messages["price_ticks"][done : done + 100]))))
        for row in some:
            recorder.add(row)
        progress(len(some))
    recording = recorder.recorder.finish()
    return recording, recorder.with_prevented(messages)


class BookRecorder:
    """Turns messages into entries."""

    def __init__(self, floor: Floor, seed: int) -> None:
        self.floor = floor
        (self.book,) = floor.books.values()
        self.recorder = Recorder(floor, self._watch)
        self._accounts = [*floor.keys]
        self._random = Random(seed)
        self._owners: dict[int, int] = {}
        self._names: dict[int, int] = {}
        """What the state machine calls the orders that rest, by their numbers in the stream."""
        self._orders: dict[int, int] = {}
        """The other way round."""
        self._pending: set[int] = set()
        """Orders that entries make which are perhaps not yet executed."""
        self._makes: dict[int, int] = {}
        """The orders that they make, by number of the entry."""
        self._message_entries = array("Q")
        self._prevented: list[tuple[int, int]] = []
        """Entries, and orders taken out there: their owner would have traded with himself."""

    def add_market(self, price_ticks: int) -> None:
        """Write down that the price moves and the book is marked."""
        for command in market(self.floor, price_ticks):
            self.recorder.add(command, MESSAGE_NS)

    def add(self, message: tuple[int, int, int, int, int]) -> None:
        """Write one message down."""
        kind, side, lots, order, price_ticks = message
        if kind in LIVES:
            self._owners[order] = account = self._random.choice(self._accounts)
            command: Command = Place(
                *self.floor.header(account), self.book.identifier, Side(side), price_ticks, lots,
                LIVES[kind], max_fee_ppm=MAX_FEE_PPM,
            )  # fmt: skip
        else:
            command = self._later(kind, order, price_ticks, lots)
        if kind != Kind.CANCEL:
            self._pending.add(order)
            self._makes[len(self.recorder)] = order
        self._message_entries.append(len(self.recorder))
        self.recorder.add(command, MESSAGE_NS)

    def _later(self, kind: int, order: int, price_ticks: int, lots: int) -> Command:
        """Return a cancel or a change; one of an order that never rested names none."""
        if order in self._pending:
            self.recorder.execute()
            self._pending.clear()
        header = self.floor.header(self._owners[order])
        name = self._names.get(order, NO_ORDER)
        if kind == Kind.CANCEL:
            return Cancel(*header, name)
        return Amend(*header, name, price_ticks, lots)

    def _watch(self, entry: int, events: Sequence[Event]) -> None:
        order = self._makes.pop(entry, None)
        for event in events:
            if isinstance(event, OrderRested) and order is not None:
                self._names[order] = event.order
                self._orders[event.order] = order
            elif isinstance(event, OrderRemoved) and event.removal == Removal.SELF_TRADE:
                self._prevented.append((entry, self._orders[event.order]))

    def with_prevented(self, messages: Messages) -> Messages:
        """Return the messages with a cancel before each at which an order was taken out."""
        cancels = np.zeros(len(self._prevented), MESSAGE)
        cancels["kind"] = Kind.CANCEL
        cancels["order"] = [order for _, order in self._prevented]
        entries = [entry for entry, _ in self._prevented]
        places = np.searchsorted(np.asarray(self._message_entries), entries)
        return np.insert(messages, places, cancels)
