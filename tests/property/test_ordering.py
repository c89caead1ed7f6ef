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
    TraderCommand,
    Withdraw,
)
from proofbook.protocol.entry import Entry, own_class, parties
from proofbook.protocol.limits import FEE_ACCOUNT, FUND_ACCOUNT, NONCE_WINDOW, Side
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, GENESIS_NS, Workload
from proofbook.spec.accounts import consume_nonce
from proofbook.spec.genesis import world_from_genesis
from proofbook.spec.ordering import acting_signer, advance_header, effective_class, is_in_order
from proofbook.spec.sessions import ALL_NONCES_USED, signer_slot
from proofbook.spec.world import World

GENESIS = Workload(1).genesis
ABSENT_ACCOUNT = 77
SESSION = 1

accounts = st.sampled_from((FUND_ACCOUNT, FEE_ACCOUNT, ABSENT_ACCOUNT))
nonces = st.sampled_from((1, 2, 3, 257, 258, 600))
ends = st.sampled_from((0, 3, 8, 1_000)).map(GENESIS_NS.__add__)
heads = st.tuples(accounts, nonces, ends)
commands: st.SearchStrategy[Command] = st.one_of(
    st.just(Tick(0)),
    st.builds(lambda head: Cancel(*head, order=0), heads),
    st.builds(lambda head: CancelAll(*head), heads),
    st.builds(
        lambda head, post_only: Place(*head, 1, Side.BUY, 1, 1, post_only=post_only),
        heads,
        st.booleans(),
    ),
    st.builds(lambda head: Withdraw(*head, 0, bytes(20), 1), heads),
    st.builds(
        lambda head, maker: BlockTrade(*head, 0, maker, 1, 0, bytes(64), (Leg(1, 1, 1),)),
        heads,
        accounts,
    ),
)


Key = tuple[int, int]
"""Account and session."""


class Model:
    """All entries in the order in which they were taken, and the nonces that they have used."""

    def __init__(self) -> None:
        self.taken: list[tuple[Entry, int]] = []
        self.used: set[tuple[Key, int]] = set()
        self.acted: list[tuple[Entry, Key]] = []

    def acting(self, entry: Entry) -> Key | None:
        """Return the key that acts by an entry: its message is fresh, and nobody's before."""
        command = entry.command
        if not isinstance(command, TraderCommand) or command.account == ABSENT_ACCOUNT:
            return None
        key = command.account, entry.session
        if key not in ((FUND_ACCOUNT, 0), (FUND_ACCOUNT, SESSION), (FEE_ACCOUNT, 0)):
            return None
        mine = [nonce for who, nonce in self.used if who == key]
        is_used = command.nonce in mine or command.nonce + NONCE_WINDOW <= max(mine, default=0)
        return None if is_used or entry.window_ns > command.expires_ns else key

    def earlier(self, entry: Entry) -> list[tuple[Entry, int]]:
        """Return what the key has done before in the window, with the classes."""
        key = self.acting(entry)
        return [
            (taken, number)
            for taken, number in self.taken
            if key is not None and taken.window_ns == entry.window_ns and (taken, key) in self.acted
        ]

    def effective_class(self, entry: Entry) -> int:
        return max([own_class(entry.command), *(number for _, number in self.earlier(entry))])

    def accepts(self, entry: Entry) -> bool:
        keys = [(GENESIS_NS, 0, GENESIS_NS)]
        keys += [(taken.window_ns, number, taken.received_ns) for taken, number in self.taken]
        windows = {window_ns for window_ns, _, _ in keys} - {entry.window_ns}
        previous_ns = max(windows, default=GENESIS_NS)
        key = (entry.window_ns, self.effective_class(entry), entry.received_ns)
        is_inside = previous_ns < entry.received_ns <= entry.window_ns
        follows_own = all(entry.received_ns > taken.received_ns for taken, _ in self.earlier(entry))
        return key > max(keys) and is_inside and follows_own

    def take(self, entry: Entry) -> None:
        key, number = self.acting(entry), self.effective_class(entry)
        self.taken.append((entry, number))
        if key is not None:
            assert isinstance(entry.command, TraderCommand)
            self.used.add((key, entry.command.nonce))
            self.acted.append((entry, key))


def world_with_a_session() -> World:
    world = world_from_genesis(GENESIS, CHAIN_ID, CONTRACT)
    slot, key = world.signers.allocate()
    key.nonce_bitmap = ALL_NONCES_USED
    world.accounts.edit(FUND_ACCOUNT).signers[SESSION] = slot
    return world


def snapshot(world: World) -> tuple[bytes, ...]:
    return (world.header.pack(), *(world.signers.packed(slot) for slot in (1, 2, 3)))


@EXAMPLES
@given(st.data())
def test_entries_are_taken_in_the_order_of_their_keys(data: st.DataObject) -> None:
    world, model = world_with_a_session(), Model()
    last_ns = GENESIS_NS
    for _ in range(data.draw(st.integers(1, 25))):
        window_ns = last_ns + data.draw(st.sampled_from((0, 0, 0, 0, 5, 9, -1, -6)))
        received_ns = window_ns - data.draw(st.integers(-1, 10))
        session = data.draw(st.sampled_from((0, 0, SESSION)))
        entry = Entry(window_ns, received_ns, data.draw(commands), session)
        before = snapshot(world)
        signer = acting_signer(world, entry)
        acting = model.acting(entry)
        assert signer == (None if acting is None else world.accounts[acting[0]].signers[acting[1]])
        number = effective_class(world, entry, signer)
        assert number == model.effective_class(entry) or window_ns < last_ns
        assert is_in_order(world, entry, signer) == model.accepts(entry)
        assert snapshot(world) == before, "asking changes nothing"
        if model.accepts(entry):
            model.take(entry)
            advance_header(world, entry, signer)
            if signer is not None:
                use_nonce(world, entry)
            last_ns = window_ns
    assert world.header.seq == len(model.taken)


def use_nonce(world: World, entry: Entry) -> None:
    """Do what follows for an entry whose signer acts."""
    (bringer, *_) = parties(entry)
    consume_nonce(world.signers.edit(signer_slot(world, bringer)), bringer.nonce)
