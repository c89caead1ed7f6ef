"""A client behind a proxy that cuts, delays and reorders: it misses nothing and repeats nothing."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from tests.integration.hostile_proxy import hostile_proxy
from tests.integration.small_venue import (
    FIRST_ACCOUNT,
    TRADER_KEYS,
    engine_at_genesis,
    listed_venue,
    running,
    settings,
    two_traders,
)

from proofbook.api.actions import ReceiptedReply
from proofbook.api.schema import AccountNotice, BookNotice, Error, ErrorData, TradeNotice
from proofbook.client import (
    ApiError,
    Blocking,
    BookGap,
    Client,
    ConnectionLost,
    LocalBook,
    OutcomeUnknown,
    ReceiptInvalid,
    Rejected,
    StreamGap,
    Trader,
    connect,
)
from proofbook.client.connection import Connection, Refusal
from proofbook.client.line import Line, Patience
from proofbook.node import Node, open_node
from proofbook.protocol.commands import CancelAll, TraderCommand
from proofbook.protocol.entry import Entry

PERPETUAL = "BTC-PERP"
IMPATIENT = Patience(reply=1.0, pause_min=0.005, pause_max=0.05, give_up=20.0)


async def patient(url: str) -> Client:
    """Connect as `connect` does, with less time to lose."""
    client = await connect(url, is_patient=True)
    assert isinstance(client.connection, Line)
    client.connection._patience = IMPATIENT
    return client


class Listener:
    """Reads a client's stream into what it adds up to."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.events: list[AccountNotice] = []
        self.trades: list[TradeNotice] = []
        self.book = LocalBook(PERPETUAL)
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for _, notice in self.client.stream():
            if isinstance(notice, BookNotice):
                self.book.apply(notice)
            elif isinstance(notice, TradeNotice):
                self.trades.append(notice)
            else:
                self.events.append(notice)


def channels(trader: Trader) -> list[str]:
    return [f"account.{trader.account}", f"trades.{PERPETUAL}", f"book.{PERPETUAL}"]


