"""`proofbook bench kernel` on a tiny stream: without peers, and its stream by itself."""

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from proofbook.cli import app
from proofbook.cli.benchmarks.books import DRIVER, ChaosBook, DisagreementError, Traded
from proofbook.cli.benchmarks.harness import Contender, Rate, Rates, interleave, significant
from proofbook.simulator.book_entries import record_book
from proofbook.simulator.book_messages import Kind, Mix, book_messages

SEED = 5
UNSIGNED_ENTRIES = 1
"""Of a short stream: the book is marked once."""


def test_without_a_peer_the_report_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ChaosBook, "is_there", lambda: False)
    path = tmp_path / "kernel.json"
    arguments = [
        "bench",
        "kernel",
        "--messages",
        "1000",
        "--batches",
        "100",
        "--rounds",
        "1",
        "--json",
        str(path),
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    report = json.loads(path.read_text())
    assert report["peer"] is None and report["ratio"] is None
    assert "no peer" in result.output
    assert set(report["python"]) == {"batch_1", "batch_8", "batch_64", "batch_512"}
    assert report["messages_per_second"] > 0 and report["with_roots"]["messages_per_second"] > 0
    venue = report["options_venue"]
    assert venue["workload"]["entries"]["void"] == 0 and venue["workload"]["quotes"] > 2_000
    assert venue["workload"]["entries"]["applied"] > 150 and venue["workload"]["fills"] > 0
    assert report["workload"]["messages"] == 1_000 and report["workload"]["entries"]["void"] == 0


def test_a_stream_follows_from_its_seed_and_has_the_shares_that_it_promises() -> None:
    messages = book_messages(100_000, SEED)
    assert np.array_equal(messages, book_messages(100_000, SEED)), "the same seed"
    assert not np.array_equal(messages, book_messages(100_000, SEED + 1)), "another seed"
    mix = Mix.of(messages)
    new = mix.rest + mix.immediate
    assert 0.49 < new / len(messages) < 0.53
    assert 0.14 < mix.immediate / new < 0.16
    assert 0.38 < mix.cancel / len(messages) < 0.43
    assert 0.07 < mix.change / len(messages) < 0.1


def test_messages_name_orders_that_came_before() -> None:
    placed: set[int] = set()
    for kind, _, lots, order, price_ticks in book_messages(20_000, SEED).tolist():
        if kind in (Kind.REST, Kind.IMMEDIATE):
            placed.add(order)
        assert order in placed and lots > 0 and price_ticks > 0


def test_a_recording_comes_out_the_same_in_any_batches_and_with_signatures() -> None:
    recording, for_peers = record_book(book_messages(3_000, SEED), SEED)
    assert recording.counts.void == 0 and recording.fills > 0
    whole = recording.kernel()
    assert whole.replay_recovered(recording.entries, recording.signers) == recording.counts
    for size in (1, 7, 1_000):
        kernel = recording.kernel()
        for entries, rows in recording.batches(size):
            kernel.apply_recovered(recording.entries[entries], recording.signers[rows])
        assert kernel.root() == whole.root(), f"batches of {size}"
    signed = recording.kernel()
    results = signed.apply(recording.signed(len(recording)))
    assert sum(result.outcome.is_applied for result in results) == recording.counts.applied
    assert signed.root() == whole.root(), "signatures are no part of the state"
    assert len(for_peers) >= 3_000


def test_entries_whose_signer_is_nobody_or_not_told_are_void() -> None:
    recording, _ = record_book(book_messages(1_000, SEED), SEED)
    for signers in (b"\x01" + bytes(20), b"\x00"):
        rows = signers * len(recording)
        counts = recording.kernel().replay_recovered(recording.entries, rows)
        assert counts.void == len(recording) - UNSIGNED_ENTRIES, "all but those that nobody signs"


def test_rates_are_medians_and_ratios_are_of_one_round() -> None:
    rates = Rates({"a": [Rate(10, 1), Rate(40, 1), Rate(30, 3)], "b": [Rate(5, 1)] * 3})
    assert rates.median("a") == 30 and rates.median_cpu("a") == 1
    assert rates.ratio("a", "b") == 6 and rates.cpu_ratio("a", "b") == 1
    assert "c" not in rates
    assert significant(0.123456) == 0.123 and significant(1234.5) == 1230


def test_every_round_runs_everybody_once() -> None:
    order: list[str] = []
    names = {name: Contender(1, lambda name=name: lambda: order.append(name)) for name in "ab"}
    interleave(names, 2, Console(stderr=True, quiet=True), warm_ups=1)
    assert order == ["a", "b"] * 3


def test_a_disagreement_names_both_sides() -> None:
    fault = DisagreementError("a book", Traded(3, 5), Traded(4, 6))
    assert str(fault) == "the kernel made 3 fills of 5 lots, a book 4 of 6"
    assert DRIVER.is_file()
