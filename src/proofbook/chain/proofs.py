"""Merkle paths that the Vault checks: a withdrawal in its tree, the tree's root in the state."""

from collections.abc import Sequence
from dataclasses import dataclass

from proofbook.protocol.engine import Engine
from proofbook.protocol.events import WithdrawalQueued
from proofbook.protocol.hashing import keccak, merkle_proof, root_from_proof, zero_subtrees
from proofbook.protocol.limits import GLOBAL_WORDS, WITHDRAWAL_TREE_DEPTH, ArenaId
from proofbook.protocol.records import GlobalRecord

WORD_BYTES = 32
WITHDRAWAL_ROOT_WORD = 4  # of the global record: after header, times, positions and inbox hash
ZERO_SUBTREES = zero_subtrees(WITHDRAWAL_TREE_DEPTH)


@dataclass(frozen=True)
class StateWitness:
    """What of a state is needed to open its global record: 64 words and the arena roots."""

    global_words: bytes
    arena_roots: tuple[bytes, ...]

    @classmethod
    def of(cls, engine: Engine) -> "StateWitness":
        """Return the witness of an engine's present state."""
        return cls(engine.read(ArenaId.GLOBAL, 0), tuple(engine.arena_roots()))

    @property
    def record(self) -> GlobalRecord:
        return GlobalRecord.unpack(self.global_words)

    def root(self) -> bytes:
        """Return the state root."""
        return root_from_proof(
            self.word(WITHDRAWAL_ROOT_WORD),
            WITHDRAWAL_ROOT_WORD,
            self.word_proof(WITHDRAWAL_ROOT_WORD),
        )

    def word(self, index: int) -> bytes:
        return self.global_words[index * WORD_BYTES : (index + 1) * WORD_BYTES]

    def word_proof(self, index: int) -> list[bytes]:
        """Return the siblings of a word of the global record up to the state root, lowest first."""
        words = [self.word(position) for position in range(GLOBAL_WORDS)]
        return merkle_proof(words, index) + merkle_proof(self.arena_roots, ArenaId.GLOBAL)


class WithdrawalTree:
    """The append-only tree over withdrawal leaves as it was when it had `count` of them."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.count = len(leaves)
        self._levels = [list(leaves)]
        for height in range(WITHDRAWAL_TREE_DEPTH):
            below = self._levels[-1]
            if len(below) % 2:
                below = [*below, ZERO_SUBTREES[height]]
            self._levels.append([keccak(below[i] + below[i + 1]) for i in range(0, len(below), 2)])

    def root(self) -> bytes:
        return self._node(WITHDRAWAL_TREE_DEPTH, 0)

    def proof(self, index: int) -> list[bytes]:
        """Return the 32 siblings of a leaf, lowest first."""
        assert 0 <= index < self.count, f"no leaf {index} among {self.count}"
        return [
            self._node(height, (index >> height) ^ 1) for height in range(WITHDRAWAL_TREE_DEPTH)
        ]

    def _node(self, height: int, index: int) -> bytes:
        level = self._levels[height]
        return level[index] if index < len(level) else ZERO_SUBTREES[height]


def withdrawal_leaf(withdrawal: WithdrawalQueued) -> bytes:
    """Return the hash of index, token, recipient and amount, big-endian, 45 bytes together."""
    return keccak(
        withdrawal.index.to_bytes(8, "big")
        + bytes((withdrawal.token,))
        + withdrawal.recipient
        + withdrawal.amount_atoms.to_bytes(16, "big")
    )
