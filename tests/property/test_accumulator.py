"""The withdrawal tree against one that is hashed anew from all leaves."""

from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import ADDRESSES, EXAMPLES, FEW_EXAMPLES, U8, U64, exactly, unsigned

from proofbook.protocol.hashing import (
    keccak,
    merkle_proof,
    merkle_root,
    root_from_proof,
    zero_subtrees,
)
from proofbook.protocol.limits import WITHDRAWAL_TREE_DEPTH
from proofbook.spec import accumulator

ZEROS = zero_subtrees(WITHDRAWAL_TREE_DEPTH)


def naive_root(leaves: list[bytes]) -> bytes:
    """Return the root of the tree of depth 32, empty leaves zero."""
    node = merkle_root(leaves)
    for height in range((len(leaves) - 1).bit_length(), WITHDRAWAL_TREE_DEPTH):
        node = keccak(node + ZEROS[height])
    return node


@FEW_EXAMPLES
@given(st.lists(exactly(32), min_size=1, max_size=70))
def test_every_root_is_that_of_all_leaves_so_far(leaves: list[bytes]) -> None:
    frontier = [bytes(32)] * WITHDRAWAL_TREE_DEPTH
    for count, leaf in enumerate(leaves):
        root = accumulator.append(frontier, count, leaf)
        assert root == naive_root(leaves[: count + 1])


@FEW_EXAMPLES
@given(st.lists(exactly(32), min_size=1, max_size=40))
def test_frontier_holds_the_last_complete_left_subtrees(leaves: list[bytes]) -> None:
    """Also those that have been used: they are not cleared."""
    frontier = [bytes(32)] * WITHDRAWAL_TREE_DEPTH
    for count, leaf in enumerate(leaves):
        accumulator.append(frontier, count, leaf)
    for height in range(WITHDRAWAL_TREE_DEPTH):
        complete = len(leaves) >> height
        if complete == 0:
            assert frontier[height] == bytes(32), "nothing is complete at this height"
            continue
        first = (complete - 1 & ~1) << height
        assert frontier[height] == merkle_root(leaves[first : first + (1 << height)])


@FEW_EXAMPLES
@given(st.lists(exactly(32), min_size=1, max_size=40), st.data())
def test_every_leaf_is_proved_under_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    frontier, root = [bytes(32)] * WITHDRAWAL_TREE_DEPTH, b""
    for count, leaf in enumerate(leaves):
        root = accumulator.append(frontier, count, leaf)
    index = data.draw(st.integers(0, len(leaves) - 1))
    inner = merkle_proof(leaves, index)
    siblings = [*inner, *ZEROS[len(inner) : WITHDRAWAL_TREE_DEPTH]]
    assert root_from_proof(leaves[index], index, siblings) == root


def test_empty_root_is_that_of_no_leaves() -> None:
    assert naive_root([bytes(32)]) == accumulator.EMPTY_ROOT


@EXAMPLES
@given(U64, U8, ADDRESSES, unsigned(128))
def test_leaf_hashes_45_bytes_big_endian(
    index: int, token: int, recipient: bytes, amount_atoms: int
) -> None:
    text = f"{index:016x}{token:02x}{recipient.hex()}{amount_atoms:032x}"
    assert len(text) == 2 * 45
    leaf = accumulator.withdrawal_leaf(index, token, recipient, amount_atoms)
    assert leaf == keccak(bytes.fromhex(text))
