"""The keeper finds every waiting order whose time has come, and no other."""

import pytest

from proofbook.protocol.commands import (
    FireTrigger,
    ReleaseInstrument,
    SetSettlement,
    SettleAccount,
    SettleExpiry,
    Tick,
    Uncross,
)
from proofbook.protocol.identifiers import order_id
from proofbook.protocol.limits import (
    INSTRUMENT_IDLE_NS,
    NS_PER_SECOND,
    AuctionPhase,
    InstrumentKind,
    InstrumentState,
    Reject,
    Side,
    TriggerCondition,
)
from proofbook.queries.models import ReadModels
from proofbook.sequencer.keeper import Keeper, Poke
from proofbook.sequencer.releases import LOOK_AGAIN_NS
from proofbook.simulator.scene import EXPIRY_NS, MINUTE_NS, STRIKE_ATOMS, USDC, Scene
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, WEIGHTS, Workload
from proofbook.spec import State, auctions, cancellation, states, triggers, waiting


def due_triggers(state: State) -> set[int]:
    """Return the live orders that the state would place now."""
    world, due = state.world, set[int]()
    for slot in range(1, world.triggers.high_water):
        trigger = world.triggers[slot]
        if trigger.account and not waiting.is_dead(world, trigger):
            is_over = waiting.end_of(world, trigger) is not None
            if not is_over and triggers.is_met(world, trigger):
                due.add(order_id(slot, trigger.generation))
    return due


def due_auctions(state: State, models: ReadModels) -> set[int]:
    """Return the books whose auction goes on now, or begins with orders that can trade."""
    due = set[int]()
    for instrument in models.instruments:
        record = state.world.instruments[instrument.number & 0xFFFF]
        is_open = states.RULES[record.state].trades and not states.is_expired(state.world, record)
        is_running = record.auction_phase != AuctionPhase.NONE
        can_begin = auctions.is_due(state.world, record) and models.is_crossed(instrument.number)
        if is_open and (is_running or can_begin):
            due.add(instrument.number)
    return due


MUCH_TO_DO = WEIGHTS | {"set_instrument": 15, "uncross": 30, "place_trigger": 10}


@pytest.mark.parametrize("seed", [2, 3])
def test_what_is_due_is_what_the_state_would_do(seed: int) -> None:
    workload = Workload(seed, hostile_share=0.0, weights=MUCH_TO_DO)
    state = State(workload.genesis, CHAIN_ID, CONTRACT)
    models = ReadModels(state)
    keeper = Keeper(state, models.is_crossed, models.take_lapsed)
    told, uncrossed = set[int](), 0
    while state.seq < 6_000:
        first_seq = state.seq + 1
        entries = [workload.next_entry() for _ in range(workload.random.randint(1, 6))]
        results = state.apply(entries)
        for entry, result in zip(entries, results, strict=True):
            workload.observe(entry, result)
        models.apply(first_seq, entries, results)
        keeper.take(results)
        commands = keeper.due(state.world.header.window_ns)
        due = due_triggers(state)
        fired = {command.trigger for command in commands if isinstance(command, FireTrigger)}
        dead = {number for number in fired if not waiting.find_trigger(state.world, number)}
        assert not dead, "what is gone is not fired"
        for number in fired - due:
            trigger = state.world.triggers[number & 0xFFFF_FFFF]
            assert waiting.end_of(state.world, trigger), "it is only removed"
        told |= fired
        assert due <= told, f"after seq {state.seq}"
        books = {command.instrument for command in commands if isinstance(command, Uncross)}
        assert books == due_auctions(state, models), f"after seq {state.seq}"
        uncrossed += len(books)
    assert len(told) > 20 and uncrossed >= 5, "there was something to do"


def test_a_stop_of_a_combo_is_tried_again_when_its_leg_opens() -> None:
    scene = Scene(State)
    scene.deposit("ann", 10**12)
    perpetual, call = scene.open_perpetual(), scene.open_option()
    combo = scene.combo("ann", (perpetual, 100), (call, -1))
    keeper = Keeper(scene.engine, lambda _: False, list)
    scene.set_instrument(perpetual, InstrumentState.HALTED)
    trigger = scene.waiting("ann", combo, TriggerCondition.MARK_AT_OR_ABOVE, 1, Side.BUY, 1, 1)
    keeper.take(scene.results)
    assert keeper.due(scene.window_ns) == [FireTrigger(trigger)]
    outcome = scene.submit(FireTrigger(trigger))
    keeper.rejected(FireTrigger(trigger), Reject(outcome.reason), scene.window_ns)
    assert keeper.due(scene.window_ns) == []
    scene.set_instrument(perpetual)
    keeper.take(scene.results[-1:])
    assert keeper.due(scene.window_ns) == [FireTrigger(trigger)]


