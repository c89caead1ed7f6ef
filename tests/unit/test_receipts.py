"""Receipts: every one of a group verifies, and no changed one does."""

from dataclasses import replace

import msgspec
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from proofbook import _native
from proofbook.api.convert import receipt_from_reply, receipt_reply
from proofbook.api.receipts import (
    LEAF,
    RECEIPT_GROUP_TYPE,
    Receipt,
    ReceiptGroup,
    group_digest,
    names_entry,
    verify,
)
from proofbook.api.signing import HALF_ORDER, Key, recover
from proofbook.protocol.commands import Tick
from proofbook.protocol.eip712 import DOMAIN_TYPE, domain_separator, parse_type
from proofbook.protocol.entry import Entry, command_bytes
from proofbook.protocol.hashing import keccak, merkle_proof, merkle_root
from proofbook.protocol.limits import APPEND_BYTES_MAX, Reject
from proofbook.protocol.outcomes import APPLIED, Outcome
from proofbook.sequencer.inclusion import Inclusion
from proofbook.sequencer.receipts import Shared, SignedReceipt, read_receipt, sign_group

CHAIN_ID, CONTRACT = 31337, b"\x11" * 20
SEPARATOR = domain_separator(CHAIN_ID, CONTRACT)
KEY, STRANGER = Key(b"\x01" * 32), Key(b"\x02" * 32)
WINDOW_NS = 5_000


Rows = tuple[list[bytes], list[bytes], list[int], list[Outcome]]


def rows_of(count: int) -> Rows:
    """Return hashes, chain, times of receipt and outcomes of Ticks, every third one rejected."""
    places = range(count)
    received_ns = [4_000 + place for place in places]
    entries = [Entry(WINDOW_NS, at_ns, Tick()).encode() for at_ns in received_ns]
    rejected = Outcome.rejected(Reject.ORDER_NOT_FOUND)
    outcomes = [rejected if place % 3 == 2 else APPLIED for place in places]
    chain_hashes = [keccak(bytes((place,))) for place in places]
    return [keccak(entry) for entry in entries], chain_hashes, received_ns, outcomes


def signed(rows: Rows, shared: Shared) -> list[SignedReceipt]:
    entry_hashes, chain_hashes, received_ns, outcomes = rows
    return sign_group(KEY, SEPARATOR, shared, (entry_hashes, chain_hashes), received_ns, outcomes)


def signed_group(count: int) -> list[Receipt]:
    """Return the receipts of a group of Ticks."""
    return [read_receipt(each) for each in signed(rows_of(count), Shared(1, 10, WINDOW_NS, 9_000))]


def as_the_protocol_signs(rows: Rows, shared: Shared) -> list[Receipt]:
    """Return the receipts of a group, made member by member."""
    epoch, first_seq, window_ns, include_by_ns = shared
    numbered = list(enumerate(zip(*rows, strict=True), first_seq))
    leaves = [
        keccak(LEAF.pack(epoch, seq, entry_hash, chain_hash, at_ns, include_by_ns, *outcome))
        for seq, (entry_hash, chain_hash, at_ns, outcome) in numbered
    ]
    root, count = merkle_root(leaves), len(leaves)
    signature = KEY.sign(group_digest(SEPARATOR, root, epoch, first_seq, count))
    group = ReceiptGroup(root, epoch, first_seq, count, signature)
    return [
        Receipt(
            epoch, seq, entry_hash, chain_hash, at_ns, include_by_ns, outcome, window_ns,
            tuple(merkle_proof(leaves, seq - first_seq)), group,
        )
        for seq, (entry_hash, chain_hash, at_ns, outcome) in numbered
    ]  # fmt: skip


@given(st.integers(1, 40))
def test_every_receipt_of_a_group_verifies(count: int) -> None:
    for receipt in signed_group(count):
        assert verify(receipt, SEPARATOR, KEY.address)
        assert receipt_from_reply(receipt_reply(receipt)) == receipt


def test_a_group_is_signed_once() -> None:
    assert len({receipt.group.signature for receipt in signed_group(20)}) == 1


