"""What a venue tells Prometheus: histograms fill as things happen, the rest is read when asked.

Labels take few values, all of them ours: nobody outside can make a series.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.sequencer.sequencer import CLOCK_BEHIND_NS_MAX
from proofbook.sequencer.stages import RequestWatch, WindowStages
from proofbook.sequencer.waiting import WAITING_MAX

if TYPE_CHECKING:
    from proofbook.ingress.venue import Venue

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STAGES = ("collect", "execute", "journal", "sign", "publish", "acknowledge")
"""The stages of a window, in their order; `sequencer/stages.py` says what each is."""

SECONDS = (
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
)  # fmt: skip
COMMANDS = (1, 4, 16, 64, 256, 1024, 2048)
US_PER_SECOND = 1_000_000
UNKNOWN = "unknown"
"""Stands for every method that is none."""


class Series:
    """One series of a histogram: how many values were at most each bound, and their sum.

    One thread counts, without a lock: every request is counted.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return each bound, and how many values were at most that; the last is without one."""
        names = [*map(str, map(float, self.bounds)), "+Inf"]
        return list(zip(names, accumulate(self.counts), strict=True))


class Histogram(Collector):
    """A histogram with one label or none; of each value of the label it has one series."""

    def __init__(self, name: str, words: str, label: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._words = words
        self._label = label
        self._bounds = bounds
        self._series: dict[str, Series] = {}

    def series(self, value: str = "") -> Series:
        """Return the series of a value of the label, empty at first."""
        series = self._series.get(value)
        if series is None:
            series = self._series[value] = Series(self._bounds)
        return series

    def collect(self) -> Iterator[Metric]:
        """Yield all series."""
        labels = [self._label] if self._label else []
        family = HistogramMetricFamily(self._name, self._words, labels=labels)
        for value, series in self._series.items():
            family.add_metric([value] if labels else [], series.buckets(), series.total)
        yield family


class Metrics:
    """The series of one venue. `watch` is told of stages of requests, if anybody sets it."""

    def __init__(self) -> None:
        self.watch: RequestWatch | None = None
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        stages = Histogram(
            "proofbook_stage_seconds", "Time of a window in each stage.", "stage", SECONDS
        )
        commands = Histogram("proofbook_window_commands", "Commands of a window.", "", COMMANDS)
        self._requests = Histogram(
            "proofbook_request_seconds", "From a frame to its reply, by method.", "method", SECONDS
        )
        for histogram in (stages, commands, self._requests):
            self._registry.register(histogram)
        self._stages = [stages.series(stage) for stage in STAGES]
        self._commands = commands.series()
        entries = Counter(
            "proofbook_entries", "Entries since the start, by outcome.", ["outcome"],
            registry=self._registry,
        )  # fmt: skip
        self._applied, self._rejected = entries.labels("applied"), entries.labels("rejected")
        self._refused = Counter(
            "proofbook_requests_refused", "Requests that got an error, by its reason.", ["reason"],
            registry=self._registry,
        )  # fmt: skip
        self._chain_seq = Gauge(
            "proofbook_chain_seq", "The last entry on chain.", registry=self._registry
        )

    def expose(self, venue: "Venue") -> None:
        """Read queues, journal, clock and sweep of a venue whenever somebody asks."""
        self._registry.register(VenueCollector(venue))
        venue.sequencer.watch_stages(self.window)

    def window(self, stages: WindowStages) -> None:
        """Count a window that was acknowledged."""
        self._commands.observe(stages.applied + stages.rejected)
        self._applied.inc(stages.applied)
        self._rejected.inc(stages.rejected)
        for series, duration_ns in zip(self._stages, stages[2:], strict=True):
            series.observe(duration_ns / NS_PER_SECOND)

    def replied(self, method: str, us_diff: int, reason: str | None) -> None:
        """Count a reply; `method` is a known one or UNKNOWN, `reason` its error's."""
        self._requests.series(method).observe(us_diff / US_PER_SECOND)
        if reason is not None:
            self._refused.labels(reason).inc()

    def appended(self, last_seq: int) -> None:
        """Note how far the chain has come."""
        self._chain_seq.set(last_seq)

    def text(self) -> bytes:
        """Return all series in Prometheus' text format."""
        return generate_latest(self._registry)


