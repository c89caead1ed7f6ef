"""The entries of an options venue: a thousand books, market makers who replace quotes, takers.

Ten times a second of the stream's time index and forwards move and every book is marked again.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from random import Random

from proofbook.kernel import Kernel
from proofbook.protocol.commands import Command, ListInstrument, Place, Quote, QuoteBatch
from proofbook.protocol.genesis import Terms, UnderlyingGrid
from proofbook.protocol.limits import (
    NS_PER_DAY,
    NS_PER_SECOND,
    NS_PER_YEAR,
    QUOTES_PER_BATCH_MAX,
    InstrumentKind,
    PostOnly,
    Side,
    TimeInForce,
)
from proofbook.simulator.crowd import GENESIS_NS
from proofbook.simulator.floor import Book, Floor, Smile, strikes_around
from proofbook.simulator.many_accounts import DAY_START_NS, price_ticks
from proofbook.simulator.recording import Recorder, Recording

USD = 10**6
TERMS = Terms(tick_atoms=USD // 10, lot_nanos=10**7, taker_fee_ppm=300)
GRID = UnderlyingGrid("BTC", 2, 500 * USD, TERMS, TERMS, TERMS)
UNDERLYING = 1
PRICE_ATOMS = 80_000 * USD
SMILE = Smile(0.6, curvature=0.2)
EXPIRY_DAYS = (7, 14, 21, 30, 45, 60, 90, 120, 180, 240)
STRIKES = 50
INSTRUMENTS = len(EXPIRY_DAYS) * STRIKES * 2
MAKERS = 20
BOOKS_PER_MAKER = 400
BOOKS_PER_BATCH = QUOTES_PER_BATCH_MAX // 2
TAKERS = 200
DEPOSIT_ATOMS = 10**9 * USD
MAX_FEE_PPM = 1_000
NO_PROTECTION = 0
MESSAGE_NS = 100_000
"""Between two messages: ten thousand a second, most of them batches of 32 quotes."""
MARKET_NS = 1_000
"""Between two commands of the market."""
MESSAGES_PER_TICK = NS_PER_SECOND // 10 // MESSAGE_NS
TAKER_SHARE = 0.1
SPREAD_SHARE = 0.02
"""Of the mark, to either side; takers accept twice as much."""
INDEX_MOVE = 2e-4
LOTS_MAX = 20


def record_venue(
    count: int, seed: int, progress: Callable[[int], None] = lambda done: None
) -> Recording:
    """Return so many messages of makers and takers, with the market's commands between them."""
    floor = open_floor()
    makers = floor.open_accounts([DEPOSIT_ATOMS] * MAKERS)
    takers = floor.open_accounts([DEPOSIT_ATOMS] * TAKERS)
    recorder = Recorder(floor, lambda _entry, _events: None)
    random, price_atoms = Random(seed), PRICE_ATOMS
    traders = Traders(floor, makers, takers, random)
    for number in range(count):
        if number % MESSAGES_PER_TICK == 0:
            price_atoms = round(price_atoms * (1 + random.uniform(-INDEX_MOVE, INDEX_MOVE)))
            for command in market(floor, price_atoms):
                recorder.add(command, MARKET_NS)
            recorder.execute()
            traders.look()
            progress(min(MESSAGES_PER_TICK, count - number))
        recorder.add(traders.message(), MESSAGE_NS)
    return recorder.finish()


def open_floor() -> Floor:
    """Return a floor with a thousand options, all of them marked."""
    floor = Floor(Kernel, [GRID])
    floor.wait_until(GENESIS_NS + DAY_START_NS)
    floor.list_books([*islice(_listings(GENESIS_NS + DAY_START_NS), INSTRUMENTS)])
    floor.publish(UNDERLYING, PRICE_ATOMS, SMILE)
    floor.require(*floor.remarks(UNDERLYING))
    return floor


class Traders:
    """Makers who quote both sides of neighbouring books, and takers who hit them."""

    def __init__(
        self, floor: Floor, makers: Sequence[int], takers: Sequence[int], random: Random
    ) -> None:
        self._floor, self._takers, self._random = floor, takers, random
        books = sorted(floor.books.values(), key=lambda book: book.identifier)
        self._books = {
            maker: sorted(random.sample(books, BOOKS_PER_MAKER), key=lambda book: book.identifier)
            for maker in makers
        }
        self._marks: dict[int, int] = {}

    def look(self) -> None:
        """Learn the marks of all books, in ticks."""
        books = self._floor.books.values()
        self._marks = {book.identifier: price_ticks(self._floor, book) for book in books}

    def message(self) -> Command:
        """Return what one of them sends next."""
        return self._take() if self._random.random() < TAKER_SHARE else self._quote()

    def _quote(self) -> QuoteBatch:
        maker = self._random.choice([*self._books])
        first = self._random.randrange(BOOKS_PER_MAKER - BOOKS_PER_BATCH)
        some = self._books[maker][first : first + BOOKS_PER_BATCH]
        quotes = [quote for book in some for quote in self._both_sides(book)]
        header = self._floor.header(maker)
        return QuoteBatch(*header, NO_PROTECTION, PostOnly.SLIDE, MAX_FEE_PPM, tuple(quotes))

    def _both_sides(self, book: Book) -> Iterator[Quote]:
        ticks = self._marks[book.identifier]
        away = 1 + round(ticks * SPREAD_SHARE * self._random.uniform(0.5, 1.5))
        for side, price in ((Side.BUY, max(1, ticks - away)), (Side.SELL, ticks + away)):
            yield Quote(book.identifier, side, price, self._random.randint(1, LOTS_MAX))

    def _take(self) -> Place:
        book = self._random.choice([*self._floor.books.values()])
        side = self._random.choice([Side.BUY, Side.SELL])
        ticks = self._marks[book.identifier]
        away = 1 + round(2 * ticks * SPREAD_SHARE)
        price = ticks + away if side == Side.BUY else max(1, ticks - away)
        return Place(
            *self._floor.header(self._random.choice(self._takers)), book.identifier, side, price,
            self._random.randint(1, LOTS_MAX), TimeInForce.IMMEDIATE_OR_CANCEL,
            max_fee_ppm=MAX_FEE_PPM,
        )  # fmt: skip


def market(floor: Floor, price_atoms: int) -> Iterator[Command]:
    """Yield index, forwards and the marks of all books."""
    yield floor.index(UNDERLYING, price_atoms)
    forwards = floor.forwards(UNDERLYING, lambda _: price_atoms)
    if forwards is not None:
        yield forwards
    yield from floor.remarks(UNDERLYING)


def _listings(now_ns: int) -> Iterator[ListInstrument]:
    for days in EXPIRY_DAYS:
        years = days * NS_PER_DAY / NS_PER_YEAR
        for strike in strikes_around(
            PRICE_ATOMS, GRID.strike_step_atoms, STRIKES, SMILE.volatility, years
        ):
            for kind in (InstrumentKind.CALL, InstrumentKind.PUT):
                yield ListInstrument(UNDERLYING, kind, now_ns + days * NS_PER_DAY, strike)
