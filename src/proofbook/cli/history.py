"""`proofbook history …`: the journal as tables, kept up, written anew, asked and exported."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TextColumn

from proofbook.chain.rpc import Rpc
from proofbook.cli.demo import quiet_logs
from proofbook.cli.output import (
    STANDARD_OUTPUT,
    PlainConsole,
    ReplyPath,
    as_json,
    ending_on,
    write_or_exit,
)
from proofbook.cli.snapshots import FAULTS, parse_folder, set_by_signals
from proofbook.cli.verify import parse_address
from proofbook.history.database import Identity
from proofbook.history.errors import QuestionRefused
from proofbook.history.projector import Projector, at_genesis, catch_up, follow
from proofbook.history.questions import COLUMNS, Question, ask
from proofbook.history.setting import open_database
from proofbook.history.tables import Kind
from proofbook.protocol.engine import Engine
from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.recovery.recover import restore_beside
from proofbook.verification.chain_reader import ChainReader
from proofbook.verification.engines import EngineName, make_engine

app = typer.Typer(
    no_args_is_help=True,
    help="The journal as tables in SQLite or PostgreSQL.",
    add_completion=False,
)

Setting = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="PROOFBOOK_HISTORY",
        help="A file for SQLite, or postgresql://user@host/database.",
    ),
]
JournalFolder = Annotated[
    Path,
    typer.Option("--journal", envvar="PROOFBOOK_JOURNAL", help="The folder of the journal."),
]
RpcUrl = Annotated[
    str,
    typer.Option(
        "--rpc", envvar="PROOFBOOK_RPC", help="URL of the chain; only for a history that is new."
    ),
]
Contract = Annotated[
    bytes | None,
    typer.Option(
        "--contract",
        envvar="PROOFBOOK_CONTRACT",
        parser=parse_address,
        metavar="ADDRESS",
        help="The Chain contract.",
    ),
]
Snapshots = Annotated[
    Path | None,
    typer.Option(
        "--snapshots",
        parser=parse_folder,
        metavar="PATH",
        help="The folder of the venue's snapshots, to come back without the whole journal.",
    ),
]
Account = Annotated[int | None, typer.Option(min=0, help="Only this account.")]
Since = Annotated[str, typer.Option("--from", help="From this moment on: ISO 8601 or ns.")]
Until = Annotated[str, typer.Option("--to", help="Before this moment: ISO 8601 or ns.")]
Instrument = Annotated[int | None, typer.Option(min=0, help="Only this instrument, by number.")]
RowsMax = Annotated[int, typer.Option("--limit", help="The most rows, newest first.")]
BeforeSeq = Annotated[int | None, typer.Option(help="Only what is older: the next page.")]


@app.command("follow")
def follow_command(
    journal: JournalFolder, database: Setting, rpc: RpcUrl = "", contract: Contract = None,
    snapshots: Snapshots = None, json_path: ReplyPath = "",
) -> None:  # fmt: skip
    """Keep a history up with a journal until Ctrl-C, from wherever it stands."""
    quiet_logs()
    stop = set_by_signals()
    with ending_on(*FAULTS), _progress() as progress:
        identity = _identity(database, rpc, contract)
        restore = at_genesis if snapshots is None else partial(restore_beside, journal, snapshots)
        projector = Projector(journal, identity, _engine, restore)
        try:
            follow(projector, lambda: open_database(database), stop, progress)
        finally:
            projector.close()
        write_or_exit(as_json({"seq": projector.seq}), json_path)


@app.command("rebuild")
def rebuild(
    journal: JournalFolder, database: Setting, rpc: RpcUrl = "", contract: Contract = None,
    json_path: ReplyPath = "",
) -> None:  # fmt: skip
    """Forget a history's rows and write them anew from the journal."""
    with ending_on(*FAULTS), _progress() as progress:
        identity = _identity(database, rpc, contract)
        projector = Projector(journal, identity, _engine)
        try:
            with open_database(database) as opened:
                opened.reset()
                seq = catch_up(projector, opened, progress)
        finally:
            projector.close()
    PlainConsole(stderr=True).print(f"rebuilt: {seq} entries")
    write_or_exit(as_json({"seq": seq}), json_path)


