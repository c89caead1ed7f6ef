"""The local chain and what follows a journal never outlive whoever started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from proofbook.chain.rpc import Rpc
from proofbook.settlement.development_chain import DevelopmentChain

STARTER = """
import sys, time
from proofbook.settlement.development_chain import DevelopmentChain
chain = DevelopmentChain.start()
print(chain.process_id, flush=True)
time.sleep(60)
"""

FOLLOWED = """
import asyncio, sys
from types import SimpleNamespace as Section
from proofbook.operation.follower import keep_history
sys.executable = sys.argv[1]
chain = Section(rpc="http://node.invalid", contract="0x")
sections = {"sequencer": Section(journal="journal"), "history": Section(database="history"),
            "snapshots": Section(every=1, folder="taken")}
print("ready", flush=True)
asyncio.run(keep_history(Section(chain=chain, **sections)))
"""


def is_alive(process_id: int) -> bool:
    try:
        with open(f"/proc/{process_id}/stat") as status:
            return status.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def ends_within(process_id: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not is_alive(process_id):
            return True
        time.sleep(0.02)
    return False


def test_the_clock_begins_at_the_given_time() -> None:
    with DevelopmentChain.start(timestamp_seconds=1_700_000_000) as chain, Rpc(chain.url) as rpc:
        rpc.call("evm_mine")
        block = rpc.call("eth_getBlockByNumber", "latest", False)
        assert 0 <= int(block["timestamp"], 16) - 1_700_000_000 < 60
    assert not is_alive(chain.process_id)


def test_two_chains_run_beside_each_other() -> None:
    with DevelopmentChain.start() as first, DevelopmentChain.start() as second:
        assert first.port != second.port


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_chain_ends_with_its_parent(how: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)  # fmt: skip
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        os.kill(parent.pid, how)
        assert ends_within(child, 5), "no child is left"


def test_a_follower_ends_with_the_venue_that_started_it(tmp_path: Path) -> None:
    """Killed, a venue can end nothing itself."""
    sleeper = tmp_path / "sleeper"
    given = tmp_path / "given"
    sleeper.write_text(f"#!/bin/sh\necho $@ > {given}\nexec sleep 60\n")
    sleeper.chmod(0o755)
    command = [sys.executable, "-c", FOLLOWED, str(sleeper)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        deadline = time.monotonic() + 10
        while not (found := children.read_text().split()) and time.monotonic() < deadline:
            time.sleep(0.02)
        child = int(found[0])
        while not given.is_file() or not given.read_text().endswith("\n"):
            assert time.monotonic() < deadline, "the follower was started"
            time.sleep(0.02)
        parent.kill()
        assert ends_within(child, 5), "no follower is left"
    options = "history follow --database history --snapshots taken --journal journal"
    assert options in given.read_text(), "it may start from the venue's snapshots"
