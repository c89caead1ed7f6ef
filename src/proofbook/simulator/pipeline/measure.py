"""Questions to a venue under load, and a report of the answers.

Every load is followed by the disk alone, with writes as large as those of the load's groups, so
that both have had the same machine. Latencies are histograms of high dynamic range.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from msgspec import structs

from proofbook.api.signing import Key, recover
from proofbook.simulator.pipeline.disk import fdatasync_ns
from proofbook.simulator.pipeline.frames import QUOTES
from proofbook.simulator.pipeline.plan import BATCH, ORDER
from proofbook.simulator.pipeline.processes import Bench
from proofbook.simulator.pipeline.recorder import (
    SAMPLE_SECONDS,
    Percentiles,
    Recorded,
    percentiles,
)

TARGETS_PER_SECOND = {ORDER: 5_000.0, BATCH: 250.0}
"""Where promises are measured: as many orders as quotes."""
PER_REQUEST = {ORDER: 1, BATCH: QUOTES}
FIRST_GUESS = {ORDER: 1_000, BATCH: 150}
"""Requests of the first, short look at what a venue takes."""
UNANSWERED_MAX = {ORDER: 512, BATCH: 64}
"""While that is measured: enough for windows to be full, below what is refused."""
DISK_WRITES = 200
WARM_SHARE = 0.2
"""Of a load, at its beginning, that no percentile counts."""
SIGNATURES = 500
COST_SHARE = 0.8
"""Of what a venue takes: where costs are measured, if the promised rate is more."""

Progress = Callable[[str], None]


class Questions:
    """What is asked of a venue, each for so many seconds."""

    def __init__(self, bench: Bench, folder: Path, seconds: float, progress: Progress) -> None:
        self._bench = bench
        self._folder = folder
        self._seconds = seconds
        self._progress = progress

    def capacity(self, kind: str) -> float:
        """Return how many requests a second the venue answers when asked without pause."""
        self._progress(f"how many {kind} requests a second are taken")
        rate = self._rate(kind, FIRST_GUESS[kind])
        return self._rate(kind, max(FIRST_GUESS[kind], round(rate * self._seconds)))

    def _rate(self, kind: str, count: int) -> float:
        sent, _ = self._bench.load(kind, count, 0, unanswered_max=UNANSWERED_MAX[kind])
        return (count - sent.unanswered) / sent.seconds

    def point(self, kind: str, per_second: float) -> dict[str, Any]:
        """Return latencies at a rate, and the disk's right after."""
        self._progress(f"{per_second:,.0f} {kind} requests a second")
        count = max(10, round(per_second * self._seconds))
        sent, recorded = self._bench.load(kind, count, per_second)
        disk = fdatasync_ns(self._folder, group_sizes(recorded))
        answered = len(sent.latencies_ns)
        return {
            "offered_per_second": round(per_second, 1),
            "answered_per_second": round(answered / sent.seconds, 1),
            "unanswered": sent.unanswered,
            "refused": sent.refused,
            "requests_per_window": round(answered / max(1, recorded.windows), 1),
            "latency_us": as_microseconds(percentiles(warmed(sent.latencies_ns))),
            "sent_late_us": as_microseconds(percentiles(warmed(sent.lateness_ns))),
            "fdatasync_us": as_microseconds(percentiles(disk)),
            "stages_us": {
                name.removesuffix("_ns"): as_microseconds(each)
                for name, each in recorded.stages.items()
            },
            "server_cpu_us": round(1e6 * recorded.processor_seconds / max(1, answered), 1),
            "load": round(os.getloadavg()[0], 2),
        }

    def cost(self, kind: str, per_second: float, idle_cpu: float) -> dict[str, Any]:
        """Return the processor time of a request on the server, by stage, without that of marks.

        Stages are samples by the clock: interruptions count, and on a busy machine they come to
        more than the processor time.

        Units µs for each request.
        """
        self._progress(f"where the time of {kind} requests goes")
        count = max(10, round(per_second * self._seconds))
        sent, recorded = self._bench.load(kind, count, per_second, is_sampled=True)
        answered = max(1, len(sent.latencies_ns))
        spent = recorded.processor_seconds - idle_cpu * sent.seconds
        loop = recorded.loop_thread_seconds
        stages = {
            stage: 1e6 * SAMPLE_SECONDS * samples / answered
            for stage, samples in sorted(recorded.samples.items())
        }
        stages["event loop"] = max(0.0, 1e6 * loop / answered - sum(stages.values()))
        stages["other threads"] = 1e6 * (recorded.processor_seconds - loop) / answered
        return {
            "offered_per_second": round(per_second, 1),
            "answered": answered,
            "all": round(1e6 * recorded.processor_seconds / answered, 1),
            "without_marks": round(1e6 * spent / answered, 1),
            "stages": {stage: round(each, 1) for stage, each in stages.items()},
            "entry_bytes": entry_bytes(recorded),
        }

    def idle_cpu(self) -> float:
        """Return seconds of processor time that a second of marks alone takes."""
        self._progress("marks alone")
        recorded = self._bench.idle(lambda: time.sleep(self._seconds))
        return recorded.processor_seconds / self._seconds


