"""The node fires what waits and takes auctions on, without anybody asking."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.integration.small_venue import (
    FIRST_ACCOUNT,
    engine_at_genesis,
    listed_venue,
    publish,
    running,
    settings,
    two_traders,
)
from typer.testing import CliRunner, Result

from proofbook.api.actions import ConditionName
from proofbook.api.schema import AccountReply, BookReply
from proofbook.cli import app
from proofbook.client import Client, Rejected, Trader
from proofbook.node import Node, open_node
from proofbook.protocol.commands import SetInstrument
from proofbook.protocol.limits import InstrumentMode, InstrumentState, Reject

PERPETUAL = "BTC-PERP"
INDEX_CONDITIONS: list[tuple[ConditionName, str, int]] = [
    ("mark_at_or_above", "60500", 60_500),
    ("mark_at_or_below", "59500", 59_500),
    ("index_at_or_above", "60500", 60_501),
    ("index_at_or_below", "59500", 59_499),
]


async def change(
    node: Node, client: Client, state: InstrumentState, mode: InstrumentMode, wait_ms: int = 0
) -> None:
    """Change what the perpetual's book takes and how it trades."""
    number = client.instruments[PERPETUAL].instrument
    is_bumped = mode == InstrumentMode.SPEED_BUMP
    times = (wait_ms, 0) if is_bumped else (0, wait_ms)
    receipted = await node.sequencer.submit(SetInstrument(number, state, mode, *times))
    assert receipted.result.outcome.is_applied, receipted.result.outcome.name


