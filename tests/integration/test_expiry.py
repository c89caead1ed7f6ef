"""A node settles an expiry by itself: publishers publish, the clock passes, nobody asks."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.small_venue import (
    FIRST_ACCOUNT,
    GENESIS_NS,
    PUBLISHER_KEYS,
    TRADER_KEYS,
    USDC,
    engine_at_genesis,
    fund_and_list,
    running,
    settings,
    two_traders,
)

from proofbook.client import Client, Trader
from proofbook.node import Node, open_node
from proofbook.protocol.commands import ForwardCurve, ListInstrument, Remark, SurfaceSlice
from proofbook.protocol.events import InstrumentListed, decode_events
from proofbook.protocol.limits import EXPIRY_TIME_OF_DAY_NS, NS_PER_DAY, NS_PER_SECOND, ArenaId
from proofbook.protocol.limits import InstrumentKind as Kind
from proofbook.protocol.records import GlobalRecord
from proofbook.risk.publishers import Publishers
from proofbook.sequencer import keeper
from proofbook.simulator.scene import FLAT_SLICE

MINUTE_NS = 60 * NS_PER_SECOND
EXPIRY_NS = (GENESIS_NS // NS_PER_DAY + 1) * NS_PER_DAY + EXPIRY_TIME_OF_DAY_NS
STRIKE_USD = 60_000
PATIENCE_SECONDS = 20


class SetClock:
    """A clock that runs, and that a test puts forward."""

    def __init__(self, start_ns: int) -> None:
        self._offset_ns = start_ns - time.monotonic_ns()

    def now_ns(self) -> int:
        return time.monotonic_ns() + self._offset_ns

    def put_to(self, moment_ns: int) -> None:
        self._offset_ns = max(self._offset_ns, moment_ns - time.monotonic_ns())


async def list_dated(node: Node) -> None:
    """List a future, a call and a put of one expiry, and mark them."""
    sequencer, expiry = node.sequencer, 0
    for kind, strike in ((Kind.FUTURE, 0), (Kind.CALL, STRIKE_USD), (Kind.PUT, STRIKE_USD)):
        listing = ListInstrument(1, kind, EXPIRY_NS, strike * USDC)
        (event,) = decode_events((await sequencer.submit(listing)).result.events)
        assert isinstance(event, InstrumentListed)
        expiry = event.expiry
    publishers = Publishers.of_keys(sequencer.separator, PUBLISHER_KEYS)
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


async def publish_each_minute(node: Node, clock: SetClock, price_usd: int) -> None:
    """Publish an index every minute of the last half hour, with the clock put forward."""
    publishers = Publishers.of_keys(node.sequencer.separator, PUBLISHER_KEYS)
    for minute in range(-29, 1):
        clock.put_to(EXPIRY_NS + minute * MINUTE_NS)
        prices = [price_usd * USDC] * len(PUBLISHER_KEYS)
        index = publishers.index_price(1, clock.now_ns(), prices)
        outcome = (await node.sequencer.submit(index)).result.outcome
        assert outcome.is_applied, outcome.name


async def until_settled(client: Client, clock: SetClock, names: list[str]) -> None:
    """Wait until every book says what it settled at, and that it ended."""
    clock.put_to(EXPIRY_NS + MINUTE_NS // 2)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            tickers = [await client.ticker(name) for name in names]
            ends = {(ticker.settlement, ticker.state, ticker.open_interest) for ticker in tickers}
            if ends == {("61000", "EXPIRED", "0")}:
                return
            await asyncio.sleep(0.05)


async def until_released(node: Node, clock: SetClock, names: list[str], client: Client) -> None:
    """Wait, minute after minute on the venue's clock, until the instruments are gone."""
    moment_ns = EXPIRY_NS + MINUTE_NS
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            clock.put_to(moment_ns)
            await asyncio.sleep(0.3)
            await client.refresh_instruments()
            if not set(names) & set(client.instruments):
                return
            moment_ns += MINUTE_NS


def test_a_node_settles_an_expiry_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock is put forward while the keeper sleeps: it has to look often.
    monkeypatch.setattr(keeper, "IDLE_NS", NS_PER_SECOND // 20)

    async def scenario() -> None:
        clock = SetClock(EXPIRY_NS - 40 * MINUTE_NS)
        venue = replace(settings(tmp_path), clock=clock)
        async with running(open_node(venue, engine_at_genesis())) as node:
            await fund_and_list(node)
            await list_dated(node)
            async with two_traders(node) as (client, maker, taker):
                names = await trade_each(client, maker, taker)
                await client.subscribe([f"account.{FIRST_ACCOUNT}"])
                before = [float((await trader.state()).cash) for trader in (maker, taker)]
                await publish_each_minute(node, clock, 61_000)
                await until_settled(client, clock, names)
                await until_released(node, clock, names, client)
                states = [await trader.state() for trader in (maker, taker)]
                assert [state.positions for state in states] == [[], []]
                gained = [float(s.cash) - cash for s, cash in zip(states, before, strict=True)]
                assert gained == [-200.0, 200.0], "future and call: 0.1 of 1,000 each"
                header = GlobalRecord.unpack(node.engine.read(ArenaId.GLOBAL, 0))
                assert header.custody_atoms == len(TRADER_KEYS) * 1_000_000 * USDC

    asyncio.run(scenario())
