"""`proofbook tx`: an order's or entry's way from its receipt to a final root."""

import asyncio
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.progress import Progress, TextColumn
from rich.table import Table

from proofbook.api.convert import hex_text
from proofbook.api.receipts import Receipt
from proofbook.chain.errors import ChainFault
from proofbook.chain.rpc import Rpc
from proofbook.cli.output import (
    EXIT_FAULT,
    PlainConsole,
    ReplyPath,
    as_json,
    console_for,
    say,
    write_or_exit,
)
from proofbook.cli.verify import ChainAddress, RpcUrl
from proofbook.client import (
    AnswerInvalid,
    ApiError,
    ConnectionLost,
    ReceiptInvalid,
    VenueDiffers,
    connect,
)
from proofbook.protocol.commands import Malformed
from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.verification.chain_reader import ChainReader
from proofbook.verification.engines import EngineName
from proofbook.verification.journey import Journey, NotOnChain, trace
from proofbook.verification.receipts import DataUnreadable

EXIT_LIE, EXIT_NOT_FOUND = 1, 1
ANSWERS_BAD = (AnswerInvalid, ApiError, ConnectionLost, ReceiptInvalid, VenueDiffers)

app = typer.Typer(no_args_is_help=True, help="What became of an order or an entry.")


@app.callback()
def _group() -> None:
    """What became of an order or an entry."""


@dataclass(frozen=True)
class Promised:
    """What the venue's receipt says; `is_kept` whether the chain holds the same, None before."""

    received_ns: int
    include_by_ns: int
    outcome: str
    entry_hash: str
    is_kept: bool | None


@app.command("show")
def show(
    rpc: RpcUrl,
    contract: ChainAddress,
    seq: Annotated[int, typer.Argument(metavar="[SEQ]", min=0, help="Of the receipt.")] = 0,
    order: Annotated[int, typer.Option(min=0, help="The number of an order that rested.")] = 0,
    url: Annotated[
        str, typer.Option(envvar="PROOFBOOK_URL", help="WebSocket of the venue, for the receipt.")
    ] = "",
    engine: Annotated[EngineName, typer.Option(help="Which program replays.")] = EngineName.KERNEL,
    json_path: ReplyPath = "",
) -> None:
    """Show receipt, place, append, outcome, claimed root and finality of one entry.

    All but the receipt is read off the chain and executed again. Ends with 1 when it is nowhere, or
    when the chain has another entry than was receipted; 2 when that cannot be told.
    """
    if bool(seq) == bool(order):
        raise typer.BadParameter("give SEQ or --order, one of them")
    console = console_for(json_path)
    try:
        journey = find(rpc, contract, engine, seq, order, console)
        number = seq if journey is None else journey.seq
        receipt = asyncio.run(ask(url, number, contract)) if url and number else None
    except (ChainFault, DataUnreadable, Malformed, *ANSWERS_BAD) as fault:
        say("cannot tell", fault)
        raise typer.Exit(EXIT_FAULT) from fault
    if journey is None and receipt is None:
        say("not found", f"neither the chain nor the venue knows {order or seq}")
        raise typer.Exit(EXIT_NOT_FOUND)
    promised = None if receipt is None else promise_of(receipt, journey)
    console.print(table(number, promised, journey))
    found = {
        "seq": number,
        "receipt": None if promised is None else asdict(promised),
        "entry": None if journey is None else asdict(journey),
    }
    write_or_exit(as_json(found), json_path)
    if promised is not None and promised.is_kept is False:
        raise typer.Exit(EXIT_LIE)


def find(
    url: str, contract: bytes, engine: EngineName, seq: int, order: int, console: PlainConsole
) -> Journey | None:
    """Return what the chain says, None if it does not hold the entry."""
    columns = (TextColumn("replaying entry {task.completed}"),)
    with Rpc(url) as rpc, Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("replay", total=None)
        try:
            reader = ChainReader(rpc, contract)
            return trace(reader, engine, seq, order, lambda n: progress.update(task, completed=n))
        except NotOnChain:
            return None


async def ask(url: str, seq: int, contract: bytes) -> Receipt | None:
    """Return the receipt that the venue keeps, None if it keeps none any more."""
    async with await connect(url, contract=contract) as client:
        try:
            return await client.receipt(seq)
        except ApiError as refusal:
            if refusal.reason != "RECEIPT_NOT_KEPT":
                raise
            return None


def promise_of(receipt: Receipt, journey: Journey | None) -> Promised:
    """Return a receipt, held against the chain."""
    hashed, outcome = hex_text(receipt.entry_hash), receipt.outcome.name
    is_kept = None
    if journey is not None:
        is_kept = (hashed, outcome) == (journey.entry_hash, journey.outcome)
    return Promised(receipt.received_ns, receipt.include_by_ns, outcome, hashed, is_kept)


def table(seq: int, promised: Promised | None, journey: Journey | None) -> Table:
    """Return a row for each stage of an entry's way."""
    shown = Table(title=f"entry {seq}", title_justify="left", show_header=False)
    for stage, words in (*receipt_rows(promised), *chain_rows(journey)):
        shown.add_row(stage, words)
    return shown


def receipt_rows(promised: Promised | None) -> list[tuple[str, str]]:
    if promised is None:
        return [("receipt", "not asked for, or kept no more")]
    words = {True: "the chain holds the same", False: "BROKEN: the chain has another", None: ""}
    rows = [
        ("receipt", f"{moment(promised.received_ns)}, {promised.outcome}"),
        ("", f"entry {promised.entry_hash}"),
    ]
    if promised.include_by_ns:
        rows.append(("", f"promised on chain by {moment(promised.include_by_ns)}"))
    return [*rows, ("", words[promised.is_kept])] if words[promised.is_kept] else rows


def chain_rows(journey: Journey | None) -> list[tuple[str, str]]:
    if journey is None:
        return [("append", "not on chain yet")]
    rows = [
        ("entry", f"{journey.command} in the window of {moment(journey.window_ns)}"),
        ("append", f"{journey.append}, transaction {journey.transaction}"),
        ("outcome", f"{journey.outcome}, executed again"),
    ]
    rows += [("", event["event"]) for event in journey.events]
    if journey.claim is None:
        return [*rows, ("root", "not claimed yet")]
    rows.append(("root", f"{journey.root}, claim {journey.claim}"))
    assert journey.final_at is not None, "a claim has a time"
    when = moment(journey.final_at * NS_PER_SECOND)
    return [*rows, ("final", f"since {when}" if journey.is_final else f"not before {when}")]


def moment(time_ns: int) -> str:
    """Return a moment for people."""
    return datetime.fromtimestamp(time_ns // NS_PER_SECOND, UTC).isoformat()