def test_every_order_that_is_over_is_swept() -> None:
    """What the keeper sends leaves no record of an order that can trade no more."""
    workload = Workload(3, hostile_share=0.0)
    state = State(workload.genesis, CHAIN_ID, CONTRACT)
    models = ReadModels(state)
    keeper = Keeper(state, models.is_crossed, models.take_lapsed)
    swept = 0
    while state.seq < 4_000:
        first_seq, entries = state.seq + 1, [workload.next_entry() for _ in range(4)]
        results = state.apply(entries)
        for entry, result in zip(entries, results, strict=True):
            workload.observe(entry, result)
        models.apply(first_seq, entries, results)
        keeper.take(results)
        while ticks := [c for c in keeper.due(state.world.header.window_ns) if type(c) is Tick]:
            assert len({tick.account for tick in ticks}) == len(ticks), "one an account"
            for tick in ticks:
                assert cancellation.tick(state.world, tick) is None
                swept += 1
        over = [
            slot
            for slot in range(1, state.world.orders.high_water)
            if state.world.orders[slot].account
            and cancellation.end_of(state.world, state.world.orders[slot])
        ]
        assert not over, f"after seq {state.seq}"
    assert swept > 20, "there was something to sweep"


def test_what_is_over_is_released_legs_after_their_combos() -> None:
    scene = Scene(State)
    scene.deposit("ann", 10**12)
    perpetual, call = scene.open_perpetual(), scene.open_option()
    combo = scene.combo("ann", (perpetual, 100), (call, -1))
    stop = scene.waiting("ann", call, TriggerCondition.LAST_AT_OR_ABOVE, 10, Side.BUY, 10, 1)
    models = ReadModels(scene.engine)
    keeper = Keeper(scene.engine, models.is_crossed, models.take_lapsed)

    def look() -> list[Poke]:
        """Do what is due; return it."""
        models.apply(1, scene.entries, scene.results)
        keeper.take(scene.results)
        scene.entries, scene.results = [], []
        due = keeper.due(scene.window_ns)
        for command in due:
            assert scene.submit(command).is_applied
        return due

    assert look() == []
    scene.wait(EXPIRY_NS - scene.window_ns)
    scene.submit(Tick())
    assert look() == [ReleaseInstrument(combo)], "its leg is in use by it"
    assert look() == []
    scene.wait(LOOK_AGAIN_NS)
    assert look() == [ReleaseInstrument(call)]
    assert look() == [FireTrigger(stop)], "there is nothing left to wait for"
    assert look() == []
    assert [row.number for row in models.instruments] == [perpetual]


def test_an_idle_combo_is_released_and_an_idle_listing_left_alone() -> None:
    scene = Scene(State)
    scene.deposit("ann", 10**12)
    perpetual, call = scene.open_perpetual(), scene.open_option()
    combo = scene.combo("ann", (perpetual, 100), (call, -1))
    keeper = Keeper(scene.engine, lambda _: False, list)
    keeper.take(scene.results)
    assert keeper.due(scene.window_ns) == []
    scene.wait(2 * INSTRUMENT_IDLE_NS)
    assert keeper.due(scene.window_ns) == [ReleaseInstrument(combo)]


