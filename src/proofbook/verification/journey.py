"""The way of one entry, told by the chain alone: append, outcome, claimed root, finality."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from proofbook.chain.batches import segment_ends
from proofbook.chain.contracts import FINALITY_WINDOW_SECONDS
from proofbook.chain.rpc import to_hex
from proofbook.protocol.commands import Malformed
from proofbook.protocol.engine import Engine, Result
from proofbook.protocol.entry import Entry, entry_hash, split_entries
from proofbook.protocol.events import OrderRested, decode_events, event_tag
from proofbook.verification.chain_reader import AppendedAt, ChainReader
from proofbook.verification.engines import EngineName, make_engine
from proofbook.verification.receipts import DataUnreadable

Progress = Callable[[int], None]
"""Told the number of the last entry replayed."""


@dataclass
class Journey:
    """How far an entry has come. What it has not reached yet is None."""

    seq: int
    command: str
    entry_hash: str
    window_ns: int
    outcome: str
    append: int
    transaction: str
    claim: int | None = None
    root: str | None = None
    claimed_at: int | None = None
    final_at: int | None = None
    is_final: bool = False
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class NotOnChain(Exception):
    """The chain does not hold what is looked for. Operands: wanted, last_seq."""

    def __init__(self, wanted: str, last_seq: int) -> None:
        super().__init__(f"{wanted} is not on chain, which has {last_seq} entries")
        self.wanted = wanted
        self.last_seq = last_seq


def trace(
    reader: ChainReader,
    engine_name: EngineName,
    seq: int = 0,
    order: int = 0,
    progress: Progress = lambda seq: None,
) -> Journey:
    """Return the way of an entry, or of the one by which an order came to rest.

    Raises NotOnChain, DataUnreadable, ChainFault, Malformed (the genesis is none).
    """
    origin = reader.origin()
    engine = make_engine(engine_name, origin.genesis, reader.chain_id, reader.contract)
    for append in reader.appends():
        journey = _look_into(reader, engine, append, seq, order)
        progress(engine.seq)
        if journey is not None:
            return _with_claim(reader, journey)
    wanted = f"order {order}" if order else f"entry {seq}"
    raise NotOnChain(wanted, engine.seq)


def _look_into(
    reader: ChainReader, engine: Engine, append: AppendedAt, seq: int, order: int
) -> Journey | None:
    """Execute an append; return the entry that is looked for, if it is in there."""
    data, first_seq = reader.entries_of(append), engine.seq + 1
    if data is None:
        raise DataUnreadable(append.event.append_index, "its transaction is no call of append")
    try:
        entries = split_entries(data)
    except Malformed as error:
        raise DataUnreadable(append.event.append_index, str(error)) from None
    results = engine.apply(entries)
    for place, (entry, result) in enumerate(zip(entries, results, strict=True)):
        if first_seq + place == seq or (order and _has_rested(result, order)):
            return _told(first_seq + place, entry, result, append)
    return None


def _has_rested(result: Result, order: int) -> bool:
    return any(
        isinstance(event, OrderRested) and event.order == order
        for event in decode_events(result.events)
    )


def _told(seq: int, entry: bytes, result: Result, append: AppendedAt) -> Journey:
    try:
        decoded = Entry.decode(entry)
        command, window_ns = type(decoded.command).__name__, decoded.window_ns
    except Malformed as fault:
        command, window_ns = f"unreadable: {fault}", 0
    events = [
        {"event": event_tag(event).name, **plain(event._asdict())}
        for event in decode_events(result.events)
    ]
    return Journey(
        seq=seq,
        command=command,
        entry_hash=to_hex(entry_hash(entry)),
        window_ns=window_ns,
        outcome=result.outcome.name,
        append=append.event.append_index,
        transaction=to_hex(append.transaction_hash),
        events=events,
    )


def plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Return members as JSON has them: bytes in hex."""
    return {name: to_hex(v) if isinstance(v, bytes) else v for name, v in fields.items()}


def _with_claim(reader: ChainReader, journey: Journey) -> Journey:
    """Add the claim that states a root after the entry, if there is one."""
    for claim in reader.claims():
        event = claim.event
        if not event.first_seq <= journey.seq <= event.last_seq:
            continue
        ends = segment_ends(event.first_seq, event.last_seq)
        place = next(n for n, end in enumerate(ends) if journey.seq <= end)
        journey.claim, journey.is_final = event.claim_index, claim.is_final
        journey.root = to_hex(event.checkpoint_roots[place])
        journey.claimed_at = claim.kept.claimed_at
        journey.final_at = claim.kept.claimed_at + reader.view(FINALITY_WINDOW_SECONDS)
    return journey
