"""A venue to be loaded: `python -m proofbook.simulator.pipeline.venue FOLDER`.

It is the node that `proofbook serve` runs: kernel, journal, monitor, keeper, collector, feeds. Its
deposits are its own, as no chain is there, and publishers beside it tick all marks as long as it
lives. It prints where it is; then each line of its input says what is measured.
"""

import asyncio
import logging
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import msgspec
import structlog
import uvloop
from msgspec import Struct

from proofbook.api.convert import hex_text
from proofbook.api.signing import Key
from proofbook.kernel import Kernel
from proofbook.node import NodeSettings, open_node
from proofbook.operation.startup import give_back_large_blocks, set_aside
from proofbook.protocol.commands import Command, Deposit, ListInstrument
from proofbook.protocol.events import InstrumentListed, decode_events
from proofbook.protocol.limits import NS_PER_DAY, InstrumentKind
from proofbook.sequencer.clock import ShiftedClock
from proofbook.simulator.crowd import CHAIN_ID, CONTRACT, GENESIS_NS
from proofbook.simulator.floor import Book, Floor, strikes_around
from proofbook.simulator.many_accounts import GRIDS, PRICES_ATOMS, SMILE, price_ticks
from proofbook.simulator.pipeline.plan import (
    BEGIN_SAMPLING,
    END,
    OWNERS,
    Opened,
    Traded,
)
from proofbook.simulator.pipeline.recorder import Recorder

DEPOSIT_ATOMS = 10**9 * 10**6
EXPIRY_DAYS = 30
STRIKES = 11
"""Calls and puts of one expiry: a batch quotes both sides of ten of them."""
MARKS_SECONDS = 0.1
"""Between two indices of an underlying, each followed by Remarks of all of its books."""
SURFACES_EVERY = 10
"""Indices between two forward curves and surfaces."""
LOOK_SECONDS = 0.01
WAVE_PPM = (0, 100, 200, 100, 0, -100, -200, -100)
"""How far the index is from where it began, again and again: books stay where they are."""


def listings() -> list[ListInstrument]:
    """Return perpetuals of all underlyings, and options of the first."""
    now_ns = GENESIS_NS + 8 * NS_PER_DAY // 24
    expiry_ns = now_ns + EXPIRY_DAYS * NS_PER_DAY
    strikes = strikes_around(
        PRICES_ATOMS[0], GRIDS[0].strike_step_atoms, STRIKES, SMILE.volatility, EXPIRY_DAYS / 365
    )
    perpetuals = [
        ListInstrument(underlying, InstrumentKind.PERPETUAL)
        for underlying in range(1, len(GRIDS) + 1)
    ]
    kinds = (InstrumentKind.CALL, InstrumentKind.PUT)
    return perpetuals + [
        ListInstrument(1, kind, expiry_ns, strike) for strike in strikes for kind in kinds
    ]


class LoadedVenue:
    """A node, the floor that writes its services' commands, and what is recorded of both."""

    def __init__(self, folder: Path) -> None:
        self.clock = ShiftedClock(GENESIS_NS + 8 * NS_PER_DAY // 24)
        self.floor = Floor(Kernel, GRIDS)
        engine = self.floor.engine
        assert isinstance(engine, Kernel)
        settings = NodeSettings(folder, CHAIN_ID, CONTRACT, Key(b"\x07" * 32), clock=self.clock)
        self.node = open_node(settings, engine, engine)
        self.recorder = Recorder(self.node)

    async def submit(self, commands: Sequence[Command]) -> list[bytes]:
        """Sequence commands of the venue's own; return their events."""
        events: list[bytes] = []
        answers = [self.node.sequencer.enqueue(command) for command in commands]
        for command, answer in zip(commands, answers, strict=True):
            result = (await answer).result
            assert result.outcome.is_applied, f"{command}: {result.outcome.name}"
            events.append(result.events)
        return events

    async def open(self) -> Opened:
        """List, mark and fund; return what a generator has to know."""
        for events in await self.submit(listings()):
            (event,) = decode_events(events)
            assert isinstance(event, InstrumentListed)
            self.floor.books[event.instrument] = Book(
                event.instrument, event.underlying, InstrumentKind(event.kind),
                event.expiry, event.expiry_ns, event.strike_atoms,
            )  # fmt: skip
        await self.mark(0)
        await self.submit([
            Deposit(account, key.address, 0, 0, DEPOSIT_ATOMS) for account, key in OWNERS.items()
        ])  # fmt: skip
        host, _, port = self.node.address.partition(":")
        books = list(self.floor.books.values())
        return Opened(
            host=host,
            port=int(port),
            separator=hex_text(self.node.sequencer.separator),
            expires_ns=self.clock.now_ns() + NS_PER_DAY,
            perpetuals=[self.traded(b) for b in books if b.kind == InstrumentKind.PERPETUAL],
            options=[self.traded(b) for b in books if b.kind != InstrumentKind.PERPETUAL],
        )

    def traded(self, book: Book) -> Traded:
        instrument = self.node.models.instruments.numbered(book.identifier)
        reply = instrument.reply()
        mark_ticks = price_ticks(self.floor, book)
        return Traded(
            reply.name, reply.instrument, reply.price_step, mark_ticks, instrument.amount(1)
        )

    async def mark(self, turn: int) -> None:
        """Publish an index of each underlying, now and then its surface, and mark its books."""
        self.floor.now_ns = self.clock.now_ns()
        share_ppm = 10**6 + WAVE_PPM[turn % len(WAVE_PPM)]
        for underlying, first_atoms in enumerate(PRICES_ATOMS, start=1):
            atoms = first_atoms * share_ppm // 10**6
            commands = [self.floor.index(underlying, atoms)]
            if turn % SURFACES_EVERY == 0:
                commands += self._curves(underlying, atoms)
            await self.submit([*commands, *self.floor.remarks(underlying)])

    def _curves(self, underlying: int, atoms: int) -> list[Command]:
        """Return forwards and surface of an underlying that has expiries."""
        forwards = self.floor.forwards(underlying, lambda _: atoms)
        surface = self.floor.surface(underlying, SMILE)
        return [command for command in (forwards, surface) if command is not None]

    async def until_left(self) -> None:
        """Wait until nothing is left of a load before."""
        while self.node.sequencer.waiting or self.node.connections.open:
            await asyncio.sleep(LOOK_SECONDS)

    async def keep_marking(self) -> None:
        """Tick as long as the venue lives."""
        for turn in count(1):
            await asyncio.sleep(MARKS_SECONDS)
            await self.mark(turn)


async def serve(folder: Path) -> None:
    """Run a venue until its input ends; each line begins a measurement or ends it."""
    give_back_large_blocks()
    venue = LoadedVenue(folder)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(venue.node.run())
        opened = await venue.open()
        say(opened)
        marking = group.create_task(venue.keep_marking())
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
        with set_aside():
            while line := await reader.readline():
                await obey(venue, line.decode().strip())
        marking.cancel()
        running.cancel()


async def obey(venue: LoadedVenue, order: str) -> None:
    """Begin a measurement once nothing is left of the one before, or end it."""
    if order == END:
        say(venue.recorder.end())
        return
    await venue.until_left()
    venue.recorder.begin(samples=order == BEGIN_SAMPLING)
    sys.stdout.write("begun\n")
    sys.stdout.flush()


def say(message: Struct) -> None:
    sys.stdout.write(msgspec.json.encode(message).decode() + "\n")
    sys.stdout.flush()


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    uvloop.run(serve(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
