"""Commands that come twice: a client that got no answer sends the same bytes again."""

import asyncio
from collections import OrderedDict
from struct import Struct
from struct import error as PackingError
from typing import NamedTuple, TypeAlias

from proofbook.api.receipts import Receipt
from proofbook.protocol.commands import Command, Malformed, TraderCommand
from proofbook.protocol.engine import Result
from proofbook.protocol.entry import TRADER_TAGS, command_bytes
from proofbook.protocol.outcomes import Outcome
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
    """The canonical bytes of a command that was taken, and the answer that it will get."""

    body: bytes
    answer: asyncio.Future[Receipted]

    @property
    def is_refused(self) -> bool:
        """Whether it got no seq."""
        return self.answer.done() and self.answer.exception() is not None


Kept: TypeAlias = tuple[bytes, bytes, bytes, SignedReceipt]
"""The canonical bytes of a command that is answered, its outcome, its events, its receipt.

A plain tuple of little: the search for garbage walks through all that may refer to something, which
of each answer were its future, the result, their tuples, and stopped the event loop for long.
"""


class Repeats:
    """The last commands of traders, by their nonce, each with its answer.

    Only the very same bytes are the same command: anything else under a used nonce is refused.
    Of too many, or too many bytes of commands and events, the oldest are forgotten.
    """

    def __init__(self, kept_max: int, bytes_max: int) -> None:
        self._kept_max = kept_max
        self._bytes_max = bytes_max
        self._bytes = 0
        # Ordered by itself: a dictionary looks for its oldest among the places of all it has lost.
        self._taken: OrderedDict[Key, Taken | Kept] = OrderedDict()

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
        if taken is None or is_refused(taken):
            return None  # what was refused has no seq, and may be asked again
        try:
            is_same = command_bytes(command, session, signature) == taken[0]
        except (Malformed, PackingError, ValueError):
            return None  # admission says what is wrong with it
        if not is_same:
            return None
        return taken.answer if isinstance(taken, Taken) else answered(receipted(taken))

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
        if first is not None and not is_refused(first):
            return
        if first is not None:
            self._taken.pop(key)
            self._bytes -= size_bytes(first)
        self._taken[key] = Taken(body, answer)
        self._bytes += len(body)
        self._make_room()

    def answered(self, body: bytes, answer: asyncio.Future[Receipted]) -> None:
        """Keep of an answer that has just come what it takes to give it again."""
        if body[0] not in TRADER_TAGS:
            return
        key = key_of(body)
        taken = self._taken.get(key)
        if isinstance(taken, Taken) and taken.answer is answer:
            (outcome, events), signed = answer.result()
            self._taken[key] = body, outcome.encode(), events, signed
            self._bytes += len(events)
            self._make_room()

    def _make_room(self) -> None:
        while len(self._taken) > self._kept_max or self._bytes > self._bytes_max:
            _, oldest = self._taken.popitem(last=False)
            self._bytes -= size_bytes(oldest)


def size_bytes(taken: Taken | Kept) -> int:
    """Return what is held: the command, and the events of an answer that has come."""
    return len(taken.body) if isinstance(taken, Taken) else len(taken[0]) + len(taken[2])


def is_refused(taken: Taken | Kept) -> bool:
    """Whether a command got no seq."""
    return isinstance(taken, Taken) and taken.is_refused


def receipted(kept: Kept) -> Receipted:
    """Return an answer as it was given."""
    _, outcome, events, signed = kept
    return Receipted(Result(Outcome.decode(outcome), events), signed)


def key_of(data: bytes, begin: int = 0) -> Key:
    """Return account, session and nonce of what a trader signs, off its canonical bytes."""
    session, account, nonce = SIGNED_HEAD.unpack_from(data, begin)
    return account, session, nonce


def answered(known: Receipted) -> asyncio.Future[Receipted]:
    """Return a future that is done already."""
    answer: asyncio.Future[Receipted] = asyncio.get_running_loop().create_future()
    answer.set_result(known)
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
