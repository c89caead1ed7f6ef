"""Receipts of one commit group: one tree, one signature, a short path for each entry."""

from collections.abc import Sequence
from typing import NamedTuple

from proofbook import _native
from proofbook.api.receipts import LEAF, Receipt, ReceiptGroup, group_digest
from proofbook.api.signing import Key
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
    leaves = [
        LEAF.pack(epoch, seq, entry_hash, chain_hash, received_ns, include_by_ns, *outcome)
        for seq, (entry_hash, chain_hash, received_ns, include_by_ns, outcome) in enumerate(
            items, first_seq
        )
    ]
    root, paths = _native.receipt_tree(b"".join(leaves))
    count = len(items)
    signature = key.sign(group_digest(separator, root, epoch, first_seq, count))
    group = ReceiptGroup(root, epoch, first_seq, count, signature)
    return [
        Receipt(epoch, seq, *item, window_ns, path, group)
        for seq, (item, path) in enumerate(zip(items, paths, strict=True), first_seq)
    ]
