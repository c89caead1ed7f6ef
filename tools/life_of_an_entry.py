#!/usr/bin/env python3
"""Write the quoted bytes and numbers of docs/life-of-an-entry.md from the vectors and the spec.

In the document a line `<!-- computed: NAME -->` stands before each block that this program owns.
`--check` writes nothing and exits 1 when a block differs.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from proofbook.api.receipts import Receipt
from proofbook.api.signing import Key
from proofbook.protocol.commands import Place, Reader, Withdraw
from proofbook.protocol.eip712 import command_digest, domain_separator, typed_data
from proofbook.protocol.entry import HEAD, Entry, entry_hash, own_class, split_entries
from proofbook.protocol.events import WithdrawalQueued, decode_events
from proofbook.protocol.hashing import keccak, merkle_proof, merkle_root
from proofbook.protocol.limits import SEGMENT_ENTRIES, ArenaId
from proofbook.protocol.outcomes import Outcome
from proofbook.protocol.records import AccountRecord, InstrumentRecord, PositionRecord
from proofbook.sequencer.receipts import Shared, read_receipt, sign_group
from proofbook.spec import State

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs/life-of-an-entry.md"
BLOCK = re.compile(r"(<!-- computed: (\w+) -->\n```\w*\n)(.*?)(```\n)", re.DOTALL)

ORDER_SEQ, WITHDRAWAL_SEQ = 10, 13
"""Ann's order and Ann's withdrawal in vectors/transition/money.json."""

SEQUENCER = Key(keccak(b"sequencer"))
"""Signs the receipt of the document; every venue has a key of its own."""

EPOCH = 1

PLACE_FIELDS = (
    "account u32", "nonce u64", "expires_ns u64", "instrument u32", "side u8", "order_type u8",
    "price_ticks u32", "lots u64", "time_in_force u8", "flags u8", "self_trade_prevention u8",
    "group u16", "max_fee_ppm u32", "label 8",
)  # fmt: skip
WIDTHS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}


class Step(NamedTuple):
    """One entry of the story, what became of it, and the state root after it."""

    entry: bytes
    outcome: Outcome
    events: bytes
    root: bytes


@dataclass(frozen=True)
class Story:
    """The story of money.json: deposits, a perpetual, one trade, withdrawals."""

    genesis: bytes
    chain_id: int
    contract: bytes
    steps: list[Step]
    withdrawal: dict[str, Any]
    append: dict[str, Any]

    @classmethod
    def load(cls) -> "Story":
        story = read_vectors("transition/money.json")
        steps = [
            Step(
                unhex(row["entry"]),
                Outcome.decode(bytes(row["outcome"])),
                unhex(row["events"]),
                unhex(row["root"]),
            )
            for row in story["entries"]
        ]
        return cls(
            unhex(story["genesis"]),
            story["chain_id"],
            unhex(story["contract"]),
            steps,
            read_vectors("settlement/withdrawal_of_usdc.json"),
            read_vectors("settlement/append.json"),
        )

    def step(self, seq: int) -> Step:
        return self.steps[seq - 1]

    @cached_property
    def separator(self) -> bytes:
        return domain_separator(self.chain_id, self.contract)

    @cached_property
    def chain_hashes(self) -> list[bytes]:
        """The journal's chain hash before the first entry and after each."""
        hashes = [bytes(32)]
        for step in self.steps:
            hashes.append(keccak(hashes[-1] + entry_hash(step.entry)))
        return hashes

    def state(self, seq: int) -> State:
        """Return the spec's state after an entry."""
        state = State(self.genesis, self.chain_id, self.contract)
        state.apply([step.entry for step in self.steps[:seq]])
        return state


def read_vectors(name: str) -> Any:
    return json.loads((ROOT / "vectors" / name).read_text())


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def table(rows: Iterable[tuple[str, object]]) -> str:
    """Return lines of a name and a value; bytes in hexadecimal."""
    return "".join(
        f"{name:<22}{'0x' + value.hex() if isinstance(value, bytes) else value}".rstrip() + "\n"
        for name, value in rows
    )