async def soon(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so, for a short while at most."""
    async with asyncio.timeout(5):
        while not await is_so():
            await asyncio.sleep(0.01)


def has_waiting(trader: Trader, count: int) -> Callable[[], Awaitable[bool]]:
    async def is_so() -> bool:
        return len((await trader.state()).triggers) == count

    return is_so


def bought(state: AccountReply) -> list[str]:
    return [position.amount for position in state.positions]


@pytest.mark.parametrize(("condition", "trigger_price", "published_usd"), INDEX_CONDITIONS)
def test_a_stop_is_placed_when_its_price_is_reached(
    tmp_path: Path, condition: ConditionName, trigger_price: str, published_usd: int
) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (_, maker, taker):
            await maker.place(PERPETUAL, "sell", "61000", "0.5")
            placed = await taker.place_trigger(
                PERPETUAL, condition, trigger_price, "buy", "61000", "0.2", label="stop"
            )
            await publish(node, 60_000)
            (waiting,) = (await taker.state()).triggers
            assert (waiting.trigger, waiting.label) == (placed.trigger, "stop")
            assert (waiting.condition, waiting.trigger_price) == (condition, trigger_price)
            assert (waiting.side, waiting.price, waiting.amount) == ("buy", "61000", "0.2")
            await publish(node, published_usd)
            await soon(has_waiting(taker, 0))
            assert bought(await taker.state()) == ["0.2"]

    asyncio.run(scenario())


def test_a_stop_follows_the_last_trade_and_one_that_is_met_already(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (_, maker, taker):
            await maker.place(PERPETUAL, "sell", "60000", "0.5")
            await taker.place_trigger(PERPETUAL, "last_at_or_below", "60000", "buy", "60000", "0.2")
            await taker.place(PERPETUAL, "buy", "60000", "0.1")
            await soon(has_waiting(taker, 0))
            assert bought(await taker.state()) == ["0.3"]
            await taker.place_trigger(PERPETUAL, "last_at_or_above", "60000", "buy", "60000", "0.1")
            await soon(has_waiting(taker, 0))
            assert bought(await taker.state()) == ["0.4"]

    asyncio.run(scenario())


def test_stops_wait_through_a_restart_and_a_closed_book(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            await maker.place(PERPETUAL, "sell", "61000", "0.5")
            await taker.place_trigger(PERPETUAL, "mark_at_or_above", "60500", "buy", "61000", "0.2")
            await change(node, client, InstrumentState.CANCEL_ONLY, InstrumentMode.CONTINUOUS)
        again = open_node(settings(tmp_path), engine_at_genesis())
        async with running(again), two_traders(again) as (client, _, taker):
            await publish(again, 60_600)
            await asyncio.sleep(0.1)
            assert await has_waiting(taker, 1)(), "the book lets nothing in"
            seq = again.engine.seq
            await publish(again, 60_700)
            await asyncio.sleep(0.1)
            assert again.engine.seq == seq + 2, "it is not tried again and again"
            await change(again, client, InstrumentState.OPEN, InstrumentMode.CONTINUOUS)
            await soon(has_waiting(taker, 0))
            assert bought(await taker.state()) == ["0.2"]

    asyncio.run(scenario())


def test_a_trigger_is_cancelled_by_its_number_or_with_all_orders(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (_, maker, taker):
            placed = [
                await maker.place_trigger(
                    PERPETUAL, "mark_at_or_above", "70000", "buy", "70000", "0.1"
                )
                for _ in range(2)
            ]
            with pytest.raises(Rejected) as other:
                await taker.cancel_trigger(placed[0].trigger)
            assert other.value.reason == Reject.TRIGGER_NOT_OWNED.name
            await maker.cancel_trigger(placed[0].trigger)
            with pytest.raises(Rejected) as gone:
                await maker.cancel_trigger(placed[0].trigger)
            assert gone.value.reason == Reject.TRIGGER_NOT_FOUND.name
            assert gone.value.value == placed[0].trigger
            await maker.cancel_all()
            assert (await maker.state()).triggers == []

    asyncio.run(scenario())


def test_a_taker_is_let_through_after_the_speed_bump(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            await change(node, client, InstrumentState.OPEN, InstrumentMode.SPEED_BUMP, 100)
            assert (await client.ticker(PERPETUAL)).mode == "SPEED_BUMP"
            await maker.place(PERPETUAL, "sell", "60000", "0.5", post_only=True)
            bumped = await taker.place(PERPETUAL, "buy", "60000", "0.2")
            assert bumped.order is None and bumped.filled == "0" and bumped.trigger is not None
            (waiting,) = (await taker.state()).triggers
            assert waiting.trigger == bumped.trigger and waiting.condition is None
            await soon(has_waiting(taker, 0))
            assert bought(await taker.state()) == ["0.2"]

    asyncio.run(scenario())


def test_a_batch_auction_uncrosses_when_it_is_due(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            await change(node, client, InstrumentState.OPEN, InstrumentMode.BATCH_AUCTION, 200)
            await maker.place(PERPETUAL, "sell", "59900", "0.5")
            await taker.place(PERPETUAL, "buy", "60100", "0.2")
            book = await client.book(PERPETUAL)
            assert (book.bids, book.asks) == ([("60100", "0.2")], [("59900", "0.5")])
            await soon(is_uncrossed(client))
            assert (await client.book(PERPETUAL)).asks == [("59900", "0.3")]
            assert (await client.ticker(PERPETUAL)).last == "60000", "nearest to the mark"
            assert bought(await taker.state()) == ["0.2"]
            seq = node.engine.seq
            await asyncio.sleep(0.5)
            assert node.engine.seq == seq, "nothing to do, nothing done"

    asyncio.run(scenario())


def test_a_book_that_opens_is_uncrossed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            await change(node, client, InstrumentState.PRE_OPEN, InstrumentMode.CONTINUOUS)
            for price in ("59900", "59950", "59990"):
                await maker.place(PERPETUAL, "sell", price, "0.1")
                await taker.place(PERPETUAL, "buy", price, "0.1")
            await change(node, client, InstrumentState.OPEN, InstrumentMode.CONTINUOUS)
            await soon(is_uncrossed(client))
            assert bought(await taker.state()) != []

    asyncio.run(scenario())


def is_uncrossed(client: Client) -> Callable[[], Awaitable[bool]]:
    async def is_so() -> bool:
        book: BookReply = await client.book(PERPETUAL)
        bids, asks = ([float(price) for price, _ in side] for side in (book.bids, book.asks))
        return not bids or not asks or bids[0] < asks[0]

    return is_so


def test_the_command_line_places_and_cancels_triggers(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (_, maker, _unused):

            async def run(*arguments: str) -> Result:
                who = ("--account", str(FIRST_ACCOUNT), "--key", (b"\x0b" * 32).hex())
                call = (*arguments, "--url", node.websocket_url, *who)
                return await asyncio.to_thread(CliRunner().invoke, app, call)

            stop = ("stop", PERPETUAL, "sell", "50000", "0.1", "--when", "mark_at_or_below")
            placed = await run(*stop, "--at", "51000", "--reduce-only")
            assert placed.exit_code == 0, placed.output
            (waiting,) = (await maker.state()).triggers
            assert waiting.trigger in placed.output
            cancelled = await run("cancel-stop", waiting.trigger)
            assert cancelled.exit_code == 0, cancelled.output
            again = await run("cancel-stop", waiting.trigger)
            assert again.exit_code == 1 and Reject.TRIGGER_NOT_FOUND.name in again.output
            unknown = await run(*stop[:-1], "never", "--at", "51000")
            assert unknown.exit_code == 2 and "never" in unknown.output

    asyncio.run(scenario())
