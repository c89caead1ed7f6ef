"""What waits for a window: in order of receipt, from nobody too much, and nothing twice."""

from collections import deque
from collections.abc import Sequence

from proofbook.api.errors import Refusal, Refused
from proofbook.protocol.commands import Command
from proofbook.protocol.entry import INBOX_TAGS
from proofbook.protocol.limits import Reject
from proofbook.sequencer.window import (
    PUBLISHERS,
    KeySlot,
    Received,
    key_slots,
    window_length,
)

WAITING_MAX = 16_384
"""Commands that may wait for a window; more are refused, so that delay stays bounded."""
WAITING_PER_KEY_MAX = 1_024
"""Of those, what one key has signed: no key fills the queue, or keeps its owner's out."""
WAITING_UNSIGNED_MAX = 4_096
"""Of those, what nobody signs, from everybody together: a quarter."""

NOBODY: KeySlot = (-1, 0)
"""Who sends what needs no signature: one cannot be told from another."""


class Waiting:
    """Commands between their receipt and the window that takes them."""

    def __init__(self) -> None:
        self._queue: deque[Received] = deque()
        self._changing: dict[KeySlot, int] = {}
        self._senders: dict[KeySlot, int] = {}
        self._unsigned: dict[Command, int] = {}

    def __len__(self) -> int:
        return len(self._queue)

    def check_room(self, command: Command, signed_by: Sequence[KeySlot]) -> None:
        """Refuse what finds the queue full, or its sender's share of it. Raises Refused.

        But never a request of the inbox: left out for an hour it would block every append.
        """
        sender = sender_of(command, signed_by)
        if sender is not None:
            self.check_share(sender)

    def check_share(self, sender: KeySlot) -> None:
        """Refuse what finds the queue full, or a sender's share of it. Raises Refused."""
        count = len(self._queue)
        if count >= WAITING_MAX:
            message = f"{count} commands wait, at most {WAITING_MAX}"
            raise Refused(Refusal.OVERLOADED, message, count, WAITING_MAX)
        count = self._senders.get(sender, 0)
        count_max = WAITING_UNSIGNED_MAX if sender == NOBODY else WAITING_PER_KEY_MAX
        if count >= count_max:
            who = "nobody signs" if sender == NOBODY else "this key has signed"
            message = f"{count} commands wait that {who}, at most {count_max}"
            raise Refused(Refusal.TOO_MANY_WAITING, message, count, count_max)

    def check_keys(self, command: Command, session: int) -> tuple[KeySlot, ...]:
        """Return the slots of the keys that signed. Raises Refused for one about to change.

        A signature is checked against the key that is there now; another that waits to be put there
        would make the entry void.
        """
        signed_by = key_slots(command, session)
        self.check_slots(signed_by)
        return signed_by

    def check_slots(self, signed_by: Sequence[KeySlot]) -> None:
        """Refuse what was signed by a key that is about to change. Raises Refused."""
        if not self._changing:
            return
        for account, session in signed_by:
            if (account, session) not in self._changing:
                continue
            if account == PUBLISHERS:
                message = f"publisher {session} is being given another key"
                raise Refused(Reject.PUBLISHER_NOT_FOUND, message, session)
            message = f"session {session} of account {account} is being granted anew or revoked"
            raise Refused(Reject.SESSION_NOT_FOUND, message, session)

    def same(self, command: Command) -> int | None:
        """Return when the same command was received, if it waits and no trader signs it.

        A second one would do nothing in the same window, or what a later one can do.
        """
        return self._unsigned.get(command)

    def add(self, item: Received) -> None:
        """Take a command in."""
        self._queue.append(item)
        for slot in item.changes:
            count_one(self._changing, slot)
        sender = sender_of_item(item)
        if sender is not None:
            count_one(self._senders, sender)
        if is_unsigned(item):
            self._unsigned[item.command] = item.received_ns

    def take_window(self, count_max: int) -> list[Received]:
        """Take out the commands of one window."""
        taken = [self._queue.popleft() for _ in range(window_length(self._queue, count_max))]
        for item in taken:
            for slot in item.changes:
                forget_one(self._changing, slot)
            sender = sender_of_item(item)
            if sender is not None:
                forget_one(self._senders, sender)
            if is_unsigned(item):
                del self._unsigned[item.command]
        return taken


def sender_of(command: Command, signed_by: Sequence[KeySlot]) -> KeySlot | None:
    """Return whose share of the queue a command takes: a request of the inbox takes nobody's."""
    if signed_by:
        return signed_by[0]
    return None if command.TAG in INBOX_TAGS else NOBODY


def sender_of_item(item: Received) -> KeySlot | None:
    """Return whose share a command in the queue takes."""
    if item.signed_by:
        return item.signed_by[0]
    return None if item.is_request else NOBODY


def is_unsigned(item: Received) -> bool:
    """Whether the same command can be sent again by somebody else: it has no nonce."""
    return not item.is_traders and not item.is_request


def count_one(counts: dict[KeySlot, int], slot: KeySlot) -> None:
    counts[slot] = counts.get(slot, 0) + 1


def forget_one(counts: dict[KeySlot, int], slot: KeySlot) -> None:
    """Count one less; of what there is none, nothing is kept."""
    left = counts[slot] - 1
    if left:
        counts[slot] = left
    else:
        del counts[slot]
