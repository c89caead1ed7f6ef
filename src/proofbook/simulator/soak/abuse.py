"""What people do to a venue who wish it ill, each kind at its own pace, from an address of its own.

Every kind counts what it got for it: an answer's reason, or the code with which it was shut out.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from proofbook.api.schema import FRAME_BYTES_MAX
from proofbook.api.signing import Key
from proofbook.client import connect
from proofbook.client.connection import Refusal
from proofbook.client.signer import EXPIRES_AFTER_NS
from proofbook.ingress.session import CHANNELS_MAX
from proofbook.protocol.commands import CancelAll
from proofbook.simulator.soak.pace import paced
from proofbook.simulator.soak.tally import Tally

FLOODED, SILENT = 600, 128
"""Connections at once: more than one address may have; and those that never say anything."""
SLOW_READERS = 6
CHANNELS_TOGETHER = 1024
READ_SECONDS = 0.5
"""Between two messages that a slow reader reads."""
READ_SLOWLY_SECONDS = 90.0
"""So long; then it reads all that has come, and sees whether it was shut out."""
CAUGHT_UP_SECONDS = 5.0
SHUT_OUT = (ConnectionClosed, InvalidHandshake, OSError, TimeoutError, EOFError)
BOMBS = (
    b'{"jsonrpc":"2.0","id":1,"method":"get_book","params":' + b"[" * 60_000,
    b'{"jsonrpc":"2.0","id":1,"method":"get_book","params":' + b'{"a":' * 12_000,
    b'{"jsonrpc":"2.0","method":"x","id":' + b"9" * 60_000 + b"}",
    b"{" + b",".join(b'"%d":0' % number for number in range(5_000)) + b"}",
    b"\x00\xff" * 500,
    b'{"jsonrpc":"2.0","id":1,"method":"nothing","params":{}}',
    b"not even close",
)


class Attacker:
    """Where the venue is, from where it is attacked, and what came of it."""

    def __init__(self, running: dict[str, Any], tally: Tally, per_second: float) -> None:
        self.running = running
        self.tally = tally
        self.per_second = per_second

    def open(self, address: str = "127.0.0.2", **settings: Any) -> Any:
        """Return a connection to be entered, from an address that nobody honest has."""
        return connect_websocket(
            self.running["websocket"], local_addr=(address, 0), compression=None,
            ping_interval=None, close_timeout=1, proxy=None, **settings,
        )  # fmt: skip

    async def asked(self, kind: str, websocket: ClientConnection, frame: bytes) -> None:
        """Send a frame and count its answer. Raises ConnectionClosed."""
        await websocket.send(frame, text=True)
        self.tally.count(kind, reason_of(await websocket.recv()))


def reason_of(answer: str | bytes) -> str:
    """Return why a request was refused, or that it was answered."""
    error = json.loads(answer).get("error")
    return "ANSWERED" if error is None else error["data"]["reason"]


def request(method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


async def flood_connections(attacker: Attacker) -> None:
    """Open more connections than an address may have, hold them, let them go."""

    async def hold() -> None:
        try:
            async with attacker.open() as websocket:
                async with asyncio.timeout(2):
                    await websocket.recv()
        except TimeoutError:
            attacker.tally.count("connection_flood", "HELD")
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else "cut"
            attacker.tally.count("connection_flood", f"CLOSED_{code}")
        except (InvalidHandshake, OSError, EOFError) as fault:
            attacker.tally.count("connection_flood", type(fault).__name__)

    while True:
        await asyncio.gather(*(hold() for _ in range(FLOODED)))
        await asyncio.sleep(10)


async def say_nothing(attacker: Attacker) -> None:
    """Open connections and never finish a request."""
    place = urlsplit(str(attacker.running["http"]))

    async def wait() -> None:
        reader, writer = await asyncio.open_connection(
            place.hostname, place.port, local_addr=("127.0.0.3", 0)
        )
        try:
            writer.write(b"POST /rpc HTTP/1.1\r\nHost: venue\r\nX-Slow: ")
            async with asyncio.timeout(60):
                await reader.read()
            attacker.tally.count("silent_connection", "CLOSED")
        except TimeoutError:
            attacker.tally.count("silent_connection", "STILL_OPEN_AFTER_A_MINUTE")
        finally:
            writer.close()

    async def always() -> None:
        while True:
            try:
                await wait()
            except OSError as fault:
                attacker.tally.count("silent_connection", type(fault).__name__)
            await asyncio.sleep(1)

    await asyncio.gather(*(always() for _ in range(SILENT)))


async def storm_subscriptions(attacker: Attacker) -> None:
    """Join and leave all the channels that a session may have."""
    channels = [f"account.{number}" for number in range(CHANNELS_MAX)]
    pieces = [
        channels[first : first + CHANNELS_TOGETHER]
        for first in range(0, CHANNELS_MAX, CHANNELS_TOGETHER)
    ]
    async with attacker.open(max_size=None) as websocket:
        async for number in paced(attacker.per_second / 4):
            rounds, place = divmod(number, len(pieces))
            method = "unsubscribe" if rounds % 2 else "subscribe"
            frame = request(method, channels=pieces[place])
            await attacker.asked("subscription_storm", websocket, frame)


async def send_oversized(attacker: Attacker) -> None:
    """Send frames above the limit, each over a new connection."""
    async for _ in paced(attacker.per_second / 20):
        async with attacker.open() as websocket:
            try:
                await websocket.send("x" * (FRAME_BYTES_MAX + 1))
                attacker.tally.count("oversized_frame", reason_of(await websocket.recv()))
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else "cut"
                attacker.tally.count("oversized_frame", f"CLOSED_{code}")


async def send_bombs(attacker: Attacker) -> None:
    """Send JSON made to hurt, over WebSocket and HTTP."""
    async with attacker.open() as websocket, httpx.AsyncClient(trust_env=False) as client:
        async for number in paced(attacker.per_second):
            frame = BOMBS[number % len(BOMBS)]
            if number % 4:
                await websocket.send(frame)
                answer = await websocket.recv()
            else:
                answer = (await client.post(attacker.running["http"], content=frame)).content
            attacker.tally.count("malformed_json", reason_of(answer))


async def spam_signatures(attacker: Attacker) -> None:
    """Send commands for accounts of others, with signatures that are nobody's."""
    accounts = [row["account"] for row in attacker.running["accounts"]]
    async with attacker.open() as websocket:
        async for number in paced(attacker.per_second):
            frame = request(
                "cancel_all", account=accounts[number % len(accounts)], nonce=str(number + 1),
                expires_ns=str(2**63), signature="0x" + f"{number:064x}" + "11" * 32,
            )  # fmt: skip
            await attacker.asked("signature_spam", websocket, frame)


