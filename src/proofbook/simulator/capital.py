"""What our margin asks for the portfolios on which other venues' systems are published.

Each is traded at its marks by an account of the reference program: an underlying at 2,000 USD,
forwards at the index, volatility 60 % at every strike, first parameters.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from proofbook.protocol.commands import Leg, ListInstrument
from proofbook.protocol.genesis import Terms, UnderlyingGrid
from proofbook.protocol.limits import NS_PER_DAY, InstrumentKind
from proofbook.risk.published.portfolio import Option, Portfolio
from proofbook.risk.published.references import REFERENCES, SPOT, VOLATILITY
from proofbook.simulator.crowd import GENESIS_NS
from proofbook.simulator.floor import Book, Floor, Smile
from proofbook.simulator.many_accounts import DAY_START_NS, block, price_ticks
from proofbook.spec import State, margin, portfolio

USD = 10**6
LOTS_PER_COIN = 100
TERMS = Terms(10_000, 10**9 // LOTS_PER_COIN)
GRID = UnderlyingGrid("ETH", 2, 100 * USD, TERMS, TERMS, TERMS)
DEPOSIT_ATOMS = 1_000_000 * USD


@dataclass(frozen=True, slots=True)
class Requirement:
    """Value of the options, initial and maintenance margin, in USD."""

    value: float
    initial: float
    maintenance: float

    @property
    def net_initial(self) -> float:
        """What an account without cash is short of, as the published systems state it."""
        return self.value - self.initial

    @property
    def net_maintenance(self) -> float:
        return self.value - self.maintenance


def requirements() -> dict[str, Requirement]:
    """Return what we ask for each reference portfolio that needs no coin as collateral."""
    floor = Floor(State, [GRID])
    floor.wait_until(GENESIS_NS + DAY_START_NS)
    books = _list(floor)
    results = floor.publish(1, round(SPOT * USD), Smile(VOLATILITY))
    assert all(result.outcome.is_applied for result in results)
    floor.require(*floor.remarks(1))
    house, *accounts = floor.open_accounts([DEPOSIT_ATOMS] * (len(REFERENCES) + 1))
    asked: dict[str, Requirement] = {}
    for account, (name, reference) in zip(accounts, REFERENCES.items(), strict=True):
        if not reference.coins:
            _trade(floor, account, house, list(_legs(books, reference)))
            asked[name] = _requirement(floor, account, reference)
    return asked


Key = tuple[InstrumentKind, float, float]
"""Kind, strike in USD and days, 0 where a kind has none."""


def key_of(option: Option) -> Key:
    return (_kind(option), option.strike, option.days)


def _kind(option: Option) -> InstrumentKind:
    return InstrumentKind.CALL if option.is_call else InstrumentKind.PUT


def _list(floor: Floor) -> dict[Key, Book]:
    """List the perpetual and every option of the references."""
    keys: dict[Key, None] = {(InstrumentKind.PERPETUAL, 0, 0): None}
    for reference in REFERENCES.values():
        keys |= {key_of(option): None for option in reference.options}
    commands = [
        ListInstrument(
            1,
            kind,
            round(GENESIS_NS + DAY_START_NS + days * NS_PER_DAY) if days else 0,
            round(strike * USD),
        )
        for kind, strike, days in sorted(keys, key=lambda key: (key[2], key))
    ]
    books = floor.list_books(commands)
    return dict(zip(sorted(keys, key=lambda key: (key[2], key)), books, strict=True))


def _legs(books: dict[Key, Book], reference: Portfolio) -> Iterator[tuple[Book, int]]:
    """Yield what to buy, in lots; negative is to sell."""
    for option in reference.options:
        yield books[key_of(option)], round(option.amount * LOTS_PER_COIN)
    if reference.perpetuals:
        book = books[InstrumentKind.PERPETUAL, 0, 0]
        yield book, round(reference.perpetuals * LOTS_PER_COIN)


def _trade(floor: Floor, account: int, house: int, sizes: list[tuple[Book, int]]) -> None:
    legs = [Leg(book.identifier, lots, price_ticks(floor, book)) for book, lots in sizes]
    floor.require(block(floor, account, house, sorted(legs, key=lambda leg: leg.instrument)))


def _requirement(floor: Floor, account: int, reference: Portfolio) -> Requirement:
    assert isinstance(floor.engine, State)
    world = floor.engine.world
    held = portfolio.portfolio(world, account)
    return Requirement(
        reference.value(SPOT, VOLATILITY),
        margin.initial_margin_up(world, held) / USD,
        margin.maintenance_margin_up(world, held) / USD,
    )
