"""Auctions: the price at which most trades, the fills at it, and what may happen meanwhile."""

from itertools import product
from random import Random

import pytest

from proofbook.protocol.events import (
    AuctionEnded,
    AuctionFilled,
    AuctionPriced,
    InstrumentChanged,
    OrderReduced,
    OrderRemoved,
)
from proofbook.protocol.limits import (
    AuctionPhase,
    InstrumentMode,
    InstrumentState,
    Removal,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from proofbook.simulator.inspection import account, instrument, money, position
from proofbook.simulator.scene import USDC, Scene
from proofbook.spec.auctions import nearest_ticks

BUY, SELL = Side.BUY, Side.SELL
GTT = TimeInForce.GOOD_TILL_TIME
MARK = 800_000
State, Mode = InstrumentState, InstrumentMode


@pytest.fixture
def gathering(scene: Scene, perpetual: int) -> int:
    """The perpetual before it opens."""
    assert scene.set_instrument(perpetual, State.PRE_OPEN).is_applied
    return perpetual


def opened(scene: Scene, gathering: int) -> list[object]:
    """Open the book and uncross it; return what the auction told."""
    assert scene.set_instrument(gathering, State.OPEN).is_applied
    told: list[object] = []
    while instrument(scene, gathering).auction_phase:
        assert scene.uncross(gathering).is_applied
        told += scene.events()
    return told


def fills(told: list[object]) -> list[AuctionFilled]:
    return [event for event in told if isinstance(event, AuctionFilled)]


def test_uncross_rejects_what_has_no_auction(scene: Scene, perpetual: int) -> None:
    assert scene.uncross(perpetual + 1).name == "INSTRUMENT_NOT_FOUND"
    assert scene.uncross(perpetual).name == "AUCTION_NOT_DUE"
    scene.set_instrument(perpetual, State.HALTED)
    assert scene.uncross(perpetual).name == "INSTRUMENT_STATE"


def test_orders_gather_before_the_book_opens(scene: Scene, gathering: int) -> None:
    scene.resting("bob", gathering, SELL, MARK - 5, 4)
    scene.resting("ann", gathering, BUY, MARK + 5, 3)
    scene.resting("ann", gathering, BUY, MARK + 5, 3, post_only=True)
    assert scene.uncross(gathering).name == "INSTRUMENT_STATE"
    assert position(scene, "ann").lots == 0  # type: ignore[union-attr]


def test_opening_a_book_that_is_not_crossed_needs_no_auction(scene: Scene, gathering: int) -> None:
    scene.resting("bob", gathering, SELL, MARK + 5, 4)
    scene.resting("ann", gathering, BUY, MARK - 5, 3)
    assert opened(scene, gathering) == []
    assert scene.uncross(gathering).name == "AUCTION_NOT_DUE"


def test_auction_trades_most_lots_at_one_price(scene: Scene, gathering: int) -> None:
    for ticks, lots in ((MARK + 9, 2), (MARK + 6, 5), (MARK + 2, 4)):
        scene.resting("ann", gathering, BUY, ticks, lots)
    for ticks, lots in ((MARK + 1, 3), (MARK + 4, 3), (MARK + 7, 9)):
        scene.resting("bob", gathering, SELL, ticks, lots)
    before = money(scene)
    told = opened(scene, gathering)
    assert told[0] == AuctionPriced(gathering, MARK + 4, 6), "7 bought, 6 sold; nearest the mark"
    assert [(fill.price_ticks, fill.lots) for fill in fills(told)] == [
        (MARK + 4, lots) for lots in (2, 1, 3)
    ]
    assert told[-1] == AuctionEnded(gathering)
    held = [position(scene, name) for name in ("ann", "bob")]
    assert [record.lots for record in held if record] == [6, -6]
    assert held[0] is not None and held[0].entry_atoms == -6 * (MARK + 4) * 10
    assert money(scene) == before
    assert scene.place("ann", gathering, BUY, MARK + 7, 1).is_applied, "the book is open again"


def test_both_sides_pay_the_fee_of_a_maker(scene: Scene, gathering: int) -> None:
    scene.resting("ann", gathering, BUY, MARK, 10)
    scene.resting("bob", gathering, SELL, MARK, 10)
    opened(scene, gathering)
    fee_atoms = MARK * 10 * 10 * 100 // 10**6
    for name in ("ann", "bob"):
        assert account(scene, name).cash_atoms == 1_000_000 * USDC - fee_atoms


@pytest.mark.parametrize(
    ("mark_atoms", "low", "high", "expected"),
    [
        (500, 40, 60, 50),
        (505, 40, 60, 50),
        (506, 40, 60, 51),
        (100, 40, 60, 40),
        (900, 40, 60, 60),
        (609, 40, 60, 60),
        (-5, 1, 2, 1),
    ],
)
def test_price_is_the_nearest_to_the_mark_then_the_lower(
    mark_atoms: int, low: int, high: int, expected: int
) -> None:
    assert nearest_ticks(mark_atoms, 10, low, high) == expected


def most_lots(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> dict[int, int]:
    """Return the executable lots at every price in reach, by adding up."""
    prices = range(MARK - 12, MARK + 13)
    return {
        price: min(
            sum(lots for ticks, lots in bids if ticks >= price),
            sum(lots for ticks, lots in asks if ticks <= price),
        )
        for price in prices
    }


@pytest.mark.parametrize("seed", range(12))
def test_price_maximizes_what_trades(scene: Scene, gathering: int, seed: int) -> None:
    random = Random(seed)
    bids, asks = (
        [(MARK + random.randint(-10, 10), random.randint(1, 9)) for _ in range(12)] for _ in "ab"
    )
    for (name, side, rows), place in product((("ann", BUY, bids), ("bob", SELL, asks)), range(12)):
        scene.resting(name, gathering, side, *rows[place])
    told = opened(scene, gathering)
    executable = most_lots(bids, asks)
    best = max(executable.values())
    (priced,) = [event for event in told if isinstance(event, AuctionPriced)]
    candidates = [price for price, lots in executable.items() if lots == best]
    assert priced.lots == best
    assert priced.price_ticks == min(candidates, key=lambda price: (abs(price - MARK), price))
    assert sum(fill.lots for fill in fills(told)) == best


def test_large_auction_goes_on_from_command_to_command(scene: Scene, gathering: int) -> None:
    for place in range(50):
        scene.resting("ann", gathering, BUY, MARK + place, 2)
        scene.resting("bob", gathering, SELL, MARK - place, 2)
    scene.set_instrument(gathering, State.OPEN)
    phases = []
    while instrument(scene, gathering).auction_phase:
        assert scene.uncross(gathering).is_applied
        phases.append(instrument(scene, gathering).auction_phase)
        if phases[-1]:
            assert scene.place("cid", gathering, BUY, MARK, 1).name == "INSTRUMENT_STATE"
    assert phases == [AuctionPhase.PRICING] * 3 + [AuctionPhase.FILLING] + [AuctionPhase.NONE]
    assert position(scene, "ann").lots == 100  # type: ignore[union-attr]


def test_search_begins_anew_when_an_order_leaves(scene: Scene, gathering: int) -> None:
    bids = [scene.resting("ann", gathering, BUY, MARK + place, 2) for place in range(40)]
    for place in range(40):
        scene.resting("bob", gathering, SELL, MARK - place, 2)
    scene.set_instrument(gathering, State.OPEN)
    scene.uncross(gathering)
    assert instrument(scene, gathering).auction_bid_lots > 0
    for order in bids[1:]:
        assert scene.cancel("ann", order).is_applied
    assert instrument(scene, gathering).auction_bid_lots == 0
    told = opened_rest(scene, gathering)
    assert AuctionPriced(gathering, MARK, 2) in told
    assert sum(fill.lots for fill in fills(told)) == 2


def opened_rest(scene: Scene, gathering: int) -> list[object]:
    told: list[object] = []
    while instrument(scene, gathering).auction_phase:
        assert scene.uncross(gathering).is_applied
        told += scene.events()
    return told


def test_orders_that_may_not_trade_do_not_move_the_price(scene: Scene, gathering: int) -> None:
    scene.resting("cid", gathering, BUY, MARK + 50, 100)
    scene.cancel_all("cid")
    scene.resting("cid", gathering, BUY, MARK + 40, 100, time_in_force=GTT)
    scene.wait(10**12)
    scene.resting("bob", gathering, SELL, MARK, 5)
    scene.resting("ann", gathering, BUY, MARK + 10, 5)
    told = opened(scene, gathering)
    assert [e.removal for e in told if isinstance(e, OrderRemoved)] == [Removal.EXPIRED]
    assert AuctionPriced(gathering, MARK, 5) in told


def test_orders_that_die_while_it_runs_make_a_new_price(scene: Scene, gathering: int) -> None:
    for place in range(60):
        scene.resting("cid", gathering, BUY, MARK + 20 + place, 5)
        scene.resting("bob", gathering, SELL, MARK + 10, 5)
    scene.resting("ann", gathering, BUY, MARK + 15, 5)
    scene.set_instrument(gathering, State.OPEN)
    for _ in range(4):
        scene.uncross(gathering)
    assert instrument(scene, gathering).auction_phase == AuctionPhase.FILLING
    scene.cancel_all("cid")
    told = opened_rest(scene, gathering)
    assert AuctionPriced(gathering, MARK + 10, 5) in told
    assert position(scene, "ann").lots == 5  # type: ignore[union-attr]


def test_reduce_only_order_trades_what_it_can_reduce(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 3)
    scene.place("ann", perpetual, BUY, MARK, 3)
    scene.set_instrument(perpetual, State.PRE_OPEN)
    scene.resting("ann", perpetual, SELL, MARK, 3, reduce_only=True)
    scene.resting("ann", perpetual, SELL, MARK + 1, 3, reduce_only=True)
    scene.resting("cid", perpetual, BUY, MARK + 5, 9)
    told = opened(scene, perpetual)
    assert [fill.lots for fill in fills(told)] == [3]
    assert [e.removal for e in told if isinstance(e, OrderRemoved)] == [Removal.REDUCE_ONLY]
    assert position(scene, "ann") is None


@pytest.mark.parametrize("mode", list(SelfTradePrevention))
def test_nobody_trades_with_himself(
    scene: Scene, gathering: int, mode: SelfTradePrevention
) -> None:
    scene.resting("ann", gathering, BUY, MARK, 3)
    scene.resting("ann", gathering, SELL, MARK, 5, self_trade_prevention=mode)
    scene.resting("bob", gathering, BUY, MARK, 1)
    before = money(scene)
    told = opened(scene, gathering)
    assert all(fill.buyer != fill.seller for fill in fills(told))
    sold = {SelfTradePrevention.CANCEL_MAKER: 1, SelfTradePrevention.DECREMENT: 1}.get(mode, 0)
    assert sum(fill.lots for fill in fills(told)) == sold
    is_reduced = any(isinstance(event, OrderReduced) for event in told)
    assert is_reduced == (mode == SelfTradePrevention.DECREMENT)
    assert money(scene) == before


def test_book_without_a_partner_ends_without_a_price(scene: Scene, gathering: int) -> None:
    scene.resting("ann", gathering, BUY, MARK, 3)
    scene.resting("bob", gathering, SELL, MARK, 3, time_in_force=GTT)
    scene.wait(10**12)
    told = opened(scene, gathering)
    assert [type(event) for event in told] == [OrderRemoved, AuctionEnded]


def test_halt_stops_an_auction_and_opening_begins_it_anew(scene: Scene, gathering: int) -> None:
    for place in range(30):
        scene.resting("ann", gathering, BUY, MARK + place, 2)
        scene.resting("bob", gathering, SELL, MARK - place, 2)
    scene.set_instrument(gathering, State.OPEN)
    changed = scene.events()[0]
    assert isinstance(changed, InstrumentChanged) and changed.phase == AuctionPhase.PRICING
    scene.uncross(gathering)
    scene.set_instrument(gathering, State.HALTED)
    assert scene.uncross(gathering).name == "INSTRUMENT_STATE"
    assert sum(fill.lots for fill in fills(opened(scene, gathering))) == 60


# Batch auctions


def test_batch_auction_is_due_once_in_its_interval(scene: Scene, perpetual: int) -> None:
    options = {"mode": Mode.BATCH_AUCTION, "auction_interval_ms": 1_000}
    scene.set_instrument(perpetual, **options)  # type: ignore[arg-type]
    assert scene.place("ann", perpetual, BUY, MARK, 1, time_in_force=TimeInForce.FILL_OR_KILL).name
    for _ in range(2):
        scene.resting("ann", perpetual, BUY, MARK + 5, 2)
        scene.resting("bob", perpetual, SELL, MARK - 5, 2)
        assert scene.uncross(perpetual).name == "AUCTION_NOT_DUE"
        scene.wait(10**9)
        assert scene.uncross(perpetual).is_applied
        assert fills(list(scene.events()))[0].price_ticks == MARK
    scene.wait(10**9)
    assert scene.uncross(perpetual).name == "AUCTION_NOT_DUE", "nothing is crossed"


def test_immediate_orders_do_not_enter_a_batch_auction(scene: Scene, perpetual: int) -> None:
    scene.set_instrument(perpetual, mode=Mode.BATCH_AUCTION, auction_interval_ms=1)
    for time_in_force in (TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL):
        outcome = scene.place("ann", perpetual, BUY, MARK, 1, time_in_force=time_in_force)
        assert outcome.name == "INSTRUMENT_STATE"


def test_leaving_the_batch_mode_uncrosses_the_book(scene: Scene, perpetual: int) -> None:
    scene.set_instrument(perpetual, mode=Mode.BATCH_AUCTION, auction_interval_ms=1_000)
    scene.resting("ann", perpetual, BUY, MARK + 5, 2)
    scene.resting("bob", perpetual, SELL, MARK - 5, 2)
    assert len(fills(opened(scene, perpetual))) == 1
