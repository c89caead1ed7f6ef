"""Decimals and names: exact both ways, and anything else refused."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofbook.api.display import (
    OffStep,
    amount_text,
    decimal_text,
    instrument_name,
    mark_text,
    position_lots,
    steps_exact,
    usdc_atoms,
)
from proofbook.protocol.limits import InstrumentKind

CHRISTMAS_NS = 1_798_185_600 * 10**9
"""2026-12-25 08:00 UTC."""


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 9))
def test_a_decimal_reads_back_as_what_was_written(units: int, digits: int) -> None:
    text = decimal_text(units, digits)
    assert Fraction(text) * 10**digits == units
    if abs(units) < 10**17:
        assert steps_exact(text, 1, digits) == units


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**9), st.integers(0, 9))
def test_whole_steps_are_counted_exactly(steps: int, step_units: int, digits: int) -> None:
    text = decimal_text(steps * step_units, digits)
    if len(text) < 18:
        assert steps_exact(text, step_units, digits) == steps


def test_off_step_names_value_and_step() -> None:
    with pytest.raises(OffStep) as refused:
        steps_exact("65000.3", 500_000, 6)
    assert (refused.value.value, refused.value.step) == ("65000.3", "0.5")


@pytest.mark.parametrize(
    "text", ["", ".5", "5.", "+1", "1e3", "01", "1_0", "0x1", " 1", "1\n", "--1", "NaN", "١"]
)
def test_what_is_no_decimal_is_refused(text: str) -> None:
    with pytest.raises(OffStep):
        usdc_atoms(text)


def test_names_are_sortable_and_unambiguous() -> None:
    strike_atoms = 100_000 * 10**6
    names = [
        instrument_name("BTC", InstrumentKind.PERPETUAL, 0, 0),
        instrument_name("BTC", InstrumentKind.CALL, CHRISTMAS_NS, strike_atoms),
        instrument_name("SOL", InstrumentKind.PUT, CHRISTMAS_NS, 142_500_000),
    ]
    assert names == ["BTC-PERP", "BTC-20261225-100000-C", "SOL-20261225-142_5-P"]


def test_a_mark_is_shown_per_unit_and_rounded_towards_zero() -> None:
    assert mark_text(60_000_001, 1_000_000) == "60000.001"
    assert mark_text(1, 3_000_000_000) == "0"
    assert mark_text(-1, 3_000_000_000) == "0"


@given(st.integers(-(2**40), 2**40), st.sampled_from([1, 100_000, 10_000_000]))
def test_the_size_of_a_position_reads_back_with_its_sign(lots: int, lot_nanos: int) -> None:
    assert position_lots(amount_text(lots, lot_nanos), lot_nanos) == lots
