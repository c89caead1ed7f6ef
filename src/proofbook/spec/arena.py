"""An arena: numbered slots for the records of one class, and the Merkle tree over their words.

A record is a fixed number of words at a fixed place, so that one word is proved by its siblings
alone, and a command can be executed by somebody who has only the words that it touches.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

from proofbook.protocol.engine import ARENA_HEADER
from proofbook.protocol.hashing import keccak, zero_subtrees
from proofbook.protocol.records import Record

R = TypeVar("R", bound=Record)

WORD_BYTES = 32
NO_SLOT = 0
ZERO_SUBTREES = zero_subtrees(40)


class Tree:
    """A dense binary keccak tree over words, zero until set; only changed paths are rehashed."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.levels: list[dict[int, bytes]] = [{} for _ in range(depth + 1)]
        self.changed: set[int] = set()

    def set(self, index: int, word: bytes) -> None:
        if self.node(0, index) != word:
            self.levels[0][index] = word
            self.changed.add(index)

    def node(self, height: int, index: int) -> bytes:
        return self.levels[height].get(index, ZERO_SUBTREES[height])

    def root(self) -> bytes:
        """Return the root after hashing what lies above changed words."""
        below = self.changed
        self.changed = set()
        for height in range(self.depth):
            above = {index >> 1 for index in below}
            for index in above:
                pair = self.node(height, 2 * index) + self.node(height, 2 * index + 1)
                self.levels[height + 1][index] = keccak(pair)
            below = above
        return self.node(self.depth, 0)

    def proof(self, index: int) -> list[bytes]:
        """Return the siblings of a word from the bottom up, as of the last call of `root`."""
        return [self.node(height, (index >> height) ^ 1) for height in range(self.depth)]


class Arena(Generic[R]):
    """Slots 1, 2, … of one record class; slot 0 is the header.

    Freed slots are reused last in, first out.
    """

    def __init__(self, record_type: type[R]) -> None:
        self.record_type = record_type
        self.capacity = 1 << record_type.CAPACITY_LOG2
        self.records: dict[int, R] = {}
        self.free_head = NO_SLOT
        self.high_water = 1
        self.live = 0
        self.tree = Tree(record_type.CAPACITY_LOG2 + record_type.WORDS.bit_length() - 1)
        self.changed: set[int] = {0}

    def __getitem__(self, slot: int) -> R:
        """Return the record of a slot that has been in use, to read."""
        return self.records[slot]

    def __contains__(self, slot: int) -> bool:
        return slot in self.records

    def edit(self, slot: int) -> R:
        """Return the record of a slot that has been in use, to change."""
        self.changed.add(slot)
        return self.records[slot]

    def has_room(self, slots: int) -> bool:
        """Whether so many more slots can be allocated (freed ones are a part of the capacity)."""
        return self.live + slots < self.capacity

    def allocate(self) -> tuple[int, R]:
        """Return a slot and its record, all zero but its generation.

        The caller has asked `has_room`.
        """
        assert self.has_room(1), f"{self.record_type.__name__} arena is full"
        self.live += 1
        if self.free_head == NO_SLOT:
            slot = self.high_water
            self.high_water += 1
            self.records[slot] = self.record_type()
        else:
            slot = self.free_head
            self.free_head = self.records[slot].next
            self.records[slot].next = NO_SLOT
        self.changed |= {0, slot}
        return slot, self.records[slot]

    def free(self, slot: int) -> None:
        """Zero the record but for its generation, one higher, and put the slot on the free list."""
        record = self.record_type()
        record.generation = (self.records[slot].generation + 1) & 0xFFFF_FFFF
        record.next = self.free_head
        self.records[slot] = record
        self.free_head = slot
        self.live -= 1
        self.changed |= {0, slot}

    def packed(self, slot: int) -> bytes:
        """Return the words of a record, the header for slot 0, zeros for a slot never used."""
        if slot == 0:
            header = ARENA_HEADER.pack(0, 0, self.free_head, self.high_water, self.live)
            return header.ljust(self.record_type.WORDS * WORD_BYTES, b"\0")
        if slot not in self.records:
            return bytes(self.record_type.WORDS * WORD_BYTES)
        return self.records[slot].pack()

    def root(self) -> bytes:
        """Return the root of the tree over all words."""
        for index, word in self._changed_words():
            self.tree.set(index, word)
        self.changed = set()
        return self.tree.root()

    def _changed_words(self) -> Iterator[tuple[int, bytes]]:
        words = self.record_type.WORDS
        for slot in self.changed:
            data = self.packed(slot)
            for position in range(words):
                yield (
                    slot * words + position,
                    data[position * WORD_BYTES : (position + 1) * WORD_BYTES],
                )
