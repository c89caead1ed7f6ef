"""Signed requests as the bytes of WebSocket frames, made before anything is measured."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import cycle
from typing import Any

import msgspec

from proofbook.api.convert import hex_text
from proofbook.protocol.commands import Place, Quote, QuoteBatch, TraderCommand
from proofbook.protocol.eip712 import command_digest
from proofbook.protocol.limits import PostOnly, Side
from proofbook.simulator.pipeline.plan import OWNERS, Opened, Traded

FEE_PPM = 1_000
RUN = 16
"""Orders of one account to one side before it turns: what it holds stays near nothing."""
QUOTES = 20
QUOTE_DISTANCE_PPM = 20_000
"""From the mark; quotes of all accounts rest, and none trades."""
MASK = b"\x5a\xc3\x3c\xa5"
FINAL_TEXT, MASKED, LENGTH_16 = 0x81, 0x80, 126
SHORT_MAX = 125


class Signatory:
    """One account's requests, one after the other. Nonces rise."""

    def __init__(self, opened: Opened, place: int, nonce: int) -> None:
        self._account, self._key = list(OWNERS.items())[place]
        self._separator = bytes.fromhex(opened.separator[2:])
        self._expires_ns = opened.expires_ns
        self._nonce = nonce
        self._count = 0
        self._place = place
        self._opened = opened

    def order(self, identifier: int) -> bytes:
        """Return an order for one lot at the first mark.

        Accounts come in pairs on the same book. While one buys, the other sells: one of two orders
        rests, the next one fills it.
        """
        books = self._opened.perpetuals
        book = books[self._place // 2 % len(books)]
        is_buyer = (self._place + self._count // RUN) % 2 == 0
        side = Side.BUY if is_buyer else Side.SELL
        head = self._head()
        command = Place(*head, book.number, side, book.mark_ticks, 1, max_fee_ppm=FEE_PPM)
        params = {
            "instrument": book.name,
            "side": side.name.lower(),
            "price": price_text(book, book.mark_ticks),
            "amount": book.amount,
            "max_fee_ppm": FEE_PPM,
        }
        return self._frame(identifier, "place", command, params)

    def batch(self, identifier: int) -> bytes:
        """Return a batch that replaces all quotes of the account: both sides of ten books."""
        books = self._opened.options[: QUOTES // 2]
        shift = self._count % 2
        head = self._head()
        rows: list[tuple[Traded, Quote]] = []
        for book in books:
            distance = 1 + shift + book.mark_ticks * QUOTE_DISTANCE_PPM // 10**6
            for side, ticks in (
                (Side.BUY, max(1, book.mark_ticks - distance)),
                (Side.SELL, book.mark_ticks + distance),
            ):
                rows.append((book, Quote(book.number, side, ticks, 1)))
        rows.sort(key=lambda row: (row[1].instrument, row[1].side))
        command = QuoteBatch(*head, 0, PostOnly.REJECT, FEE_PPM, tuple(quote for _, quote in rows))
        params = {
            "max_fee_ppm": FEE_PPM,
            "quotes": [
                {
                    "instrument": book.name,
                    "side": quote.side.name.lower(),
                    "price": price_text(book, quote.price_ticks),
                    "amount": book.amount,
                }
                for book, quote in rows
            ],
        }
        return self._frame(identifier, "quote", command, params)

    def _head(self) -> tuple[int, int, int]:
        account, nonce = self._account, self._nonce
        self._nonce += 1
        self._count += 1
        return account, nonce, self._expires_ns

    def _frame(
        self, identifier: int, method: str, command: TraderCommand, params: dict[str, Any]
    ) -> bytes:
        signature = self._key.sign(command_digest(self._separator, command))
        head = {
            "account": command.account,
            "nonce": str(command.nonce),
            "expires_ns": str(command.expires_ns),
            "signature": hex_text(signature),
        }
        request = {"jsonrpc": "2.0", "id": identifier, "method": method, "params": head | params}
        return client_frame(msgspec.json.encode(request))


def price_text(book: Traded, ticks: int) -> str:
    return str(Decimal(book.price_step) * ticks)


def client_frame(payload: bytes, opening: int = FINAL_TEXT) -> bytes:
    """Return a frame as clients send it: masked."""
    count = len(payload)
    size = (
        bytes((MASKED | count,))
        if count <= SHORT_MAX
        else (bytes((MASKED | LENGTH_16,)) + count.to_bytes(2, "big"))
    )
    mask = (MASK * (count // len(MASK) + 1))[:count]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return bytes((opening,)) + size + MASK + masked.to_bytes(count, "big")


def sign_all(opened: Opened, kind: str, count: int, first_nonce: int) -> Sequence[bytes]:
    """Return so many frames, numbered from 0, of all accounts in turn."""
    signatories = [Signatory(opened, place, first_nonce) for place in range(len(OWNERS))]
    turns = zip(range(count), cycle(signatories), strict=False)
    if kind == "order":
        return [signatory.order(identifier) for identifier, signatory in turns]
    return [signatory.batch(identifier) for identifier, signatory in turns]