def group_sizes(recorded: Recorded) -> list[int]:
    """Return sizes of writes drawn from the groups that a venue has written."""
    sizes, counts = [*recorded.group_bytes], [*recorded.group_bytes.values()]
    return Random(0).choices(sizes, counts, k=DISK_WRITES)


def entry_bytes(recorded: Recorded) -> dict[str, float]:
    """Return bytes on chain of an entry by its kind, signature and stamp included."""
    return {
        kind.lower(): round(each.bytes / each.count, 2) for kind, each in recorded.entries.items()
    }


def warmed(values: Sequence[int]) -> Sequence[int]:
    """Leave out the beginning of a load."""
    return values[int(len(values) * WARM_SHARE) :]


def as_microseconds(each: Percentiles) -> dict[str, float]:
    """Return percentiles in µs, and how many values there are."""
    values = structs.asdict(each)
    count = values.pop("count")
    return {"count": count} | {name: round(value / 1e3, 1) for name, value in values.items()}


def signature_us() -> float:
    """Return the processor time of one signature check alone, median."""
    key, times = Key(b"\x0b" * 32), list[int]()
    for number in range(SIGNATURES):
        digest = number.to_bytes(32, "big")
        signature = key.sign(digest)
        began_ns = time.thread_time_ns()
        assert recover(digest, signature) == key.address
        times.append(time.thread_time_ns() - began_ns)
    return round(median(times) / 1e3, 1)


def measure(questions: Questions, loads: int, rounds: int) -> dict[str, Any]:
    """Return the answers to every question, for orders and for batches of quotes.

    So many loads lead to what the venue takes at most, and so many rounds are at the promised rate.
    """
    report: dict[str, Any] = {"signature_check_us": signature_us()}
    idle_cpu = questions.idle_cpu()
    report["marks_cpu_share"] = round(idle_cpu, 4)
    for kind, target in TARGETS_PER_SECOND.items():
        capacity = questions.capacity(kind)
        steps = [capacity * step / loads for step in range(1, loads + 1)]
        points = [questions.point(kind, per_second) for per_second in steps]
        report[kind] = {
            "taken_per_second": round(capacity, 1),
            "points": points,
            "at_target": [questions.point(kind, target) for _ in range(rounds)],
            "cpu_us": questions.cost(kind, min(target, COST_SHARE * capacity), idle_cpu),
        }
    return report | {"promises": promises(report)}


def promises(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is promised, what was measured of it, and whether it is kept."""
    orders, batches = report[ORDER], report[BATCH]
    at_target = orders["at_target"]

    def middle(name: str, percentile: str) -> float:
        return median(point[name][percentile] for point in at_target)

    rate = at_target[0]["offered_per_second"]
    quotes = PER_REQUEST[BATCH]
    return [
        _promise(
            f"p50 of an order at {rate:,.0f}/s, µs: fdatasync's + 500",
            middle("latency_us", "p50"), middle("fdatasync_us", "p50") + 500,
        ),
        _promise(
            f"p99 of an order at {rate:,.0f}/s, µs: three of fdatasync's",
            middle("latency_us", "p99"), 3 * middle("fdatasync_us", "p99"),
        ),
        _promise("processor time of an order, µs", orders["cpu_us"]["without_marks"], 100),
        _promise(
            f"processor time of a quote in a batch of {quotes}, µs",
            batches["cpu_us"]["without_marks"] / quotes, 6,
        ),
        _promise("bytes on chain of an order", orders["cpu_us"]["entry_bytes"]["place"], 140),
        _promise(
            f"bytes on chain of a quote in a batch of {quotes}",
            batches["cpu_us"]["entry_bytes"]["quote_batch"] / quotes, 24,
        ),
    ]  # fmt: skip


def _promise(promise: str, measured: float, bound: float) -> dict[str, Any]:
    return {
        "promise": promise,
        "measured": round(measured, 2),
        "at_most": round(bound, 1),
        "is_kept": measured <= bound,
    }
