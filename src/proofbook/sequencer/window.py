"""Order inside one window: by effective class, then by time of receipt."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
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
    Entry,
    own_class,
    parties,
)
from proofbook.protocol.limits import SESSIONS_PER_ACCOUNT, ArenaId
from proofbook.protocol.records import AccountRecord

KeySlot: TypeAlias = tuple[int, int]
"""An account and a session of it: where a key is. Publishers have account 0."""

PUBLISHERS = 0
NO_OWNER = bytes(20)


class Received(NamedTuple):
    """A command with the unique time at which it was received. `body`: its canonical bytes.

    `signed_by`: the slots of the keys that its signatures were checked against, first that of who
    brings it. `changes`: the slots where it puts a key, or takes one away.
    """

    received_ns: int
    command: Command
    body: bytes
    signed_by: tuple[KeySlot, ...] = ()
    changes: tuple[KeySlot, ...] = ()

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
    command = entry.command
    if isinstance(command, TraderCommand) and not isinstance(command, TwoPartyCommand):
        return ((command.account, entry.session),)
    if isinstance(command, OracleCommand):
        rows = command.signatures if isinstance(command, VolSurface) else command.observations
        return tuple((PUBLISHERS, row.publisher) for row in rows)
    return tuple((party.account, party.session) for party in parties(entry))


def window_length(waiting: Iterable[Received], count_max: int) -> int:
    """Return how many commands, in order of receipt, may share a window.

    A key that the inbox brings or takes away goes before all of its window. What the old key signed
    before must be executed before, so the window ends there: later its signature would be nobody's.
    """
    used: set[KeySlot] = set()
    count = 0
    for item in islice(waiting, count_max):
        is_request = item.command.TAG in INBOX_TAGS
        if is_request and used & {*item.changes}:
            break
        used.update(item.signed_by)
        count += 1
    return count


def order_window(received: Sequence[Received]) -> list[Received]:
    """Return the commands of one window, given in order of receipt, in the order of the protocol.

    What one key signs keeps its order: each takes at least the class of the one before it.
    """
    classes = effective_classes(received)
    ranked = sorted(
        zip(classes, received, strict=True), key=lambda pair: (pair[0], pair[1].received_ns)
    )
    return [item for _, item in ranked]


def effective_classes(received: Iterable[Received]) -> list[int]:
    """Return for each command max(own class, class of its signer's previous one)."""
    last_of_key: dict[KeySlot, int] = {}
    classes: list[int] = []
    for item in received:
        classes.append(effective_class(last_of_key, item))
        if isinstance(item.command, TraderCommand):
            last_of_key[item.signed_by[0]] = classes[-1]
    return classes


def effective_class(last_of_key: Mapping[KeySlot, int], item: Received) -> int:
    """Return the class of a command after those that its signer has had in the window."""
    own = own_class(item.command)
    is_signed = isinstance(item.command, TraderCommand)
    return max(own, last_of_key.get(item.signed_by[0], own)) if is_signed else own


def stamp(item: Received, window_ns: int) -> bytes:
    """Return the entry that a command becomes in a window that closes at `window_ns`."""
    length = HEAD.size - LENGTH.size + len(item.body)
    return HEAD.pack(length, window_ns, item.received_ns) + item.body
