"""A venue in a process of its own, as `proofbook up` runs it, and what the system says of it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

PROCESSES = Path("/proc")
START_SECONDS_MAX = 180.0
STOP_SECONDS_MAX = 30.0
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


class SoakFault(Exception):
    """The soak cannot go on."""


class VenueEnded(SoakFault):
    """The venue's process has ended. Operands: exit code, the end of its log."""

    def __init__(self, exit_code: int | None, log: str) -> None:
        super().__init__(f"the venue ended with {exit_code}:\n{log}")
        self.exit_code = exit_code
        self.log = log


class Usage(NamedTuple):
    """What a process holds."""

    resident_kib: int
    descriptors: int


@dataclass(frozen=True)
class VenueProcess:
    """A venue that runs, its addresses and its development accounts."""

    process: subprocess.Popen[bytes]
    running: dict[str, Any]
    log: Path

    @property
    def websocket_url(self) -> str:
        return self.running["websocket"]

    @property
    def metrics_url(self) -> str:
        return self.running["http"].removesuffix("/rpc") + "/metrics"

    def usage(self) -> Usage:
        """Return what the venue's process holds. Raises VenueEnded."""
        if self.process.poll() is not None:
            raise VenueEnded(self.process.returncode, end_of(self.log))
        return usage_of(self.process.pid)

    def history_resident_kib(self) -> int:
        """Return the memory of the process that keeps the history; 0 while there is none."""
        for child in children_of(self.process.pid):
            try:
                if b"history" in (PROCESSES / str(child) / "cmdline").read_bytes().split(b"\0"):
                    return usage_of(child).resident_kib
            except OSError:
                continue  # it has just ended
        return 0


def usage_of(process: int) -> Usage:
    """Return what a process holds now. Raises OSError when there is none."""
    folder = PROCESSES / str(process)
    pages = int((folder / "statm").read_text().split()[1])
    return Usage(pages * PAGE_KIB, len(os.listdir(folder / "fd")))


def children_of(process: int) -> list[int]:
    """Return the processes that any thread of a process has started."""
    tasks = (PROCESSES / str(process) / "task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


@contextmanager
def venue_up(folder: Path, kept: int) -> Generator[VenueProcess]:
    """Run a venue without makers, which keeps so many answers, while the block runs.

    Raises SoakFault, VenueEnded.
    """
    if not PROCESSES.is_dir():
        raise SoakFault(f"there is no {PROCESSES}: the memory of a process is read there")
    path, log = folder / "up.json", folder / "up.log"
    command = [
        sys.executable, "-m", "proofbook.cli", "up", "--no-makers", "--kept", str(kept),
        "--json", str(path),
    ]  # fmt: skip
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not path.is_file() or not path.read_text().endswith("}\n"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise VenueEnded(process.poll(), end_of(log))
            time.sleep(0.05)
        yield VenueProcess(process, json.loads(path.read_text()), log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def end_of(log: Path) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
