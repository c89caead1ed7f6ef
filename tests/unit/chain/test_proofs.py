"""Proofs lead to the roots that the hashing functions and the reference program compute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofbook.chain.proofs import WithdrawalTree, withdrawal_leaf
from proofbook.protocol.events import WithdrawalQueued
from proofbook.protocol.hashing import keccak, root_from_proof, zero_subtrees
from proofbook.protocol.limits import WITHDRAWAL_TREE_DEPTH
from proofbook.spec import accumulator


def leaves_up_to(count: int) -> list[bytes]:
    return [keccak(index.to_bytes(4, "big")) for index in range(count)]


@given(st.integers(0, 70))
def test_the_tree_has_the_root_that_the_state_keeps(count: int) -> None:
    frontier, root = [bytes(32)] * WITHDRAWAL_TREE_DEPTH, accumulator.EMPTY_ROOT
    for index, leaf in enumerate(leaves_up_to(count)):
        root = accumulator.append(frontier, index, leaf)
    assert WithdrawalTree(leaves_up_to(count)).root() == root


@given(st.integers(1, 70), st.data())
def test_a_proof_leads_from_its_leaf_to_the_root(count: int, data: st.DataObject) -> None:
    leaves = leaves_up_to(count)
    index = data.draw(st.integers(0, count - 1))
    tree = WithdrawalTree(leaves)
    proof = tree.proof(index)
    assert len(proof) == WITHDRAWAL_TREE_DEPTH
    assert root_from_proof(leaves[index], index, proof) == tree.root()


def test_a_proof_leads_nowhere_from_another_leaf() -> None:
    leaves = leaves_up_to(5)
    tree = WithdrawalTree(leaves)
    assert root_from_proof(leaves[2], 3, tree.proof(3)) != tree.root()


def test_the_empty_tree_is_the_zero_subtree() -> None:
    assert WithdrawalTree([]).root() == zero_subtrees(32)[32]


def test_a_leaf_is_the_hash_of_45_bytes() -> None:
    withdrawal = WithdrawalQueued(1, 0, b"\x22" * 20, 3, 4)
    packed = (1).to_bytes(8, "big") + b"\0" + b"\x22" * 20 + (3).to_bytes(16, "big")
    assert len(packed) == 45
    assert withdrawal_leaf(withdrawal) == keccak(packed)
    assert withdrawal_leaf(withdrawal) == accumulator.withdrawal_leaf(1, 0, b"\x22" * 20, 3)


def test_a_leaf_that_is_not_there_has_no_proof() -> None:
    with pytest.raises(AssertionError):
        WithdrawalTree(leaves_up_to(2)).proof(2)
