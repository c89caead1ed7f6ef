"""The picture of a rehearsal: prices, liquidations, auctions, the fund and haircuts over time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from proofbook.simulator.rehearsal.rehearsal import Rehearsal, Track

SECONDS_PER_HOUR, SECONDS_PER_MINUTE = 3_600, 60
INCHES = (9, 12)
DOTS_PER_INCH = 120


Lines = dict[tuple[str, str], Callable[[Track], Sequence[float]]]

PANELS: dict[str, Lines] = {
    "index, USD": {("index", "black"): lambda track: track.spot_usd},
    "volatility, %": {
        ("volatility", "tab:purple"): lambda track: [100 * value for value in track.volatility]
    },
    "accounts": {
        ("liquidated, all together", "tab:red"): lambda track: track.liquidated,
        ("below maintenance margin", "tab:blue"): lambda track: track.below,
    },
    "steps": {
        ("slices, all together", "tab:orange"): lambda track: track.slices,
        ("bids taken, all together", "tab:brown"): lambda track: track.bids_taken,
        ("auctions running", "tab:cyan"): lambda track: track.auctions,
    },
    "fund, USD": {("fund", "tab:green"): lambda track: track.fund_usd},
    "deleveraged, USD": {
        ("closed with holders, all together", "tab:pink"): lambda track: track.deleveraged_usd
    },
    "withheld, USD": {
        ("from withdrawals, all together", "tab:red"): lambda track: track.withheld_usd
    },
}
"""What is drawn, from top to bottom."""


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
    figure: Any
    axes: Any
    figure, axes = pyplot.subplots(len(PANELS), 1, sharex=True, figsize=INCHES)
    for axis, (title, lines) in zip(axes, PANELS.items(), strict=True):
        for (label, colour), values_of in lines.items():
            values = values_of(track)
            axis.plot(times, values, color=colour, label=label)
            if not any(values):
                axis.set_ylim(0, 1)
        axis.set_ylabel(title)
        axis.margins(x=0)
        axis.yaxis.set_major_formatter("{x:,.0f}")
        if len(lines) > 1:
            axis.legend(loc="upper left", frameon=False, fontsize="small")
    axes[-1].set_xlabel("hours" if is_long else "minutes")
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
