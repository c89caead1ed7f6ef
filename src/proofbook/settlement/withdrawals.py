"""Withdrawals that a final root opens: their proofs, and the calls that pay them."""

from collections.abc import Sequence
from dataclasses import dataclass

from proofbook.chain.contracts import CLAIM_WITHDRAWAL, IS_CLAIMED
from proofbook.chain.errors import TransactionReverted
from proofbook.chain.proofs import (
    WITHDRAWAL_ROOT_WORD,
    StateWitness,
    WithdrawalTree,
    withdrawal_leaf,
)
from proofbook.chain.rpc import AsyncRpc
from proofbook.protocol.events import WithdrawalQueued
from proofbook.settlement.deployment import Deployment
from proofbook.settlement.transactions import Sender


@dataclass(frozen=True)
class ProvenWithdrawal:
    """A withdrawal with the two paths that lead from it to the root of a claim."""

    claim_index: int
    withdrawal: WithdrawalQueued
    leaf_proof: list[bytes]
    root_proof: list[bytes]

    def call(self) -> bytes:
        """Return the calldata that makes the vault pay it."""
        w = self.withdrawal
        leaf = (w.index, w.token, w.recipient, w.amount_atoms)
        return CLAIM_WITHDRAWAL.encode(self.claim_index, leaf, self.leaf_proof, self.root_proof)


def prove_withdrawals(
    claim_index: int,
    witness: StateWitness,
    withdrawals: Sequence[WithdrawalQueued],
    wanted: Sequence[int],
) -> list[ProvenWithdrawal]:
    """Prove the withdrawals with the indices `wanted` against the state that a claim ends with.

    `withdrawals` are all of the venue, in order; later ones than the state knows are left out.
    """
    record = witness.record
    known = withdrawals[: record.withdrawal_count]
    tree = WithdrawalTree([withdrawal_leaf(withdrawal) for withdrawal in known])
    assert tree.root() == record.withdrawal_root, "events and state disagree about withdrawals"
    root_proof = witness.word_proof(WITHDRAWAL_ROOT_WORD)
    return [
        ProvenWithdrawal(claim_index, known[index], tree.proof(index), root_proof)
        for index in wanted
        if index < len(known)
    ]


async def unpaid(rpc: AsyncRpc, deployment: Deployment, count: int) -> list[int]:
    """Return which of the first `count` withdrawals the vault has not paid. Raises ChainFault."""
    paid = await rpc.views([(deployment.vault, IS_CLAIMED, (index,)) for index in range(count)])
    return [index for index, is_paid in enumerate(paid) if not is_paid]


async def pay(sender: Sender, deployment: Deployment, proven: ProvenWithdrawal) -> bool:
    """Have the vault pay a withdrawal; False if somebody else was faster.

    Raises TransactionReverted.
    """
    try:
        await sender.send(deployment.vault, proven.call())
    except TransactionReverted as error:
        if error.name == "WithdrawalClaimedBefore":
            return False
        raise
    return True
