"""Whatever an owner grants and revokes, no message of a key is executed twice."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import EXAMPLES

from proofbook.protocol.commands import CancelAll
from proofbook.simulator.scene import USDC, Scene
from proofbook.spec import State

KEYS = ("phone", "ann")
SLOT_NUMBERS = (0, 1, 2)
SLOTS = st.sampled_from(SLOT_NUMBERS)
NONCES = st.sampled_from((1, 2, 257, 258))
"""Few of each, so that they meet again."""

FOREVER = 1 << 63

grants = st.tuples(st.just("grant"), st.sampled_from(KEYS), SLOTS)
revocations = st.tuples(st.just("revoke"), SLOTS)
messages = st.tuples(st.just("send"), st.sampled_from(KEYS), NONCES)
steps = st.lists(st.one_of(grants, revocations, messages, messages), min_size=20, max_size=80)


@EXAMPLES
@given(steps)
def test_no_message_counts_twice(story: list[tuple[Any, ...]]) -> None:
    """A message is its key and its nonce, and whoever has it may name any slot for it.

    The owner's own commands number theirs from 1,000 up.
    """
    scene = Scene(State)
    scene.deposit("ann", USDC)
    scene.nonces["ann"] = 1_000
    executed: set[tuple[str, int]] = set()
    for kind, *arguments in story:
        if kind == "grant":
            key, slot = arguments
            scene.grant("ann", key, slot)
        elif kind == "revoke":
            scene.revoke("ann", arguments[0])
        else:
            key, nonce = arguments
            message = CancelAll(scene.accounts["ann"], nonce, FOREVER)
            outcomes = [scene.submit(message, key, slot) for slot in SLOT_NUMBERS]
            times = sum(outcome.is_applied for outcome in outcomes)
            assert times + ((key, nonce) in executed) <= 1
            executed |= {(key, nonce)} if times else set()