async def play_with_nonces(attacker: Attacker) -> None:
    """Sign well, with nonces that leap, come again, or are too old; send the same bytes again."""
    account = attacker.running["accounts"][-1]
    key = Key.from_hex(account["key"])
    async with await connect(attacker.running["websocket"]) as client:
        trader = client.trader(key, account["account"])
        leap = trader.head()[1]
        async for number in paced(attacker.per_second / 2):
            leap += 300 if number % 5 == 0 else 0
            nonce = (leap, leap, leap + 2, leap - 290, 0)[number % 5]
            expires_ns = trader.client.now_ns() + (0 if number % 7 == 0 else EXPIRES_AFTER_NS)
            params = trader.signed_params(CancelAll(trader.account, nonce, expires_ns), {})
            for _ in range(1 + number % 2):
                try:
                    await client.connection.request("cancel_all", params)
                    attacker.tally.count("nonce_games", "ANSWERED")
                except Refusal as refusal:
                    attacker.tally.count("nonce_games", refusal.error.data.reason)


async def read_slowly(attacker: Attacker) -> None:
    """Join every channel there is, and hardly read."""
    async with await connect(attacker.running["websocket"]) as client:
        names = list(client.instruments)
    channels = [f"{kind}.{name}" for kind in ("book", "trades") for name in names]
    channels += [f"account.{row['account']}" for row in attacker.running["accounts"]]
    # An address of its own: else the flood's limit would shut it out.
    async with attacker.open("127.0.0.4", max_queue=1, max_size=None) as websocket:
        for first in range(0, len(channels), CHANNELS_TOGETHER):
            frame = request("subscribe", channels=channels[first : first + CHANNELS_TOGETHER])
            await websocket.send(frame, text=True)
        loop = asyncio.get_running_loop()
        fast_from = loop.time() + READ_SLOWLY_SECONDS
        try:
            while True:
                async with asyncio.timeout(CAUGHT_UP_SECONDS):
                    await websocket.recv()
                await asyncio.sleep(READ_SECONDS if loop.time() < fast_from else 0)
                if loop.time() > fast_from + READ_SLOWLY_SECONDS:
                    break
        except TimeoutError:
            pass
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else "cut"
            attacker.tally.count("slow_reader", f"CLOSED_{code}")
            return
        attacker.tally.count("slow_reader", "CAUGHT_UP")


KINDS: dict[str, Callable[[Attacker], Awaitable[None]]] = {
    "connection_flood": flood_connections,
    "silent_connection": say_nothing,
    "subscription_storm": storm_subscriptions,
    "oversized_frame": send_oversized,
    "malformed_json": send_bombs,
    "signature_spam": spam_signatures,
    "nonce_games": play_with_nonces,
    "slow_reader": read_slowly,
}


async def again(attacker: Attacker, kind: str) -> None:
    """Go on with one kind of abuse for ever, however often it is shut out."""
    while True:
        try:
            await KINDS[kind](attacker)
        except SHUT_OUT as fault:
            attacker.tally.count(kind, type(fault).__name__)
        except httpx.HTTPError as fault:
            attacker.tally.count(kind, type(fault).__name__)
        await asyncio.sleep(1)


async def run(running: dict[str, Any], per_second: float, tally: Tally) -> None:
    """Attack a venue until cancelled; each kind but the rarer ones so often a second."""
    attacker = Attacker(running, tally, per_second)
    async with asyncio.TaskGroup() as group:
        for kind in KINDS:
            for _ in range(SLOW_READERS if kind == "slow_reader" else 1):
                group.create_task(again(attacker, kind))
