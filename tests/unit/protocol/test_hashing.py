"""Keccak, the padded Merkle tree and its proofs."""

import pytest
from eth_utils.crypto import keccak as other_keccak
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import EXAMPLES, exactly

from proofbook.protocol.hashing import (
    keccak,
    merkle_levels,
    merkle_proof,
    merkle_root,
    root_from_proof,
    zero_subtrees,
)

EMPTY = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"

leaf_lists = st.lists(exactly(32), min_size=1, max_size=40)


def naive_root(leaves: list[bytes]) -> bytes:
    """Return the root by halving a list that is padded first."""
    if len(leaves) == 1:
        return leaves[0]
    while len(leaves) & len(leaves) - 1:
        leaves = [*leaves, bytes(32)]
    half = len(leaves) // 2
    return keccak(naive_root(leaves[:half]) + naive_root(leaves[half:]))


def test_keccak_is_ethereums_and_not_the_standards() -> None:
    assert keccak(b"").hex() == EMPTY


@EXAMPLES
@given(st.binary(max_size=600))
def test_keccak_agrees_with_another_implementation(data: bytes) -> None:
    assert keccak(data) == other_keccak(data)


@EXAMPLES
@given(leaf_lists)
def test_root_is_the_root_of_the_halves(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == naive_root(leaves)
    assert merkle_levels(leaves)[-1] == [merkle_root(leaves)]


@EXAMPLES
@given(leaf_lists, st.data())
def test_proof_of_every_leaf_leads_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    root = merkle_root(leaves)
    for index, leaf in enumerate(leaves):
        proof = merkle_proof(leaves, index)
        assert len(proof) == (len(leaves) - 1).bit_length()
        assert root_from_proof(leaf, index, proof) == root
    index = data.draw(st.integers(0, len(leaves) - 1))
    wrong = data.draw(exactly(32).filter(lambda leaf: leaf != leaves[index]))
    assert root_from_proof(wrong, index, merkle_proof(leaves, index)) != root


@EXAMPLES
@given(st.lists(exactly(32), min_size=2, max_size=20, unique=True), st.data())
def test_proof_of_one_place_is_no_proof_of_another(
    leaves: list[bytes], data: st.DataObject
) -> None:
    here, there = data.draw(st.permutations(range(len(leaves))))[:2]
    proof = merkle_proof(leaves, here)
    assert root_from_proof(leaves[here], there, proof) != merkle_root(leaves)


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_empty_subtrees_are_trees_of_zero_words(depth: int) -> None:
    assert zero_subtrees(depth)[-1] == merkle_root([bytes(32)] * (1 << depth))
    assert len(zero_subtrees(depth)) == depth + 1
