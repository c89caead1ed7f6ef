"""`proofbook warp` and `shock`: let time pass on a development venue, and let its prices fall."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import typer

from proofbook.api.development import MOVE_PPM_MAX, MOVE_PPM_MIN, ShockReply, WarpReply
from proofbook.cli.options import Url
from proofbook.cli.orders import run
from proofbook.cli.output import ReplyPath
from proofbook.client import Client
from proofbook.protocol.limits import NS_PER_DAY, NS_PER_SECOND

UNITS_NS = {
    "s": NS_PER_SECOND,
    "m": 60 * NS_PER_SECOND,
    "h": 3_600 * NS_PER_SECOND,
    "d": NS_PER_DAY,
    "w": 7 * NS_PER_DAY,
}
SPAN = re.compile(r"([0-9]{1,9})([smhdw])", re.ASCII)
MOVE = re.compile(r"([+-]?)([0-9]{1,4}(?:\.[0-9]{1,4})?)%", re.ASCII)
PPM_PER_PERCENT = 10_000

# A fall begins with a minus, which is no option.
shock_app = typer.Typer(add_completion=False, context_settings={"ignore_unknown_options": True})


def warp(
    until: Annotated[
        str,
        typer.Argument(metavar="SPAN|TIMESTAMP", help="As in 8h, 90m, 4d, or 2026-12-25T08:01Z."),
    ],
    url: Url,
    json_path: ReplyPath = "",
) -> None:
    """Put the clocks of a development venue and its chain forward; expiries on the way settle."""
    span_ns, moment_ns = parse_until(until)

    async def act(client: Client) -> WarpReply:
        return await client.warp(client.now_ns() + span_ns if moment_ns is None else moment_ns)

    run(url, json_path, act, show_warp, "time passes, expiry by expiry")


@shock_app.command("shock")
def shock(
    underlying: Annotated[str, typer.Argument(metavar="UNDERLYING", help="As in BTC.")],
    move: Annotated[str, typer.Argument(metavar="MOVE", help="As in -20% or 5%.")],
    url: Url,
    json_path: ReplyPath = "",
) -> None:
    """Move an index of a development venue, as its publishers would, and mark everything."""
    move_ppm = parse_move(move)

    async def act(client: Client) -> ShockReply:
        return await client.shock(underlying, move_ppm)

    run(url, json_path, act, show_shock, "publishers sign, marks follow")


def parse_until(text: str) -> tuple[int, int | None]:
    """Return a span, ns, or 0 and a moment, ns since the Unix epoch. Raises typer.BadParameter."""
    span = SPAN.fullmatch(text)
    if span is not None:
        return int(span[1]) * UNITS_NS[span[2]], None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        words = f"{text!r} is neither a span as 8h nor a moment as 2026-12-25T08:01Z"
        raise typer.BadParameter(words) from None
    utc = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return 0, round(utc.timestamp()) * NS_PER_SECOND


def parse_move(text: str) -> int:
    """Return ppm. Raises typer.BadParameter."""
    matched = MOVE.fullmatch(text)
    if matched is None:
        raise typer.BadParameter(f"{text!r} is no move: percent, as in -20% or 2.5%")
    ppm = int(Decimal(matched[2]) * PPM_PER_PERCENT) * (-1 if matched[1] == "-" else 1)
    if not MOVE_PPM_MIN <= ppm <= MOVE_PPM_MAX:
        least, most = (f"{bound // PPM_PER_PERCENT}%" for bound in (MOVE_PPM_MIN, MOVE_PPM_MAX))
        raise typer.BadParameter(f"{text} is no move between {least} and {most}")
    return ppm


def show_warp(reply: WarpReply) -> str:
    before, now = (
        datetime.fromtimestamp(int(moment_ns) // NS_PER_SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")
        for moment_ns in (reply.before_ns, reply.now_ns)
    )
    return f"{before} → {now} UTC; expiries settled: {reply.settled}"


def show_shock(reply: ShockReply) -> str:
    steps = "one step" if reply.steps == 1 else f"{reply.steps} steps"
    return f"{reply.underlying}: {reply.before} → {reply.index} USDC, in {steps}"
