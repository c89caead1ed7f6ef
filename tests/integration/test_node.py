"""A whole node in one process: real journal, real WebSocket, reference engine."""

import asyncio
from pathlib import Path

import httpx
import pytest
from tests.integration.small_venue import (
    FIRST_ACCOUNT,
    SEQUENCER_KEY,
    TRADER_KEYS,
    engine_at_genesis,
    fund_and_list,
    listed_venue,
    running,
    settings,
    two_traders,
)

from proofbook.api.errors import ApiError, Refusal
from proofbook.api.receipts import verify
from proofbook.client import Rejected
from proofbook.node import open_node
from proofbook.protocol.commands import Place
from proofbook.protocol.limits import Reject, Side
from proofbook.recovery.seal import NAME, read_seal
from proofbook.sequencer.journal import Journal

PERPETUAL = "BTC-PERP"


def test_an_order_rests_is_filled_and_both_hold_valid_receipts(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            rested = await maker.place(PERPETUAL, "buy", "59999.5", "0.5", post_only=True)
            assert rested.order is not None and rested.resting == "0.5"
            filled = await taker.place(
                PERPETUAL, "sell", "59000", "0.2", time_in_force="immediate_or_cancel"
            )
            assert filled.filled == "0.2" and filled.fills[0].price == "59999.5"
            assert (await client.book(PERPETUAL)).bids == [("59999.5", "0.3")]
            state = await taker.state()
            assert [(p.instrument, p.amount) for p in state.positions] == [(PERPETUAL, "-0.2")]
            for trader in (maker, taker):
                (receipt,) = trader.receipts.values()
                assert verify(receipt, client.separator, SEQUENCER_KEY.address)
            again = await client.receipt(filled.receipt.seq)
            assert again == taker.receipts[filled.receipt.seq]

    asyncio.run(scenario())


def test_restart_replays_to_the_same_root_and_the_same_books(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            await maker.place(PERPETUAL, "sell", "60100", "0.4")
            await taker.place(PERPETUAL, "buy", "60100", "0.1")
            root, book = node.engine.root(), await client.book(PERPETUAL)
            seq = node.engine.seq
        again = open_node(settings(tmp_path), engine_at_genesis())
        assert (again.engine.root(), again.engine.seq) == (root, seq)
        async with running(again), two_traders(again) as (client, maker, _):
            assert (await client.book(PERPETUAL)).asks == book.asks
            placed = await maker.place(PERPETUAL, "buy", "59000", "0.1")
            assert placed.receipt.seq == seq + 1, "the restarted node goes on where it stopped"

    asyncio.run(scenario())


def test_cancel_all_empties_the_book_and_withdraw_names_its_leaf(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, _):
            prices = [str(59_000 + n) for n in range(5)]
            placed = [maker.place(PERPETUAL, "buy", price, "0.1") for price in prices]
            orders = await asyncio.gather(*placed)
            await maker.cancel(orders[0].order or "0")
            await maker.cancel_all()
            assert (await client.book(PERPETUAL)).bids == []
            assert (await maker.state()).open_orders == []
            withdrawn = await maker.withdraw("250.5")
            assert withdrawn.index == "0"
            assert (await maker.state()).cash == "999749.5"

    asyncio.run(scenario())


def test_rejections_have_a_receipt_and_refusals_have_none(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, _):
            with pytest.raises(Rejected) as rejected:
                await maker.place(PERPETUAL, "buy", "59000", "10000")
            assert rejected.value.reason == "INSUFFICIENT_MARGIN"
            assert rejected.value.receipt.seq in maker.receipts
            seq = node.engine.seq
            params = {"instrument": PERPETUAL, "side": "buy", "price": "59000.3", "amount": "1"}
            command = Place(FIRST_ACCOUNT, 1, client.now_ns() + 10**10, 1, Side.BUY, 118_000, 1_000)
            with pytest.raises(ApiError) as refused:
                await client.ask(dict, "place", **maker.signed_params(command, params))
            assert refused.value.reason == "PRICE_OFF_TICK"
            assert (refused.value.value, refused.value.limit) == ("59000.3", "0.5")
            assert node.engine.seq == seq, "a refusal has no seq"

    asyncio.run(scenario())


def test_a_foreign_signature_an_old_nonce_and_an_expired_message_get_no_seq(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, _):
            await maker.cancel_all()
            seq = node.engine.seq
            params = {"instrument": PERPETUAL, "side": "buy", "price": "59000", "amount": "1"}
            number = client.instruments[PERPETUAL].instrument
            now_ns = client.now_ns()
            used = next(iter(maker.receipts))
            assert used == seq

            async def reason(nonce: int, expires_ns: int, signer: int, account: int) -> str:
                command = Place(account, nonce, expires_ns, number, Side.BUY, 118_000, 1_000)
                trader = client.trader(TRADER_KEYS[signer], account)
                with pytest.raises(ApiError) as refused:
                    await client.ask(dict, "place", **trader.signed_params(command, params))
                return refused.value.reason

            later_ns = now_ns + 10**10
            assert await reason(1 << 50, later_ns, 1, FIRST_ACCOUNT) == "SIGNATURE_INVALID"
            assert await reason(1, later_ns, 0, FIRST_ACCOUNT) == "NONCE_TOO_OLD"
            assert await reason(1 << 50, now_ns - 1, 0, FIRST_ACCOUNT) == "MESSAGE_EXPIRED"
            assert await reason(1 << 50, later_ns, 0, 77) == "ACCOUNT_NOT_FOUND"
            assert node.engine.seq == seq, "none of them was sequenced"

    asyncio.run(scenario())


def test_a_book_subscription_is_a_snapshot_and_changes_without_a_gap(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, taker):
            await maker.place(PERPETUAL, "buy", "59000", "0.1")
            channels = [f"book.{PERPETUAL}", f"trades.{PERPETUAL}", f"account.{FIRST_ACCOUNT}"]
            assert await client.subscribe(channels) == channels
            stream = client.stream()
            _, snapshot = await anext(stream)
            assert (snapshot.type, snapshot.bids) == ("snapshot", [("59000", "0.1")])
            await taker.place(PERPETUAL, "sell", "59000", "0.1")
            notices = [await anext(stream) for _ in range(3)]
            assert [channel for channel, _ in notices] == [channels[1], channels[0], channels[2]]
            trade, change, fill = (notice for _, notice in notices)
            assert (trade.price, trade.side) == ("59000", "sell")
            assert change.bids == [("59000", "0")] and change.prev_change_id == snapshot.change_id
            assert fill.event == "FILLED" and fill.fields["role"] == "maker"

    asyncio.run(scenario())


def test_http_answers_the_same_methods(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, httpx.AsyncClient(trust_env=False) as http:
            request = {"jsonrpc": "2.0", "id": 7, "method": "get_ticker"}
            answer = await http.post(
                node.http_url, json=request | {"params": {"instrument": PERPETUAL}}
            )
            reply = answer.json()
            assert reply["id"] == 7 and reply["usDiff"] == reply["usOut"] - reply["usIn"]
            assert (reply["result"]["mark"], reply["result"]["index"]) == ("60000", "60000")
            answer = await http.post(node.http_url, content=b"x" * 70_000)
            assert answer.json()["error"]["data"]["reason"] == Refusal.FRAME_TOO_LARGE.name

    asyncio.run(scenario())


def test_debug_shows_digest_typed_data_and_signers(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, maker, _):
            row = client.instruments[PERPETUAL]
            command = Place(
                FIRST_ACCOUNT, 5, client.now_ns(), row.instrument, Side.BUY, 118_000, 1_000
            )
            params = {"instrument": PERPETUAL, "side": "buy", "price": "59000", "amount": "1"}
            shown = await client.debug("place", maker.signed_params(command, params))
            assert shown.recovered_signer == shown.expected_signer
            assert shown.expected_signer == "0x" + TRADER_KEYS[0].address.hex()

    asyncio.run(scenario())


def test_codes_of_rejections_are_the_protocols(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (_, maker, _unused):
            with pytest.raises(Rejected) as rejected:
                await maker.cancel(12345)
            assert rejected.value.code == 1000 + Reject.ORDER_NOT_FOUND
            assert rejected.value.value == "12345"

    asyncio.run(scenario())


def test_who_is_told_twice_to_end_still_seals_its_journal_and_lets_go_of_it(tmp_path: Path) -> None:
    """The second time nobody is waited for: here for one who does not read his answers."""

    async def scenario() -> None:
        node = open_node(settings(tmp_path), engine_at_genesis())
        task, waits = asyncio.create_task(node.run()), asyncio.Event()
        await fund_and_list(node)

        async def until_idle(_: float) -> bool:
            waits.set()
            return await asyncio.Event().wait()

        node.connections.until_idle = until_idle
        task.cancel()
        await waits.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with Journal(tmp_path) as journal:
            root = engine_at_genesis().root()
            sealed = read_seal(tmp_path / NAME, SEQUENCER_KEY.address, root, journal.chain_hash)
            assert sealed == journal.last_seq == node.engine.seq

    asyncio.run(asyncio.wait_for(scenario(), 30))
