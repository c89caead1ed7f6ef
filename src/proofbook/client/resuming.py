"""Streams over several connections: what was heard last, and how the next one goes on from there.

Events of an account are asked for from their last seq on; trades are read and compared by number;
a book begins with a snapshot again.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from proofbook.api.market import TradesReply
from proofbook.api.schema import SubscriptionReply
from proofbook.client.answers import decoded
from proofbook.client.connection import Connection, NoticeHead, Refusal
from proofbook.client.errors import AnswerInvalid, StreamGap

TRADES_ASKED = 1_000
"""As many as a venue keeps of an instrument."""


TRADE_NUMBER = re.compile(r"[0-9]{1,20}\.[0-9]{1,10}\Z")
PLACES_MAX = 1 << 32
MARK = "trades missed: "
"""Begins the channel of a notice that we tell ourselves; no channel of a venue does."""
NULL = msgspec.Raw(b"null")


class Placed(msgspec.Struct, frozen=True):
    """What places a notice in its channel."""

    seq: int = 0
    trade: str | None = None


@dataclass(slots=True)
class Heard:
    """The last that was heard of a channel: entry, how many notices of it, number of the trade.

    `skip`: notices that come again; `held`: trades that came before those that were missed.
    """

    seq: int = 0
    count: int = 0
    trade: tuple[int, int] = (0, 0)
    skip: int = 0
    held: list[NoticeHead] | None = None


class Resuming:
    """The channels that are joined, and what was heard of each."""

    def __init__(self) -> None:
        self._channels: dict[str, Heard] = {}
        self._joined_on: Connection | None = None
        self._gap: StreamGap | None = None

    def joining(self, connection: Connection, params: dict[str, Any]) -> list[str]:
        """Note channels that are asked for on a connection; return those that are new."""
        after_seq = params.get("after_seq")
        added = [channel for channel in params["channels"] if channel not in self._channels]
        self._channels |= {channel: Heard() for channel in added}
        if after_seq is not None:
            self.joined(added, after_seq)
        if self._joined_on is None:
            self._joined_on = connection
        return added

    def joined(self, channels: list[str], seq: int) -> None:
        """Note after which entry channels begin, unless something of them was heard already."""
        for channel in channels:
            heard = self._channels.get(channel)
            if heard is not None and not heard.seq:
                heard.seq, heard.trade = seq + 1, (seq, PLACES_MAX)

    def left(self, channels: list[str]) -> None:
        for channel in channels:
            self._channels.pop(channel, None)

    def is_due(self, connection: Connection) -> bool:
        """Whether channels are joined on another connection than this one."""
        return bool(self._channels) and connection is not self._joined_on

    async def resume(self, connection: Connection, reply_seconds: float) -> None:
        """Join everything again; what was missed comes as notices, the trades by a mark of ours.

        Raises ConnectionLost, TimeoutError.
        """
        for channel in list(self._channels):
            heard = self._channels.get(channel)
            if heard is None:
                continue  # left meanwhile
            try:
                async with asyncio.timeout(reply_seconds):
                    await self._resume_channel(connection, channel, heard)
            except Refusal as refusal:
                self._gap = StreamGap(channel, refusal.error.message)
            except StreamGap as gap:
                self._gap = gap
            except AnswerInvalid as fault:
                self._gap = StreamGap(channel, str(fault))
            if self._gap is not None:
                connection.tell(NoticeHead(MARK, NULL))
                return
        self._joined_on = connection

    async def _resume_channel(self, connection: Connection, channel: str, heard: Heard) -> None:
        kind, _, subject = channel.partition(".")
        params: dict[str, Any] = {"channels": [channel]}
        if kind == "account" and heard.seq:
            # The last entry may have had more notices than were heard: those that were come again.
            params["after_seq"] = heard.seq - 1
            heard.skip = heard.count
        is_missing = kind == "trades" and heard.seq > 0
        heard.held = [] if is_missing else None
        known_seq = last_seq(heard)
        reply = await connection.request("subscribe", params)
        seq = decoded("subscribe", reply, SubscriptionReply).seq
        if seq < known_seq:
            # What follows would be taken for what was heard already, and dropped.
            raise StreamGap(channel, f"the venue stands at {seq}, and {known_seq} was heard")
        if is_missing:
            asked = {
                "instrument": subject,
                "count": TRADES_ASKED,
                "after_seq": max(0, heard.trade[0] - 1),
            }
            connection.tell(
                NoticeHead(MARK + channel, await connection.request("get_trades", asked))
            )

    def take(self, notice: NoticeHead) -> list[NoticeHead]:
        """Take note of a notice; return what is new by it. Raises StreamGap."""
        if self._gap is not None:
            raise self._gap
        is_mark = notice.channel.startswith(MARK)
        channel = notice.channel.removeprefix(MARK)
        heard = self._channels.get(channel)
        if heard is None:
            return []  # left, but still on its way
        if is_mark:
            return self._missed_trades(channel, heard, notice.data)
        if heard.held is not None:
            heard.held.append(notice)
            return []
        return [notice] if is_new(heard, notice) else []

    def _missed_trades(self, channel: str, heard: Heard, data: msgspec.Raw) -> list[NoticeHead]:
        trades = decoded("get_trades", data, TradesReply).trades
        newer = [row for row in reversed(trades) if trade_number(row.trade) > heard.trade]
        if len(newer) == TRADES_ASKED:
            raise StreamGap(channel, f"more than {TRADES_ASKED} trades were missed")
        held, heard.held = heard.held or [], None
        missed = [NoticeHead(channel, msgspec.Raw(msgspec.json.encode(row))) for row in newer]
        return [notice for notice in [*missed, *held] if is_new(heard, notice)]


def last_seq(heard: Heard) -> int:
    """Return the last entry that the venue had when a channel was heard or begun."""
    is_heard = heard.count > 0 or (heard.trade > (0, 0) and heard.trade[1] != PLACES_MAX)
    return heard.seq if is_heard else heard.seq - 1


def is_new(heard: Heard, notice: NoticeHead) -> bool:
    """Take note of a notice; say whether it was not heard before."""
    placed = decoded("subscribe", notice.data, Placed)
    if placed.trade is not None:
        number, is_first = trade_number(placed.trade), not heard.seq
        if not is_first and number <= heard.trade:
            return False
        heard.trade, heard.seq = number, placed.seq
        return True
    if heard.skip and placed.seq <= heard.seq:
        heard.skip -= 1
        return False
    heard.skip = 0
    heard.count = heard.count + 1 if placed.seq == heard.seq else 1
    heard.seq = placed.seq
    return True


def trade_number(trade: str) -> tuple[int, int]:
    """Return what orders trades: entry, and place in it. Raises AnswerInvalid."""
    if not TRADE_NUMBER.match(trade):
        raise AnswerInvalid("get_trades", f"{trade[:50]!r} is no number of a trade")
    seq, _, place = trade.partition(".")
    return int(seq), int(place)
