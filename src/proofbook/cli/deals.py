"""`proofbook offer`, `accept`, `combo`: trades of several legs."""

from typing import Annotated

import msgspec
import typer

from proofbook.api.actions import ComboLegRow, ComboReply, DealLeg, DealReply, Offer
from proofbook.cli.options import (
    ACCOUNT_MAX,
    ROWS_FORM,
    AccountNumber,
    Secret,
    SessionSlot,
    Url,
    parse_rows,
)
from proofbook.cli.orders import require_listed, run, trader_of
from proofbook.cli.output import ReplyPath, read_json
from proofbook.client import Client
from proofbook.protocol.limits import COMBO_LEGS_MIN, LEGS_MAX, NS_PER_SECOND

MINUTES_MAX = 7 * 24 * 60
NS_PER_MINUTE = 60 * NS_PER_SECOND


def offer(
    legs: Annotated[
        list[str],
        typer.Argument(
            metavar=ROWS_FORM,
            help="Up to four legs; buy: the taker buys.",
        ),
    ],
    url: Url,
    account: AccountNumber,
    key: Secret,
    taker: Annotated[
        int, typer.Option(min=0, max=ACCOUNT_MAX, help="Who may accept; 0: whoever comes first.")
    ] = 0,
    minutes: Annotated[int, typer.Option(min=1, max=MINUTES_MAX, help="How long it holds.")] = 5,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Sign a quote for another trader, who accepts it as a whole; nothing is sent."""
    rows = [
        DealLeg(instrument=instrument, side=side, price=price, amount=amount)
        for instrument, side, price, amount in parse_rows(legs, "leg", LEGS_MAX)
    ]

    async def act(client: Client) -> Offer:
        for row in rows:
            require_listed(client, row.instrument)
        expires_ns = client.now_ns() + minutes * NS_PER_MINUTE
        trader = trader_of(client, key, account, session)
        return trader.offer(rows, taker=taker, expires_ns=expires_ns)

    run(url, json_path, act, lambda signed: msgspec.json.encode(signed).decode())


def accept(
    path: Annotated[str, typer.Argument(metavar="FILE", help="The offer; - for standard input.")],
    url: Url,
    account: AccountNumber,
    key: Secret,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Accept another trader's offer: all legs or none."""
    signed = read_json(path, Offer, "offer")

    async def act(client: Client) -> DealReply:
        for leg in signed.legs:
            require_listed(client, leg.instrument)
        return await trader_of(client, key, account, session).accept(signed)

    run(url, json_path, act, show_deal)


def combo(
    legs: Annotated[
        list[str],
        typer.Argument(metavar="INSTRUMENT=RATIO ...", help="Two to four legs; below 0: sold."),
    ],
    url: Url,
    account: AccountNumber,
    key: Secret,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Open the book of a combo, which then trades like any instrument."""
    rows = parse_combo(legs)

    async def act(client: Client) -> ComboReply:
        for row in rows:
            require_listed(client, row.instrument)
        return await trader_of(client, key, account, session).create_combo(rows)

    run(url, json_path, act, lambda reply: reply.instrument)


def parse_combo(words: list[str]) -> list[ComboLegRow]:
    """Return legs written INSTRUMENT=RATIO. Raises typer.BadParameter."""
    if not COMBO_LEGS_MIN <= len(words) <= LEGS_MAX:
        raise typer.BadParameter(f"{len(words)} legs, from {COMBO_LEGS_MIN} to {LEGS_MAX}")
    rows: list[ComboLegRow] = []
    for word in words:
        instrument, _, ratio = word.partition("=")
        if not (ratio.isascii() and ratio.removeprefix("-").isdecimal()):
            raise typer.BadParameter(f"{word!r} is no leg: INSTRUMENT=RATIO, as in BTC-PERP=-1")
        rows.append(ComboLegRow(instrument=instrument, ratio=int(ratio)))
    return rows


def show_deal(reply: DealReply) -> str:
    """Return a line for each leg."""
    lines = [f"seq {reply.receipt.seq}"]
    lines += [
        f"{fill.side} {fill.amount} {fill.instrument} at {fill.price}, fee {fill.fee}"
        for fill in reply.fills
    ]
    return "\n".join(lines)
