"""Arenas against a model of their free list, and their roots against a tree hashed anew."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import EXAMPLES, U64, exactly

from proofbook.protocol.engine import ARENA_HEADER
from proofbook.protocol.hashing import merkle_root, root_from_proof
from proofbook.protocol.records import LevelRecord, PublisherRecord
from proofbook.spec.arena import WORD_BYTES, Arena, Tree

words_by_index = st.dictionaries(st.integers(0, 31), exactly(32))


class FewPublishers(PublisherRecord):
    """Eight slots of four words: small enough to hash whole."""

    __slots__ = ()
    CAPACITY_LOG2 = 3


class FewLevels(LevelRecord):
    """Sixteen slots of one word."""

    __slots__ = ()
    CAPACITY_LOG2 = 4


@dataclass
class Model:
    """What an arena should be: slots in use, freed slots as a stack, frees of each slot."""

    used: set[int] = field(default_factory=set[int])
    freed: list[int] = field(default_factory=list[int])
    generations: dict[int, int] = field(default_factory=dict[int, int])

    def next_slot(self) -> int:
        return self.freed[-1] if self.freed else len(self.generations) + 1

    def allocate(self) -> None:
        slot = self.freed.pop() if self.freed else len(self.generations) + 1
        self.generations.setdefault(slot, 0)
        self.used.add(slot)

    def free(self, slot: int) -> None:
        self.used.remove(slot)
        self.freed.append(slot)
        self.generations[slot] += 1


def require_equal(arena: Arena[FewPublishers], model: Model) -> None:
    """Compare the header, the free list and all generations."""
    assert arena.live == len(model.used)
    assert arena.high_water == len(model.generations) + 1
    chain, slot = list[int](), arena.free_head
    while slot:
        chain.append(slot)
        slot = arena[slot].next
    assert chain == list(reversed(model.freed)), "freed slots come back last in, first out"
    for slot, generation in model.generations.items():
        assert arena[slot].generation == generation
    for slot in model.freed:
        assert arena[slot].address == bytes(20), "a freed record is zero"
    header = ARENA_HEADER.pack(0, 0, arena.free_head, arena.high_water, arena.live)
    assert arena.packed(0).startswith(header)


@EXAMPLES
@given(st.data())
def test_slots_are_given_and_taken_back_as_in_the_model(data: st.DataObject) -> None:
    arena, model = Arena(FewPublishers), Model()
    for _ in range(data.draw(st.integers(0, 30))):
        can_allocate = len(model.used) < arena.capacity - 1
        assert arena.has_room(1) == can_allocate
        if can_allocate and (not model.used or data.draw(st.booleans())):
            expected = model.next_slot()
            model.allocate()
            slot, record = arena.allocate()
            assert slot == expected
            assert (record.next, record.address) == (0, bytes(20))
            record.address = data.draw(exactly(20))
        else:
            slot = data.draw(st.sampled_from(sorted(model.used)))
            arena.free(slot)
            model.free(slot)
        require_equal(arena, model)


def test_full_arena_has_no_room_and_gives_no_slot() -> None:
    arena = Arena(FewPublishers)
    for _ in range(arena.capacity - 1):
        arena.allocate()
    assert not arena.has_room(1)
    with pytest.raises(AssertionError, match="arena is full"):
        arena.allocate()


@EXAMPLES
@given(st.data())
def test_root_is_that_of_a_tree_hashed_anew(data: st.DataObject) -> None:
    """Whatever was changed between two roots, in whatever order."""
    arena, used = Arena(FewLevels), list[int]()
    for _ in range(data.draw(st.integers(1, 6))):
        for _ in range(data.draw(st.integers(0, 5))):
            action = data.draw(st.sampled_from(("allocate", "edit", "free")))
            if action == "allocate" and arena.has_room(1):
                used.append(arena.allocate()[0])
            elif action == "edit" and used:
                arena.edit(data.draw(st.sampled_from(used))).lots = data.draw(U64)
            elif action == "free" and used:
                arena.free(used.pop(data.draw(st.integers(0, len(used) - 1))))
        words = [arena.packed(slot) for slot in range(arena.capacity)]
        assert arena.root() == merkle_root(words)
        assert arena.root() == merkle_root(words), "asking again changes nothing"


@EXAMPLES
@given(st.lists(exactly(20), min_size=1, max_size=7))
def test_every_word_is_opened_by_its_siblings(addresses: list[bytes]) -> None:
    arena = Arena(FewPublishers)
    for address in addresses:
        arena.allocate()[1].address = address
    root = arena.root()
    data = b"".join(arena.packed(slot) for slot in range(arena.capacity))
    for index in range(len(data) // WORD_BYTES):
        word = data[index * WORD_BYTES : (index + 1) * WORD_BYTES]
        assert root_from_proof(word, index, arena.tree.proof(index)) == root


@EXAMPLES
@given(words_by_index, words_by_index)
def test_tree_forgets_what_it_held_before(
    first: dict[int, bytes], second: dict[int, bytes]
) -> None:
    """Two ways to the same words lead to the same root."""
    tree, direct = Tree(5), Tree(5)
    for index, word in first.items():
        tree.set(index, word)
    tree.root()
    words = first | second
    for index, word in second.items():
        tree.set(index, word)
    for index, word in words.items():
        direct.set(index, word)
    assert tree.root() == direct.root()
    assert direct.root() == merkle_root([words.get(index, bytes(32)) for index in range(32)])
