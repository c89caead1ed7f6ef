"""The picture of a measurement: latency against offered load, and where processor time goes."""

from pathlib import Path
from typing import Any

from proofbook.simulator.pipeline.plan import BATCH, ORDER

INCHES = (11, 8)
DOTS_PER_INCH = 110
PERCENTILES = {"p50": "tab:blue", "p90": "tab:green", "p99": "tab:orange", "p999": "tab:red"}
TITLES = {ORDER: "orders", BATCH: "batches of 20 quotes"}


def draw(report: dict[str, Any], path: Path) -> None:
    """Save the picture; the ending of the path says in which format.

    Raises ImportError without matplotlib, OSError when the file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure: Any
    axes: Any
    figure, axes = pyplot.subplots(2, 2, figsize=INCHES)
    for row, kind in zip(axes, (ORDER, BATCH), strict=True):
        _draw_latency(row[0], report[kind], TITLES[kind])
        _draw_cost(row[1], report[kind]["cpu_us"], TITLES[kind])
    figure.suptitle(f"From order to durable receipt, {report['machine']}")
    figure.tight_layout()
    figure.savefig(path, dpi=DOTS_PER_INCH)
    pyplot.close(figure)


def _draw_latency(axis: Any, answers: dict[str, Any], title: str) -> None:
    points = answers["points"]
    offered = [point["offered_per_second"] for point in points]
    for name, colour in PERCENTILES.items():
        values = [point["latency_us"][name] / 1e3 for point in points]
        axis.plot(offered, values, color=colour, marker="o", markersize=3, label=name)
    for name, style in (("p50", "--"), ("p99", ":")):
        values = [point["fdatasync_us"][name] / 1e3 for point in points]
        axis.plot(offered, values, color="black", linestyle=style, label=f"fdatasync {name}")
    axis.set_yscale("log")
    axis.set_xlim(left=0)
    axis.set_xlabel(f"{title} offered a second")
    axis.set_ylabel("ms, from the time to be sent")
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.grid(True, which="both", linewidth=0.3)
    axis.legend(frameon=False, fontsize="small", ncols=2)


def _draw_cost(axis: Any, cost: dict[str, Any], title: str) -> None:
    stages = sorted(cost["stages"].items(), key=lambda row: row[1])
    bars = axis.barh([name for name, _ in stages], [value for _, value in stages])
    axis.bar_label(bars, fmt="{:.1f}", fontsize="small", padding=2)
    axis.margins(x=0.12)
    axis.set_xlabel(f"µs by the clock, {title}; processor time {cost['all']:.0f}")
