"""What an instrument asks of every order: ticks, sizes, bands."""

from dataclasses import replace

import pytest
from tests.unit.spec.conftest import ENGINES

from proofbook.protocol.genesis import Terms, UnderlyingGrid
from proofbook.protocol.limits import Side, TimeInForce
from proofbook.simulator.inspection import order, risk_array
from proofbook.simulator.scene import USDC, Scene

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
