"""`proofbook publish`: a publisher's feed, line by line, signed and said to a venue."""

import asyncio
import csv
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TextIO

import msgspec
import typer

from proofbook.api.display import OffStep, OutOfRange
from proofbook.api.errors import ApiError
from proofbook.api.signing import Key
from proofbook.cli.options import Secret, Url
from proofbook.cli.orders import EXIT_REFUSED, run
from proofbook.cli.output import STANDARD_INPUT, PlainConsole, ReplyPath, looked_up, say
from proofbook.client import Client
from proofbook.client.errors import NotPublishable
from proofbook.client.publishing import Prices, publisher_of

SECONDS_MAX = 86_400.0
REFUSED = (ApiError, NotPublishable, OffStep, OutOfRange, msgspec.DecodeError)

Row = bytes | NotPublishable
"""A line of a feed as JSON, or why it is none."""


@dataclass
class Published:
    """Lines that were said, and lines that were not."""

    publisher: int
    said: int = 0
    refused: int = 0


def publish(
    feed: Annotated[
        str,
        typer.Argument(
            metavar="FEED", help="A file of JSON lines, or a .csv of underlying and index; - reads."
        ),
    ],
    url: Url,
    key: Secret,
    every: Annotated[
        float, typer.Option(min=0, max=SECONDS_MAX, help="Seconds between two lines.")
    ] = 0.0,
    json_path: ReplyPath = "",
) -> None:
    """Sign what one publisher observes and say it to a venue, line by line.

    A line is as {"underlying": "BTC", "index": "88500.5"}, with `forwards` and `surface` by expiry
    if there are any. One that is refused is told on standard error, and the next one goes on. Ends
    with 0 when a line was said, though others were refused, and with 1 when all were.
    """
    with looked_up(feed):
        if feed != STANDARD_INPUT and not Path(feed).is_file():
            raise typer.BadParameter(f"there is no file {feed}")

    async def act(client: Client) -> Published:
        publisher = await publisher_of(client, Key(key))
        done = Published(publisher.number)
        console = PlainConsole(stderr=True)
        async for number, line in lines(feed):
            try:
                if isinstance(line, NotPublishable):
                    raise line
                await publisher.say(msgspec.json.decode(line, type=Prices))
                done.said += 1
            except REFUSED as fault:
                done.refused += 1
                console.print(f"line {number}: {fault}")
            await asyncio.sleep(every)
        return done

    done = run(url, json_path, act, show_published, "publishing")
    if done.refused and not done.said:
        say("refused", f"none of {done.refused} lines was said")
        raise typer.Exit(EXIT_REFUSED)


async def lines(feed: str) -> AsyncIterator[tuple[int, Row]]:
    """Yield the lines of a feed with their numbers, as JSON. Raises NotPublishable."""
    reconfigure = getattr(sys.stdin, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
    path = Path(feed)
    stream: TextIO = sys.stdin if feed == STANDARD_INPUT else path.open(errors="replace")
    try:
        is_table = feed.endswith(".csv")
        rows: Iterator[Row] = csv_rows(stream) if is_table else map(str.encode, stream)
        number = 0
        while (row := await asyncio.to_thread(next, rows, None)) is not None:
            number += 1
            if isinstance(row, NotPublishable) or row.strip():
                yield number, row
    finally:
        if stream is not sys.stdin:
            stream.close()


def csv_rows(stream: TextIO) -> Iterator[Row]:
    """Yield rows under a heading as JSON, or why one cannot be read. Raises NotPublishable."""
    try:
        heading = next(csv.reader(stream), list[str]())
    except csv.Error as fault:
        raise NotPublishable(f"the heading cannot be read: {fault}") from None
    rows = csv.DictReader(stream, heading, restkey="more")
    while True:
        try:
            row = next(rows, None)
        except csv.Error as fault:
            yield NotPublishable(str(fault))
            continue
        if row is None:
            return
        yield msgspec.json.encode(row)


def show_published(done: Published) -> str:
    return f"publisher {done.publisher}: {done.said} lines said, {done.refused} refused"
