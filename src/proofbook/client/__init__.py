"""The SDK that a trader imports: `connect`, `Client`, `Trader`, `Key`; `Blocking` needs no loop."""

from proofbook.api.errors import ApiError
from proofbook.api.signing import Key
from proofbook.client.blocking import Blocking
from proofbook.client.books import LocalBook
from proofbook.client.client import Client, connect
from proofbook.client.errors import (
    AnswerInvalid,
    BookGap,
    ConnectionLost,
    NotEncodable,
    OutcomeUnknown,
    ReceiptInvalid,
    ReceiptNotKept,
    Rejected,
    StreamGap,
    TokenUnknown,
    VenueDiffers,
)
from proofbook.client.trader import Trader

__all__ = [
    "AnswerInvalid",
    "ApiError",
    "Blocking",
    "BookGap",
    "Client",
    "ConnectionLost",
    "Key",
    "LocalBook",
    "NotEncodable",
    "OutcomeUnknown",
    "ReceiptInvalid",
    "ReceiptNotKept",
    "Rejected",
    "StreamGap",
    "TokenUnknown",
    "Trader",
    "VenueDiffers",
    "connect",
]
