"""A node settles an expiry by itself: publishers publish, the clock passes, nobody asks."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.integration.small_venue import (
    FIRST_ACCOUNT,
    GENESIS_NS,
    PUBLISHER_KEYS,
    TRADER_KEYS,
    USDC,
    listed_venue,
    two_traders,
)

from proofbook.api.errors import Refusal, Refused
from proofbook.api.signing import Key
from proofbook.client import Client, Trader
from proofbook.node import Node
from proofbook.protocol.commands import (
    ForwardCurve,
    IndexPrice,
    ListInstrument,
    Remark,
    SetPublisher,
    SetSettlement,
    SurfaceSlice,
)
from proofbook.protocol.events import InstrumentListed, decode_events
from proofbook.protocol.limits import (
    EXPIRY_TIME_OF_DAY_NS,
    NS_PER_DAY,
    NS_PER_SECOND,
    ArenaId,
    Reject,
)
from proofbook.protocol.limits import InstrumentKind as Kind
from proofbook.protocol.records import GlobalRecord, InstrumentRecord
from proofbook.risk.publishers import Publishers
from proofbook.sequencer.clock import ShiftedClock
from proofbook.simulator.scene import FLAT_SLICE

MINUTE_NS = 60 * NS_PER_SECOND
EXPIRY_NS = (GENESIS_NS // NS_PER_DAY + 1) * NS_PER_DAY + EXPIRY_TIME_OF_DAY_NS
STRIKE_USD = 60_000
PATIENCE_SECONDS = 20


class Stage(NamedTuple):
    """A venue with dated instruments, and two who hold a tenth of each against each other."""

    node: Node
    clock: ShiftedClock
    client: Client
    traders: tuple[Trader, Trader]
    names: list[str]

    async def cash(self) -> list[float]:
        return [float((await trader.state()).cash) for trader in self.traders]

    def custody_atoms(self) -> int:
        return GlobalRecord.unpack(self.node.engine.read(ArenaId.GLOBAL, 0)).custody_atoms


@asynccontextmanager
async def traded(folder: Path) -> AsyncGenerator[Stage]:
    """Open a venue forty minutes before an expiry in which two have traded what expires."""
    clock = ShiftedClock(EXPIRY_NS - 40 * MINUTE_NS)
    async with listed_venue(folder, clock=clock) as node:
        await list_dated(node)
        async with two_traders(node) as (client, maker, taker):
            names = await trade_each(client, maker, taker)
            stage = Stage(node, clock, client, (maker, taker), names)
            yield stage
            assert stage.custody_atoms() == len(TRADER_KEYS) * 1_000_000 * USDC


async def list_dated(node: Node) -> None:
    """List a future, a call and a put of one expiry, and mark them."""
    sequencer, expiry = node.sequencer, 0
    for kind, strike in ((Kind.FUTURE, 0), (Kind.CALL, STRIKE_USD), (Kind.PUT, STRIKE_USD)):
        listing = ListInstrument(1, kind, EXPIRY_NS, strike * USDC)
        (event,) = decode_events((await sequencer.submit(listing)).result.events)
        assert isinstance(event, InstrumentListed)
        expiry = event.expiry
    publishers = publishers_of(node)
    forwards = [[STRIKE_USD * USDC]] * len(PUBLISHER_KEYS)
    now_ns = sequencer.clock.now_ns()
    flat: SurfaceSlice = replace(FLAT_SLICE, expiry_ns=EXPIRY_NS)
    curve: ForwardCurve = publishers.forward_curve(1, now_ns, [EXPIRY_NS], forwards)
    for command in (curve, publishers.vol_surface(1, now_ns, [flat]), Remark(expiry)):
        outcome = (await sequencer.submit(command)).result.outcome
        assert outcome.is_applied, outcome.name


async def trade_each(client: Client, maker: Trader, taker: Trader) -> list[str]:
    """Let one sell to the other one tenth of each dated instrument; return the names."""
    await client.refresh_instruments()
    names = [name for name in client.instruments if name != "BTC-PERP"]
    for name in names:
        mark = (await client.ticker(name)).mark
        assert mark is not None
        price = str(int(float(mark)) // 5 * 5)
        await maker.place(name, "sell", price, "0.1")
        await taker.place(name, "buy", price, "0.1")
    return names


def publishers_of(node: Node, places: Sequence[int] = range(len(PUBLISHER_KEYS))) -> Publishers:
    """Return those of the venue's publishers who publish."""
    everybody = Publishers.of_keys(node.sequencer.separator, PUBLISHER_KEYS)
    return replace(everybody, members=tuple(everybody.members[place] for place in places))


def index_of(node: Node, publishers: Publishers, price_usd: int) -> IndexPrice:
    prices = [price_usd * USDC] * len(publishers.members)
    return publishers.index_price(1, node.sequencer.clock.now_ns(), prices)


async def publish_each_minute(
    node: Node,
    clock: ShiftedClock,
    price_usd: int,
    minutes: Iterable[int] = range(-29, 1),
    publishers: Publishers | None = None,
) -> None:
    """Let publishers publish an index at minutes from the expiry on, with the clock put forward."""
    for minute in minutes:
        clock.advance_to(EXPIRY_NS + minute * MINUTE_NS)
        index = index_of(node, publishers or publishers_of(node), price_usd)
        outcome = (await node.sequencer.submit(index)).result.outcome
        assert outcome.is_applied, outcome.name


