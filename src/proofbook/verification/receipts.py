"""Receipts held to the chain: is each entry where, when and what the sequencer promised?"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from proofbook.api.receipts import Receipt, names_entry, verify
from proofbook.protocol.commands import Malformed
from proofbook.protocol.eip712 import domain_separator
from proofbook.protocol.engine import Engine
from proofbook.protocol.entry import entry_hash, split_entries
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.protocol.outcomes import Outcome
from proofbook.verification.chain_reader import AppendedAt, ChainReader
from proofbook.verification.engines import EngineName, make_engine


class Verdict(StrEnum):
    """What became of a receipt. Only INCLUDED and PENDING keep the promise."""

    INCLUDED = "INCLUDED"
    INCLUDED_LATE = "INCLUDED_LATE"
    PENDING = "PENDING"
    OVERDUE = "OVERDUE"
    ENTRY_DIFFERS = "ENTRY_DIFFERS"
    ORDER_DIFFERS = "ORDER_DIFFERS"
    OUTCOME_DIFFERS = "OUTCOME_DIFFERS"
    CONTRADICTED = "CONTRADICTED"
    NOT_SIGNED = "NOT_SIGNED"
    NOT_OF_COMMAND = "NOT_OF_COMMAND"

    @property
    def is_kept(self) -> bool:
        return self in (Verdict.INCLUDED, Verdict.PENDING)


class Held(NamedTuple):
    """A receipt with what its holder knows: the command, and whose signature it must be."""

    receipt: Receipt
    body: bytes
    sequencer: bytes


class Judged(NamedTuple):
    """A receipt and what became of it; `note` says it in words."""

    seq: int
    verdict: Verdict
    note: str


class OnChain(NamedTuple):
    """What the chain says of an entry: its bytes' hash, the chain of hashes, what it came to."""

    append: int
    block: int
    entry_hash: bytes
    chain_hash: bytes
    outcome: Outcome


class DataUnreadable(Exception):
    """An append whose entries cannot be had. Operands: append, reason."""

    def __init__(self, append: int, reason: str) -> None:
        super().__init__(f"the entries of append {append} cannot be read: {reason}")
        self.append = append
        self.reason = reason


def judge(reader: ChainReader, held: Sequence[Held], engine_name: EngineName) -> list[Judged]:
    """Return a verdict for each receipt, in the order given.

    Raises ChainFault, DataUnreadable, Malformed (the genesis is none).
    """
    separator = domain_separator(reader.chain_id, reader.contract)
    origin = reader.origin()
    engine = make_engine(engine_name, origin.genesis, reader.chain_id, reader.contract)
    wanted = {item.receipt.seq for item in held}
    found, last_seq = entries_on_chain(reader, engine, wanted)
    now_ns = reader.time_seconds() * NS_PER_SECOND
    times_seconds = reader.times_seconds(entry.block for entry in found.values())
    signed: dict[tuple[int, int], Receipt] = {}
    judged: list[Judged] = []
    for item in held:
        receipt, entry = item.receipt, found.get(item.receipt.seq)
        verdict = own_verdict(item, separator)
        if verdict is None:
            first = signed.setdefault((receipt.epoch, receipt.seq), receipt)
            verdict = contradiction(first, receipt)
        if verdict is None and entry is None:
            verdict = against_absence(receipt, last_seq, now_ns)
        elif verdict is None and entry is not None:
            verdict = against_chain(receipt, entry, times_seconds[entry.block] * NS_PER_SECOND)
        assert verdict is not None, "absent or on chain"
        judged.append(Judged(receipt.seq, *verdict))
    return judged


def entries_on_chain(
    reader: ChainReader, engine: Engine, wanted: set[int]
) -> tuple[dict[int, OnChain], int]:
    """Execute all that is appended; return what is wanted of it, and the last entry's number."""
    found: dict[int, OnChain] = {}
    chain_hash, seq = bytes(32), 0
    for append, entries in appended(reader):
        results = engine.apply(entries)
        for entry, result in zip(entries, results, strict=True):
            seq += 1
            hashed = entry_hash(entry)
            chain_hash = keccak(chain_hash + hashed)
            if seq in wanted:
                place = append.event.append_index, append.block
                found[seq] = OnChain(*place, hashed, chain_hash, result.outcome)
    return found, seq


def appended(reader: ChainReader) -> Iterator[tuple[AppendedAt, list[bytes]]]:
    """Yield each append with its entries. Raises DataUnreadable."""
    for append in reader.appends():
        index, data = append.event.append_index, reader.entries_of(append)
        if data is None:
            raise DataUnreadable(index, "its transaction is no call of append")
        try:
            yield append, split_entries(data)
        except Malformed as error:
            raise DataUnreadable(index, str(error)) from None


def own_verdict(item: Held, separator: bytes) -> tuple[Verdict, str] | None:
    """Return what is wrong with a receipt by itself: such a one binds nobody."""
    if not verify(item.receipt, separator, item.sequencer):
        who = "0x" + item.sequencer.hex()
        return Verdict.NOT_SIGNED, f"{who} did not sign it for this venue"
    if not names_entry(item.receipt, item.body):
        return Verdict.NOT_OF_COMMAND, "it is of another command than the one that was sent"
    return None


def contradiction(first: Receipt, second: Receipt) -> tuple[Verdict, str] | None:
    """Return that the sequencer signed two different things about one number."""
    members = ("entry_hash", "chain_hash", "received_ns", "outcome")
    differing = [name for name in members if getattr(first, name) != getattr(second, name)]
    if not differing:
        return None
    words = ", ".join(differing)
    return Verdict.CONTRADICTED, f"another receipt of the same number has another {words}"


def against_absence(receipt: Receipt, last_seq: int, now_ns: int) -> tuple[Verdict, str]:
    """Return what it says about a valid receipt that the chain does not have its entry."""
    missing = f"the chain has {last_seq} entries"
    late_ns = now_ns - receipt.include_by_ns
    if not receipt.include_by_ns:
        return Verdict.PENDING, f"{missing}; nothing was promised"
    if late_ns <= 0:
        return Verdict.PENDING, f"{missing}; promised within {-late_ns // NS_PER_SECOND} s"
    return Verdict.OVERDUE, f"{missing}; promised {late_ns // NS_PER_SECOND} s ago"


def against_chain(receipt: Receipt, on_chain: OnChain, appended_ns: int) -> tuple[Verdict, str]:
    """Return what the chain says about a valid receipt, in the order of how grave it is.

    Units appended_ns: time of the append's block, whole seconds: rounded down, for the operator.
    """
    where = f"append {on_chain.append}"
    if on_chain.entry_hash != receipt.entry_hash:
        return Verdict.ENTRY_DIFFERS, f"{where} has another entry in its place"
    if on_chain.chain_hash != receipt.chain_hash:
        return Verdict.ORDER_DIFFERS, f"{where}: other entries come before it than were signed"
    if on_chain.outcome != receipt.outcome:
        name = on_chain.outcome.name
        return Verdict.OUTCOME_DIFFERS, f"signed {receipt.outcome.name}, replayed {name}"
    late_ns = appended_ns - receipt.include_by_ns
    if receipt.include_by_ns and late_ns > 0:
        seconds = -(-late_ns // NS_PER_SECOND)
        return Verdict.INCLUDED_LATE, f"{where}, {seconds} s after it was promised"
    return Verdict.INCLUDED, f"{where}, {receipt.outcome.name}"