def test_a_receipt_names_the_entry_that_was_sent_and_no_other() -> None:
    receipt = signed_group(1)[0]
    assert names_entry(receipt, command_bytes(Tick()))
    assert not names_entry(receipt, command_bytes(Tick(3)))


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": 2},
        {"seq": 12},
        {"entry_hash": bytes(32)},
        {"chain_hash": bytes(32)},
        {"received_ns": 1},
        {"include_by_ns": 1},
        {"outcome": Outcome.rejected(Reject.ARENA_FULL)},
        {"path": ()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_receipt_does_not_verify(change: dict[str, object]) -> None:
    receipt = replace(signed_group(5)[1], **change)
    assert not verify(receipt, SEPARATOR, KEY.address)


def test_a_member_that_does_not_fit_its_field_does_not_verify() -> None:
    receipt = signed_group(4)[1]
    longer = {"chain_hash": receipt.chain_hash + b"x", "entry_hash": receipt.entry_hash + b"x"}
    for name, value in longer.items():
        assert not verify(replace(receipt, **{name: value}), SEPARATOR, KEY.address), name
    for name in ("epoch", "seq", "window_ns", "received_ns", "include_by_ns"):
        for number in (-1, 2**64):
            changed = replace(receipt, **{name: number})
            assert not verify(changed, SEPARATOR, KEY.address), name
            assert not names_entry(changed, command_bytes(Tick())), name
    for reason in (-1, 256):
        changed = replace(receipt, outcome=Outcome(receipt.outcome.kind, reason))
        assert not verify(changed, SEPARATOR, KEY.address), reason


def test_another_signer_and_another_domain_do_not_verify() -> None:
    receipt = signed_group(5)[3]
    assert not verify(receipt, SEPARATOR, STRANGER.address)
    assert not verify(receipt, domain_separator(1, CONTRACT), KEY.address)


def test_a_receipt_beyond_its_group_does_not_verify() -> None:
    last = signed_group(5)[4]
    padding = replace(last, seq=last.group.first_seq + 5)
    assert not verify(padding, SEPARATOR, KEY.address)


def test_the_group_digest_is_that_of_a_wallet() -> None:
    group = signed_group(3)[0].group
    document = {
        "types": parse_type(DOMAIN_TYPE) | parse_type(RECEIPT_GROUP_TYPE),
        "primaryType": "ReceiptGroup",
        "domain": {
            "name": "Proofbook",
            "version": "1",
            "chainId": CHAIN_ID,
            "verifyingContract": "0x" + CONTRACT.hex(),
        },
        "message": {"root": group.root, "epoch": 1, "firstSeq": 10, "count": 3},
    }
    signed = Account.sign_message(encode_typed_data(full_message=document), b"\x01" * 32)
    assert group.signature[:32] == signed.r.to_bytes(32, "big")


def test_s_in_the_high_half_recovers_to_nobody() -> None:
    digest = keccak(b"x")
    signature = KEY.sign(digest)
    assert recover(digest, signature) == KEY.address
    high_s = (HALF_ORDER + 1).to_bytes(32, "big")
    assert recover(digest, signature[:32] + high_s) is None


@pytest.mark.parametrize("signature", [b"", bytes(64), b"\xff" * 64, bytes(65)])
def test_what_is_no_signature_recovers_to_nobody(signature: bytes) -> None:
    assert recover(keccak(b"x"), signature) is None


def test_the_promise_grows_with_what_waits_and_intake_closes_before_it_breaks() -> None:
    inclusion = Inclusion(base_ns=100, append_ns=10, promise_ns_max=115)
    assert (inclusion.promise_ns, inclusion.is_open) == (100, True)
    inclusion.journalled(5, APPEND_BYTES_MAX)
    assert (inclusion.promise_ns, inclusion.is_open) == (110, True)
    inclusion.journalled(9, APPEND_BYTES_MAX)
    assert (inclusion.promise_ns, inclusion.is_open) == (120, False)
    inclusion.appended(5)
    assert (inclusion.promise_ns, inclusion.is_open) == (110, True)
    inclusion.appended(9)
    assert inclusion.promise_ns == 100


@given(st.integers(1, 40), st.integers(1, 2**64 - 41), st.integers(0, 2**64 - 1))
def test_a_group_is_signed_as_the_protocol_says(count: int, first_seq: int, at_ns: int) -> None:
    rows, shared = rows_of(count), Shared(1, first_seq, WINDOW_NS, at_ns)
    expected, receipts = as_the_protocol_signs(rows, shared), signed(rows, shared)
    assert [read_receipt(each) for each in receipts] == expected
    written = [each.json(said.outcome.name) for each, said in zip(receipts, expected, strict=True)]
    assert written == [msgspec.json.encode(receipt_reply(said)).decode() for said in expected]


def test_a_group_takes_rows_that_fit_and_a_whole_signature() -> None:
    for hashes, received_ns, outcomes in (
        (b"", [], b""),
        (bytes(32), [], b""),
        (bytes(31), [1], bytes(2)),
        (bytes(32), [1], bytes(3)),
        (bytes(64), [1], bytes(2)),
    ):
        with pytest.raises(ValueError, match="no rows, or not"):
            _native.ReceiptGroup((1, 1, 1, 0), hashes, hashes, received_ns, outcomes)
    group = _native.ReceiptGroup((1, 1, 1, 0), bytes(32), bytes(32), [1], bytes(2))
    with pytest.raises(ValueError, match="a signature of 63 bytes"):
        group.signed(bytes(63))
