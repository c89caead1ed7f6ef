"""Funding and mark of a perpetual: the premium of its book, added up over time.

A lot is worth 8 USD at the index of 80,000, and the impact value of 10,000 USD is 1,250 lots: bids
of 2,000 lots at 0.1 % above the index are a premium of 1,000 ppm.
"""

import pytest

from proofbook.protocol.commands import Quote, Remark, SetParameters, Tick
from proofbook.protocol.events import FundingChanged, FundingSettled
from proofbook.protocol.genesis import MarginParameters
from proofbook.protocol.limits import (
    FEMTOS_PER_PPM,
    InstrumentMode,
    InstrumentState,
    Side,
    TimeInForce,
)
from proofbook.simulator.inspection import (
    account,
    instrument,
    money,
    pending_funding,
    position,
    risk_array,
)
from proofbook.simulator.scene import SPOT_ATOMS, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
GTT, IOC = TimeInForce.GOOD_TILL_TIME, TimeInForce.IMMEDIATE_OR_CANCEL
MARK = 800_000
ABOVE, BELOW = 800_800, 799_200
SECOND_NS = 10**9
LOT_ATOMS = 8_000_000
INTERVAL_SECONDS = 28_800
DEPOSITS = 3_000_000 * USDC


def hold(scene: Scene, perpetual: int, lots: int = 1_000) -> None:
    """Ann is long and bob short."""
    scene.resting("bob", perpetual, SELL, MARK, lots)
    assert scene.place("ann", perpetual, BUY, MARK, lots).is_applied


def index_seconds(scene: Scene, seconds: int) -> None:
    """Publish the same index every ten seconds."""
    for _ in range(seconds // 10):
        scene.wait(10 * SECOND_NS - 10**6)
        assert scene.publish_index().is_applied


def accrued(scene: Scene, perpetual: int) -> int:
    """Publish the index and return what a lot has paid until now."""
    assert scene.publish_index().is_applied
    return instrument(scene, perpetual).funding_index


def expected(premium_ppm: int, nanoseconds: int) -> int:
    """Return what a lot pays for a premium over a time, rounded down."""
    return LOT_ATOMS * premium_ppm * nanoseconds // (INTERVAL_SECONDS * SECOND_NS * 10**6)


def test_bids_above_the_index_make_longs_pay_shorts(scene: Scene, perpetual: int) -> None:
    hold(scene, perpetual)
    cash = account(scene, "ann").cash_atoms, account(scene, "bob").cash_atoms
    scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    begun_ns = scene.window_ns
    index_seconds(scene, 600)
    paid = expected(1_000, scene.window_ns - begun_ns)
    record = instrument(scene, perpetual)
    assert record.funding_index == paid == 166
    assert record.funding_remainder > 0, "what is no whole atom is kept"
    for name, before, sign in (("ann", cash[0], -1), ("bob", cash[1], 1)):
        held = position(scene, name)
        assert held and -pending_funding(scene, held) == sign * 1_000 * paid
        assert account(scene, name).cash_atoms == before, "nothing is paid before it is settled"
    assert money(scene) == DEPOSITS


def test_asks_below_the_index_make_shorts_pay_longs(scene: Scene, perpetual: int) -> None:
    scene.resting("cid", perpetual, SELL, BELOW, 2_000)
    begun_ns = scene.window_ns
    index_seconds(scene, 600)
    numerator = -LOT_ATOMS * 1_000 * (scene.window_ns - begun_ns)
    assert instrument(scene, perpetual).funding_index == numerator // (
        INTERVAL_SECONDS * SECOND_NS * 10**6
    )
    assert instrument(scene, perpetual).funding_index == -167, "rounded down, the rest kept"


def test_book_around_the_index_pays_nothing(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, BUY, BELOW, 2_000)
    scene.resting("cid", perpetual, SELL, ABOVE, 2_000)
    index_seconds(scene, 60)
    assert instrument(scene, perpetual).funding_index == 0
    assert instrument(scene, perpetual).mark_premium_femtos == 0


