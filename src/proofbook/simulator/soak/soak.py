"""The soak: a venue in its own process, crews in theirs, and what is measured meanwhile."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from proofbook.simulator.soak.crews import Counts, CrewProcess
from proofbook.simulator.soak.honest import Honest, Timed, percentiles
from proofbook.simulator.soak.samples import (
    Sample,
    Slope,
    columns,
    read_metrics,
    slope,
    warm_from,
)
from proofbook.simulator.soak.tally import Tally
from proofbook.simulator.soak.venue_process import SoakFault, VenueProcess, venue_up

SAMPLE_SECONDS = 1.0
QUIET_SHARE = 0.1
"""Of the soak, its beginning without abuse: what the honest client is compared with."""
METRICS_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How long, and how much a second: commands of the load, actions of each kind of abuse.

    `kept`: so many receipts, answers and notices the venue keeps. Its own limits would be reached
    by nobody within minutes, and what still fills up cannot be told from what grows for ever.
    """

    minutes: float = 10.0
    commands_per_second: float = 100.0
    abuse_per_second: float = 20.0
    kept: int = 4_096

    @property
    def seconds(self) -> float:
        return self.minutes * 60


@dataclass(frozen=True, slots=True)
class Result:
    """What a soak saw."""

    settings: Settings
    quiet_seconds: float
    samples: list[Sample]
    times: list[Timed]
    counts: dict[str, Counts]

    @property
    def warm_seconds(self) -> float:
        """From when on the venue is warm: not before abuse has lasted as long as quiet did."""
        return warm_from(self.samples, 2 * self.quiet_seconds)

    def slope(self, of: Callable[[Sample], float]) -> Slope | None:
        """Return how fast a memory grew once the venue was warm."""
        warm = [sample for sample in self.samples if sample.second >= self.warm_seconds]
        return slope([sample.second for sample in warm], [of(sample) for sample in warm])


class Watcher:
    """Samples a venue every second."""

    def __init__(self, venue: VenueProcess, client: httpx.AsyncClient) -> None:
        self._venue = venue
        self._client = client
        self.samples: list[Sample] = []

    async def take(self, second: float) -> None:
        """Take one sample. Raises VenueEnded, SoakFault."""
        usage = self._venue.usage()
        try:
            metrics = await self._client.get(self._venue.metrics_url)
        except httpx.HTTPError as fault:
            raise SoakFault(f"the venue shows no metrics: {type(fault).__name__}") from None
        self.samples.append(
            Sample(second, usage.resident_kib, self._venue.history_resident_kib(),
                   usage.descriptors, *read_metrics(metrics.text))
        )  # fmt: skip


def run(settings: Settings, on_second: Callable[[float], None] = lambda second: None) -> Result:
    """Soak a venue of its own. Raises SoakFault, ConnectionLost."""
    with (
        TemporaryDirectory(prefix="proofbook-soak-") as folder,
        venue_up(Path(folder), settings.kept) as venue,
    ):
        return asyncio.run(soak(venue, settings, on_second))


async def soak(
    venue: VenueProcess, settings: Settings, on_second: Callable[[float], None]
) -> Result:
    """Load a venue, attack it after a while, and sample it all the time."""
    quiet_seconds = settings.seconds * QUIET_SHARE
    tally = Tally()
    honest = Honest(venue.running, tally)
    with ExitStack() as stack:
        client = httpx.AsyncClient(trust_env=False, timeout=METRICS_SECONDS_MAX)
        watcher = Watcher(venue, client)
        crews = {"load": _crew(stack, "load", venue, settings.commands_per_second)}
        started = time.perf_counter()
        async with client, _beside(honest.run(started)) as trading:
            while (second := time.perf_counter() - started) < settings.seconds:
                if second >= quiet_seconds and "abuse" not in crews:
                    crews["abuse"] = _crew(stack, "abuse", venue, settings.abuse_per_second)
                await watcher.take(second)
                for crew in crews.values():
                    crew.check()
                if trading.done():
                    trading.result()
                on_second(second)
                await asyncio.sleep(SAMPLE_SECONDS)
        counts = {name: crew.finish() for name, crew in crews.items()}
    counts["honest"] = tally.as_dict()
    return Result(settings, quiet_seconds, watcher.samples, honest.times, counts)


def _crew(stack: ExitStack, name: str, venue: VenueProcess, per_second: float) -> CrewProcess:
    return stack.enter_context(CrewProcess(name, venue.running, per_second))


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncGenerator[asyncio.Task[None]]:
    """Run something while the block runs."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def report(result: Result) -> dict[str, Any]:
    """Return a soak as JSON for people: memory, what filled up, latencies, answers."""
    last, warm = result.samples[-1], result.warm_seconds
    quiet = [each for each in result.times if each.second < result.quiet_seconds]
    abused = [each for each in result.times if each.second >= result.quiet_seconds]
    slopes = {
        "venue": result.slope(lambda sample: sample.resident_kib),
        "history": result.slope(lambda sample: sample.history_resident_kib),
    }
    return {
        "minutes": result.settings.minutes,
        "commands_per_second": result.settings.commands_per_second,
        "abuse_per_second": result.settings.abuse_per_second,
        "kept_max": result.settings.kept,
        "quiet_seconds": result.quiet_seconds,
        "entries": int(last.gauges["seq"]),
        "warm_from_second": round(warm, 1),
        "is_full": last.is_full,
        "kept": {
            what: {"kept": int(value), "most": int(last.kept_max.get(what, 0)) or None}
            for what, value in sorted(last.kept.items())
        },
        "resident_growth": {name: found and found._asdict() for name, found in slopes.items()},
        "resident_kib": {
            "first": result.samples[0].resident_kib,
            "warm": next(each.resident_kib for each in result.samples if each.second >= warm),
            "last": last.resident_kib,
            "most": max(each.resident_kib for each in result.samples),
        },
        "descriptors": {
            "warm": next(each.descriptors for each in result.samples if each.second >= warm),
            "last": last.descriptors,
            "most": max(each.descriptors for each in result.samples),
        },
        "honest_ms": {
            name: {
                phase: percentiles([getattr(each, name + "_ms") for each in times])
                for phase, times in (("quiet", quiet), ("abused", abused))
            }
            for name in ("place", "cancel", "book")
        },
        "answers": result.counts,
        "samples": columns(result.samples),
    }
