"""The picture of a soak: memory, what is kept, what is open, and the honest client's times."""

from pathlib import Path
from typing import Any

from proofbook.simulator.soak.honest import percentiles
from proofbook.simulator.soak.soak import Result

INCHES = (9, 11)
DOTS_PER_INCH = 120
KIB_PER_MIB = 1024
BINS = 120


def draw(result: Result, path: Path) -> None:
    """Save the picture; the ending of the path says in which format.

    Raises ImportError without matplotlib, OSError when the file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    samples = result.samples
    minutes = [sample.second / 60 for sample in samples]
    figure: Any
    axes: Any
    figure, axes = pyplot.subplots(4, 1, sharex=True, figsize=INCHES)
    memory, kept, opened, times = axes
    memory.plot(minutes, [each.resident_kib / KIB_PER_MIB for each in samples], label="venue")
    memory.plot(
        minutes, [each.history_resident_kib / KIB_PER_MIB for each in samples], label="history"
    )
    found = result.slope(lambda sample: sample.resident_kib)
    if found is not None:
        line = f"warm: {found.kib_per_minute:+,.0f} ± {found.error:,.0f} KiB a minute"
        memory.axvline(result.warm_seconds / 60, color="grey", linestyle=":", label=line)
    memory.set_ylabel("resident, MiB")
    for what in sorted(samples[-1].kept):
        kept.plot(minutes, [each.kept.get(what, 0) for each in samples], label=what)
    kept.set_ylabel("kept")
    kept.set_yscale("symlog")
    for name in ("connections", "tasks"):
        opened.plot(minutes, [each.gauges.get(name, 0) for each in samples], label=name)
    opened.plot(minutes, [each.descriptors for each in samples], label="descriptors")
    opened.plot(
        minutes,
        [each.gauges.get("outbox_bytes", 0) / KIB_PER_MIB / KIB_PER_MIB for each in samples],
        label="outboxes, MiB",
    )
    opened.set_ylabel("open")
    _draw_times(result, times)
    times.set_xlabel("minutes")
    for axis in axes:
        axis.axvspan(0, result.quiet_seconds / 60, color="tab:green", alpha=0.08)
        axis.grid(alpha=0.3)
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)
    figure.suptitle("A venue under load; after the green part under abuse, too")
    figure.tight_layout()
    figure.savefig(path, dpi=DOTS_PER_INCH)
    pyplot.close(figure)


def _draw_times(result: Result, axis: Any) -> None:
    """Draw median and 99th percentile of the honest client's orders, over time."""
    width = result.settings.seconds / BINS
    bins: dict[int, list[float]] = {}
    for each in result.times:
        bins.setdefault(int(each.second / width), []).append(each.place_ms)
    rows = [(number, percentiles(values)) for number, values in sorted(bins.items())]
    rows = [(number, found) for number, found in rows if found]
    for name in ("p50", "p99"):
        axis.plot(
            [(number + 0.5) * width / 60 for number, _ in rows],
            [found[name] for _, found in rows],
            label=f"honest order, {name}",
        )
    axis.set_ylabel("milliseconds")
    axis.set_yscale("log")
