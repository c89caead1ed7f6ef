"""Receipts: what the sequencer promises about one entry, and how anyone checks it.

The layout is in docs/reference/receipts.md.
"""

from dataclasses import dataclass
from struct import Struct

from proofbook.api.signing import recover
from proofbook.protocol.eip712 import digest, word
from proofbook.protocol.entry import HEAD, LENGTH, entry_hash
from proofbook.protocol.hashing import keccak, root_from_proof
from proofbook.protocol.outcomes import Outcome

LEAF = Struct(">QQ32s32sQQBB")
RECEIPT_GROUP_TYPE = "ReceiptGroup(bytes32 root,uint64 epoch,uint64 firstSeq,uint32 count)"
HASH_BYTES = 32
U8_MAX, U32_MAX, U64_MAX = 2**8 - 1, 2**32 - 1, 2**64 - 1
_RECEIPT_GROUP_HASH = keccak(RECEIPT_GROUP_TYPE.encode())


@dataclass(frozen=True, slots=True)
class ReceiptGroup:
    """The receipts of one commit to disk, under one signature."""

    root: bytes
    epoch: int
    first_seq: int
    count: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """Place, time and outcome of one entry, with the path to its group's root.

    `window_ns` is not in the leaf: the entry's hash covers it, and with it the hash can be checked.

    Units all three times: ns since the Unix epoch; include_by_ns 0: no promise.
    """

    epoch: int
    seq: int
    entry_hash: bytes
    chain_hash: bytes
    received_ns: int
    include_by_ns: int
    outcome: Outcome
    window_ns: int
    path: tuple[bytes, ...]
    group: ReceiptGroup


def receipt_leaf(
    epoch: int,
    seq: int,
    entry_hash: bytes,
    chain_hash: bytes,
    received_ns: int,
    include_by_ns: int,
    outcome: Outcome,
) -> bytes:
    """Return the leaf of one receipt: keccak of 98 bytes, so never an inner node's 64."""
    fields = (epoch, seq, entry_hash, chain_hash, received_ns, include_by_ns, *outcome)
    return keccak(LEAF.pack(*fields))


def group_digest(separator: bytes, root: bytes, epoch: int, first_seq: int, count: int) -> bytes:
    """Return what the sequencer signs once per group."""
    members = root + word(epoch) + word(first_seq) + word(count)
    return digest(separator, keccak(_RECEIPT_GROUP_HASH + members))


def is_well_formed(receipt: Receipt) -> bool:
    """Say whether every member fits the field that is signed.

    Packing cuts and fills up hashes: a longer one would be signed as well, and say something else.
    """
    group = receipt.group
    hashes = receipt.entry_hash, receipt.chain_hash, group.root, *receipt.path
    numbers = (
        receipt.epoch, receipt.seq, receipt.window_ns, receipt.received_ns, receipt.include_by_ns,
        group.epoch, group.first_seq,
    )  # fmt: skip
    return (
        all(len(word) == HASH_BYTES for word in hashes)
        and all(0 <= number <= U64_MAX for number in numbers)
        and 0 < group.count <= U32_MAX
        and 0 <= receipt.outcome.reason <= U8_MAX
    )


def names_entry(receipt: Receipt, body: bytes) -> bool:
    """Say whether the receipt is of the entry with these command bytes."""
    if not is_well_formed(receipt):
        return False
    length = HEAD.size - LENGTH.size + len(body)
    entry = HEAD.pack(length, receipt.window_ns, receipt.received_ns) + body
    return entry_hash(entry) == receipt.entry_hash


def verify(receipt: Receipt, separator: bytes, sequencer: bytes) -> bool:
    """Say whether the sequencer (20-byte address) signed exactly this receipt under this domain."""
    if not is_well_formed(receipt):
        return False
    group = receipt.group
    index = receipt.seq - group.first_seq
    if receipt.epoch != group.epoch or not 0 <= index < group.count:
        return False
    if len(receipt.path) != (group.count - 1).bit_length():
        return False
    leaf = receipt_leaf(
        receipt.epoch,
        receipt.seq,
        receipt.entry_hash,
        receipt.chain_hash,
        receipt.received_ns,
        receipt.include_by_ns,
        receipt.outcome,
    )
    if root_from_proof(leaf, index, receipt.path) != group.root:
        return False
    signed = group_digest(separator, group.root, group.epoch, group.first_seq, group.count)
    return recover(signed, group.signature) == sequencer
