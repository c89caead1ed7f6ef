"""Quotes in batches: replaced by side, one outcome each, one margin check."""

import pytest

from proofbook.protocol.commands import Malformed, Quote, QuoteBatch
from proofbook.protocol.entry import CLASS_POST_ONLY, Entry, own_class
from proofbook.protocol.events import (
    OrderRemoved,
    OrderRested,
    QuoteRefused,
)
from proofbook.protocol.limits import (
    PostOnly,
    Reject,
    Removal,
    Side,
)
from proofbook.simulator.inspection import account, money, position
from proofbook.simulator.scene import Scene

BUY, SELL = Side.BUY, Side.SELL
MARK = 800_000


def refusals(scene: Scene) -> list[tuple[int, str]]:
    events = [event for event in scene.events() if isinstance(event, QuoteRefused)]
    return [(event.place, Reject(event.reason).name) for event in events]


def rested(scene: Scene) -> list[OrderRested]:
    return [event for event in scene.events() if isinstance(event, OrderRested)]


def test_a_batch_rests_its_quotes(scene: Scene, perpetual: int) -> None:
    quotes = Quote(perpetual, BUY, MARK - 5, 10), Quote(perpetual, SELL, MARK + 5, 20)
    assert scene.quote("ann", *quotes).is_applied
    assert [(e.side, e.price_ticks, e.lots) for e in rested(scene)] == [
        (BUY, MARK - 5, 10), (SELL, MARK + 5, 20),
    ]  # fmt: skip
    held = position(scene, "ann")
    assert held is not None
    assert (held.bid_quote, held.ask_quote) == tuple(e.order & 0xFFFF_FFFF for e in rested(scene))


def test_a_new_quote_takes_the_place_of_the_old_one(scene: Scene, perpetual: int) -> None:
    scene.quote("ann", Quote(perpetual, BUY, MARK - 5, 10), Quote(perpetual, SELL, MARK + 5, 20))
    assert scene.quote("ann", Quote(perpetual, BUY, MARK + 5, 7)).is_applied
    assert refusals(scene) == [(0, "POST_ONLY_WOULD_CROSS")]
    scene.quote("ann", Quote(perpetual, BUY, MARK + 5, 7), Quote(perpetual, SELL, MARK + 9, 3))
    assert refusals(scene) == []
    record = account(scene, "ann")
    assert (record.orders_resident, record.orders_live) == (2, 2)


def test_a_refused_quote_leaves_no_old_one_behind(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 5)
    scene.quote("ann", Quote(perpetual, BUY, MARK - 5, 10))
    assert scene.quote("ann", Quote(perpetual, BUY, MARK, 10)).is_applied
    removed, refused = scene.events()
    assert isinstance(removed, OrderRemoved) and removed.removal == Removal.REPLACED
    assert isinstance(refused, QuoteRefused)
    assert account(scene, "ann").orders_resident == 0
    assert position(scene, "ann") is None


def test_a_sliding_quote_rests_short_of_the_best(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, MARK, 5)
    scene.quote("ann", Quote(perpetual, BUY, MARK + 7, 10), slide=True)
    assert [event.price_ticks for event in rested(scene)] == [MARK - 1]


def test_a_quote_of_nothing_is_pulled(scene: Scene, perpetual: int) -> None:
    scene.quote("ann", Quote(perpetual, BUY, MARK - 5, 10))
    assert scene.quote("ann", Quote(perpetual, BUY, 0, 0)).is_applied
    assert account(scene, "ann").orders_resident == 0
    assert scene.quote("ann", Quote(perpetual, BUY, 0, 0)).is_applied
    assert scene.events() == []


def test_every_quote_has_its_own_outcome(scene: Scene, perpetual: int, call: int) -> None:
    quotes = sorted(
        [
            Quote(perpetual, BUY, 1 << 24, 1), Quote(perpetual, SELL, MARK + 1, 0xFFFF_FFFF_FFFF),
            Quote(call, BUY, 10, 1), Quote(call, SELL, 900_000, 1), Quote(99, BUY, 10, 1),
        ],
        key=lambda quote: (quote.instrument, quote.side),
    )  # fmt: skip
    assert scene.quote("ann", *quotes).is_applied
    names = {quotes[place].instrument: name for place, name in refusals(scene)}
    assert names[99] == "INSTRUMENT_NOT_FOUND"
    assert sorted(name for _, name in refusals(scene)) == [
        "INSTRUMENT_NOT_FOUND", "LOTS_OUT_OF_RANGE", "PRICE_OUT_OF_RANGE",
    ]  # fmt: skip
    assert len(rested(scene)) == 2


