"""What venue and generator tell each other."""

from msgspec import Struct

from proofbook.api.signing import Key
from proofbook.protocol.limits import FIRST_USER_ACCOUNT

ACCOUNTS = 16
OWNERS = {FIRST_USER_ACCOUNT + place: Key(bytes((11 + place,)) * 32) for place in range(ACCOUNTS)}
"""Who trades, by account; each over a connection of its own."""
ORDER, BATCH = "order", "batch"
BEGIN, BEGIN_SAMPLING, END = "begin", "begin sampling", "end"
"""Lines that a venue reads. It answers the last."""
GO = "go"
"""The line that a generator waits for."""


class Traded(Struct, frozen=True):
    """An instrument, its first mark in ticks, and one lot of it."""

    name: str
    number: int
    price_step: str
    mark_ticks: int
    amount: str


class Opened(Struct, frozen=True):
    """Where a venue is, and what a generator has to know of it."""

    host: str
    port: int
    separator: str
    expires_ns: int
    perpetuals: list[Traded]
    options: list[Traded]


class Load(Struct, frozen=True):
    """What a generator sends: `count` requests of a kind.

    `per_second` 0: as fast as answers come, with so many unanswered.
    """

    opened: Opened
    kind: str
    count: int
    per_second: float
    unanswered_max: int
    first_nonce: int
    seed: int


class Sent(Struct, frozen=True):
    """What became of a load.

    Units  latencies_ns: from the time at which a request was to be sent to its answer, in the order
           of those times; lateness_ns: from that time until the request was given to the system.
    """

    latencies_ns: list[int]
    lateness_ns: list[int]
    refused: dict[str, int]
    unanswered: int
    seconds: float
    processor_seconds: float
