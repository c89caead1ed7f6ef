"""`proofbook sales`, `buy-collateral`, `buyer`: tokens that pay for debts."""

import asyncio
from typing import Annotated, Any

import typer
from rich.table import Table

from proofbook.api.actions import SubmitReply
from proofbook.api.schema import SaleReply
from proofbook.cli.options import ACCOUNT_MAX, AccountNumber, Secret, SessionSlot, TokenSymbol, Url
from proofbook.cli.orders import run, trader_of
from proofbook.cli.output import ReplyPath
from proofbook.client import Client
from proofbook.liquidity.collateral_buyer import CollateralBuyer

SECONDS_MAX = 86_400.0

PriceMax = Annotated[
    str | None, typer.Option("--limit", help="USDC a token; without it at most the index.")
]


def sales(url: Url, json_path: ReplyPath = "") -> None:
    """List the accounts whose tokens are for sale, to pay their debts."""

    async def act(client: Client) -> Any:
        return await client.sales()

    run(url, json_path, act, sales_table)


def buy_collateral(
    target: Annotated[
        int, typer.Argument(metavar="ACCOUNT", min=1, max=ACCOUNT_MAX, help="Whose token it is.")
    ],
    amount: Annotated[str, typer.Argument(help="Whole tokens; less if that repays the debt.")],
    token: TokenSymbol,
    url: Url,
    account: AccountNumber,
    key: Secret,
    limit: PriceMax = None,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Buy of a token that is for sale, at what it costs now."""

    async def act(client: Client) -> SubmitReply:
        trader = trader_of(client, key, account, session)
        return await trader.buy_collateral(target, amount, token, limit)

    run(url, json_path, act, bought_text)


def buyer(
    url: Url,
    account: AccountNumber,
    key: Secret,
    discount: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Below the index, as a share of it.")
    ] = 0.01,
    share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of the cash, what one purchase may cost.")
    ] = 0.5,
    seconds: Annotated[
        float, typer.Option(min=0.0, max=SECONDS_MAX, help="How long to go on.")
    ] = SECONDS_MAX,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Look at what is for sale once a second until Ctrl-C, and buy what is cheap enough."""

    async def act(client: Client) -> list[SubmitReply]:
        trader = trader_of(client, key, account, session)
        bought: list[SubmitReply] = []
        agent = CollateralBuyer(trader, discount, share, bought.append)
        try:
            async with asyncio.timeout(seconds):
                await agent.run()
        except (TimeoutError, asyncio.CancelledError):
            pass  # the time is over, or Ctrl-C was pressed: what was bought is told
        return bought

    run(url, json_path, act, lambda rows: "\n".join(map(bought_text, rows)) or "nothing bought")


def bought_text(reply: SubmitReply) -> str:
    """Return a line: what was bought, and paid."""
    sold = next(row.fields for row in reply.events if row.event == "COLLATERAL_SOLD")
    return f"seq {reply.receipt.seq}: {sold['amount']} for {sold['paid']} USDC"


def sales_table(rows: list[SaleReply]) -> Table:
    table = Table(title="For sale", title_justify="left")
    for name in ("account", "debt", "token", "amount"):
        table.add_column(name, justify="right")
    for row in rows:
        for token in row.tokens:
            table.add_row(str(row.account), row.debt, token.symbol, token.amount)
    return table
