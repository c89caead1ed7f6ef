"""What an instrument asks of every order: ticks, sizes, bands."""

from dataclasses import replace
from functools import partial

import pytest
from tests.unit.spec.conftest import ENGINES

from proofbook.protocol.commands import Leg, Quote
from proofbook.protocol.events import QuoteRefused
from proofbook.protocol.genesis import Terms, UnderlyingGrid
from proofbook.protocol.limits import NS_PER_SECOND, Reject, Side, TimeInForce, TriggerCondition
from proofbook.simulator.inspection import order, risk_array
from proofbook.simulator.scene import UNBOUND, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
IOC = TimeInForce.IMMEDIATE_OR_CANCEL
MARK = 800_000
LINEAR = Terms(100_000, 100_000, band_ppm=50_000, lots_min=5, lots_max=100)
OPTION = Terms(100_000, 10_000_000, band_ppm=10_000)
GRID = UnderlyingGrid("BTC", 1, 1_000_000_000, LINEAR, LINEAR, OPTION, ((1_000, 5), (20_000, 50)))


@pytest.fixture(params=list(ENGINES))
def strict(request: pytest.FixtureRequest) -> Scene:
    """A venue with sizes, bands and a tick table, where ann and bob have money."""
    scene = Scene(ENGINES[request.param], GRID)
    for name in ("ann", "bob"):
        scene.deposit(name, 10_000_000 * USDC)
    return scene


@pytest.mark.parametrize(("lots", "outcome"), [
    (4, "LOTS_OUT_OF_RANGE"), (5, "APPLIED"), (100, "APPLIED"), (101, "LOTS_OUT_OF_RANGE"),
])  # fmt: skip
def test_a_size_lies_within_the_least_and_the_greatest(
    strict: Scene, lots: int, outcome: str
) -> None:
    instrument = strict.open_perpetual()
    assert strict.place("ann", instrument, BUY, MARK, lots).name == outcome


def test_a_reduce_only_order_may_be_smaller_than_the_least_size(strict: Scene) -> None:
    instrument = strict.open_perpetual()
    strict.resting("bob", instrument, SELL, MARK, 5)
    assert strict.place("ann", instrument, BUY, MARK, 5).is_applied
    outcome = strict.place("ann", instrument, SELL, MARK, 1, reduce_only=True)
    assert outcome.is_applied


@pytest.mark.parametrize(("side", "ticks", "outcome"), [
    (BUY, 840_000, "APPLIED"), (BUY, 840_001, "PRICE_OUTSIDE_BAND"), (BUY, 1, "APPLIED"),
    (SELL, 760_000, "APPLIED"), (SELL, 759_999, "PRICE_OUTSIDE_BAND"), (SELL, 1 << 23, "APPLIED"),
])  # fmt: skip
def test_a_limit_is_at_most_a_band_worse_than_the_mark(
    strict: Scene, side: Side, ticks: int, outcome: str
) -> None:
    instrument = strict.open_perpetual()
    assert strict.place("ann", instrument, side, ticks, 5).name == outcome


def test_an_order_moves_within_the_band_alone(strict: Scene) -> None:
    instrument = strict.open_perpetual()
    resting = strict.resting("ann", instrument, BUY, MARK - 1, 5)
    assert strict.amend("ann", resting, 840_001, 5).name == "PRICE_OUTSIDE_BAND"
    assert strict.amend("ann", resting, 840_000, 5).is_applied


