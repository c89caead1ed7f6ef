"""The SDK that a trader imports: `connect`, `Client`, `Trader`, `Key`."""

from proofbook.api.errors import ApiError
from proofbook.api.signing import Key
from proofbook.client.client import Client, connect
from proofbook.client.errors import (
    ConnectionLost,
    NotEncodable,
    ReceiptInvalid,
    Rejected,
    TokenUnknown,
)
from proofbook.client.trader import Trader

__all__ = [
    "ApiError",
    "Client",
    "ConnectionLost",
    "Key",
    "NotEncodable",
    "ReceiptInvalid",
    "Rejected",
    "TokenUnknown",
    "Trader",
    "connect",
]
