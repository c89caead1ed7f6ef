"""The picture of a rehearsal: price, fund and liquidations over time."""

from pathlib import Path
from typing import Any

from proofbook.simulator.rehearsal.rehearsal import Rehearsal

SECONDS_PER_HOUR, SECONDS_PER_MINUTE = 3_600, 60
INCHES = (9, 8)
DOTS_PER_INCH = 120


def draw(rehearsal: Rehearsal, path: Path) -> None:
    """Save the picture; the ending of the path says in which format.

    Raises ImportError without matplotlib, OSError when the file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    track, scenario = rehearsal.track, rehearsal.stage.scenario
    is_long = scenario.seconds > 3 * SECONDS_PER_HOUR
    unit = SECONDS_PER_HOUR if is_long else SECONDS_PER_MINUTE
    times = [second / unit for second in track.seconds]
    figure, axes = pyplot.subplots(4, 1, sharex=True, figsize=INCHES)
    spot, volatility, fund, accounts = axes
    spot.plot(times, track.spot_usd, color="black")
    spot.set_ylabel("index, USD")
    volatility.plot(times, [100 * value for value in track.volatility], color="tab:purple")
    volatility.set_ylabel("volatility, %")
    fund.plot(times, track.fund_usd, color="tab:green")
    fund.set_ylabel("fund, USD")
    accounts.plot(times, track.slices, color="tab:red", label="slices, all together")
    accounts.plot(times, track.below, color="tab:blue", label="accounts below maintenance")
    accounts.legend(loc="upper left", frameon=False)
    accounts.set_ylabel("liquidation")
    accounts.set_xlabel("hours" if is_long else "minutes")
    _shade(axes, times, rehearsal, unit)
    figure.suptitle(f"{scenario.name}: {len(rehearsal.tally.liquidated)} accounts liquidated")
    figure.tight_layout()
    figure.savefig(path, dpi=DOTS_PER_INCH)
    pyplot.close(figure)


def _shade(axes: Any, times: list[float], rehearsal: Rehearsal, unit: int) -> None:
    """Shade where books are thin, darker where publishers are silent."""
    points = [rehearsal.stage.scenario.at(time * unit) for time in times]
    for flags, colour in (
        ([point.is_thin for point in points], "0.92"),
        ([point.is_stalled for point in points], "0.75"),
    ):
        for start, end in _stretches(flags):
            for axis in axes:
                axis.axvspan(times[start], times[end], color=colour, zorder=0, linewidth=0)


def _stretches(flags: list[bool]) -> list[tuple[int, int]]:
    """Return first and last index of every run of true flags."""
    edges = [False, *flags, False]
    starts = [place for place in range(len(flags)) if edges[place + 1] and not edges[place]]
    ends = [place for place in range(len(flags)) if edges[place + 1] and not edges[place + 2]]
    return list(zip(starts, ends, strict=True))
