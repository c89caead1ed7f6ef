"""Order inside one window: by effective class, then by time of receipt."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import islice
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from proofbook.protocol.commands import (
    Command,
    GrantRequest,
    GrantSession,
    OracleCommand,
    RevokeRequest,
    RevokeSession,
    SetPublisher,
    TraderCommand,
    TwoPartyCommand,
    VolSurface,
)
from proofbook.protocol.engine import Engine
from proofbook.protocol.entry import (
    HEAD,
    INBOX_TAGS,
    LENGTH,
    TRADER_TAGS,
    Entry,
    own_class,
    own_class_of_bytes,
    read_whole_command,
)
from proofbook.protocol.limits import SESSIONS_PER_ACCOUNT, ArenaId
from proofbook.protocol.records import AccountRecord

KeySlot: TypeAlias = tuple[int, int]
"""An account and a session of it: where a key is. Publishers have account 0."""

CLASS_AND_MOMENT = itemgetter(0, 1)
PUBLISHERS = 0
NO_OWNER = bytes(20)


class Received(NamedTuple):
    """A command with the unique time at which it was received. `body`: its canonical bytes.

    `read`: the command, if anybody has read it; an ordinary one of a trader is known by its bytes.
    `signed_by`: the slots of the keys that its signatures were checked against, first that of who
    brings it. `changes`: the slots where it puts a key, or takes one away.
    """

    received_ns: int
    read: Command | None
    body: bytes
    signed_by: tuple[KeySlot, ...] = ()
    changes: tuple[KeySlot, ...] = ()

    @property
    def command(self) -> Command:
        """The command, read off its bytes if need be."""
        return read_whole_command(self.body)[2] if self.read is None else self.read

    @property
    def is_traders(self) -> bool:
        """Whether a trader has signed it."""
        return self.body[0] in TRADER_TAGS

    @property
    def is_request(self) -> bool:
        """Whether it is a request of the inbox."""
        return self.body[0] in INBOX_TAGS

    @property
    def session(self) -> int:
        """The session that signed; 0 for what nobody signs."""
        return self.signed_by[0][1] if self.signed_by else 0


KEY_CHANGES = frozenset({SetPublisher, GrantSession, GrantRequest, RevokeSession, RevokeRequest})


def changed_slots(engine: Engine, command: Command) -> tuple[KeySlot, ...]:
    """Return where a command puts a key, or takes one away.

    A request from whom the account does not belong to, which anybody may post, will be rejected;
    so will a change of the owner's own key.
    """
    if type(command) not in KEY_CHANGES:
        return ()
    if isinstance(command, SetPublisher):
        return ((PUBLISHERS, command.publisher),)
    assert isinstance(command, GrantSession | GrantRequest | RevokeSession | RevokeRequest)
    if not 1 <= command.session < SESSIONS_PER_ACCOUNT:
        return ()
    if isinstance(command, GrantRequest | RevokeRequest) and _is_strange(engine, command):
        return ()
    return ((command.account, command.session),)


def _is_strange(engine: Engine, request: GrantRequest | RevokeRequest) -> bool:
    """Whether the account exists and belongs to somebody else, which never changes."""
    if not 0 < request.account < 1 << AccountRecord.CAPACITY_LOG2:
        return True
    owner = AccountRecord.unpack(engine.read(ArenaId.ACCOUNTS, request.account)).owner
    return owner not in (request.owner, NO_OWNER)


def signing_slots(entry: Entry) -> tuple[KeySlot, ...]:
    """Return the slots of the keys that signed an entry."""
    return key_slots(entry.command, entry.session)


def key_slots(command: Command, session: int) -> tuple[KeySlot, ...]:
    """Return the slots of the keys that have to sign a command which a session brings."""
    if isinstance(command, TraderCommand):
        bringer = command.account, session
        if not is_for_two(type(command)):
            return (bringer,)
        assert isinstance(command, TwoPartyCommand)
        return bringer, (command.maker.account, command.maker.session)
    if isinstance(command, OracleCommand):
        rows = command.signatures if isinstance(command, VolSurface) else command.observations
        return tuple((PUBLISHERS, row.publisher) for row in rows)
    return ()


@cache
def is_for_two(kind: type[TraderCommand]) -> bool:
    """Whether two traders sign commands of a kind; an abstract class takes long to tell."""
    return issubclass(kind, TwoPartyCommand)


def window_length(waiting: Iterable[Received], count_max: int) -> int:
    """Return how many commands, in order of receipt, may share a window.

    A key that the inbox brings or takes away goes before all of its window. What the old key signed
    before must be executed before, so the window ends there: later its signature would be nobody's.
    """
    used: set[KeySlot] = set()
    count = 0
    for item in islice(waiting, count_max):
        changes = item.changes
        if changes and item.is_request and used & {*changes}:
            break
        used.update(item.signed_by)
        count += 1
    return count


def order_window(received: Sequence[Received]) -> list[Received]:
    """Return the commands of one window, given in order of receipt, in the order of the protocol.

    What one key signs keeps its order: each takes at least the class of the one before it.
    """
    moments = [item.received_ns for item in received]
    rows = zip(effective_classes(received), moments, received, strict=True)
    return [item for _, _, item in sorted(rows, key=CLASS_AND_MOMENT)]


def effective_classes(received: Iterable[Received]) -> list[int]:
    """Return for each command max(own class, class of its signer's previous one)."""
    last_of_key: dict[KeySlot, int] = {}
    classes: list[int] = []
    for item in received:
        rank = own_class_of_bytes(item.body) if item.read is None else own_class(item.read)
        if item.is_traders:
            key = item.signed_by[0]
            rank = last_of_key[key] = max(rank, last_of_key.get(key, rank))
        classes.append(rank)
    return classes


def effective_class(last_of_key: Mapping[KeySlot, int], item: Received) -> int:
    """Return the class of a command after those that its signer has had in the window."""
    own = own_class(item.command)
    return max(own, last_of_key.get(item.signed_by[0], own)) if item.is_traders else own


def stamp(item: Received, window_ns: int) -> bytes:
    """Return the entry that a command becomes in a window that closes at `window_ns`."""
    length = HEAD.size - LENGTH.size + len(item.body)
    return HEAD.pack(length, window_ns, item.received_ns) + item.body
