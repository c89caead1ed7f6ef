"""A venue that lies: what the SDK says about answers that no venue gives, and what it signs."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from tests.integration.small_venue import (
    CHAIN_ID,
    CONTRACT,
    FIRST_ACCOUNT,
    SEQUENCER_KEY,
    TRADER_KEYS,
    listed_venue,
    two_traders,
)
from websockets.asyncio.server import ServerConnection, serve

from proofbook.api.display import OffStep, OutOfRange
from proofbook.api.schema import Error, ErrorData
from proofbook.client import (
    AnswerInvalid,
    ApiError,
    Blocking,
    Client,
    ConnectionLost,
    NotEncodable,
    OutcomeUnknown,
    ReceiptInvalid,
    TokenUnknown,
    Trader,
    VenueDiffers,
    answers,
    connect,
    connection,
    signer,
)
from proofbook.client.connection import Message, Refusal
from proofbook.client.line import Line, Patience
from proofbook.node import Node
from proofbook.protocol.eip712 import domain_separator
from proofbook.protocol.limits import NS_PER_DAY, NS_PER_SECOND

PERPETUAL = "BTC-PERP"
OTHER_CONTRACT = b"\x66" * 20
NAMED = (
    AnswerInvalid,
    ApiError,
    ConnectionLost,
    NotEncodable,
    OffStep,
    OutOfRange,
    OutcomeUnknown,
    ReceiptInvalid,
    TokenUnknown,
    VenueDiffers,
)
ODDITIES: list[Any] = [
    *(None, "", "0x", "0xzz", "0x" + "00" * 31, "0x" + "ff" * 40, "0", "-1", "9" * 30, "\u0663"),
    *("1.2.3", "NaN", "1e5", "7.\n", -1, 0, 2**32, 2**63, 2**70, 1.5, True),
    *([], {}, [[]], ["0", "0"], [["NaN", "NaN"]]),
]
CONVERSATIONS = 40

Edit = Callable[[dict[str, Any]], None]


def on_venue(folder: Path, scenario: Callable[[Node], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with listed_venue(folder) as node:
            await scenario(node)

    asyncio.run(asyncio.wait_for(run(), 120))


def with_trader(
    folder: Path, scenario: Callable[[Client, Trader], Coroutine[Any, Any, None]]
) -> None:
    """Let one trader meet a venue."""

    async def met(node: Node) -> None:
        async with two_traders(node) as (client, trader, _):
            await scenario(client, trader)

    on_venue(folder, met)


def edit_frames(monkeypatch: pytest.MonkeyPatch, edit: Edit) -> None:
    """Change every frame that a client receives."""
    decode = msgspec.json.Decoder(Message).decode

    def edited(frame: bytes) -> Message:
        message = json.loads(frame)
        edit(message)
        return decode(json.dumps(message).encode())

    monkeypatch.setattr(connection, "_decode_message", edited)


def say_of_itself(monkeypatch: pytest.MonkeyPatch, **members: Any) -> None:
    """Let the venue say something else in `get_status`."""

    def edit(message: dict[str, Any]) -> None:
        result = message.get("result")
        if isinstance(result, dict) and "domain_separator" in result:
            result.update(members)

    edit_frames(monkeypatch, edit)


def edit_rows(monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]) -> None:
    """Change members of the first instrument and the first token, where they have them."""

    def edit(message: dict[str, Any]) -> None:
        result = message.get("result")
        rows = result.get("tokens") if isinstance(result, dict) else result
        if isinstance(rows, list) and change.keys() <= rows[0].keys():
            rows[0].update(change)

    edit_frames(monkeypatch, edit)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) below a value."""
    if isinstance(value, dict):
        keys: list[Any] = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    else:
        return []
    return [(value, key) for key in keys] + [row for key in keys for row in places(value[key])]


def spoil(random: Random, message: dict[str, Any]) -> None:
    """Change one member of what a frame says, or leave it out."""
    told = {key: message[key] for key in ("result", "error", "params") if key in message}
    container, key = random.choice(places(told))
    if isinstance(container, dict) and container is not told and random.random() < 0.2:
        del container[key]
    else:
        container[key] = random.choice(ODDITIES)
    message.update(told)


