"""Dated futures: listed beside options of an expiry, marked at the forward, value in the entry."""

from proofbook.protocol.commands import ListInstrument, Remark
from proofbook.protocol.limits import InstrumentKind, Reject, Side
from proofbook.simulator.inspection import account, instrument, money, position, risk_array
from proofbook.simulator.scene import EXPIRY_NS, SPOT_ATOMS, USDC, Scene

BUY, SELL = Side.BUY, Side.SELL
FORWARD_ATOMS = SPOT_ATOMS + 1_200_000_000
FORWARD_TICKS = FORWARD_ATOMS // 100_000


def open_future(scene: Scene) -> int:
    future = scene.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)
    assert scene.publish_forward(FORWARD_ATOMS).is_applied
    assert scene.submit(Remark(1)).is_applied
    return future


def test_future_has_the_second_terms_and_a_key_of_its_own(scene: Scene) -> None:
    future = scene.list_instrument(InstrumentKind.FUTURE, EXPIRY_NS, 0)
    record = instrument(scene, future)
    assert (record.kind, record.strike_atoms, record.expiry_ns) == (2, 0, EXPIRY_NS)
    assert (record.tick_atoms, record.lot_nanos, record.taker_fee_ppm) == (100_000, 100_000, 400)
    again = ListInstrument(1, InstrumentKind.FUTURE, EXPIRY_NS)
    assert scene.submit(again).name == "INSTRUMENT_EXISTS"
    lowest_strike = 1_000_000_000
    for kind in (InstrumentKind.CALL, InstrumentKind.PUT):
        assert scene.submit(ListInstrument(1, kind, EXPIRY_NS, lowest_strike)).is_applied


def test_future_is_marked_at_the_forward_without_a_surface(scene: Scene) -> None:
    future = open_future(scene)
    array = risk_array(scene, future)
    assert array.mark_atoms == FORWARD_ATOMS // 10_000
    moves = [-16, -12, -8, -4, 0, 4, 8, 12, 16]
    assert array.core == [array.mark_atoms * move // 100 for move in moves for _ in range(3)]


def test_value_of_a_future_accrues_in_the_entry_and_is_conserved(scene: Scene) -> None:
    future = open_future(scene)
    before = money(scene)
    scene.resting("bob", future, SELL, FORWARD_TICKS, 100)
    assert scene.place("ann", future, BUY, FORWARD_TICKS, 100).is_applied
    held = position(scene, "ann")
    assert held is not None
    assert (held.lots, held.entry_atoms) == (100, -100 * FORWARD_TICKS * 10)
    assert account(scene, "ann").cash_atoms == 1_000_000 * USDC - 324_800, "the taker fee"
    assert money(scene) == before


def test_profit_of_a_future_can_be_withdrawn(scene: Scene) -> None:
    future = open_future(scene)
    scene.resting("bob", future, SELL, FORWARD_TICKS, 1_000)
    scene.place("ann", future, BUY, FORWARD_TICKS, 1_000)
    scene.wait(10**9)
    assert scene.publish_forward(FORWARD_ATOMS + 10_000_000_000).is_applied
    assert scene.submit(Remark(1)).is_applied
    assert scene.withdraw("ann", 1_000_500 * USDC).name == "INSUFFICIENT_MARGIN"
    assert scene.withdraw("ann", 999_000 * USDC).is_applied


def test_future_against_the_call_and_the_put_of_its_expiry_needs_no_margin(scene: Scene) -> None:
    """Long a synthetic future, short the future of as many units: every column is zero."""
    future = open_future(scene)
    call = scene.open_option(InstrumentKind.CALL, SPOT_ATOMS)
    put = scene.list_instrument(InstrumentKind.PUT, EXPIRY_NS, SPOT_ATOMS)
    scene.submit(Remark(1))
    columns = zip(*(risk_array(scene, listed).core for listed in (call, put, future)), strict=True)
    assert all(abs(long - short - 100 * sold) <= 100 for long, short, sold in columns)


def test_future_rejects_orders_at_its_expiry(scene: Scene) -> None:
    future = open_future(scene)
    scene.wait(EXPIRY_NS - scene.window_ns)
    assert scene.place("ann", future, BUY, FORWARD_TICKS, 1).name == "INSTRUMENT_EXPIRED"


def test_reason_for_which_futures_were_refused_keeps_its_number() -> None:
    assert Reject.KIND_NOT_SUPPORTED == 36, "a number, once used, is never given another meaning"
