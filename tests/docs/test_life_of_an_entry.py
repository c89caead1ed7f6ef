"""The document that follows one entry says what the program says; its bytes hold together."""

import re
from pathlib import Path

from eth_account import Account
from eth_account.messages import encode_typed_data
from tools.life_of_an_entry import ORDER_SEQ, Story, blocks, written

from proofbook.api.signing import recover
from proofbook.protocol.commands import Place
from proofbook.protocol.eip712 import typed_data
from proofbook.protocol.entry import Entry
from proofbook.protocol.hashing import keccak, root_from_proof

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/life-of-an-entry.md"
WRITTEN = dict(written(DOCUMENT.read_text()))


def value(block: str, name: str) -> str:
    """Return what a block of the document says of a name."""
    match = re.search(rf"^ *{re.escape(name)}  +(\S+)", WRITTEN[block], re.MULTILINE)
    assert match is not None, f"block {block} has no line {name!r}"
    return match[1]


def word(block: str, name: str) -> bytes:
    return bytes.fromhex(value(block, name).removeprefix("0x"))


def quoted_entry() -> bytes:
    """Return the entry out of the bytes column of the table."""
    columns = (line[31:97].strip() for line in WRITTEN["fields"].splitlines())
    return bytes.fromhex("".join(columns))


def quoted_order() -> Place:
    command = Entry.decode(quoted_entry()).command
    assert isinstance(command, Place), "the entry that the document follows is an order"
    return command


def test_document_shows_what_the_program_computes() -> None:
    computed = blocks(Story.load())
    assert WRITTEN.keys() == computed.keys(), "a block was added or lost"
    for name, text in computed.items():
        assert WRITTEN[name] == text, f"block {name}: run tools/life_of_an_entry.py"


def test_quoted_bytes_are_the_entry_of_the_quoted_hash() -> None:
    assert keccak(quoted_entry()) == word("hashes", "entry hash")
    assert Entry.decode(quoted_entry()).encode() == quoted_entry()


def test_quoted_signature_is_the_signers() -> None:
    entry = Entry.decode(quoted_entry())
    assert recover(word("message", "digest signed"), entry.signature) == word("message", "signer")


def test_quoted_digest_is_the_one_of_eth_account() -> None:
    story = Story.load()
    message = encode_typed_data(
        full_message=typed_data(story.chain_id, story.contract, quoted_order())
    )
    digest = keccak(b"\x19" + message.version + message.header + message.body)
    assert digest == word("message", "digest signed")
    entry = Entry.decode(quoted_entry())
    parity, s = entry.signature[32] >> 7, bytes((entry.signature[32] & 127,)) + entry.signature[33:]
    signer = Account.recover_message(message, (parity, entry.signature[:32], s))
    assert signer.lower() == value("message", "signer")


def test_quoted_chain_hash_follows() -> None:
    link = word("hashes", "chain hash before") + word("hashes", "entry hash")
    assert keccak(link) == word("hashes", "chain hash after")


def test_quoted_trade_moves_the_quoted_atoms() -> None:
    order = quoted_order()
    tick_value_atoms = int(value("records", "tick value, atoms"))
    moved_atoms = order.price_ticks * order.lots * tick_value_atoms
    assert int(value("records", "entry, atoms")) == -moved_atoms
    paid_atoms = int(value("records", "cash before, atoms")) - int(
        value("records", "cash after, atoms")
    )
    assert paid_atoms == int(value("outcome", "taker_fee_atoms"))


def test_quoted_siblings_lead_to_the_data_root() -> None:
    siblings = [word("data_tree", f"sibling {height}") for height in range(5)]
    leaf = word("data_tree", "leaf")
    assert leaf == word("hashes", "entry hash")
    assert root_from_proof(leaf, ORDER_SEQ - 1, siblings) == word("data_tree", "data root")


def test_withdrawal_opens_the_claimed_root() -> None:
    assert word("withdrawal", "state root") == word("claim", "root 0")
