"""`proofbook receipts`: hold the sequencer to its word, from the chain alone."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from proofbook.api.convert import from_hex
from proofbook.api.receipt_file import ReceiptFileFault, read_receipts
from proofbook.chain.errors import ChainFault
from proofbook.chain.rpc import Rpc
from proofbook.cli.output import (
    EXIT_FAULT,
    PlainConsole,
    ReportPath,
    console_for,
    say,
    styled,
    write_or_exit,
)
from proofbook.cli.verify import EXIT_LIE, ChainAddress, RpcUrl, parse_address
from proofbook.protocol.commands import Malformed
from proofbook.verification.chain_reader import ChainReader
from proofbook.verification.engines import EngineName
from proofbook.verification.receipts import DataUnreadable, Held, Judged, judge

SHOWN_MAX = 20
"""Broken receipts that are shown one by one; the report has them all."""

app = typer.Typer(no_args_is_help=True, help="Hold the sequencer to its receipts.")


@app.callback()
def _group() -> None:
    """Hold the sequencer to its receipts."""


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Receipts that a client kept.")],
    rpc: RpcUrl,
    contract: ChainAddress,
    sequencer: Annotated[
        bytes | None,
        typer.Option(
            parser=parse_address,
            metavar="ADDRESS",
            help="Who must have signed; by default whom the client trusted.",
        ),
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="Which program replays.")] = EngineName.KERNEL,
    json_path: ReportPath = "",
) -> None:
    """Compare kept receipts with what is on chain: place, order, outcome, time.

    Ends with 0 when every promise was kept or can still be, 1 when one was broken, 2 when that
    cannot be told.
    """
    console = console_for(json_path)
    try:
        held = held_in(file, sequencer)
        with Rpc(rpc) as node:
            judged = judge(ChainReader(node, contract), held, engine)
    except (ReceiptFileFault, ChainFault, DataUnreadable, Malformed) as fault:
        say("cannot tell", fault)
        raise typer.Exit(EXIT_FAULT) from fault
    show(judged, console)
    write_or_exit(msgspec.json.format(msgspec.json.encode(judged)).decode() + "\n", json_path)
    if not all(row.verdict.is_kept for row in judged):
        raise typer.Exit(EXIT_LIE)


def held_in(file: Path, sequencer: bytes | None) -> list[Held]:
    """Return the receipts of a file, and tell which lines are none. Raises ReceiptFileFault."""
    held: list[Held] = []
    found = read_receipts(file)
    if found.unreadable:
        first = found.unreadable[0]
        count = len(found.unreadable)
        words = f"{count} lines that are no receipt; line {first.number}: {first.reason}"
        say("passed over", words)
    for kept in found:
        try:
            signer = sequencer or from_hex(kept.sequencer)
            held.append(Held(kept.parsed(), kept.body(), signer))
        except ValueError as error:
            raise ReceiptFileFault(file, f"receipt of seq {kept.receipt.seq}: {error}") from None
    return held


def show(judged: Sequence[Judged], console: PlainConsole) -> None:
    """Print how many promises were kept, and which were not."""
    counts = Counter(row.verdict for row in judged)
    broken = [row for row in judged if not row.verdict.is_kept]
    if broken:
        table = Table()
        for heading in ("seq", "verdict", "what the chain says"):
            table.add_column(heading)
        for row in broken[:SHOWN_MAX]:
            table.add_row(str(row.seq), styled((str(row.verdict), "bold red")), row.note)
        console.print(table)
    words = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    console.print(f"{len(judged)} receipts: {words or 'none'}")
