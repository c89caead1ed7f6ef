"""Order inside a window, held against the reference program's own rule."""

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
from proofbook.sequencer.window import Received, effective_classes, order_window, stamp

SOON_NS = 10**18
ACCOUNTS = range(3, 6)


def place(account: int, nonce: int, post_only: bool = False) -> Place:
    return Place(account, nonce, SOON_NS, 1, Side.BUY, 100, 1, post_only=post_only)


def cancel(account: int, nonce: int) -> Cancel:
    return Cancel(account, nonce, SOON_NS, 7)


def block(account: int, nonce: int, maker: int) -> BlockTrade:
    return BlockTrade(account, nonce, SOON_NS, 0, maker, nonce, 0, bytes(64), (Leg(1, 1, 100),))


def received(*commands: Command) -> list[Received]:
    """Return commands as they came in, one nanosecond apart."""
    return [
        Received(1_000 + place, command, command_bytes(command))
        for place, command in enumerate(commands)
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


def test_an_accounts_cancel_stays_behind_its_own_place() -> None:
    window = received(place(3, 1), cancel(3, 2), cancel(4, 1))
    assert order_window(window) == [window[2], window[0], window[1]]


def test_an_accounts_post_only_stays_behind_its_own_taking_order() -> None:
    window = received(place(3, 1), place(3, 2, post_only=True))
    assert order_window(window) == window


@given(st.lists(COMMANDS, max_size=40))
def test_the_order_satisfies_the_rule_of_the_state_machine(commands: list[Command]) -> None:
    ordered = order_window(received(*commands))
    classes = effective_classes(ordered)
    keys = list(zip(classes, (item.received_ns for item in ordered), strict=True))
    assert keys == sorted(set(keys)), "keys rise strictly when classes are counted in the new order"


@given(st.lists(COMMANDS, max_size=40))
def test_each_account_keeps_its_own_order(commands: list[Command]) -> None:
    ordered = order_window(received(*commands))
    for account in ACCOUNTS:
        stamps = [
            item.received_ns
            for item in ordered
            if getattr(item.command, "account", None) == account
        ]
        assert stamps == sorted(stamps)


@given(COMMANDS)
def test_a_stamped_command_is_the_canonical_entry(command: Command) -> None:
    (item,) = received(command)
    assert stamp(item, 2_000) == Entry(2_000, item.received_ns, command).encode()
