"""`proofbook transfer`, `move`, `grant`, `revoke`: between accounts, and who may act for one."""

from typing import Annotated, Any, get_args

import typer

from proofbook.api.actions import ALL_MARKETS
from proofbook.api.schema import ActionName
from proofbook.cli.options import (
    ACCOUNT_MAX,
    DAYS_MAX,
    AccountNumber,
    Amount,
    InstrumentName,
    Secret,
    SessionSlot,
    TokenSymbol,
    Url,
    parse_recipient,
)
from proofbook.cli.orders import require_listed, run, trader_of
from proofbook.cli.output import ReplyPath
from proofbook.client import Client
from proofbook.protocol.genesis import QUOTE_SYMBOL
from proofbook.protocol.limits import NS_PER_DAY, SESSIONS_PER_ACCOUNT

ACTION_NAMES: tuple[ActionName, ...] = get_args(ActionName)

Recipient = Annotated[
    int, typer.Argument(metavar="RECIPIENT", min=1, max=ACCOUNT_MAX, help="Its account number.")
]
Slot = Annotated[
    int, typer.Argument(metavar="SLOT", min=1, max=SESSIONS_PER_ACCOUNT - 1, help="1 to 7.")
]


def transfer(
    recipient: Recipient,
    amount: Annotated[str, typer.Argument(help="Whole tokens.")],
    url: Url,
    account: AccountNumber,
    key: Secret,
    token: TokenSymbol = QUOTE_SYMBOL,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Move money to another account."""

    async def act(client: Client) -> Any:
        return await trader_of(client, key, account, session).transfer(recipient, amount, token)

    run(url, json_path, act, lambda _: f"{amount} {token} moved to account {recipient}")


def move(
    recipient: Recipient,
    instrument: InstrumentName,
    amount: Amount,
    url: Url,
    account: AccountNumber,
    key: Secret,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Move a position, or part of one, to another account of its owner, at the mark."""

    async def act(client: Client) -> Any:
        require_listed(client, instrument)
        trader = trader_of(client, key, account, session)
        return await trader.position_transfer(recipient, instrument, amount)

    run(url, json_path, act, lambda _: f"{amount} {instrument} moved to account {recipient}")


def grant(
    slot: Slot,
    holder: Annotated[
        bytes,
        typer.Argument(parser=parse_recipient, metavar="ADDRESS", help="Whose key may act."),
    ],
    url: Url,
    account: AccountNumber,
    key: Secret,
    actions: Annotated[
        str, typer.Option(help=f"Some of {','.join(ACTION_NAMES)}.")
    ] = "place,cancel",
    cap: Annotated[
        str, typer.Option(help="Value of all orders together, USDC; 0: no bound.")
    ] = "0",
    markets: Annotated[
        int, typer.Option(min=0, max=int(ALL_MARKETS), help="Bit n for underlying n.")
    ] = int(ALL_MARKETS),
    days: Annotated[int, typer.Option(min=1, max=DAYS_MAX, help="How long.")] = 30,
    json_path: ReplyPath = "",
) -> None:
    """Let a key act for the account, within a scope; it never withdraws."""
    names = parse_actions(actions)

    async def act(client: Client) -> Any:
        expires_ns = client.now_ns() + days * NS_PER_DAY
        trader = trader_of(client, key, account)
        return await trader.grant_session(
            slot, holder, names, expires_ns, markets=markets, notional_cap=cap
        )

    run(url, json_path, act, lambda _: f"session {slot} of 0x{holder.hex()} granted")


def revoke(
    slot: Slot,
    url: Url,
    account: AccountNumber,
    key: Secret,
    json_path: ReplyPath = "",
) -> None:
    """End a session of the account."""

    async def act(client: Client) -> Any:
        return await trader_of(client, key, account).revoke_session(slot)

    run(url, json_path, act, lambda _: f"session {slot} revoked")


def parse_actions(text: str) -> list[ActionName]:
    """Return the actions that a list with commas names. Raises typer.BadParameter."""
    wanted = text.split(",")
    if unknown := [name for name in wanted if name not in ACTION_NAMES]:
        raise typer.BadParameter(f"{unknown[0]!r} is no action: {', '.join(ACTION_NAMES)}")
    return [name for name in ACTION_NAMES if name in wanted]
