"""Runs of several contenders in turn, and what their times say.

Every round runs each contender once, so that whatever else the machine does falls on all of them.
Rates are medians over rounds. A ratio is the median of the ratios within rounds, and is of
processor time too: that says more where others use the machine.
"""

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple, TypeAlias

from rich.progress import Progress
from rich.table import Table

from proofbook.cli.machine import machine
from proofbook.cli.output import PlainConsole

Run: TypeAlias = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Contender:
    """Who is measured: what one run does, in how many units, and how a run is prepared.

    `prepare` is not timed; it returns what is.
    """

    units: int
    prepare: Callable[[], Run]


class Rate(NamedTuple):
    """Units per second: by the clock, and of processor time of all threads of the process."""

    wall: float
    cpu: float


class Rates:
    """Rates of all contenders by name, one for each round."""

    def __init__(self, rates: Mapping[str, Sequence[Rate]]) -> None:
        self._rates = rates

    def __contains__(self, name: str) -> bool:
        return name in self._rates

    def median(self, name: str) -> int:
        """Return units per second by the clock."""
        return round(median(rate.wall for rate in self._rates[name]))

    def median_cpu(self, name: str) -> int:
        """Return units per second of processor time."""
        return round(median(rate.cpu for rate in self._rates[name]))

    def ratio(self, name: str, to: str) -> float:
        """Return how many times as fast as another one is, by the clock."""
        pairs = zip(self._rates[name], self._rates[to], strict=True)
        return significant(median(one.wall / other.wall for one, other in pairs))

    def cpu_ratio(self, name: str, to: str) -> float:
        """Return the same of processor time."""
        pairs = zip(self._rates[name], self._rates[to], strict=True)
        return significant(median(one.cpu / other.cpu for one, other in pairs))


def interleave(
    contenders: Mapping[str, Contender], rounds: int, console: PlainConsole, warm_ups: int = 1
) -> Rates:
    """Run every contender once in each round; warming up does not count."""
    rates: dict[str, list[Rate]] = {name: [] for name in contenders}
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("measuring", total=(rounds + warm_ups) * len(contenders))
        for number in range(-warm_ups, rounds):
            for name, contender in contenders.items():
                progress.update(task, description=name.replace("_", " "))
                rate = measure(contender)
                if number >= 0:
                    rates[name].append(rate)
                progress.advance(task)
    return Rates(rates)


def measure(contender: Contender) -> Rate:
    """Return the rate of one run."""
    run = contender.prepare()
    started, started_cpu = time.perf_counter(), time.process_time()
    run()
    wall, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    return Rate(contender.units / wall, contender.units / max(cpu, time.get_clock_info(
        "process_time").resolution))  # fmt: skip


def significant(value: float) -> float:
    """Return a number with three digits that count."""
    return float(f"{value:.3g}")


def circumstances(rounds: int) -> dict[str, Any]:
    """Return on what, and beside what load, something is measured."""
    return {
        "machine": machine(),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "load": round(os.getloadavg()[0], 2),
        "rounds": rounds,
    }


def table_of(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Return a table whose first column is words and whose others are numbers."""
    table = Table(title=title)
    table.add_column(columns[0])
    for column in columns[1:]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*("–" if cell is None else as_text(cell) for cell in row))
    return table


def as_text(cell: object) -> str:
    """Return a cell: integers with commas, other numbers as short as they are."""
    return f"{cell:,}" if isinstance(cell, int) else f"{cell}"