async def trade(traders: list[Trader], random: Random, count: int) -> int:
    """Place orders of both accounts, some at once; return how many commands had an answer."""

    async def place() -> None:
        trader = random.choice(traders)
        side, price = random.choice(("buy", "sell")), str(60_000 + random.randint(-10, 10))
        with suppress(Rejected):  # an answer too
            await trader.place(PERPETUAL, side, price, "0.001")

    for _ in range(count // 8):
        await asyncio.gather(*(place() for _ in range(8)))
    return count // 8 * 8


def book_of(reply: Any) -> list[list[tuple[Decimal, Decimal]]]:
    return [[(Decimal(p), Decimal(a)) for p, a in side] for side in (reply.bids, reply.asks)]


@pytest.mark.parametrize(
    ("seed", "orders"),
    [(1, 64), (2, 64), *(pytest.param(s, 800, marks=pytest.mark.slow) for s in range(3, 9))],
)
def test_client_behind_a_hostile_proxy_misses_and_repeats_nothing(
    seed: int, orders: int, tmp_path: Path
) -> None:
    async def scenario() -> None:
        random = Random(seed)
        async with listed_venue(tmp_path) as node, two_traders(node) as (direct, a, _):
            port = int(node.address.rpartition(":")[2])
            reference = Listener(direct)
            await direct.subscribe(channels(a))
            async with hostile_proxy(random, port) as (proxy, url), await patient(url) as client:
                listener = Listener(client)
                await client.subscribe(channels(a))
                traders = [
                    client.trader(key, FIRST_ACCOUNT + place)
                    for place, key in enumerate(TRADER_KEYS)
                ]
                first_seq = node.models.seq
                answered = await trade(traders, random, orders)
                proxy.is_kind = True
                await settled(reference, listener, node)
                receipts = {seq for trader in traders for seq in trader.receipts}
                assert len(receipts) == answered, "every command has one receipt"
                assert node.models.seq - first_seq == answered, "and one entry"
                assert proxy.cuts >= 3, "the proxy was hostile"
                assert listener.events == reference.events
                assert listener.trades == reference.trades
                shown = await direct.book(PERPETUAL, depth=1000)
                kept = [listener.book.levels(side) for side in ("buy", "sell")]
                assert kept == book_of(shown)
                print(f"{proxy.cuts} cuts, {proxy.late} late ends, {answered} commands")
            assert_each_nonce_once(node)
            for each in (reference, listener):
                each.task.cancel()
            await asyncio.gather(reference.task, listener.task, return_exceptions=True)

    asyncio.run(asyncio.wait_for(scenario(), 60 + orders))


async def settled(reference: Listener, listener: Listener, node: Node) -> None:
    """Wait until what was sent last has arrived, or has not for long."""
    for _ in range(300):
        if listener.task.done():
            listener.task.result()
        is_same = listener.events == reference.events and listener.trades == reference.trades
        if is_same and listener.book.change_id == reference.book.change_id:
            return
        await asyncio.sleep(0.02)


def assert_each_nonce_once(node: Node) -> None:
    entries = [entry for group in node.journal.replay() for entry in group]
    commands = [Entry.decode(entry).command for entry in entries]
    used = Counter((c.account, c.nonce) for c in commands if isinstance(c, TraderCommand))
    assert set(used.values()) <= {1}


def test_client_goes_on_after_the_venue_was_started_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            port = int(node.address.rpartition(":")[2])
            client = await patient(node.websocket_url)
            trader = client.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
            listener = Listener(client)
            await client.subscribe(channels(trader))
            await trader.place(PERPETUAL, "buy", "50000", "0.001")
        waiting = asyncio.create_task(trader.place(PERPETUAL, "buy", "50001", "0.001"))
        await asyncio.sleep(0.1)
        assert not waiting.done(), "it waits for the venue"
        again = open_node(replace(settings(tmp_path), port=port), engine_at_genesis())
        async with running(again):
            placed = await waiting
            for _ in range(200):
                is_told = listener.events and listener.events[-1].seq == placed.receipt.seq
                if is_told and listener.book.seq == placed.receipt.seq:
                    break
                await asyncio.sleep(0.02)
            assert [notice.event for notice in listener.events] == ["ORDER_RESTED"] * 2
            assert listener.book.best("buy") == (Decimal("50001"), Decimal("0.001"))
            await client.close()
            with pytest.raises(ConnectionLost):
                await listener.task

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_repeat_that_a_venue_has_forgotten_is_no_failure_by_itself(tmp_path: Path) -> None:
    """It was executed, and only the answer is lost: that is what the client is told."""

    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (_, a, b):
            command = CancelAll(*a.head())
            await a.submit(command)
            await b.cancel_all()
        again = open_node(replace(settings(tmp_path), receipts_kept=1), engine_at_genesis())
        async with running(again), await patient(again.websocket_url) as client:
            trader = client.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
            with pytest.raises(ApiError) as refused:
                await trader.submit(command)
            assert refused.value.reason == "NONCE_USED", "the first time it is our mistake"
            request = client.connection.request

            async def repeated(method: str, params: dict[str, Any]) -> Any:
                assert isinstance(client.connection, Line)
                await client.connection._connection.close()
                return await request(method, params)

            client.connection.request = repeated  # type: ignore[method-assign]
            with pytest.raises(OutcomeUnknown) as unknown:
                await trader.submit(command)
            assert unknown.value.nonce == command.nonce

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_stream_that_cannot_go_on_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path, notices_kept=2) as node, two_traders(node) as (_, a, b):
            client = await patient(node.websocket_url)
            async with client:
                listener = Listener(client)
                await client.subscribe([f"account.{a.account}"])
                await a.place(PERPETUAL, "buy", "50000", "0.001")
                await asyncio.sleep(0.05)
                assert isinstance(client.connection, Line)
                line, is_late = client.connection, asyncio.Event()
                resume = line._resuming.resume

                async def resume_late(*arguments: Any) -> None:
                    await is_late.wait()
                    await resume(*arguments)

                line._resuming.resume = resume_late  # type: ignore[method-assign]
                line._connection._websocket.transport.abort()
                for place in range(4):
                    await b.place(PERPETUAL, "buy", str(49_000 + place), "0.001")
                is_late.set()
                with pytest.raises(StreamGap, match=f"account.{a.account}"):
                    await asyncio.wait_for(listener.task, 5)

    asyncio.run(asyncio.wait_for(scenario(), 30))


