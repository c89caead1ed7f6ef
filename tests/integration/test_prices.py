"""Prices of a served venue: three publishers, two of them enough, one lying, one silent."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.integration.small_venue import listed_venue
from tests.integration.test_serve import FUNDER, OPERATOR, SECONDS_MAX, configured, serving

from proofbook.api.prices import OracleReply
from proofbook.api.signing import Key
from proofbook.chain.rpc import AsyncRpc
from proofbook.client import ApiError, Client, connect
from proofbook.client.publishing import (
    PricePublisher,
    Prices,
    Slice,
    oracle,
    publisher_of,
)
from proofbook.kernel import Kernel
from proofbook.protocol.genesis import Genesis, Terms, UnderlyingGrid
from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.settlement.deployment import Deployment, deploy
from proofbook.settlement.development_chain import DevelopmentChain
from proofbook.settlement.transactions import Sender

KEYS = [Key(bytes((n,)) * 32) for n in (31, 32, 33)]
USDC = 1_000_000
TERMS = Terms(100_000, 1_000_000, maker_fee_ppm=100, taker_fee_ppm=300)
GRID = UnderlyingGrid(
    symbol="BTC", quorum=2, strike_step_atoms=500 * USDC, perpetual=TERMS, future=TERMS,
    option=TERMS,
)  # fmt: skip
MORE = """
[prices]
gather_seconds = 0.4
mark_seconds = 0.1

[listing]
every_seconds = 0.5
days = 1
weeks = 1
months = 0
strikes = 1
"""
FLAT = Slice(0.01, 0.05, -0.2, 0.0, 0.3)


async def venue_of_publishers(rpc: AsyncRpc) -> Deployment:
    sender = Sender(rpc, OPERATOR, await rpc.chain_id())
    block = await rpc.call("eth_getBlockByNumber", "latest", False)
    genesis_ns = int(block["timestamp"], 16) * NS_PER_SECOND
    addresses = tuple(key.address for key in KEYS)
    genesis = Genesis(genesis_ns, bytes(20), bytes(20), addresses, (GRID,)).encode()
    assert FUNDER != OPERATOR
    return await deploy(sender, genesis, lambda *origin: Kernel(*origin).root(), sender.address)


async def until(client: Client, is_so: Any, what: str) -> OracleReply:
    """Ask for the oracle's state until something holds of it."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        (row,) = await oracle(client)
        if is_so(row):
            return row
        assert time.monotonic() < deadline, f"{what}: {row}"
        await asyncio.sleep(0.05)