async def until_settled(client: Client, names: list[str]) -> float:
    """Wait until every book says that it ended, and all at one price; return it in USD."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            tickers = [await client.ticker(name) for name in names]
            ends = {(ticker.state, ticker.open_interest) for ticker in tickers}
            prices = {ticker.settlement for ticker in tickers}
            if ends == {("EXPIRED", "0")} and len(prices) == 1:
                return float(prices.pop() or 0)
            await asyncio.sleep(0.05)


async def until_released(node: Node, clock: ShiftedClock, names: list[str], client: Client) -> None:
    """Wait, minute after minute on the venue's clock, until the instruments are gone."""
    moment_ns = EXPIRY_NS + MINUTE_NS
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            clock.advance_to(moment_ns)
            await asyncio.sleep(0.3)
            await client.refresh_instruments()
            if not set(names) & set(client.instruments):
                return
            moment_ns += MINUTE_NS


def test_a_node_settles_an_expiry_by_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with traded(tmp_path) as stage:
            await stage.client.subscribe([f"account.{FIRST_ACCOUNT}"])
            before = await stage.cash()
            await publish_each_minute(stage.node, stage.clock, 61_000)
            stage.clock.advance_to(EXPIRY_NS + MINUTE_NS // 2)
            assert await until_settled(stage.client, stage.names) == 61_000
            await until_released(stage.node, stage.clock, stage.names, stage.client)
            states = [await trader.state() for trader in stage.traders]
            assert [state.positions for state in states] == [[], []]
            gained = [float(s.cash) - cash for s, cash in zip(states, before, strict=True)]
            assert gained == [-200.0, 200.0], "future and call: 0.1 of 1,000 each"

    asyncio.run(scenario())


Story = Callable[[Node, ShiftedClock], Awaitable[None]]


def settled_at(folder: Path, story: Story) -> float:
    """Tell what publishers do around an expiry; return what a node settles it at by itself."""

    async def scenario() -> float:
        async with traded(folder) as stage:
            await story(stage.node, stage.clock)
            price_usd = await until_settled(stage.client, stage.names)
            assert sum(await stage.cash()) < 2_000_000, "fees were paid"
            return price_usd

    return asyncio.run(scenario())


def test_one_publisher_who_stops_in_the_window_changes_nothing(tmp_path: Path) -> None:
    async def story(node: Node, clock: ShiftedClock) -> None:
        await publish_each_minute(node, clock, 61_000, range(-29, -14))
        await publish_each_minute(node, clock, 61_000, range(-14, 1), publishers_of(node, (0, 2)))
        clock.advance_to(EXPIRY_NS + MINUTE_NS // 2)

    assert settled_at(tmp_path, story) == 61_000


def test_too_few_publishers_are_silence(tmp_path: Path) -> None:
    """One alone says another price for ten minutes: no quorum, no price."""

    async def story(node: Node, clock: ShiftedClock) -> None:
        await publish_each_minute(node, clock, 61_000, range(-30, -9))
        clock.advance_to(EXPIRY_NS - 5 * MINUTE_NS)
        index = index_of(node, publishers_of(node, (0,)), 60_500)
        outcome = (await node.sequencer.submit(index)).result.outcome
        assert outcome.name == Reject.QUORUM_NOT_MET.name
        clock.advance_to(EXPIRY_NS + MINUTE_NS + NS_PER_SECOND)

    assert settled_at(tmp_path, story) == 61_000


def test_publishers_who_come_back_after_the_expiry_complete_the_average(tmp_path: Path) -> None:
    """Twelve minutes of one price before it, eight of another after it."""

    async def story(node: Node, clock: ShiftedClock) -> None:
        await publish_each_minute(node, clock, 61_000, range(-30, -18))
        await publish_each_minute(node, clock, 62_000, range(5, 15))
        clock.advance_to(EXPIRY_NS + 14 * MINUTE_NS)

    assert settled_at(tmp_path, story) == pytest.approx(61_400, abs=1)


def test_who_takes_a_publishers_place_in_the_window_is_heard(tmp_path: Path) -> None:
    """The key that is replaced is refused at once; what it has said before counts."""

    async def story(node: Node, clock: ShiftedClock) -> None:
        await publish_each_minute(node, clock, 61_000, range(-29, -14), publishers_of(node, (0, 1)))
        successor = Key(b"\x2a" * 32)
        command = SetPublisher(2, 2, successor.address)
        assert (await node.sequencer.submit(command)).result.outcome.is_applied
        with pytest.raises(Refused) as refused:
            await node.sequencer.submit(index_of(node, publishers_of(node), 70_000))
        assert refused.value.reason == Refusal.SIGNATURE_INVALID.name
        renewed = Publishers.of_keys(
            node.sequencer.separator, [PUBLISHER_KEYS[0], successor, PUBLISHER_KEYS[2]]
        )
        await publish_each_minute(node, clock, 61_000, range(-14, 1), renewed)
        clock.advance_to(EXPIRY_NS + MINUTE_NS // 2)

    assert settled_at(tmp_path, story) == 61_000


def test_without_publishers_a_node_waits_for_the_governor_and_settles_at_his_price(
    tmp_path: Path,
) -> None:
    async def story(node: Node, clock: ShiftedClock) -> None:
        await publish_each_minute(node, clock, 61_000, range(-29, -19))
        clock.advance_to(EXPIRY_NS + 61 * MINUTE_NS)
        expiry = InstrumentRecord.unpack(node.engine.read(ArenaId.INSTRUMENTS, 2)).expiry
        seq = node.engine.seq
        await asyncio.sleep(1.5)
        assert node.engine.seq == seq, "nobody sends what would be refused"
        command = SetSettlement(expiry, EXPIRY_NS, 59_000 * USDC)
        outcome = (await node.sequencer.submit(command)).result.outcome
        assert outcome.is_applied, outcome.name
        clock.advance_to(EXPIRY_NS + 62 * MINUTE_NS)

    assert settled_at(tmp_path, story) == 59_000