@pytest.mark.parametrize("kind", ["account", "trades", "book"])
def test_stream_of_a_venue_that_has_lost_entries_says_so(kind: str, tmp_path: Path) -> None:
    """As after a restored backup: what it does next would be taken for what was heard already."""

    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (_, a, b):
            client = await patient(node.websocket_url)
            subject = str(a.account) if kind == "account" else PERPETUAL
            async with client:
                await client.subscribe([f"{kind}.{subject}"])
                stream = client.stream()
                await a.place(PERPETUAL, "buy", "60000", "0.001")
                await b.place(PERPETUAL, "sell", "60000", "0.001")
                heard_seq = 0
                while heard_seq < node.models.seq:
                    _, notice = await asyncio.wait_for(anext(stream), 5)
                    heard_seq = notice.seq
                node.models.seq -= 2
                assert isinstance(client.connection, Line)
                client.connection._connection._websocket.transport.abort()
                with pytest.raises(StreamGap, match="stands at"):
                    while True:
                        await asyncio.wait_for(anext(stream), 5)

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_answer_that_its_receipt_does_not_bear_out_is_not_believed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, a, _):
            request = client.connection.request

            async def lie(method: str, params: dict[str, Any]) -> msgspec.Raw:
                try:
                    return await request(method, params)
                except Refusal as refusal:
                    reply = ReceiptedReply(receipt=refusal.error.data.receipt)
                    return msgspec.Raw(msgspec.json.encode(reply))

            client.connection.request = lie  # type: ignore[method-assign]
            with pytest.raises(ReceiptInvalid, match="ORDER_NOT_FOUND"):
                await a.cancel(999)
            assert a.receipts, "it is evidence, and kept"

    asyncio.run(asyncio.wait_for(scenario(), 30))


# What is left to be cancelled


def cut(client: Client) -> None:
    assert isinstance(client.connection, Line)
    client.connection._connection._websocket.transport.abort()


async def without_orders(client: Client) -> None:
    for _ in range(200):
        if not (await client.account(FIRST_ACCOUNT)).open_orders:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("orders stand")


