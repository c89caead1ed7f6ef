"""A local EVM chain for development and tests: anvil as a child that never outlives its parent."""

import ctypes
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

from proofbook.chain.errors import ChainFault
from proofbook.chain.rpc import AsyncRpc, Rpc
from proofbook.settlement.errors import DevelopmentChainFailed
from proofbook.settlement.transactions import DEVELOPMENT_CHAIN_ID

CONTRACTS_FOLDER = Path(__file__).resolve().parents[3] / "contracts"
START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 5.0
START_ATTEMPTS = 3  # a free port can be lost between asking for it and using it
PR_SET_PDEATHSIG = 1  # prctl(2): the signal that a child gets when its parent dies

_LIBC = ctypes.CDLL(None, use_errno=True)


class DevelopmentChain(AbstractContextManager["DevelopmentChain"]):
    """A running anvil, chain id 31337: every transaction makes a block of its own at once."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.chain_id = DEVELOPMENT_CHAIN_ID

    @classmethod
    def start(cls, timestamp_seconds: int | None = None) -> "DevelopmentChain":
        """Start a chain whose clock begins at a time, or now.

        It ends with the thread that starts it: call this from one that lives on.
        Raises DevelopmentChainFailed.
        """
        for _ in range(START_ATTEMPTS):
            port = _free_port()
            process = _spawn(port, timestamp_seconds)
            if _answers(process, port):
                return cls(process, port)
            _end(process)
        raise DevelopmentChainFailed(f"no answer on a free port in {START_ATTEMPTS} attempts")

    @property
    def process_id(self) -> int:
        return self._process.pid

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the chain; it forgets everything."""
        _end(self._process)


async def advance_clock(rpc: AsyncRpc, seconds: int) -> None:
    """Let time pass on a development chain and mine a block."""
    await rpc.call("evm_increaseTime", hex(seconds))
    await rpc.call("evm_mine")


def anvil_path() -> Path:
    """Return the native binary: its wrapper script would stand between us and the process to end.

    Raises DevelopmentChainFailed if it is not installed.
    """
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = f"anvil-{sys.platform}-{machine}"
    path = CONTRACTS_FOLDER / "node_modules/@foundry-rs" / package / "bin/anvil"
    if not path.is_file():
        raise DevelopmentChainFailed(f"{path} does not exist: run `make setup`")
    return path


def _spawn(port: int, timestamp_seconds: int | None) -> subprocess.Popen[bytes]:
    command = [str(anvil_path()), "--quiet", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--chain-id", str(DEVELOPMENT_CHAIN_ID), "--no-cors"]
    if timestamp_seconds is not None:
        command += ["--timestamp", str(timestamp_seconds)]
    parent = os.getpid()
    # A session of its own: Ctrl-C reaches the parent alone, which ends the chain when it may.
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: die_with(parent),
    )


def die_with(parent: int) -> None:
    """Ask the kernel to end this process, just forked, when its parent dies, however it dies.

    Linux only.
    """
    if sys.platform != "linux":
        return
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it could be asked
        os._exit(1)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait for the first answer; False if the process ended or stays silent."""
    deadline = time.monotonic() + START_SECONDS_MAX
    with Rpc(f"http://127.0.0.1:{port}", timeout_seconds=2.0) as rpc:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return False
            try:
                return rpc.chain_id() == DEVELOPMENT_CHAIN_ID and process.poll() is None
            except ChainFault:
                time.sleep(0.02)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
