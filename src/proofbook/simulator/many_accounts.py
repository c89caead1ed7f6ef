"""A venue with thousands of accounts that each hold dozens of positions, built by block trades."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any, TypeAlias

from proofbook.protocol.commands import BlockTrade, Leg, ListInstrument, Withdraw
from proofbook.protocol.genesis import Terms, UnderlyingGrid
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    INSTRUMENTS_PER_ACCOUNT_MAX,
    LEGS_MAX,
    NS_PER_DAY,
    NS_PER_YEAR,
    ArenaId,
    InstrumentKind,
)
from proofbook.protocol.records import InstrumentRecord
from proofbook.protocol.terms import MarginTerms
from proofbook.simulator.crowd import GENESIS_NS
from proofbook.simulator.floor import Book, Floor, Smile, strikes_around

USD = 10**6
DAY_START_NS = 8 * NS_PER_DAY // 24
"""Expiries fall at 08:00."""

SIZES = MarginTerms(concentration_ppm=20_000, concentration_nanos=5 * 10**9)
"""Beyond five coins an owner is charged for his size."""

GRIDS = (
    UnderlyingGrid(
        "BTC", 2, 500 * USD,
        Terms(100_000, 1_000_000), Terms(100_000, 1_000_000), Terms(100_000, 1_000_000),
        margin=SIZES,
    ),
    UnderlyingGrid(
        "ETH", 2, 10 * USD,
        Terms(10_000, 10_000_000), Terms(10_000, 10_000_000), Terms(10_000, 10_000_000),
        margin=SIZES,
    ),
)  # fmt: skip
PRICES_ATOMS = (80_000 * USD, 2_400 * USD)
SMILE = Smile(0.6, curvature=0.2)
EXPIRY_DAYS = (7, 14, 30, 60, 120, 240)
STRIKES = 21
DEPOSIT_ATOMS = 1_000_000 * USD
HOUSE_ATOMS = 10**11 * USD
LOTS_MAX = 20
COVERAGE = (1.1, 6.0)
"""Equity of lean accounts as a multiple of initial margin, from and to."""
QUOTE_TOKEN = 0
ELSEWHERE = b"\x01" * 20
BATCH = 512

Holdings: TypeAlias = dict[int, dict[int, int]]
"""Lots by account and slot of the instrument."""


def open_floor(engine_type: Any, **engine_options: Any) -> Floor:
    """Return a floor with two underlyings: perpetuals, futures and options of six expiries.

    As many books as an account may have positions.
    """
    floor = Floor(engine_type, GRIDS, **engine_options)
    floor.wait_until(GENESIS_NS + DAY_START_NS)
    floor.list_books([*_listings(GENESIS_NS + DAY_START_NS)][:INSTRUMENTS_PER_ACCOUNT_MAX])
    mark(floor, PRICES_ATOMS)
    return floor


def mark(floor: Floor, prices_atoms: Sequence[int]) -> None:
    """Publish prices and mark all books."""
    for underlying, price in enumerate(prices_atoms, start=1):
        results = floor.publish(underlying, price, SMILE)
        assert all(result.outcome.is_applied for result in results)
        floor.require(*floor.remarks(underlying))


def _listings(now_ns: int) -> Iterator[ListInstrument]:
    for underlying, (grid, price) in enumerate(zip(GRIDS, PRICES_ATOMS, strict=True), start=1):
        yield ListInstrument(underlying, InstrumentKind.PERPETUAL)
        for days in EXPIRY_DAYS:
            expiry_ns = now_ns + days * NS_PER_DAY
            yield ListInstrument(underlying, InstrumentKind.FUTURE, expiry_ns)
            years = days * NS_PER_DAY / NS_PER_YEAR
            for strike in strikes_around(
                price, grid.strike_step_atoms, STRIKES, SMILE.volatility, years
            ):
                for kind in (InstrumentKind.CALL, InstrumentKind.PUT):
                    yield ListInstrument(underlying, kind, expiry_ns, strike)


def fill(
    floor: Floor,
    accounts: int,
    positions: int,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Holdings:
    """Open accounts that each hold so many positions, bought from and sold to one house at marks.

    Returns what each of them holds; the house is not among them.
    """
    (house,) = floor.open_accounts([HOUSE_ATOMS])
    traders = floor.open_accounts([DEPOSIT_ATOMS] * accounts)
    random = Random(seed)
    books = list(floor.books.values())
    prices = {book.identifier: price_ticks(floor, book) for book in books}
    waiting: list[BlockTrade] = []
    holdings: Holdings = {}
    for done, trader in enumerate(traders, start=1):
        chosen = sorted(random.sample(books, positions), key=lambda book: book.slot)
        legs = [Leg(book.identifier, _lots(random), prices[book.identifier]) for book in chosen]
        holdings[trader] = {instrument_slot(leg.instrument): leg.taker_lots for leg in legs}
        for first in range(0, positions, LEGS_MAX):
            waiting.append(block(floor, trader, house, legs[first : first + LEGS_MAX]))
        if len(waiting) >= BATCH or done == accounts:
            floor.require(*waiting)
            waiting.clear()
            progress(done)
    return holdings


def make_lean(floor: Floor, accounts: Iterable[int], seed: int) -> None:
    """Let accounts withdraw all but a random multiple of their initial margin."""
    random, withdrawals = Random(seed), list[Withdraw]()
    for account in accounts:
        report = floor.engine.margin(account)
        kept_atoms = round(report.initial_atoms * random.uniform(*COVERAGE))
        spare_atoms = min(report.cash_atoms, report.equity_atoms) - kept_atoms
        if spare_atoms > 0:
            header = floor.header(account)
            withdrawals.append(Withdraw(*header, QUOTE_TOKEN, ELSEWHERE, spare_atoms))
    for first in range(0, len(withdrawals), BATCH):
        floor.require(*withdrawals[first : first + BATCH])


def _lots(random: Random) -> int:
    return random.choice((-1, 1)) * random.randint(1, LOTS_MAX)


def blocks(floor: Floor, taker: int, maker: int, lots: Mapping[Book, int]) -> list[BlockTrade]:
    """Return the trades by which an account comes to hold lots, at marks."""
    legs = [Leg(b.identifier, size, price_ticks(floor, b)) for b, size in lots.items()]
    legs.sort(key=lambda leg: leg.instrument)
    firsts = range(0, len(legs), LEGS_MAX)
    return [block(floor, taker, maker, legs[first : first + LEGS_MAX]) for first in firsts]


def block(
    floor: Floor, taker: int, maker: int, legs: Sequence[Leg], max_fee_ppm: int = 0
) -> BlockTrade:
    """Return a trade that both have signed."""
    account, nonce, expires_ns = floor.header(taker)
    _, maker_nonce, _ = floor.header(maker)
    terms = BlockTrade(
        account, nonce, expires_ns, max_fee_ppm, maker, maker_nonce, 0, bytes(64), tuple(legs)
    )
    return replace(terms, maker_signature=floor.signature(maker, terms))


def price_ticks(floor: Floor, book: Book) -> int:
    """Return the whole ticks nearest to a book's mark, at least one."""
    data = floor.engine.read(ArenaId.INSTRUMENTS, book.slot)
    step = InstrumentRecord.unpack(data).tick_value_atoms
    return max(1, round(floor.mark_atoms(book) / step))
