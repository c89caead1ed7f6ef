"""How often somebody may act: buckets of tokens, filled at a rate up to a burst.

A key has one bucket for what it cancels and one for everything else, so that whoever has sent too
much can still take it back. Only what a key has really signed takes tokens from it: nobody empties
another's bucket.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import NamedTuple

from proofbook.api.errors import Refusal, Refused
from proofbook.protocol.commands import Command, QuoteBatch
from proofbook.protocol.entry import QUOTES_AT
from proofbook.protocol.limits import NS_PER_SECOND, Tag
from proofbook.sequencer.window import PUBLISHERS, KeySlot

NS_PER_MS = 1_000_000
KEPT_MIN = 65_536
"""Buckets that are kept before full ones, which say nothing, are forgotten."""
QUOTES_PER_TOKEN = 8
CANCELS = frozenset((Tag.CANCEL, Tag.CANCEL_ALL, Tag.CANCEL_TRIGGER))


class Rate(NamedTuple):
    """Tokens that come in each second, and how many there are at most."""

    per_second: int
    burst: int


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What a venue allows: a key's orders and cancels, a connection's questions and bad signatures.

    Of HTTP all connections from an address are one.
    """

    orders: Rate
    cancels: Rate
    requests: Rate
    invalid_signatures: Rate


class Buckets:
    """A bucket for everybody, full until used: of each, when it will be full again, in ns."""

    def __init__(
        self, name: str, rate: Rate, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.name = name
        self.rate = rate
        self._now_ns = now_ns
        self._token_ns = NS_PER_SECOND // rate.per_second
        self._burst_ns = rate.burst * self._token_ns
        self._full_ns: dict[Hashable, int] = {}
        self._kept_max = KEPT_MIN

    def __len__(self) -> int:
        return len(self._full_ns)

    def check(self, who: Hashable, tokens: int = 1) -> None:
        """Refuse what finds too few tokens; take none. Raises Refused RATE_LIMITED."""
        full_ns = self._full_ns.get(who)
        if full_ns is None:
            return
        wait_ns = full_ns + tokens * self._token_ns - self._now_ns() - self._burst_ns
        if wait_ns > 0:
            self._refuse(who, tokens, -(-wait_ns // NS_PER_MS))

    def take(self, who: Hashable, tokens: int = 1) -> None:
        """Take tokens, even such as will only come."""
        now_ns = self._now_ns()
        full_ns = self._full_ns.get(who, 0)
        self._full_ns[who] = (full_ns if full_ns > now_ns else now_ns) + tokens * self._token_ns
        if len(self._full_ns) > self._kept_max:
            self._forget_full(now_ns)

    def left(self, who: Hashable) -> int:
        """Return how many tokens there are now."""
        lacking_ns = max(0, self._full_ns.get(who, 0) - self._now_ns())
        return max(0, self.rate.burst - -(-lacking_ns // self._token_ns))

    def forget(self, who: Hashable) -> None:
        """Forget somebody who is gone."""
        self._full_ns.pop(who, None)

    def _forget_full(self, now_ns: int) -> None:
        self._full_ns = {who: full for who, full in self._full_ns.items() if full > now_ns}
        self._kept_max = max(KEPT_MIN, 2 * len(self._full_ns))

    def _refuse(self, who: Hashable, tokens: int, wait_ms: int) -> None:
        count, rate = self.rate.burst - self.left(who) + tokens, self.rate
        words = (
            f"{self.name}: {count} together, at most {rate.burst} and {rate.per_second} a second"
        )
        message = f"{words}; again in {wait_ms} ms"
        raise Refused(Refusal.RATE_LIMITED, message, count, rate.burst, retry_after_ms=wait_ms)


class KeyRates:
    """The buckets of all keys that sign commands."""

    def __init__(self, limits: RateLimits, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.orders = Buckets("orders", limits.orders, now_ns)
        self.cancels = Buckets("cancels", limits.cancels, now_ns)

    def check(self, tag: int, tokens: int, key: KeySlot) -> None:
        """Refuse a command whose key has sent too many, before its signature is looked at.

        Raises Refused RATE_LIMITED.
        """
        if tag in CANCELS:
            self.cancels.check(key)
        elif key[0] != PUBLISHERS:
            self.orders.check(key, tokens)

    def take(self, tag: int, tokens: int, key: KeySlot) -> None:
        """Count a command that its key has signed."""
        if tag in CANCELS:
            self.cancels.take(key)
        elif key[0] != PUBLISHERS:
            self.orders.take(key, tokens)


def tokens_of(command: Command) -> int:
    """Return what a command takes: one, a batch one for every eight quotes begun."""
    return _tokens_of_quotes(len(command.quotes)) if isinstance(command, QuoteBatch) else 1


def tokens_of_bytes(body: bytes) -> int:
    """Return what `tokens_of` does of a command in its canonical bytes."""
    return _tokens_of_quotes(body[QUOTES_AT]) if body[0] == Tag.QUOTE_BATCH else 1


def _tokens_of_quotes(count: int) -> int:
    return max(1, -(-count // QUOTES_PER_TOKEN))