@pytest.mark.parametrize("engine", list(ENGINES))
@pytest.mark.parametrize("side", [BUY, SELL])
def test_an_option_reaches_as_far_as_volatility_moves_and_a_share_of_the_index(
    engine: str, side: Side
) -> None:
    scene = Scene(ENGINES[engine], replace(GRID, tick_table=()))
    scene.deposit("ann", 10_000_000 * USDC)
    scene.open_perpetual()
    instrument = scene.open_option()
    array = risk_array(scene, instrument)
    share_atoms = 80_000 * USDC // 100 // 100
    move_atoms = array.core[12] if side == BUY else -array.core[14]
    assert move_atoms > 0
    reach = share_atoms + move_atoms
    inside = (array.mark_atoms + reach) // 1_000
    if side == SELL:
        inside = -(-(array.mark_atoms - reach) // 1_000)
    outside = inside + 1 if side == BUY else inside - 1
    assert scene.place("ann", instrument, side, outside, 1).name == "PRICE_OUTSIDE_BAND"
    assert scene.place("ann", instrument, side, inside, 1).is_applied


@pytest.mark.parametrize(("ticks", "outcome"), [
    (999, "APPLIED"), (1_000, "APPLIED"), (1_001, "PRICE_OFF_TICK"), (1_005, "APPLIED"),
    (19_999, "PRICE_OFF_TICK"), (19_995, "APPLIED"), (20_005, "PRICE_OFF_TICK"),
    (20_050, "APPLIED"), (0, "PRICE_OUT_OF_RANGE"), (1 << 24, "PRICE_OUT_OF_RANGE"),
])  # fmt: skip
def test_an_option_is_priced_in_the_steps_of_its_premium(
    strict: Scene, ticks: int, outcome: str
) -> None:
    strict.open_perpetual()
    instrument = strict.open_option()
    assert strict.place("ann", instrument, BUY, ticks, 1).name in (outcome, "PRICE_OUTSIDE_BAND")
    if outcome != "APPLIED":
        assert strict.place("ann", instrument, BUY, ticks, 1).name == outcome


def test_the_tick_table_is_for_options_alone(strict: Scene) -> None:
    instrument = strict.open_perpetual()
    assert strict.place("ann", instrument, BUY, MARK - 1, 5).is_applied


@pytest.mark.parametrize(("side", "opposite", "best", "slid"), [
    (BUY, SELL, 5_000, 4_995), (BUY, SELL, 1_000, 999), (SELL, BUY, 5_000, 5_005),
    (SELL, BUY, 999, 1_000),
])  # fmt: skip
def test_a_sliding_order_stops_on_tick_short_of_the_best(
    scene_of_steps: Scene, side: Side, opposite: Side, best: int, slid: int
) -> None:
    scene = scene_of_steps
    instrument = scene.open_option()
    scene.resting("bob", instrument, opposite, best, 1)
    limit = 10_000 if side == BUY else 100
    order = scene.resting("ann", instrument, side, limit, 1, post_only=2)
    assert order_price(scene, order) == slid


def test_an_order_moves_in_the_steps_of_its_premium(scene_of_steps: Scene) -> None:
    instrument = scene_of_steps.open_option()
    resting = scene_of_steps.resting("ann", instrument, BUY, 999, 1)
    assert scene_of_steps.amend("ann", resting, 1_001, 1).name == "PRICE_OFF_TICK"
    assert scene_of_steps.amend("ann", resting, 1_005, 1).is_applied


def test_an_order_waits_only_at_a_price_of_a_step(scene_of_steps: Scene) -> None:
    instrument = scene_of_steps.open_option()
    wait = partial(
        scene_of_steps.place_trigger, "ann", instrument, TriggerCondition.MARK_AT_OR_ABOVE, 1_001
    )
    assert wait(BUY, 1_001, 1).name == "PRICE_OFF_TICK"
    assert wait(BUY, 1_005, 1).is_applied, "the trigger's own price may be any"


@pytest.fixture(params=list(ENGINES))
def scene_of_steps(request: pytest.FixtureRequest) -> Scene:
    """A venue with a tick table and no bands."""
    terms = Terms(100_000, 10_000_000)
    grid = UnderlyingGrid("BTC", 1, 1_000_000_000, terms, terms, terms, GRID.tick_table)
    scene = Scene(ENGINES[request.param], grid)
    for name in ("ann", "bob"):
        scene.deposit(name, 10_000_000 * USDC)
    return scene


def order_price(scene: Scene, identifier: int) -> int:
    return order(scene, identifier).price_ticks


def test_a_sliding_order_without_a_price_left_is_refused(scene: Scene, perpetual: int) -> None:
    scene.resting("bob", perpetual, SELL, 1, 1)
    outcome = scene.place("ann", perpetual, BUY, MARK, 1, post_only=2)
    assert outcome.name == "POST_ONLY_WOULD_CROSS"
    scene.cancel_all("bob")
    scene.resting("bob", perpetual, BUY, (1 << 24) - 1, 1, max_fee_ppm=1_000)
    outcome = scene.place("ann", perpetual, SELL, MARK, 1, post_only=2)
    assert outcome.name == "POST_ONLY_WOULD_CROSS"


def test_a_sliding_order_that_meets_nothing_keeps_its_limit(scene: Scene, perpetual: int) -> None:
    order = scene.resting("ann", perpetual, BUY, MARK, 1, post_only=2)
    assert order_price(scene, order) == MARK


# Stale marks


@pytest.fixture(params=list(ENGINES))
def stale(request: pytest.FixtureRequest) -> Scene:
    """A venue with a band around stale marks; its perpetual, option and future are stale."""
    scene = Scene(ENGINES[request.param], parameters=replace(UNBOUND, stale_band_ppm=10_000))
    for name in ("ann", "bob"):
        scene.deposit(name, 10_000_000 * USDC)
    assert scene.open_perpetual() == 1
    assert scene.open_option() == 2
    scene.resting("bob", 1, SELL, MARK, 10)
    assert scene.place("ann", 1, BUY, MARK, 10).is_applied
    scene.wait(3_600 * NS_PER_SECOND + NS_PER_SECOND)
    return scene


@pytest.mark.parametrize(("ticks", "outcome"), [
    (808_001, "APPLIED"), (808_002, "PRICE_OUTSIDE_BAND"),
    (791_999, "APPLIED"), (791_998, "PRICE_OUTSIDE_BAND"),
])  # fmt: skip
@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_limit_lies_within_a_share_and_a_tick_of_a_stale_mark(
    stale: Scene, side: Side, ticks: int, outcome: str
) -> None:
    assert stale.place("ann", 1, side, ticks, 1).name == outcome


def test_a_fresh_mark_has_no_stale_band(stale: Scene) -> None:
    assert stale.place("ann", 1, BUY, 1, 1).name == "PRICE_OUTSIDE_BAND"
    assert stale.publish_index().is_applied
    assert stale.remark_perpetual().is_applied
    assert stale.place("ann", 1, BUY, 1, 1).is_applied


def test_who_reduces_may_go_as_far_as_he_likes(stale: Scene) -> None:
    assert stale.place("ann", 1, SELL, 700_000, 10, reduce_only=True).is_applied


def test_an_options_stale_band_is_a_share_of_its_delta(stale: Scene) -> None:
    array = risk_array(stale, 2)
    reach_atoms = array.delta_atoms // 100 + 1_000
    inside = (array.mark_atoms + reach_atoms) // 1_000
    assert stale.place("ann", 2, BUY, inside + 1, 1).name == "PRICE_OUTSIDE_BAND"
    assert stale.place("ann", 2, BUY, inside, 1).is_applied
    outside = -(-(array.mark_atoms - reach_atoms) // 1_000) - 1
    assert stale.place("ann", 2, BUY, outside, 1).name == "PRICE_OUTSIDE_BAND"


def test_a_combo_with_a_stale_leg_has_the_bands_of_its_legs(stale: Scene) -> None:
    combo = stale.combo("ann", (1, 1), (2, 1))
    arrays = risk_array(stale, 1), risk_array(stale, 2)
    mark = sum(array.mark_atoms for array in arrays)
    reach = sum(array.delta_atoms // 100 for array in arrays) + 100 + 1_000
    level, tick_atoms = 1 << 23, 1_000
    inside = level + (mark + reach) // tick_atoms
    assert stale.place("ann", combo, BUY, inside + 1, 1).name == "PRICE_OUTSIDE_BAND"
    assert stale.place("ann", combo, BUY, inside, 1).is_applied


def test_a_deal_lies_within_the_stale_band_unless_both_shrink(stale: Scene) -> None:
    stale.deposit("cid", 10_000_000 * USDC)
    far = Leg(1, 1, 809_000)
    assert stale.block("cid", "bob", [far]).name == "PRICE_OUTSIDE_BAND"
    assert stale.accept("cid", "bob", stale.offer("bob", [far])).name == "PRICE_OUTSIDE_BAND"
    assert stale.block("cid", "bob", [replace(far, price_ticks=808_000)]).is_applied
    assert stale.block("bob", "ann", [far]).is_applied, "bob is short and ann long"


def test_a_quote_outside_the_stale_band_is_refused(stale: Scene) -> None:
    assert stale.quote("ann", Quote(1, SELL, 809_000, 1)).is_applied
    reasons = [event.reason for event in stale.events() if isinstance(event, QuoteRefused)]
    assert reasons == [Reject.PRICE_OUTSIDE_BAND]


def test_without_a_share_any_limit_is_near_a_stale_mark(scene: Scene, perpetual: int) -> None:
    scene.wait(3_600 * NS_PER_SECOND)
    assert scene.place("ann", perpetual, BUY, 1, 1).is_applied
