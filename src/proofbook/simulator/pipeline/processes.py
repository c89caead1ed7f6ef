"""The processes of a measurement: a venue and one generator after the other."""

import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from proofbook.simulator.pipeline.plan import (
    BEGIN,
    BEGIN_SAMPLING,
    END,
    GO,
    Load,
    Opened,
    Sent,
)
from proofbook.simulator.pipeline.recorder import Recorded

VENUE = "proofbook.simulator.pipeline.venue"
GENERATOR = "proofbook.simulator.pipeline.generator"
NONCES_PER_LOAD = 10_000_000
SECONDS_MAX = 30.0

Message = TypeVar("Message")


class ProcessEnded(Exception):
    """A process of the measurement ended before it had answered. Operand: module."""

    def __init__(self, module: str) -> None:
        super().__init__(f"{module} ended before it had answered")
        self.module = module


class Speaker:
    """A module run as a process that reads lines and answers some of them."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def tell(self, line: str) -> None:
        self._stream(self._process.stdin).write(line + "\n")
        self._stream(self._process.stdin).flush()

    def hear(self, kind: type[Message]) -> Message:
        """Return the next message. Raises ProcessEnded."""
        return msgspec.json.decode(self.hear_line(), type=kind)

    def hear_line(self) -> str:
        line = self._stream(self._process.stdout).readline()
        if not line:
            raise ProcessEnded(self._module)
        return line

    def end(self) -> None:
        """Close its input, which ends it."""
        self._stream(self._process.stdin).close()
        try:
            self._process.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stream(self._process.stdout).close()

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None, "both streams are pipes"
        return stream


class Bench:
    """A venue that runs, and what is sent to it."""

    def __init__(self, venue: Speaker, generator: Speaker) -> None:
        self._venue = venue
        self._generator = generator
        self._loads = 0
        self.opened = venue.hear(Opened)

    def load(
        self,
        kind: str,
        count: int,
        per_second: float,
        *,
        unanswered_max: int = 0,
        is_sampled: bool = False,
    ) -> tuple[Sent, Recorded]:
        """Send so many requests of a kind; return what generator and venue say of it."""
        self._loads += 1
        load = Load(
            self.opened, kind, count, per_second, unanswered_max,
            self._loads * NONCES_PER_LOAD, seed=self._loads,
        )  # fmt: skip
        self._generator.tell(msgspec.json.encode(load).decode())
        self._generator.hear_line()
        self._venue.tell(BEGIN_SAMPLING if is_sampled else BEGIN)
        self._venue.hear_line()
        self._generator.tell(GO)
        sent = self._generator.hear(Sent)
        self._venue.tell(END)
        return sent, self._venue.hear(Recorded)

    def idle(self, wait: Callable[[], None]) -> Recorded:
        """Return what a venue does while nobody sends anything."""
        self._venue.tell(BEGIN)
        self._venue.hear_line()
        wait()
        self._venue.tell(END)
        return self._venue.hear(Recorded)


@contextmanager
def open_bench(folder: Path) -> Generator[Bench]:
    """Run a venue with its journal in a folder, and a generator."""
    venue = Speaker(VENUE, str(folder))
    try:
        generator = Speaker(GENERATOR)
        try:
            yield Bench(venue, generator)
        finally:
            generator.end()
    finally:
        venue.end()
