"""A trading floor in memory: several underlyings, a quorum of publishers, many accounts, one clock.

It drives an engine with everything that a venue's services would send: the chain's deposits,
listings, prices, marks, and signed commands of traders. Entries go in batches, each in a window of
its own, so that a crowd of thousands is built in seconds.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from proofbook.api.signing import Key
from proofbook.protocol import eip712
from proofbook.protocol.commands import Command, Deposit, ListInstrument, Remark, SurfaceSlice
from proofbook.protocol.engine import Engine, Result
from proofbook.protocol.entry import UNSIGNED, Entry
from proofbook.protocol.events import InstrumentListed, decode_events
from proofbook.protocol.genesis import Genesis, UnderlyingGrid
from proofbook.protocol.hashing import keccak
from proofbook.protocol.identifiers import instrument_slot
from proofbook.protocol.limits import (
    FIRST_USER_ACCOUNT,
    NS_PER_SECOND,
    NS_PER_YEAR,
    REMARK_INSTRUMENTS_MAX,
    ArenaId,
    InstrumentKind,
)
from proofbook.protocol.records import (
    AccountRecord,
    ExpiryRecord,
    PositionRecord,
    RiskArrayRecord,
    UnderlyingRecord,
)
from proofbook.risk.publishers import Publishers
from proofbook.simulator.crowd import CHAIN_ID, CONTRACT, GENESIS_NS

TICK_NS = 1_000
"""Between two windows."""
MESSAGE_NS = 3_600 * NS_PER_SECOND
"""How long a signed command may be executed."""
SURFACE_ONE = 1 << 48
PUBLISHERS = 3


class Refusal(AssertionError):
    """A command that the floor itself sends and the state machine did not take."""

    def __init__(self, command: Command, result: Result) -> None:
        super().__init__(f"{command}: {result.outcome.name}")
        self.command = command
        self.result = result


@dataclass(frozen=True, slots=True)
class Book:
    """An instrument that was listed; `lot` is in units of its underlying."""

    identifier: int
    underlying: int
    kind: InstrumentKind
    expiry: int
    expiry_ns: int
    strike_atoms: int

    @property
    def slot(self) -> int:
        return instrument_slot(self.identifier)


@dataclass(frozen=True, slots=True)
class Smile:
    """A surface with one volatility at the money and so much curvature, the same for all times.

    `curvature` 0 is flat; total variance grows with time at every strike, so no calendar crosses.
    """

    volatility: float
    curvature: float = 0.0
    width: float = 0.35

    def slice_at(self, expiry_ns: int, now_ns: int) -> SurfaceSlice:
        """Return the parameters of one expiry."""
        variance = self.volatility**2 * max(expiry_ns - now_ns, 1) / NS_PER_YEAR
        slope = self.curvature * variance / self.width
        level = variance - slope * self.width
        numbers = (level, slope, 0.0, 0.0, self.width)
        return SurfaceSlice(expiry_ns, *(round(number * SURFACE_ONE) for number in numbers))


class Floor:
    """An engine, its clock, the keys of everybody, and what was listed."""

    def __init__(
        self, engine_type: Any, grids: Sequence[UnderlyingGrid], **engine_options: Any
    ) -> None:
        keys = [_key("publisher", number) for number in range(PUBLISHERS)]
        self.genesis = Genesis(
            GENESIS_NS,
            _key("fund", 0).address,
            _key("fees", 0).address,
            tuple(key.address for key in keys),
            tuple(grids),
        )
        self.engine: Engine = engine_type(
            self.genesis.encode(), CHAIN_ID, CONTRACT, **engine_options
        )
        self.separator = eip712.domain_separator(CHAIN_ID, CONTRACT)
        self.publishers = Publishers.of_keys(self.separator, keys)
        self.now_ns = GENESIS_NS
        self.keys: dict[int, Key] = {}
        self.books: dict[int, Book] = {}
        self._nonces: dict[int, int] = {}

    # Time and entries

    def wait(self, nanoseconds: int) -> None:
        """Let the next window close so much later."""
        self.now_ns += nanoseconds

    def wait_until(self, time_ns: int) -> None:
        """Let the next window close at a time, if that is still ahead."""
        self.now_ns = max(self.now_ns, time_ns - TICK_NS)

    def apply(self, commands: Iterable[Command]) -> list[Result]:
        """Stamp, sign and apply commands, each in a window of its own."""
        return self.engine.apply([self.entry(command) for command in commands])

    def submit(self, command: Command) -> Result:
        """Stamp, sign and apply one command."""
        return self.apply([command])[0]

    def require(self, *commands: Command) -> list[Result]:
        """Apply commands that have to be taken. Raises Refusal."""
        results = self.apply(commands)
        for command, result in zip(commands, results, strict=True):
            if not result.outcome.is_applied:
                raise Refusal(command, result)
        return results

    def entry(self, command: Command) -> bytes:
        """Return the next entry, signed by its account's owner if a trader signs it."""
        self.now_ns += TICK_NS
        signature = UNSIGNED
        if isinstance(command, eip712.TraderCommand):
            signature = self.signature(command.account, command)
        return Entry(self.now_ns, self.now_ns, command, 0, signature).encode()

    def signature(self, account: int, signed: Any) -> bytes:
        """Return the owner's signature of a command or an offer."""
        return self.keys[account].sign(eip712.command_digest(self.separator, signed))

    def header(self, account: int) -> tuple[int, int, int]:
        """Return account, next nonce and expiry for a trader's command."""
        self._nonces[account] = self._nonces.get(account, 0) + 1
        return account, self._nonces[account], self.now_ns + MESSAGE_NS

    # Accounts

    def open_accounts(self, amounts_atoms: Sequence[int]) -> list[int]:
        """Open an account with a deposit for each amount, every one of another owner."""
        first = FIRST_USER_ACCOUNT + len(self.keys)
        accounts = list(range(first, first + len(amounts_atoms)))
        self.keys |= {account: _key("trader", account) for account in accounts}
        self.require(
            *(
                Deposit(account, self.keys[account].address, 0, 0, amount)
                for account, amount in zip(accounts, amounts_atoms, strict=True)
            )
        )
        return accounts

    def deposit(self, account: int, amount_atoms: int) -> None:
        """Add money to an account."""
        self.require(Deposit(account, self.keys[account].address, 0, 0, amount_atoms))

    def positions(self, account: int) -> dict[Book, int]:
        """Return lots by book of what an account holds."""
        slot = AccountRecord.unpack(self.engine.read(ArenaId.ACCOUNTS, account)).positions_head
        books = {book.slot: book for book in self.books.values()}
        held: dict[Book, int] = {}
        while slot:
            record = PositionRecord.unpack(self.engine.read(ArenaId.POSITIONS, slot))
            if record.lots:
                held[books[record.instrument]] = record.lots
            slot = record.next_in_account
        return held

    # Books and prices

    def list_books(self, commands: Sequence[ListInstrument]) -> list[Book]:
        """List instruments."""
        books: list[Book] = []
        for result in self.require(*commands):
            (event,) = decode_events(result.events)
            assert isinstance(event, InstrumentListed)
            books.append(
                Book(
                    event.instrument,
                    event.underlying,
                    InstrumentKind(event.kind),
                    event.expiry,
                    event.expiry_ns,
                    event.strike_atoms,
                )
            )
        self.books |= {book.identifier: book for book in books}
        return books

    def expiries_ns(self, underlying: int) -> list[int]:
        """Return the times of the expiries that forwards and surfaces have to name."""
        record = UnderlyingRecord.unpack(self.engine.read(ArenaId.UNDERLYINGS, underlying))
        slots = record.expiries[: record.expiries_count]
        data = [self.engine.read(ArenaId.EXPIRIES, slot) for slot in slots]
        return [ExpiryRecord.unpack(words).expiry_ns for words in data]

    def index(self, underlying: int, price_atoms: int) -> Command:
        """Return an index of all publishers for the next window."""
        prices = [price_atoms] * PUBLISHERS
        return self.publishers.index_price(underlying, self.now_ns, prices)

    def forwards(self, underlying: int, price_of: Callable[[int], int]) -> Command | None:
        """Return the forwards of an underlying's expiries, by their times; None without any."""
        expiries_ns = self.expiries_ns(underlying)
        curve = [price_of(expiry_ns) for expiry_ns in expiries_ns]
        if not expiries_ns:
            return None
        return self.publishers.forward_curve(
            underlying, self.now_ns, expiries_ns, [curve] * PUBLISHERS
        )

    def surface(self, underlying: int, smile: Smile) -> Command | None:
        """Return the surface of an underlying's expiries; None without any."""
        expiries_ns = self.expiries_ns(underlying)
        if not expiries_ns:
            return None
        slices = [smile.slice_at(expiry_ns, self.now_ns) for expiry_ns in expiries_ns]
        return self.publishers.vol_surface(underlying, self.now_ns, slices)

    def publish(self, underlying: int, price_atoms: int, smile: Smile) -> list[Result]:
        """Publish index, forwards at the index, and surface; each may be refused."""
        commands: list[Command] = [self.index(underlying, price_atoms)]
        for command in (
            self.forwards(underlying, lambda _: price_atoms),
            self.surface(underlying, smile),
        ):
            if command is not None:
                commands.append(command)
        return self.apply(commands)

    def remarks(self, underlying: int) -> list[Remark]:
        """Return the commands that mark every book of an underlying once."""
        slots: dict[int, list[int]] = {}
        for book in self.books.values():
            if book.underlying == underlying:
                slots.setdefault(book.expiry, []).append(book.slot)
        return [
            Remark(expiry, of_expiry[first])
            for expiry, of_expiry in slots.items()
            for first in range(0, len(of_expiry), REMARK_INSTRUMENTS_MAX)
        ]

    def mark_atoms(self, book: Book) -> int:
        """Return what a lot is worth now."""
        data = self.engine.read(ArenaId.RISK_ARRAYS, book.slot)
        return RiskArrayRecord.unpack(data).mark_atoms


def _key(role: str, number: int) -> Key:
    return Key(keccak(f"{role} {number}".encode()))


def strikes_around(
    price_atoms: int, step_atoms: int, count: int, volatility: float, years: float
) -> list[int]:
    """Return strikes on the grid, evenly over two deviations to either side of a price."""
    half = count // 2
    spacing = max(1, round(2 * volatility * sqrt(years) * price_atoms / max(half, 1) / step_atoms))
    middle = round(price_atoms / step_atoms)
    places = (middle + spacing * place for place in range(-half, count - half))
    return [place * step_atoms for place in places if place > 0]
