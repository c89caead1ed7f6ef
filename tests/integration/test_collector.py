"""The node settles losses that nobody has cash for, and puts tokens up for sale."""

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.integration.small_venue import (
    CHAIN_ID,
    CONTRACT,
    FIRST_ACCOUNT,
    GENESIS,
    TRADER_KEYS,
    USDC,
    fund_and_list,
    publish,
    running,
    settings,
    two_traders,
)

from proofbook.kernel import Kernel
from proofbook.node import Node, open_node
from proofbook.protocol.commands import BuyCollateral, Deposit
from proofbook.protocol.genesis import Genesis, TokenTerms
from proofbook.protocol.limits import ArenaId
from proofbook.protocol.records import AccountRecord
from proofbook.sequencer.collector import Collector

BITCOIN = 10**8
TAKER = FIRST_ACCOUNT + 1
WITH_BITCOIN = replace(
    Genesis.decode(GENESIS), tokens=(TokenTerms("WBTC", 1, 8, 50_000, 1_000 * BITCOIN),)
).encode()


def taker(node: Node) -> AccountRecord:
    return AccountRecord.unpack(node.engine.read(ArenaId.ACCOUNTS, TAKER))


async def scenario(folder: Path) -> None:
    kernel = Kernel(WITH_BITCOIN, CHAIN_ID, CONTRACT)
    node = open_node(settings(folder), kernel, watch=kernel)
    assert node.collector is not None
    node.collector = Collector(kernel, look_ns=10**7)
    async with running(node):
        await fund_and_list(node)
        bitcoin = Deposit(TAKER, TRADER_KEYS[1].address, 0, 1, 20 * BITCOIN)
        assert (await node.sequencer.submit(bitcoin)).result.outcome.is_applied
        async with two_traders(node) as (_, maker, buyer):
            await maker.place("BTC-PERP", "sell", "60000", "20")
            await buyer.place("BTC-PERP", "buy", "60000", "20")
            await buyer.withdraw("990000")
        await publish(node, 50_000)
        async with asyncio.timeout(5):
            while taker(node).cash_atoms >= -100_000 * USDC:
                await asyncio.sleep(0.01)
        assert taker(node).conversion_ns == 0
        await publish(node, 36_000)
        async with asyncio.timeout(5):
            while taker(node).conversion_ns == 0:
                await asyncio.sleep(0.01)
        async with two_traders(node) as (_, maker, _):
            limit = 36_000 * USDC
            bought = await maker.submit(
                BuyCollateral(*maker.head(), TAKER, 1, BITCOIN, price_max_atoms=limit)
            )
            assert "COLLATERAL_SOLD" in [event.event for event in bought.events]
            assert taker(node).balances_atoms[0] == 19 * BITCOIN


def test_debts_are_looked_after_without_anybody_asking(tmp_path: Path) -> None:
    asyncio.run(scenario(tmp_path))
