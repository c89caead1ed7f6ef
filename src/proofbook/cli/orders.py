"""`proofbook order`, `cancel`, `withdraw`, `book`, `account`, `positions` …: against a URL."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import typer
from rich.console import Group
from rich.table import Table

from proofbook.api.actions import PlaceReply, TimeInForceName
from proofbook.api.display import OffStep, OutOfRange
from proofbook.api.errors import ApiError
from proofbook.api.receipt_file import ReceiptFileFault
from proofbook.api.schema import (
    AccountReply,
    BookReply,
    PositionReply,
    SessionReply,
)
from proofbook.api.signing import ADDRESS_BYTES
from proofbook.cli.options import (
    SLIDE_HELP,
    AccountNumber,
    Amount,
    InstrumentName,
    NumberOfAccount,
    Secret,
    SessionSlot,
    SideWord,
    TokenSymbol,
    Url,
    parse_hex,
    parse_order,
    parse_recipient,
    parse_side,
)
from proofbook.cli.output import EXIT_FAULT, PlainConsole, ReplyPath, as_json, publish_text, say
from proofbook.client import (
    AnswerInvalid,
    Client,
    ConnectionLost,
    Key,
    NotEncodable,
    OutcomeUnknown,
    ReceiptInvalid,
    TokenUnknown,
    Trader,
    VenueDiffers,
    connect,
)
from proofbook.client.errors import NotPublishable
from proofbook.protocol.genesis import QUOTE_SYMBOL
from proofbook.settlement.errors import DevelopmentKeyRefused
from proofbook.settlement.transactions import DEVELOPMENT_CHAIN_ID, DEVELOPMENT_KEYS

Reply = TypeVar("Reply")

EXIT_REFUSED = 1
REFUSALS = (ApiError, OffStep, OutOfRange, NotEncodable, NotPublishable, TokenUnknown)
FAULTS = (
    AnswerInvalid,
    ConnectionLost,
    DevelopmentKeyRefused,
    OutcomeUnknown,
    ReceiptFileFault,
    ReceiptInvalid,
    VenueDiffers,
)
RECEIPTS_VARIABLE = "PROOFBOOK_RECEIPTS"
"""Names the file in which every receipt is kept, for `proofbook receipts check`."""
CHAIN_ID_VARIABLE, CONTRACT_VARIABLE = "PROOFBOOK_CHAIN_ID", "PROOFBOOK_CONTRACT"
SEQUENCER_VARIABLE = "PROOFBOOK_SEQUENCER"
"""Which venue is meant: one that names another chain or contract gets nothing signed."""


def order(
    instrument: InstrumentName,
    side: SideWord,
    price: Annotated[str, typer.Argument(help="USDC per unit, a limit.")],
    amount: Amount,
    url: Url,
    account: AccountNumber,
    key: Secret,
    post_only: Annotated[bool, typer.Option("--post-only")] = False,
    slide: Annotated[bool, typer.Option("--slide", help=SLIDE_HELP)] = False,
    reduce_only: Annotated[bool, typer.Option("--reduce-only")] = False,
    immediate: Annotated[bool, typer.Option("--immediate", help="Cancel what rests.")] = False,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Sign and place a limit order."""
    side_name = parse_side(side)
    time_in_force: TimeInForceName = "immediate_or_cancel" if immediate else "good_till_cancelled"

    async def act(client: Client) -> PlaceReply:
        require_listed(client, instrument)
        return await trader_of(client, key, account, session).place(
            instrument,
            side_name,
            price,
            amount,
            time_in_force=time_in_force,
            post_only=post_only,
            slide=slide,
            reduce_only=reduce_only,
        )

    run(url, json_path, act, show_placed)


