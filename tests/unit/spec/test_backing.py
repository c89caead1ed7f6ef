"""Resting orders after a gap: none is filled at a price that its account cannot pay."""

from functools import partial

from tests.unit.spec.falling import BUY, MARK, SELL, equity_of, long_at, move

from proofbook.protocol.commands import Quote
from proofbook.protocol.events import AuctionFilled, AuctionPriced, Filled, OrderRemoved
from proofbook.protocol.limits import (
    COMBO_PRICE_OFFSET_TICKS,
    FILLS_PER_COMMAND_MAX,
    FUND_ACCOUNT,
    INSTRUMENTS_PER_ACCOUNT_MAX,
    QUOTES_PER_BATCH_MAX,
    InstrumentKind,
    InstrumentState,
    Removal,
    TimeInForce,
)
from proofbook.simulator.inspection import account_at, instrument, order, position_in, risk_array
from proofbook.simulator.scene import SPOT_ATOMS, STRIKE_ATOMS, USDC, Scene

FOK, IOC = TimeInForce.FILL_OR_KILL, TimeInForce.IMMEDIATE_OR_CANCEL
BID = MARK - 10_000
"""1,000 USD below the first mark."""

BTC = 10_000
"""Lots of one."""

PERCENT = 76
"""Of the first price. Ann has 38,400 left; one BTC bought at her bid costs 18,200 and its fee."""


def removals(scene: Scene) -> list[Removal]:
    return [event.removal for event in scene.events() if isinstance(event, OrderRemoved)]


def filled(scene: Scene) -> list[int]:
    return [event.lots for event in scene.events() if isinstance(event, Filled)]


def long_with_bids(scene: Scene, perpetual: int, *lots: int, percent: int = PERCENT) -> list[int]:
    """Ann is long, has bids of so many lots, and little left when the mark has fallen."""
    scene.deposit("ann", 1_000_000 * USDC)
    bids = [scene.resting("ann", perpetual, BUY, BID, each) for each in lots]
    assert scene.transfer("ann", "cid", 1_000_000 * USDC).is_applied
    long_at(scene, perpetual, percent)
    return bids


def test_a_fill_that_its_account_cannot_pay_does_not_happen(scene: Scene, perpetual: int) -> None:
    (bid,) = long_with_bids(scene, perpetual, 15 * BTC)
    before, fund = equity_of(scene, perpetual), account_at(scene, FUND_ACCOUNT).cash_atoms
    assert scene.place("cid", perpetual, SELL, BID, 15 * BTC, time_in_force=IOC).is_applied
    assert (filled(scene), removals(scene)) == ([], [Removal.UNBACKED, Removal.IMMEDIATE])
    assert order(scene, bid).lots_remaining == 0
    assert equity_of(scene, perpetual) == before > 0
    assert account_at(scene, FUND_ACCOUNT).cash_atoms == fund
    assert scene.liquidate("ann", perpetual).is_applied, "nothing of the order is left to end"


def test_one_that_it_can_pay_does(scene: Scene, perpetual: int) -> None:
    long_with_bids(scene, perpetual, BTC)
    before = equity_of(scene, perpetual)
    assert scene.place("cid", perpetual, SELL, BID, BTC).is_applied
    assert filled(scene) == [BTC]
    fee_atoms = next(e.maker_fee_atoms for e in scene.events() if isinstance(e, Filled))
    bid_atoms = BID * instrument(scene, perpetual).tick_value_atoms
    cost_atoms = BTC * (bid_atoms - risk_array(scene, perpetual).mark_atoms) + fee_atoms
    assert equity_of(scene, perpetual) == before - cost_atoms > 0


def test_a_part_may_be_paid_where_the_whole_may_not(scene: Scene, perpetual: int) -> None:
    (bid,) = long_with_bids(scene, perpetual, 15 * BTC)
    assert scene.place("cid", perpetual, SELL, BID, 2 * BTC).is_applied
    assert filled(scene) == [2 * BTC]
    assert order(scene, bid).lots_remaining == 13 * BTC
    assert scene.place("cid", perpetual, SELL, BID, BTC).is_applied
    assert (filled(scene), removals(scene)) == ([], [Removal.UNBACKED])


