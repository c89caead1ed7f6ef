"""The accounts of a state, from the first slot to the last one ever used."""

from collections.abc import Iterator
from struct import Struct

from proofbook.protocol.engine import Engine
from proofbook.protocol.limits import ArenaId
from proofbook.protocol.records import AccountRecord

HIGH_WATER = Struct("<12xI")
"""What of an arena's header, its slot 0, says how many slots were ever used, the header too."""


def every_account(engine: Engine) -> Iterator[tuple[int, AccountRecord]]:
    """Yield number and record of every account, in the order in which they were opened."""
    (end,) = HIGH_WATER.unpack_from(engine.read(ArenaId.ACCOUNTS, 0))
    for account in range(1, end):
        yield account, AccountRecord.unpack(engine.read(ArenaId.ACCOUNTS, account))
