"""Rate limits at a running venue: who floods is refused by name, can cancel, and hurts nobody."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.small_venue import (
    FIRST_ACCOUNT,
    engine_at_genesis,
    fund_and_list,
    running,
    settings,
    two_traders,
)

from proofbook.api.rates import RateLimitsReply
from proofbook.api.signing import Key
from proofbook.client import ApiError, connect
from proofbook.ingress.meter import COSTS
from proofbook.ingress.registry import methods
from proofbook.node import Node, open_node
from proofbook.sequencer.rates import Rate, RateLimits

LIMITS = RateLimits(
    orders=Rate(2, 10), cancels=Rate(2, 50), requests=Rate(2, 60), invalid_signatures=Rate(1, 3)
)


def limited(folder: Path) -> Node:
    return open_node(replace(settings(folder), rates=LIMITS), engine_at_genesis())


def ask(node: Node, method: str, **params: Any) -> dict[str, Any]:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return httpx.post(node.http_url, json=request, trust_env=False).json()


def test_a_key_that_floods_is_refused_cancels_all_the_same_and_leaves_others_alone(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with running(limited(tmp_path)) as node:
            await fund_and_list(node)
            async with two_traders(node) as (client, first, second):
                sent = [first.place("BTC-PERP", "buy", "50000", "0.1") for _ in range(40)]
                answers = await asyncio.gather(*sent, return_exceptions=True)
                refused = [answer for answer in answers if isinstance(answer, ApiError)]
                assert len(answers) - len(refused) >= 10, "the burst goes in"
                assert len(refused) >= 25
                for refusal in refused:
                    assert (refusal.reason, refusal.code) == ("RATE_LIMITED", 2019)
                    assert (refusal.value, refusal.limit) == ("11", "10")
                    assert refusal.retry_after_ms is not None
                    assert 1 <= refusal.retry_after_ms <= 500
                await first.cancel_all()
                assert not (await client.account(first.account)).open_orders
                for _ in range(8):
                    await second.place("BTC-PERP", "buy", "50000", "0.1")

    asyncio.run(scenario())


def test_what_is_left_is_told_for_a_connection_and_for_a_key(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(limited(tmp_path)) as node:
            await fund_and_list(node)
            async with two_traders(node) as (client, first, _):
                for _ in range(4):
                    await first.place("BTC-PERP", "buy", "50000", "0.1")
                told = await client.rate_limits()
                assert [row.left for row in told.key] == [None, None]
                told = await client.rate_limits(first.account)
                orders, cancels = told.key
                assert (orders.name, orders.per_second, orders.burst) == ("orders", 2, 10)
                assert 6 <= (orders.left or 0) <= 7
                assert (cancels.name, cancels.left) == ("cancels", 50)
                requests, invalid = told.connection
                assert (requests.burst, invalid.left) == (60, 3)
                assert 30 <= (requests.left or 0) <= 40, "the client asked for the instruments"
                assert told.costs == COSTS

    asyncio.run(scenario())


def test_who_asks_too_much_is_refused_on_his_connection_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(limited(tmp_path)) as node:
            await fund_and_list(node)
            async with (
                two_traders(node) as (client, first, _),
                await connect(node.websocket_url) as other,
            ):
                with pytest.raises(ApiError, match="RATE_LIMITED") as caught:
                    for _ in range(60):
                        await client.get_status()
                assert caught.value.limit == "60" and caught.value.retry_after_ms
                await first.place("BTC-PERP", "buy", "50000", "0.1")
                await other.get_status()

    asyncio.run(scenario())


def test_over_http_an_address_has_one_bucket(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(limited(tmp_path)) as node:
            await fund_and_list(node)
            replies = [await asyncio.to_thread(ask, node, "get_instruments") for _ in range(4)]
            errors = [reply["error"]["data"] for reply in replies if "error" in reply]
            assert errors and "result" in replies[0]
            assert errors[0]["reason"] == "RATE_LIMITED" and errors[0]["limit"] == "60"
            assert errors[0]["retry_after_ms"] > 0
            async with await connect(node.websocket_url) as client:
                await client.get_status()

    asyncio.run(scenario())


def test_who_signs_with_another_key_empties_his_own_bucket_and_not_the_accounts(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with running(limited(tmp_path)) as node:
            await fund_and_list(node)
            async with (
                two_traders(node) as (_, first, _),
                await connect(node.websocket_url) as thief,
            ):
                stranger = thief.trader(Key(b"\x55" * 32), FIRST_ACCOUNT)
                reasons: list[str] = []
                for _ in range(30):
                    with pytest.raises(ApiError) as caught:
                        await stranger.place("BTC-PERP", "buy", "50000", "0.1")
                    reasons.append(caught.value.reason)
                assert reasons[:3] == ["SIGNATURE_INVALID"] * 3
                assert reasons.count("RATE_LIMITED") >= 25
                for _ in range(10):
                    await first.place("BTC-PERP", "buy", "50000", "0.1")

    asyncio.run(scenario())


def test_a_venue_without_limits_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(open_node(settings(tmp_path), engine_at_genesis())) as node:
            await fund_and_list(node)
            async with await connect(node.websocket_url) as client:
                assert await client.rate_limits(1) == RateLimitsReply(
                    connection=[], key=[], costs=COSTS
                )
            reply = await asyncio.to_thread(ask, node, "get_rate_limits", account=-1)
            assert json.dumps(reply).count("INVALID_PARAMS")

    asyncio.run(scenario())


def test_only_methods_that_are_have_a_cost() -> None:
    assert set(COSTS) <= {method.name for method in methods()}
