"""Each limit of protocol.toml at its worst: what just fits is done, what does not is refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import pytest
from tests.exhaustion import filled
from tests.unit.spec.falling import underwater

from proofbook.kernel import Kernel, Store
from proofbook.protocol import eip712
from proofbook.protocol.commands import (
    Deposit,
    ForwardCurve,
    ForwardObservation,
    IndexObservation,
    IndexPrice,
    Leg,
    ListInstrument,
    Quote,
    Remark,
    SetInstrument,
    SurfaceSignature,
    Tick,
    VolSurface,
)
from proofbook.protocol.events import Filled, Marked, OrderRemoved, QuoteRefused, WithdrawalQueued
from proofbook.protocol.genesis import Genesis
from proofbook.protocol.limits import (
    COMBO_PRICE_OFFSET_TICKS,
    ENTRY_BYTES_MAX,
    EXPIRIES_PER_UNDERLYING_MAX,
    FILLS_PER_COMMAND_MAX,
    INSTRUMENTS_PER_ACCOUNT_MAX,
    LEGS_MAX,
    NS_PER_DAY,
    ORDERS_PER_ACCOUNT_MAX,
    PUBLISHERS_MAX,
    REMARK_INSTRUMENTS_MAX,
    REMOVALS_PER_TICK_MAX,
    ArenaId,
    InstrumentKind,
    InstrumentMode,
    InstrumentState,
    Reject,
    Removal,
    Side,
    TimeInForce,
    TriggerCondition,
)
from proofbook.protocol.outcomes import Outcome
from proofbook.simulator.inspection import instrument, position
from proofbook.simulator.scene import (
    EXPIRY_NS,
    FLAT_SLICE,
    GRID,
    SPOT_ATOMS,
    STRIKE_ATOMS,
    USDC,
    Scene,
    key_of,
)
from proofbook.simulator.workload import (
    CHAIN_ID,
    CONTRACT,
    GENESIS_NS,
    address_of,
    compact_signature,
)
from proofbook.spec import State

BUY, SELL = Side.BUY, Side.SELL
IOC = TimeInForce.IMMEDIATE_OR_CANCEL
GTT = TimeInForce.GOOD_TILL_TIME
MARK = 800_000
STRIKE_STEP = GRID.strike_step_atoms
MILLISECOND_NS = 10**6

Fill: TypeAlias = Callable[[ArenaId], None]
Publish: TypeAlias = Callable[[Scene, list[int], int], Outcome]


# What a test sees and does


def removals(scene: Scene) -> list[Removal]:
    """The reasons for which the last entry removed orders."""
    return [event.removal for event in scene.events() if isinstance(event, OrderRemoved)]


def fills(scene: Scene) -> int:
    return sum(isinstance(event, Filled) for event in scene.events())


def marked(scene: Scene) -> list[int]:
    return [event.instrument for event in scene.events() if isinstance(event, Marked)]


def expiries(count: int) -> list[int]:
    """Expiries on successive days."""
    return [EXPIRY_NS + day * NS_PER_DAY for day in range(count)]


def list_options(scene: Scene, count: int) -> list[int]:
    """List calls of rising strikes on one expiry."""
    strikes = [STRIKE_ATOMS + place * STRIKE_STEP for place in range(count)]
    return [scene.list_instrument(InstrumentKind.CALL, EXPIRY_NS, strike) for strike in strikes]


def publish_forwards(scene: Scene, expiries_ns: list[int], publishers: int = 1) -> Outcome:
    """Publish the same forward for every expiry, signed by so many publishers."""
    published_ns = scene.window_ns + MILLISECOND_NS
    forwards = (SPOT_ATOMS,) * len(expiries_ns)
    digest = eip712.forward_curve_digest(
        scene.separator, 1, published_ns, tuple(expiries_ns), forwards
    )
    rows = tuple(
        ForwardObservation(number, forwards, signature_of(number, digest))
        for number in range(1, publishers + 1)
    )
    return scene.submit(ForwardCurve(1, published_ns, tuple(expiries_ns), rows))


def publish_surfaces(scene: Scene, expiries_ns: list[int], publishers: int = 1) -> Outcome:
    """Publish the same slice for every expiry, signed by so many publishers."""
    published_ns = scene.window_ns + MILLISECOND_NS
    slices = tuple(replace(FLAT_SLICE, expiry_ns=expiry_ns) for expiry_ns in expiries_ns)
    digest = eip712.vol_surface_digest(scene.separator, 1, published_ns, slices)
    rows = tuple(
        SurfaceSignature(number, signature_of(number, digest))
        for number in range(1, publishers + 1)
    )
    return scene.submit(VolSurface(1, published_ns, slices, rows))


def signature_of(publisher: int, digest: bytes) -> bytes:
    return compact_signature(key_of(publisher_name(publisher)), digest)


def publisher_name(number: int) -> str:
    """The first publisher is the one that every scene has."""
    return "publisher" if number == 1 else f"publisher {number}"


@pytest.fixture
def crowded(empty: Scene, store: Store | None) -> Scene:
    """A venue with as many publishers as one command may name, and one more."""
    addresses = tuple(
        address_of(key_of(publisher_name(number))) for number in range(1, PUBLISHERS_MAX + 1)
    )
    owners = address_of(key_of("fund")), address_of(key_of("fees"))
    genesis = Genesis(GENESIS_NS, *owners, addresses, (replace(GRID, quorum=2),)).encode()
    empty.engine = (
        Kernel(genesis, CHAIN_ID, CONTRACT, store=store)
        if store
        else State(genesis, CHAIN_ID, CONTRACT)
    )
    return empty


# Matching


def test_32_makers_are_met_and_the_33rd_is_not(scene: Scene, perpetual: int) -> None:
    for place in range(FILLS_PER_COMMAND_MAX + 1):
        scene.resting("bob", perpetual, SELL, MARK + 64 * place, 1)
    scene.place("ann", perpetual, BUY, MARK + 9_999, FILLS_PER_COMMAND_MAX)
    assert (fills(scene), removals(scene)) == (FILLS_PER_COMMAND_MAX, []), "no rest, no reason"
    for place in range(FILLS_PER_COMMAND_MAX):
        scene.resting("bob", perpetual, SELL, MARK + 64 * place, 1)
    scene.place("ann", perpetual, BUY, MARK + 9_999, FILLS_PER_COMMAND_MAX + 1)
    assert (fills(scene), removals(scene)) == (FILLS_PER_COMMAND_MAX, [Removal.FILL_LIMIT])


def test_removed_makers_count_as_met(scene: Scene, perpetual: int) -> None:
    """Dead, expired and own orders: each costs a taker one of its 32."""
    for _ in range(REMOVALS_PER_TICK_MAX + 10):
        scene.resting("bob", perpetual, SELL, MARK, 1)
    scene.cancel_all("bob")
    for _ in range(10):
        scene.resting("cid", perpetual, SELL, MARK, 1, time_in_force=GTT)
    for _ in range(10):
        scene.resting("ann", perpetual, SELL, MARK, 1)
    scene.wait(2 * 10**12)
    scene.resting("cid", perpetual, SELL, MARK, 5)
    scene.place("ann", perpetual, BUY, MARK, 9)
    met = [Removal.EPOCH] * 10 + [Removal.EXPIRED] * 10 + [Removal.SELF_TRADE] * 10
    assert (fills(scene), removals(scene)) == (1, met), "thirty removals, a fill, and it rests"


def test_only_removals_can_use_a_command_up(scene: Scene, perpetual: int) -> None:
    """A taker that met 32 dead orders trades with nobody, and its rest does not cross the book."""
    for _ in range(REMOVALS_PER_TICK_MAX + FILLS_PER_COMMAND_MAX):
        scene.resting("bob", perpetual, SELL, MARK, 1)
    scene.cancel_all("bob")
    scene.resting("cid", perpetual, SELL, MARK, 1)
    assert scene.place("ann", perpetual, BUY, MARK, 1).is_applied
    expected = [Removal.EPOCH] * FILLS_PER_COMMAND_MAX + [Removal.FILL_LIMIT]
    assert (fills(scene), removals(scene)) == (0, expected)
    assert scene.place("ann", perpetual, BUY, MARK, 1).is_applied
    assert fills(scene) == 1, "the next one finds the way free"


# Orders and positions of one account


def test_dead_orders_count_until_ticks_have_removed_them(scene: Scene, perpetual: int) -> None:
    for _ in range(ORDERS_PER_ACCOUNT_MAX):
        scene.resting("ann", perpetual, BUY, 1, 1)
    scene.cancel_all("ann")
    assert removals(scene) == [Removal.EPOCH] * REMOVALS_PER_TICK_MAX, "the first at once"
    for _ in range(REMOVALS_PER_TICK_MAX):
        assert scene.place("ann", perpetual, BUY, 2, 1).is_applied
    assert scene.place("ann", perpetual, BUY, 2, 1).name == "ORDER_LIMIT", "dead ones count"
    ticks = 0
    while scene.submit(Tick(scene.accounts["ann"])).is_applied and removals(scene):
        ticks += 1
        assert len(removals(scene)) == REMOVALS_PER_TICK_MAX, "never more than the limit"
    assert ticks == ORDERS_PER_ACCOUNT_MAX // REMOVALS_PER_TICK_MAX - 1
    assert scene.place("ann", perpetual, BUY, 2, 1).is_applied


def test_an_account_has_512_instruments_and_no_more(scene: Scene) -> None:
    """Every order is margined over all of them; a position that is there needs no new one."""
    listed = list_options(scene, INSTRUMENTS_PER_ACCOUNT_MAX + 1)
    assert scene.publish_forward().is_applied and scene.publish_surface().is_applied
    for first in listed[::REMARK_INSTRUMENTS_MAX]:
        assert scene.submit(Remark(1, first & 0xFFF)).is_applied
    for number in listed[:-1]:
        scene.resting("ann", number, BUY, 1, 1)
    for number, time_in_force in ((listed[-1], IOC), (listed[-1], 0)):
        outcome = scene.place("ann", number, BUY, 1, 1, time_in_force=TimeInForce(time_in_force))
        assert outcome.name == "INSTRUMENT_LIMIT", "a 513th, even for a moment"
    quote = scene.offer("bob", [Leg(listed[-1], 10, 1)])
    assert scene.accept("ann", "bob", quote).name == "INSTRUMENT_LIMIT"
    assert scene.block("ann", "bob", [Leg(listed[-1], 10, 1)]).name == "INSTRUMENT_LIMIT"
    combo = scene.combo("ann", (listed[0], 1), (listed[1], 1))
    order = scene.place("ann", combo, BUY, COMBO_PRICE_OFFSET_TICKS + 1, 1)
    assert order.name == "INSTRUMENT_LIMIT", "its legs are there, it is not"
    scene.resting("bob", listed[0], SELL, 2, 1)
    assert scene.place("ann", listed[0], BUY, 2, 1).is_applied and fills(scene) == 1
    assert scene.withdraw("ann", USDC).is_applied, "settled over all of them"
    scene.cancel_all("ann")
    assert scene.place("ann", listed[-1], BUY, 1, 1).is_applied, "swept positions are released"


def test_combos_of_four_legs_count_as_five_instruments(scene: Scene) -> None:
    """Margin adds up four legs for each: five hundred of them would cost too much to prove."""
    legs = list_options(scene, LEGS_MAX)
    assert scene.publish_forward().is_applied and scene.publish_surface().is_applied
    assert scene.submit(Remark(1)).is_applied
    ratios = [1, -1, 1, -1]
    for place in range((INSTRUMENTS_PER_ACCOUNT_MAX - LEGS_MAX) // (1 + LEGS_MAX)):
        combo = scene.combo("bob", *zip(legs, [1 + place, *ratios[1:]], strict=True))
        scene.resting("ann", combo, BUY, 1, 1)
    last = scene.combo("bob", *zip(legs, [999, *ratios[1:]], strict=True))
    assert scene.place("ann", last, BUY, 1, 1).name == "INSTRUMENT_LIMIT"
    assert scene.place("ann", legs[0], BUY, 1, 1).is_applied, "its legs are there"
    scene.cancel_all("ann")
    assert scene.place("ann", last, BUY, 1, 1).is_applied, "what is gone counts no more"


# Listing and oracle


def test_a_remark_prices_16_instruments_and_the_next_one_goes_on(scene: Scene) -> None:
    listed = list_options(scene, REMARK_INSTRUMENTS_MAX + 1)
    assert scene.publish_forward().is_applied and scene.publish_surface().is_applied
    assert scene.submit(Remark(1)).is_applied
    assert marked(scene) == listed[:-1], "the first sixteen in listing order"
    assert scene.submit(Remark(1, listed[-1] & 0xFFF)).is_applied
    assert marked(scene) == listed[-1:], "from the cursor to the end"


def test_24_expiries_fit_into_one_surface_and_one_curve(scene: Scene) -> None:
    dates = expiries(EXPIRIES_PER_UNDERLYING_MAX)
    for expiry_ns in dates:
        scene.list_instrument(InstrumentKind.CALL, expiry_ns, STRIKE_ATOMS)
    assert publish_forwards(scene, dates).is_applied
    assert publish_surfaces(scene, dates).is_applied
    for expiry in range(1, EXPIRIES_PER_UNDERLYING_MAX + 1):
        assert scene.submit(Remark(expiry)).is_applied
    assert publish_forwards(scene, [*dates, EXPIRY_NS + 24 * NS_PER_DAY]).name == "VOID_MALFORMED"


@pytest.mark.parametrize(("publishers", "name"), [(16, "APPLIED"), (17, "VOID_MALFORMED")])
def test_16_publishers_sign_one_index(crowded: Scene, publishers: int, name: str) -> None:
    published_ns = crowded.window_ns + MILLISECOND_NS
    digest = eip712.index_price_digest(crowded.separator, 1, published_ns, SPOT_ATOMS)
    rows = tuple(
        IndexObservation(number, SPOT_ATOMS, signature_of(number, digest))
        for number in range(1, publishers + 1)
    )
    assert crowded.submit(IndexPrice(1, published_ns, rows)).name == name


@pytest.mark.parametrize(
    ("publish", "most"), [(publish_forwards, 7), (publish_surfaces, 13)], ids=["curve", "surface"]
)
def test_the_longest_entry_bounds_publishers_times_expiries(
    crowded: Scene, publish: Publish, most: int
) -> None:
    """With all 24 expiries, 7 publishers fit into a curve and 13 into a surface."""
    dates = expiries(EXPIRIES_PER_UNDERLYING_MAX)
    for expiry_ns in dates:
        crowded.list_instrument(InstrumentKind.CALL, expiry_ns, STRIKE_ATOMS)
    assert publish(crowded, dates, most).is_applied
    assert len(crowded.entries[-1]) <= ENTRY_BYTES_MAX
    assert publish(crowded, dates, most + 1).name == "VOID_MALFORMED"
    assert len(crowded.entries[-1]) > ENTRY_BYTES_MAX


# Arenas


@pytest.fixture
def fill(scene: Scene, store: Store | None) -> Fill:
    """Takes all free slots of an arena away."""

    def taken(arena: ArenaId) -> None:
        scene.engine = filled(scene.engine, arena, store)

    return taken


@pytest.mark.parametrize(
    "arena", [ArenaId.POSITIONS, ArenaId.ORDERS, ArenaId.NODES, ArenaId.LEVELS]
)
def test_orders_are_refused_when_an_arena_is_full_and_cancels_make_room(
    scene: Scene, perpetual: int, fill: Fill, arena: ArenaId
) -> None:
    resting = scene.resting("ann", perpetual, BUY, MARK - 5, 2)
    fill(arena)
    assert scene.place("bob", perpetual, BUY, MARK - 9, 1).name == "ARENA_FULL"
    taken = scene.place("bob", perpetual, SELL, MARK - 5, 1, time_in_force=IOC).name
    needs_position = arena in (ArenaId.POSITIONS, ArenaId.NODES)
    assert taken == ("ARENA_FULL" if needs_position else "APPLIED")
    assert scene.withdraw("bob", USDC).is_applied, "money leaves all the same"
    assert scene.cancel("ann", resting).is_applied
    assert scene.place("bob", perpetual, BUY, MARK - 9, 1).is_applied


@pytest.mark.parametrize("arena", [ArenaId.INSTRUMENTS, ArenaId.EXPIRIES, ArenaId.NODES])
def test_listings_are_refused_when_an_arena_is_full(
    scene: Scene, perpetual: int, fill: Fill, arena: ArenaId
) -> None:
    fill(arena)
    listing = ListInstrument(1, InstrumentKind.CALL, EXPIRY_NS, STRIKE_ATOMS)
    assert scene.submit(listing).name == "ARENA_FULL"
    decree = SetInstrument(
        0, InstrumentState.HALTED, InstrumentMode.CONTINUOUS, 0, 0,
        1, listing.kind, listing.expiry_ns, listing.strike_atoms,
    )  # fmt: skip
    assert scene.submit(decree).name == "ARENA_FULL"
    assert scene.submit(replace(decree, kind=InstrumentKind.PERPETUAL, expiry_ns=0, strike_atoms=0))
    assert instrument(scene, perpetual).state == InstrumentState.HALTED, "what is listed is found"


@pytest.mark.parametrize("arena", [ArenaId.INSTRUMENTS, ArenaId.NODES])
def test_combos_are_refused_when_an_arena_is_full(
    scene: Scene, perpetual: int, call: int, fill: Fill, arena: ArenaId
) -> None:
    fill(arena)
    assert scene.create_combo("ann", (perpetual, 1), (call, -1)).name == "ARENA_FULL"


@pytest.mark.parametrize("arena", [ArenaId.POSITIONS, ArenaId.NODES])
def test_an_order_of_a_combo_needs_room_for_its_legs(
    scene: Scene, perpetual: int, call: int, fill: Fill, arena: ArenaId
) -> None:
    combo = scene.combo("ann", (perpetual, 1), (call, -1))
    fill(arena)
    order = scene.place("ann", combo, BUY, COMBO_PRICE_OFFSET_TICKS, 1, time_in_force=IOC)
    assert order.name == "ARENA_FULL"


@pytest.mark.parametrize("arena", [ArenaId.ACCOUNTS, ArenaId.SIGNERS])
def test_a_deposit_goes_back_when_there_is_no_room_for_its_account(
    scene: Scene, fill: Fill, arena: ArenaId
) -> None:
    fill(arena)
    owner = address_of(key_of("dan"))
    assert scene.submit(Deposit(6, owner, 0, 0, 5 * USDC)).is_applied
    queued = scene.events()[0]
    assert isinstance(queued, WithdrawalQueued)
    assert (queued.recipient, queued.amount_atoms) == (owner, 5 * USDC)
    old = Deposit(scene.accounts["ann"], address_of(key_of("ann")), 0, 0, USDC)
    assert scene.submit(old).is_applied, "accounts that are there take more"
    assert not isinstance(scene.events()[0], WithdrawalQueued)


def test_sessions_are_refused_when_their_arena_is_full_and_keys_can_be_replaced(
    scene: Scene, fill: Fill
) -> None:
    assert scene.grant("ann", "phone", 1).is_applied
    fill(ArenaId.SIGNERS)
    assert scene.grant("ann", "tablet", 2).name == "ARENA_FULL"
    assert scene.grant("ann", "tablet", 1).is_applied, "in place of the phone"
    assert scene.revoke("ann", 1).is_applied
    assert scene.grant("ann", "tablet", 1).name == "ARENA_FULL", "kept for accounts to come"


@pytest.mark.parametrize("arena", [ArenaId.POSITIONS, ArenaId.NODES])
def test_positions_do_not_move_into_a_full_arena_but_money_does(
    scene: Scene, perpetual: int, fill: Fill, arena: ArenaId
) -> None:
    scene.deposit("ann two", 1_000 * USDC, owner="ann")
    scene.resting("bob", perpetual, SELL, MARK, 1)
    assert scene.place("ann", perpetual, BUY, MARK, 1).is_applied
    fill(arena)
    assert scene.position_transfer("ann", "ann two", perpetual, 1).name == "ARENA_FULL"
    assert scene.transfer("ann", "ann two", USDC).is_applied


@pytest.mark.parametrize("arena", [ArenaId.TRIGGERS, ArenaId.PROTECTIONS, ArenaId.SIGNERS])
def test_a_full_arena_refuses_only_what_needs_a_record_of_it(
    scene: Scene, perpetual: int, fill: Fill, arena: ArenaId
) -> None:
    fill(arena)
    above = TriggerCondition.MARK_AT_OR_ABOVE
    outcomes = {
        ArenaId.TRIGGERS: scene.place_trigger("bob", perpetual, above, MARK, BUY, MARK, 1),
        ArenaId.PROTECTIONS: scene.protect("bob", 1, 10**9, 10**9, 10**9),
        ArenaId.SIGNERS: scene.grant("bob", "phone"),
    }
    assert {place: outcome.name for place, outcome in outcomes.items()} == {
        place: "ARENA_FULL" if place == arena else "APPLIED" for place in outcomes
    }
    assert scene.place("ann", perpetual, BUY, MARK, 1).is_applied, "orders go on"


def test_full_auctions_leave_slices(scene: Scene, perpetual: int, fill: Fill) -> None:
    """What an auction would sell, the books may still take."""
    underwater(scene, perpetual)
    fill(ArenaId.AUCTIONS)
    assert scene.liquidate("ann", perpetual).is_applied
    assert scene.start_auction("ann").name == "ARENA_FULL"
    scene.wait(60 * 10**9)
    assert scene.publish_index(SPOT_ATOMS * 82 // 100).is_applied
    assert scene.remark_perpetual().is_applied
    assert scene.liquidate("ann", perpetual).is_applied


def test_quotes_are_refused_one_by_one_when_an_arena_is_full(
    scene: Scene, perpetual: int, fill: Fill
) -> None:
    fill(ArenaId.ORDERS)
    quotes = (Quote(perpetual, BUY, MARK - 9, 1), Quote(perpetual, SELL, MARK + 9, 1))
    assert scene.quote("ann", *quotes).is_applied
    refused = [event for event in scene.events() if isinstance(event, QuoteRefused)]
    assert [(event.place, event.reason) for event in refused] == [
        (0, Reject.ARENA_FULL),
        (1, Reject.ARENA_FULL),
    ]


@pytest.mark.parametrize(
    "arena", [ArenaId.POSITIONS, ArenaId.ORDERS, ArenaId.NODES, ArenaId.LEVELS]
)
def test_a_full_arena_keeps_nobody_from_closing(
    scene: Scene, perpetual: int, fill: Fill, arena: ArenaId
) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 1)
    assert scene.place("ann", perpetual, BUY, MARK, 1).is_applied
    scene.resting("bob", perpetual, BUY, MARK - 1, 1)
    fill(arena)
    closing = scene.place("ann", perpetual, SELL, MARK - 1, 1, time_in_force=IOC, reduce_only=True)
    assert closing.is_applied
    assert position(scene, "ann") is None


@pytest.mark.parametrize("arena", [a for a in ArenaId if a != ArenaId.GLOBAL])
def test_a_full_arena_keeps_nobody_from_releasing(
    scene: Scene, perpetual: int, call: int, fill: Fill, arena: ArenaId
) -> None:
    combo = scene.combo("ann", (perpetual, 1), (call, -1))
    scene.wait(EXPIRY_NS - scene.window_ns)
    fill(arena)
    assert scene.release(combo).is_applied and scene.release(call).is_applied
