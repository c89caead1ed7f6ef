"""`proofbook margin`, `simulate`: what margin is, and what it would be."""

from decimal import Decimal
from typing import Annotated

import typer
from rich.table import Table

from proofbook.api.margin import (
    MarginReply,
    OrderLeg,
    SimulateParams,
    SimulateReply,
    TradeLeg,
    UnderlyingMarginReply,
)
from proofbook.cli.options import ACCOUNT_MAX, NumberOfAccount, Url, parse_side
from proofbook.cli.orders import run
from proofbook.cli.output import ReplyPath, read_json
from proofbook.client import Client

TRADE_FORM = "INSTRUMENT:buy|sell:AMOUNT[:PRICE]"
ORDER_FORM = "INSTRUMENT:buy|sell:AMOUNT:PRICE"
TERMS = {
    "equity": "equity",
    "  tokens beside USDC, in it": "collateral",
    "stale legs, at their lowest": "stale_low",
    "stale legs, at their highest": "stale_high",
    "initial margin": "initial",
    "  positions and orders": "positions",
    "  concentration": "concentration",
    "  confidence": "confidence",
    "  reserve of orders": "reserve",
    "maintenance margin": "maintenance",
}
CUSHIONS = {
    "above initial margin": ("stale_low", "initial"),
    "above maintenance margin": ("stale_high", "maintenance"),
}
EXPIRY_TERMS = {
    "and by skew": "skew",
    "and by basis": "basis",
    "index value beyond all scenarios": "naked",
}


def margin(
    url: Url,
    number: NumberOfAccount,
    json_path: ReplyPath = "",
) -> None:
    """Explain what an account owns and needs, term by term."""
    run(url, json_path, lambda client: client.margin(number), lambda reply: as_table([reply]))


def simulate(
    url: Url,
    account: Annotated[
        int, typer.Option(min=0, max=ACCOUNT_MAX, help="0: one with nothing but cash.")
    ] = 0,
    cash: Annotated[str, typer.Option(help="USDC that it would have in addition.")] = "0",
    trade: Annotated[
        list[str] | None, typer.Option(metavar=TRADE_FORM, help="Traded; default price: mark.")
    ] = None,
    order: Annotated[
        list[str] | None, typer.Option(metavar=ORDER_FORM, help="An order that would stand.")
    ] = None,
    path: Annotated[
        str, typer.Option("--file", metavar="PATH", help="All of it, as the method's JSON.")
    ] = "",
    json_path: ReplyPath = "",
) -> None:
    """Show margin before and after trades and orders; nothing is signed or sent."""
    asked = read_json(path, SimulateParams, "portfolio") if path else SimulateParams()
    trades = [*asked.trades, *map(parse_trade, trade or ())]
    orders = [*asked.orders, *map(parse_order_leg, order or ())]
    if not trades and not orders:
        raise typer.BadParameter("nothing to simulate: give --trade, --order or --file")
    number, money = account or asked.account, asked.cash if cash == "0" else cash

    async def act(client: Client) -> SimulateReply:
        return await client.simulate(trades, orders, account=number, cash=money)

    run(url, json_path, act, lambda reply: as_table([reply.before, reply.after]))


def parse_trade(text: str) -> TradeLeg:
    """Return what would be traded. Raises typer.BadParameter."""
    match text.split(":"):
        case [instrument, side, amount]:
            return TradeLeg(instrument=instrument, side=parse_side(side), amount=amount)
        case [instrument, side, amount, price]:
            return TradeLeg(
                instrument=instrument, side=parse_side(side), amount=amount, price=price
            )
        case _:
            raise typer.BadParameter(f"{text!r} is no trade: {TRADE_FORM}")


def parse_order_leg(text: str) -> OrderLeg:
    """Return an order that would stand. Raises typer.BadParameter."""
    match text.split(":"):
        case [instrument, side, amount, price]:
            return OrderLeg(
                instrument=instrument, side=parse_side(side), price=price, amount=amount
            )
        case _:
            raise typer.BadParameter(f"{text!r} is no order: {ORDER_FORM}")


def as_table(reports: list[MarginReply]) -> Table:
    """Return reports side by side, a row for each term; underlyings below."""
    is_pair = len(reports) > 1
    table = Table(title="USDC", title_justify="left")
    table.add_column("term")
    for heading in ("before", "after", "change") if is_pair else ("now",):
        table.add_column(heading, justify="right")
    table.add_row("margin mode", *(report.mode for report in reports))
    for name, member in TERMS.items():
        table.add_row(name, *amounts([Decimal(getattr(report, member)) for report in reports]))
    table.add_section()
    for name, (stale, margin_of) in CUSHIONS.items():
        left = [
            Decimal(report.equity)
            + Decimal(getattr(report, stale))
            - Decimal(getattr(report, margin_of))
            for report in reports
        ]
        table.add_row(name, *amounts(left))
    for name, member in (("initial", "covers_initial"), ("maintenance", "covers_maintenance")):
        answers = ("covered" if getattr(report, member) else "SHORT" for report in reports)
        table.add_row(f"{name} margin is", *answers)
    table.add_section()
    for symbol in sorted({each.underlying for report in reports for each in report.underlyings}):
        cells = [worst_of(report, symbol) for report in reports]
        table.add_row(f"{symbol} loses most at", *cells)
    return table


def amounts(values: list[Decimal]) -> list[str]:
    """Return values for reading, and of two by how much the second is more."""
    cells = [f"{value:,.2f}" for value in values]
    return cells if len(values) == 1 else [*cells, f"{values[1] - values[0]:+,.2f}"]


def worst_of(report: MarginReply, symbol: str) -> str:
    """Return lines about an underlying: its worst column, what is lost there, and by expiries."""
    lines: list[str] = []
    for each in report.underlyings:
        if each.underlying == symbol:
            lines += [each.worst, f"loss {Decimal(each.loss):,.2f}", *expiry_lines(each)]
    return "\n".join(lines) or "–"


def expiry_lines(report: UnderlyingMarginReply) -> list[str]:
    """Return a line for each sum of losses by expiry that is not zero."""
    sums = {
        name: sum(Decimal(getattr(each, member)) for each in report.expiries)
        for name, member in EXPIRY_TERMS.items()
    }
    return [f"{name} {total:,.2f}" for name, total in sums.items() if total]
