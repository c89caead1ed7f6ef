"""A small venue for tests: one perpetual, an index, funded accounts, everything in one process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from proofbook.api.signing import Key
from proofbook.client import Client, Trader, connect
from proofbook.node import Node, NodeSettings, open_node
from proofbook.protocol.commands import Deposit, ListInstrument, Remark
from proofbook.protocol.engine import Engine
from proofbook.protocol.genesis import Genesis, Terms, UnderlyingGrid
from proofbook.protocol.limits import InstrumentKind
from proofbook.risk.publishers import Publishers
from proofbook.sequencer.clock import ShiftedClock
from proofbook.spec.transition import State

CHAIN_ID = 31337
CONTRACT = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3")
GENESIS_NS = 1_790_000_000 * 10**9
SEQUENCER_KEY = Key(b"\x07" * 32)
PUBLISHER_KEYS = [Key(bytes((n,)) * 32) for n in (8, 9, 10)]
TRADER_KEYS = [Key(bytes((n,)) * 32) for n in (11, 12)]
FIRST_ACCOUNT = 3
USDC = 1_000_000
DEPOSIT_ATOMS = 1_000_000 * USDC
INDEX_ATOMS = 60_000 * USDC

GRID = UnderlyingGrid(
    symbol="BTC",
    quorum=2,
    strike_step_atoms=500 * USDC,
    perpetual=Terms(500_000, 1_000_000, maker_fee_ppm=100, taker_fee_ppm=500),
    future=Terms(500_000, 1_000_000, maker_fee_ppm=100, taker_fee_ppm=500),
    option=Terms(5 * USDC, 10_000_000),
)


def genesis_at(genesis_ns: int) -> bytes:
    """Return the small venue's genesis, at some time."""
    return Genesis(
        genesis_ns=genesis_ns,
        fund_owner=b"\x01" * 20,
        fee_owner=b"\x02" * 20,
        publishers=tuple(key.address for key in PUBLISHER_KEYS),
        underlyings=(GRID,),
    ).encode()


GENESIS = genesis_at(GENESIS_NS)


def engine_at_genesis() -> Engine:
    """Return the reference engine of the small venue."""
    return State(GENESIS, CHAIN_ID, CONTRACT)


def settings(folder: Path) -> NodeSettings:
    return NodeSettings(
        journal=folder,
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        key=SEQUENCER_KEY,
        clock=ShiftedClock(GENESIS_NS + 10**9),
    )


async def fund_and_list(node: Node) -> None:
    """Sequence deposits, an index, the perpetual and its mark."""
    for offset, key in enumerate(TRADER_KEYS):
        deposit = Deposit(FIRST_ACCOUNT + offset, key.address, 0, 0, DEPOSIT_ATOMS)
        assert (await node.sequencer.submit(deposit)).result.outcome.is_applied
    await list_and_mark(node)


async def list_and_mark(node: Node, is_again: bool = False) -> None:
    """Sequence an index, the perpetual, unless it is there already, and its mark."""
    sequencer = node.sequencer
    publishers = Publishers.of_keys(sequencer.separator, PUBLISHER_KEYS)
    now_ns = node.settings.clock.now_ns()
    prices = [INDEX_ATOMS] * len(PUBLISHER_KEYS)
    commands = (
        publishers.index_price(1, now_ns, prices),
        ListInstrument(1, InstrumentKind.PERPETUAL),
        Remark(1),
    )
    for command in commands:
        outcome = (await sequencer.submit(command)).result.outcome
        assert outcome.is_applied or is_again, outcome.name


async def publish(node: Node, price_usd: int) -> None:
    """Let all publishers say a price, and mark by it."""
    sequencer = node.sequencer
    publishers = Publishers.of_keys(sequencer.separator, PUBLISHER_KEYS)
    prices = [price_usd * USDC] * len(PUBLISHER_KEYS)
    # After a restart the clock of a test is behind the journal's time.
    now_ns = max(sequencer.clock.now_ns(), sequencer.window_ns)
    for command in (publishers.index_price(1, now_ns, prices), Remark(1)):
        outcome = (await sequencer.submit(command)).result.outcome
        assert outcome.is_applied, outcome.name


@contextlib.asynccontextmanager
async def running(node: Node) -> AsyncIterator[Node]:
    """Run a node beside the test, and stop it as Ctrl-C would."""
    task = asyncio.create_task(node.run())
    try:
        yield node
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def listed_venue(folder: Path, **changes: Any) -> AsyncIterator[Node]:
    """A running node with one marked perpetual and funded accounts, and changes of settings."""
    terms = replace(settings(folder), **changes)
    async with running(open_node(terms, engine_at_genesis())) as node:
        await fund_and_list(node)
        yield node


@contextlib.asynccontextmanager
async def two_traders(node: Node) -> AsyncIterator[tuple[Client, Trader, Trader]]:
    """A client with the two funded accounts."""
    async with await connect(node.websocket_url) as client:
        first, second = (
            client.trader(key, FIRST_ACCOUNT + offset) for offset, key in enumerate(TRADER_KEYS)
        )
        yield client, first, second
