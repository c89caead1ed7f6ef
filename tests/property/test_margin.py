"""Margin as a measure: coherent, never below an alternative, and never in the way of reducing."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import EXAMPLES

from proofbook.protocol.commands import Place
from proofbook.protocol.limits import (
    CORE_COLUMNS,
    FRACTION_ONE_PPM,
    ORDER_LOTS_MAX,
    InstrumentKind,
    InstrumentState,
    Reject,
    Side,
    TimeInForce,
)
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload
from proofbook.spec import margin, orders
from proofbook.spec.genesis import world_from_genesis
from proofbook.spec.portfolio import is_insolvent
from proofbook.spec.positions import open_position
from proofbook.spec.world import PARAMETERS_SLOT, World, add_account

GENESIS = Workload(1).genesis
TICK_VALUE_ATOMS = 10
MARK_ATOMS = 1_000_000
MAX_FEE_PPM = 500
UNDERLYINGS = (1, 2)

lots = st.integers(-1_000, 1_000)
sizes = st.one_of(st.just(0), st.integers(0, 1_000))
columns = st.lists(
    st.integers(-MARK_ATOMS // 4, MARK_ATOMS // 4), min_size=CORE_COLUMNS, max_size=CORE_COLUMNS
)


@dataclass(frozen=True)
class Held:
    """What one account holds in one instrument."""

    instrument: int
    lots: int
    buys: int
    sells: int


@dataclass(frozen=True)
class Instrument:
    underlying: int
    core: list[int]


instruments = st.lists(
    st.builds(Instrument, st.sampled_from(UNDERLYINGS), columns), min_size=1, max_size=4
)


def exposures(count: int) -> st.SearchStrategy[list[Held]]:
    """Draw what one account holds in the first `count` instruments."""
    rows = (st.builds(Held, st.just(slot), lots, sizes, sizes) for slot in range(1, count + 1))
    return st.tuples(*rows).map(list)


def venue(listed: list[Instrument], factor_ppm: int = FRACTION_ONE_PPM) -> World:
    """A state whose instruments are marked with the columns given."""
    world = world_from_genesis(GENESIS, CHAIN_ID, CONTRACT)
    world.header.window_ns += 1
    world.parameters.edit(PARAMETERS_SLOT).initial_factor_ppm = factor_ppm
    for row in listed:
        _, instrument = world.instruments.allocate()
        instrument.kind, instrument.state = InstrumentKind.PERPETUAL, InstrumentState.OPEN
        instrument.underlying = row.underlying
        instrument.tick_value_atoms = TICK_VALUE_ATOMS
        instrument.lots_min, instrument.lots_max = 1, ORDER_LOTS_MAX
        instrument.maker_fee_ppm = instrument.taker_fee_ppm = MAX_FEE_PPM
        _, array = world.risk_arrays.allocate()
        array.mark_atoms, array.core, array.marked_ns = MARK_ATOMS, row.core, 1
    return world


def holder(world: World, held: list[Held], cash_atoms: int = 0, reserve_atoms: int = 0) -> int:
    """Make an account with these positions and open orders; return its slot.

    Entries are the marks, so that equity is the cash.
    """
    account = add_account(world, b"\x01" * 20, 0)
    world.accounts.edit(account).cash_atoms = cash_atoms
    for exposure in held:
        position = world.positions.edit(open_position(world, account, exposure.instrument))
        position.lots = exposure.lots
        position.entry_atoms = -exposure.lots * MARK_ATOMS
        position.open_buy_lots, position.open_sell_lots = exposure.buys, exposure.sells
        position.order_reserve_atoms = reserve_atoms
        position.orders_resident = 1
    return account


def margin_of(world: World, held: list[Held]) -> int:
    account = holder(world, held)
    return margin.initial_margin_up(world, margin.portfolio(world, account))


def naive_totals(listed: list[Instrument], held: list[Held]) -> list[list[int]]:
    """Return the columns of each underlying, written as the reference describes them."""
    return [
        [
            sum(
                min(e.lots * core, (e.lots + e.buys) * core, (e.lots - e.sells) * core)
                for e in held
                if listed[e.instrument - 1].underlying == underlying
                for core in [listed[e.instrument - 1].core[column]]
            )
            for column in range(CORE_COLUMNS)
        ]
        for underlying in UNDERLYINGS
    ]


def naive_margin(listed: list[Instrument], held: list[Held]) -> int:
    """Return the margin without its factor."""
    return sum(max(0, -min(totals)) for totals in naive_totals(listed, held))


def added(first: list[Held], second: list[Held]) -> list[Held]:
    return [
        Held(a.instrument, a.lots + b.lots, a.buys + b.buys, a.sells + b.sells)
        for a, b in zip(first, second, strict=True)
    ]


def scaled(held: list[Held], factor: int) -> list[Held]:
    return [Held(e.instrument, e.lots * factor, e.buys * factor, e.sells * factor) for e in held]


@EXAMPLES
@given(st.data(), instruments)
def test_margin_is_that_of_the_reference(data: st.DataObject, listed: list[Instrument]) -> None:
    held = data.draw(exposures(len(listed)))
    assert margin_of(venue(listed), held) == naive_margin(listed, held)


@EXAMPLES
@given(st.data(), instruments, st.integers(0, 10_000_000))
def test_factor_scales_margin_and_rounds_up(
    data: st.DataObject, listed: list[Instrument], factor_ppm: int
) -> None:
    held = data.draw(exposures(len(listed)))
    scaled_ppm = naive_margin(listed, held) * factor_ppm
    required = margin_of(venue(listed, factor_ppm), held)
    assert 0 <= required * FRACTION_ONE_PPM - scaled_ppm < FRACTION_ONE_PPM


@EXAMPLES
@given(st.data(), instruments, st.sampled_from((FRACTION_ONE_PPM, 800_001, 1_234_567)))
def test_margin_of_two_accounts_joined_is_no_more_than_of_both(
    data: st.DataObject, listed: list[Instrument], factor_ppm: int
) -> None:
    """Sub-additive, orders and rounding included."""
    first, second = (data.draw(exposures(len(listed))) for _ in range(2))
    world = venue(listed, factor_ppm)
    joined = margin_of(world, added(first, second))
    assert joined <= margin_of(world, first) + margin_of(world, second)


@EXAMPLES
@given(st.data(), instruments, st.integers(0, 1_000))
def test_margin_is_positively_homogeneous(
    data: st.DataObject, listed: list[Instrument], factor: int
) -> None:
    held = data.draw(exposures(len(listed)))
    world = venue(listed)
    assert margin_of(world, scaled(held, factor)) == factor * margin_of(world, held)


@EXAMPLES
@given(st.data(), instruments)
def test_margin_with_orders_is_no_less_than_after_any_of_their_fills(
    data: st.DataObject, listed: list[Instrument]
) -> None:
    """Nothing, all buys, all sells or a part, in each instrument by itself."""
    held = data.draw(exposures(len(listed)))
    world = venue(listed)
    required = margin_of(world, held)
    filled: list[Held] = []
    for e in held:
        ends = st.sampled_from((0, e.buys, -e.sells))
        fill = data.draw(st.one_of(ends, st.integers(-e.sells, e.buys)))
        filled.append(Held(e.instrument, e.lots + fill, 0, 0))
    assert margin_of(world, filled) <= required


@EXAMPLES
@given(st.data(), instruments, st.integers(0, 10**9))
def test_reserve_is_added_whole(
    data: st.DataObject, listed: list[Instrument], reserve_atoms: int
) -> None:
    held = data.draw(exposures(len(listed)))
    world = venue(listed)
    account = holder(world, held, reserve_atoms=reserve_atoms)
    required = margin.initial_margin_up(world, margin.portfolio(world, account))
    assert required == naive_margin(listed, held) + len(held) * reserve_atoms


@EXAMPLES
@given(st.data(), instruments, st.integers(-(10**9), 10**9))
def test_equity_is_cash_where_entries_are_the_marks(
    data: st.DataObject, listed: list[Instrument], cash_atoms: int
) -> None:
    held = data.draw(exposures(len(listed)))
    world = venue(listed)
    account = holder(world, held, cash_atoms)
    assert margin.portfolio(world, account).equity_atoms == cash_atoms
    assert margin.settled_cash(world, account) == cash_atoms


# Orders


@dataclass(frozen=True)
class Order:
    """An order against one instrument, and what it costs per lot beside the mark."""

    instrument: int
    side: Side
    lots: int
    price_ticks: int

    @property
    def signed_lots(self) -> int:
        return self.lots if self.side == Side.BUY else -self.lots

    @property
    def adverse_atoms(self) -> int:
        sign = 1 if self.side == Side.BUY else -1
        return sign * (self.price_ticks * TICK_VALUE_ATOMS - MARK_ATOMS)

    @property
    def fee_atoms(self) -> int:
        return -(-self.price_ticks * TICK_VALUE_ATOMS * MAX_FEE_PPM // FRACTION_ONE_PPM)


def order_strategy(count: int) -> st.SearchStrategy[Order]:
    mark_ticks = MARK_ATOMS // TICK_VALUE_ATOMS
    prices = st.one_of(
        st.just(mark_ticks),
        st.integers(mark_ticks - 5_000, mark_ticks + 5_000),
        st.integers(1, 2 * mark_ticks),
    )
    return st.builds(
        Order, st.integers(1, count), st.sampled_from(Side), st.integers(1, 1_200), prices
    )


def is_covered(listed: list[Instrument], held: list[Held], order: Order, cash: int) -> bool:
    """Whether equity pays the margin with the order open, and what it reserves."""
    is_buy = order.side == Side.BUY
    change = [
        Held(e.instrument, 0, order.lots * is_buy, order.lots * (not is_buy))
        if e.instrument == order.instrument
        else Held(e.instrument, 0, 0, 0)
        for e in held
    ]
    reserve = order.lots * (max(0, order.adverse_atoms) + order.fee_atoms)
    return cash >= naive_margin(listed, added(held, change)) + reserve


def filled(held: list[Held], order: Order) -> list[Held]:
    change = [
        Held(e.instrument, order.signed_lots if e.instrument == order.instrument else 0, 0, 0)
        for e in held
    ]
    return added(held, change)


def losses(listed: list[Instrument], held: list[Held]) -> list[int]:
    """Return every column of every underlying, profits as nothing."""
    return [min(0, total) for totals in naive_totals(listed, held) for total in totals]


def is_reducing(listed: list[Instrument], held: list[Held], order: Order, equity: int) -> bool:
    """Whether the shortfall does not rise and no scenario loses more, the order filled wholly, and
    equity pays what it costs: its fee only if it can, too.
    """
    after = filled(held, order)
    cost = order.lots * (order.adverse_atoms + order.fee_atoms)
    if cost > max(0, equity):
        cost = order.lots * order.adverse_atoms
    if cost > max(0, equity) or naive_margin(listed, after) + cost > naive_margin(listed, held):
        return False
    pairs = zip(losses(listed, after), losses(listed, held), strict=True)
    return all(loss_after >= loss_before for loss_after, loss_before in pairs)


def placed(world: World, account: int, order: Order, time_in_force: TimeInForce) -> Reject | None:
    command = Place(
        account,
        1,
        1,
        order.instrument,
        order.side,
        order.price_ticks,
        order.lots,
        time_in_force,
        max_fee_ppm=MAX_FEE_PPM,
    )
    return orders.place(world, command)


@pytest.mark.parametrize("time_in_force", sorted(set(TimeInForce) - {TimeInForce.FILL_OR_KILL}))
@EXAMPLES
@given(data=st.data(), listed=instruments)
def test_order_passes_if_it_is_covered_or_reduces(
    time_in_force: TimeInForce, data: st.DataObject, listed: list[Instrument]
) -> None:
    """Reducing excuses only an order that cannot rest."""
    held = data.draw(exposures(len(listed)))
    order = data.draw(order_strategy(len(listed)))
    need = naive_margin(listed, held)
    cash = need + data.draw(st.integers(-(10**9), 10**9))
    world = venue(listed)
    account = holder(world, held, cash)
    can_rest = time_in_force != TimeInForce.IMMEDIATE_OR_CANCEL
    is_let_in = is_covered(listed, held, order, cash) or (
        not can_rest and is_reducing(listed, held, order, cash)
    )
    expected = None if is_let_in else Reject.INSUFFICIENT_MARGIN
    if is_insolvent(margin.portfolio(world, account)):
        expected = Reject.ACCOUNT_INSOLVENT
    assert placed(world, account, order, time_in_force) == expected


@EXAMPLES
@given(
    data=st.data(),
    listed=instruments,
    shortfall=st.integers(0, 10**12),
    reserve_atoms=st.sampled_from((0, 1, 10**9)),
)
def test_closing_at_the_mark_is_never_refused_for_margin(
    data: st.DataObject, listed: list[Instrument], shortfall: int, reserve_atoms: int
) -> None:
    """A single position, however far below its margin, and whatever is reserved.

    Below zero it is refused, whatever it needs.
    """
    row = Instrument(
        listed[0].underlying, [min(core, -MARK_ATOMS // 100) for core in listed[0].core]
    )
    size = data.draw(st.integers(1, 1_000))
    order = Order(1, Side.SELL, data.draw(st.integers(1, size)), MARK_ATOMS // TICK_VALUE_ATOMS)
    world = venue([row])
    cash_atoms = naive_margin([row], [Held(1, size, 0, 0)]) - shortfall
    account = holder(world, [Held(1, size, 0, 0)], cash_atoms, reserve_atoms)
    is_owing = is_insolvent(margin.portfolio(world, account))
    expected = Reject.ACCOUNT_INSOLVENT if is_owing else None
    assert placed(world, account, order, TimeInForce.IMMEDIATE_OR_CANCEL) == expected


@pytest.mark.parametrize(
    ("cash_atoms", "reserve_atoms", "expected"),
    [
        (10_000, 0, None),
        (9_999, 0, Reject.INSUFFICIENT_MARGIN),
        (10_000, 1, Reject.INSUFFICIENT_MARGIN),
        (10_001, 1, None),
    ],
)
def test_what_a_reducing_limit_costs_leaves_what_orders_reserve(
    cash_atoms: int, reserve_atoms: int, expected: Reject | None
) -> None:
    """Ten lots 1,000 atoms worse than the mark each, of an account far below its margin."""
    world = venue([Instrument(1, [-MARK_ATOMS // 4] * CORE_COLUMNS)])
    account = holder(world, [Held(1, 10, 0, 0)], cash_atoms, reserve_atoms)
    order = Order(1, Side.SELL, 10, MARK_ATOMS // TICK_VALUE_ATOMS - 100)
    assert placed(world, account, order, TimeInForce.IMMEDIATE_OR_CANCEL) == expected


@pytest.mark.parametrize(
    ("price_ticks", "expected"), [(100_000, None), (100_001, Reject.INSUFFICIENT_MARGIN)]
)
def test_who_has_nothing_may_reduce_at_the_mark_and_no_worse(
    price_ticks: int, expected: Reject | None
) -> None:
    """It cannot pay a fee, so none is asked: it comes to owe nothing."""
    world = venue([Instrument(1, [0] * CORE_COLUMNS)])
    account = holder(world, [Held(1, -10, 0, 0)], 0)
    order = Order(1, Side.BUY, 10, price_ticks)
    assert placed(world, account, order, TimeInForce.IMMEDIATE_OR_CANCEL) == expected


@EXAMPLES
@given(data=st.data(), listed=instruments)
def test_refused_order_changes_nothing(data: st.DataObject, listed: list[Instrument]) -> None:
    held = data.draw(exposures(len(listed)))
    order = data.draw(order_strategy(len(listed)))
    world = venue(listed)
    account = holder(world, held, -(10**12))
    before = {name: arena.root() for name, arena in world.arenas.items()}
    if placed(world, account, order, TimeInForce.GOOD_TILL_CANCELLED) is not None:
        assert {name: arena.root() for name, arena in world.arenas.items()} == before