def cancel(
    url: Url,
    account: AccountNumber,
    key: Secret,
    order: Annotated[str, typer.Argument(metavar="[ORDER]", help="Its number; none: all.")] = "",
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Cancel one resting order, or all of the account."""
    if order:
        parse_order(order)

    async def act(client: Client) -> Any:
        trader = trader_of(client, key, account, session)
        return await (trader.cancel(order) if order else trader.cancel_all())

    run(url, json_path, act, lambda _: f"cancelled {order or 'every order'}")


def amend(
    instrument: InstrumentName,
    order: Annotated[str, typer.Argument(metavar="ORDER", parser=parse_order)],
    amount: Annotated[str, typer.Argument(help="What remains, units of the underlying.")],
    url: Url,
    account: AccountNumber,
    key: Secret,
    price: Annotated[str | None, typer.Option(help="Default: where it stands.")] = None,
    session: SessionSlot = 0,
    json_path: ReplyPath = "",
) -> None:
    """Change what remains of an order; one that only shrinks keeps its place in the queue."""

    async def act(client: Client) -> PlaceReply:
        require_listed(client, instrument)
        trader = trader_of(client, key, account, session)
        return await trader.amend(instrument, order, amount, price)

    run(url, json_path, act, show_placed)


def withdraw(
    amount: Annotated[str, typer.Argument(help="Whole tokens.")],
    url: Url,
    account: AccountNumber,
    key: Secret,
    recipient: Annotated[
        bytes | None,
        typer.Option("--to", parser=parse_recipient, metavar="ADDRESS", help="Default: the key's."),
    ] = None,
    token: TokenSymbol = QUOTE_SYMBOL,
    json_path: ReplyPath = "",
) -> None:
    """Withdraw money; it can be claimed on chain once a root that holds it is final."""

    async def act(client: Client) -> Any:
        return await trader_of(client, key, account).withdraw(amount, recipient, token)

    run(url, json_path, act, lambda reply: f"queued as withdrawal {reply.index}")


def book(
    instrument: InstrumentName,
    url: Url,
    depth: Annotated[int, typer.Option(min=1, max=1000)] = 10,
    json_path: ReplyPath = "",
) -> None:
    """Show the best levels of a book."""
    run(url, json_path, lambda client: client.book(instrument, depth), book_table)


def account(
    url: Url,
    number: NumberOfAccount,
    json_path: ReplyPath = "",
) -> None:
    """Show cash, positions and open orders of an account."""
    run(url, json_path, lambda client: client.account(number), account_table)


def instruments(url: Url, json_path: ReplyPath = "") -> None:
    """List what can be traded."""

    async def names(client: Client) -> Any:
        return list(client.instruments.values())

    run(url, json_path, names, lambda rows: "\n".join(row.name for row in rows))


def run(
    url: str,
    json_path: str,
    act: Callable[[Client], Awaitable[Reply]],
    show: Callable[[Reply], Any],
    waiting: str = "waiting for the venue",
) -> Reply:
    """Connect, act, show or write the reply; 1: the venue refused, 2: no valid answer."""
    kept = os.environ.get(RECEIPTS_VARIABLE)
    receipts = Path(kept) if kept else None
    expected = expected_venue()

    async def session() -> Reply:
        connecting = connect(
            url, expected.sequencer, receipts,
            chain_id=expected.chain_id, contract=expected.contract,
        )  # fmt: skip
        async with await connecting as client:
            return await act(client)

    try:
        with PlainConsole(stderr=True).status(waiting):
            reply = asyncio.run(session())
    except REFUSALS as refusal:
        say("refused", refusal)
        raise typer.Exit(EXIT_REFUSED) from refusal
    except FAULTS as fault:
        say("cannot go on", fault)
        raise typer.Exit(EXIT_FAULT) from fault
    publish_text(as_json(reply), json_path, show(reply))
    return reply


class ExpectedVenue(NamedTuple):
    """What a venue has to say of itself; None where its word is taken."""

    chain_id: int | None
    contract: bytes | None
    sequencer: bytes | None


def expected_venue() -> ExpectedVenue:
    """Return what the environment expects of the venue. Raises typer.BadParameter."""
    chain_id = os.environ.get(CHAIN_ID_VARIABLE, "")
    if chain_id and not (chain_id.isascii() and chain_id.isdecimal() and len(chain_id) < 20):
        raise typer.BadParameter(f"{CHAIN_ID_VARIABLE} is {chain_id[:50]!r}, no number of a chain")
    return ExpectedVenue(
        int(chain_id) if chain_id else None,
        _address_of(CONTRACT_VARIABLE),
        _address_of(SEQUENCER_VARIABLE),
    )


def _address_of(variable: str) -> bytes | None:
    text = os.environ.get(variable, "")
    return parse_hex(text, ADDRESS_BYTES, variable) if text else None


def require_listed(client: Client, instrument: str) -> None:
    """Refuse an instrument that the venue does not list. Raises typer.BadParameter."""
    if instrument not in client.instruments:
        raise typer.BadParameter(f"the venue lists no {instrument}: see proofbook instruments")


def trader_of(client: Client, key: bytes, account: int, session: int = 0) -> Trader:
    """Return what signs for an account. Raises DevelopmentKeyRefused off the development chain."""
    signer = Key(key)
    if key in DEVELOPMENT_KEYS and client.status.chain_id != DEVELOPMENT_CHAIN_ID:
        raise DevelopmentKeyRefused(signer.address, client.status.chain_id)
    return client.trader(signer, account, session)


def show_placed(reply: PlaceReply) -> str:
    """Return one line: what was filled, what rests, why the rest is gone."""
    parts = [f"seq {reply.receipt.seq}: filled {reply.filled}"]
    parts += [f"{fill.amount} at {fill.price}, fee {fill.fee}" for fill in reply.fills]
    if reply.order is not None:
        parts.append(f"{reply.resting} rests as order {reply.order}")
    if reply.trigger is not None:
        parts.append(f"held up for a moment as trigger {reply.trigger}")
    if reply.removed is not None:
        parts.append(f"the rest is gone: {reply.removed}")
    return "; ".join(parts)


def book_table(reply: BookReply) -> Table:
    table = Table(title=f"{reply.instrument}, change {reply.change_id}", title_justify="left")
    for heading in ("bid amount", "bid", "ask", "ask amount"):
        table.add_column(heading, justify="right")
    for place in range(max(len(reply.bids), len(reply.asks))):
        bid, bid_amount = reply.bids[place] if place < len(reply.bids) else ("", "")
        ask, ask_amount = reply.asks[place] if place < len(reply.asks) else ("", "")
        table.add_row(bid_amount, bid, ask, ask_amount)
    return table


def account_table(reply: AccountReply) -> Group:
    title = f"account {reply.account}: cash {reply.cash}, equity {reply.equity or 'unknown'} USDC"
    for held in reply.balances:
        title += f", {held.amount} {held.symbol} counting {held.value}"
    table = Table(title=title, title_justify="left")
    for heading in ("instrument", "amount", "price", "order"):
        table.add_column(heading, justify="right")
    for position in reply.positions:
        table.add_row(position.instrument, position.amount, f"mark {position.mark or 'none'}", "")
    for resting in reply.open_orders:
        row = (resting.instrument, f"{resting.side} {resting.amount}", resting.price, resting.order)
        table.add_row(*row)
    for waiting in reply.triggers:
        when = f"{waiting.condition} {waiting.trigger_price}" if waiting.condition else "held up"
        what = f"{waiting.side} {waiting.amount}, {when}"
        table.add_row(waiting.instrument, what, waiting.price, waiting.trigger)
    return Group(table, *map(session_line, reply.sessions[1:]))


def positions(
    url: Url,
    number: NumberOfAccount,
    json_path: ReplyPath = "",
) -> None:
    """Show what an account holds, at what it cost and what it is worth now, USDC."""

    async def act(client: Client) -> Any:
        return (await client.account(number)).positions

    run(url, json_path, act, positions_table)


def positions_table(rows: Sequence[PositionReply]) -> Table:
    table = Table(title=f"positions: {len(rows)}", title_justify="left")
    for heading in ("instrument", "amount", "mark", "entry", "funding", "value", "orders"):
        table.add_column(heading, justify="right")
    for row in rows:
        orders = f"+{row.open_buy_amount} -{row.open_sell_amount}"
        known = (row.mark or "none", row.entry, row.funding, row.value or "unknown", orders)
        table.add_row(row.instrument, row.amount, *known)
    return table


def session_line(session: SessionReply) -> str:
    """Return one line: whose key, and what it may do."""
    cap = "" if session.notional_cap == "0" else f", {session.notional_used} of "
    cap += f"{session.notional_cap} USDC used" if cap else ""
    return f"session {session.slot}: {session.key} may {', '.join(session.actions)}{cap}"
