"""`proofbook fills`, `orders`, `transactions`, `trades`, `candles`: what happened, from a URL."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from proofbook.api.market import CandlesReply, FillsReply, OrdersReply, TransactionsReply
from proofbook.cli.options import InstrumentName, NumberOfAccount, Url
from proofbook.cli.orders import run
from proofbook.cli.output import ReplyPath
from proofbook.client import Client
from proofbook.protocol.limits import NS_PER_SECOND

Only = Annotated[str | None, typer.Option("--instrument", help="Only of this one, as BTC-PERP.")]
RowsMax = Annotated[int, typer.Option("--count", min=1, max=1000, help="At most, newest first.")]
Before = Annotated[
    int | None, typer.Option("--before-seq", min=1, help="Only what is older: the next page.")
]
TIMES = ("window_ns", "start_ns")


def fills(
    number: NumberOfAccount, url: Url, instrument: Only = None, count: RowsMax = 100,
    before_seq: Before = None, json_path: ReplyPath = "",
) -> None:  # fmt: skip
    """Show what an account traded, with role, fee and counterparty."""
    which = chosen(count, instrument=instrument, before_seq=before_seq)

    async def act(client: Client) -> FillsReply:
        return await client.fills(number, **which)

    columns = ("seq", "window_ns", "instrument", "side", "price", "amount", "fee", "role")
    run(url, json_path, act, lambda reply: rows_table(reply.fills, columns))


def orders(
    number: NumberOfAccount, url: Url, instrument: Only = None, count: RowsMax = 100,
    before_seq: Before = None, json_path: ReplyPath = "",
) -> None:  # fmt: skip
    """Show orders of an account that came to rest: what was filled, and how they ended."""
    which = chosen(count, instrument=instrument, before_seq=before_seq)

    async def act(client: Client) -> OrdersReply:
        return await client.orders(number, **which)

    columns = ("order", "window_ns", "instrument", "side", "price", "amount", "filled", "removal")
    run(url, json_path, act, lambda reply: rows_table(reply.orders, columns))


def transactions(
    number: NumberOfAccount, url: Url, count: RowsMax = 100, before_seq: Before = None,
    json_path: ReplyPath = "",
) -> None:  # fmt: skip
    """Show every change of an account's balances; they add up to the balance."""
    which = chosen(count, before_seq=before_seq)

    async def act(client: Client) -> TransactionsReply:
        return await client.transactions(number, **which)

    columns = ("seq", "window_ns", "kind", "token", "amount", "balance")
    run(url, json_path, act, lambda reply: rows_table(reply.transactions, columns))


def trades(
    instrument: InstrumentName, url: Url, count: RowsMax = 100, json_path: ReplyPath = ""
) -> None:
    """Show the last trades of an instrument."""

    async def act(client: Client) -> Any:
        return await client.trades(instrument, count)

    columns = ("seq", "window_ns", "side", "price", "amount")
    run(url, json_path, act, lambda rows: rows_table(rows, columns))


def candles(
    instrument: InstrumentName, url: Url,
    period: Annotated[str, typer.Option(metavar="minute|hour|day")] = "minute",
    count: RowsMax = 100, json_path: ReplyPath = "",
) -> None:  # fmt: skip
    """Show candles of an instrument; a period in which nothing was traded has none."""
    if period not in ("minute", "hour", "day"):
        raise typer.BadParameter(f"{period!r} is no period: minute, hour or day")

    async def act(client: Client) -> CandlesReply:
        return await client.candles(instrument, period, count=count)

    columns = ("start_ns", "open", "high", "low", "close", "amount", "trades")
    run(url, json_path, act, lambda reply: rows_table(reply.candles, columns))


def chosen(count: int, **which: Any) -> dict[str, Any]:
    """Return what was asked for, without what was not."""
    return {"count": count} | {name: value for name, value in which.items() if value is not None}


def rows_table(rows: Sequence[msgspec.Struct], columns: Sequence[str]) -> Table:
    """Return rows as a table, times in UTC."""
    table = Table(title=f"{len(rows)} rows, newest first", title_justify="left")
    for column in columns:
        table.add_column("UTC" if column in TIMES else column, justify="right")
    for row in rows:
        table.add_row(*(cell(row, column) for column in columns))
    return table


def cell(row: msgspec.Struct, column: str) -> str:
    value = getattr(row, column)
    if column in TIMES:
        moment = datetime.fromtimestamp(int(value) // NS_PER_SECOND, UTC)
        return moment.strftime("%Y-%m-%d %H:%M:%S")
    return "" if value is None else str(value)
