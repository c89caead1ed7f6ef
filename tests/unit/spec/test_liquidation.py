"""Liquidation: orders that are not backed, and slices of positions, below maintenance alone."""

from dataclasses import replace

import pytest
from tests.unit.spec.falling import BUY, LONG_LOTS, MARK, SELL, equity_of, long_at, move, underwater

from proofbook.protocol.commands import Liquidate
from proofbook.protocol.events import AccountReduced, Filled, OrderRemoved, OrdersUnbacked
from proofbook.protocol.limits import (
    FEE_ACCOUNT,
    FUND_ACCOUNT,
    InstrumentKind,
    InstrumentMode,
    InstrumentState,
    Removal,
)
from proofbook.simulator.inspection import (
    account,
    account_at,
    money,
    order,
    position,
)
from proofbook.simulator.scene import GRID, LINEAR_TERMS, SPOT_ATOMS, USDC, Scene
from proofbook.spec import State
from proofbook.spec.liquidation import Slice, is_near_best

COOLDOWN_NS = 10**9


def reduced(scene: Scene) -> AccountReduced:
    """Return what the last step did."""
    return next(event for event in scene.events() if isinstance(event, AccountReduced))


def test_liquidate_rejects_an_unknown_account(scene: Scene, perpetual: int) -> None:
    assert scene.submit(Liquidate(99, perpetual)).name == "ACCOUNT_NOT_FOUND"


@pytest.mark.parametrize("slot", [FUND_ACCOUNT, FEE_ACCOUNT])
def test_liquidate_leaves_fund_and_fees_alone(scene: Scene, perpetual: int, slot: int) -> None:
    assert scene.submit(Liquidate(slot, perpetual)).name == "NOT_LIQUIDATABLE"


def test_account_above_maintenance_is_not_liquidated(scene: Scene, perpetual: int) -> None:
    long_at(scene, perpetual, 95)
    assert scene.liquidate("ann", perpetual).name == "NOT_LIQUIDATABLE"
    held = position(scene, "ann")
    assert held and held.lots == LONG_LOTS


def test_account_without_positions_is_not_liquidated(scene: Scene, perpetual: int) -> None:
    assert scene.liquidate("cid", perpetual).name == "NOT_LIQUIDATABLE"


def test_backed_orders_are_not_ended(scene: Scene, perpetual: int) -> None:
    resting = scene.resting("ann", perpetual, BUY, MARK - 10, 1_000)
    assert scene.liquidate("ann", perpetual).name == "NOT_LIQUIDATABLE"
    assert order(scene, resting).lots_remaining == 1_000


def test_orders_of_an_account_above_initial_margin_by_positions_alone_are_ended(
    scene: Scene, perpetual: int
) -> None:
    """The position is covered; only the orders beside it are not."""
    long_at(scene, perpetual, 100, 300_000)
    resting = scene.resting("ann", perpetual, BUY, MARK - 10, 200_000)
    assert scene.withdraw("ann", 300_000 * USDC).is_applied
    move(scene, 94)
    assert scene.liquidate("ann").is_applied
    assert OrdersUnbacked(scene.accounts["ann"]) in scene.events()
    assert account(scene, "ann").orders_live == 0
    assert order(scene, resting).lots_remaining == 0, "the record went at once"
    assert scene.liquidate("ann", perpetual).name == "NOT_LIQUIDATABLE", "the position is covered"


def test_orders_and_a_slice_go_in_one_step(scene: Scene, perpetual: int) -> None:
    """Or a new order in time, which reduces, would hold every slice up."""
    ticks = underwater(scene, perpetual)
    assert scene.place("ann", perpetual, SELL, ticks + 5, 7, reduce_only=True).is_applied
    assert scene.liquidate("ann", perpetual).is_applied
    assert OrdersUnbacked(scene.accounts["ann"]) in scene.events()
    assert reduced(scene).lots == LONG_LOTS // 5


