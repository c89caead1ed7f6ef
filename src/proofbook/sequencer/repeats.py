"""Commands that come twice: a client that got no answer sends the same bytes again."""

import asyncio
from struct import Struct
from struct import error as PackingError
from typing import NamedTuple, TypeAlias

from proofbook.api.receipts import Receipt
from proofbook.protocol.commands import Command, Malformed, TraderCommand
from proofbook.protocol.engine import Result
from proofbook.protocol.entry import TRADER_TAGS, command_bytes
from proofbook.sequencer.receipts import SignedReceipt, read_receipt

SIGNED_HEAD = Struct("<xB64xIQ")
"""Of what a trader signs: session, account, nonce."""


class Receipted(NamedTuple):
    """What one command led to, and the sequencer's promise about it."""

    result: Result
    signed: SignedReceipt

    @property
    def receipt(self) -> Receipt:
        """The promise, member by member."""
        return read_receipt(self.signed)

    @property
    def receipt_text(self) -> str:
        """The promise as the interface writes it."""
        return self.signed.json(self.result.outcome.name)


Key: TypeAlias = tuple[int, int, int]
"""Account, session and nonce: a session uses each number once."""


class Taken(NamedTuple):
    """The canonical bytes of a command that was taken, and the answer that it gets."""

    body: bytes
    answer: asyncio.Future[Receipted]

    @property
    def size_bytes(self) -> int:
        """What it holds: the command, and the events of an answer that has come."""
        answer = self.answer
        is_answered = answer.done() and not answer.cancelled() and answer.exception() is None
        return len(self.body) + (len(answer.result().result.events) if is_answered else 0)


class Repeats:
    """The last commands of traders, by their nonce, each with its answer.

    Only the very same bytes are the same command: anything else under a used nonce is refused.
    Of too many, or too many bytes of commands and events, the oldest are forgotten.
    """

    def __init__(self, kept_max: int, bytes_max: int) -> None:
        self._kept_max = kept_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._taken: dict[Key, Taken] = {}

    def __len__(self) -> int:
        return len(self._taken)

    @property
    def kept_bytes(self) -> int:
        """What commands and events take up."""
        return self._bytes

    def find(
        self, command: Command, session: int, signature: bytes
    ) -> asyncio.Future[Receipted] | None:
        """Return the answer of a command that was taken before, done or still to come."""
        if not isinstance(command, TraderCommand):
            return None
        taken = self._taken.get((command.account, session, command.nonce))
        if taken is None or is_refused(taken.answer):
            return None  # what was refused has no seq, and may be asked again
        try:
            is_same = command_bytes(command, session, signature) == taken.body
        except (Malformed, PackingError, ValueError):
            return None  # admission says what is wrong with it
        return taken.answer if is_same else None

    def add(
        self, command: Command, session: int, body: bytes, answer: asyncio.Future[Receipted]
    ) -> None:
        """Remember a command that was taken, by its canonical bytes.

        Of two under one nonce it is the first, unless that one is refused without a seq.
        """
        if not isinstance(command, TraderCommand):
            return
        self.add_bytes((command.account, session, command.nonce), body, answer)

    def knows(self, key: Key) -> bool:
        """Whether a command under a nonce was taken."""
        return key in self._taken

    def add_bytes(self, key: Key, body: bytes, answer: asyncio.Future[Receipted]) -> None:
        """Remember a command that was taken, as `add`."""
        first = self._taken.get(key)
        if first is not None and not is_refused(first.answer):
            return
        if first is not None:
            self._forget(key)
        self._taken[key] = Taken(body, answer)
        self._bytes += len(body)
        self._make_room()

    def answered(self, body: bytes, answer: asyncio.Future[Receipted]) -> None:
        """Count the events of an answer that has just come."""
        if body[0] not in TRADER_TAGS:
            return
        taken = self._taken.get(key_of(body))
        if taken is not None and taken.answer is answer:
            self._bytes += len(answer.result().result.events)
            self._make_room()

    def _make_room(self) -> None:
        while len(self._taken) > self._kept_max or self._bytes > self._bytes_max:
            self._forget(next(iter(self._taken)))

    def _forget(self, key: Key) -> None:
        self._bytes -= self._taken.pop(key).size_bytes


def key_of(data: bytes, begin: int = 0) -> Key:
    """Return account, session and nonce of what a trader signs, off its canonical bytes."""
    session, account, nonce = SIGNED_HEAD.unpack_from(data, begin)
    return account, session, nonce


def is_refused(answer: asyncio.Future[Receipted]) -> bool:
    """Whether a command got no seq."""
    return answer.done() and answer.exception() is not None


def answered(receipted: Receipted) -> asyncio.Future[Receipted]:
    """Return a future that is done already."""
    answer: asyncio.Future[Receipted] = asyncio.get_running_loop().create_future()
    answer.set_result(receipted)
    return answer


def copy_of(answer: asyncio.Future[Receipted]) -> asyncio.Future[Receipted]:
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
