"""Receipts of one commit group: one tree, one signature, a short path for each entry."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from proofbook import _native
from proofbook.api.receipts import Receipt, ReceiptGroup, group_digest
from proofbook.api.signing import Key
from proofbook.protocol.limits import OutcomeKind
from proofbook.protocol.outcomes import Outcome

SignedReceipt: TypeAlias = _native.SignedReceipt
"""A receipt of a signed group, put into members or words when somebody asks for them."""


class Shared(NamedTuple):
    """What all receipts of a group say."""

    epoch: int
    first_seq: int
    window_ns: int
    include_by_ns: int


def sign_group(
    key: Key,
    separator: bytes,
    shared: Shared,
    hashes: tuple[Sequence[bytes], Sequence[bytes]],
    received_ns: Sequence[int],
    outcomes: Sequence[Outcome],
) -> list[SignedReceipt]:
    """Return the signed receipts of a group that is already on disk.

    `hashes`: of each entry, and of the chain after it.
    """
    entry_hashes, chain_hashes = map(b"".join, hashes)
    joined = b"".join([outcome.encode() for outcome in outcomes])
    group = _native.ReceiptGroup(shared, entry_hashes, chain_hashes, received_ns, joined)
    count, (epoch, first_seq, _, _) = len(outcomes), shared
    return group.signed(key.sign(group_digest(separator, group.root, epoch, first_seq, count)))


def read_receipt(signed: SignedReceipt) -> Receipt:
    """Return a signed receipt member by member."""
    epoch, first_seq, window_ns, include_by_ns, count, root, signature = signed.shared()
    entry_hash, chain_hash, received_ns, kind, reason, path = signed.members()
    return Receipt(
        epoch, signed.seq, entry_hash, chain_hash, received_ns, include_by_ns,
        Outcome(OutcomeKind(kind), reason), window_ns, tuple(path),
        ReceiptGroup(root, epoch, first_seq, count, signature),
    )  # fmt: skip