def test_orders_end_even_if_the_leg_is_none(scene: Scene, perpetual: int) -> None:
    ticks = underwater(scene, perpetual)
    assert scene.place("ann", perpetual, SELL, ticks + 5, 7, reduce_only=True).is_applied
    assert scene.liquidate("ann", 77).is_applied
    assert account(scene, "ann").orders_live == 0
    assert scene.liquidate("ann", 77).name == "LEG_INVALID"


def test_orders_dead_by_their_deadline_are_none(scene: Scene, perpetual: int) -> None:
    ticks = underwater(scene, perpetual)
    scene.place("ann", perpetual, SELL, ticks + 5, 7, reduce_only=True)
    scene.set_dead_man("ann", scene.window_ns + 10**8)
    scene.wait(10**9)
    assert scene.liquidate("ann", perpetual).is_applied
    assert reduced(scene).lots == LONG_LOTS // 5


def test_slice_trades_with_the_book_and_pays_the_fund(scene: Scene, perpetual: int) -> None:
    ticks = underwater(scene, perpetual)
    scene.resting("cid", perpetual, BUY, ticks - 10, 200_000)
    fund, fees = account_at(scene, FUND_ACCOUNT), account_at(scene, FEE_ACCOUNT)
    total = money(scene)
    assert scene.liquidate("ann", perpetual).is_applied
    fill, step = scene.events()[0], reduced(scene)
    lots = LONG_LOTS // 5
    assert isinstance(fill, Filled) and (fill.lots, fill.price_ticks) == (lots, ticks - 10)
    assert (fill.taker_fee_atoms, fill.taker_nonce) == (0, 0), "no fee of the book"
    assert (step.lots, step.filled_lots, step.side) == (lots, lots, SELL)
    assert step.fee_atoms == lots * (ticks - 10) * 10 * 5_000 // 10**6
    assert account_at(scene, FUND_ACCOUNT).cash_atoms == fund.cash_atoms + step.fee_atoms
    assert account_at(scene, FEE_ACCOUNT).cash_atoms == fees.cash_atoms + fill.maker_fee_atoms
    held, record = position(scene, "ann"), account(scene, "ann")
    assert held and held.lots == LONG_LOTS - lots
    assert (record.liquidated_ns, record.slice_missed) == (scene.window_ns, 0)
    assert money(scene) == total, "no atom is lost"


