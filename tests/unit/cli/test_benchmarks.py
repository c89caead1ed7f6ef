"""`proofbook bench python`, `tree` and `pricing` on little work, without peers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from proofbook.cli import app
from proofbook.cli.benchmarks import books, pricers
from proofbook.kernel import Kernel, keccak_blocks
from proofbook.protocol.hashing import keccak
from proofbook.simulator.book_entries import record_book
from proofbook.simulator.book_messages import book_messages


def run(path: Path, *arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["bench", *arguments, "--rounds", "1", "--json", str(path)])
    assert result.exit_code == 0, result.output
    return json.loads(path.read_text())


@pytest.fixture
def report_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a report goes; nobody's package is installed."""
    monkeypatch.setattr(books, "named", lambda package: None)
    monkeypatch.setattr(pricers, "named", lambda package: None)
    return tmp_path / "report.json"


def test_python_says_what_it_promises_and_that_no_peer_is_there(report_path: Path) -> None:
    report = run(report_path, "python", "--messages", "1000")
    assert report["peers"] == {}
    assert set(report["python"]) == {"batch_1", "batch_8", "batch_64", "batch_512"}
    assert report["promise"]["batch"] == "batch_64"


def test_tree_counts_leaves_and_nodes(report_path: Path) -> None:
    report = run(report_path, "tree", "--messages", "3000")
    for name in ("segment", "everything"):
        assert 0 < report[name]["dirty_leaves"] < report[name]["nodes"]
    assert report["segment"]["entries"] == 1_024
    assert report["segment"]["dirty_leaves"] < report["everything"]["dirty_leaves"]


def test_pricing_runs_beside_numpy_alone(report_path: Path) -> None:
    report = run(report_path, "pricing", "--options", "1024")
    assert set(report["peers"]) == {"numpy"}
    assert [each["times"] for each in report["promises"]] == ["numpy"]


def test_who_prices_otherwise_is_found_out() -> None:
    chain = pricers.Chain.random(2_048, 1)
    rows = pricers.numpy_rows(chain)
    pricers.require_agreement("numpy", chain, rows)
    rows[3] *= 1.001
    with pytest.raises(pricers.PricesDisagree, match=r"numpy differs by .* in number 4 of 5"):
        pricers.require_agreement("numpy", chain, rows)


def test_blocks_are_hashed_one_by_one() -> None:
    data = np.random.default_rng(1).bytes(64 * 9)
    expected = b"".join(keccak(data[first : first + 64]) for first in range(0, len(data), 64))
    assert keccak_blocks(data) == expected and keccak_blocks(b"") == b""
    with pytest.raises(ValueError, match="3 bytes after the last block"):
        keccak_blocks(data + b"abc")


def test_nothing_is_unhashed_after_a_root() -> None:
    recording, _ = record_book(book_messages(1_000, 1), 1)
    kernel = recording.kernel()
    assert isinstance(kernel, Kernel) and kernel.unhashed() == (0, 0)
    kernel.replay_recovered(recording.entries, recording.signers)
    words, nodes = kernel.unhashed()
    assert words > 0 and nodes > words // 2
    kernel.root()
    assert kernel.unhashed() == (0, 0)
