"""Who wants too much: a named refusal, bounded memory, and nobody else notices."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.small_venue import (
    FIRST_ACCOUNT,
    engine_at_genesis,
    fund_and_list,
    listed_venue,
    running,
    settings,
    two_traders,
)
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed

from proofbook.api.schema import FRAME_BYTES_MAX
from proofbook.client import ConnectionLost, connect
from proofbook.ingress.connections import ConnectionLimits, Connections, TooManyConnections
from proofbook.ingress.server import WebSocketOutbox
from proofbook.ingress.session import CHANNELS_MAX, Session
from proofbook.node import open_node


def test_connections_are_counted_in_all_and_by_address() -> None:
    connections = Connections(ConnectionLimits(connections_max=3, per_address_max=2))
    outboxes = [WebSocketOutbox() for _ in range(4)]
    for outbox in outboxes[:2]:
        connections.add(outbox, "a")
    with pytest.raises(TooManyConnections, match="2 connections are open from a, at most 2"):
        connections.add(outboxes[2], "a")
    connections.add(outboxes[2], "b")
    with pytest.raises(TooManyConnections, match="3 connections are open, at most 3"):
        connections.add(outboxes[3], "c")
    connections.remove(outboxes[0])
    connections.add(outboxes[3], "a")
    assert connections.open == 3


def test_a_connection_too_many_is_told_so_and_others_go_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        given = replace(settings(tmp_path), connections=ConnectionLimits(per_address_max=2))
        async with running(open_node(given, engine_at_genesis())) as node:
            await fund_and_list(node)
            async with await connect(node.websocket_url) as first:
                async with await connect(node.websocket_url):
                    for _ in range(20):
                        async with connect_websocket(node.websocket_url) as third:
                            with pytest.raises(ConnectionClosed) as closed:
                                await third.recv()
                        assert closed.value.rcvd is not None
                        assert closed.value.rcvd.code == 1013
                        assert closed.value.rcvd.reason.startswith("CONNECTION_LIMIT: 2 ")
                    with pytest.raises(ConnectionLost, match="CONNECTION_LIMIT"):
                        await connect(node.websocket_url)
                    assert (await first.account(FIRST_ACCOUNT)).account == FIRST_ACCOUNT
                while node.connections.open > 1:
                    await asyncio.sleep(0.01)
                async with await connect(node.websocket_url) as again:
                    assert (await again.account(FIRST_ACCOUNT)).account == FIRST_ACCOUNT

    asyncio.run(scenario())


BOMBS = {
    "nested lists": b'{"jsonrpc":"2.0","id":1,"method":"get_book","params":' + b"[" * 60_000,
    "nested objects": b'{"jsonrpc":"2.0","id":1,"method":"get_book","params":' + b'{"a":' * 12_000,
    "nested and closed": b'{"jsonrpc":"2.0","id":1,"method":"x","params":'
    + b"[" * 30_000
    + b"]" * 30_000
    + b"}",
    "a nested id": b'{"jsonrpc":"2.0","method":"x","id":' + b"[" * 60_000,
    "a long number": b'{"jsonrpc":"2.0","method":"x","id":' + b"9" * 60_000 + b"}",
    "many members": b"{" + b",".join(b'"%d":0' % n for n in range(5_000)) + b"}",
    "one name again and again": b"{" + b",".join([b'"id":1'] * 9_000) + b"}",
    "escapes": b'{"jsonrpc":"2.0","id":"' + b"\\u0000" * 10_000 + b'","method":"x","params":{}}',
}


@pytest.mark.parametrize("name", list(BOMBS))
def test_json_made_to_hurt_is_refused_by_name(name: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            assert len(BOMBS[name]) <= FRAME_BYTES_MAX
            reply = Session(node.venue).receive(BOMBS[name])
            assert isinstance(reply, bytes)
            reasons = ("PARSE_ERROR", "INVALID_REQUEST", "INVALID_PARAMS", "METHOD_NOT_FOUND")
            assert json.loads(reply)["error"]["data"]["reason"] in reasons

    asyncio.run(scenario())


def test_a_storm_of_subscriptions_keeps_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (_, first, _):
            session = Session(node.venue, WebSocketOutbox())
            channels = [f"account.{n}" for n in range(CHANNELS_MAX)]
            frames = [
                json.dumps(
                    {
                        "jsonrpc": "2.0", "id": 1, "method": method,
                        "params": {"channels": channels[at : at + 1024]},
                    }
                ).encode()
                for method in ("subscribe", "unsubscribe")
                for at in range(0, CHANNELS_MAX, 1024)
            ]  # fmt: skip
            for frame in frames * 5:
                assert isinstance(session.receive(frame), bytes)
            assert node.feeds.subscriptions == 0, "what was left is forgotten"
            await first.place("BTC-PERP", "buy", "59000", "1")
            session.close()

    asyncio.run(scenario())


def test_signatures_that_are_nobodys_take_no_place_and_leave_no_trace(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (_, first, _):
            seq = node.engine.seq
            session = Session(node.venue)
            for nonce in range(1, 500):
                params = {
                    "account": FIRST_ACCOUNT, "nonce": str(nonce),
                    "expires_ns": "2000000000000000000", "signature": "0x" + "11" * 64,
                }  # fmt: skip
                frame = {"jsonrpc": "2.0", "id": 1, "method": "cancel_all", "params": params}
                reply = session.receive(json.dumps(frame).encode())
                assert isinstance(reply, bytes), "it is refused before it waits"
                assert json.loads(reply)["error"]["data"]["reason"] == "SIGNATURE_INVALID"
            assert (node.sequencer.waiting, node.engine.seq) == (0, seq)
            await first.place("BTC-PERP", "buy", "59000", "1")

    asyncio.run(scenario())