def test_a_fill_that_pays_its_fee_needs_no_equity(scene: Scene, perpetual: int) -> None:
    """Ann owes; her old offer is better than the mark, and what it brings is less to be owed."""
    long_at(scene, perpetual, 77)
    offer = scene.resting("ann", perpetual, SELL, MARK * 75 // 100, 1_000, reduce_only=True)
    move(scene, 74)
    before = equity_of(scene, perpetual)
    assert before < 0
    assert scene.place("cid", perpetual, BUY, MARK * 75 // 100, 1_000).is_applied
    assert filled(scene) == [1_000]
    assert order(scene, offer).lots_remaining == 0
    assert equity_of(scene, perpetual) > before


def test_who_owes_pays_no_fee(scene: Scene, perpetual: int) -> None:
    """At the mark itself the fee would be owed, too."""
    long_at(scene, perpetual, 77)
    scene.resting("ann", perpetual, SELL, MARK * 75 // 100, 1_000, reduce_only=True)
    move(scene, 75)
    assert equity_of(scene, perpetual) < 0
    assert scene.place("cid", perpetual, BUY, MARK * 75 // 100, 1_000).is_applied
    assert (filled(scene), removals(scene)) == ([], [Removal.UNBACKED])


def test_the_mark_counts_at_its_worst(scene: Scene, perpetual: int) -> None:
    """An index that has fallen since the mark is what a bid at the mark costs its account."""
    bid = MARK * PERCENT // 100
    long_at(scene, perpetual, PERCENT)
    scene.deposit("ann", 1_000_000 * USDC)
    scene.resting("ann", perpetual, BUY, bid, 10 * BTC)
    assert scene.publish_index(SPOT_ATOMS // 2).is_applied
    assert equity_of(scene, perpetual) > 1_000_000 * USDC
    assert scene.place("cid", perpetual, SELL, bid, 10 * BTC).is_applied
    assert (filled(scene), removals(scene)) == ([], [Removal.UNBACKED])


def test_removed_orders_count_as_met(scene: Scene, perpetual: int) -> None:
    long_with_bids(scene, perpetual, *[100] * (FILLS_PER_COMMAND_MAX + 1), percent=75)
    assert scene.place("cid", perpetual, SELL, BID, 100).is_applied
    unbacked = [Removal.UNBACKED] * FILLS_PER_COMMAND_MAX
    assert removals(scene) == [*unbacked, Removal.FILL_LIMIT]


def test_fill_or_kill_does_not_count_on_it(scene: Scene, perpetual: int) -> None:
    """Ann can pay one of her two bids, and not the second one after it."""
    long_with_bids(scene, perpetual, 15_000, 15_000)
    scene.deposit("dan", 100_000 * USDC)
    scene.resting("dan", perpetual, BUY, BID - 1, 10_000)
    for lots in (25_001, 30_000):
        outcome = scene.place("cid", perpetual, SELL, BID - 1, lots, time_in_force=FOK)
        assert outcome.name == "WOULD_NOT_FILL"
    assert scene.place("cid", perpetual, SELL, BID - 1, 25_000, time_in_force=FOK).is_applied
    assert (filled(scene), removals(scene)) == ([15_000, 10_000], [Removal.UNBACKED])


def test_a_slice_of_a_liquidation_does_not_either(scene: Scene, perpetual: int) -> None:
    """Dan's bid, as high as the slice's limit needs it, is more than he can pay."""
    scene.deposit("dan", 160_000 * USDC)
    scene.resting("dan", perpetual, BUY, BID, 10 * BTC)
    long_at(scene, perpetual, 78)
    assert scene.liquidate("ann", perpetual).is_applied
    assert (filled(scene), removals(scene)) == ([], [Removal.UNBACKED])


def test_an_auction_drops_it_and_looks_for_a_new_price(scene: Scene, perpetual: int) -> None:
    scene.deposit("dan", 1_000_000 * USDC)
    long_at(scene, perpetual, 77)
    assert scene.set_instrument(perpetual, InstrumentState.PRE_OPEN).is_applied
    price = MARK * 75 // 100
    scene.resting("dan", perpetual, BUY, price, 1_000)
    scene.resting("ann", perpetual, SELL, price, 700, reduce_only=True)
    scene.resting("bob", perpetual, SELL, price, 600)
    move(scene, 75)
    assert equity_of(scene, perpetual) < 0
    assert scene.set_instrument(perpetual).is_applied
    told: list[object] = []
    while instrument(scene, perpetual).auction_phase:
        assert scene.uncross(perpetual).is_applied
        told += scene.events()
    assert [e.removal for e in told if isinstance(e, OrderRemoved)] == [Removal.UNBACKED]
    assert [e.lots for e in told if isinstance(e, AuctionPriced)] == [1_000, 600]
    assert [e.lots for e in told if isinstance(e, AuctionFilled)] == [600]


def test_legs_of_a_combo_count_together(scene: Scene) -> None:
    """Ann's offer of a call against a higher one is cheap now; what she still has is less."""
    low = scene.open_option(InstrumentKind.CALL, STRIKE_ATOMS)
    high = scene.open_option(InstrumentKind.CALL, STRIKE_ATOMS + 10_000 * USDC)
    scene.deposit("host", 1_000 * USDC)
    combo = scene.combo("host", (low, 1), (high, -1))
    worth = risk_array(scene, low).mark_atoms - risk_array(scene, high).mark_atoms
    tick = instrument(scene, combo).tick_value_atoms
    price = COMBO_PRICE_OFFSET_TICKS + worth // tick + 1_000
    scene.deposit("eve", 400 * USDC)
    scene.resting("eve", combo, SELL, price, 10)
    scene.resting("bob", combo, SELL, price, 10)
    assert scene.publish_index(SPOT_ATOMS * 130 // 100).is_applied
    assert scene.publish_forward(SPOT_ATOMS * 130 // 100).is_applied
    assert scene.place("cid", combo, BUY, price, 20, time_in_force=IOC).is_applied
    assert (filled(scene), removals(scene)) == ([10], [Removal.UNBACKED, Removal.IMMEDIATE])
    assert position_in(scene, "eve", low) is None


def crowd(scene: Scene, count: int) -> list[str]:
    """Rich makers with quotes in 102 combos: each counts for 510 instruments, and is covered."""
    strikes = [STRIKE_ATOMS + place * 1_000 * USDC for place in range(4)]
    legs = [scene.open_option(InstrumentKind.CALL, strike) for strike in strikes]
    scene.deposit("host", 1_000 * USDC)
    combos = [
        scene.combo("host", *zip(legs, (1 + place, -1, 1, -1), strict=True))
        for place in range(INSTRUMENTS_PER_ACCOUNT_MAX // (1 + len(legs)) - 1)
    ]
    names = [f"maker {place}" for place in range(count)]
    for name in names:
        scene.deposit(name, 1_000_000 * USDC)
        for first in range(0, len(combos), QUOTES_PER_BATCH_MAX):
            rows = combos[first : first + QUOTES_PER_BATCH_MAX]
            assert scene.quote(name, *(Quote(combo, BUY, 1, 1) for combo in rows)).is_applied
    return names


def test_a_command_looks_at_so_many_positions(scene: Scene, perpetual: int) -> None:
    """Five makers of 510 instruments have been looked at: the sixth would be one too many."""
    for name in crowd(scene, 6):
        scene.resting(name, perpetual, BUY, MARK, 1)
    fill_or_kill = partial(scene.place, "cid", perpetual, SELL, MARK, time_in_force=FOK)
    assert fill_or_kill(6).name == "WOULD_NOT_FILL"
    assert scene.place("cid", perpetual, SELL, MARK, 6).is_applied
    assert (filled(scene), removals(scene)) == ([1] * 5, [Removal.FILL_LIMIT])
    assert fill_or_kill(1).is_applied


def test_a_fill_that_costs_nothing_is_no_effort(scene: Scene, perpetual: int) -> None:
    for name in crowd(scene, 6):
        scene.resting(name, perpetual, BUY, MARK - 1_000, 1)
    assert scene.place("cid", perpetual, SELL, MARK - 1_000, 6, time_in_force=FOK).is_applied
    assert filled(scene) == [1] * 6


def test_an_auction_goes_on_with_the_next_uncross(scene: Scene, perpetual: int) -> None:
    names = crowd(scene, 8)
    assert scene.set_instrument(perpetual, InstrumentState.PRE_OPEN).is_applied
    for place, name in enumerate(names):
        scene.resting(name, perpetual, (BUY, SELL)[place % 2], MARK, 1)
    assert scene.set_instrument(perpetual).is_applied
    fills: list[int] = []
    while instrument(scene, perpetual).auction_phase:
        assert scene.uncross(perpetual).is_applied
        fills.append(sum(isinstance(event, AuctionFilled) for event in scene.events()))
    assert fills == [3, 1]
