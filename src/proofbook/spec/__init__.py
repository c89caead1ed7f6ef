"""The protocol as a program: the state machine in plain Python, and the only author of vectors.

In   genesis bytes, chain id, contract address; then entries, one after the other.
Out  an outcome and events per entry, and the state root after any of them.

Read it in this order: transition, accounts, orders, matching, margin, marks, oracle, listing; the
ground they stand on is state, arena, trie, accumulator, fixed_point and black76.
"""

from proofbook.spec.transition import State

__all__ = ["State"]
