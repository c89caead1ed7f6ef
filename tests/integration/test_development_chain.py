"""The local chain begins when told and never outlives whoever started it."""

import os
import signal
import subprocess
import sys
import time

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
