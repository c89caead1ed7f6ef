"""A venue in a process of its own, to be killed: `python -m tests.integration.crash_venue …`.

It prints its URL when it serves. Before a group is acknowledged, seq and root go into a file: what
the process said of itself, to compare with what comes back. With a file `chain` in its folder, its
deposits come from there, and it appends and claims.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog
from tests.integration.crash_readers import CHAIN, SNAPSHOT_EVERY, SNAPSHOTS, origin_of
from tests.integration.small_venue import (
    CHAIN_ID,
    CONTRACT,
    DEPOSIT_ATOMS,
    GENESIS,
    GENESIS_NS,
    SEQUENCER_KEY,
    TRADER_KEYS,
    fund_and_list,
    genesis_at,
    list_and_mark,
)

from proofbook.api.errors import Refused
from proofbook.chain.rpc import AsyncRpc
from proofbook.kernel import Kernel
from proofbook.node import Node, NodeSettings, Service, open_node
from proofbook.operation.configuration import (
    ChainSection,
    Configuration,
    InterfaceSection,
    SequencerSection,
    SnapshotsSection,
)
from proofbook.operation.operation import Operation, compose, inbox_position
from proofbook.protocol.commands import Tick
from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.recovery.errors import RecoveryFault
from proofbook.sequencer.clock import ShiftedClock, SystemClock
from proofbook.sequencer.journal import JournalFault
from proofbook.sequencer.sequencer import Committed
from proofbook.settlement.deployment import deploy, find_deployment
from proofbook.settlement.deposits import deposit, mint_and_approve
from proofbook.settlement.errors import SettlementFault
from proofbook.settlement.transactions import DEVELOPMENT_KEYS, Sender

ROOT = Path(__file__).resolve().parents[2]
ROOT_ROW = 8 + 32
EXIT_FAULT = 2
OPERATOR, FUNDER = DEVELOPMENT_KEYS[:2]


async def put_on_chain(folder: Path, url: str) -> None:
    """Deploy the venue of a folder, and put its traders' money into the vault."""
    async with AsyncRpc(url) as rpc:
        sender = Sender(rpc, OPERATOR, await rpc.chain_id())
        block = await rpc.call("eth_getBlockByNumber", "latest", False)
        genesis = genesis_at(int(block["timestamp"], 16) * NS_PER_SECOND)
        made = await deploy(sender, genesis, lambda *origin: Kernel(*origin).root(), sender.address)
        funder = Sender(rpc, FUNDER, sender.chain_id)
        await mint_and_approve(funder, made, len(TRADER_KEYS) * DEPOSIT_ATOMS)
        for key in TRADER_KEYS:
            await deposit(funder, made, key.address, 0, DEPOSIT_ATOMS)
    (folder / CHAIN).write_text(f"{url} {genesis.hex()} {made.chain.hex()}")


async def open_operation(folder: Path, rpc: AsyncRpc) -> Operation:
    """Return the venue of a folder that is on a chain, composed as `serve` does it."""
    deployment = await find_deployment(rpc, origin_of(folder)[2])
    chain = ChainSection(
        rpc="", contract="", operator_key_file="", finality="blocks", confirmations=0,
        quiet_seconds_max=0, look_seconds=0.02, append_seconds=0.02, claim_every=2,
    )  # fmt: skip
    configuration = Configuration(
        chain=chain,
        sequencer=SequencerSection(key_file="", journal=str(folder / "journal")),
        interface=InterfaceSection(port=0),
        snapshots=SnapshotsSection(every=SNAPSHOT_EVERY, folder=str(folder / SNAPSHOTS)),
    )
    operator = Sender(rpc, OPERATOR, deployment.chain_id)
    return compose(configuration, deployment, operator, SEQUENCER_KEY, SystemClock())


def open_crash_venue(folder: Path, began_ns: int) -> Node:
    """Open a process of a venue whose genesis was when its test began."""
    settings = NodeSettings(
        folder / "journal",
        CHAIN_ID,
        CONTRACT,
        SEQUENCER_KEY,
        clock=ShiftedClock(GENESIS_NS + 10**9 + time.time_ns() - began_ns),
        snapshots=folder / SNAPSHOTS,
    )
    return open_node(settings, Kernel(GENESIS, CHAIN_ID, CONTRACT))


async def serve(folder: Path, began_ns: int) -> None:
    if not (folder / CHAIN).exists():
        node = open_crash_venue(folder, began_ns)
        await run(folder, node, [], lambda: begin(node))
        return
    async with AsyncRpc((folder / CHAIN).read_text().split()[0]) as rpc:
        operation = await open_operation(folder, rpc)
        services: list[Service] = [
            lambda _: operation.deposits.run(),
            lambda _: operation.settlement.run(),
        ]
        await run(folder, operation.node, services, lambda: begin_on_chain(operation.node))


async def run(folder: Path, node: Node, services: list[Service], begin: Callable[[], Any]) -> None:
    roots = os.open(folder / "roots", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(committed: Committed) -> None:
        os.write(roots, committed.last_seq.to_bytes(8, "big") + node.engine.root())

    node.sequencer.subscribe(note)
    running = asyncio.create_task(node.run(services))
    beginning = asyncio.create_task(begin())
    await asyncio.wait([running, beginning], return_when=asyncio.FIRST_COMPLETED)
    if beginning.done():
        beginning.result()
        print(node.websocket_url, flush=True)
    await running


async def begin(node: Node) -> None:
    if node.models.seq == 0:
        await fund_and_list(node)


async def begin_on_chain(node: Node) -> None:
    """Wait until the chain was seen and the deposits are there; say prices of today."""
    while inbox_position(node.engine) < len(TRADER_KEYS):
        await asyncio.sleep(0.01)
    while True:
        try:
            await node.sequencer.submit(Tick())
        except Refused:
            await asyncio.sleep(0.01)
        else:
            break
    await list_and_mark(node, is_again=True)


def main() -> None:
    # Standard output is for the URL alone.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    folder, began = Path(sys.argv[1]), sys.argv[2]
    try:
        asyncio.run(serve(folder, int(began)))
    except* (JournalFault, RecoveryFault, SettlementFault) as faults:
        fault = faults.exceptions[0]
        print(f"{type(fault).__name__}: {fault}", file=sys.stderr)
        sys.exit(EXIT_FAULT)


def noted_roots(folder: Path) -> dict[int, bytes]:
    """Return by seq the roots that the killed processes had noted, torn rows left out."""
    data = (folder / "roots").read_bytes()
    rows = [data[at : at + ROOT_ROW] for at in range(0, len(data) - ROOT_ROW + 1, ROOT_ROW)]
    return {int.from_bytes(row[:8], "big"): row[8:] for row in rows}


def told_by(folder: Path, began: int | str) -> Path:
    """Return the file to which processes of a kind say what they have to say."""
    return folder / (f"{began}.told" if isinstance(began, str) else "venue.told")


@contextlib.contextmanager
def started(folder: Path, began: int | str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run the venue, or a reader of its journal, while the block runs; kill what is left of it.

    What it tells is added to a file of the folder.
    """
    with told_by(folder, began).open("a") as told:
        module = "crash_readers" if isinstance(began, str) else "crash_venue"
        child = subprocess.Popen(
            [sys.executable, "-m", f"tests.integration.{module}", str(folder), str(began)],
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
            cwd=ROOT,
            **options,
        )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()


if __name__ == "__main__":
    main()