def test_short_position_is_bought_back(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, BUY, MARK, LONG_LOTS)
    scene.place("ann", perpetual, SELL, MARK, LONG_LOTS)
    move(scene, 116)
    ticks = MARK * 116 // 100
    scene.resting("cid", perpetual, SELL, ticks + 10, 1_000)
    scene.resting("cid", perpetual, SELL, ticks * 103 // 100, 200_000)
    assert scene.liquidate("ann", perpetual).is_applied
    step = reduced(scene)
    assert (step.side, step.filled_lots) == (BUY, 1_000), "beyond the band nothing is bought"
    assert ticks < step.limit_ticks <= ticks * 102 // 100
    assert account(scene, "ann").slice_missed == 1


def test_nothing_in_the_book_leaves_a_missed_slice(scene: Scene, perpetual: int) -> None:
    underwater(scene, perpetual)
    assert scene.liquidate("ann", perpetual).is_applied
    assert reduced(scene).filled_lots == 0
    assert account(scene, "ann").slice_missed == 1


def test_leg_is_not_sliced_at_a_mark_that_the_index_has_left(scene: Scene, perpetual: int) -> None:
    """Or who buys could have it brought up to date, or not, as it suits him."""
    underwater(scene, perpetual)
    scene.resting("cid", perpetual, BUY, MARK * 81 // 100, LONG_LOTS)
    assert scene.publish_index(SPOT_ATOMS * 8_209 // 10_000).is_applied
    assert scene.liquidate("ann", perpetual).name == "LEG_INVALID"
    assert scene.remark_perpetual().is_applied
    assert scene.liquidate("ann", perpetual).is_applied


def test_mark_may_lag_behind_by_a_thousandth(scene: Scene, perpetual: int) -> None:
    ticks = underwater(scene, perpetual)
    scene.resting("cid", perpetual, BUY, ticks, LONG_LOTS)
    assert scene.publish_index(SPOT_ATOMS * 82 // 100 * 1_001 // 1_000).is_applied
    assert scene.liquidate("ann", perpetual).is_applied


def test_slices_wait_for_the_cooldown(scene: Scene, perpetual: int) -> None:
    ticks = underwater(scene, perpetual)
    scene.resting("cid", perpetual, BUY, ticks - 10, 1_000)
    assert scene.liquidate("ann", perpetual).is_applied
    scene.wait(COOLDOWN_NS - 3 * 10**6)
    assert scene.liquidate("ann", perpetual).name == "LIQUIDATION_COOLDOWN"
    scene.wait(2 * 10**6)
    assert scene.liquidate("ann", perpetual).is_applied


def test_slices_go_on_until_maintenance_is_covered(scene: Scene, perpetual: int) -> None:
    long_at(scene, perpetual, 100)
    assert scene.withdraw("ann", 250_000 * USDC).is_applied
    move(scene, 90)
    scene.resting("cid", perpetual, BUY, MARK * 90 // 100, LONG_LOTS)
    filled: list[int] = []
    while scene.liquidate("ann", perpetual).is_applied:
        filled.append(reduced(scene).filled_lots)
        scene.wait(COOLDOWN_NS)
    held = position(scene, "ann")
    assert held and held.lots == LONG_LOTS - sum(filled) > 0
    assert filled[0] == LONG_LOTS // 5 and filled[1] == -(-(LONG_LOTS - filled[0]) // 5)


def test_least_order_bounds_a_slice_from_below(empty: Scene) -> None:
    terms = replace(LINEAR_TERMS, lots_min=200_000)
    scene = Scene(type(empty.engine), replace(GRID, perpetual=terms))
    for name in ("ann", "bob"):
        scene.deposit(name, 1_000_000 * USDC)
    perpetual = scene.open_perpetual()
    underwater(scene, perpetual)
    assert scene.liquidate("ann", perpetual).is_applied
    assert reduced(scene).lots == 200_000, "a fifth is less than the least order"


def test_leg_must_be_a_position(scene: Scene, perpetual: int, call: int) -> None:
    underwater(scene, perpetual)
    assert scene.liquidate("ann", call).name == "LEG_INVALID"
    assert scene.liquidate("ann", 77).name == "LEG_INVALID"
    assert scene.liquidate("ann", perpetual + (1 << 16)).name == "LEG_INVALID", "generation"


@pytest.mark.parametrize(
    ("state", "mode"),
    [
        (InstrumentState.HALTED, InstrumentMode.CONTINUOUS),
        (InstrumentState.CANCEL_ONLY, InstrumentMode.CONTINUOUS),
        (InstrumentState.POST_ONLY, InstrumentMode.CONTINUOUS),
        (InstrumentState.PRE_OPEN, InstrumentMode.CONTINUOUS),
        (InstrumentState.OPEN, InstrumentMode.BATCH_AUCTION),
    ],
)
def test_leg_must_trade_at_once(
    scene: Scene, perpetual: int, state: InstrumentState, mode: InstrumentMode
) -> None:
    underwater(scene, perpetual)
    is_batched = mode == InstrumentMode.BATCH_AUCTION
    scene.set_instrument(perpetual, state, mode, auction_interval_ms=1_000 * is_batched)
    assert scene.liquidate("ann", perpetual).name == "LEG_INVALID"


def test_settling_book_takes_slices(scene: Scene, perpetual: int) -> None:
    underwater(scene, perpetual)
    scene.set_instrument(perpetual, InstrumentState.SETTLING)
    assert scene.liquidate("ann", perpetual).is_applied


def test_leg_must_relieve_nearly_as_much_as_the_best(
    scene: Scene, perpetual: int, call: int
) -> None:
    """A bought call protects nothing of a long perpetual and costs ten times as much to sell."""
    scene.resting("bob", call, SELL, 60_000, 10)
    scene.place("ann", call, BUY, 60_000, 10)
    underwater(scene, perpetual)
    assert scene.liquidate("ann", call).name == "LEG_NOT_BEST"
    assert scene.liquidate("ann", perpetual).is_applied


@pytest.mark.parametrize(("relief_atoms", "is_taken"), [(89, False), (90, True), (0, False)])
def test_bound_is_nine_tenths_of_the_best_relief_per_cost(
    relief_atoms: int, is_taken: bool
) -> None:
    engine = Scene(State).engine
    assert isinstance(engine, State)
    chosen, best = Slice(1, 1, relief_atoms, 1_000), Slice(2, 1, 200, 2_000)
    assert is_near_best(engine.world, chosen, iter([best])) == is_taken
    assert is_near_best(engine.world, chosen, iter([])) == (relief_atoms > 0)


def test_hedge_is_no_leg_to_close(scene: Scene, perpetual: int) -> None:
    """Selling what bounds the loss would raise the requirement."""
    put = scene.open_option(kind=InstrumentKind.PUT)
    scene.resting("bob", put, SELL, 40_000, 1_000)
    assert scene.place("ann", put, BUY, 40_000, 1_000).is_applied
    underwater(scene, perpetual)
    assert scene.liquidate("ann", put).name == "LEG_NOT_BEST"


def test_insolvent_account_is_not_sliced(scene: Scene, perpetual: int) -> None:
    """Whoever bought of it at the mark would leave what it owes to the fund."""
    long_at(scene, perpetual, 70)
    scene.resting("cid", perpetual, BUY, MARK * 70 // 100, 1_000)
    assert scene.liquidate("ann", perpetual).name == "ACCOUNT_INSOLVENT"


def test_slice_keeps_equity_over_maintenance(scene: Scene, perpetual: int) -> None:
    """Just above insolvency the allowance binds, not the band; the fee takes what is left."""
    long_at(scene, perpetual, 76)
    ticks = MARK * 76 // 100
    equity = equity_of(scene, perpetual)
    assert 0 < equity < 50_000 * USDC
    scene.resting("cid", perpetual, BUY, ticks * 98 // 100, 200_000)
    assert scene.liquidate("ann", perpetual).is_applied
    step = reduced(scene)
    assert step.limit_ticks > ticks * 98 // 100 and step.filled_lots == 0
    scene.wait(COOLDOWN_NS)
    scene.resting("cid", perpetual, BUY, step.limit_ticks, 200_000)
    assert scene.liquidate("ann", perpetual).is_applied
    step = reduced(scene)
    assert step.filled_lots == LONG_LOTS // 5
    assert equity_of(scene, perpetual) * 5 >= equity * 4, "a fifth of the risk, a fifth of equity"


def test_owner_cannot_buy_his_own_liquidation(scene: Scene, perpetual: int) -> None:
    """Neither by the account nor by another one of his, in whatever group: the orders go."""
    scene.deposit("ann two", 1_000_000 * USDC, owner="ann")
    ticks = underwater(scene, perpetual)
    own = scene.resting("ann two", perpetual, BUY, ticks + 5, 50_000, group=7)
    scene.resting("cid", perpetual, BUY, ticks - 5, 100_000)
    assert scene.liquidate("ann", perpetual).is_applied
    removed, fill = scene.events()[:2]
    assert isinstance(removed, OrderRemoved) and isinstance(fill, Filled)
    assert (removed.order, removed.removal) == (own, Removal.SELF_TRADE)
    assert fill.maker_account == scene.accounts["cid"]


def test_owners_orders_cannot_hold_a_slice_up(scene: Scene, perpetual: int) -> None:
    """A step that met nothing but orders to remove starts no cooldown."""
    scene.deposit("ann two", 1_000_000 * USDC, owner="ann")
    ticks = underwater(scene, perpetual)
    for _ in range(40):
        scene.resting("ann two", perpetual, BUY, ticks + 5, 1)
    scene.resting("cid", perpetual, BUY, ticks - 5, 100_000)
    assert scene.liquidate("ann", perpetual).is_applied
    assert reduced(scene).filled_lots == 0
    assert scene.liquidate("ann", perpetual).is_applied
    assert reduced(scene).filled_lots == LONG_LOTS // 5
