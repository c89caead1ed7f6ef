"""Market data and histories over the interface, and what a connection leaves behind."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.integration.small_venue import (
    CHAIN_ID,
    CONTRACT,
    FIRST_ACCOUNT,
    GENESIS,
    TRADER_KEYS,
    engine_at_genesis,
    fund_and_list,
    listed_venue,
    running,
    settings,
    two_traders,
)

from proofbook.api.schema import AccountNotice
from proofbook.client import ApiError, Client, ConnectionLost, Key, Trader, connect
from proofbook.history.database import Identity
from proofbook.history.projector import Projector, catch_up
from proofbook.history.setting import open_database
from proofbook.ingress.documents import asyncapi, openrpc
from proofbook.ingress.registry import methods
from proofbook.ingress.server import WebSocketOutbox
from proofbook.ingress.session import Answering, Session
from proofbook.kernel import Kernel
from proofbook.node import Node, open_node
from proofbook.protocol.commands import CancelAll

PERPETUAL = "BTC-PERP"


@asynccontextmanager
async def venue_with_history(folder: Path) -> AsyncIterator[Node]:
    kept = replace(settings(folder / "journal"), history=str(folder / "history.db"))
    async with running(open_node(kept, engine_at_genesis())) as node:
        await fund_and_list(node)
        yield node


def project(folder: Path) -> None:
    """Bring the history up to the journal, as the process beside the venue does."""
    identity = Identity(GENESIS, CHAIN_ID, CONTRACT)
    projector = Projector(folder / "journal", identity, Kernel)
    with open_database(str(folder / "history.db")) as database:
        catch_up(projector, database)
    projector.close()


async def trade(maker: Trader, taker: Trader, count: int) -> None:
    for place in range(count):
        await maker.place(PERPETUAL, "sell", str(60_000 - place), "0.002", label="mine")
        await taker.place(PERPETUAL, "buy", str(60_000 - place), "0.001")


def test_accounts_read_their_fills_orders_and_money_page_by_page(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with venue_with_history(tmp_path) as node, two_traders(node) as (client, a, b):
            await trade(a, b, 5)
            project(tmp_path)
            whole = await client.fills(b.account)
            assert (len(whole.fills), whole.before_seq, whole.seq) == (5, None, node.models.seq)
            first = whole.fills[0]
            shown = (first.price, first.amount, first.role, first.counterparty, first.side)
            assert shown == ("59996", "0.001", "taker", a.account, "buy")
            pages, before = [], None
            while True:
                page = await client.fills(b.account, count=2, before_seq=before)
                pages += page.fills
                before = page.before_seq
                if before is None:
                    break
            assert pages == whole.fills
            orders = (await client.orders(a.account, instrument=PERPETUAL)).orders
            assert [(row.amount, row.filled, row.label) for row in orders] == [
                ("0.002", "0.001", "mine")
            ] * 5
            money = (await client.transactions(b.account, count=1000)).transactions
            assert {row.kind for row in money} == {"DEPOSIT", "FEE"}
            assert money[0].balance == (await b.state()).cash
            candles = (await client.candles(PERPETUAL, "day")).candles
            assert [(row.open, row.low, row.close, row.amount, row.trades) for row in candles] == [
                ("60000", "59996", "59996", "0.005", 5)
            ]

    asyncio.run(scenario())


def test_trades_and_summary_are_newest_and_complete(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, a, b):
            await trade(a, b, 3)
            trades = await client.trades(PERPETUAL, count=2)
            assert [row.price for row in trades] == ["59998", "59999"]
            summary = await client.summary("BTC")
            assert [row.instrument for row in summary.tickers] == [PERPETUAL]
            assert summary.index == "60000"
            with pytest.raises(ApiError) as refused:
                await client.summary("XRP")
            assert refused.value.reason == "INSTRUMENT_NOT_FOUND"

    asyncio.run(scenario())


def test_venue_without_history_and_one_whose_database_is_gone_say_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path / "none") as node, two_traders(node) as (client, a, _):
            with pytest.raises(ApiError) as refused:
                await client.fills(a.account)
            assert refused.value.reason == "HISTORY_UNAVAILABLE"
        async with venue_with_history(tmp_path) as node, two_traders(node) as (client, a, _):
            for _ in range(2):
                with pytest.raises(ApiError) as refused:
                    await client.candles(PERPETUAL)
                assert refused.value.reason == "HISTORY_UNAVAILABLE"
            project(tmp_path)
            assert (await client.candles(PERPETUAL)).candles == [], "it is asked again"
            with pytest.raises(ApiError) as refused:
                await client.transactions(a.account, instrument=PERPETUAL)
            assert refused.value.reason == "INVALID_PARAMS"

    asyncio.run(scenario())


# Streams that go on where they ended


async def read_until(client: Client, seq: int) -> list[AccountNotice]:
    notices: list[AccountNotice] = []
    async for _, notice in client.stream():
        assert isinstance(notice, AccountNotice)
        notices.append(notice)
        if notice.seq >= seq:
            return notices
    return notices


def test_account_stream_goes_on_where_it_was_cut_even_over_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, a, b):
            channel = f"account.{a.account}"
            await client.subscribe([channel], after_seq=0)
            await trade(a, b, 3)
            told = await asyncio.wait_for(read_until(client, node.models.seq), 5)
            assert {notice.event for notice in told} == {"DEPOSITED", "ORDER_RESTED", "FILLED"}
            middle = told[len(told) // 2].seq
            rest = [notice for notice in told if notice.seq > middle]
            async with await connect(node.websocket_url) as other:
                await other.subscribe([channel], after_seq=middle)
                again = await asyncio.wait_for(read_until(other, node.models.seq), 5)
                assert again == rest, "nothing is missed, nothing is told twice"
        again_open = open_node(settings(tmp_path), engine_at_genesis())
        async with running(again_open), await connect(again_open.websocket_url) as client:
            await client.subscribe([channel], after_seq=middle)
            assert await asyncio.wait_for(read_until(client, rest[-1].seq), 5) == rest

    asyncio.run(scenario())


def test_what_is_kept_no_more_is_refused_with_where_it_begins(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            listed_venue(tmp_path, notices_kept=3) as node,
            two_traders(node) as (client, a, b),
        ):
            await trade(a, b, 2)
            with pytest.raises(ApiError) as refused:
                await client.subscribe([f"account.{a.account}"], after_seq=0)
            assert refused.value.reason == "RESUME_TOO_OLD"
            oldest = int(refused.value.limit or "0")
            assert await client.subscribe([f"account.{a.account}"], after_seq=oldest - 1)

    asyncio.run(scenario())


# What a connection leaves to be done


def test_orders_end_when_the_connection_does(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, _, b):
            async with await connect(node.websocket_url) as leaving:
                trader = leaving.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
                await trader.place(PERPETUAL, "buy", "50000", "0.001")
                armed = await trader.cancel_on_disconnect()
                assert armed.until_ns is not None
                await b.place(PERPETUAL, "buy", "49000", "0.001")
            for _ in range(100):
                if not (await client.account(FIRST_ACCOUNT)).open_orders:
                    break
                await asyncio.sleep(0.02)
            assert not (await client.account(FIRST_ACCOUNT)).open_orders
            assert len((await b.state()).open_orders) == 1, "others stand"
            async with await connect(node.websocket_url) as staying:
                trader = staying.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
                await trader.place(PERPETUAL, "buy", "50000", "0.001")
                await trader.cancel_on_disconnect()
                taken_back = await trader.forget_cancel_on_disconnect()
                assert taken_back.until_ns is None
            seq = node.models.seq
            await asyncio.sleep(0.1)
            assert node.models.seq == seq

    asyncio.run(scenario())


def test_orders_of_another_sessions_key_end_with_the_connection_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, owner, _):
            key = Key(b"\x33" * 32)
            await owner.grant_session(1, key.address, ["place"], client.now_ns() + 10**15)
            trading = client.trader(key, FIRST_ACCOUNT, 1)
            frames: list[bytes] = []

            async def note(method: str, params: dict[str, Any]) -> msgspec.Raw:
                request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                frames.append(msgspec.json.encode(request))
                raise ConnectionLost("", "not sent")

            ask = client.connection.request
            client.connection.request = note  # type: ignore[method-assign]
            for acting in (
                owner.cancel_on_disconnect(),
                trading.place(PERPETUAL, "buy", "50000", "0.001"),
            ):
                with pytest.raises(ConnectionLost):
                    await acting
            client.connection.request = ask  # type: ignore[method-assign]
            session = Session(node.venue, WebSocketOutbox())
            _, placing = [session.receive(frame) for frame in frames]
            session.close()
            assert isinstance(placing, Answering)
            assert b'"order"' in await placing, "it was placed"
            for _ in range(100):
                if not (await client.account(FIRST_ACCOUNT)).open_orders:
                    break
                await asyncio.sleep(0.02)
            assert not (await client.account(FIRST_ACCOUNT)).open_orders

    asyncio.run(scenario())


def test_orders_end_when_the_venue_drains(tmp_path: Path) -> None:
    """After all that was taken before, another session's order too; and the drain waits for it."""

    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, owner, b):
            key = Key(b"\x33" * 32)
            await owner.grant_session(1, key.address, ["place"], client.now_ns() + 10**15)
            await owner.cancel_on_disconnect()
            await b.place(PERPETUAL, "buy", "49000", "0.001")
            trading = client.trader(key, FIRST_ACCOUNT, 1)
            placing = asyncio.create_task(trading.place(PERPETUAL, "buy", "50000", "0.001"))
            while not node.sequencer.waiting:
                await asyncio.sleep(0)
            draining = asyncio.create_task(node.drain())
            assert (await placing).order is not None, "it was placed"
            await draining
            assert not (await client.account(FIRST_ACCOUNT)).open_orders
            assert len((await b.state()).open_orders) == 1, "others stand"
            with pytest.raises(ApiError, match="NOT_ACCEPTING"):
                await owner.cancel_on_disconnect()
            seq = node.journal.last_seq
            assert seq == node.sequencer.engine.seq
        again = open_node(settings(tmp_path), engine_at_genesis())
        async with running(again), await connect(again.websocket_url) as client:
            assert not (await client.account(FIRST_ACCOUNT)).open_orders, "it is in the journal"

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_only_what_could_be_sent_now_can_be_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, a, b):
            used = a.signed_params(CancelAll(*a.head()), {})
            await client.connection.request("cancel_all", used)
            stolen = {**a.signed_params(CancelAll(*a.head()), {}), "account": b.account}
            for cancel_all, reason in ((used, "NONCE_USED"), (stolen, "SIGNATURE_INVALID"), (
                {"account": 3}, "INVALID_PARAMS"
            )):  # fmt: skip
                with pytest.raises(ApiError) as refused:
                    await client.ask(dict, "cancel_on_disconnect", cancel_all=cancel_all)
                assert refused.value.reason == reason
            body = {"jsonrpc": "2.0", "id": 1, "method": "cancel_on_disconnect", "params": {
                "cancel_all": used
            }}  # fmt: skip
            async with httpx.AsyncClient() as http:
                reply = (await http.post(node.http_url, json=body)).json()
            assert reply["error"]["data"]["reason"] == "CHANNELS_NEED_WEBSOCKET"

    asyncio.run(scenario())


