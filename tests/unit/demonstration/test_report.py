"""Counting and judging a demonstration."""

from dataclasses import dataclass
from io import StringIO

import msgspec
import pytest
from rich.console import Console

from proofbook.cli.demonstration.proving import in_words, names_lie
from proofbook.cli.demonstration.report import (
    LiesCaught,
    ReceiptTimes,
    Report,
    Settled,
    counts,
    receipt_times,
    settled_text,
    table,
    usdc,
)
from proofbook.cli.demonstration.trading import makers_needed
from proofbook.simulator.liar import Lie

GOOD = Report(
    source="generated chain",
    orders=1200,
    fills=300,
    rejections={"INSUFFICIENT_MARGIN": 2},
    instruments=110,
    rows_unusable={"expired": 1},
    batches=2,
    entries=2000,
    verified=True,
    lies_caught=LiesCaught(True, True),
    deposited_atoms=10_000_001,
    withdrawn_atoms=10_000_001,
    atoms_lost=0,
    positions_closed=40,
    shown=["good_till_cancelled", "fill_or_kill"],
    settled=Settled("BTC-20260109-89000-C", "1775.5", "89161.6", 16_160_000),
    receipt_ms=ReceiptTimes(1.0, 2.0, 3.0),
    orders_per_second=500.0,
    surface_error_points=0.1,
    seconds=9.0,
)


def test_a_demonstration_is_good_only_if_every_promise_came_true() -> None:
    assert GOOD.is_good
    for change in (
        {"verified": False},
        {"atoms_lost": 1},
        {"atoms_lost": -1},
        {"lies_caught": LiesCaught(True, False)},
        {"lies_caught": LiesCaught(False, True)},
    ):
        assert not msgspec.structs.replace(GOOD, **change).is_good, change


def test_percentiles_are_values_that_occurred() -> None:
    times = receipt_times([n * 1_000_000 for n in range(100, 0, -1)])
    assert (times.p50, times.p99, times.max) == (50.0, 99.0, 100.0)
    assert receipt_times([7_000_000]) == ReceiptTimes(7.0, 7.0, 7.0)
    assert receipt_times([]) == ReceiptTimes(0.0, 0.0, 0.0)


def test_the_table_says_what_happened() -> None:
    console = Console(width=120, record=True, file=StringIO())
    console.print(table(GOOD))
    text = console.export_text()
    for words in ("1,200 (500/s)", "1 (expired 1)", "10.000001 USDC", "generated chain"):
        assert words in text


def test_counts_and_money_in_words() -> None:
    assert counts({}) == "0"
    assert counts({"b": 1_000, "a": 2}) == "1,002 (a 2, b 1,000)"
    assert usdc(1) == "0.000001 USDC"
    assert settled_text(None) == "none"
    assert settled_text(GOOD.settled) == "BTC-20260109-89000-C: 16.160000 USDC paid"


@pytest.mark.parametrize(("instruments", "makers"), [(1, 2), (800, 2), (801, 3), (1972, 5)])
def test_makers_are_as_few_as_can_quote_everything(instruments: int, makers: int) -> None:
    assert makers_needed(instruments) == makers


@dataclass
class Found:
    kind: str
    reason: str | None
    batch: int


@pytest.mark.parametrize(
    ("lie", "findings", "is_named"),
    [
        (Lie.CHANGED_ORDER, [Found("VOID_ENTRY", "SIGNER_MISMATCH", 1)], True),
        (Lie.CHANGED_ORDER, [Found("VOID_ENTRY", "MALFORMED", 1)], False),
        (Lie.CHANGED_ORDER, [Found("VOID_ENTRY", "SIGNER_MISMATCH", 0)], False),
        (Lie.CHANGED_ORDER, [Found("ROOT_MISMATCH", None, 1)], False),
        (Lie.WRONG_ROOT, [Found("ROOT_MISMATCH", None, 1)], True),
        (Lie.WRONG_ROOT, [], False),
        (Lie.WRONG_ROOT, [Found("ROOT_MISMATCH", None, 1)] * 2, False),
    ],
)
def test_a_lie_is_caught_only_by_its_own_name(
    lie: Lie, findings: list[Found], is_named: bool
) -> None:
    report = {"findings": [vars(found) for found in findings]}
    assert names_lie(lie, report) == is_named


def test_a_finding_in_words_says_where_and_what() -> None:
    finding = {"kind": "VOID_ENTRY", "batch": 1, "segment": 0, "note": "Place 7 is void"}
    assert in_words(finding) == "VOID_ENTRY in batch 1, segment 0: Place 7 is void"
    assert in_words(finding | {"segment": None}) == "VOID_ENTRY in batch 1: Place 7 is void"
