"""Channels and who listens: encoded once per notice, whatever the number of subscribers."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple, Self, TypeAlias

import msgspec

from proofbook.api.schema import AccountNotice, BookNotice, Notice, NoticeParams, TradeNotice
from proofbook.queries.models import Changes, Told, TradeTold

Sink = Callable[[bytes], None]
"""Takes one encoded notice; must not block."""


NOTICES_KEPT = 65_536
"""Notices of accounts that can be sent again: 30 to 45 MB; what is older is in the history."""


class NoticeKept(NamedTuple):
    """A notice of an account from a snapshot, encoded."""

    seq: int
    data: bytes


AnyKept: TypeAlias = Told | TradeTold | NoticeKept
"""A notice of an account, put into words already or when it is asked for."""


class FeedsKept(msgspec.Struct, array_like=True, frozen=True):
    """What a snapshot keeps: account, entry and bytes of each notice, oldest first."""

    notices: list[tuple[int, int, bytes]]
    oldest_seq: int


class NoticeTooOld(Exception):
    """Notices after an entry are asked for that are not kept. Operands: after_seq, oldest_seq."""

    def __init__(self, after_seq: int, oldest_seq: int) -> None:
        super().__init__(f"notices after {after_seq} are asked for, kept from {oldest_seq} on")
        self.after_seq = after_seq
        self.oldest_seq = oldest_seq


def book_channel(instrument: str) -> str:
    return f"book.{instrument}"


def trades_channel(instrument: str) -> str:
    return f"trades.{instrument}"


def account_channel(account: int) -> str:
    return f"account.{account}"


def encode_notice(channel: str, data: AccountNotice | BookNotice | TradeNotice) -> bytes:
    """Return the JSON that a subscriber of the channel gets."""
    return msgspec.json.encode(Notice(params=NoticeParams(channel=channel, data=data)))


def encode_kept(kept: AnyKept) -> bytes:
    """Return the JSON that an account gets."""
    if isinstance(kept, NoticeKept):
        return kept.data
    return encode_notice(account_channel(kept.account), kept.notice())


def in_words(kept: AnyKept) -> NoticeKept:
    """Return a notice with its JSON."""
    return kept if isinstance(kept, NoticeKept) else NoticeKept(kept.seq, encode_kept(kept))


class Feeds:
    """Subscribers by channel."""

    def __init__(self, notices_max: int = NOTICES_KEPT) -> None:
        self.notices_max = notices_max
        self._sinks: dict[str, set[Sink]] = {}
        self._kept: dict[int, deque[AnyKept]] = {}
        self._order: deque[int] = deque()
        self._oldest_seq = 1

    def keep(self) -> FeedsKept:
        """Return what `restored` needs; who listens is not kept."""
        queues = {account: iter(kept) for account, kept in self._kept.items()}
        told = ((account, next(queues[account])) for account in self._order)
        notices = [(account, each.seq, encode_kept(each)) for account, each in told]
        return FeedsKept(notices, self._oldest_seq)

    @classmethod
    def restored(cls, kept: FeedsKept, notices_max: int = NOTICES_KEPT) -> Self:
        """Return the feeds of a snapshot, with so many of its notices at most."""
        feeds = cls(notices_max)
        feeds._oldest_seq = kept.oldest_seq
        for account, seq, data in kept.notices:
            feeds._keep(account, NoticeKept(seq, data))
        return feeds

    @property
    def subscriptions(self) -> int:
        """How many channels are listened to, counted once for each who listens."""
        return sum(map(len, self._sinks.values()))

    def is_followed(self, instrument: str) -> bool:
        """Whether anybody listens to the changes of a book."""
        return book_channel(instrument) in self._sinks

    @property
    def notices_kept(self) -> int:
        """How many notices of accounts can be sent again."""
        return len(self._order)

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
        account, sinks = None, None
        for told in changes.accounts:
            self._keep(told.account, told)
            if told.account != account:
                account = told.account
                sinks = self._sinks.get(account_channel(account))
            if sinks:
                encoded = encode_kept(told)
                for sink in tuple(sinks):
                    sink(encoded)

    def replay(self, changes: Changes) -> None:
        """Keep notices of entries that were executed before anybody listened."""
        self.keep_told(changes.accounts)

    def keep_told(self, accounts: Iterable[Told | TradeTold]) -> None:
        """Keep notices that nobody was sent."""
        for told in accounts:
            self._keep(told.account, told)

    def notices_after(self, account: int, after_seq: int) -> list[bytes]:
        """Return an account's notices of later entries. Raises NoticeTooOld."""
        if after_seq + 1 < self._oldest_seq:
            raise NoticeTooOld(after_seq, self._oldest_seq)
        kept = self._kept.get(account)
        if kept is None:
            return []
        # Put into words once: who asks again and again costs no more than who asks once.
        worded = deque(in_words(each) if each.seq > after_seq else each for each in kept)
        self._kept[account] = worded
        return [encode_kept(each) for each in worded if each.seq > after_seq]

    def _keep(self, account: int, notice: AnyKept) -> None:
        kept = self._kept.get(account)
        if kept is None:
            kept = self._kept[account] = deque()
        kept.append(notice)
        self._order.append(account)
        if len(self._order) > self.notices_max:
            account = self._order.popleft()
            kept = self._kept[account]
            self._oldest_seq = kept.popleft().seq + 1
            if not kept:
                del self._kept[account]

    def _send(self, channel: str, data: AccountNotice | BookNotice | TradeNotice) -> None:
        sinks = self._sinks.get(channel)
        if sinks:
            encoded = encode_notice(channel, data)
            for sink in tuple(sinks):
                sink(encoded)
