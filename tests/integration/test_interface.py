"""What the session core does with bytes from outside: a named error, and nothing changed."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integration.small_venue import FIRST_ACCOUNT, listed_venue

from proofbook.api.display import OutOfRange
from proofbook.api.errors import Refused
from proofbook.api.schema import FRAME_BYTES_MAX, DebugParams, Nothing
from proofbook.client import ConnectionLost, Key, NotEncodable, connect
from proofbook.ingress.actions import ACTIONS
from proofbook.ingress.connections import Connections
from proofbook.ingress.methods import decode_params
from proofbook.ingress.server import (
    OUTBOX_BYTES_MAX,
    OUTBOX_MESSAGES_MIN,
    OUTBOX_PAUSE_BYTES,
    Reading,
    WebSocketOutbox,
)
from proofbook.ingress.session import OPENINGS_MAX, Session, decode_request
from proofbook.node import Node
from proofbook.protocol.events import DeadManSet
from proofbook.queries.feeds import NOTICES_KEPT
from proofbook.queries.models import Changes, Moment, Told

SIGNED = {
    "account": FIRST_ACCOUNT,
    "nonce": "1",
    "expires_ns": "2000000000000000000",
    "signature": "0x" + "00" * 64,
}
PLACE = SIGNED | {"instrument": "BTC-PERP", "side": "buy", "price": "59000", "amount": "1"}


def request(method: str, params: Any = None, **changes: Any) -> bytes:
    """Return a request, with members changed or (None) left out."""
    members = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}} | changes
    return json.dumps({k: v for k, v in members.items() if v is not None}).encode()


async def reason_of(node: Node, frame: bytes) -> str:
    """Return the name of the error that a frame gets, checking that nothing was sequenced."""
    seq = node.engine.seq
    reply = Session(node.venue).receive(frame)
    reply = reply if isinstance(reply, bytes) else await reply
    members = json.loads(reply)
    assert "result" not in members, "a refused request has no result"
    assert node.engine.seq == seq, "a refused request has no seq"
    error = members["error"]
    assert isinstance(error["code"], int) and error["message"], "code and message are there"
    return error["data"]["reason"]


CASES = {
    "not JSON": (b"{", "PARSE_ERROR"),
    "no text": (b"\xff\xfe", "PARSE_ERROR"),
    "empty": (b"", "PARSE_ERROR"),
    "a batch": (b"[]", "INVALID_REQUEST"),
    "no version": (request("get_status", jsonrpc=None), "INVALID_REQUEST"),
    "another version": (request("get_status", jsonrpc="1.0"), "INVALID_REQUEST"),
    "a notification": (request("get_status", id=None), "INVALID_REQUEST"),
    "an unknown member": (request("get_status", extra=1), "INVALID_REQUEST"),
    "an unknown method": (request("mint"), "METHOD_NOT_FOUND"),
    "params of no method": (request("get_status", {"x": 1}), "INVALID_PARAMS"),
    "params as a list": (request("get_book", ["BTC-PERP"]), "INVALID_PARAMS"),
    "a missing param": (request("get_book"), "INVALID_PARAMS"),
    "a number for a decimal": (request("place", PLACE | {"price": 59000}), "INVALID_PARAMS"),
    "an exponent": (request("place", PLACE | {"price": "5e4"}), "INVALID_PARAMS"),
    "a leading zero": (request("place", PLACE | {"amount": "01"}), "INVALID_PARAMS"),
    "an unknown param": (request("place", PLACE | {"leverage": "9"}), "INVALID_PARAMS"),
    "an unknown side": (request("place", PLACE | {"side": "short"}), "INVALID_PARAMS"),
    "a long label": (request("place", PLACE | {"label": "123456789"}), "INVALID_PARAMS"),
    "a line end after a decimal": (
        request("place", PLACE | {"price": "59000\n"}),
        "INVALID_PARAMS",
    ),
    "a short signature": (request("place", PLACE | {"signature": "0x00"}), "INVALID_PARAMS"),
    "a nonce above 64 bits": (request("place", PLACE | {"nonce": "9" * 20}), "INVALID_PARAMS"),
    "a depth of none": (request("get_book", {"instrument": "A", "depth": 0}), "INVALID_PARAMS"),
    "an unknown instrument": (
        request("get_book", {"instrument": "DOGE-PERP"}),
        "INSTRUMENT_NOT_FOUND",
    ),
    "an off-tick price": (request("place", PLACE | {"price": "59000.1"}), "PRICE_OFF_TICK"),
    "an off-lot amount": (request("place", PLACE | {"amount": "0.0001"}), "AMOUNT_OFF_LOT"),
    "a negative amount": (request("place", PLACE | {"amount": "-1"}), "LOTS_OUT_OF_RANGE"),
    "an amount beyond 64 bits": (
        request("place", PLACE | {"amount": "9" * 18}),
        "LOTS_OUT_OF_RANGE",
    ),
    "a negative price": (request("place", PLACE | {"price": "-5"}), "PRICE_OUT_OF_RANGE"),
    "a price beyond 32 bits": (
        request("place", PLACE | {"price": "9" * 18}),
        "PRICE_OUT_OF_RANGE",
    ),
    "params that are no text": (
        request("get_book", {"instrument": "?"}).replace(b"?", b"\xff\xfe"),
        "INVALID_PARAMS",
    ),
    "signed params that are no text": (
        request("place", {"label": "?"}).replace(b"?", b"\xff\xfe"),
        "INVALID_PARAMS",
    ),
    "nobody's signature": (request("place", PLACE), "SIGNATURE_INVALID"),
    "an unknown account": (request("cancel_all", SIGNED | {"account": 99}), "ACCOUNT_NOT_FOUND"),
    "account 0": (request("cancel_all", SIGNED | {"account": 0}), "ACCOUNT_NOT_FOUND"),
    "an unknown session": (request("cancel_all", SIGNED | {"session": 5}), "SESSION_NOT_FOUND"),
    "a session beyond all": (request("cancel_all", SIGNED | {"session": 9}), "SESSION_NOT_FOUND"),
    "the account of nobody": (request("get_account", {"account": 2**32 - 1}), "ACCOUNT_NOT_FOUND"),
    "a receipt of the future": (request("get_receipt", {"seq": 10**9}), "RECEIPT_NOT_KEPT"),
    "a subscription over HTTP": (
        request("subscribe", {"channels": ["book.BTC-PERP"]}),
        "CHANNELS_NEED_WEBSOCKET",
    ),
    "too long": (b" " * (FRAME_BYTES_MAX + 1), "FRAME_TOO_LARGE"),
}


def test_every_bad_frame_has_a_named_error_and_changes_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            reasons = {name: await reason_of(node, frame) for name, (frame, _) in CASES.items()}
            assert reasons == {name: reason for name, (_, reason) in CASES.items()}

    asyncio.run(scenario())


def test_a_channel_that_does_not_exist_is_refused_and_none_is_joined(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            outbox = WebSocketOutbox()
            session = Session(node.venue, outbox)
            for bad in (
                "book.DOGE-PERP",
                "trades",
                "account.x",
                "account.01",
                "account.-1",
                "account.4294967296",
                "news.all",
            ):
                frame = request("subscribe", {"channels": ["book.BTC-PERP", bad]})
                members = json.loads(await settled(session.receive(frame)))
                reasons = ("CHANNEL_NOT_FOUND", "INSTRUMENT_NOT_FOUND")
                assert members["error"]["data"]["reason"] in reasons
            assert not outbox.waiting, "no snapshot was sent"

    asyncio.run(scenario())


def test_a_channel_named_twice_is_joined_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            outbox = WebSocketOutbox()
            session = Session(node.venue, outbox)
            frame = request("subscribe", {"channels": ["book.BTC-PERP"] * 1024})
            assert "result" in json.loads(await settled(session.receive(frame)))
            assert outbox.waiting == 1, "one snapshot"

    asyncio.run(scenario())


def test_a_channel_named_twice_is_left_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            session = Session(node.venue, WebSocketOutbox())
            for method in ("subscribe", "unsubscribe"):
                frame = request(method, {"channels": ["book.BTC-PERP"] * 2})
                reply = json.loads(await settled(session.receive(frame)))
            assert reply["result"]["channels"] == ["book.BTC-PERP"]
            assert node.feeds.subscriptions == 0

    asyncio.run(scenario())


def test_all_notices_that_are_kept_can_be_resumed_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            seq = node.engine.seq
            told = Told(FIRST_ACCOUNT, Moment(seq, 1), DeadManSet(FIRST_ACCOUNT, 1), None, {})
            for _ in range(NOTICES_KEPT):
                node.feeds.replay(Changes(accounts=[told]))
            outbox = WebSocketOutbox()
            session = Session(node.venue, outbox)
            channel = f"account.{FIRST_ACCOUNT}"
            frame = request("subscribe", {"channels": [channel], "after_seq": seq - 1})
            assert "result" in json.loads(await settled(session.receive(frame)))
            assert outbox.waiting == NOTICES_KEPT and not outbox.is_overflown
            too_many = json.loads(await settled(Session(node.venue, outbox).receive(frame)))
            assert too_many["error"]["data"]["reason"] == "RESUME_TOO_OLD"
            assert not outbox.is_overflown, "it is told so, and not cut off"

    asyncio.run(scenario())


def test_what_comes_after_an_entry_that_is_not_there_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            session, seq = Session(node.venue, WebSocketOutbox()), node.engine.seq
            for after_seq, reason in ((seq, None), (seq + 1, "RESUME_TOO_NEW")):
                params = {"channels": [f"account.{FIRST_ACCOUNT}"], "after_seq": after_seq}
                reply = json.loads(await settled(session.receive(request("subscribe", params))))
                assert reply.get("error", {}).get("data", {}).get("reason") == reason

    asyncio.run(scenario())


def test_a_peer_that_leaves_in_the_middle_of_a_request_is_no_fault_of_the_venue(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            host, port = node.address.split(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nabc")
            await writer.drain()
            await asyncio.sleep(0.1)
            writer.close()
            await asyncio.sleep(0.2)

    asyncio.run(scenario())
    assert not [record for record in caplog.records if record.exc_info]


def test_the_client_names_what_it_cannot_send(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            listed_venue(tmp_path) as node,
            await connect(node.websocket_url) as client,
        ):
            trader = client.trader(Key.from_hex("11" * 32), FIRST_ACCOUNT)
            for price, amount in (("9" * 18, "1"), ("-5", "1"), ("59000", "-1")):
                with pytest.raises(OutOfRange):
                    await trader.place("BTC-PERP", "buy", price, amount)
            with pytest.raises(OutOfRange):
                await trader.withdraw("-1")
            with pytest.raises(NotEncodable):
                await trader.cancel(2**64)
            for url in ("", "http://localhost:1", node.http_url.replace("http", "ws")):
                with pytest.raises(ConnectionLost):
                    await connect(url)

    asyncio.run(scenario())


@pytest.mark.parametrize("notices", [1, 10_000])
def test_a_reader_that_is_too_slow_is_cut_off_and_not_buffered_for(notices: int) -> None:
    outbox = WebSocketOutbox(notices_max=notices)
    for _ in range(max(OUTBOX_MESSAGES_MIN, 2 * notices)):
        outbox.put(b"x")
    assert not outbox.is_overflown
    outbox.put(b"x")
    assert outbox.is_overflown and (outbox.waiting, outbox.waiting_bytes) == (0, 0)


def test_a_reader_of_large_messages_is_cut_off_by_their_bytes() -> None:
    outbox = WebSocketOutbox()
    message = bytes(OUTBOX_BYTES_MAX // 4)
    for _ in range(4):
        outbox.put(message)
    assert not outbox.is_overflown
    outbox.put(b"x")
    assert outbox.is_overflown and outbox.waiting_bytes == 0, "memory is given back at once"


class FullWriter:
    """Takes one write, and has room again once that is read."""

    has_room = True

    def write_texts(self, messages: list[bytes]) -> None:
        assert messages
        self.has_room = False


def test_what_is_written_waits_until_it_is_read() -> None:
    writer, connections = FullWriter(), Connections()
    outbox = WebSocketOutbox(writer)
    connections.add(outbox, "a")

    async def scenario() -> None:
        for more_bytes in (700, 300):
            outbox.put(bytes(more_bytes))
            await asyncio.sleep(0)
        assert (outbox.waiting, outbox.waiting_bytes, connections.waiting_bytes) == (1, 1000, 1000)
        writer.has_room = True
        outbox.flush()
        assert (outbox.waiting, outbox.waiting_bytes, connections.waiting_bytes) == (0, 300, 300)
        writer.has_room = True
        outbox.flush()
        assert outbox.waiting_bytes == connections.waiting_bytes == 0
        outbox.put(bytes(100))
        outbox.flush()
        outbox.overflow()
        writer.has_room = True
        outbox.flush()
        assert outbox.waiting_bytes == connections.waiting_bytes == 0, "it is counted once"

    asyncio.run(scenario())


def test_who_asks_without_reading_is_not_listened_to(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            outbox = WebSocketOutbox()
            peer = DeafPeer()
            reading = Reading(Session(node.venue, outbox), outbox, peer)
            frame = request("get_status", id="x" * 60_000)
            reading.take([frame] * 100)
            ticks = 1
            while outbox.has_room:
                assert outbox.waiting <= ticks, "others have their turn between two frames"
                assert peer.is_held
                await asyncio.sleep(0)
                ticks += 1
            for _ in range(100):
                await asyncio.sleep(0)
            assert OUTBOX_PAUSE_BYTES < outbox.waiting_bytes < OUTBOX_PAUSE_BYTES + 100_000
            assert outbox.waiting < 50 and peer.is_held

    asyncio.run(scenario())


class DeafPeer:
    """Asks and does not read."""

    def __init__(self) -> None:
        self.is_held = False

    def hold(self) -> None:
        self.is_held = True

    def listen(self) -> None:
        self.is_held = False


def test_two_clients_get_their_own_replies(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            listed_venue(tmp_path) as node,
            await connect(node.websocket_url) as first,
            await connect(node.websocket_url) as second,
        ):
            asked = [client.account(FIRST_ACCOUNT + n) for n, client in enumerate((first, second))]
            replies = await asyncio.gather(*asked)
            assert [reply.account for reply in replies] == [FIRST_ACCOUNT, FIRST_ACCOUNT + 1]

    asyncio.run(scenario())


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_no_bytes_crash_the_decoder(frame: bytes) -> None:
    try:
        decode_request(frame)
    except Refused as refusal:
        assert refusal.reason in ("PARSE_ERROR", "INVALID_REQUEST")


def test_no_depth_of_brackets_crashes_the_decoder() -> None:
    """Found by trying: params some hundred lists deep ended in an error without a name.

    And, where a library had raised the interpreter's limit, some ten thousand ended the process.
    """
    for depth in (*range(1, 600, 50), OPENINGS_MAX - 1, OPENINGS_MAX, 32_000):
        params = b"[" * depth + b"]" * depth
        frame = request("get_status").replace(b'"params": {}', b'"params": ' + params)
        with pytest.raises(Refused) as refused:
            decode_params(decode_request(frame).params, Nothing)
        is_shallow = depth < OPENINGS_MAX  # the request itself opens one
        assert refused.value.reason == ("INVALID_PARAMS" if is_shallow else "PARSE_ERROR")


def test_no_depth_ends_a_process_whose_recursion_is_not_bounded() -> None:
    """As in every venue that signs for a chain: a library of its signer raises the limit."""
    program = (
        "import sys; sys.setrecursionlimit(10**6)\n"
        "from proofbook.api.errors import Refused\n"
        "from proofbook.ingress.session import decode_request\n"
        "for frame in (b'[' * 60_000, b'{\"a\":' * 12_000):\n"
        "    try: decode_request(frame)\n"
        "    except Refused as refusal: print(refusal.reason)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["PARSE_ERROR", "PARSE_ERROR"]


async def settled(reply: Any) -> bytes:
    return reply if isinstance(reply, bytes) else await reply


def test_debug_knows_every_signed_method() -> None:
    assert set(get_args(get_type_hints(DebugParams)["method"])) == set(ACTIONS)


@pytest.mark.parametrize("method", list(ACTIONS))
def test_signed_methods_refuse_empty_params(tmp_path: Path, method: str) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            assert await reason_of(node, request(method)) == "INVALID_PARAMS"

    asyncio.run(scenario())
