"""`proofbook snapshots …`: what a start goes on from, taken beside a venue that runs."""

import json
import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
from rich.progress import Progress, TextColumn
from rich.table import Table

from proofbook.chain.errors import ChainFault
from proofbook.chain.rpc import Rpc
from proofbook.cli.output import (
    PlainConsole,
    ReportPath,
    ending_on,
    looked_up,
    publish,
    write_or_exit,
)
from proofbook.cli.verify import parse_address
from proofbook.history.errors import HistoryFault
from proofbook.kernel import Kernel
from proofbook.queries.feeds import NOTICES_KEPT
from proofbook.recovery.derived import KeptMost
from proofbook.recovery.errors import RecoveryFault, SnapshotRefused
from proofbook.recovery.snapshot_file import read_snapshot, snapshot_paths
from proofbook.recovery.snapshotter import SnapshotSettings, keep_taking
from proofbook.sequencer.recall import RECEIPTS_KEPT
from proofbook.verification.chain_reader import ChainReader

FAULTS = (RecoveryFault, HistoryFault, ChainFault, OSError)
"""What ends a command that reads a journal, or what was made of one."""

NICENESS = 10
"""Whoever trades goes first."""

app = typer.Typer(
    no_args_is_help=True,
    help="What a start goes on from, instead of the whole journal.",
    add_completion=False,
)


def parse_folder(text: str | Path) -> Path:
    """Return a folder, which an empty name is none of. Raises typer.BadParameter."""
    if not str(text):
        raise typer.BadParameter("a folder has a name; . is where you are")
    return Path(text)


Folder = Annotated[
    Path,
    typer.Option(
        "--folder", parser=parse_folder, metavar="PATH", help="The folder of the snapshots."
    ),
]
JournalFolder = Annotated[Path, typer.Option("--journal", help="The folder of the journal.")]


@app.command("keep")
def keep(
    rpc: Annotated[str, typer.Option("--rpc", help="URL of the chain, which has the genesis.")],
    contract: Annotated[
        bytes,
        typer.Option(
            "--contract", parser=parse_address, metavar="ADDRESS", help="The Chain contract."
        ),
    ],
    journal: JournalFolder = Path("journal"),
    folder: Folder = Path("snapshots"),
    every: Annotated[int, typer.Option(min=1, help="Entries from one to the next.")] = 100_000,
    kept: Annotated[int, typer.Option(min=1, help="The newest that are kept.")] = 3,
    notices_kept: Annotated[int, typer.Option(min=1, help="Notices in each.")] = NOTICES_KEPT,
    receipts_kept: Annotated[int, typer.Option(min=1, help="Results in each.")] = RECEIPTS_KEPT,
    json_path: ReportPath = "",
) -> None:
    """Follow a journal and take snapshots until Ctrl-C, from the newest that holds good."""
    most = KeptMost(notices_kept, receipts_kept)
    settings = SnapshotSettings(journal, folder, every, kept, most)
    with ending_on(*FAULTS), _progress() as progress:
        with Rpc(rpc) as connection:
            reader = ChainReader(connection, contract)
            engine = Kernel(reader.origin().genesis, reader.chain_id, contract)
        stop = set_by_signals()
        os.nice(NICENESS)
        seq, taken_seq = keep_taking(settings, engine, stop, progress)
    write_or_exit(json.dumps({"seq": seq, "taken_seq": taken_seq}) + "\n", json_path)


@dataclass(frozen=True)
class Row:
    """One file: what it says of itself, or why it is not used."""

    file: str
    bytes: int
    seq: int | None = None
    root: str | None = None
    chain_hash: str | None = None
    venue: str | None = None
    fault: str | None = None


def set_by_signals() -> Event:
    """Return what Ctrl-C and SIGTERM set from now on, instead of ending the program."""
    stop = Event()

    def end(*_: object) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return stop


@app.command("list")
def list_snapshots(folder: Folder = Path("snapshots"), json_path: ReportPath = "") -> None:
    """Show the snapshots of a folder, newest first, each read as a whole and checked."""
    with looked_up(str(folder)):
        if not folder.is_dir():
            raise typer.BadParameter(f"{folder} is no folder")
    with ending_on(*FAULTS):
        rows = [row_of(path) for path in snapshot_paths(folder)]
    publish([asdict(row) for row in rows], json_path, as_table(rows))


def row_of(path: Path) -> Row:
    """Return what a file says of itself, or what is wrong with it."""
    try:
        size = path.stat().st_size
    except OSError as fault:
        return Row(path.name, 0, fault=fault.strerror or str(fault))
    try:
        place = read_snapshot(path).place
    except SnapshotRefused as fault:
        return Row(path.name, size, fault=f"{type(fault).__name__}: {fault.reason}")
    hashes = ("0x" + data.hex() for data in (place.root, place.chain_hash, place.venue))
    return Row(path.name, size, place.seq, *hashes)


def as_table(rows: list[Row]) -> Table:
    """Return files as a table."""
    table = Table()
    for name in ("seq", "bytes", "root", "file"):
        table.add_column(name, justify="right" if name in ("seq", "bytes") else "left")
    for row in rows:
        seq = "" if row.seq is None else f"{row.seq:,}"
        table.add_row(seq, f"{row.bytes:,}", row.fault or row.root or "", row.file)
    return table


@contextmanager
def _progress() -> Generator[Callable[[int, int], None]]:
    console = PlainConsole(stderr=True)
    columns = (TextColumn("entry {task.completed}, a snapshot after {task.fields[taken]}"),)
    is_log = not console.is_terminal  # an empty line in it would be no object
    with Progress(*columns, console=console, transient=True, disable=is_log) as progress:
        task = progress.add_task("snapshots", total=None, taken=0)
        yield lambda seq, taken_seq: progress.update(task, completed=seq, taken=taken_seq)
