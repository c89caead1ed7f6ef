"""Order inside one window: by effective class, then by time of receipt."""

from collections.abc import Sequence
from typing import NamedTuple

from proofbook.protocol.commands import Command
from proofbook.protocol.entry import HEAD, LENGTH, own_class, signing_accounts


class Received(NamedTuple):
    """A command with the unique time at which it was received. `body`: its canonical bytes."""

    received_ns: int
    command: Command
    body: bytes


def order_window(received: Sequence[Received]) -> list[Received]:
    """Return the commands of one window, given in order of receipt, in the order of the protocol.

    An account's commands keep their order: each takes at least the class of the one before it.
    """
    classes = effective_classes(received)
    ranked = sorted(
        zip(classes, received, strict=True), key=lambda pair: (pair[0], pair[1].received_ns)
    )
    return [item for _, item in ranked]


def effective_classes(received: Sequence[Received]) -> list[int]:
    """Return for each command max(own class, classes of its accounts' previous ones)."""
    last_of_account: dict[int, int] = {}
    classes: list[int] = []
    for item in received:
        accounts, rank = signing_accounts(item.command), own_class(item.command)
        rank = max([rank, *(last_of_account.get(account, rank) for account in accounts)])
        last_of_account |= dict.fromkeys(accounts, rank)
        classes.append(rank)
    return classes


def stamp(item: Received, window_ns: int) -> bytes:
    """Return the entry that a command becomes in a window that closes at `window_ns`."""
    length = HEAD.size - LENGTH.size + len(item.body)
    return HEAD.pack(length, window_ns, item.received_ns) + item.body
