"""The stage of a rehearsal: one underlying's books, priced along a path, and who quotes them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from proofbook.kernel import Kernel
from proofbook.protocol.commands import Command, ListInstrument, SetSettlement
from proofbook.protocol.engine import Result
from proofbook.protocol.genesis import Terms, UnderlyingGrid
from proofbook.protocol.limits import (
    EXPIRY_TIME_OF_DAY_NS,
    NS_PER_DAY,
    NS_PER_SECOND,
    ORACLE_AGE_MAX_NS,
    SETTLEMENT_EXTENSION_NS,
    SETTLEMENT_LEAST_NS,
    ArenaId,
    InstrumentKind,
)
from proofbook.protocol.records import ExpiryRecord
from proofbook.protocol.terms import NANOS_PER_UNIT
from proofbook.risk.published.portfolio import Option
from proofbook.sequencer.settlements import Settlements
from proofbook.simulator.crowd import GENESIS_NS
from proofbook.simulator.floor import Book, Floor, Smile
from proofbook.simulator.rehearsal.scenario import Point, Scenario

UNDERLYING = 1
SYMBOL = "BTC"
QUORUM = 2
USD = 10**6
MAKER_FEE_PPM, TAKER_FEE_PPM = 100, 300
FIRST_EXPIRY_LEAST_NS = 6 * 3_600 * NS_PER_SECOND
SECOND_EXPIRY_DAYS = 28
MONEYNESS = (0.6, 0.75, 0.85, 0.95, 1.05, 1.2)
SMILE_CURVATURE = 0.1
LISTING_NS = NS_PER_SECOND
"""Books are listed this long before the path begins."""


def grid_of(price_usd: float) -> UnderlyingGrid:
    """Return terms in which a lot is worth 1 to 10 USD, and a tick of it 10 atoms."""
    magnitude = max(0, math.floor(math.log10(price_usd)))
    terms = Terms(10 ** (magnitude + 1), 10 ** (9 - magnitude), MAKER_FEE_PPM, TAKER_FEE_PPM)
    step_atoms = max(1, 5 * 10**magnitude * USD // 100)
    return UnderlyingGrid(SYMBOL, QUORUM, step_atoms, terms, terms, terms)


@dataclass(frozen=True, slots=True)
class Fair:
    """What everybody on the floor knows, publishers heard or not."""

    price_usd: float
    volatility: float
    now_ns: int

    def value_usd(self, book: Book) -> float:
        """Return what a unit of the underlying in a book is worth."""
        if book.kind in (InstrumentKind.PERPETUAL, InstrumentKind.FUTURE):
            return self.price_usd
        days = (book.expiry_ns - self.now_ns) / NS_PER_DAY
        strike_usd, is_call = book.strike_atoms / USD, book.kind == InstrumentKind.CALL
        option = Option(is_call, strike_usd, max(days, 1e-9), 1.0)
        if days <= 0:
            return option.payoff(self.price_usd)
        return option.value(self.price_usd, self.volatility)


class Stage:
    """A floor with its books, and the clock of the scenario."""

    def __init__(self, engine_type: Any, scenario: Scenario) -> None:
        grid = grid_of(scenario.first_price_usd)
        self.scenario = scenario
        self.floor = Floor(engine_type, [grid])
        self.lot_coins = grid.perpetual.lot_nanos / 1e9
        terms = grid.perpetual
        self.tick_value_atoms = terms.tick_atoms * terms.lot_nanos // NANOS_PER_UNIT
        self.tick_usd = grid.perpetual.tick_atoms / USD
        self.start_ns = GENESIS_NS + LISTING_NS
        self.books = self.floor.list_books([*_listings(scenario.first_price_usd, grid)])
        self.settlements = Settlements(self.floor.engine)
        for book in self.books:
            self.settlements.watch(book.expiry, book.expiry_ns)
        self.published_ns = 0

    @property
    def kernel(self) -> Kernel:
        kernel = self.floor.engine
        assert isinstance(kernel, Kernel)
        return kernel

    @property
    def perpetual(self) -> Book:
        return self.books[0]

    def live_books(self) -> list[Book]:
        """Return the books that have not expired."""
        now_ns = self.floor.now_ns
        return [book for book in self.books if not 0 < book.expiry_ns <= now_ns]

    def fair(self) -> Fair:
        """Return the path's market at this moment."""
        point = self.point()
        price_usd = self.scenario.first_price_usd * point.spot
        return Fair(price_usd, point.volatility, self.floor.now_ns)

    def point(self) -> Point:
        """Return where the path is."""
        return self.scenario.at(max(0.0, (self.floor.now_ns - self.start_ns) / NS_PER_SECOND))

    def seconds(self) -> float:
        """Return the seconds since the path began."""
        return (self.floor.now_ns - self.start_ns) / NS_PER_SECOND

    def go_to(self, step: int) -> None:
        """Let the clock stand at a step of the path."""
        step_ns = round(step * self.scenario.step_seconds * NS_PER_SECOND)
        self.floor.wait_until(self.start_ns + step_ns)

    def publish(self) -> list[Result]:
        """Publish prices and mark all books, unless publishers are silent; each may be refused."""
        if self.point().is_stalled:
            return []
        fair, floor = self.fair(), self.floor
        price_atoms = max(1, round(fair.price_usd * USD))
        smile = Smile(fair.volatility, SMILE_CURVATURE)
        results = floor.publish(UNDERLYING, price_atoms, smile)
        live = {book.expiry for book in self.live_books()}
        remarks = [remark for remark in floor.remarks(UNDERLYING) if remark.expiry in live]
        results += floor.apply(remarks)
        self.published_ns = floor.now_ns
        return results

    def settling(self) -> list[Command]:
        """Return what a keeper sends now for expiries that are over, and the governor for those
        that will have no average.
        """
        floor = self.floor
        over_ns = floor.now_ns - SETTLEMENT_EXTENSION_NS - ORACLE_AGE_MAX_NS
        commands: list[Command] = [*self.settlements.due(floor.now_ns)]
        dated = {book.expiry: book.expiry_ns for book in self.books if book.expiry_ns}
        for slot, expiry_ns in dated.items():
            record = ExpiryRecord.unpack(floor.engine.read(ArenaId.EXPIRIES, slot))
            is_covered = record.settlement_covered_ns >= SETTLEMENT_LEAST_NS
            if expiry_ns < over_ns and not (record.settled_ns or is_covered):
                price_atoms = max(1, round(self.fair().price_usd * USD))
                commands.append(SetSettlement(slot, expiry_ns, price_atoms))
        return commands

    def ticks(self, value_usd: float, rounds: Callable[[float], int] = round) -> int:
        """Return a price of a unit in ticks, at least one."""
        return max(1, rounds(value_usd / self.tick_usd))

    def lots(self, coins: float) -> int:
        """Return a size in lots. Rounds down."""
        return math.floor(coins / self.lot_coins)


def _listings(price_usd: float, grid: UnderlyingGrid) -> Iterator[ListInstrument]:
    yield ListInstrument(UNDERLYING, InstrumentKind.PERPETUAL)
    first_ns = GENESIS_NS - GENESIS_NS % NS_PER_DAY + EXPIRY_TIME_OF_DAY_NS
    while first_ns < GENESIS_NS + FIRST_EXPIRY_LEAST_NS:
        first_ns += NS_PER_DAY
    step = grid.strike_step_atoms
    strikes = sorted({round(price_usd * share * USD / step) * step for share in MONEYNESS} - {0})
    for expiry_ns in (first_ns, first_ns + SECOND_EXPIRY_DAYS * NS_PER_DAY):
        yield ListInstrument(UNDERLYING, InstrumentKind.FUTURE, expiry_ns)
        for strike in strikes:
            for kind in (InstrumentKind.CALL, InstrumentKind.PUT):
                yield ListInstrument(UNDERLYING, kind, expiry_ns, strike)