def test_margin_is_checked_for_all_quotes_together(scene: Scene, perpetual: int) -> None:
    lots = next(
        lots
        for lots in range(900_000, 0, -20_000)
        if scene.quote("ann", Quote(perpetual, BUY, MARK - 1, lots)).is_applied
    )
    more = Quote(perpetual, BUY, MARK - 1, lots + 40_000)
    assert scene.quote("ann", more).name == "INSUFFICIENT_MARGIN"
    held = position(scene, "ann")
    assert held is not None and held.open_buy_lots == lots, "nothing has changed"
    both = Quote(perpetual, BUY, MARK - 2, lots), Quote(perpetual, SELL, MARK + 2, lots // 2)
    assert scene.quote("ann", *both).is_applied, "the old bid makes room for the new one"


def test_quotes_may_always_require_less(scene: Scene, perpetual: int) -> None:
    scene.quote("ann", Quote(perpetual, BUY, MARK - 1, 100_000))
    scene.publish_index(80_000_000_000 * 12)
    scene.remark_perpetual()
    grown = scene.quote("ann", Quote(perpetual, BUY, MARK - 1, 100_001))
    assert grown.name == "INSUFFICIENT_MARGIN"
    assert scene.quote("ann", Quote(perpetual, BUY, MARK - 1, 100_000)).is_applied
    assert scene.quote("ann", Quote(perpetual, BUY, MARK - 2, 90_000)).is_applied


def test_quotes_trade_like_orders_and_leave_their_position(scene: Scene, perpetual: int) -> None:
    scene.quote("ann", Quote(perpetual, SELL, MARK, 10))
    before = money(scene)
    scene.place("bob", perpetual, BUY, MARK, 10)
    held = position(scene, "ann")
    assert held is not None
    assert (held.lots, held.ask_quote, held.orders_resident) == (-10, 0, 0)
    assert money(scene) == before


def test_a_cancelled_quote_is_forgotten(scene: Scene, perpetual: int) -> None:
    scene.quote("ann", Quote(perpetual, SELL, MARK, 10))
    assert scene.cancel("ann", rested(scene)[0].order).is_applied
    assert scene.quote("ann", Quote(perpetual, SELL, MARK, 4)).is_applied
    assert len(scene.events()) == 1


def test_quotes_ended_by_cancel_all_are_replaced_without_counting_twice(
    scene: Scene, perpetual: int
) -> None:
    scene.quote("ann", Quote(perpetual, SELL, MARK, 10))
    for place in range(40):
        scene.resting("ann", perpetual, SELL, MARK + 1 + place, 1)
    quote = rested(scene)
    assert quote
    scene.cancel_all("ann")
    assert scene.quote("ann", Quote(perpetual, SELL, MARK, 4)).is_applied
    held = position(scene, "ann")
    assert held is not None and held.open_sell_lots == 4


@pytest.mark.parametrize("quotes", [
    [(5, SELL), (5, BUY)], [(6, BUY), (5, BUY)], [(5, BUY), (5, BUY)],
])  # fmt: skip
def test_quotes_out_of_order_are_malformed(quotes: list[tuple[int, Side]]) -> None:
    rows = tuple(Quote(instrument, side, 1, 1) for instrument, side in quotes)
    data = Entry(2, 1, QuoteBatch(3, 1, 1, 0, PostOnly.REJECT, 0, rows)).encode()
    with pytest.raises(Malformed, match="ascending"):
        Entry.decode(data)


def test_quotes_must_be_post_only() -> None:
    data = Entry(2, 1, QuoteBatch(3, 1, 1, 0, PostOnly.OFF, 0, ())).encode()
    with pytest.raises(Malformed, match="rest"):
        Entry.decode(data)


def test_a_batch_is_ordered_with_what_can_only_rest() -> None:
    assert own_class(QuoteBatch(3, 1, 1, 0, PostOnly.REJECT, 0, ())) == CLASS_POST_ONLY


def test_twenty_quotes_take_less_than_24_bytes_each() -> None:
    rows = tuple(Quote(place, BUY, 1, 1) for place in range(20))
    data = Entry(2, 1, QuoteBatch(3, 1, 1, 0, PostOnly.REJECT, 0, rows)).encode()
    assert len(data) / 20 <= 24
