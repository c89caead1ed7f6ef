"""`proofbook bench growth`: what a command costs as the state grows, in one direction at a time.

Every state is built and measured in a process of its own, so that its memory is its own too.
Signatures are left out. `batch_us` is processor time of many commands in one call, `root_us` what
hashing takes for each of them after that; `p50_us` and `p99_us` are of calls with a single command,
by the clock.
"""

import gc
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import log
from multiprocessing import get_context
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from proofbook.cli.benchmarks.harness import circumstances, significant, table_of
from proofbook.cli.output import PlainConsole, ReportPath, console_for, publish
from proofbook.cli.pictures import PlotPath, draw_or_exit
from proofbook.protocol.commands import Command
from proofbook.simulator.growth import GROWING, Traffic, check, rested_orders

SIZES = {
    "accounts": (10, 100, 1_000, 10_000, 100_000, 1_000_000),
    "instruments": (10, 40, 200, 1_000, 4_000),
    "orders": (10, 100, 1_000, 10_000, 100_000, 1_000_000),
    "positions": (1, 8, 32, 128, 512),
}
WORDS = {"orders": "resting orders", "positions": "positions of the account"}
COMMANDS = ("place", "cancel", "fill", "fill_after_mark")
COUNT = 512
SEED = 1
MEMORY = Path("/proc/self/statm")
BYTES_OF = ("accounts", "orders")
"""What is counted by how much memory it takes."""


def growth(
    accounts: Annotated[int, typer.Option(min=10, help="The most accounts.")] = 1_000_000,
    instruments: Annotated[
        int, typer.Option(min=10, max=4_000, help="The most instruments.")
    ] = 4_000,
    orders: Annotated[int, typer.Option(min=10, help="The most resting orders.")] = 1_000_000,
    positions: Annotated[
        int, typer.Option(min=1, max=512, help="The most positions of an account.")
    ] = 512,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; medians count.")] = 15,
    json_path: ReportPath = "",
    plot_path: PlotPath = "",
) -> None:
    """Measure the kernel as accounts, instruments, orders and positions grow by powers of ten."""
    console = console_for(json_path)
    most = {
        "accounts": accounts, "instruments": instruments, "orders": orders, "positions": positions,
    }  # fmt: skip
    report = measure(most, rounds, console)
    publish(report, json_path, as_table(report))
    draw_or_exit(partial(draw, report), plot_path)


def measure(most: Mapping[str, int], rounds: int, console: PlainConsole) -> dict[str, Any]:
    """Return what commands cost at every size up to the most."""
    sizes = {axis: [size for size in SIZES[axis] if size <= most[axis]] for axis in SIZES}
    found: dict[str, dict[str, Any]] = {}
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=sum(map(len, sizes.values())))
        for axis, row in sizes.items():
            found[axis] = {}
            for size in row:
                progress.update(task, description=f"{size:,} {WORDS.get(axis, axis)}")
                found[axis][str(size)] = apart(axis, size, rounds)
                progress.advance(task)
    return {
        **circumstances(rounds),
        "commands_a_round": COUNT,
        "growth": found,
        "exponents": {axis: exponents(rows) for axis, rows in found.items()},
        "bytes_each": {axis: bytes_each(found[axis]) for axis in BYTES_OF if len(found[axis]) > 1},
    }


