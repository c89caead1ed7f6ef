"""Arguments and options that commands have in common, and how their texts are read."""

from typing import Annotated

import typer

from proofbook.api.schema import SideName
from proofbook.api.signing import ADDRESS_BYTES, Key
from proofbook.protocol.limits import SESSIONS_PER_ACCOUNT

SECRET_BYTES = 32
ACCOUNT_MAX = 2**32 - 1
DAYS_MAX = 3650
WORDS_PER_ROW = 4
SLIDE_HELP = "Post only; where it would trade, move away instead."
ROWS_FORM = "INSTRUMENT buy|sell PRICE AMOUNT ..."


def parse_key(text: str) -> bytes:
    """Return the 32 bytes of a private key. Raises typer.BadParameter, never showing them."""
    secret = parse_hex(text, SECRET_BYTES, "a private key")
    try:
        Key(secret)
    except ValueError:
        raise typer.BadParameter("a private key is above 0 and below the group's order") from None
    return secret


def parse_recipient(text: str) -> bytes:
    """Return the 20 bytes of an address. Raises typer.BadParameter."""
    return parse_hex(text, ADDRESS_BYTES, f"{text!r}, an address")


def parse_order(text: str) -> str:
    """Return the number of an order. Raises typer.BadParameter."""
    if not (text.isascii() and text.isdecimal()):
        raise typer.BadParameter(f"{text!r} is no order: the number that placing it gave")
    return text


def parse_side(text: str) -> SideName:
    """Return a side. Raises typer.BadParameter."""
    if text == "buy":
        return "buy"
    if text == "sell":
        return "sell"
    raise typer.BadParameter(f"{text!r} is no side: buy or sell")


def parse_rows(words: list[str], noun: str, count_max: int) -> list[tuple[str, SideName, str, str]]:
    """Return instrument, side, price and amount of each four words. Raises typer.BadParameter."""
    if len(words) % WORDS_PER_ROW:
        raise typer.BadParameter(f"a {noun} is four words: INSTRUMENT buy|sell PRICE AMOUNT")
    count = len(words) // WORDS_PER_ROW
    if count > count_max:
        raise typer.BadParameter(f"{count} {noun}s, at most {count_max}")
    columns = (words[place::WORDS_PER_ROW] for place in range(WORDS_PER_ROW))
    return [
        (instrument, parse_side(side), price, amount)
        for instrument, side, price, amount in zip(*columns, strict=True)
    ]


def parse_hex(text: str, size: int, what: str) -> bytes:
    """Return so many bytes of hexadecimal digits. Raises typer.BadParameter."""
    try:
        data = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        data = b""
    if len(data) != size:
        raise typer.BadParameter(f"{what} is 0x and {2 * size} hexadecimal digits")
    return data


Url = Annotated[str, typer.Option("--url", envvar="PROOFBOOK_URL", help="WebSocket of the venue.")]
Secret = Annotated[
    bytes,
    typer.Option(
        "--key",
        envvar="PROOFBOOK_KEY",
        parser=parse_key,
        metavar="HEX",
        help="Private key; better given in the environment.",
    ),
]
AccountNumber = Annotated[
    int, typer.Option("--account", envvar="PROOFBOOK_ACCOUNT", min=1, max=ACCOUNT_MAX)
]
SessionSlot = Annotated[
    int,
    typer.Option(
        "--session",
        envvar="PROOFBOOK_SESSION",
        min=0,
        max=SESSIONS_PER_ACCOUNT - 1,
        help="Whose key signs; 0: the owner's.",
    ),
]
TokenSymbol = Annotated[str, typer.Option("--token", metavar="SYMBOL", help="As in WETH.")]
InstrumentName = Annotated[str, typer.Argument(metavar="INSTRUMENT", help="As in BTC-PERP.")]
NumberOfAccount = Annotated[int, typer.Argument(metavar="ACCOUNT", min=1, max=ACCOUNT_MAX)]
SideWord = Annotated[str, typer.Argument(metavar="buy|sell")]
Amount = Annotated[str, typer.Argument(help="Units of the underlying.")]
