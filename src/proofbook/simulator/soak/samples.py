"""Samples of a venue's process, and how fast what it holds grows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

SECONDS_PER_MINUTE = 60
IN_BYTES = ("answer_bytes",)
"""Limits that ordinary commands do not reach: another one holds them before."""
FULL = 0.995
"""What is kept up to a limit counts as full from here on."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen of the venue at a moment of the soak."""

    second: float
    resident_kib: int
    history_resident_kib: int
    descriptors: int
    gauges: dict[str, float] = field(default_factory=dict[str, float])
    kept: dict[str, float] = field(default_factory=dict[str, float])
    kept_max: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def is_full(self) -> bool:
        """Whether everything that is kept up to a limit has come there."""
        return bool(self.kept_max) and all(
            self.kept[what] >= FULL * most
            for what, most in self.kept_max.items()
            if what not in IN_BYTES
        )


class Slope(NamedTuple):
    """A straight line through samples by least squares, KiB a minute; one standard error.

    The error counts neighbours that err together as fewer samples than they are.
    """

    kib_per_minute: float
    error: float
    samples: int


GAUGES = (
    "connections", "subscriptions", "outbox_bytes", "commands_waiting", "tasks", "seq",
)  # fmt: skip


def read_metrics(text: str) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Return a venue's gauges, what it keeps, and up to how much, from Prometheus' text."""
    gauges: dict[str, float] = {}
    kept: dict[str, float] = {}
    kept_max: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        name = family.name.removeprefix("proofbook_")
        for sample in family.samples:
            if name in GAUGES:
                gauges[name] = sample.value
            elif name == "kept":
                kept[sample.labels["what"]] = sample.value
            elif name == "kept_max":
                kept_max[sample.labels["what"]] = sample.value
    return gauges, kept, kept_max


def columns(samples: Sequence[Sample]) -> dict[str, list[float]]:
    """Return what was seen as columns, one number a sample."""
    named: dict[str, list[float]] = {
        "second": [round(each.second, 1) for each in samples],
        "resident_kib": [each.resident_kib for each in samples],
        "history_resident_kib": [each.history_resident_kib for each in samples],
        "descriptors": [each.descriptors for each in samples],
    }
    gauges: dict[str, list[float]] = {
        name: [each.gauges.get(name, 0) for each in samples] for name in GAUGES
    }
    kept: dict[str, list[float]] = {
        f"kept_{what}": [each.kept.get(what, 0) for each in samples] for what in samples[-1].kept
    }
    return named | gauges | kept


def warm_from(samples: Sequence[Sample], least_seconds: float) -> float:
    """Return from when on the venue is warm: all that has a limit is full, or half is over."""
    half = samples[-1].second / 2
    full = (each.second for each in samples if each.is_full and each.second >= least_seconds)
    return min(next(full, half), half)


def slope(seconds: Sequence[float], kib: Sequence[float]) -> Slope | None:
    """Return how fast memory grows; None for too few samples to tell."""
    count = len(seconds)
    if count < 8:
        return None
    minutes = np.asarray(seconds) / SECONDS_PER_MINUTE
    values = np.asarray(kib, dtype=np.float64)
    centred = minutes - minutes.mean()
    spread = float(centred @ centred)
    per_minute = float(centred @ values) / spread
    rest = values - values.mean() - per_minute * centred
    square = float(rest @ rest)
    following = float(rest[1:] @ rest[:-1]) / square if square else 0.0
    apart = min(0.99, max(0.0, following))
    independent = max(3.0, count * (1 - apart) / (1 + apart))
    error = (square / count / max(1.0, independent - 2) / (spread / count)) ** 0.5
    return Slope(round(per_minute, 2), round(error, 2), count)
