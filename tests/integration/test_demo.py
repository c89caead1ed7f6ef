"""`proofbook demo` as a newcomer runs it: a process, a report, an exit code, no child left."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from proofbook.cli.demonstration.parade import ACTS

FIXTURES = Path(__file__).parents[1] / "fixtures" / "chains"
DATA = os.environ.get("PROOFBOOK_DATA")
RUN_SECONDS_MAX = 240
STOP_SECONDS_MAX = 30

KEYS = {
    "orders", "fills", "rejections", "instruments", "rows_unusable", "batches", "verified",
    "lies_caught", "withdrawn_atoms", "atoms_lost", "receipt_ms", "orders_per_second", "seconds",
}  # fmt: skip


def demo_command(*options: str) -> list[str]:
    return [sys.executable, "-m", "proofbook.cli", "demo", *options]


def report_of(*options: str) -> dict[str, Any]:
    """Run a demonstration to its end and return its report."""
    command = demo_command(*options, "--json", "-")
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def check_promises(report: dict[str, Any]) -> None:
    assert set(report) >= KEYS, "every key that the report promises"
    assert report["atoms_lost"] == 0 and report["withdrawn_atoms"] == report["deposited_atoms"]
    assert report["verified"] is True
    assert report["lies_caught"] == {"changed_order": True, "wrong_root": True}
    assert report["orders"] > 2 * report["instruments"], "every instrument was quoted on two sides"
    assert report["fills"] > 0 and report["positions_closed"] > 0 and report["batches"] > 0
    assert report["shown"] == list(ACTS), "every kind of order did what it promises"
    assert report["settled"]["paid_atoms"] > 0, "an option ended in the money, and the node paid"
    times = report["receipt_ms"]
    assert 0 < times["p50"] <= times["p99"] <= times["max"]


@contextmanager
def running_demo() -> Iterator[subprocess.Popen[str]]:
    """A demonstration in the middle of its trading, which would go on for long."""
    process = subprocess.Popen(
        demo_command("--seconds", "120"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "trading" in line:
                break
        yield process
    finally:
        process.kill()
        process.wait()


def children_of(process_id: int) -> list[int]:
    paths = Path(f"/proc/{process_id}/task").glob("*/children")
    return [int(child) for path in paths for child in path.read_text().split()]


def is_alive(process_id: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process_id}/stat").read_text().split(")")[1]
    except FileNotFoundError:
        return False


def test_demo_on_a_generated_chain_keeps_every_promise() -> None:
    report = report_of("--seconds", "3", "--seed", "5")
    check_promises(report)
    assert report["instruments"] == 110 and report["rows_unusable"] == {}


def test_demo_counts_the_rows_that_it_cannot_use() -> None:
    report = report_of("--seconds", "2", "--snapshot", str(FIXTURES / "broken_rows.csv"))
    check_promises(report)
    assert report["instruments"] == 14 + 2, "14 sound rows and two perpetuals"
    assert report["rows_unusable"]["quote_crossed"] == 1
    assert sum(report["rows_unusable"].values()) == 34


@pytest.mark.parametrize("name", ["empty.csv", "binary.csv", "other_columns.csv", "absent.csv"])
def test_demo_names_what_is_wrong_with_a_file(name: str) -> None:
    command = demo_command("--snapshot", str(FIXTURES / name))
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX)
    assert done.returncode == 2 and "cannot go on" in done.stderr
    assert name in done.stderr.replace("\n", "") and "Traceback" not in done.stderr


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_demo_that_is_stopped_leaves_no_child(sent: signal.Signals, code: int) -> None:
    with running_demo() as process:
        children = children_of(process.pid)
        assert len(children) == 2, "the local chain, and makers and takers"
        process.send_signal(sent)
        output, _ = process.communicate(timeout=STOP_SECONDS_MAX)
        assert process.returncode == code, output[-2000:]
        assert "Traceback" not in output
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while any(map(is_alive, children)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(is_alive, children)), "the children ended with their parent"


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="PROOFBOOK_DATA names no folder of real option chains")
def test_demo_on_real_chains_keeps_every_promise() -> None:
    files = sorted(Path(DATA or "").glob("deribit_chains/*.csv"))
    assert files, "the folder holds option chains"
    for path in files:
        report = report_of("--seconds", "10", "--snapshot", str(path))
        check_promises(report)
        assert report["rows_unusable"] == {} and report["instruments"] > 1300
