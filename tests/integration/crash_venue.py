"""A venue in a process of its own, to be killed: `python -m tests.integration.crash_venue …`.

It prints its URL when it serves. Before a group is acknowledged, seq and root go into a file: what
the process said of itself, to compare with what comes back. With `snapshots` for a moment of
beginning, the process takes snapshots of such a venue instead.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import structlog
from tests.integration.small_venue import (
    CHAIN_ID,
    CONTRACT,
    GENESIS,
    GENESIS_NS,
    SEQUENCER_KEY,
    fund_and_list,
)

from proofbook.kernel import Kernel
from proofbook.node import Node, NodeSettings, open_node
from proofbook.recovery.errors import RecoveryFault
from proofbook.recovery.snapshotter import SnapshotSettings, keep_taking
from proofbook.sequencer.journal import JournalFault
from proofbook.sequencer.sequencer import Committed

ROOT = Path(__file__).resolve().parents[2]
ROOT_ROW = 8 + 32
EXIT_FAULT = 2
SNAPSHOTS = "snapshots"
SNAPSHOT_EVERY = 20
SNAPSHOTS_KEPT = 3


class WallClock:
    """Genesis was when the test began; every process of it goes on from there."""

    def __init__(self, began_ns: int) -> None:
        self._ahead_ns = GENESIS_NS + 10**9 - began_ns

    def now_ns(self) -> int:
        return time.time_ns() + self._ahead_ns


def open_crash_venue(folder: Path, began_ns: int) -> Node:
    settings = NodeSettings(
        folder / "journal",
        CHAIN_ID,
        CONTRACT,
        SEQUENCER_KEY,
        clock=WallClock(began_ns),
        snapshots=folder / SNAPSHOTS,
    )
    return open_node(settings, Kernel(GENESIS, CHAIN_ID, CONTRACT))


def take_snapshots(folder: Path) -> None:
    """Take snapshots until killed."""
    while not list((folder / "journal").glob("*.journal")):
        time.sleep(0.01)
    settings = SnapshotSettings(
        folder / "journal", folder / SNAPSHOTS, SNAPSHOT_EVERY, SNAPSHOTS_KEPT
    )
    keep_taking(settings, Kernel(GENESIS, CHAIN_ID, CONTRACT), Event())


async def serve(folder: Path, began_ns: int) -> None:
    node = open_crash_venue(folder, began_ns)
    roots = os.open(folder / "roots", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(committed: Committed) -> None:
        os.write(roots, committed.last_seq.to_bytes(8, "big") + node.engine.root())

    node.sequencer.subscribe(note)
    running = asyncio.create_task(node.run())
    if node.models.seq == 0:
        await fund_and_list(node)
    print(node.websocket_url, flush=True)
    await running


def main() -> None:
    # Standard output is for the URL alone.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    folder, began = Path(sys.argv[1]), sys.argv[2]
    try:
        if began == SNAPSHOTS:
            take_snapshots(folder)
        else:
            asyncio.run(serve(folder, int(began)))
    except* (JournalFault, RecoveryFault) as faults:
        fault = faults.exceptions[0]
        print(f"{type(fault).__name__}: {fault}", file=sys.stderr)
        sys.exit(EXIT_FAULT)


def noted_roots(folder: Path) -> dict[int, bytes]:
    """Return by seq the roots that the killed processes had noted, torn rows left out."""
    data = (folder / "roots").read_bytes()
    rows = [data[at : at + ROOT_ROW] for at in range(0, len(data) - ROOT_ROW + 1, ROOT_ROW)]
    return {int.from_bytes(row[:8], "big"): row[8:] for row in rows}


@contextlib.contextmanager
def started(folder: Path, began: int | str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run the venue, or what takes its snapshots, while the block runs; kill what is left of it."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.crash_venue", str(folder), str(began)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
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
