"""Commands that come twice: a client that got no answer sends the same bytes again."""

import asyncio
from typing import NamedTuple, TypeAlias

from proofbook.api.receipts import Receipt
from proofbook.protocol.commands import Command, TraderCommand
from proofbook.protocol.engine import Result


class Receipted(NamedTuple):
    """What one command led to, and the sequencer's promise about it."""

    result: Result
    receipt: Receipt


Key: TypeAlias = tuple[int, int, int]
"""Account, session and nonce: a session uses each number once."""


class Taken(NamedTuple):
    """A command that was taken, its signature, and the answer that it gets."""

    command: TraderCommand
    signature: bytes
    answer: asyncio.Future[Receipted]


class Repeats:
    """The last commands of traders, by their nonce, each with its answer.

    Only the very same bytes are the same command: anything else under a used nonce is refused.
    """

    def __init__(self, kept_max: int) -> None:
        self._kept_max = kept_max
        self._taken: dict[Key, Taken] = {}

    def find(
        self, command: Command, session: int, signature: bytes
    ) -> asyncio.Future[Receipted] | None:
        """Return the answer of a command that was taken before, done or still to come."""
        if not isinstance(command, TraderCommand):
            return None
        taken = self._taken.get((command.account, session, command.nonce))
        if taken is None or taken.command != command or taken.signature != signature:
            return None
        if is_refused(taken.answer):
            return None  # it has no seq, and may be asked again
        return taken.answer

    def add(
        self, command: Command, session: int, signature: bytes, answer: asyncio.Future[Receipted]
    ) -> None:
        """Remember a command that was taken; of too many the oldest is forgotten.

        Of two under one nonce it is the first, unless that one is refused without a seq.
        """
        if not isinstance(command, TraderCommand):
            return
        key = command.account, session, command.nonce
        first = self._taken.get(key)
        if first is not None and not is_refused(first.answer):
            return
        self._taken.pop(key, None)
        self._taken[key] = Taken(command, signature, answer)
        if len(self._taken) > self._kept_max:
            del self._taken[next(iter(self._taken))]


def is_refused(answer: asyncio.Future[Receipted]) -> bool:
    """Whether a command got no seq."""
    return answer.done() and answer.exception() is not None


def follow(answer: asyncio.Future[Receipted]) -> asyncio.Future[Receipted]:
    """Return a future of its own with the same result: who waits may go without the others."""
    copy: asyncio.Future[Receipted] = asyncio.get_running_loop().create_future()

    def pass_on(done: asyncio.Future[Receipted]) -> None:
        if copy.done():
            return
        if done.cancelled():
            copy.cancel()
        elif (fault := done.exception()) is not None:
            copy.set_exception(fault)
        else:
            copy.set_result(done.result())

    answer.add_done_callback(pass_on)
    return copy