async def converse(url: str, told: list[BaseException]) -> None:
    """Ask and act in many ways; note what is raised."""

    async def hear(action: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await asyncio.wait_for(action, 5)
        except NAMED as fault:
            told.append(fault)
            return None

    client = await hear(connect(url))
    if client is None:
        return
    async with client:
        trader = client.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
        await hear(client.subscribe([f"book.{PERPETUAL}", f"account.{FIRST_ACCOUNT}"]))
        if PERPETUAL in client.instruments:
            await hear(trader.place(PERPETUAL, "buy", "50000", "0.001"))
        for asked in (
            trader.cancel("7"),
            trader.cancel_all(),
            trader.withdraw("1"),
            client.receipt(5),
            client.account(FIRST_ACCOUNT),
            client.margin(FIRST_ACCOUNT),
            client.ticker(PERPETUAL),
            client.trades(PERPETUAL),
            client.refresh_instruments(),
            client.get_status(),
            anext(client.stream()),
        ):
            await hear(asked)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_a_venue_answers_is_named(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random, told = Random(seed), list[BaseException]()

    def edit(message: dict[str, Any]) -> None:
        if random.random() < 0.2:
            spoil(random, message)

    async def scenario(node: Node) -> None:
        for _ in range(CONVERSATIONS):
            await converse(node.websocket_url, told)

    edit_frames(monkeypatch, edit)
    on_venue(tmp_path, scenario)
    kinds = {type(fault) for fault in told}
    assert kinds >= {AnswerInvalid, ConnectionLost}, kinds


def test_steps_that_count_nothing_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(node: Node) -> None:
        with pytest.raises(AnswerInvalid, match="steps of BTC-PERP are 0 and"):
            await connect(node.websocket_url)

    def edit(message: dict[str, Any]) -> None:
        for row in message.get("result", []):
            if isinstance(row, dict) and "price_step" in row:
                row["price_step"] = "0"

    edit_frames(monkeypatch, edit)
    on_venue(tmp_path, scenario)


# Whose venue it is


def test_venue_is_held_to_the_contract_that_was_expected(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        url, named = node.websocket_url, "0x" + CONTRACT.hex()
        for contract in (CONTRACT, named):
            async with await connect(url, chain_id=CHAIN_ID, contract=contract) as client:
                assert client.separator == domain_separator(CHAIN_ID, CONTRACT)
        with pytest.raises(VenueDiffers, match=r"contract .* is 0x5fbd.* expected was 0x66"):
            await connect(url, chain_id=CHAIN_ID, contract=OTHER_CONTRACT)
        with pytest.raises(VenueDiffers, match=f"chain id .* is {CHAIN_ID}, expected was 1"):
            await connect(url, chain_id=1, contract=CONTRACT)
        with pytest.raises(ValueError, match="is no contract"):
            await connect(url, chain_id=CHAIN_ID, contract="0x12")

    on_venue(tmp_path, scenario)


def test_program_without_a_loop_holds_it_to_the_contract_too(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        def program() -> None:
            with pytest.raises(VenueDiffers):
                Blocking(node.websocket_url, chain_id=CHAIN_ID, contract=OTHER_CONTRACT)
            with Blocking(node.websocket_url, chain_id=CHAIN_ID, contract=CONTRACT):
                pass

        await asyncio.to_thread(program)

    on_venue(tmp_path, scenario)


def test_nothing_is_signed_for_a_domain_that_a_venue_makes_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed under another venue's domain, an order would be good there."""

    async def scenario(node: Node) -> None:
        other = "0x" + domain_separator(CHAIN_ID, OTHER_CONTRACT).hex()
        say_of_itself(monkeypatch, domain_separator=other)
        for expected in (None, CONTRACT):
            with pytest.raises(VenueDiffers, match="domain separator"):
                await connect(node.websocket_url, contract=expected)
        named = "0x" + OTHER_CONTRACT.hex()
        say_of_itself(monkeypatch, domain_separator=other, contract=named)
        with pytest.raises(VenueDiffers, match="contract"):
            await connect(node.websocket_url, chain_id=CHAIN_ID, contract=CONTRACT)

    on_venue(tmp_path, scenario)


def test_program_holds_receipts_to_the_sequencer_that_it_expects(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        def program() -> None:
            for expected, is_it in ((SEQUENCER_KEY.address, True), ("0x" + "12" * 20, False)):
                with Blocking(node.websocket_url, sequencer=expected) as venue:
                    trader = venue.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
                    if is_it:
                        venue.do(trader.cancel_all())
                    else:
                        with pytest.raises(ReceiptInvalid, match="not signed by the sequencer"):
                            venue.do(trader.cancel_all())
            with pytest.raises(ValueError, match="is no sequencer"):
                Blocking(node.websocket_url, sequencer="0x12")

        await asyncio.to_thread(program)

    on_venue(tmp_path, scenario)


# What goes into what is signed


@pytest.mark.parametrize("years", [-1, 50])
def test_nothing_is_signed_at_a_time_that_is_not_ours(
    years: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be good until then."""

    async def scenario(node: Node) -> None:
        url, lie = node.websocket_url, str(time.time_ns() + years * 365 * NS_PER_DAY)
        say_of_itself(monkeypatch, now_ns=lie)
        async with await connect(url) as client:
            assert abs(client.now_ns() - int(lie)) < NS_PER_DAY, "a chain that jumps"
        monkeypatch.setattr(answers, "DEVELOPMENT_CHAIN_ID", 1)
        with pytest.raises(VenueDiffers, match=f"time in ns .* is {lie}, .* within 300 s"):
            await connect(url)
        say_of_itself(monkeypatch, now_ns=str(time.time_ns() + 10 * NS_PER_SECOND))
        with pytest.raises(VenueDiffers, match="within 5 s"):
            await connect(url, clock_seconds_max=5)
        async with await connect(url) as client:
            say_of_itself(monkeypatch, now_ns=lie)
            with pytest.raises(VenueDiffers, match="time in ns"):
                await client.get_status()

    on_venue(tmp_path, scenario)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"decimals": 9}, "token 0 is USDC with 9 decimals"),
        ({"token": 3}, "token 3 is USDC with 6"),
        ({"symbol": "WETH"}, "token 0 is WETH"),
    ],
)
def test_usdc_is_usdc(
    change: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(node: Node) -> None:
        edit_rows(monkeypatch, change)
        with pytest.raises(AnswerInvalid, match=words):
            await connect(node.websocket_url)

    on_venue(tmp_path, scenario)


@pytest.mark.parametrize("change", [{"amount_step": "0.0001"}, {"instrument": 77}])
def test_instrument_is_held_to_the_row_that_is_pinned(
    change: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(node: Node) -> None:
        async with await connect(node.websocket_url) as client:
            pinned = [*client.instruments.values(), *client.status.tokens]
        async with await connect(node.websocket_url, pinned=pinned) as client:
            edit_rows(monkeypatch, {"maker_fee_ppm": 101})
            assert (await client.refresh_instruments())[PERPETUAL].maker_fee_ppm == 101
            edit_rows(monkeypatch, change)
            with pytest.raises(VenueDiffers, match="instrument BTC-PERP"):
                await client.refresh_instruments()
            assert client.instruments[PERPETUAL].instrument == pinned[0].instrument
        with pytest.raises(VenueDiffers, match="instrument BTC-PERP"):
            await connect(node.websocket_url, pinned=pinned)

    on_venue(tmp_path, scenario)


def test_frame_of_too_many_brackets_is_no_venues(tmp_path: Path) -> None:
    async def answer(websocket: ServerConnection) -> None:
        async for _ in websocket:
            await websocket.send('{"id":1,"zz":' + "[" * 200_000 + "]" * 200_000 + "}")

    async def scenario() -> None:
        async with serve(answer, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            with pytest.raises(ConnectionLost, match="what answers there is no venue"):
                await connect(f"ws://127.0.0.1:{port}/ws")

    asyncio.run(asyncio.wait_for(scenario(), 30))


@pytest.mark.parametrize("number", ["9" * 5000, "", "-1", "seven", "\u0663", 1 << 70, -1])
def test_number_of_no_order_is_not_sent(number: str | int, tmp_path: Path) -> None:
    async def scenario(_: Client, trader: Trader) -> None:
        for action in (
            trader.cancel(number),
            trader.cancel_trigger(number),
            trader.amend(PERPETUAL, number, "1"),
        ):
            with pytest.raises(NotEncodable, match="one to twenty digits"):
                await action

    with_trader(tmp_path, scenario)


# What became of a command


def refused(reason: str) -> Refusal:
    return Refusal(Error(2000, "in words", ErrorData(reason)))


def test_command_that_a_failed_disk_may_hold_has_an_unknown_outcome(tmp_path: Path) -> None:
    async def scenario(client: Client, trader: Trader) -> None:
        async def stop(method: str, params: dict[str, Any]) -> msgspec.Raw:
            raise refused("STOPPED_BY_FAULT")

        client.connection.request = stop  # type: ignore[method-assign]
        with pytest.raises(OutcomeUnknown, match=r"may have been.*in words") as unknown:
            await trader.cancel_all()
        assert unknown.value.reason == "STOPPED_BY_FAULT"

    with_trader(tmp_path, scenario)


@pytest.mark.parametrize("reason", ["NOT_ACCEPTING", "OVERLOADED", "RATE_LIMITED", "NONCE_USED"])
def test_refusal_of_a_repeated_command_says_nothing_of_the_first_time(
    reason: str, tmp_path: Path
) -> None:
    async def scenario(client: Client, trader: Trader) -> None:
        is_repeated = False

        async def refuse(method: str, params: dict[str, Any]) -> msgspec.Raw:
            fault = refused(reason)
            fault.is_repeated = is_repeated
            raise fault

        client.connection.request = refuse  # type: ignore[method-assign]
        with pytest.raises(ApiError):
            await trader.cancel_all()
        is_repeated = True
        with pytest.raises(OutcomeUnknown):
            await trader.cancel_all()

    with_trader(tmp_path, scenario)


@pytest.mark.parametrize("reason", ["INSUFFICIENT_MARGIN", "ORDER_NOT_OWNED", "MADE_UP"])
def test_executed_order_is_not_reported_as_refused(
    reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the state machine refuses has a receipt: without one it is no refusal."""

    async def scenario(client: Client, trader: Trader) -> None:
        def edit(message: dict[str, Any]) -> None:
            if "order" in message.get("result", {}):
                del message["result"]
                message["error"] = {"code": 1019, "message": "no", "data": {"reason": reason}}

        edit_frames(monkeypatch, edit)
        with pytest.raises(OutcomeUnknown, match=reason):
            await trader.place(PERPETUAL, "buy", "50000", "0.001")
        assert len((await client.account(FIRST_ACCOUNT)).open_orders) == 1

    with_trader(tmp_path, scenario)


def test_rejection_has_the_reason_that_its_receipt_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(_: Client, trader: Trader) -> None:
        def edit(message: dict[str, Any]) -> None:
            if "error" in message:
                message["error"]["data"]["reason"] = "ORDER_NOT_OWNED"

        edit_frames(monkeypatch, edit)
        with pytest.raises(ReceiptInvalid, match=r"says ORDER_NOT_FOUND.*'ORDER_NOT_OWNED'"):
            await trader.cancel("7")
        assert len(trader.receipts) == 1, "it is evidence, and kept"

    with_trader(tmp_path, scenario)


def test_patient_client_asks_a_venue_that_stopped_until_it_is_there_again(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        async with await connect(node.websocket_url, is_patient=True) as client:
            line = client.connection
            assert isinstance(line, Line)
            line._patience = Patience(pause_min=0.01, pause_max=0.02, give_up=5)
            ask, faults = line._ask, iter([refused("STOPPED_BY_FAULT")] * 3)

            async def fail(*asked: Any) -> msgspec.Raw:
                for fault in faults:
                    raise fault
                return await ask(*asked)

            line._ask = fail  # type: ignore[method-assign]
            trader = client.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
            assert (await trader.cancel_all()).receipt.seq == node.sequencer.engine.seq

    on_venue(tmp_path, scenario)


# Nonces and receipts


def test_traders_of_one_session_share_their_nonces(tmp_path: Path) -> None:
    async def scenario(client: Client, first: Trader) -> None:
        second = client.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
        numbers = [trader.head()[1] for _ in range(500) for trader in (first, second)]
        assert len(set(numbers)) == len(numbers)
        await asyncio.gather(*(t.cancel_all() for _ in range(20) for t in (first, second)))

    with_trader(tmp_path, scenario)


def test_receipt_that_is_asked_for_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(client: Client, trader: Trader) -> None:
        seq = (await trader.cancel_all()).receipt.seq
        assert await client.receipt(seq) == trader.receipts[seq]

        def edit(message: dict[str, Any]) -> None:
            message["result"]["received_ns"] = "1"

        edit_frames(monkeypatch, edit)
        with pytest.raises(ReceiptInvalid, match="not signed"):
            await client.receipt(seq)

    with_trader(tmp_path, scenario)


def test_receipt_of_another_entry_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(client: Client, trader: Trader) -> None:
        seq = (await trader.cancel_all()).receipt.seq
        ask = client.connection.request

        async def ask_other(method: str, params: dict[str, Any]) -> msgspec.Raw:
            return await ask(method, {"seq": seq - 1})

        client.connection.request = ask_other  # type: ignore[method-assign]
        with pytest.raises(AnswerInvalid, match=f"of entry {seq - 1}, not of {seq}"):
            await client.receipt(seq)

    with_trader(tmp_path, scenario)


def test_a_trader_keeps_so_many_receipts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signer, "RECEIPTS_KEPT", 3)

    async def scenario(_: Client, trader: Trader) -> None:
        seqs = [(await trader.cancel_all()).receipt.seq for _ in range(5)]
        assert list(trader.receipts) == seqs[-3:]

    with_trader(tmp_path, scenario)
