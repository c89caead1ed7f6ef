"""The order of entries against a model that remembers every entry."""

from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import EXAMPLES

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
from proofbook.protocol.entry import Entry, ordered_accounts, own_class
from proofbook.protocol.limits import FEE_ACCOUNT, FUND_ACCOUNT, Side
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, GENESIS_NS, Workload
from proofbook.spec.genesis import world_from_genesis
from proofbook.spec.ordering import advance_header, effective_class, is_in_order
from proofbook.spec.world import World

GENESIS = Workload(1).genesis
ABSENT_ACCOUNT = 77

accounts = st.sampled_from((FUND_ACCOUNT, FEE_ACCOUNT, ABSENT_ACCOUNT))
commands: st.SearchStrategy[Command] = st.one_of(
    st.just(Tick(0)),
    st.builds(Cancel, accounts, st.just(1), st.just(0), st.just(0)),
    st.builds(CancelAll, accounts, st.just(1), st.just(0)),
    st.builds(
        lambda account, post_only: Place(
            account, 1, 0, 1, Side.BUY, 1, 1, post_only=post_only
        ),
        accounts,
        st.booleans(),
    ),
    st.builds(
        Withdraw, accounts, st.just(1), st.just(0), st.just(0), st.just(bytes(20)), st.just(1)
    ),
    st.builds(
        lambda taker, maker: BlockTrade(taker, 1, 0, 0, maker, 1, 0, bytes(64), (Leg(1, 1, 1),)),
        accounts,
        accounts,
    ),
)  # fmt: skip


class Model:
    """All entries in the order in which they were taken."""

    def __init__(self) -> None:
        self.taken: list[tuple[Entry, int]] = []

    def effective_class(self, entry: Entry) -> int:
        signing = {*ordered_accounts(entry.command)} & {FUND_ACCOUNT, FEE_ACCOUNT}
        own = own_class(entry.command)
        earlier = [
            taken_class
            for taken, taken_class in self.taken
            if taken.window_ns == entry.window_ns and signing & {*ordered_accounts(taken.command)}
        ]
        return max([own, *earlier])

    def accepts(self, entry: Entry) -> bool:
        keys = [(GENESIS_NS, 0, GENESIS_NS)]
        keys += [(taken.window_ns, number, taken.received_ns) for taken, number in self.taken]
        windows = {window_ns for window_ns, _, _ in keys} - {entry.window_ns}
        previous_ns = max(windows, default=GENESIS_NS)
        key = (entry.window_ns, self.effective_class(entry), entry.received_ns)
        is_inside = previous_ns < entry.received_ns <= entry.window_ns
        return key > max(keys) and is_inside and self.follows_own(entry)

    def follows_own(self, entry: Entry) -> bool:
        """Whether no entry of its accounts in the window was received later."""
        signing = {*ordered_accounts(entry.command)} & {FUND_ACCOUNT, FEE_ACCOUNT}
        return all(
            entry.received_ns > taken.received_ns
            for taken, _ in self.taken
            if taken.window_ns == entry.window_ns and signing & {*ordered_accounts(taken.command)}
        )


def snapshot(world: World) -> tuple[bytes, bytes, bytes]:
    return (world.header.pack(), *(world.accounts.packed(slot) for slot in (1, 2)))


@EXAMPLES
@given(st.data())
def test_entries_are_taken_in_the_order_of_their_keys(data: st.DataObject) -> None:
    world, model = world_from_genesis(GENESIS, CHAIN_ID, CONTRACT), Model()
    last_ns = GENESIS_NS
    for _ in range(data.draw(st.integers(1, 25))):
        window_ns = last_ns + data.draw(st.sampled_from((0, 0, 0, 0, 5, 9, -1, -6)))
        received_ns = window_ns - data.draw(st.integers(-1, 10))
        entry = Entry(window_ns, received_ns, data.draw(commands))
        before = snapshot(world)
        assert effective_class(world, entry) == model.effective_class(entry) or window_ns < last_ns
        assert is_in_order(world, entry) == model.accepts(entry)
        assert snapshot(world) == before, "asking changes nothing"
        if model.accepts(entry):
            model.taken.append((entry, model.effective_class(entry)))
            advance_header(world, entry)
            last_ns = window_ns
    assert world.header.seq == len(model.taken)
