"""The radix trie against a dictionary: the same answers, and one shape per set of keys."""

from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import EXAMPLES

from proofbook.protocol.records import NodeRecord
from proofbook.spec import trie
from proofbook.spec.arena import NO_SLOT, Arena

Shape: TypeAlias = dict[int, "int | Shape"]

DEPTHS = (trie.INSTRUMENT_DEPTH, trie.PRICE_DEPTH)
every_depth = pytest.mark.parametrize("depth", DEPTHS)


def keys(depth: int) -> st.SearchStrategy[int]:
    """Draw keys that lie close together, at both ends, or anywhere."""
    last = (1 << trie.DIGIT_BITS * depth) - 1
    close = st.integers(0, 130)
    return st.one_of(close, close.map(lambda key: last - key), st.integers(0, last))


def key_sets(depth: int) -> st.SearchStrategy[list[int]]:
    return st.lists(keys(depth), unique=True, max_size=24)


def value_of(key: int) -> int:
    """A value that is not 0 and belongs to the key alone."""
    return key + 1


def built(inserted: list[int], depth: int) -> tuple[Arena[NodeRecord], int]:
    nodes, root = Arena(NodeRecord), NO_SLOT
    for key in inserted:
        root = trie.insert(nodes, root, key, depth, value_of(key))
    return nodes, root


def shape(nodes: Arena[NodeRecord], root: int, depth: int) -> Shape:
    """Return what the trie holds without its slots: children by digit, bitmaps checked."""
    if root == NO_SLOT:
        return {}
    node = nodes[root]
    digits = [digit for digit, child in enumerate(node.children) if child]
    assert node.bitmap == sum(1 << digit for digit in digits) != 0, "a node is there for its keys"
    if depth == 1:
        return {digit: node.children[digit] for digit in digits}
    return {digit: shape(nodes, node.children[digit], depth - 1) for digit in digits}


def nodes_needed(held: set[int], depth: int) -> int:
    """Return the number of different beginnings that the keys have."""
    return sum(
        len({key >> trie.DIGIT_BITS * (depth - level) for key in held}) for level in range(depth)
    )


@every_depth
@EXAMPLES
@given(data=st.data())
def test_trie_answers_like_a_dictionary(depth: int, data: st.DataObject) -> None:
    nodes, root, model = Arena(NodeRecord), NO_SLOT, dict[int, int]()
    for key in data.draw(st.lists(keys(depth), max_size=40)):
        if key in model:
            root = trie.remove(nodes, root, key, depth)
            del model[key]
        else:
            root = trie.insert(nodes, root, key, depth, value_of(key))
            model[key] = value_of(key)
        ascending = [model[held] for held in sorted(model)]
        assert trie.values(nodes, root, depth) == ascending
        assert trie.lowest(nodes, root, depth) == (ascending[0] if ascending else NO_SLOT)
        assert trie.highest(nodes, root, depth) == (ascending[-1] if ascending else NO_SLOT)
        for asked in (key, key ^ 1, key ^ 64):
            assert trie.find(nodes, root, asked, depth) == model.get(asked, NO_SLOT)
        assert nodes.live == nodes_needed(set(model), depth)


@every_depth
@EXAMPLES
@given(data=st.data())
def test_shape_does_not_depend_on_the_order_of_insertion(depth: int, data: st.DataObject) -> None:
    held = data.draw(key_sets(depth))
    other = data.draw(st.permutations(held))
    assert shape(*built(held, depth), depth) == shape(*built(other, depth), depth)


@every_depth
@EXAMPLES
@given(data=st.data())
def test_removal_leaves_the_shape_of_what_is_left(depth: int, data: st.DataObject) -> None:
    held = data.draw(key_sets(depth))
    gone = data.draw(st.lists(st.sampled_from(held), unique=True)) if held else []
    nodes, root = built(held, depth)
    for key in gone:
        root = trie.remove(nodes, root, key, depth)
    left = [key for key in held if key not in gone]
    expected_nodes, expected_root = built(left, depth)
    assert shape(nodes, root, depth) == shape(expected_nodes, expected_root, depth)
    assert nodes.live == expected_nodes.live
    assert (root == NO_SLOT) == (not left)


@every_depth
@EXAMPLES
@given(data=st.data())
def test_same_changes_give_the_same_arena_root(depth: int, data: st.DataObject) -> None:
    held = data.draw(key_sets(depth))
    roots = {built(held, depth)[0].root() for _ in range(2)}
    assert len(roots) == 1


@every_depth
@EXAMPLES
@given(data=st.data())
def test_insertion_makes_at_most_one_node_for_each_digit(depth: int, data: st.DataObject) -> None:
    nodes, root = Arena(NodeRecord), NO_SLOT
    for key in data.draw(key_sets(depth)):
        before = nodes.live
        root = trie.insert(nodes, root, key, depth, 1)
        assert nodes.live - before <= depth


@EXAMPLES
@given(st.sets(st.integers(0, (1 << 24) - 1), min_size=1, max_size=40))
def test_neighbours_are_those_of_a_sorted_list(keys: set[int]) -> None:
    nodes, root = Arena(NodeRecord), NO_SLOT
    for key in keys:
        root = trie.insert(nodes, root, key, trie.PRICE_DEPTH, key + 1)
    ordered = [NO_SLOT, *(key + 1 for key in sorted(keys)), NO_SLOT]
    for place, value in enumerate(ordered[1:-1], 1):
        key = value - 1
        assert trie.above(nodes, root, key, trie.PRICE_DEPTH) == ordered[place + 1]
        assert trie.below(nodes, root, key, trie.PRICE_DEPTH) == ordered[place - 1]