def test_premium_is_the_average_price_of_the_impact_value(scene: Scene, perpetual: int) -> None:
    """625 lots at +2,000 ppm and 623 at +1,000: 10,000 USD need 1,248 lots."""
    scene.resting("bob", perpetual, BUY, 801_600, 625)
    scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    begun_ns = scene.window_ns
    index_seconds(scene, 600)
    value = 625 * 8_016_000 + 624 * 8_008_000
    lots = 625 + 624
    premium = (value - lots * LOT_ATOMS) * 10**6 // (lots * LOT_ATOMS)
    assert premium == 1_500
    paid = expected(premium, scene.window_ns - begun_ns)
    assert instrument(scene, perpetual).funding_index == paid


def test_funding_is_bounded(scene: Scene, perpetual: int) -> None:
    scene.resting("cid", perpetual, BUY, 880_000, 2_000)
    begun_ns = scene.window_ns
    index_seconds(scene, 600)
    paid = expected(4_000, scene.window_ns - begun_ns)
    assert instrument(scene, perpetual).funding_index == paid


def test_bound_is_governed(scene: Scene, perpetual: int) -> None:
    parameters = MarginParameters(funding_premium_max_ppm=100, funding_impact_usd=100)
    assert scene.submit(SetParameters(2, parameters)).is_applied
    scene.resting("cid", perpetual, BUY, ABOVE, 20)
    begun_ns = scene.window_ns
    index_seconds(scene, 600)
    paid = expected(100, scene.window_ns - begun_ns)
    assert instrument(scene, perpetual).funding_index == paid > 0


def test_without_an_impact_value_there_is_no_premium(scene: Scene, perpetual: int) -> None:
    """An order that counts for nothing would fill it: a share of no lots."""
    assert scene.submit(SetParameters(2, MarginParameters(funding_impact_usd=0))).is_applied
    hold(scene, perpetual)
    scene.resting("ann", perpetual, SELL, BELOW, 1_000, reduce_only=True)
    scene.resting("cid", perpetual, BUY, BELOW - 100, 2_000)
    index_seconds(scene, 20)
    assert instrument(scene, perpetual).funding_index == 0


def test_premium_counts_for_as_long_as_it_stood(scene: Scene, perpetual: int) -> None:
    """An order that comes a moment before the index counts for that moment."""
    scene.wait(50 * SECOND_NS)
    order = scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    placed_ns = scene.window_ns
    scene.wait(5 * SECOND_NS)
    assert scene.cancel("cid", order).is_applied
    paid = expected(1_000, scene.window_ns - placed_ns)
    assert paid == 1
    assert instrument(scene, perpetual).funding_index == paid