def utc(nanoseconds: int) -> str:
    """Return a time as people write it, to the nanosecond."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest:09d} UTC"


# The blocks


def message(story: Story, entry: Entry) -> str:
    """What the wallet shows and signs."""
    command = entry.command
    assert isinstance(command, Place), "the story's order"
    data = typed_data(story.chain_id, story.contract, command)
    signer = Key(keccak(b"ann")).address
    return table(data["message"].items()) + table(
        [
            ("", ""),
            ("domain separator", story.separator),
            ("digest signed", command_digest(story.separator, command)),
            ("signer", signer),
        ]
    )


def fields(story: Story) -> str:
    """The entry, field by field: offset, bytes, name, value."""
    reader, rows = Reader(story.step(ORDER_SEQ).entry), list[str]()

    def row(name: str, size: int, value: str | None = None) -> None:
        offset, data = reader.offset, reader.take(size)
        pieces = [data[at : at + 32].hex() for at in range(0, size, 32)]
        shown = value or ("" if size > 8 else str(int.from_bytes(data, "little")))
        rows.append(f"{offset:>4}  {name:<25}{pieces[0]:<66}{shown}")
        rows.extend(f"{'':<31}{piece}" for piece in pieces[1:])

    for name, size in (("length u16", 2), ("window_ns u64", 8), ("received_ns u64", 8)):
        row(name, size)
    row("tag u8", 1, "PLACE")
    row("session u8", 1)
    row("signature 64", 64)
    for field in PLACE_FIELDS:
        kind = field.split()[1]
        row(field, WIDTHS.get(kind, 8))
    assert reader.offset == len(reader.data), "every byte is shown"
    return "".join(line.rstrip() + "\n" for line in rows)


def order(entry: Entry) -> str:
    command = entry.command
    assert isinstance(command, Place), "the story's order"
    return table(
        [
            ("received", utc(entry.received_ns)),
            ("window", utc(entry.window_ns)),
            ("expires", utc(command.expires_ns)),
            ("class", own_class(command)),
            ("seq", ORDER_SEQ),
        ]
    )


def hashes(story: Story) -> str:
    step = story.step(ORDER_SEQ)
    return table(
        [
            ("bytes", len(step.entry)),
            ("entry hash", entry_hash(step.entry)),
            ("chain hash before", story.chain_hashes[ORDER_SEQ - 1]),
            ("chain hash after", story.chain_hashes[ORDER_SEQ]),
        ]
    )


def outcome(story: Story) -> str:
    """Outcome and events of the order."""
    step = story.step(ORDER_SEQ)
    head = table([("outcome", f"{step.outcome.encode().hex()}  {step.outcome.name}")])
    events = [
        f"\n{type(event).__name__}\n"
        + table((f"  {name}", value) for name, value in event._asdict().items())
        for event in decode_events(step.events)
    ]
    return head + "".join(events)


def records(story: Story, entry: Entry) -> str:
    """Roots before and after, and what the entry changed in records of its account."""
    command = entry.command
    assert isinstance(command, Place), "the story's order"
    before, after = story.state(ORDER_SEQ - 1), story.state(ORDER_SEQ)
    cash = [
        AccountRecord.unpack(state.read(ArenaId.ACCOUNTS, command.account)).cash_atoms
        for state in (before, after)
    ]
    slot = AccountRecord.unpack(after.read(ArenaId.ACCOUNTS, command.account)).positions_head
    position = PositionRecord.unpack(after.read(ArenaId.POSITIONS, slot))
    instrument = InstrumentRecord.unpack(after.read(ArenaId.INSTRUMENTS, position.instrument))
    return table(
        [
            ("root before", before.root()),
            ("root after", after.root()),
            ("cash before, atoms", cash[0]),
            ("cash after, atoms", cash[1]),
            ("position, lots", position.lots),
            ("entry, atoms", position.entry_atoms),
            ("tick value, atoms", instrument.tick_value_atoms),
        ]
    )


def receipt_of(story: Story) -> Receipt:
    """Return the receipt of the order; it is alone in its commit group."""
    step = story.step(ORDER_SEQ)
    entry = Entry.decode(step.entry)
    shared = Shared(EPOCH, ORDER_SEQ, entry.window_ns, entry.window_ns + 60 * 10**9)
    hashes = [entry_hash(step.entry)], [story.chain_hashes[ORDER_SEQ]]
    received_ns, outcomes = [entry.received_ns], [step.outcome]
    signed = sign_group(SEQUENCER, story.separator, shared, hashes, received_ns, outcomes)
    return read_receipt(signed[0])


def receipt(story: Story) -> str:
    r = receipt_of(story)
    return table(
        [
            ("epoch", r.epoch),
            ("seq", r.seq),
            ("entry hash", r.entry_hash),
            ("chain hash", r.chain_hash),
            ("received_ns", r.received_ns),
            ("include_by_ns", r.include_by_ns),
            ("outcome", f"{r.outcome.encode().hex()}  {r.outcome.name}"),
            ("siblings", len(r.path)),
            ("group root", r.group.root),
            ("group signature r", r.group.signature[:32]),
            ("group signature s", r.group.signature[32:]),
            ("sequencer", SEQUENCER.address),
        ]
    )


def data_tree(story: Story) -> str:
    """The leaf's place in the append that carries the story, and its proof."""
    entries = split_entries(unhex(story.append["entries"]))
    leaves = [entry_hash(entry) for entry in entries]
    siblings = merkle_proof(leaves, ORDER_SEQ - 1)
    assert merkle_root(leaves) == unhex(story.append["data_root"]), "the vector's data root"
    return table(
        [
            ("entries", len(entries)),
            ("bytes", sum(map(len, entries))),
            ("leaf", leaves[ORDER_SEQ - 1]),
            *((f"sibling {height}", node) for height, node in enumerate(siblings)),
            ("data root", merkle_root(leaves)),
            ("inbox hash", unhex(story.append["inbox_hash"])),
        ]
    )


