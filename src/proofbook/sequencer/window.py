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
    VolSurface,
)
from proofbook.protocol.entry import (
    HEAD,
    INBOX_TAGS,
    LENGTH,
    Entry,
    own_class,
    parties,
)

KeySlot: TypeAlias = tuple[int, int]
"""An account and a session of it: where a key is. Publishers have account 0."""

PUBLISHERS = 0


class Received(NamedTuple):
    """A command with the unique time at which it was received. `body`: its canonical bytes.

    `signed_by`: the slots of the keys that its signatures were checked against, first that of who
    brings it.
    """

    received_ns: int
    command: Command
    body: bytes
    signed_by: tuple[KeySlot, ...] = ()


def changed_slots(commands: Iterable[Command]) -> list[KeySlot]:
    """Return where commands put keys, or take them away."""
    slots: list[KeySlot] = []
    for command in commands:
        if isinstance(command, GrantSession | GrantRequest | RevokeSession | RevokeRequest):
            slots.append((command.account, command.session))
        elif isinstance(command, SetPublisher):
            slots.append((PUBLISHERS, command.publisher))
    return slots


def signing_slots(entry: Entry) -> tuple[KeySlot, ...]:
    """Return the slots of the keys that signed an entry."""
    command = entry.command
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
        if is_request and used & {*changed_slots([item.command])}:
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
