"""States that grow in one direction: accounts, instruments, resting orders, positions of one.

They are built without signatures: who signed is told to the kernel beside each entry, so that a
million accounts take seconds. Owners are addresses that nobody has a key for.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from proofbook.kernel import Applied, Kernel
from proofbook.protocol.commands import (
    BlockTrade,
    Cancel,
    Command,
    Deposit,
    Leg,
    ListInstrument,
    Place,
    TraderCommand,
    TwoPartyCommand,
)
from proofbook.protocol.entry import Entry
from proofbook.protocol.events import OrderRested, decode_events
from proofbook.protocol.genesis import Terms, UnderlyingGrid
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import (
    FIRST_USER_ACCOUNT,
    LEGS_MAX,
    NS_PER_DAY,
    NS_PER_YEAR,
    InstrumentKind,
    OutcomeKind,
    PostOnly,
    Side,
    TimeInForce,
)
from proofbook.simulator.crowd import GENESIS_NS
from proofbook.simulator.floor import MESSAGE_NS, TICK_NS, Floor, Smile, strikes_around
from proofbook.simulator.many_accounts import price_ticks

USD = 10**6
GRIDS = (
    UnderlyingGrid(
        "BTC", 2, 500 * USD,
        Terms(100_000, 1_000_000), Terms(100_000, 1_000_000), Terms(100_000, 1_000_000),
    ),
    UnderlyingGrid(
        "ETH", 2, 10 * USD,
        Terms(10_000, 10_000_000), Terms(10_000, 10_000_000), Terms(10_000, 10_000_000),
    ),
)  # fmt: skip
PRICES_ATOMS = (80_000 * USD, 2_400 * USD)
SMILE = Smile(0.6, curvature=0.2)
OUT_AT = 8 * NS_PER_DAY // 24
EXPIRIES, WEEK_DAYS = 24, 7
STRIKES = 42
DEPOSIT_ATOMS = 10**5 * USD
"""A million accounts have a tenth of what may be in custody."""
HOUSE_ATOMS = 10**11 * USD
DEEP_LOTS = 10_000
BOOKS_PER_MAKER = 400
LEVELS = 20_000
"""Prices on either side of a book over which its orders are spread."""
ACCOUNTS_TRADING = 1_000
ORDERS_PER_ACCOUNT = 500
MAX_FEE_PPM = 1_000
TOGETHER = 4_096
NO_SIGNERS = b"\x00"
OUTCOME_BYTES = 2

Progress = Callable[[int], None]


class NotApplied(AssertionError):
    """A command that builds or measures was not taken. Operands: command, outcome."""

    def __init__(self, command: Command, outcome: bytes) -> None:
        super().__init__(command, outcome)  # both go with it to another process
        self.command = command
        self.outcome = outcome

    def __str__(self) -> str:
        return f"{self.command}: {self.outcome.hex()}"


class Hall:
    """A kernel with a market, accounts without keys, and entries whose signers are told."""

    def __init__(self, instruments: int = 1) -> None:
        self.floor = Floor(Kernel, GRIDS)
        self.floor.wait_until(GENESIS_NS + OUT_AT)
        listings = list(listed(GENESIS_NS + OUT_AT))[:instruments]
        self.floor.list_books(listings)
        self.mark()
        self.books = list(self.floor.books.values())
        self.prices = [price_ticks(self.floor, book) for book in self.books]
        self._rows: list[bytes] = []
        self._nonces: list[int] = []

    @property
    def engine(self) -> Kernel:
        assert isinstance(self.floor.engine, Kernel)
        return self.floor.engine

    def mark(self) -> None:
        """Publish prices, the same as before, and mark every book."""
        for underlying, price in enumerate(PRICES_ATOMS, start=1):
            self.floor.publish(underlying, price, SMILE)
            self.floor.require(*self.floor.remarks(underlying))

    def open(self, count: int, amount_atoms: int) -> range:
        """Open so many accounts, each with a deposit; return their numbers."""
        first = FIRST_USER_ACCOUNT + len(self._rows)
        for start in range(first, first + count, TOGETHER):
            numbers = range(start, min(start + TOGETHER, first + count))
            owners = [keccak(number.to_bytes(8, "big"))[:20] for number in numbers]
            self._rows += [b"\x01" + owner for owner in owners]
            self._nonces += [0] * len(numbers)
            self.send(
                [
                    Deposit(number, owner, 0, 0, amount_atoms)
                    for number, owner in zip(numbers, owners, strict=True)
                ]
            )
        return range(first, first + count)

    def header(self, account: int) -> tuple[int, int, int]:
        """Return account, next nonce and expiry for a command."""
        self._nonces[account - FIRST_USER_ACCOUNT] += 1
        return account, self._nonces[account - FIRST_USER_ACCOUNT], self.floor.now_ns + MESSAGE_NS

    def written(self, commands: Sequence[Command]) -> list[tuple[bytes, bytes]]:
        """Return commands as entries, each with its row of signers."""
        return [(self._entry(command), self._signers(command)) for command in commands]

    def send(self, commands: Sequence[Command]) -> Applied:
        """Apply commands that have to be taken. Raises NotApplied."""
        written = self.written(commands)
        applied = self.engine.apply_recovered(
            b"".join(entry for entry, _ in written), b"".join(row for _, row in written)
        )
        check(commands, applied.outcomes)
        return applied

    def send_all(self, commands: Iterator[Command], progress: Progress = lambda done: None) -> None:
        """Apply any number of commands, some at once."""
        waiting: list[Command] = []
        for done, command in enumerate(commands, start=1):
            waiting.append(command)
            if len(waiting) == TOGETHER:
                self.send(waiting)
                waiting.clear()
                progress(done)
        self.send(waiting)

    def order(
        self, account: int, place: int, side: Side, ticks: int, lots: int = 1, **terms: Any
    ) -> Place:
        """Return an order in a book, by its place among them."""
        return Place(
            *self.header(account), self.books[place].identifier, side, ticks, lots,
            max_fee_ppm=MAX_FEE_PPM, **terms,
        )  # fmt: skip

    def deepen(self) -> None:
        """Let makers rest deep orders right beside every mark."""
        for first in range(0, len(self.books), BOOKS_PER_MAKER):
            (maker,) = self.open(1, HOUSE_ATOMS)
            for place in range(first, min(first + BOOKS_PER_MAKER, len(self.books))):
                price = self.prices[place]
                orders = [self.order(maker, place, Side.SELL, price + 1, DEEP_LOTS)]
                if price > 1:
                    orders.append(self.order(maker, place, Side.BUY, price - 1, DEEP_LOTS))
                self.send(orders)

    def hold(self, account: int, positions: int) -> None:
        """Let an account come to hold a lot in each of the first books, by block trades."""
        (house,) = self.open(1, HOUSE_ATOMS)
        chosen = sorted(
            zip(self.books[:positions], self.prices, strict=False),
            key=lambda row: row[0].identifier,
        )
        legs = [Leg(book.identifier, 1, price) for book, price in chosen]
        for first in range(0, len(legs), LEGS_MAX):
            header, maker = self.header(account), self.header(house)
            self.send(
                [
                    BlockTrade(
                        *header, 0, house, maker[1], 0, bytes(64),
                        tuple(legs[first : first + LEGS_MAX]),
                    )
                ]
            )  # fmt: skip

    def _entry(self, command: Command) -> bytes:
        self.floor.now_ns += TICK_NS
        return Entry(self.floor.now_ns, self.floor.now_ns, command).encode()

    def _signers(self, command: Command) -> bytes:
        if not isinstance(command, TraderCommand):
            return NO_SIGNERS
        row = self._rows[command.account - FIRST_USER_ACCOUNT]
        if isinstance(command, TwoPartyCommand):
            other = self._rows[command.maker.account - FIRST_USER_ACCOUNT]
            return b"\x02" + row[1:] + other[1:]
        return row


def check(commands: Sequence[Command], outcomes: bytes) -> None:
    """Raises NotApplied for the first command that was not applied."""
    for number, kind in enumerate(outcomes[::OUTCOME_BYTES]):
        if kind != OutcomeKind.APPLIED:
            at = number * OUTCOME_BYTES
            raise NotApplied(commands[number], outcomes[at : at + OUTCOME_BYTES])


def rested_orders(applied: Applied) -> list[int]:
    """Return the numbers of the orders that came to rest."""
    return [
        event.order for event in decode_events(applied.events) if isinstance(event, OrderRested)
    ]


def listed(now_ns: int) -> Iterator[ListInstrument]:
    """Yield a listing for every instrument that there may be, perpetuals first."""
    for underlying in range(1, len(GRIDS) + 1):
        yield ListInstrument(underlying, InstrumentKind.PERPETUAL)
    for weeks in range(1, EXPIRIES + 1):
        expiry_ns = now_ns + weeks * WEEK_DAYS * NS_PER_DAY
        years = weeks * WEEK_DAYS * NS_PER_DAY / NS_PER_YEAR
        for underlying, (grid, price) in enumerate(zip(GRIDS, PRICES_ATOMS, strict=True), start=1):
            yield ListInstrument(underlying, InstrumentKind.FUTURE, expiry_ns)
            step = grid.strike_step_atoms
            for strike in strikes_around(price, step, STRIKES, SMILE.volatility, years):
                for kind in (InstrumentKind.CALL, InstrumentKind.PUT):
                    yield ListInstrument(underlying, kind, expiry_ns, strike)


@dataclass(frozen=True, slots=True)
class Traffic:
    """A hall as it has grown, who trades in it, and in which books; `depth`: ticks of its book."""

    hall: Hall
    accounts: Sequence[int]
    places: Sequence[int]
    depth: int = LEVELS

    def resting(self, random: Random, count: int) -> list[Command]:
        """Return orders that will rest, by anybody in any book, somewhere in its depth."""
        hall = self.hall
        orders: list[Command] = []
        for _ in range(count):
            place = random.choice(self.places)
            most = min(self.depth, hall.prices[place] - 1)
            ticks = hall.prices[place] - (random.randint(2, most) if most > 2 else 0)
            orders.append(
                hall.order(
                    random.choice(self.accounts), place, Side.BUY, max(1, ticks),
                    post_only=PostOnly.REJECT,
                )
            )  # fmt: skip
        return orders

    def cancels(self, orders: Sequence[Command], numbers: Sequence[int]) -> list[Command]:
        """Return the commands that end orders which rest."""
        owners = [order.account for order in orders if isinstance(order, Place)]
        return [
            Cancel(*self.hall.header(owner), number)
            for owner, number in zip(owners, numbers, strict=True)
        ]

    def taking(self, random: Random, count: int) -> list[Command]:
        """Return orders that trade a lot at once: who buys one sells it right after."""
        hall = self.hall
        orders: list[Command] = []
        immediate = TimeInForce.IMMEDIATE_OR_CANCEL
        deep = [place for place in self.places if hall.prices[place] > 1]
        for _ in range(count // 2):
            account, place = random.choice(self.accounts), random.choice(deep)
            price = hall.prices[place]
            orders += [
                hall.order(account, place, Side.BUY, price + 1, time_in_force=immediate),
                hall.order(account, place, Side.SELL, price - 1, time_in_force=immediate),
            ]
        return orders


def many_accounts(size: int, progress: Progress) -> Traffic:
    """Return a venue with so many accounts that trade in one book."""
    hall = Hall()
    hall.deepen()
    accounts = hall.open(size, DEPOSIT_ATOMS)
    progress(size)
    return Traffic(hall, accounts, [0])


def many_instruments(size: int, progress: Progress) -> Traffic:
    """Return a venue with so many books, all of them marked and deep."""
    hall = Hall(size)
    hall.deepen()
    progress(size)
    accounts = hall.open(ACCOUNTS_TRADING, DEPOSIT_ATOMS)
    return Traffic(hall, accounts, range(len(hall.books)))


def many_orders(size: int, progress: Progress) -> Traffic:
    """Return a venue with so many orders in one book."""
    hall = Hall()
    hall.deepen()
    accounts = hall.open(max(ACCOUNTS_TRADING, -(-size // ORDERS_PER_ACCOUNT)), DEPOSIT_ATOMS)
    random, price = Random(size), hall.prices[0]

    def orders() -> Iterator[Command]:
        for number in range(size):
            side = Side(number % 2)
            away = random.randint(2, LEVELS)
            ticks = price - away if side == Side.BUY else price + away
            yield hall.order(accounts[number % len(accounts)], 0, side, ticks)

    hall.send_all(orders(), progress)
    return Traffic(hall, accounts, [0])


def many_positions(size: int, progress: Progress) -> Traffic:
    """Return a venue where the account that trades holds so many positions."""
    hall = Hall(size)
    hall.deepen()
    (account,) = hall.open(1, HOUSE_ATOMS)
    hall.hold(account, size)
    progress(size)
    return Traffic(hall, [account], [0])


GROWING: dict[str, Callable[[int, Progress], Traffic]] = {
    "accounts": many_accounts,
    "instruments": many_instruments,
    "orders": many_orders,
    "positions": many_positions,
}
"""In which direction a state grows, and how it is built."""