def claim(story: Story) -> str:
    return table(
        [
            ("first_seq", 1),
            ("last_seq", len(story.steps)),
            ("checkpoint roots", -(-len(story.steps) // SEGMENT_ENTRIES)),
            ("root 0", story.steps[-1].root),
        ]
    )


def withdrawal(story: Story) -> str:
    """The withdrawal's leaf, and the two paths from it to the claimed root."""
    command = Entry.decode(story.step(WITHDRAWAL_SEQ).entry).command
    assert isinstance(command, Withdraw), "the story's withdrawal"
    queued = next(
        event
        for event in decode_events(story.step(WITHDRAWAL_SEQ).events)
        if isinstance(event, WithdrawalQueued)
    )
    proven = story.withdrawal["withdrawals"][queued.index]
    return table(
        [
            ("seq", WITHDRAWAL_SEQ),
            ("account", queued.account),
            ("index", queued.index),
            ("token", queued.token),
            ("recipient", queued.recipient),
            ("amount, atoms", queued.amount_atoms),
            ("leaf", unhex(proven["leaf"])),
            ("siblings of the leaf", len(proven["proof"])),
            ("withdrawal root", unhex(story.withdrawal["withdrawal_root"])),
            ("siblings of the root", len(story.withdrawal["root_proof"])),
            ("state root", unhex(story.withdrawal["state_root"])),
        ]
    )


def blocks(story: Story) -> dict[str, str]:
    """Return every computed block by name."""
    entry = Entry.decode(story.step(ORDER_SEQ).entry)
    assert HEAD.size == 18, "the document explains a head of 18 bytes"
    return {
        "message": message(story, entry),
        "fields": fields(story),
        "order": order(entry),
        "hashes": hashes(story),
        "outcome": outcome(story),
        "records": records(story, entry),
        "receipt": receipt(story),
        "data_tree": data_tree(story),
        "claim": claim(story),
        "withdrawal": withdrawal(story),
    }


def written(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and content of each computed block in the document."""
    for match in BLOCK.finditer(text):
        yield match[2], match[3]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if it differs")
    arguments = parser.parse_args()
    computed, before = blocks(Story.load()), DOCUMENT.read_text()
    after = BLOCK.sub(lambda match: match[1] + computed[match[2]] + match[4], before)
    if arguments.check:
        return int(after != before)
    DOCUMENT.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