# The registry


def test_every_method_of_the_registry_is_served(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            session = Session(node.venue)
            for method in methods():
                request = {"jsonrpc": "2.0", "id": 1, "method": method.name, "params": {}}
                reply = session.receive(json.dumps(request).encode())
                text = reply if isinstance(reply, bytes) else await reply
                reason = json.loads(text).get("error", {}).get("data", {}).get("reason")
                assert reason != "METHOD_NOT_FOUND", method.name

    asyncio.run(scenario())


def test_debug_of_a_method_says_what_debug_says(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, a, _):
            params = a.signed_params(CancelAll(*a.head()), {})
            named = await client.ask(dict, "cancel_all_debug", **params)
            assert named == await client.ask(dict, "debug", method="cancel_all", params=params)
            assert named["recovered_signer"] == named["expected_signer"]
            assert re.fullmatch(r"0x[0-9a-f]{64}", named["digest"])

    asyncio.run(scenario())


@pytest.mark.parametrize("document", [openrpc, asyncapi])
def test_references_of_documents_lead_somewhere(document: Callable[[], bytes]) -> None:
    text = document().decode()
    parsed = json.loads(text)
    for reference in set(re.findall(r'"#/([^"]+)"', text)):
        found = parsed
        for name in reference.split("/"):
            found = found[name]
        assert found


def test_document_is_served_as_it_is_written(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, _, _):
            served = await client.ask(dict, "rpc.discover")
            assert served == json.loads(openrpc())

    asyncio.run(scenario())
