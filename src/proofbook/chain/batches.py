"""What of a batch follows from its bytes: segments, requests of the inbox, queued withdrawals."""

from collections.abc import Sequence

from proofbook.protocol.engine import Result
from proofbook.protocol.entry import HEAD, INBOX_TAGS
from proofbook.protocol.events import WithdrawalQueued, decode_events
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import SEGMENT_ENTRIES, Tag

TAGS_THAT_WITHDRAW = (Tag.DEPOSIT, Tag.WITHDRAW)  # a deposit that cannot be credited goes back


def segment_ends(first_seq: int, last_seq: int) -> list[int]:
    """Return the entries after which a batch has checkpoint roots: every 1,024th, and the last."""
    ends = list(range(first_seq + SEGMENT_ENTRIES - 1, last_seq, SEGMENT_ENTRIES))
    return [*ends, last_seq]


def command_of(entry: bytes) -> bytes:
    """Return the command's bytes, which for an entry from the inbox are the request."""
    return entry[HEAD.size :]


def is_request(entry: bytes) -> bool:
    """Whether the entry, of at least 19 bytes, comes from the inbox."""
    return entry[HEAD.size] in INBOX_TAGS


def inbox_hash_after(inbox_hash: bytes, entries: Sequence[bytes]) -> bytes:
    """Return the prefix hash of the requests consumed up to and with these entries."""
    for entry in entries:
        if is_request(entry):
            inbox_hash = keccak(inbox_hash + keccak(command_of(entry)))
    return inbox_hash


def queued_withdrawals(entry: bytes, result: Result) -> list[WithdrawalQueued]:
    """Return the leaves that an entry put into the withdrawal tree."""
    # The events of all other commands are not worth decoding.
    if entry[HEAD.size] not in TAGS_THAT_WITHDRAW:
        return []
    return [event for event in decode_events(result.events) if isinstance(event, WithdrawalQueued)]
