"""What a venue shows to those who run it: metrics, health, readiness; and how it is drained."""

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
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
from tests.set_clock import SetClock

from proofbook.api.errors import ApiError, Refused
from proofbook.ingress.health import State, health_of
from proofbook.ingress.metrics import STAGES
from proofbook.node import Node, open_node
from proofbook.protocol.commands import Tick
from proofbook.sequencer.inclusion import Inclusion
from proofbook.sequencer.sequencer import CLOCK_BEHIND_NS_MAX


async def scraped(node: Node) -> dict[str, float]:
    """Return every sample by its name and labels."""
    async with httpx.AsyncClient(trust_env=False) as http:
        text = (await http.get(f"http://{node.address}/metrics")).text
    rows = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in rows}


async def looked_at(node: Node, path: str) -> tuple[int, str]:
    """Return the status of a page and the state that it names."""
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"http://{node.address}/{path}")
    return answer.status_code, answer.json()["state"]


def test_metrics_count_windows_entries_requests_and_queues(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, first, _):
            before = await scraped(node)
            await first.place("BTC-PERP", "buy", "59000", "1")
            with pytest.raises(ApiError):
                await first.cancel(10**6)
            await client.subscribe(["book.BTC-PERP", f"account.{FIRST_ACCOUNT}"])
            after = await scraped(node)

            def grown(name: str) -> float:
                return after[name] - before.get(name, 0)

            assert grown('proofbook_entries_total{outcome="applied"}') == 1
            assert grown('proofbook_entries_total{outcome="rejected"}') == 1
            assert grown("proofbook_window_commands_count") == 2
            for stage in STAGES:
                assert grown(f'proofbook_stage_seconds_count{{stage="{stage}"}}') == 2
            assert after['proofbook_stage_seconds_sum{stage="journal"}'] > 0
            assert grown('proofbook_request_seconds_count{method="place"}') == 1
            assert grown('proofbook_requests_refused_total{reason="ORDER_NOT_FOUND"}') == 1
            assert after["proofbook_seq"] == after["proofbook_journal_seq"] == node.engine.seq
            assert after["proofbook_connections"] == 1
            assert after["proofbook_subscriptions"] == 2
            assert after["proofbook_commands_waiting"] == after["proofbook_outbox_bytes"] == 0
            assert after["proofbook_accepting"] == 1
            assert after["process_resident_memory_bytes"] > 0

    asyncio.run(scenario())


def test_nobody_outside_makes_a_series(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            await scraped(node)
            async with httpx.AsyncClient(trust_env=False) as http:
                for name in ("mint", "x" * 1000, 'quo"te', "place_debug_debug"):
                    frame = {"jsonrpc": "2.0", "id": 1, "method": name, "params": {}}
                    await http.post(node.http_url, json=frame)
            rows = await scraped(node)
            methods = {row for row in rows if row.startswith("proofbook_request_seconds_count")}
            assert methods == {'proofbook_request_seconds_count{method="unknown"}'}

    asyncio.run(scenario())


def test_chain_lag_is_what_is_journalled_and_not_appended(tmp_path: Path) -> None:
    async def scenario() -> None:
        given = replace(settings(tmp_path), inclusion=Inclusion())
        async with running(open_node(given, engine_at_genesis())) as node:
            await fund_and_list(node)
            assert (await scraped(node))["proofbook_chain_lag_bytes"] > 0
            node.appended(node.engine.seq)
            rows = await scraped(node)
            assert rows["proofbook_chain_lag_bytes"] == 0
            assert rows["proofbook_chain_seq"] == node.engine.seq
            assert rows["proofbook_chain_open"] == 1
            assert rows["proofbook_chain_promise_seconds"] == 60

    asyncio.run(scenario())


def test_a_venue_is_ready_until_it_drains_and_alive_until_it_fails(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            assert await looked_at(node, "ready") == (200, "accepting")
            await node.drain()
            assert await looked_at(node, "ready") == (503, "draining")
            assert await looked_at(node, "health") == (200, "draining")
            node.sequencer.fault = OSError("the disk is gone")
            assert await looked_at(node, "health") == (503, "stopped")
            assert health_of(node.venue).fault == "OSError: the disk is gone"
            node.sequencer.fault = None

    asyncio.run(scenario())


def test_a_venue_whose_clock_is_behind_or_whose_chain_lags_is_alive_and_not_ready(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        given = settings(tmp_path)
        clock, inclusion = SetClock(given.clock.now_ns()), Inclusion()
        given = replace(given, clock=clock, inclusion=inclusion)
        async with running(open_node(given, engine_at_genesis())) as node:
            await node.sequencer.submit(Tick())
            clock.time_ns -= CLOCK_BEHIND_NS_MAX + 10**9
            behind = health_of(node.venue)
            assert (behind.state, behind.is_alive, behind.is_ready) == (
                State.CLOCK_BEHIND, True, False,
            )  # fmt: skip
            clock.time_ns += 2 * CLOCK_BEHIND_NS_MAX
            inclusion.journalled(node.engine.seq, 1 << 40)
            lagging = health_of(node.venue)
            assert (lagging.state, lagging.is_alive, lagging.is_ready) == (
                State.THROTTLED, True, False,
            )  # fmt: skip

    asyncio.run(scenario())


def test_draining_commits_and_answers_what_was_taken_and_refuses_the_rest(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, first, _):
            orders = [
                asyncio.create_task(first.place("BTC-PERP", "buy", str(50_000 + n), "1"))
                for n in range(50)
            ]
            while not node.sequencer.waiting:
                await asyncio.sleep(0)
            await node.drain()
            answers = await asyncio.gather(*orders, return_exceptions=True)
            taken = [answer for answer in answers if not isinstance(answer, BaseException)]
            refused = [answer for answer in answers if isinstance(answer, ApiError)]
            assert taken and len(taken) + len(refused) == 50, "everybody has an answer"
            assert {fault.reason for fault in refused} <= {"NOT_ACCEPTING"}
            assert max(answer.receipt.seq for answer in taken) == node.journal.last_seq
            account = await client.account(FIRST_ACCOUNT)
            assert len(account.open_orders) == len(taken), "reads go on"
            with pytest.raises(Refused, match="NOT_ACCEPTING"):
                await node.sequencer.submit(Tick())

    asyncio.run(scenario())