class Settling:
    """A venue where a future, a put and a call are held, with orders that rest in their books."""

    def __init__(self) -> None:
        self.scene = scene = Scene(State)
        for name in ("ann", "bob", "cat"):
            scene.deposit(name, 10**12)
        future = scene.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)
        put = scene.list_instrument(InstrumentKind.PUT, EXPIRY_NS, STRIKE_ATOMS)
        self.books = [future, put, scene.open_option()]
        for book, ticks in zip(self.books, (800_000, 30_000, 30_000), strict=True):
            scene.resting("bob", book, Side.SELL, ticks, 10)
            for name, lots in (("ann", 4), ("cat", 3)):
                assert scene.place(name, book, Side.BUY, ticks, lots).is_applied
        self.models = ReadModels(scene.engine)
        self.keeper = Keeper(scene.engine, self.models.is_crossed, self.models.take_lapsed)

    def cash(self, name: str) -> int:
        return self.scene.engine.world.accounts[self.scene.accounts[name]].cash_atoms

    def run(self, seconds: int) -> list[Poke]:
        """Do each second what is due; return it."""
        scene, sent = self.scene, list[Poke]()
        for _ in range(seconds):
            self.models.apply(1, scene.entries, scene.results)
            self.keeper.take(scene.results)
            scene.entries, scene.results = [], []
            due = self.keeper.due(scene.window_ns)
            for command in due:
                assert scene.submit(command).is_applied, command
            sent += due
            scene.wait(NS_PER_SECOND)
        return sent


def test_an_expiry_is_settled_to_its_end_by_the_keeper_alone() -> None:
    venue = Settling()
    scene, world = venue.scene, venue.scene.engine.world
    before = {name: venue.cash(name) for name in scene.accounts}
    scene.publish_each_minute(EXPIRY_NS - 29 * MINUTE_NS, *[82_000 * USDC] * 30)
    scene.wait(MINUTE_NS)
    sent = venue.run(200)
    assert [c for c in sent if type(c) is SettleExpiry] == [SettleExpiry(1)]
    accounts = [command.account for command in sent if type(command) is SettleAccount]
    assert sorted(accounts) == sorted(scene.accounts.values()), "each account once"
    released = {command.instrument for command in sent if type(command) is ReleaseInstrument}
    assert released == set(venue.books)
    assert not any(world.positions[slot].account for slot in range(1, world.positions.high_water))
    lot_atoms = 2_000 * (USDC // 10_000 + USDC // 100)  # a future's lot, and a call's
    gains = {name: venue.cash(name) - atoms for name, atoms in before.items()}
    assert gains == {"ann": 4 * lot_atoms, "bob": -7 * lot_atoms, "cat": 3 * lot_atoms}


def test_an_expiry_without_observations_waits_for_the_governor() -> None:
    venue = Settling()
    scene = venue.scene
    scene.at(EXPIRY_NS + 2 * MINUTE_NS)
    assert not any(type(command) is SettleExpiry for command in venue.run(100))
    scene.at(EXPIRY_NS + 32 * MINUTE_NS)
    assert scene.submit(SetSettlement(1, EXPIRY_NS, 81_000 * USDC)).is_applied
    sent = venue.run(200)
    assert sum(type(command) is SettleAccount for command in sent) == 3
    assert not scene.engine.world.expiries[1].underlying, "its record is free"


def test_observations_after_an_expiry_let_the_keeper_settle_it() -> None:
    """The index stalls through half of the window: it goes on after the expiry."""
    venue = Settling()
    prices = [82_000 * USDC]
    venue.scene.publish_each_minute(EXPIRY_NS - 29 * MINUTE_NS, *prices * 14)
    venue.scene.at(EXPIRY_NS + 90 * NS_PER_SECOND)
    assert not any(type(command) is SettleExpiry for command in venue.run(60))
    venue.scene.publish_each_minute(EXPIRY_NS + 3 * MINUTE_NS, *prices * 8)
    assert sum(type(command) is SettleAccount for command in venue.run(200)) == 3


@pytest.mark.parametrize("minutes", [19, 20])
def test_an_expiry_is_settled_as_soon_as_enough_is_covered_and_not_tried_before(
    minutes: int,
) -> None:
    venue = Settling()
    scene = venue.scene
    scene.publish_each_minute(EXPIRY_NS - 25 * MINUTE_NS, *[82_000 * USDC] * minutes)
    scene.at(EXPIRY_NS + 2 * MINUTE_NS)
    sent = [c for c in venue.run(20) if type(c) is SettleExpiry]
    assert sent == [SettleExpiry(1)] * (minutes == 20), "what is refused costs bytes on chain"


def test_the_keeper_never_sleeps_past_what_is_listed_meanwhile() -> None:
    keeper = Keeper(Scene(State).engine, lambda _: False, list)
    assert keeper.sleep_ns(EXPIRY_NS) <= NS_PER_SECOND