def test_orders_end_with_the_last_of_several_connections(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (watching, _, _):
            client = await patient(node.websocket_url)
            trader = client.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
            await trader.cancel_on_disconnect()
            for _ in range(3):
                placed = await trader.place(PERPETUAL, "buy", "50000", "0.001")
                orders = (await watching.account(FIRST_ACCOUNT)).open_orders
                assert [row.order for row in orders] == [placed.order], "each break cancels"
                cut(client)
            await trader.place(PERPETUAL, "buy", "50000", "0.001")
            await client.close()
            await without_orders(watching)

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_end_that_a_venue_notices_late_cancels_nothing_new(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            listed_venue(tmp_path) as node,
            two_traders(node) as (watching, _, _),
            await patient(node.websocket_url) as client,
        ):
            line = client.connection
            assert isinstance(line, Line)
            trader = client.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
            await trader.cancel_on_disconnect()
            await trader.place(PERPETUAL, "buy", "50000", "0.001")
            old = line._connection
            line._connection = await line._open()
            await without_orders(watching)
            placed = await trader.place(PERPETUAL, "buy", "49000", "0.001")
            await old.close()
            await asyncio.sleep(0.2)
            orders = (await watching.account(FIRST_ACCOUNT)).open_orders
            assert [row.order for row in orders] == [placed.order]
            await trader.forget_cancel_on_disconnect()
            cut(client)
            assert len((await trader.state()).open_orders) == 1, "nothing is left any more"

    asyncio.run(asyncio.wait_for(scenario(), 30))


@pytest.mark.parametrize("reason", ["OVERLOADED", "SESSION_EXPIRED"])
def test_what_can_not_be_left_again_is_told(
    reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, await patient(node.websocket_url) as client:
            trader = client.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
            await trader.cancel_on_disconnect()
            refusals, ask = iter([reason]), Connection.request

            async def refuse(
                connection: Connection, method: str, params: dict[str, Any]
            ) -> msgspec.Raw:
                if method == "cancel_on_disconnect":
                    for said in refusals:
                        raise Refusal(Error(2000, "in words", ErrorData(said)))
                return await ask(connection, method, params)

            monkeypatch.setattr(Connection, "request", refuse)
            cut(client)
            if reason == "SESSION_EXPIRED":
                with pytest.raises(ConnectionLost, match="CancelAll is refused: SESSION_EXPIRED"):
                    await trader.state()
            assert not (await trader.state()).open_orders
            assert len(node.armed) == (reason == "OVERLOADED")

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_refused_cancel_on_disconnect_leaves_the_one_before(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, await patient(node.websocket_url) as client:
            trader = client.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
            await trader.cancel_on_disconnect()
            line = client.connection
            assert isinstance(line, Line)
            before = line.sign_cancel_all, line._left
            with pytest.raises(ApiError, match="MESSAGE_EXPIRED"):
                await trader.cancel_on_disconnect(-1)
            assert (line.sign_cancel_all, line._left) == before

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_venue_that_stays_away_is_given_up() -> None:
    async def scenario() -> None:
        patience = Patience(pause_min=0.01, pause_max=0.02, give_up=0.1)
        with pytest.raises(ConnectionLost):
            await Line.open("ws://127.0.0.1:9/ws", patience)

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_book_refuses_a_change_that_does_not_follow() -> None:
    def notice(kind: str, change_id: int, previous: int | None, bid: str) -> BookNotice:
        return BookNotice(
            type=kind, instrument=PERPETUAL, seq=1, change_id=change_id,
            prev_change_id=previous, bids=[("1", bid)], asks=[],
        )  # type: ignore[arg-type]  # fmt: skip

    book = LocalBook(PERPETUAL)
    with pytest.raises(BookGap):
        book.apply(notice("change", 2, 1, "5"))
    assert not book.is_ready
    book.apply(notice("snapshot", 4, None, "5"))
    book.apply(notice("change", 5, 4, "7"))
    assert book.best("buy") == (1, 7)
    with pytest.raises(BookGap):
        book.apply(notice("change", 7, 6, "0"))
    assert book.levels("buy") == [(1, 7)], "it stays as it was"
    book.apply(notice("change", 6, 5, "0"))
    assert book.best("buy") is None and book.best("sell") is None


def test_program_without_a_loop_trades(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            url = node.websocket_url

            def program() -> str:
                with Blocking(url) as venue:
                    trader = venue.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
                    placed = venue.do(trader.place(PERPETUAL, "buy", "50000", "0.001"))
                    with pytest.raises(ApiError):
                        venue.do(venue.client.book("XRP-PERP"))
                    return venue.do(venue.client.account(FIRST_ACCOUNT)).open_orders[0].order + (
                        placed.order or ""
                    )

            both = await asyncio.to_thread(program)
            assert both[: len(both) // 2] == both[len(both) // 2 :]

    asyncio.run(asyncio.wait_for(scenario(), 30))
    with pytest.raises(ConnectionLost):
        Blocking("ws://127.0.0.1:9/ws", is_patient=False)
