"""The append-only tree of withdrawals, from which the Vault pays by proof.

The state keeps its root and a frontier: at each height the last subtree that is full.
"""

from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import WITHDRAWAL_TREE_DEPTH
from proofbook.spec.arena import ZERO_SUBTREES

EMPTY_ROOT = ZERO_SUBTREES[WITHDRAWAL_TREE_DEPTH]


def withdrawal_leaf(index: int, token: int, recipient: bytes, amount_atoms: int) -> bytes:
    """Return the leaf that the Vault recomputes: keccak of 45 bytes, numbers big-endian."""
    return keccak(
        index.to_bytes(8, "big") + bytes((token,)) + recipient + amount_atoms.to_bytes(16, "big")
    )


def append(frontier: list[bytes], count: int, leaf: bytes) -> bytes:
    """Put leaf number `count` into the tree, changing the frontier; return the new root."""
    node, carrying = leaf, True
    for height in range(WITHDRAWAL_TREE_DEPTH):
        if count >> height & 1:
            node = keccak(frontier[height] + node)
            continue
        if carrying:
            frontier[height] = node
            carrying = False
        node = keccak(node + ZERO_SUBTREES[height])
    return node


def proof(leaves: list[bytes], index: int) -> list[bytes]:
    """Return the 32 siblings of a leaf, given every leaf so far."""
    siblings, level = list[bytes](), list(leaves)
    for height in range(WITHDRAWAL_TREE_DEPTH):
        zero = ZERO_SUBTREES[height]
        place = (index >> height) ^ 1
        siblings.append(level[place] if place < len(level) else zero)
        if len(level) % 2:
            level.append(zero)
        level = [keccak(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return siblings
