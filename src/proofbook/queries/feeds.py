"""Channels and who listens: encoded once per notice, whatever the number of subscribers."""

from collections.abc import Callable

import msgspec

from proofbook.api.schema import AccountNotice, BookNotice, Notice, NoticeParams, TradeNotice
from proofbook.queries.models import Changes

Sink = Callable[[bytes], None]
"""Takes one encoded notice; must not block."""


def book_channel(instrument: str) -> str:
    return f"book.{instrument}"


def trades_channel(instrument: str) -> str:
    return f"trades.{instrument}"


def account_channel(account: int) -> str:
    return f"account.{account}"


def encode_notice(channel: str, data: AccountNotice | BookNotice | TradeNotice) -> bytes:
    """Return the JSON that a subscriber of the channel gets."""
    return msgspec.json.encode(Notice(params=NoticeParams(channel=channel, data=data)))


class Feeds:
    """Subscribers by channel."""

    def __init__(self) -> None:
        self._sinks: dict[str, set[Sink]] = {}

    def subscribe(self, channel: str, sink: Sink) -> None:
        self._sinks.setdefault(channel, set()).add(sink)

    def unsubscribe(self, channel: str, sink: Sink) -> None:
        sinks = self._sinks.get(channel)
        if sinks is not None:
            sinks.discard(sink)
            if not sinks:
                del self._sinks[channel]

    def publish(self, changes: Changes) -> None:
        """Send a group's changes: trades, then books, then accounts."""
        for trade in changes.trades:
            self._send(trades_channel(trade.instrument), trade)
        for book in changes.books:
            self._send(book_channel(book.instrument), book)
        for notice in changes.accounts:
            self._send(account_channel(notice.account), notice)

    def _send(self, channel: str, data: AccountNotice | BookNotice | TradeNotice) -> None:
        sinks = self._sinks.get(channel)
        if sinks:
            encoded = encode_notice(channel, data)
            for sink in tuple(sinks):
                sink(encoded)
