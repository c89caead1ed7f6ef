"""`proofbook quote`, `protect`, `thaw`, `dead-man`: a market maker's commands."""

from typing import Annotated, Any

import typer

from proofbook.api.actions import QuoteReply, QuoteRow
from proofbook.cli.options import (
    ROWS_FORM,
    SLIDE_HELP,
    AccountNumber,
    Secret,
    SessionSlot,
    Url,
    parse_rows,
)
from proofbook.cli.orders import require_listed, run, trader_of
from proofbook.cli.output import ReplyPath
from proofbook.client import Client
from proofbook.protocol.limits import (
    DEAD_MAN_AHEAD_MAX_NS,
    NS_PER_SECOND,
    PROTECTION_INTERVAL_MAX_NS,
    PROTECTIONS_PER_ACCOUNT,
    QUOTES_PER_BATCH_MAX,
)

INTERVAL_SECONDS_MAX = PROTECTION_INTERVAL_MAX_NS // NS_PER_SECOND
DEAD_MAN_SECONDS_MAX = DEAD_MAN_AHEAD_MAX_NS // NS_PER_SECOND
FROZEN_SECONDS_MAX = 10**9

Protection = Annotated[
    int, typer.Argument(metavar="PROTECTION", min=1, max=PROTECTIONS_PER_ACCOUNT, help="1 to 4.")
]


def quote(
    quotes: Annotated[
        list[str],
        typer.Argument(
            metavar=ROWS_FORM,
            help="Up to 32, each in place of the old one of its side; amount 0: none.",
        ),
    ],
    url: Url,
    account: AccountNumber,
    key: Secret,
    protection: Annotated[
        int,
        typer.Option(min=0, max=PROTECTIONS_PER_ACCOUNT, help="Which ends them; 0: none."),
    ] = 0,
    slide: Annotated[bool, typer.Option("--slide", help=SLIDE_HELP)] = False,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Replace quotes under one signature; they rest, and never trade on arrival."""
    rows = [
        QuoteRow(instrument=instrument, side=side, price=price, amount=amount)
        for instrument, side, price, amount in parse_rows(quotes, "quote", QUOTES_PER_BATCH_MAX)
    ]

    async def act(client: Client) -> QuoteReply:
        for row in rows:
            require_listed(client, row.instrument)
        trader = trader_of(client, key, account, session)
        return await trader.quote(rows, protection=protection, slide=slide)

    run(url, json_path, act, show_quoted)


def protect(
    protection: Protection,
    limit: Annotated[str, typer.Argument(help="Units of the underlying, of all together.")],
    url: Url,
    account: AccountNumber,
    key: Secret,
    interval: Annotated[
        int, typer.Option(min=1, max=INTERVAL_SECONDS_MAX, help="Seconds to count in.")
    ] = 1,
    frozen: Annotated[
        int,
        typer.Option(
            min=0, max=FROZEN_SECONDS_MAX, help="Seconds without quotes after; 0: until thaw."
        ),
    ] = 0,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """End all quotes under a protection once they have traded so much."""

    async def act(client: Client) -> Any:
        return await trader_of(client, key, account, session).set_protection(
            protection, limit, interval * NS_PER_SECOND, frozen * NS_PER_SECOND
        )

    run(url, json_path, act, lambda _: f"protection {protection}: {limit} within {interval} s")


def thaw(
    protection: Protection,
    url: Url,
    account: AccountNumber,
    key: Secret,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Take quotes under a protection again, its count at zero."""

    async def act(client: Client) -> Any:
        return await trader_of(client, key, account, session).reset_protection(protection)

    run(url, json_path, act, lambda _: f"protection {protection} takes quotes")


def dead_man(
    seconds: Annotated[int, typer.Argument(min=0, max=DEAD_MAN_SECONDS_MAX, help="0: never.")],
    url: Url,
    account: AccountNumber,
    key: Secret,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """End every order of the account so many seconds from now, unless this is sent again."""

    async def act(client: Client) -> Any:
        deadline_ns = client.now_ns() + seconds * NS_PER_SECOND if seconds else 0
        return await trader_of(client, key, account, session).set_dead_man(deadline_ns)

    when = f"end in {seconds} s" if seconds else "have no deadline"
    run(url, json_path, act, lambda _: f"the orders of account {account} {when}")


def show_quoted(reply: QuoteReply) -> str:
    """Return a line for each quote: its order, or why it does not rest."""
    lines = [f"seq {reply.receipt.seq}"]
    for row in reply.quotes:
        rested = "taken out" if row.order is None else f"rests at {row.price} as order {row.order}"
        outcome = rested if row.refused is None else f"refused: {row.refused}"
        lines.append(f"{row.instrument} {row.side}: {outcome}")
    return "\n".join(lines)
