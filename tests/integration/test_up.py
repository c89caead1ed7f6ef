"""`proofbook up` as a newcomer uses it: start, order, look, Ctrl-C."""

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

import httpx
import pytest

from proofbook.chain.rpc import Rpc
from proofbook.cli.demonstration.venue import GOVERNANCE_DELAY_SECONDS, PROPOSER_KEY
from proofbook.protocol.identifiers import instrument_id

START_SECONDS_MAX = 180.0
STOP_SECONDS_MAX = 20.0
COMMAND = [sys.executable, "-m", "proofbook.cli"]


@contextmanager
def venue_up(folder: Path, *more: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """Run a venue without makers; give the process and what it wrote."""
    path = folder / "up.json"
    log = (folder / "up.log").open("wb")
    process = subprocess.Popen(
        [*COMMAND, "up", "--no-makers", "--json", str(path), *more], stdout=log, stderr=log
    )
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not path.is_file() or not path.read_text().endswith("}\n"):
            assert process.poll() is None, (folder / "up.log").read_text()
            assert time.monotonic() < deadline, "the venue did not come up"
            time.sleep(0.05)
        yield process, json.loads(path.read_text())
    finally:
        log.close()
        if process.poll() is None:
            process.kill()
        process.wait()


def proofbook(running: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command against the venue as its first development account."""
    first = running["accounts"][0]
    environment = os.environ | {
        "PROOFBOOK_URL": running["websocket"],
        "PROOFBOOK_ACCOUNT": str(first["account"]),
        "PROOFBOOK_KEY": first["key"],
    }
    return subprocess.run(
        [*COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_newcomer_orders_looks_and_leaves_nothing_behind(
    tmp_path: Path, stop: signal.Signals
) -> None:
    with venue_up(tmp_path) as (process, running):
        assert len(running["accounts"]) == 10 and running["chain_id"] == 31337
        placed = proofbook(running, "order", "BTC-PERP", "buy", "50000", "0.1", "--json", "-")
        assert placed.returncode == 0, placed.stderr
        order = json.loads(placed.stdout)["order"]
        shown = json.loads(proofbook(running, "book", "BTC-PERP", "--json", "-").stdout)
        assert shown["bids"] == [["50000", "0.1"]]
        refused = proofbook(running, "order", "BTC-PERP", "buy", "50000.01", "0.1")
        assert refused.returncode == 1 and "whole number of steps of 0.1" in refused.stderr
        unknown = proofbook(running, "order", "DOGE-PERP", "buy", "1", "1")
        assert unknown.returncode == 2 and "DOGE-PERP" in unknown.stderr
        assert proofbook(running, "cancel", order).returncode == 0
        process.send_signal(stop)
        assert process.wait(STOP_SECONDS_MAX) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.post(running["rpc"], json={}, trust_env=False)


def test_a_market_of_a_running_venue_is_halted_by_its_governor(tmp_path: Path) -> None:
    """A change of rules through timelock, inbox, node and chain, to the verifier."""
    halt = f"SetInstrument instrument={instrument_id(1, 0)} state=HALTED mode=CONTINUOUS"
    order = ("order", "BTC-PERP", "buy", "50000", "0.1")
    with venue_up(tmp_path) as (_, running):
        place = ("--rpc", running["rpc"], "--contract", running["contract"])
        assert proofbook(running, *order).returncode == 0, "the market is open"
        key = ("--key", PROPOSER_KEY.hex())
        scheduled = proofbook(running, "govern", "schedule", halt, *place, *key)
        assert scheduled.returncode == 0, scheduled.stderr
        operation = scheduled.stdout.split()[1].rstrip(",")
        with Rpc(running["rpc"]) as rpc:
            rpc.call("evm_increaseTime", hex(GOVERNANCE_DELAY_SECONDS))
            rpc.call("evm_mine")
        executed = proofbook(running, "govern", "execute", operation, *place, *key)
        assert executed.returncode == 0, executed.stderr
        deadline = time.monotonic() + START_SECONDS_MAX
        while (refused := proofbook(running, *order)).returncode == 0:
            assert time.monotonic() < deadline, "the node does not halt the market"
        assert "INSTRUMENT_STATE" in refused.stderr
        verified = proofbook(running, "verify", *place)
        assert verified.returncode == 0, verified.stdout
