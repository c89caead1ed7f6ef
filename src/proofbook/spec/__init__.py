"""The protocol as a program: the state machine in plain Python, and the only author of vectors.

In   genesis bytes, chain id, contract address; then entries, one after the other.
Out  an outcome and events per entry, and the state root after any of them.

Begin with `transition`: what one entry does. From there the story goes from orders and matching to
money and margin, then to what ends badly, liquidation, and to the prices that all of it rests on.
ARCHITECTURE.md has all modules in that order.
"""

from proofbook.spec.transition import State

__all__ = ["State"]
