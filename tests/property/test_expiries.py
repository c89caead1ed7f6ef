"""What any expiry pays: as much as it takes, whoever holds what and however it was settled."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from proofbook.protocol.commands import Remark, SetSettlement
from proofbook.protocol.limits import InstrumentKind, MarginMode, Side
from proofbook.simulator.inspection import instrument, money, risk_array
from proofbook.simulator.scene import EXPIRY_NS, MINUTE_NS, STRIKE_ATOMS, USDC, Scene
from proofbook.spec import State
from proofbook.spec.expiries import div_nearest

NAMES = ("ann", "bob", "cid")
DEPOSITS = len(NAMES) * 3_000_000 * USDC
EXPIRY = 2
KINDS = (InstrumentKind.FUTURE, InstrumentKind.CALL, InstrumentKind.PUT)
MARK_TICKS, PREMIUM_TICKS = 800_000, 30_000
OPENS_NS = EXPIRY_NS - 30 * MINUTE_NS

Prices = list[tuple[int, int]]
"""At which minute from the opening of the window on, and the index in atoms."""


@dataclass(frozen=True)
class Trade:
    """Who buys what of whom."""

    buyer: str
    seller: str
    book: int
    away_ticks: int
    lots: int


def trades() -> st.SearchStrategy[list[Trade]]:
    names = st.permutations(NAMES)
    return st.lists(
        st.builds(
            lambda order, book, away, lots: Trade(order[0], order[1], book, away, lots),
            names, st.integers(0, 4), st.integers(-5_000, 5_000),
            st.sampled_from((1, 7, 100, 900)),
        ),
        max_size=14,
    )  # fmt: skip


def prices() -> st.SearchStrategy[Prices]:
    """Return indices of some of the minutes before an expiry and after it."""
    index = st.integers(79_000_000_000, 81_000_000_000)
    return st.dictionaries(st.integers(0, 60), index, max_size=61).map(
        lambda by_minute: sorted(by_minute.items())
    )


def scene_of() -> tuple[Scene, list[int]]:
    """Return a venue, its perpetual, and a future, two calls and a put of one expiry."""
    scene = Scene(State)
    for name in NAMES:
        scene.deposit(name, 3_000_000 * USDC)
    books = [scene.open_perpetual(), scene.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)]
    for kind, strike_atoms in (
        (InstrumentKind.CALL, STRIKE_ATOMS),
        (InstrumentKind.PUT, STRIKE_ATOMS + 500 * USDC),
    ):
        books.append(scene.list_instrument(kind, EXPIRY_NS, strike_atoms // 10**9 * 10**9))
    books.append(scene.open_option(strike_atoms=STRIKE_ATOMS - 2_000 * USDC))
    return scene, books


def trade(scene: Scene, books: list[int], one: Trade) -> None:
    """Trade if margin allows; what rests goes away."""
    middle = MARK_TICKS if one.book < 2 else PREMIUM_TICKS
    price, book = middle + one.away_ticks, books[one.book]
    scene.place(one.seller, book, Side.SELL, price, one.lots)
    scene.place(one.buyer, book, Side.BUY, price, one.lots)
    for name in (one.buyer, one.seller):
        assert scene.cancel_all(name).is_applied


def pass_expiry(scene: Scene, published: Prices, price_atoms: int) -> int:
    """Publish, settle as may be, and return the settlement price."""
    for minute, index_atoms in published:
        scene.at(OPENS_NS + minute * MINUTE_NS)
        scene.publish_index(index_atoms)
    scene.at(EXPIRY_NS + 62 * MINUTE_NS)
    outcome = scene.settle_expiry(EXPIRY)
    if outcome.name == "SETTLEMENT_MISSING":
        outcome = scene.submit(SetSettlement(EXPIRY, EXPIRY_NS, price_atoms))
    assert outcome.is_applied, "an expiry is settled at last, whatever was published"
    assert isinstance(scene.engine, State)
    return scene.engine.world.expiries[EXPIRY].settlement_atoms


def held_lots(scene: Scene, name: str) -> dict[int, int]:
    assert isinstance(scene.engine, State)
    positions = scene.engine.world.positions_of(scene.accounts[name])
    return {held.instrument: held.lots for held in positions}


def whole_payoff(scene: Scene, book: int, price_atoms: int) -> int:
    """Return what a lot pays, by the definition of its kind, in atoms."""
    record = instrument(scene, book)
    tick = record.tick_atoms
    price = div_nearest(price_atoms, tick) * tick
    gains = {
        InstrumentKind.FUTURE: price,
        InstrumentKind.CALL: max(0, price - record.strike_atoms),
        InstrumentKind.PUT: max(0, record.strike_atoms - price),
    }
    return div_nearest(gains[InstrumentKind(record.kind)], tick) * record.tick_value_atoms


@settings(max_examples=40, deadline=None)
@given(
    trades(), prices(), st.integers(1, (1 << 40) - 1), st.permutations(NAMES),
    st.sampled_from(MarginMode),
)  # fmt: skip
def test_settlement_is_zero_sum_to_the_atom(
    made: list[Trade], published: Prices, price_atoms: int, order: list[str], mode: MarginMode
) -> None:
    scene, books = scene_of()
    scene.set_margin_mode("bob", mode)
    for one in made:
        trade(scene, books, one)
    held = {name: held_lots(scene, name) for name in NAMES}
    settled_atoms = pass_expiry(scene, published, price_atoms)
    assert money(scene) == DEPOSITS
    assert scene.submit(Remark(EXPIRY)).is_applied
    assert money(scene) == DEPOSITS
    marks = {book: risk_array(scene, book).mark_atoms for book in books[1:]}
    assert marks == {book: whole_payoff(scene, book, settled_atoms) for book in books[1:]}
    for book in books:
        assert sum(lots.get(book, 0) for lots in held.values()) == 0
    equity = {name: scene.engine.margin(scene.accounts[name]).equity_atoms for name in NAMES}
    for name in order:
        expected = any(held[name].get(book) for book in books[1:])
        assert scene.settle_account(name).is_applied or not expected
        assert money(scene) == DEPOSITS
        assert scene.engine.margin(scene.accounts[name]).equity_atoms == equity[name]
        assert not set(held_lots(scene, name)) & set(books[1:])
    for book in books[1:]:
        record = instrument(scene, book)
        assert (record.open_interest_lots, record.holders_count) == (0, 0)
    for book in books[1:]:
        assert scene.release(book).is_applied