@app.command("export")
def export(
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The Parquet file to write.")],
    database: Setting,
    table: Annotated[str, typer.Option(help="Which table.")],
    account: Account = None,
    since: Since = "",
    until: Until = "",
    json_path: ReplyPath = "",
) -> None:
    """Write rows of a table as Parquet, whole numbers exact."""
    from proofbook.history.export import export_table

    question = Question(account, None, parse_moment(since), parse_moment(until))
    with ending_on(*FAULTS), open_database(database, must_exist=True) as opened:
        count = export_table(opened, table, question, target)
    PlainConsole(stderr=True).print(f"{count} rows of {table} in {target}")
    write_or_exit(as_json({"table": table, "rows": count, "file": str(target)}), json_path)


@app.command("fills")
def fills(
    database: Setting, account: Account = None, instrument: Instrument = None,
    since: Since = "", until: Until = "", rows_max: RowsMax = 100,
    before_seq: BeforeSeq = None, json_path: ReplyPath = STANDARD_OUTPUT,
) -> None:  # fmt: skip
    """Show fills, newest first: one row for the buyer and one for the seller of each."""
    question = Question(account, instrument, parse_moment(since), parse_moment(until), before_seq)
    _show(database, "fills", question, rows_max, json_path)


@app.command("orders")
def orders(
    database: Setting, account: Account = None, instrument: Instrument = None,
    since: Since = "", until: Until = "", rows_max: RowsMax = 100,
    before_seq: BeforeSeq = None, json_path: ReplyPath = STANDARD_OUTPUT,
) -> None:  # fmt: skip
    """Show orders that came to rest, newest first: what was filled and how they ended."""
    question = Question(account, instrument, parse_moment(since), parse_moment(until), before_seq)
    _show(database, "orders", question, rows_max, json_path)


@app.command("transactions")
def transactions(
    database: Setting, account: Account = None, since: Since = "", until: Until = "",
    rows_max: RowsMax = 100, before_seq: BeforeSeq = None, json_path: ReplyPath = STANDARD_OUTPUT,
) -> None:  # fmt: skip
    """Show what changed an account's balances and why, newest first."""
    question = Question(account, None, parse_moment(since), parse_moment(until), before_seq)
    _show(database, "transactions", question, rows_max, json_path)


@app.command("candles")
def candles(
    database: Setting, instrument: Instrument = None, since: Since = "", until: Until = "",
    period: Annotated[str, typer.Option(help="minute, hour or day.")] = "hour",
    rows_max: RowsMax = 100, json_path: ReplyPath = STANDARD_OUTPUT,
) -> None:  # fmt: skip
    """Show open, high, low and close of an instrument's trades, newest first."""
    question = Question(None, instrument, parse_moment(since), parse_moment(until))
    _show(database, f"candles_{period}", question, rows_max, json_path)


def parse_moment(text: str) -> int | None:
    """Return nanoseconds since the Unix epoch, None for no text. Raises typer.BadParameter."""
    if not text:
        return None
    if text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither ISO 8601 nor nanoseconds") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000) * (NS_PER_SECOND // 1_000_000)


def _engine(genesis: bytes, chain_id: int, contract: bytes) -> Engine:
    return make_engine(EngineName.KERNEL, genesis, chain_id, contract)


def _identity(database: str, rpc: str, contract: bytes | None) -> Identity:
    """Return the venue that the history names, or for a new one the venue on the chain."""
    with open_database(database) as opened:
        known = opened.identity()
    if known is not None:
        return known
    if not rpc or contract is None:
        raise QuestionRefused("the history is new: --rpc and --contract say of which venue")
    with Rpc(rpc) as connection:
        reader = ChainReader(connection, contract)
        return Identity(reader.origin().genesis, reader.chain_id, contract)


def _show(database: str, name: str, question: Question, rows_max: int, json_path: str) -> None:
    with ending_on(*FAULTS), open_database(database, must_exist=True) as opened:
        rows = ask(opened, name, question, rows_max)
    columns = COLUMNS[name]
    shown = [
        {
            column: str(value) if kind is Kind.EXACT and value is not None else value
            for (column, kind), value in zip(columns.items(), row, strict=True)
        }
        for row in rows
    ]
    write_or_exit(json.dumps(shown, indent=2) + "\n", json_path)


@contextmanager
def _progress() -> Generator[Callable[[int], None]]:
    console = PlainConsole(stderr=True)
    columns = (TextColumn("entry {task.completed} is in the history"),)
    is_log = not console.is_terminal  # an empty line in it would be no object
    with Progress(*columns, console=console, transient=True, disable=is_log) as progress:
        task = progress.add_task("history", total=None)
        yield lambda seq: progress.update(task, completed=seq)
