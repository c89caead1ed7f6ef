"""What the governor changes while a node runs: keys of publishers, and terms of books."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.small_venue import (
    GRID,
    INDEX_ATOMS,
    PUBLISHER_KEYS,
    TRADER_KEYS,
    listed_venue,
    two_traders,
)

from proofbook.api.errors import Refusal, Refused
from proofbook.node import Node
from proofbook.protocol.commands import IndexPrice, Remark, SetPublisher, SetTerms
from proofbook.protocol.limits import Reject, TermsKind
from proofbook.risk.publishers import Publishers

PRICES = [INDEX_ATOMS] * len(PUBLISHER_KEYS)


def index(node: Node) -> IndexPrice:
    publishers = Publishers.of_keys(node.sequencer.separator, PUBLISHER_KEYS)
    return publishers.index_price(1, node.sequencer.clock.now_ns(), PRICES)


def test_what_a_publisher_signed_is_executed_before_his_key_changes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            enqueue = node.sequencer.enqueue
            before = enqueue(index(node))
            changed = enqueue(SetPublisher(2, 2, TRADER_KEYS[0].address))
            with pytest.raises(Refused) as waiting:
                enqueue(index(node))
            assert waiting.value.reason == Reject.PUBLISHER_NOT_FOUND.name
            receipted = await asyncio.gather(before, changed)
            assert [answer.result.outcome.is_applied for answer in receipted] == [True, True]
            assert receipted[0].receipt.window_ns < receipted[1].receipt.window_ns
            with pytest.raises(Refused) as replaced:
                enqueue(index(node))
            assert replaced.value.reason == Refusal.SIGNATURE_INVALID.name

    asyncio.run(scenario())


def test_a_publisher_without_a_key_is_refused_at_the_door(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            removed = await node.sequencer.submit(SetPublisher(3, 2, bytes(20)))
            assert removed.result.outcome.is_applied
            with pytest.raises(Refused) as refused:
                node.sequencer.enqueue(index(node))
            assert refused.value.reason == Reject.PUBLISHER_NOT_FOUND.name

    asyncio.run(scenario())


def test_the_interface_shows_the_fees_that_a_marked_book_has(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (client, *_):
            dear = replace(GRID.perpetual, maker_fee_ppm=300, taker_fee_ppm=700)
            for command, fees in (
                (SetTerms(1, 2, TermsKind.PERPETUAL, dear), (100, 500)),
                (Remark(1), (300, 700)),
            ):
                assert (await node.sequencer.submit(command)).result.outcome.is_applied
                shown = (await client.refresh_instruments())["BTC-PERP"]
                assert (shown.maker_fee_ppm, shown.taker_fee_ppm) == fees

    asyncio.run(scenario())
