"""Tokens that pay for a debt are listed, bought by the command line, and by a patient buyer."""

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.integration.small_venue import (
    CHAIN_ID,
    CONTRACT,
    FIRST_ACCOUNT,
    TRADER_KEYS,
    USDC,
    fund_and_list,
    publish,
    running,
    settings,
    two_traders,
)
from tests.integration.test_collector import BITCOIN, TAKER, WITH_BITCOIN, taker
from typer.testing import CliRunner, Result

from proofbook.cli import app
from proofbook.client import Client
from proofbook.kernel import Kernel
from proofbook.node import Node, open_node
from proofbook.protocol.commands import Deposit
from proofbook.sequencer.collector import Collector

INDEX_USD = 36_000


async def put_up_for_sale(node: Node) -> None:
    """Let the second trader owe 490,000 USDC against twenty bitcoin, and the node sell them."""
    await fund_and_list(node)
    bitcoin = Deposit(TAKER, TRADER_KEYS[1].address, 0, 1, 20 * BITCOIN)
    assert (await node.sequencer.submit(bitcoin)).result.outcome.is_applied
    async with two_traders(node) as (_, maker, buyer):
        await maker.place("BTC-PERP", "sell", "60000", "20")
        await buyer.place("BTC-PERP", "buy", "60000", "20")
        await buyer.withdraw("990000")
    await publish(node, INDEX_USD)
    async with asyncio.timeout(5):
        while taker(node).conversion_ns == 0:
            await asyncio.sleep(0.01)


async def call(node: Node, *arguments: str) -> Result:
    """Run the command line as the first trader."""
    key = ("--account", str(FIRST_ACCOUNT), "--key", (b"\x0b" * 32).hex())
    who = () if arguments[0] == "sales" else key
    words = [*arguments, "--url", node.websocket_url, *who]
    return await asyncio.to_thread(CliRunner().invoke, app, words)


async def for_sale(node: Node, client: Client) -> None:
    async with asyncio.timeout(5):
        while not (found := await client.sales()):
            await asyncio.sleep(0.01)
    (sale,) = found
    assert sale.account == TAKER and [row.symbol for row in sale.tokens] == ["WBTC"]
    assert float(sale.debt) > 400_000
    listed = await call(node, "sales")
    assert listed.exit_code == 0 and "WBTC" in listed.output, listed.output


async def scenario(folder: Path) -> None:
    kernel = Kernel(WITH_BITCOIN, CHAIN_ID, CONTRACT)
    node = open_node(replace(settings(folder)), kernel, watch=kernel)
    node.collector = Collector(kernel, look_ns=10**7)
    async with running(node):
        await put_up_for_sale(node)
        async with two_traders(node) as (client, *_):
            await for_sale(node, client)
            buy = ("buy-collateral", str(TAKER), "1", "--token", "WBTC")
            dear = await call(node, *buy, "--limit", "20000")
            assert dear.exit_code == 1 and "PRICE_ABOVE_LIMIT" in dear.output
            bought = await call(node, *buy)
            assert bought.exit_code == 0, bought.output
            assert ": 1 for 3" in bought.output, "one bitcoin for nearly 36,000 USDC"
            assert taker(node).balances_atoms[0] == 19 * BITCOIN
            patient = await call(node, "buyer", "--discount", "0.0001", "--seconds", "4")
            assert patient.exit_code == 0 and " USDC" in patient.output, patient.output
            assert taker(node).balances_atoms[0] < 19 * BITCOIN
            assert taker(node).cash_atoms > -470_000 * USDC
            unknown = await call(node, "buy-collateral", "99", "1", "--token", "WBTC")
            assert unknown.exit_code == 1 and "ACCOUNT_NOT_FOUND" in unknown.output


def test_tokens_for_sale_are_listed_and_bought(tmp_path: Path) -> None:
    asyncio.run(scenario(tmp_path))
