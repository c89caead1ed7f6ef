"""The one index structure: a radix-64 trie made of records. Its shape depends on its keys alone.

A key has `depth` digits of six bits, the most significant first. Children are slots: of nodes, or
of values at the last digit. Slot 0 as root is the empty trie.
"""

from collections.abc import Callable

from proofbook.protocol.records import NodeRecord
from proofbook.spec.arena import NO_SLOT, Arena

PRICE_DEPTH = 4
INSTRUMENT_DEPTH = 2
STRIKE_DEPTH = 4
DIGIT_BITS = 6
DIGIT_MASK = 63


def digit(key: int, depth: int, level: int) -> int:
    """Return the key's digit at a level, level 0 being the most significant."""
    return key >> DIGIT_BITS * (depth - 1 - level) & DIGIT_MASK


def find(nodes: Arena[NodeRecord], root: int, key: int, depth: int) -> int:
    """Return the value at a key, or 0."""
    slot = root
    for level in range(depth):
        if slot == NO_SLOT:
            return NO_SLOT
        slot = nodes[slot].children[digit(key, depth, level)]
    return slot


def insert(nodes: Arena[NodeRecord], root: int, key: int, depth: int, value: int) -> int:
    """Set the value at a key that has none; return the root.

    Makes missing nodes from the root down.
    """
    if root == NO_SLOT:
        root, _ = nodes.allocate()
    slot = root
    for level in range(depth):
        node, place = nodes.edit(slot), digit(key, depth, level)
        if level == depth - 1:
            node.children[place] = value
        elif node.children[place] == NO_SLOT:
            node.children[place], _ = nodes.allocate()
        node.bitmap |= 1 << place
        slot = node.children[place]
    return root


def remove(nodes: Arena[NodeRecord], root: int, key: int, depth: int) -> int:
    """Take a key that is there away; return the root, 0 if nothing is left.

    Frees empty nodes from the leaf up.
    """
    path = [root]
    for level in range(depth - 1):
        path.append(nodes[path[-1]].children[digit(key, depth, level)])
    for level in reversed(range(depth)):
        node, place = nodes.edit(path[level]), digit(key, depth, level)
        node.children[place] = NO_SLOT
        node.bitmap &= ~(1 << place)
        if node.bitmap:
            return root
        nodes.free(path[level])
    return NO_SLOT


def lowest(nodes: Arena[NodeRecord], root: int, depth: int) -> int:
    """Return the value at the lowest key, or 0 for the empty trie."""
    return _extreme(nodes, root, depth, _lowest_bit)


def highest(nodes: Arena[NodeRecord], root: int, depth: int) -> int:
    """Return the value at the highest key, or 0 for the empty trie."""
    return _extreme(nodes, root, depth, _highest_bit)


def above(nodes: Arena[NodeRecord], root: int, key: int, depth: int) -> int:
    """Return the value at the lowest key above one that is there, or 0."""
    return _neighbour(nodes, root, key, depth, _bits_above, _lowest_bit)


def below(nodes: Arena[NodeRecord], root: int, key: int, depth: int) -> int:
    """Return the value at the highest key below one that is there, or 0."""
    return _neighbour(nodes, root, key, depth, _bits_below, _highest_bit)


def _lowest_bit(bitmap: int) -> int:
    return (bitmap & -bitmap).bit_length() - 1


def _highest_bit(bitmap: int) -> int:
    return bitmap.bit_length() - 1


def _bits_above(bitmap: int, place: int) -> int:
    return bitmap >> (place + 1) << (place + 1)


def _bits_below(bitmap: int, place: int) -> int:
    return bitmap & (1 << place) - 1


def _extreme(nodes: Arena[NodeRecord], root: int, depth: int, pick: Callable[[int], int]) -> int:
    slot = root
    for _ in range(depth):
        if slot == NO_SLOT:
            return NO_SLOT
        slot = nodes[slot].children[pick(nodes[slot].bitmap)]
    return slot


def _neighbour(
    nodes: Arena[NodeRecord],
    root: int,
    key: int,
    depth: int,
    beyond: Callable[[int, int], int],
    pick: Callable[[int], int],
) -> int:
    """Go up the key's path to the first node with a child beyond it, then down to the nearest."""
    path = [root]
    for level in range(depth - 1):
        path.append(nodes[path[-1]].children[digit(key, depth, level)])
    for level in reversed(range(depth)):
        node = nodes[path[level]]
        bitmap = beyond(node.bitmap, digit(key, depth, level))
        if bitmap:
            return _extreme(nodes, node.children[pick(bitmap)], depth - 1 - level, pick)
    return NO_SLOT


def values(nodes: Arena[NodeRecord], root: int, depth: int) -> list[int]:
    """Return all values in the order of their keys."""
    if root == NO_SLOT or depth == 0:
        return [root] if root else []
    children = (child for child in nodes[root].children if child)
    return [value for child in children for value in values(nodes, child, depth - 1)]
