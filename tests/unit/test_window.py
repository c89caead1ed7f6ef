"""Order inside a window, held against the reference program's own rule."""

from collections.abc import Sequence
from itertools import zip_longest

from hypothesis import given
from hypothesis import strategies as st

from proofbook.protocol.commands import (
    BlockTrade,
    Cancel,
    CancelAll,
    Command,
    Leg,
    Place,
    Tick,
    Withdraw,
)
from proofbook.protocol.entry import Entry, command_bytes
from proofbook.protocol.limits import Side
from proofbook.sequencer.window import (
    Received,
    effective_classes,
    order_window,
    signing_slots,
    stamp,
)

SOON_NS = 10**18
ACCOUNTS = range(3, 6)


def place(account: int, nonce: int, post_only: bool = False) -> Place:
    return Place(account, nonce, SOON_NS, 1, Side.BUY, 100, 1, post_only=post_only)


def cancel(account: int, nonce: int) -> Cancel:
    return Cancel(account, nonce, SOON_NS, 7)


def block(account: int, nonce: int, maker: int) -> BlockTrade:
    return BlockTrade(account, nonce, SOON_NS, 0, maker, nonce, 0, bytes(64), (Leg(1, 1, 100),))


def received(*commands: Command, sessions: Sequence[int] = ()) -> list[Received]:
    """Return commands as they came in, one nanosecond apart; the owner signs where nothing says."""
    rows = zip_longest(commands, sessions, fillvalue=0)
    return [
        Received(1_000 + place, command, command_bytes(command), slots)
        for place, (command, session) in enumerate(rows)
        for slots in [signing_slots(Entry(0, 0, command, session))]
    ]


COMMANDS = st.one_of(
    st.just(Tick()),
    st.builds(place, st.sampled_from(ACCOUNTS), st.integers(1, 9), st.booleans()),
    st.builds(cancel, st.sampled_from(ACCOUNTS), st.integers(1, 9)),
    st.builds(CancelAll, st.sampled_from(ACCOUNTS), st.integers(1, 9), st.just(SOON_NS)),
    st.builds(block, st.sampled_from(ACCOUNTS), st.integers(1, 9), st.sampled_from(ACCOUNTS)),
    st.builds(
        Withdraw,
        st.sampled_from(ACCOUNTS),
        st.integers(1, 9),
        st.just(SOON_NS),
        st.just(0),
        st.just(bytes(20)),
        st.just(1),
    ),
)


def test_system_then_cancels_then_post_only_then_the_rest() -> None:
    window = received(place(3, 1), place(4, 1, post_only=True), cancel(5, 1), Tick())
    assert order_window(window) == window[::-1]


def test_a_signer_s_cancel_stays_behind_its_own_place() -> None:
    window = received(place(3, 1), cancel(3, 2), cancel(4, 1))
    assert order_window(window) == [window[2], window[0], window[1]]


def test_an_owner_s_cancel_goes_before_the_order_of_a_session() -> None:
    window = received(place(3, 1), cancel(3, 2), cancel(3, 3), sessions=(1, 0, 1))
    assert order_window(window) == [window[1], window[0], window[2]]


def test_a_signer_s_post_only_stays_behind_its_own_taking_order() -> None:
    window = received(place(3, 1), place(3, 2, post_only=True))
    assert order_window(window) == window


@given(st.lists(COMMANDS, max_size=40))
def test_the_order_satisfies_the_rule_of_the_state_machine(commands: list[Command]) -> None:
    ordered = order_window(received(*commands))
    classes = effective_classes(ordered)
    keys = list(zip(classes, (item.received_ns for item in ordered), strict=True))
    assert keys == sorted(set(keys)), "keys rise strictly when classes are counted in the new order"


@given(st.lists(COMMANDS, max_size=40), st.lists(st.integers(0, 2), max_size=40))
def test_each_signer_keeps_its_own_order(commands: list[Command], sessions: list[int]) -> None:
    ordered = order_window(received(*commands, sessions=sessions[: len(commands)]))
    for key in {item.signed_by[0] for item in ordered if item.signed_by}:
        stamps = [item.received_ns for item in ordered if item.signed_by[:1] == (key,)]
        assert stamps == sorted(stamps)


@given(COMMANDS)
def test_a_stamped_command_is_the_canonical_entry(command: Command) -> None:
    (item,) = received(command)
    assert stamp(item, 2_000) == Entry(2_000, item.received_ns, command).encode()
