"""How much a connection may ask, and how often it may come with a signature that is nobody's."""

import time
from collections.abc import Callable, Hashable

from proofbook.api.errors import Refusal, Refused
from proofbook.api.rates import RateLimitsReply, RateReply
from proofbook.ingress.actions import ACTIONS
from proofbook.ingress.histories import HISTORIES
from proofbook.sequencer.rates import Buckets, KeyRates, RateLimits
from proofbook.sequencer.window import KeySlot

SIGNED = frozenset((*ACTIONS, "submit"))
"""Methods that take tokens of the key that signs, and none of the connection's."""

COSTS = {
    "get_instruments": 20,
    "get_summary": 20,
    "get_margin": 5,
    "simulate": 10,
    "debug": 5,
    "subscribe": 20,
    "cancel_on_disconnect": 5,
    "rpc.discover": 20,
    **dict.fromkeys(HISTORIES, 10),
    **dict.fromkeys((f"{name}_debug" for name in ACTIONS), 5),
}
"""Tokens of the methods that cost more than one."""
COST_MAX = max(COSTS.values())


class Meter:
    """The buckets of all connections; over HTTP, of all addresses."""

    def __init__(self, limits: RateLimits, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.requests = Buckets("requests", limits.requests, now_ns)
        self.invalid_signatures = Buckets("invalid_signatures", limits.invalid_signatures, now_ns)

    def admit(self, who: Hashable, method: str) -> None:
        """Count a question; refuse it, or a signed method, where the tokens are used up.

        Raises Refused RATE_LIMITED.
        """
        if method in SIGNED:
            self.invalid_signatures.check(who)
            return
        tokens = COSTS.get(method, 1)
        self.requests.check(who, tokens)
        self.requests.take(who, tokens)

    def refused(self, who: Hashable, fault: Refused) -> None:
        """Count what was refused if it cost more than a look."""
        if fault.code == Refusal.SIGNATURE_INVALID:
            self.invalid_signatures.take(who)
        elif fault.code in (Refusal.PARSE_ERROR, Refusal.INVALID_REQUEST, Refusal.FRAME_TOO_LARGE):
            self.requests.take(who)

    def forget(self, who: Hashable) -> None:
        """Forget a connection that has ended."""
        self.requests.forget(who)
        self.invalid_signatures.forget(who)


def rates_reply(
    meter: Meter | None, who: Hashable, rates: KeyRates | None, key: KeySlot | None
) -> RateLimitsReply:
    """Return all limits, what is left of the connection's and, if one is named, of a key's."""
    connection = [] if meter is None else [meter.requests, meter.invalid_signatures]
    keys = [] if rates is None else [rates.orders, rates.cancels]
    return RateLimitsReply(
        connection=[rate_reply(buckets, buckets.left(who)) for buckets in connection],
        key=[rate_reply(buckets, None if key is None else buckets.left(key)) for buckets in keys],
        costs=COSTS,
    )


def rate_reply(buckets: Buckets, left: int | None) -> RateReply:
    rate = buckets.rate
    return RateReply(name=buckets.name, per_second=rate.per_second, burst=rate.burst, left=left)
