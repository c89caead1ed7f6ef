"""States with an arena full: reached by writing its header, as nobody has the time to fill it."""

from typing import Any

from proofbook.kernel import Kernel, Store
from proofbook.protocol.engine import ARENA_HEADER
from proofbook.protocol.hashing import merkle_root
from proofbook.protocol.limits import STATE_ARENAS, ArenaId
from proofbook.protocol.records import RECORDS, GlobalRecord
from proofbook.spec import State
from proofbook.spec.arena import WORD_BYTES, Tree

MAGIC_BYTES, ROOT_BYTES, COUNT_BYTES = 8, 32, 4
RECORD_OF = {record.ARENA: record for record in RECORDS}


def filled(engine: Any, arena: ArenaId, store: Store | None) -> Any:
    """Return the engine in the same state, but without a free slot in one arena."""
    if isinstance(engine, State):
        records = engine.world.arenas[arena]
        records.live, records.high_water = records.capacity - 1, records.capacity
        records.changed.add(0)
        return engine
    assert isinstance(engine, Kernel) and store is not None, "no other engine"
    words = words_of(engine.snapshot())
    capacity = 1 << RECORD_OF[arena].CAPACITY_LOG2
    words[arena][0] = ARENA_HEADER.pack(0, 0, 0, capacity, capacity - 1)
    return Kernel.restore(snapshot_of(words), store=store)


def with_combos(engine: Any, count: int, store: Store | None) -> Any:
    """Return the engine in the same state, but with so many combos open."""
    if isinstance(engine, State):
        engine.world.header.combos_count = count
        return engine
    assert isinstance(engine, Kernel) and store is not None, "no other engine"
    words = words_of(engine.snapshot())
    written = b"".join(words[ArenaId.GLOBAL])
    header = GlobalRecord.unpack(written.ljust(GlobalRecord.WORDS * WORD_BYTES, b"\0"))
    header.combos_count = count
    packed = header.pack()[: len(written)]
    starts = range(0, len(packed), WORD_BYTES)
    words[ArenaId.GLOBAL] = [packed[place : place + WORD_BYTES] for place in starts]
    return Kernel.restore(snapshot_of(words), store=store)


def words_of(snapshot: bytes) -> dict[ArenaId, list[bytes]]:
    """Return the words of each arena of a snapshot."""
    offset, arenas = MAGIC_BYTES + ROOT_BYTES, dict[ArenaId, list[bytes]]()
    for arena in ArenaId:
        count = int.from_bytes(snapshot[offset : offset + COUNT_BYTES], "little")
        start = offset + COUNT_BYTES
        offset = start + WORD_BYTES * count
        starts = range(start, offset, WORD_BYTES)
        arenas[arena] = [snapshot[place : place + WORD_BYTES] for place in starts]
    assert offset == len(snapshot), "a snapshot holds every arena"
    return arenas


def snapshot_of(arenas: dict[ArenaId, list[bytes]]) -> bytes:
    """Return a snapshot under the root of its words."""
    roots = {int(arena): arena_root(arena, words) for arena, words in arenas.items()}
    root = merkle_root([roots.get(place, bytes(32)) for place in range(STATE_ARENAS)])
    counted = [(len(words).to_bytes(COUNT_BYTES, "little"), words) for words in arenas.values()]
    parts = [count + b"".join(words) for count, words in counted]
    return b"PBKSNAP1" + root + b"".join(parts)


def arena_root(arena: ArenaId, words: list[bytes]) -> bytes:
    record = RECORD_OF[arena]
    tree = Tree(record.CAPACITY_LOG2 + record.WORDS.bit_length() - 1)
    for index, word in enumerate(words):
        tree.set(index, word)
    return tree.root()
