"""Receipts of one commit group: one tree, one signature, a short path for each entry."""

from collections.abc import Sequence
from typing import NamedTuple

from proofbook.api.receipts import Receipt, ReceiptGroup, group_digest, receipt_leaf
from proofbook.api.signing import Key
from proofbook.protocol.hashing import merkle_levels
from proofbook.protocol.outcomes import Outcome


class Receiptable(NamedTuple):
    """What a receipt says about one entry, before it is signed."""

    entry_hash: bytes
    chain_hash: bytes
    received_ns: int
    include_by_ns: int
    outcome: Outcome


def sign_receipts(
    key: Key,
    separator: bytes,
    epoch: int,
    first_seq: int,
    window_ns: int,
    items: Sequence[Receiptable],
) -> list[Receipt]:
    """Return the signed receipts of a group that is already on disk."""
    leaves = [receipt_leaf(epoch, first_seq + i, *item) for i, item in enumerate(items)]
    levels = merkle_levels(leaves)
    root, count = levels[-1][0], len(items)
    signature = key.sign(group_digest(separator, root, epoch, first_seq, count))
    group = ReceiptGroup(root, epoch, first_seq, count, signature)
    return [
        Receipt(epoch, first_seq + i, *item, window_ns, path=_path(levels, i), group=group)
        for i, item in enumerate(items)
    ]


def _path(levels: Sequence[Sequence[bytes]], index: int) -> tuple[bytes, ...]:
    return tuple(level[(index >> height) ^ 1] for height, level in enumerate(levels[:-1]))
