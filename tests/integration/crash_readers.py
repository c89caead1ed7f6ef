"""Who reads a venue's journal, to be killed: `python -m tests.integration.crash_readers …`.

Its arguments: the folder of a venue that is on a chain, and `snapshots` or `history`.
"""

import sys
import time
from functools import partial
from pathlib import Path
from threading import Event

import structlog

from proofbook.history.database import Identity
from proofbook.history.projector import Projector, follow
from proofbook.history.setting import open_database
from proofbook.kernel import Kernel
from proofbook.recovery.recover import restore_beside
from proofbook.recovery.snapshotter import SnapshotSettings, keep_taking

SNAPSHOTS, HISTORY = "snapshots", "history"
CHAIN, DATABASE = "chain", "history.db"
SNAPSHOT_EVERY = 20
SNAPSHOTS_KEPT = 3
CHAIN_ID = 31337
Origin = tuple[bytes, int, bytes]


def origin_of(folder: Path) -> Origin:
    """Return genesis, chain id and contract of a venue that is on a chain."""
    _, genesis, contract = (folder / CHAIN).read_text().split()
    return bytes.fromhex(genesis), CHAIN_ID, bytes.fromhex(contract)


def take_snapshots(folder: Path) -> None:
    """Take snapshots until killed."""
    await_journal(folder)
    settings = SnapshotSettings(
        folder / "journal", folder / SNAPSHOTS, SNAPSHOT_EVERY, SNAPSHOTS_KEPT
    )
    keep_taking(settings, Kernel(*origin_of(folder)), Event())


def write_history(folder: Path) -> None:
    """Write the history until killed."""
    await_journal(folder)
    setting = str(folder / DATABASE)
    follow(projector_of(folder), partial(open_database, setting), Event())


def projector_of(folder: Path) -> Projector:
    """Return who writes the history of a folder's venue, from a snapshot on if there is one."""
    journal = folder / "journal"
    restore = partial(restore_beside, journal, folder / SNAPSHOTS)
    return Projector(journal, Identity(*origin_of(folder)), Kernel, restore)


def await_journal(folder: Path) -> None:
    while not list((folder / "journal").glob("*.journal")):
        time.sleep(0.01)


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    folder, kind = Path(sys.argv[1]), sys.argv[2]
    {SNAPSHOTS: take_snapshots, HISTORY: write_history}[kind](folder)


if __name__ == "__main__":
    main()
