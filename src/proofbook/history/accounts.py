"""The accounts of a state, from the first slot to the last one ever used."""

from collections.abc import Iterator

from proofbook.protocol.engine import ARENA_HEADER, Engine
from proofbook.protocol.limits import ArenaId
from proofbook.protocol.records import AccountRecord


def every_account(engine: Engine) -> Iterator[tuple[int, AccountRecord]]:
    """Yield number and record of every account, in the order in which they were opened."""
    *_, end, _ = ARENA_HEADER.unpack_from(engine.read(ArenaId.ACCOUNTS, 0))
    for account in range(1, end):
        yield account, AccountRecord.unpack(engine.read(ArenaId.ACCOUNTS, account))
