"""`proofbook stop`, `cancel-stop`: orders that wait until a price is reached."""

from typing import Annotated, Any, get_args

import typer

from proofbook.api.actions import ConditionName, TriggerReply
from proofbook.cli.options import (
    DAYS_MAX,
    AccountNumber,
    Amount,
    InstrumentName,
    Secret,
    SessionSlot,
    SideWord,
    Url,
    parse_order,
    parse_side,
)
from proofbook.cli.orders import require_listed, run, trader_of
from proofbook.cli.output import ReplyPath
from proofbook.client import Client
from proofbook.protocol.limits import NS_PER_DAY

CONDITION_NAMES: tuple[ConditionName, ...] = get_args(ConditionName)


def stop(
    instrument: InstrumentName,
    side: SideWord,
    price: Annotated[str, typer.Argument(help="USDC per unit, the order's limit.")],
    amount: Amount,
    url: Url,
    account: AccountNumber,
    key: Secret,
    when: Annotated[str, typer.Option(help=f"One of {', '.join(CONDITION_NAMES)}.")],
    at: Annotated[str, typer.Option(help="The price to be reached, USDC per unit.")],
    reduce_only: Annotated[bool, typer.Option("--reduce-only")] = False,
    rest: Annotated[bool, typer.Option("--rest", help="Let rest what is not filled.")] = False,
    days: Annotated[int, typer.Option(min=1, max=DAYS_MAX, help="How long it waits.")] = 30,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Place a stop or take-profit: an order that waits until a price is reached."""
    side_name, condition = parse_side(side), parse_condition(when)

    async def act(client: Client) -> TriggerReply:
        require_listed(client, instrument)
        return await trader_of(client, key, account, session).place_trigger(
            instrument,
            condition,
            at,
            side_name,
            price,
            amount,
            time_in_force="good_till_cancelled" if rest else "immediate_or_cancel",
            reduce_only=reduce_only,
            expires_ns=client.now_ns() + days * NS_PER_DAY,
        )

    run(url, json_path, act, lambda reply: f"waits as trigger {reply.trigger}")


def cancel_stop(
    trigger: Annotated[str, typer.Argument(metavar="TRIGGER", parser=parse_order)],
    url: Url,
    account: AccountNumber,
    key: Secret,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Cancel an order that waits."""

    async def act(client: Client) -> Any:
        return await trader_of(client, key, account, session).cancel_trigger(trigger)

    run(url, json_path, act, lambda _: f"cancelled trigger {trigger}")


def parse_condition(text: str) -> ConditionName:
    """Return a condition. Raises typer.BadParameter."""
    for name in CONDITION_NAMES:
        if name == text:
            return name
    raise typer.BadParameter(f"{text!r} is no condition: {', '.join(CONDITION_NAMES)}")