class VenueCollector(Collector):
    """What can be read off a running venue at any moment."""

    def __init__(self, venue: "Venue") -> None:
        self._venue = venue

    def collect(self) -> Iterator[Metric]:
        """Yield a family for each number."""
        rows = {**self._intake(), **self._interface(), **self._promise()}
        for name, (words, value) in rows.items():
            yield GaugeMetricFamily(f"proofbook_{name}", words, value=value)
        yield from self._kept()
        yield from self._sweep()

    def _intake(self) -> dict[str, tuple[str, float]]:
        sequencer = self._venue.sequencer
        behind = sequencer.clock_behind_ns / NS_PER_SECOND
        behind_max = CLOCK_BEHIND_NS_MAX / NS_PER_SECOND
        return {
            "accepting": ("Whether commands are taken.", sequencer.is_accepting),
            "seq": ("The last entry that is durable and published.", self._venue.models.seq),
            "journal_seq": ("The last entry of the journal.", sequencer.journal_seq),
            "commands_waiting": ("Commands that wait for a window.", sequencer.waiting),
            "commands_waiting_max": ("Beyond so many they are refused.", WAITING_MAX),
            "clock_behind_seconds": ("How far the clock is behind the venue's time.", behind),
            "clock_behind_seconds_max": ("Beyond that intake stops.", behind_max),
        }

    def _interface(self) -> dict[str, tuple[str, float]]:
        connections, history = self._venue.connections, self._venue.history
        return {
            "connections": ("Open WebSockets.", connections.open),
            "subscriptions": ("Channels joined, by all of them.", self._venue.feeds.subscriptions),
            "outbox_bytes": ("Bytes that wait for slow readers.", connections.waiting_bytes),
            "tasks": ("Tasks of the event loop.", len(asyncio.all_tasks())),
            "history_questions_waiting": (
                "Questions that wait for the history's database.",
                0 if history is None else history.waiting,
            ),
        }

    def _kept(self) -> Iterator[Metric]:
        """Yield how much of everything is kept, and up to how much where that has a limit."""
        venue = self._venue
        books, trades = venue.models.books, venue.models.trades
        notices = venue.feeds.notices_kept, venue.feeds.notices_max
        traded = len(trades), trades.most
        most = venue.sequencer.kept | {"notices": notices, "trades": traded}
        rows = {what: kept for what, (kept, _) in most.items()} | {
            "books": books.count,
            "orders": books.orders_count,
            "dates": books.dates_count,
        }
        kept = GaugeMetricFamily(
            "proofbook_kept", "What is kept in memory beside the state.", labels=["what"]
        )
        for what, count in rows.items():
            kept.add_metric([what], count)
        limits = GaugeMetricFamily(
            "proofbook_kept_max", "Of what is kept, the most; then the oldest goes.",
            labels=["what"],
        )  # fmt: skip
        for what, (_, count_max) in most.items():
            limits.add_metric([what], count_max)
        yield from (kept, limits)

    def _promise(self) -> dict[str, tuple[str, float]]:
        inclusion = self._venue.sequencer.inclusion
        if inclusion is None:
            return {}
        promise = inclusion.promise_ns / NS_PER_SECOND
        return {
            "chain_lag_bytes": ("Bytes journalled and not on chain.", inclusion.waiting_bytes),
            "chain_promise_seconds": ("By when an entry of now is promised on chain.", promise),
            "chain_open": ("Whether the promise can still be kept.", inclusion.is_open),
        }

    def _sweep(self) -> Iterator[Metric]:
        """Yield what the monitor of margins says of itself."""
        if self._venue.monitor is None:
            return
        counts = self._venue.monitor.counts
        yield GaugeMetricFamily(
            "proofbook_risk_look_seconds", "How long the last look at all margins took.",
            value=counts.look_ns / NS_PER_SECOND,
        )  # fmt: skip
        yield GaugeMetricFamily(
            "proofbook_risk_accounts_below", "Accounts below maintenance margin at the last look.",
            value=counts.below,
        )  # fmt: skip
        yield CounterMetricFamily(
            "proofbook_risk_looks", "Looks at all margins.", value=counts.looks
        )
        steps = CounterMetricFamily(
            "proofbook_risk_steps", "Steps of liquidation that were sent.", labels=["outcome"]
        )
        for outcome in ("applied", "rejected", "refused"):
            steps.add_metric([outcome], getattr(counts, outcome))
        yield steps
