"""`proofbook limits`: how often one may ask and act, and what is left of it."""

from typing import Annotated

import typer
from rich.table import Table

from proofbook.api.rates import RateLimitsReply
from proofbook.cli.options import ACCOUNT_MAX, SessionSlot, Url
from proofbook.cli.orders import run
from proofbook.cli.output import ReplyPath


def limits(
    url: Url,
    account: Annotated[
        int | None,
        typer.Option("--account", min=1, max=ACCOUNT_MAX, help="Whose key; without: limits alone."),
    ] = None,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Show how often a connection may ask and a key may act, and what is left."""
    run(url, json_path, lambda client: client.rate_limits(account, session), limits_table)


def limits_table(reply: RateLimitsReply) -> Table | str:
    if not reply.connection:
        return "this venue limits nobody"
    table = Table()
    for heading in ("of", "tokens", "a second", "at once", "left"):
        table.add_column(heading, justify="left" if heading in ("of", "tokens") else "right")
    for whose, rows in (("connection", reply.connection), ("key", reply.key)):
        for row in rows:
            numbers = (f"{row.per_second:,}", f"{row.burst:,}")
            left = "" if row.left is None else f"{row.left:,}"
            table.add_row(whose, row.name, *numbers, left)
    return table
