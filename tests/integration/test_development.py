"""`proofbook warp`, `shock` and the histories, on a venue as a newcomer starts it."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from tests.integration.small_venue import listed_venue
from tests.integration.test_up import proofbook, venue_up

from proofbook.api.signing import Key
from proofbook.client import ApiError, Client, connect

SECONDS_MAX = 120.0
CONFIGURATION = """
[chain]
look_seconds = 0.2

[rates]
cancels_burst = 77

[logs]
level = "info"
"""


def ended(running: dict[str, Any], *arguments: str) -> dict[str, Any]:
    """Run a command with --json -; return what it wrote."""
    done = proofbook(running, *arguments, "--json", "-")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def deal(client: Client, running: dict[str, Any], instrument: str, amount: str) -> list[int]:
    """Let the first account buy of the second at the mark; return both."""
    rows = running["accounts"][:2]
    buyer, seller = (
        client.trader(Key(bytes.fromhex(row["key"][2:])), row["account"]) for row in rows
    )
    mark = (await client.ticker(instrument)).mark
    assert mark is not None
    step = float(client.instruments[instrument].price_step)
    price = f"{round(float(mark) / step) * step:.2f}"
    await seller.place(instrument, "sell", price, amount)
    reply = await buyer.place(instrument, "buy", price, amount)
    assert float(reply.filled) == float(amount)
    return [buyer.account, seller.account]


async def expiry_comes(client: Client, running: dict[str, Any]) -> None:
    """Hold an option past its end by `warp`; its position is settled, for the history too."""
    calls = [row for row in client.instruments.values() if row.kind == "call"]
    option = min(calls, key=lambda row: (int(row.expiry_ns or 0), float(row.strike or 0)))
    buyer, _ = await deal(client, running, option.name, "0.1")
    left_seconds = (int(option.expiry_ns or 0) - client.now_ns()) // 10**9 + 3_600
    warped = await asyncio.to_thread(ended, running, "warp", f"{left_seconds}s")
    assert warped["settled"] == 1
    assert int(warped["now_ns"]) > int(option.expiry_ns or 0)
    await client.get_status()
    deadline = time.monotonic() + SECONDS_MAX
    while any(row.instrument == option.name for row in (await client.account(buyer)).positions):
        assert time.monotonic() < deadline, "the node settles what has expired"
        await asyncio.sleep(0.1)


async def crash_comes(client: Client, running: dict[str, Any]) -> None:
    """Let BTC fall under an account that holds much of it: the venue liquidates it."""
    await deal(client, running, "BTC-PERP", "50")
    before = float((await client.ticker("BTC-PERP")).index or 0)
    shocked = await asyncio.to_thread(ended, running, "shock", "BTC", "-20%")
    assert abs(float(shocked["before"]) / before - 1) < 0.01, "it may have walked"
    assert shocked["steps"] == 1, "all publishers together pass the band"
    assert abs(float(shocked["index"]) / float(shocked["before"]) - 0.8) < 0.000_01
    forward = float((await client.ticker("BTC-PERP")).mark or 0)
    assert abs(forward / float(shocked["index"]) - 1) < 0.01, "the mark follows"
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        monitor = (await client.get_status()).monitor
        assert monitor is not None
        if monitor.applied:
            return
        assert time.monotonic() < deadline, f"nobody is liquidated: {monitor}"
        await asyncio.sleep(0.1)


def happened(running: dict[str, Any]) -> None:
    """Ask the histories by the command line."""
    account = str(running["accounts"][0]["account"])
    deadline = time.monotonic() + SECONDS_MAX
    while len(ended(running, "fills", account)["fills"]) < 2:
        assert time.monotonic() < deadline, "the history follows"
    kinds = {row["kind"] for row in ended(running, "transactions", account)["transactions"]}
    assert {"DEPOSIT", "FEE"} <= kinds
    seller = str(running["accounts"][1]["account"])
    orders = ended(running, "orders", seller, "--instrument", "BTC-PERP")["orders"]
    assert [row["filled"] for row in orders] == ["50"]
    candle = ended(running, "candles", "BTC-PERP", "--period", "hour")["candles"][0]
    assert (candle["amount"], candle["trades"]) == ("50", 1)
    shown = proofbook(running, "trades", "BTC-PERP")
    assert shown.returncode == 0 and "1 rows, newest first" in shown.stdout


def test_time_and_prices_of_a_development_venue_are_moved_by_hand(tmp_path: Path) -> None:
    config = tmp_path / "venue.toml"
    config.write_text(CONFIGURATION)
    with venue_up(tmp_path, "--config", str(config)) as (_, running):
        cancels = ended(running, "limits")["key"][1]
        assert (cancels["name"], cancels["burst"]) == ("cancels", 77), "the file is read"

        async def scenario() -> None:
            async with await connect(running["websocket"]) as client:
                await expiry_comes(client, running)
                await crash_comes(client, running)

        asyncio.run(scenario())
        happened(running)
        place = ("--rpc", running["rpc"], "--contract", running["contract"])
        verified = proofbook(running, "verify", *place)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        for arguments, words in (
            (("warp", "2020-01-01"), "must be after"),
            (("warp", "9999d"), "at most"),
            (("shock", "DOGE", "-20%"), "the publishers know no DOGE, but BTC, ETH"),
        ):
            refused = proofbook(running, *arguments)
            assert refused.returncode == 1 and words in " ".join(refused.stderr.split())


def test_a_venue_that_is_not_for_development_refuses_by_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, await connect(node.websocket_url) as client:
            for asked in (client.warp(2**62), client.shock("BTC", -200_000)):
                try:
                    await asked
                except ApiError as refusal:
                    assert (refusal.reason, refusal.code) == ("NOT_A_DEVELOPMENT_VENUE", 2020)
                    assert "proofbook up" in str(refusal)
                else:
                    raise AssertionError("time goes on by itself")

    asyncio.run(scenario())
