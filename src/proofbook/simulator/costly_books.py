"""Expensive states made of combos, auctions, sweeps and what the governor says.

Where an order holds a record in each leg of its combo, whatever happens to it happens five times.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from proofbook.protocol.commands import (
    AssignFees,
    Command,
    Quote,
    SetFeeSchedule,
    SetInstrument,
    SetParameters,
    SetPublisher,
    SetTerms,
    SetUnderlying,
    Tick,
)
from proofbook.protocol.events import QuoteRefused
from proofbook.protocol.limits import (
    AUCTION_STEPS_MAX,
    COMBO_PRICE_OFFSET_TICKS,
    EXPIRIES_PER_UNDERLYING_MAX,
    FILLS_PER_COMMAND_MAX,
    INSTRUMENTS_PER_ACCOUNT_MAX,
    LEGS_MAX,
    PRICE_TICKS_BITS,
    PUBLISHERS_MAX,
    QUOTES_PER_BATCH_MAX,
    REMOVALS_PER_TICK_MAX,
    AuctionPhase,
    InstrumentKind,
    InstrumentMode,
    InstrumentState,
    Side,
    TermsKind,
    TimeInForce,
    TriggerCondition,
)
from proofbook.protocol.terms import MarginParameters
from proofbook.simulator.costly import (
    MONEY,
    PRICE_STEP,
    SWEEPING_TICKS,
    Construction,
    Costly,
    CostlyScene,
    all_instruments,
)
from proofbook.simulator.inspection import instrument
from proofbook.simulator.scene import (
    EXPIRY_NS,
    GRID,
    LINEAR_TERMS,
    STRIKE_ATOMS,
    USDC,
    key_of,
)
from proofbook.simulator.workload import address_of

BUY, SELL = Side.BUY, Side.SELL
ZERO = COMBO_PRICE_OFFSET_TICKS
GTT, IOC = TimeInForce.GOOD_TILL_TIME, TimeInForce.IMMEDIATE_OR_CANCEL
LATER_NS = 2 * 10**12
"""Beyond the end of what is placed good-till-time."""

RATIOS = (1, -1, 1, -1)
TRADERS_A_SIDE = 2 * AUCTION_STEPS_MAX
AUCTION_STEP = 1 << PRICE_TICKS_BITS - 7
"""So many of both sides have a price each, over the whole range."""


def combo_of(scene: CostlyScene, legs: list[int], first_ratio: int = 1) -> int:
    return scene.combo("other", *zip(legs, (first_ratio, *RATIOS[1:]), strict=True))


# Combos and orders in their books


def rich_in_combos(room: int) -> tuple[CostlyScene, list[int]]:
    """An account with orders in combos of the same four legs, and records left for some more."""
    scene = CostlyScene()
    scene.deposit("other", MONEY)
    legs = scene.list_dated(1, LEGS_MAX)
    count = (INSTRUMENTS_PER_ACCOUNT_MAX - LEGS_MAX) // (1 + LEGS_MAX)
    combos = [combo_of(scene, legs, 1 + place) for place in range(count)]
    scene.spread_out("taker", combos[: count - room], ZERO + 1)
    return scene, combos[count - room :]


def created_combo() -> Costly:
    """Four legs, and a fee from an account with orders in a hundred combos."""
    scene, (spare,) = rich_in_combos(1)
    legs = [leg for leg in instrument(scene, spare).legs if leg]
    rows = tuple(zip(legs, (1_000, 999, 998, 997), strict=True))
    return scene.end_with(lambda: scene.create_combo("taker", *rows))


def combo_order() -> Costly:
    """The last combo that an account has room for: its level is far from others."""
    scene, (last,) = rich_in_combos(1)
    scene.resting("other", last, SELL, 63 * PRICE_STEP, 1)
    return scene.end_with(lambda: scene.place("taker", last, SELL, 62 * PRICE_STEP, 1))


def combo_quotes() -> Costly:
    """Replaces a bid and an offer in each of sixteen combos, of 101 that it has orders in."""
    scene, combos = rich_in_combos(QUOTES_PER_BATCH_MAX // 2)

    def quote(distance: int) -> None:
        rows = [
            Quote(combo, side, ZERO + (distance if side == SELL else -distance), 1)
            for combo in combos
            for side in Side
        ]
        assert scene.quote("taker", *rows).is_applied
        assert not any(isinstance(event, QuoteRefused) for event in scene.events())

    quote(30 * PRICE_STEP)
    return scene.end_with(lambda: quote(29 * PRICE_STEP))


def combo_withdrawal() -> Costly:
    """A withdrawal from an account with orders in 101 combos."""
    scene, _ = rich_in_combos(0)
    return scene.end_with(lambda: scene.withdraw("taker", USDC))


def swept_combo() -> Costly:
    """Fills 32 makers, each alone at its price, who thereby close a position in every leg."""
    scene, (target,) = rich_in_combos(1)
    makers = [f"maker {place}" for place in range(FILLS_PER_COMMAND_MAX)]
    for maker in makers:
        scene.deposit(maker, MONEY)
        trade(scene, "other", maker, target)
    for place, maker in enumerate(makers):
        scene.resting(maker, target, SELL, (place + 1) * PRICE_STEP, 1)
    lots = FILLS_PER_COMMAND_MAX
    return scene.end_with(
        lambda: scene.place("taker", target, BUY, SWEEPING_TICKS, lots, time_in_force=IOC)
    )


def trade(scene: CostlyScene, seller: str, buyer: str, combo: int) -> None:
    """Let one sell another a lot of a combo for nothing."""
    order = scene.resting(seller, combo, SELL, ZERO, 1)
    assert scene.place(buyer, combo, BUY, ZERO, 1, time_in_force=IOC).is_applied
    assert scene.cancel(seller, order).name == "ORDER_NOT_FOUND", "it was filled"


# Auctions


def crossed_combo() -> tuple[CostlyScene, int]:
    """A combo's book in which 64 bids cross 64 asks, each at a price and of a trader of its own.

    Whoever trades closes what it has in every leg.
    """
    scene = CostlyScene()
    scene.deposit("other", MONEY)
    combo = combo_of(scene, scene.list_dated(1, LEGS_MAX))
    names = [f"trader {place}" for place in range(2 * TRADERS_A_SIDE)]
    for place, name in enumerate(names):
        scene.deposit(name, MONEY)
        pair = ("other", name) if place < TRADERS_A_SIDE else (name, "other")
        trade(scene, *pair, combo)
    scene.set_instrument(combo, InstrumentState.PRE_OPEN)
    for place, name in enumerate(names):
        side = SELL if place < TRADERS_A_SIDE else BUY
        scene.resting(name, combo, side, place * AUCTION_STEP + 1, 1)
    return scene, combo


def began_auction() -> Costly:
    """A book that opens finds itself crossed."""
    scene, combo = crossed_combo()
    return scene.end_with(lambda: scene.set_instrument(combo))


def priced_auction() -> Costly:
    """Adds up 32 orders, each the only one of its price."""
    scene, combo = crossed_combo()
    scene.set_instrument(combo)
    return scene.end_with(lambda: scene.uncross(combo))


def filled_auction() -> Costly:
    """Fills 32 pairs, both of which are done and close what they have in every leg."""
    scene, combo = crossed_combo()
    scene.set_instrument(combo)
    while instrument(scene, combo).auction_phase != AuctionPhase.FILLING:
        assert scene.uncross(combo).is_applied
    return scene.end_with(lambda: scene.uncross(combo))


# Sweeps and releases


def scattered_combo_orders() -> tuple[CostlyScene, list[int]]:
    """An account whose orders are each the only one of a combo, its legs in no other."""
    scene = CostlyScene()
    count = INSTRUMENTS_PER_ACCOUNT_MAX // (1 + 2 * LEGS_MAX)
    listed = scene.list_dated(1, count * LEGS_MAX)
    for name in ("other", "owner"):
        scene.deposit(name, MONEY)
    orders: list[int] = []
    for first in range(0, len(listed), LEGS_MAX):
        combo = combo_of(scene, listed[first : first + LEGS_MAX])
        orders.append(scene.resting("owner", combo, BUY, PRICE_STEP, 1, time_in_force=GTT))
    stop = (listed[0], TriggerCondition.LAST_AT_OR_ABOVE, 1, BUY, 1, 1)
    for _ in range(REMOVALS_PER_TICK_MAX):
        scene.waiting("owner", *stop)
    return scene, orders


def swept_from_an_order_on() -> Costly:
    """Removes 32 orders of combos past their time, and as many waiting orders."""
    scene, orders = scattered_combo_orders()
    scene.wait(LATER_NS)
    middle = orders[REMOVALS_PER_TICK_MAX // 2]
    return scene.end_with(lambda: scene.submit(Tick(scene.accounts["owner"], middle)))


def cancelled_combo_orders() -> Costly:
    """Ends more orders of combos than it may remove, and the waiting ones."""
    scene, _ = scattered_combo_orders()
    return scene.end_with(lambda: scene.cancel_all("owner"))


def released_combo() -> Costly:
    """The only combo under its first leg: all nodes of its index go with it."""
    scene = CostlyScene()
    scene.deposit("other", MONEY)
    legs = scene.list_dated(1, LEGS_MAX)
    combo = combo_of(scene, legs)
    scene.set_instrument(legs[-1], InstrumentState.EXPIRED)
    return scene.end_with(lambda: scene.release(combo))


def released_option() -> Costly:
    """The only option of the first of 24 expiries: the other 23 close up."""
    scene = CostlyScene()
    first, *_ = scene.list_dated(EXPIRIES_PER_UNDERLYING_MAX, 1)
    scene.wait(EXPIRY_NS - scene.window_ns)
    return scene.end_with(lambda: scene.release(first))


def listed_option() -> Costly:
    """The first of a 24th expiry that stands before all others."""
    scene = CostlyScene()
    dates = [EXPIRY_NS + day * 86_400 * 10**9 for day in range(EXPIRIES_PER_UNDERLYING_MAX)]
    for date in dates[1:]:
        scene.list_instrument(InstrumentKind.CALL, date, STRIKE_ATOMS)
    return scene.end_with(
        lambda: scene.list_instrument(InstrumentKind.CALL, dates[0], STRIKE_ATOMS)
    )


# What the governor says


def governed(make: Callable[[CostlyScene], Command]) -> Costly:
    """One of the governor's commands, in a venue with an account with 512 instruments."""
    scene = CostlyScene()
    scene.spread_out("taker", all_instruments(scene))
    return scene.end_with(lambda: scene.submit(make(scene)))


