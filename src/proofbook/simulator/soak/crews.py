"""Load and abuse in processes of their own, so that whoever measures waits for neither."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Self

from proofbook.simulator.soak import abuse, load
from proofbook.simulator.soak.tally import Tally
from proofbook.simulator.soak.venue_process import SoakFault

LOOK_SECONDS = 0.2
ANSWER_SECONDS_MAX = 60.0

Counts = dict[str, dict[str, int]]
Crew = Callable[[dict[str, Any], float, Tally], Awaitable[None]]
CREWS: dict[str, Crew] = {"load": load.run, "abuse": abuse.run}


class CrewEnded(SoakFault):
    """Load or abuse ended before it was told to. Operands: crew, exit code."""

    def __init__(self, crew: str, exit_code: int | None) -> None:
        super().__init__(f"the process of the {crew} ended by itself with {exit_code}")
        self.crew = crew
        self.exit_code = exit_code


class CrewProcess:
    """A crew at work in its own process until asked for its counts."""

    def __init__(self, name: str, running: dict[str, Any], per_second: float) -> None:
        context = get_context("spawn")
        self._name = name
        self._ours, theirs = context.Pipe()
        self._process = context.Process(
            target=work, args=(name, running, per_second, theirs), daemon=True
        )
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._ours.close()

    def check(self) -> None:
        """Raises CrewEnded if it works no more."""
        if not self._process.is_alive():
            raise CrewEnded(self._name, self._process.exitcode)

    def finish(self) -> Counts:
        """Let it stop, and return what it counted. Raises CrewEnded."""
        self.check()
        self._ours.send(None)
        if not self._ours.poll(ANSWER_SECONDS_MAX):
            raise CrewEnded(self._name, self._process.exitcode)
        try:
            counts: Counts = self._ours.recv()
        except EOFError:
            raise CrewEnded(self._name, self._process.exitcode) from None
        return counts


def work(name: str, running: dict[str, Any], per_second: float, pipe: Connection) -> None:
    """Be a crew, in a process of its own, until something comes through the pipe."""
    tally = Tally()

    async def until_told() -> None:
        crew = asyncio.ensure_future(CREWS[name](running, per_second, tally))
        while not pipe.poll():
            done, _ = await asyncio.wait([crew], timeout=LOOK_SECONDS)
            if done:
                crew.result()
        pipe.send(tally.as_dict())  # what is open ends with this process, and may take long
        crew.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await crew

    asyncio.run(until_told())
