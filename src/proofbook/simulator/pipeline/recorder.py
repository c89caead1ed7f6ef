"""What a venue records of itself under load: stages by the clock, processor time, samples."""

import signal
import time
from collections import Counter
from collections.abc import Iterable
from types import FrameType

from hdrh.histogram import HdrHistogram
from msgspec import Struct

from proofbook.node import Node
from proofbook.protocol.entry import HEAD
from proofbook.protocol.limits import Tag
from proofbook.sequencer.sequencer import Committed
from proofbook.sequencer.stages import RequestStage, WindowStages

STAGES = WindowStages._fields[2:]
LONGEST_NS = 60 * 10**9
DIGITS = 3
SAMPLE_SECONDS = 0.001

PLACES: tuple[tuple[str, str], ...] = (
    ("proofbook/api/signing.py", "signature"),
    ("proofbook/protocol/eip712.py", "signature"),
    ("proofbook/kernel.py:apply", "apply"),
    ("proofbook/sequencer/journal.py", "journal"),
    ("proofbook/sequencer/receipts.py", "receipt"),
    ("proofbook/queries/", "publish"),
    ("proofbook/sequencer/keeper.py", "publish"),
    ("proofbook/sequencer/monitor.py", "publish"),
    ("proofbook/ingress/replies.py", "reply"),
    ("proofbook/ingress/rejections.py", "reply"),
    ("proofbook/api/convert.py", "reply"),
    ("proofbook/ingress/metrics.py", "reply"),
    ("proofbook/ingress/session.py:_reply", "reply"),
    ("proofbook/ingress/session.py:_reply_later", "reply"),
    ("proofbook/sequencer/admission.py", "admission"),
    ("proofbook/sequencer/repeats.py", "admission"),
    ("proofbook/sequencer/sequencer.py:enqueue", "admission"),
    ("proofbook/sequencer/sequencer.py:take", "admission"),
    ("proofbook/sequencer/", "window"),
    ("proofbook/simulator/floor.py", "marks"),
    ("proofbook/simulator/pipeline/venue.py:mark", "marks"),
    ("proofbook/risk/", "marks"),
    ("proofbook/ingress/server.py", "socket"),
    ("proofbook/ingress/", "decode"),
    ("websockets/", "socket"),
    ("uvicorn/", "socket"),
    ("starlette/", "socket"),
)
"""What a sample counts for: the first of these that its innermost frames are in."""


class Percentiles(Struct, frozen=True):
    """Of a histogram. Units  ns."""

    count: int
    p50: int
    p90: int
    p99: int
    p999: int
    most: int


class EntryBytes(Struct):
    """Entries of one kind, and their bytes as the chain gets them."""

    count: int = 0
    bytes: int = 0


class Recorded(Struct, frozen=True):
    """What a venue says of one measurement.

    Units stages: ns; processor times: s; group_bytes: entries of windows, by their size.
    """

    stages: dict[str, Percentiles]
    group_bytes: dict[int, int]
    windows: int
    entries: dict[str, EntryBytes]
    processor_seconds: float
    loop_thread_seconds: float
    samples: dict[str, int]


def new_histogram() -> HdrHistogram:
    return HdrHistogram(1, LONGEST_NS, DIGITS)


def percentiles_of(histogram: HdrHistogram) -> Percentiles:
    """Return what is asked of every histogram."""
    p50, p90, p99, p999 = (histogram.get_value_at_percentile(share) for share in (50, 90, 99, 99.9))
    return Percentiles(histogram.get_total_count(), p50, p90, p99, p999, histogram.get_max_value())


def percentiles(values: Iterable[int]) -> Percentiles:
    """Return what a histogram says of some times."""
    histogram = new_histogram()
    for value in values:
        histogram.record_value(max(1, value))
    return percentiles_of(histogram)


class Recorder:
    """Listens to the sequencer of a node between two moments."""

    def __init__(self, node: Node) -> None:
        self._is_recording = False
        self._windows: list[WindowStages] = []
        self._requests: dict[RequestStage, list[int]] = {stage: [] for stage in RequestStage}
        self._groups: list[int] = []
        self._entries: dict[int, EntryBytes] = {}
        self._sampler = Sampler()
        self._began = (0.0, 0.0)
        node.sequencer.watch_stages(self._take_stages)
        node.sequencer.subscribe(self._take_group)
        node.metrics.watch = self._take_request

    def begin(self, samples: bool = False) -> None:
        """Forget what was recorded and record from now on."""
        self._windows.clear()
        for times_ns in self._requests.values():
            times_ns.clear()
        self._groups.clear()
        self._entries.clear()
        self._sampler.counts.clear()
        self._began = time.process_time(), time.thread_time()
        self._is_recording = True
        if samples:
            self._sampler.start()

    def end(self) -> Recorded:
        """Stop, and return what was recorded."""
        self._sampler.stop()
        self._is_recording = False
        began, thread_began = self._began
        # Before percentiles, which take a while: they are no part of what is measured.
        ended, thread_ended = time.process_time(), time.thread_time()
        return Recorded(
            self._stages(),
            dict(Counter(self._groups)),
            len(self._groups),
            {Tag(tag).name: size for tag, size in self._entries.items()},
            ended - began,
            thread_ended - thread_began,
            dict(self._sampler.counts),
        )

    def _stages(self) -> dict[str, Percentiles]:
        """Return a histogram's percentiles for each stage of requests and of windows."""
        requests = {f"{stage}_ns": times_ns for stage, times_ns in self._requests.items()}
        windows = {name: [getattr(each, name) for each in self._windows] for name in STAGES}
        return {name: percentiles(times_ns) for name, times_ns in (requests | windows).items()}

    def _take_request(self, stage: RequestStage, time_ns: int) -> None:
        if self._is_recording:
            self._requests[stage].append(time_ns)

    def _take_stages(self, stages: WindowStages) -> None:
        if self._is_recording:
            self._windows.append(stages)

    def _take_group(self, committed: Committed) -> None:
        if self._is_recording:
            self._groups.append(sum(map(len, committed.entries)))
            for entry in committed.entries:
                size = self._entries.setdefault(entry[HEAD.size], EntryBytes())
                size.count += 1
                size.bytes += len(entry)


class Sampler:
    """Looks every millisecond at what the event loop's thread is doing in Python.

    A look while it waits, or is inside of the loop itself, counts for nothing; so the counts times
    a millisecond are seconds of each stage by the clock, interruptions included. On a machine of
    its own the rest of the thread's processor time is the loop's.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def start(self) -> None:
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, SAMPLE_SECONDS, SAMPLE_SECONDS)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _look(self, _: int, frame: FrameType | None) -> None:
        stage = stage_of(frame)
        if stage is not None:
            self.counts[stage] += 1


def stage_of(frame: FrameType | None) -> str | None:
    """Return the stage of the innermost frame that is in one."""
    while frame is not None:
        code = frame.f_code
        place = f"{code.co_filename}:{code.co_name}"
        for part, stage in PLACES:
            if part in place:
                return stage
        frame = frame.f_back
    return None