GOVERNED: dict[str, Callable[[CostlyScene], Command]] = {
    "SetParameters": lambda _: SetParameters(2, MarginParameters()),
    "SetPublisher, of 16": lambda _: SetPublisher(
        PUBLISHERS_MAX, 2, address_of(key_of("successor"))
    ),
    "SetTerms": lambda _: SetTerms(1, 2, TermsKind.PERPETUAL, replace(LINEAR_TERMS, lots_min=2)),
    "SetUnderlying": lambda _: SetUnderlying(1, 2, 1, GRID.strike_step_atoms, ((1_000, 5),)),
    "SetInstrument": lambda _: SetInstrument(
        1, InstrumentState.OPEN, InstrumentMode.BATCH_AUCTION, 0, 250
    ),
    "SetFeeSchedule": lambda _: SetFeeSchedule(1, 1, 0, 100, 0, 100, 0, 200),
}


def assigned_fees() -> Costly:
    scene = CostlyScene()
    scene.deposit("taker", MONEY)
    scene.must(SetFeeSchedule(1, 1, 0, 100, 0, 100, 0, 200))
    return scene.end_with(lambda: scene.submit(AssignFees(scene.accounts["taker"], 1)))


BOOKS: dict[str, Construction] = {
    "CreateCombo, 4 legs": created_combo,
    "Place, resting, a combo": combo_order,
    "Place, immediate, 32 makers of a combo": swept_combo,
    "QuoteBatch, 32 quotes of combos": combo_quotes,
    "Withdraw, 101 combos": combo_withdrawal,
    "Uncross, pricing, a combo": priced_auction,
    "Uncross, 32 pairs, a combo": filled_auction,
    "SetInstrument, a crossed book": began_auction,
    "Tick, from an order on, combos and waiting orders": swept_from_an_order_on,
    "CancelAll, combos and waiting orders": cancelled_combo_orders,
    "ReleaseInstrument, a combo": released_combo,
    "ReleaseInstrument, an option and its expiry": released_option,
    "ListInstrument, an option and its expiry": listed_option,
    **{title: partial(governed, make) for title, make in GOVERNED.items()},
    "AssignFees": assigned_fees,
}
