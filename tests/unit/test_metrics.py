"""Histograms of the venue's own count as the library's do, bound by bound."""

from random import Random

import prometheus_client
from prometheus_client import CollectorRegistry, generate_latest

from proofbook.ingress.metrics import SECONDS, Histogram

NAME, WORDS, LABEL = "waited_seconds", "Of those who wait.", "who"


def lines(registry: CollectorRegistry) -> list[str]:
    """Return all that is told, without when a series was made."""
    text = generate_latest(registry).decode()
    return [line for line in text.splitlines() if "_created" not in line]


def test_a_histogram_tells_what_the_library_tells() -> None:
    random = Random(1)
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    histogram = Histogram(NAME, WORDS, LABEL, SECONDS)
    ours.register(histogram)
    other = prometheus_client.Histogram(NAME, WORDS, [LABEL], buckets=SECONDS, registry=theirs)
    for _ in range(1_000):
        who = random.choice(("maker", "taker"))
        value = random.choice((0.0, *SECONDS, 10 ** random.uniform(-5, 2)))
        histogram.series(who).observe(value)
        other.labels(who).observe(value)
    assert sorted(lines(ours)) == sorted(lines(theirs))


def test_a_histogram_without_a_label_is_there_from_the_start() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    histogram = Histogram(NAME, WORDS, "", SECONDS)
    ours.register(histogram)
    histogram.series()
    prometheus_client.Histogram(NAME, WORDS, buckets=SECONDS, registry=theirs)
    assert lines(ours) == lines(theirs)