@pytest.mark.parametrize("gap", [7, 50])
def test_how_often_it_accrues_changes_nothing(scene: Scene, perpetual: int, gap: int) -> None:
    scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    begun_ns = scene.window_ns
    for _ in range(350 // gap):
        scene.wait(gap * SECOND_NS - 10**6)
        assert scene.publish_index().is_applied
    assert scene.window_ns - begun_ns == 350 * SECOND_NS
    assert instrument(scene, perpetual).funding_index == expected(1_000, 350 * SECOND_NS)


def test_index_counts_for_a_minute(scene: Scene, perpetual: int) -> None:
    published_ns = scene.window_ns - 10**6
    scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    begun_ns = scene.window_ns
    scene.wait(3_600 * SECOND_NS)
    assert accrued(scene, perpetual) == expected(1_000, published_ns + 60 * SECOND_NS - begun_ns)


@pytest.mark.parametrize("state", [InstrumentState.HALTED, InstrumentState.POST_ONLY])
def test_book_that_does_not_trade_pays_nothing(
    scene: Scene, perpetual: int, state: InstrumentState
) -> None:
    scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    scene.wait(5 * SECOND_NS)
    assert scene.set_instrument(perpetual, state).is_applied
    before = instrument(scene, perpetual).funding_index
    assert before == 1, "the time before the halt counts"
    scene.wait(20 * SECOND_NS)
    assert accrued(scene, perpetual) == before
    assert scene.set_instrument(perpetual).is_applied
    scene.wait(20 * SECOND_NS)
    assert accrued(scene, perpetual) > before


def test_book_of_auctions_pays_nothing(scene: Scene, perpetual: int) -> None:
    mode = InstrumentMode.BATCH_AUCTION
    assert scene.set_instrument(perpetual, mode=mode, auction_interval_ms=1_000).is_applied
    scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    scene.wait(50 * SECOND_NS)
    assert accrued(scene, perpetual) == 0


def test_auction_that_opens_a_book_pays_nothing(scene: Scene, perpetual: int) -> None:
    assert scene.set_instrument(perpetual, InstrumentState.PRE_OPEN).is_applied
    scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    scene.resting("bob", perpetual, SELL, ABOVE, 500)
    assert scene.set_instrument(perpetual).is_applied
    scene.wait(30 * SECOND_NS)
    assert scene.uncross(perpetual).is_applied
    assert instrument(scene, perpetual).auction_phase == 0
    assert instrument(scene, perpetual).funding_index == 0
    ended_ns = scene.window_ns
    scene.wait(20 * SECOND_NS)
    assert accrued(scene, perpetual) == expected(1_000, scene.window_ns - ended_ns)


# What an order must be to count


def premium_after(scene: Scene, perpetual: int) -> bool:
    """Whether the next 20 seconds bring anything."""
    before = accrued(scene, perpetual)
    scene.wait(20 * SECOND_NS)
    return accrued(scene, perpetual) > before


def test_too_little_depth_is_no_premium(scene: Scene, perpetual: int) -> None:
    scene.resting("cid", perpetual, BUY, ABOVE, 1_248)
    assert not premium_after(scene, perpetual)
    scene.resting("bob", perpetual, BUY, ABOVE, 1)
    assert premium_after(scene, perpetual)


def test_reduce_only_orders_do_not_count(scene: Scene, perpetual: int) -> None:
    hold(scene, perpetual, 2_000)
    scene.resting("bob", perpetual, BUY, ABOVE, 2_000, reduce_only=True)
    assert not premium_after(scene, perpetual)


def test_order_counts_for_its_protection_once(scene: Scene, perpetual: int) -> None:
    """A taker would meet no more than 1,000 lots of both quotes."""
    assert scene.protect("cid", 1, SECOND_NS, 0, 1_000 * 100_000).is_applied
    scene.quote("cid", Quote(perpetual, BUY, ABOVE, 1_000), protection=1)
    assert not premium_after(scene, perpetual)
    scene.resting("bob", perpetual, BUY, ABOVE, 200)
    assert not premium_after(scene, perpetual)
    scene.resting("bob", perpetual, BUY, ABOVE, 49)
    assert premium_after(scene, perpetual)


def test_order_past_its_time_counts_for_nothing_of_the_interval(
    scene: Scene, perpetual: int
) -> None:
    scene.resting("cid", perpetual, BUY, ABOVE, 2_000, time_in_force=GTT)
    scene.wait(1_001 * SECOND_NS)
    assert accrued(scene, perpetual) == 0


def test_order_ended_with_others_counts_for_nothing_since_the_last_change(
    scene: Scene, perpetual: int
) -> None:
    """What an owner can undo ends with the next change of book or index."""
    scene.resting("bob", perpetual, BUY, MARK - 1, 1)
    for _ in range(33):
        scene.resting("cid", perpetual, BUY, ABOVE, 100)
    scene.wait(30 * SECOND_NS)
    before = accrued(scene, perpetual)
    assert before > 0
    scene.wait(30 * SECOND_NS)
    assert scene.cancel_all("cid").is_applied
    assert account(scene, "cid").orders_resident == 1, "one dead order is left on top"
    assert accrued(scene, perpetual) == before


def test_dead_orders_on_top_silence_a_side_until_somebody_sweeps_them(
    scene: Scene, perpetual: int
) -> None:
    """The attack: orders above the market, ended at once. A Tick undoes it, from anyone."""
    scene.resting("bob", perpetual, BUY, ABOVE, 2_000)
    with scene.window():
        for _ in range(48):
            assert scene.place("cid", perpetual, BUY, ABOVE + 1, 1).is_applied
        assert scene.cancel_all("cid").is_applied
    assert account(scene, "cid").orders_resident == 16
    assert not premium_after(scene, perpetual)
    assert scene.submit(Tick(scene.accounts["cid"], 0)).is_applied
    assert account(scene, "cid").orders_resident == 0
    assert premium_after(scene, perpetual)


def test_dust_on_top_silences_a_side_until_somebody_trades_it(scene: Scene, perpetual: int) -> None:
    """The attack at its cheapest: 16 lots, at prices that pay whoever takes them."""
    scene.resting("bob", perpetual, BUY, ABOVE, 2_000)
    for _ in range(16):
        scene.resting("cid", perpetual, BUY, ABOVE + 1, 1)
    assert not premium_after(scene, perpetual)
    assert scene.place("ann", perpetual, SELL, ABOVE + 1, 16, time_in_force=IOC).is_applied
    assert premium_after(scene, perpetual)


# Who pays, and when


def test_position_pays_from_when_it_was_opened(scene: Scene, perpetual: int) -> None:
    scene.resting("cid", perpetual, BUY, ABOVE, 3_000)
    scene.wait(50 * SECOND_NS)
    assert scene.place("bob", perpetual, SELL, ABOVE, 1_000, time_in_force=IOC).is_applied
    held = position(scene, "bob")
    assert held and held.funding_index == instrument(scene, perpetual).funding_index > 0
    assert pending_funding(scene, held) == 0
    assert not any(isinstance(event, FundingSettled) for event in scene.events())


def test_trade_settles_what_was_held_until_then(scene: Scene, perpetual: int) -> None:
    hold(scene, perpetual)
    scene.resting("cid", perpetual, BUY, ABOVE, 3_000)
    begun_ns = scene.window_ns
    scene.wait(50 * SECOND_NS)
    before = account(scene, "bob").cash_atoms
    scene.resting("bob", perpetual, SELL, 900_000, 1)
    assert account(scene, "bob").cash_atoms == before, "an order settles nothing"
    assert scene.place("bob", perpetual, SELL, ABOVE, 10, time_in_force=IOC).is_applied
    paid = expected(1_000, scene.window_ns - begun_ns)
    settled = [event for event in scene.events() if isinstance(event, FundingSettled)]
    bob = scene.accounts["bob"]
    assert settled == [FundingSettled(bob, perpetual, -1_000, 0, paid)]
    fee_atoms = 10 * ABOVE * 10 * 400 // 10**6
    assert account(scene, "bob").cash_atoms == before + 1_000 * paid - fee_atoms
    assert money(scene) == DEPOSITS


def test_equity_counts_funding_that_is_not_settled(scene: Scene, perpetual: int) -> None:
    """Who would owe more than his cash by funding may not take the cash away."""
    hold(scene, perpetual)
    scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    index_seconds(scene, 600)
    held, owned = position(scene, "ann"), account(scene, "ann")
    assert held
    owed = pending_funding(scene, held)
    assert owed == 166_000
    value_atoms = held.lots * risk_array(scene, perpetual).mark_atoms
    most = owned.cash_atoms + held.entry_atoms + value_atoms
    outcome = scene.withdraw("ann", most - owed + 1)
    assert outcome.name == "INSUFFICIENT_BALANCE"
    assert scene.withdraw("ann", most - owed).name == "INSUFFICIENT_MARGIN"
    assert scene.withdraw("ann", USDC).is_applied
    held = position(scene, "ann")
    assert held and pending_funding(scene, held) == 0, "a withdrawal settles it"
    assert account(scene, "ann").cash_atoms == most - owed - USDC


def test_closed_position_has_paid_all(scene: Scene, perpetual: int) -> None:
    hold(scene, perpetual)
    scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    index_seconds(scene, 300)
    assert scene.place("ann", perpetual, SELL, ABOVE, 1_000, time_in_force=IOC).is_applied
    assert position(scene, "ann") is None
    assert money(scene) == DEPOSITS


def test_halt_between_two_who_hold_moves_no_atom(scene: Scene, perpetual: int) -> None:
    hold(scene, perpetual)
    scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    index_seconds(scene, 100)
    assert scene.set_instrument(perpetual, InstrumentState.HALTED).is_applied
    held = [position(scene, name) for name in ("ann", "bob")]
    assert sum(pending_funding(scene, one) for one in held if one) == 0


def test_index_tells_funding_and_premium(scene: Scene, perpetual: int) -> None:
    scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    begun_ns = scene.window_ns
    scene.wait(30 * SECOND_NS - 10**6)
    assert scene.publish_index().is_applied
    assert scene.window_ns - begun_ns == 30 * SECOND_NS
    paid = expected(1_000, 30 * SECOND_NS)
    assert scene.events()[0] == FundingChanged(perpetual, paid, 500 * FEMTOS_PER_PPM)


# The mark


def test_mark_follows_the_premium_over_a_minute(scene: Scene, perpetual: int) -> None:
    scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    begun_ns = scene.window_ns
    scene.wait(30 * SECOND_NS - 10**6)
    assert scene.submit(Remark(1)).is_applied
    assert scene.window_ns - begun_ns == 30 * SECOND_NS
    assert risk_array(scene, perpetual).mark_atoms == LOT_ATOMS * 1_000_500 // 10**6
    scene.publish_index()
    scene.wait(60 * SECOND_NS)
    assert scene.submit(Remark(1)).is_applied
    assert risk_array(scene, perpetual).mark_atoms == LOT_ATOMS * 1_001_000 // 10**6


def test_mark_lies_within_its_bound(scene: Scene, perpetual: int) -> None:
    scene.resting("cid", perpetual, BUY, 880_000, 2_000)
    index_seconds(scene, 600)
    assert scene.submit(Remark(1)).is_applied
    assert risk_array(scene, perpetual).mark_atoms >= LOT_ATOMS * 1_004_999 // 10**6
    assert risk_array(scene, perpetual).mark_atoms <= LOT_ATOMS * 1_005_000 // 10**6
    parameters = MarginParameters(perpetual_mark_max_ppm=100)
    assert scene.submit(SetParameters(2, parameters)).is_applied
    assert scene.submit(Remark(1)).is_applied
    assert risk_array(scene, perpetual).mark_atoms == LOT_ATOMS * 1_000_100 // 10**6


def test_mark_comes_back_to_the_index(scene: Scene, perpetual: int) -> None:
    order = scene.resting("cid", perpetual, BUY, ABOVE, 2_000)
    index_seconds(scene, 60)
    assert scene.cancel("cid", order).is_applied
    index_seconds(scene, 600)
    assert scene.submit(Remark(1)).is_applied
    assert 0 <= risk_array(scene, perpetual).mark_atoms - LOT_ATOMS <= 2


def test_an_order_of_a_moment_does_not_move_the_mark(scene: Scene, perpetual: int) -> None:
    """Half a per cent above for a millisecond moves it by less than a tenth of a ppm."""
    index_seconds(scene, 50)
    with scene.window():
        scene.place("cid", perpetual, BUY, 804_000, 2_000)
    assert scene.submit(Remark(1)).is_applied
    moved = instrument(scene, perpetual).mark_premium_femtos
    assert 0 < moved < FEMTOS_PER_PPM // 10
    assert risk_array(scene, perpetual).mark_atoms <= SPOT_ATOMS // 10_000 + 1