def apart(axis: str, size: int, rounds: int) -> dict[str, Any]:
    """Return what one state costs, built and measured in another process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(costs, axis, size, rounds).result()


def costs(axis: str, size: int, rounds: int) -> dict[str, Any]:
    """Build a state and measure it."""
    before_kib = resident_kib()
    began = time.perf_counter()
    traffic = GROWING[axis](size, lambda done: None)
    built = time.perf_counter() - began
    gc.collect()
    after_kib = resident_kib()
    traffic.hall.engine.root()
    meter = Meter(traffic)
    for number in range(-1, rounds):  # the first warms up
        meter.round(Random(SEED + number))
        if number < 0:
            meter.forget()
    return {
        "seconds_to_build": round(built, 2),
        "resident_mib": round((after_kib - before_kib) / 1024, 1),
        **meter.report(),
    }


def resident_kib() -> int:
    """Return the memory of this process; 0 where the system does not tell."""
    if not MEMORY.is_file():
        return 0
    return int(MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


class Meter:
    """Times commands over a state that stays as large as it is."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._batch: dict[str, list[float]] = {}
        self._single: dict[str, list[float]] = {}

    def forget(self) -> None:
        """Count nothing of what was measured so far."""
        self._batch.clear()
        self._single.clear()

    def round(self, random: Random) -> None:
        """Measure each kind of command once in one call, and once in many."""
        traffic, engine = self._traffic, self._traffic.hall.engine
        for timed in (self._together, self._one_by_one):
            orders = traffic.resting(random, COUNT)
            numbers = timed("place", orders)
            if timed == self._together:
                self._batch.setdefault("root", []).append(microseconds(engine.root) / COUNT)
            timed("cancel", traffic.cancels(orders, numbers))
            timed("fill", traffic.taking(random, COUNT))
        for _ in range(COUNT // 64):
            traffic.hall.mark()
            self._one_by_one("fill_after_mark", traffic.taking(random, 2)[:1])
            self._settle_one(random)

    def _settle_one(self, random: Random) -> None:
        """Trade back and forth, so that the holder stands where he stood."""
        self._traffic.hall.send(self._traffic.taking(random, 2)[1:])

    def _together(self, name: str, commands: Sequence[Command]) -> list[int]:
        """Time all in one call; return the numbers of what rests."""
        hall = self._traffic.hall
        written = hall.written(commands)
        entries, rows = (b"".join(part) for part in zip(*written, strict=True))
        started = time.process_time()
        applied = hall.engine.apply_recovered(entries, rows)
        taken = time.process_time() - started
        check(commands, applied.outcomes)
        self._batch.setdefault(name, []).append(taken / len(commands) * 1e6)
        return rested_orders(applied)

    def _one_by_one(self, name: str, commands: Sequence[Command]) -> list[int]:
        """Time each in a call of its own; return the numbers of what rests."""
        hall, engine = self._traffic.hall, self._traffic.hall.engine
        times, numbers = self._single.setdefault(name, []), list[int]()
        for command, (entry, row) in zip(commands, hall.written(commands), strict=True):
            started = time.perf_counter()
            applied = engine.apply_recovered(entry, row)
            times.append((time.perf_counter() - started) * 1e6)
            check([command], applied.outcomes)
            numbers += rested_orders(applied)
        return numbers

    def report(self) -> dict[str, Any]:
        """Return medians, and percentiles of single commands, microseconds."""
        found: dict[str, Any] = {
            name: {"batch_us": significant(median(values))} for name, values in self._batch.items()
        }
        root = found.pop("root")
        for name, values in self._single.items():
            cuts = quantiles(values, n=100, method="inclusive")
            single = {"p50_us": significant(cuts[49]), "p99_us": significant(cuts[98])}
            found[name] = found.get(name, {}) | single
        return found | {"root_us": root["batch_us"]}


def microseconds(run: Callable[[], object]) -> float:
    """Return processor time of a call."""
    started = time.process_time()
    run()
    return (time.process_time() - started) * 1e6


def exponents(rows: Mapping[str, Any]) -> dict[str, float]:
    """Return by which power of the size each cost grows, by least squares; 1 is in proportion."""
    if len(rows) < 2:
        return {}
    sizes = [log(int(size)) for size in rows]
    return {
        name: round(_slope(sizes, [log(cost_of(row, name)) for row in rows.values()]), 3)
        for name in (*COMMANDS, "root")
    }


def cost_of(row: Mapping[str, Any], name: str) -> float:
    """Return what a command costs at a size, microseconds."""
    if name == "root":
        return row["root_us"]
    costs_us: Mapping[str, float] = row[name]
    return costs_us["batch_us" if "batch_us" in costs_us else "p50_us"]


def _slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - middle_x) ** 2 for x in xs)
    return sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True)) / spread


def bytes_each(rows: Mapping[str, Any]) -> int:
    """Return what one more takes: of the largest state, less the smallest."""
    sizes = [int(size) for size in rows]
    mib = rows[str(sizes[-1])]["resident_mib"] - rows[str(sizes[0])]["resident_mib"]
    return round(mib * 2**20 / (sizes[-1] - sizes[0]))


def as_table(report: dict[str, Any]) -> Table:
    """Return costs by size, and by which power of the size they grow."""
    columns = ("size", "place", "cancel", "fill", "place p99", "fill p99", "marked", "root")
    rows: list[list[object]] = []
    for axis, sizes in report["growth"].items():
        for size, row in sizes.items():
            rows.append(
                [
                    f"{int(size):,} {axis}",
                    *(row[name]["batch_us"] for name in ("place", "cancel", "fill")),
                    row["place"]["p99_us"],
                    row["fill"]["p99_us"],
                    row["fill_after_mark"]["p50_us"],
                    row["root_us"],
                ]
            )
        powers = report["exponents"][axis]
        if powers:
            named = [powers[name] for name in ("place", "cancel", "fill")]
            last = [powers["fill_after_mark"], powers["root"]]
            rows.append(["power of size", *named, None, None, *last])
    for axis, size in report["bytes_each"].items():
        rows.append([f"bytes each, {axis}", size, *[None] * 6])
    return table_of(f"microseconds a command, {report['machine']}", columns, rows)


def draw(report: dict[str, Any], path: Path) -> None:
    """Save small multiples of all directions; the ending of the path says in which format.

    Raises ImportError without matplotlib, OSError when the file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure: Any
    axes: Any
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 8), sharey=True)
    for axis, (name, rows) in zip(axes.flat, report["growth"].items(), strict=True):
        sizes = [int(size) for size in rows]
        for command in (*COMMANDS, "root"):
            power = report["exponents"][name].get(command, 0.0)
            costs_us = [cost_of(row, command) for row in rows.values()]
            label = f"{command.replace('_', ' ')}, n^{power:.2f}"
            axis.plot(sizes, costs_us, marker="o", markersize=3, label=label)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_title(WORDS.get(name, name), fontsize=10)
        axis.grid(alpha=0.3, which="both")
        axis.legend(fontsize=7, frameon=False)
    for axis in axes[:, 0]:
        axis.set_ylabel("microseconds a command")
    figure.suptitle("What a command costs as the state grows")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
