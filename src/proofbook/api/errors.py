"""Everything that the interface can refuse, by name and number.

    ApiError                a reply {code, message, data: {reason, value, limit}}
    ├── Refused             before a seq: nothing was recorded
    └── Rejected            with a seq: the state machine refused it (proofbook.client)

Codes below zero are JSON-RPC's, 1000 + n is the protocol's reject reason n, 2000 + n are the
interface's own.
"""

from enum import IntEnum

from proofbook.protocol.limits import Reject

REJECT_CODES = 1000


class Refusal(IntEnum):
    """Reasons that the state machine does not know. Open at the end: a number keeps its meaning."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    OVERLOADED = 2001
    NOT_ACCEPTING = 2002
    MALFORMED = 2003
    SIGNATURE_INVALID = 2004
    PRICE_OFF_TICK = 2005
    AMOUNT_OFF_LOT = 2006
    CHANNEL_NOT_FOUND = 2007
    CHANNEL_LIMIT = 2008
    CHANNELS_NEED_WEBSOCKET = 2009
    RECEIPT_NOT_KEPT = 2010
    FRAME_TOO_LARGE = 2011
    CLOCK_BEHIND = 2012
    STOPPED_BY_FAULT = 2013
    HISTORY_UNAVAILABLE = 2014
    RESUME_TOO_OLD = 2015
    ENTRY_VOID = 2016
    CHAIN_UNSEEN = 2017
    TOO_MANY_WAITING = 2018
    RATE_LIMITED = 2019
    NOT_A_DEVELOPMENT_VENUE = 2020
    RESUME_TOO_NEW = 2021
    PRICES_NOT_TAKEN = 2022


PASSING = frozenset(
    reason.name
    for reason in (
        Refusal.OVERLOADED,
        Refusal.TOO_MANY_WAITING,
        Refusal.CLOCK_BEHIND,
        Refusal.CHAIN_UNSEEN,
    )
)
"""Why a venue takes nothing for a while, whatever it is."""


class ApiError(Exception):
    """A named error, with the value refused and the limit broken where there are any.

    `retry_after_ms`: when to ask again, where that helps.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        value: str | None = None,
        limit: str | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.value = value
        self.limit = limit
        self.retry_after_ms = retry_after_ms


class Refused(ApiError):
    """Refused before it got a seq: nothing was recorded, no nonce was consumed."""

    def __init__(
        self,
        reason: Refusal | Reject,
        message: str,
        value: object = None,
        limit: object = None,
        retry_after_ms: int | None = None,
    ) -> None:
        code = REJECT_CODES + reason if isinstance(reason, Reject) else int(reason)
        value_text = None if value is None else str(value)
        limit_text = None if limit is None else str(limit)
        super().__init__(code, reason.name, message, value_text, limit_text, retry_after_ms)