async def second_begins(client: Client) -> str:
    """Wait for a new second of the venue, and return it, ns."""
    now_ns = client.now_ns()
    await asyncio.sleep(1 - now_ns % NS_PER_SECOND / NS_PER_SECOND + 0.05)
    return str(client.now_ns() // NS_PER_SECOND * NS_PER_SECOND)


async def say(speakers: dict[PricePublisher, str], client: Client, **more: Any) -> None:
    published_ns = await second_begins(client)
    for publisher, index in speakers.items():
        await publisher.say(Prices("BTC", index, published_ns=published_ns, **more))


async def a_liar_and_a_silent_one(client: Client) -> None:
    """Median of three, two of three, and a quorum with a liar in it that the band stops."""
    first, second, third = [await publisher_of(client, key) for key in KEYS]
    assert [first.number, second.number, third.number] == [1, 2, 3]
    await say({first: "60000", second: "60010", third: "60005"}, client)
    await until(client, lambda row: row.index == "60005", "the median of three")
    await say({first: "60020", second: "90000", third: "60030"}, client)
    await until(client, lambda row: row.index == "60030", "a liar is outvoted")
    await say({first: "60040", third: "60045"}, client)
    await until(client, lambda row: row.index == "60040", "the lower of two: nobody waits for one")
    before = (await oracle(client))[0].index_ns
    await say({first: "60050", second: "30000"}, client)
    await asyncio.sleep(1.5)
    assert (await oracle(client))[0].index_ns == before, "a liar in a bare quorum moves nothing"
    await say({first: "60060"}, client)
    await asyncio.sleep(1.0)
    assert (await oracle(client))[0].index_ns == before, "one alone is no quorum"
    await say({first: "60060", second: "60070", third: "60065"}, client)
    await until(client, lambda row: row.index == "60065", "honest ones go on")


async def a_chain_is_listed_and_marked(client: Client) -> None:
    """Options are listed around the index, and have marks once forwards and surface are there."""
    row = await until(client, lambda row: row.expiries_ns, "the calendar is listed")
    publishers = [await publisher_of(client, key) for key in KEYS[:2]]
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        forwards = dict.fromkeys(row.expiries_ns, "60100")
        growing = {
            each: FLAT._replace(a=0.01 + 0.01 * place) for place, each in enumerate(row.expiries_ns)
        }
        speakers = dict.fromkeys(publishers, "60060")
        await say(speakers, client, forwards=forwards, surface=growing)
        names = await client.refresh_instruments()
        tickers = [await client.ticker(name) for name in names]
        if len(tickers) > 6 and all(ticker.mark for ticker in tickers):
            break
        assert time.monotonic() < deadline, [(t.instrument, t.mark) for t in tickers]
        (row,) = await oracle(client)
    assert "BTC-PERP" in names and {row.kind for row in names.values()} == {
        "perpetual", "call", "put",
    }  # fmt: skip


async def what_is_wrong_is_refused(client: Client) -> None:
    publisher = await publisher_of(client, KEYS[0])
    now_ns = client.now_ns()
    stranger = PricePublisher(client, Key(b"\x77" * 32), 1)
    for speaker, number, published_ns, reason in (
        (stranger, 1, now_ns, "SIGNATURE_INVALID"),
        (publisher, 9, now_ns, "UNDERLYING_NOT_FOUND"),
        (publisher, 1, now_ns - 60 * NS_PER_SECOND, "OBSERVATION_STALE"),
        (publisher, 1, now_ns + 60 * NS_PER_SECOND, "OBSERVATION_STALE"),
    ):
        with pytest.raises(ApiError, match=reason):
            await speaker.say_index(number, published_ns, "60000")
    nobody = PricePublisher(client, KEYS[0], 9)
    with pytest.raises(ApiError, match="PUBLISHER_NOT_FOUND"):
        await nobody.say_index(1, now_ns, "60000")
    with pytest.raises(ApiError, match="TOO_MANY_WAITING") as full:
        for place in range(20):
            await publisher.say_index(1, client.now_ns() - place * 1_000, "60000")
    assert full.value.limit == "8"


async def a_feed_is_published(client: Client, url: str, folder: Path) -> None:
    """`proofbook publish`: what a line says, and a line that nobody can say.

    Lines of one second wait for the next, those of another program of the publisher too.
    """
    feed = folder / "prices.csv"
    feed.write_text("underlying,index\nBTC,60080\nBTC,60081\nDOGE,1\n")
    command = [sys.executable, "-m", "proofbook.cli", "publish", str(feed), "--url", url]
    command += ["--key", (bytes((33,)) * 32).hex(), "--json", "-"]

    def publish() -> Any:
        return subprocess.run(command, capture_output=True, text=True, check=False)

    for done in await asyncio.gather(asyncio.to_thread(publish), asyncio.to_thread(publish)):
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"publisher": 3, "said": 2, "refused": 1}, done.stderr
        assert "line 3: the venue knows no DOGE, but BTC" in " ".join(done.stderr.split())
    long = "9" * 200_000
    feed.write_text(f"underlying,index\nDOGE,{long}\nBTC,{'9' * 5_000}\nBTC,60082\n")
    done = await asyncio.to_thread(publish)
    assert json.loads(done.stdout) == {"publisher": 3, "said": 1, "refused": 2}, done.stderr
    assert done.returncode == 0, "one was said"
    assert "line 1: field larger than field limit" in done.stderr
    command[4] = "-"
    told = b'\xff\xfe\n{"underlying": "BTC", "published_ns": "' + b"9" * 5_000 + b'"}\n'
    piped = await asyncio.to_thread(
        subprocess.run, command, input=told, capture_output=True, check=False
    )
    assert json.loads(piped.stdout) == {"publisher": 3, "said": 0, "refused": 2}, piped.stderr
    assert piped.returncode == 1, "none was said"
    assert b"refused: none of 2 lines was said" in piped.stderr
    assert b"is neither ISO 8601 nor ns" in b" ".join(piped.stderr.split())
    publisher = await publisher_of(client, KEYS[1])
    began = time.monotonic()
    for place in range(3):
        await publisher.say(Prices("BTC", str(60_090 + place)))
    assert time.monotonic() - began > 1, "a second each"


def test_publishers_tell_a_served_venue_its_prices(tmp_path: Path) -> None:
    async def scenario(chain: DevelopmentChain) -> None:
        async with AsyncRpc(chain.url) as rpc:
            deployment = await venue_of_publishers(rpc)
            configured(tmp_path, chain.url, deployment.chain, MORE)
            with serving(tmp_path) as (_, where):
                async with await connect(where["websocket"]) as client:
                    await a_liar_and_a_silent_one(client)
                    await a_chain_is_listed_and_marked(client)
                    await a_feed_is_published(client, where["websocket"], tmp_path)
                    await what_is_wrong_is_refused(client)

    with DevelopmentChain.start() as chain:
        asyncio.run(scenario(chain))


def test_a_venue_with_publishers_of_its_own_takes_no_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, await connect(node.websocket_url) as client:
            publisher = PricePublisher(client, KEYS[0], 1)
            with pytest.raises(ApiError, match="PRICES_NOT_TAKEN"):
                await publisher.say_index(1, client.now_ns(), "60000")
            with pytest.raises(ValueError, match="is no publisher of this venue"):
                await publisher_of(client, KEYS[0])

    asyncio.run(scenario())
