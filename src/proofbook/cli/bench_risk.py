"""`proofbook bench risk`: margin of all accounts at once, and margin at a fill.

The yardstick is SciPy's product of a sparse matrix of positions with the columns of all risk
arrays, in 64-bit integers: the least that anybody has to do, without the add-ons. What is promised
stands beside what is measured: by the clock, and in processor time, which says more where others
use the machine.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import Progress
from rich.table import Table
from scipy.sparse import csr_matrix

from proofbook.api.signing import Key
from proofbook.cli.bench_fills import FILL_POSITIONS, apply_all, fill_microseconds
from proofbook.cli.machine import machine
from proofbook.cli.output import (
    PlainConsole,
    ReportPath,
    console_for,
    publish,
)
from proofbook.cli.timing import Times, milliseconds, times_of
from proofbook.kernel import Kernel
from proofbook.protocol.commands import Command, Tick
from proofbook.protocol.entry import UNSIGNED
from proofbook.protocol.limits import (
    CORE_COLUMNS,
    TAIL_COLUMNS,
    ArenaId,
    InstrumentKind,
)
from proofbook.protocol.records import RiskArrayRecord
from proofbook.sequencer.monitor import STEPS_PER_LOOK_MAX, Monitor
from proofbook.sequencer.sequencer import Durable, Receipted, Sequencer
from proofbook.simulator import many_accounts
from proofbook.simulator.floor import Floor
from proofbook.simulator.many_accounts import Holdings

SEED = 1
FALL = 0.8
"""The move after which some accounts are below maintenance."""
APPLY_EVERY_SECONDS = 1e-4
OPTIONS = (InstrumentKind.CALL, InstrumentKind.PUT)
PRICES_PER_SECOND_MIN = 10_000_000
MARK_TO_SENT_MS_MAX = 20.0
BOUNDS = ("at_most", "at_least")
PRICES_PER_OPTION = CORE_COLUMNS + TAIL_COLUMNS + 3
"""Columns, two skews, the mark."""


def risk(
    accounts: Annotated[int, typer.Option(min=1, help="Accounts.")] = 10_000,
    positions: Annotated[int, typer.Option(min=1, max=400, help="Positions of each.")] = 50,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds; medians count.")] = 15,
    json_path: ReportPath = "",
) -> None:
    """Measure margin of all accounts against a sparse product, and margin at a fill."""
    console = console_for(json_path)
    report = measure(accounts, positions, rounds, console)
    publish(report, json_path, as_table(report))


def measure(accounts: int, positions: int, rounds: int, console: PlainConsole) -> dict[str, Any]:
    """Build the venue, then measure each question on it."""
    floor = many_accounts.open_floor(Kernel)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("trading", total=accounts)
        holdings = many_accounts.fill(
            floor, accounts, positions, SEED, lambda done: progress.update(task, completed=done)
        )
    many_accounts.make_lean(floor, holdings, SEED)
    kernel = floor.engine
    assert isinstance(kernel, Kernel)
    report: dict[str, Any] = {
        "machine": machine(),
        "load": round(os.getloadavg()[0], 2),
        "accounts": accounts,
        "positions": positions,
        "rounds": rounds,
        "sweep": sweep_against_product(floor, kernel, holdings, rounds),
        "kernel_prices": prices_per_second(floor, rounds),
        "look_beside_apply_ms": look_beside_apply_ms(floor, kernel, rounds),
        "mark_to_sent_ms": mark_to_sent_ms(floor, kernel, rounds),
        "fill_microseconds": fill_microseconds(rounds),
    }
    return report | {"promises": promises(report)}


def promises(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is promised, what was measured of it, its yardstick, and whether it is kept."""
    sweep, prices, sent = (report[k] for k in ("sweep", "kernel_prices", "mark_to_sent_ms"))
    fills = report["fill_microseconds"]
    least, most = (fills[str(count)] for count in (FILL_POSITIONS[0], FILL_POSITIONS[-1]))
    return [
        _promise("margin of all accounts by the clock: at most a product", sweep["ratio"], 1.0),
        _promise("the same in processor time", sweep["cpu_ratio"], 1.0),
        _promise("prices of a core, a second", prices["median"], PRICES_PER_SECOND_MIN, True),
        _promise("the same in processor time", prices["cpu"], PRICES_PER_SECOND_MIN, True),
        _promise("marks to the first Liquidate, ms", sent["first"], MARK_TO_SENT_MS_MAX),
        _promise("the same in processor time", sent["first_cpu"], MARK_TO_SENT_MS_MAX),
        _promise(
            f"a fill with {FILL_POSITIONS[-1]} positions less its dot product, "
            f"against {FILL_POSITIONS[0]}: µs of processor time",
            round(most["fill_cpu"] - most["dot_product_cpu"], 2),
            round(least["fill_cpu"] - least["dot_product_cpu"], 2),
        ),
    ]


def _promise(
    promise: str, measured: float, bound: float, is_at_least: bool = False
) -> dict[str, Any]:
    is_kept = measured >= bound if is_at_least else measured <= bound
    bound_name = BOUNDS[is_at_least]
    return {"promise": promise, "measured": measured, bound_name: bound, "is_kept": is_kept}


def sweep_against_product(
    floor: Floor, kernel: Kernel, holdings: Holdings, rounds: int
) -> dict[str, Any]:
    """Return medians of both, in ms, and of the ratios of runs one after the other."""
    matrix, columns = as_arrays(floor, holdings)
    kernel.below_maintenance()
    sweeps, products = list[Times](), list[Times]()
    for _ in range(rounds):
        products.append(times_of(lambda: matrix @ columns))
        sweeps.append(times_of(kernel.below_maintenance))
    pairs = list(zip(sweeps, products, strict=True))
    wall, cpu = (
        {
            "sweep": median(sweep[place] for sweep, _ in pairs),
            "product": median(product[place] for _, product in pairs),
            "ratio": median(sweep[place] / product[place] for sweep, product in pairs),
        }
        for place in (0, 1)
    )
    return {
        "sweep_ms": round(wall["sweep"], 3),
        "product_ms": round(wall["product"], 3),
        "ratio": round(wall["ratio"], 3),
        "sweep_cpu_ms": round(cpu["sweep"], 3),
        "product_cpu_ms": round(cpu["product"], 3),
        "cpu_ratio": round(cpu["ratio"], 3),
        "columns": int(columns.shape[1]),
    }


def as_arrays(floor: Floor, holdings: Holdings) -> tuple[Any, np.ndarray]:
    """Return positions as a sparse matrix, and the columns of all risk arrays.

    Shape lots [accounts, instruments], columns [instruments, 35], both of 64-bit integers.
    """
    slots = 1 + max(book.slot for book in floor.books.values())
    rows = [
        (row, slot, lots)
        for row, held in enumerate(holdings.values())
        for slot, lots in sorted(held.items())
    ]
    row, slot, lots = np.array(rows, dtype=np.int64).T
    matrix = csr_matrix((lots, (row, slot)), shape=(len(holdings), slots), dtype=np.int64)
    arrays = [
        RiskArrayRecord.unpack(floor.engine.read(ArenaId.RISK_ARRAYS, number))
        for number in range(slots)
    ]
    return matrix, np.array([array.core + array.tails for array in arrays], dtype=np.int64)


def mark_to_sent_ms(floor: Floor, kernel: Kernel, rounds: int) -> dict[str, Any]:
    """Return how long after the marks of a fall the first Liquidate is enqueued, and how many.

    The monitor looks on its own thread and hands its steps to a sequencer, which runs nowhere: what
    is measured ends with the last step of the first look.
    """
    firsts: list[Times] = []
    times: list[float] = []
    counts: list[int] = []
    for number in range(2 * rounds):
        share = FALL if number % 2 == 0 else 1.0
        floor.wait(10**9)
        many_accounts.mark(floor, [round(p * share) for p in many_accounts.PRICES_ATOMS])
        if share < 1:
            sent = asyncio.run(_watch_once(floor, kernel))
            firsts.append(sent[0])
            times.append(sent[-1][0])
            counts.append(len(sent))
    return {
        "first": round(median(wall for wall, _ in firsts), 3),
        "first_cpu": round(median(cpu for _, cpu in firsts), 3),
        "median": round(median(times), 3),
        "most": round(max(times), 3),
        "below": len(_below_after_fall(floor, kernel)),
        "sent": max(counts),
    }


async def _watch_once(floor: Floor, kernel: Kernel) -> list[Times]:
    """Return after how many milliseconds a monitor has enqueued each step of its first look."""
    queue = Queue(floor, kernel)
    monitor = Monitor(kernel)
    started, started_cpu = time.perf_counter(), time.process_time()
    running = asyncio.create_task(monitor.run(queue))
    await queue.taken.wait()
    await asyncio.sleep(0)
    running.cancel()
    return [
        ((taken - started) * 1e3, (taken_cpu - started_cpu) * 1e3)
        for taken, taken_cpu in queue.times
    ]


def _below_after_fall(floor: Floor, kernel: Kernel) -> list[Any]:
    floor.wait(10**9)
    many_accounts.mark(floor, [round(p * FALL) for p in many_accounts.PRICES_ATOMS])
    return kernel.below_maintenance()


class Queue(Sequencer):
    """A sequencer that takes commands and commits none; it knows when it took them."""

    def __init__(self, floor: Floor, kernel: Kernel) -> None:
        super().__init__(kernel, Nowhere(kernel.seq), At(floor.now_ns), Key(b"\x07" * 32), 1)
        self.times: list[Times] = []
        self.taken = asyncio.Event()

    def enqueue(
        self,
        command: Command,
        session: int = 0,
        signature: bytes = UNSIGNED,
        *,
        is_limited: bool = True,
    ) -> asyncio.Future[Receipted]:
        answer = super().enqueue(command, session, signature, is_limited=is_limited)
        self.times.append((time.perf_counter(), time.process_time()))
        self.taken.set()
        return answer


@dataclass(frozen=True, slots=True)
class Nowhere:
    """A journal that is never written."""

    last_seq: int

    def append_group(
        self, entries: Sequence[bytes], expected_seq: int, mark: bytes
    ) -> Awaitable[Durable]:
        raise AssertionError(f"nobody commits {len(entries)} entries at {expected_seq}")


@dataclass(frozen=True, slots=True)
class At:
    """A clock that stands."""

    time_ns: int

    def now_ns(self) -> int:
        return self.time_ns


def prices_per_second(floor: Floor, rounds: int) -> dict[str, Any]:
    """Return how many prices a second the kernel computes on one core while it marks books.

    A price for every column of an option's array, both skews and the mark; futures and perpetuals
    need none and are left out of the count, not of the time.
    """
    options = sum(book.kind in OPTIONS for book in floor.books.values())
    rates: list[Times] = []
    for _ in range(rounds):
        floor.wait(10**9)
        commands: list[Command] = []
        for underlying, price in enumerate(many_accounts.PRICES_ATOMS, start=1):
            floor.publish(underlying, price, many_accounts.SMILE)
            commands += floor.remarks(underlying)
        entries = [floor.entry(command) for command in commands]
        wall_ms, cpu_ms = times_of(lambda entries=entries: apply_all(floor, entries))
        prices = options * PRICES_PER_OPTION * 1e3
        rates.append((prices / wall_ms, prices / cpu_ms))
    return {
        "median": round(median(wall for wall, _ in rates)),
        "cpu": round(median(cpu for _, cpu in rates)),
        "options": options,
        "per_option": PRICES_PER_OPTION,
    }


def look_beside_apply_ms(floor: Floor, kernel: Kernel, rounds: int) -> dict[str, Any]:
    """Return how long an entry takes to apply, alone and while another thread looks."""
    alone = [_apply_tick_ms(floor) for _ in range(rounds * 100)]
    beside: list[float] = []
    with ThreadPoolExecutor(max_workers=1) as thread:
        for _ in range(rounds):
            look = thread.submit(kernel.look, most=STEPS_PER_LOOK_MAX)
            while not look.done():
                beside.append(_apply_tick_ms(floor))
                time.sleep(APPLY_EVERY_SECONDS)
    return {
        name: {"median": round(median(each), 3), "p99": round(sorted(each)[-len(each) // 100], 3)}
        for name, each in (("alone", alone), ("beside_a_look", beside))
    }


def _apply_tick_ms(floor: Floor) -> float:
    entry = floor.entry(Tick())
    return milliseconds(lambda: floor.engine.apply([entry]))


def as_table(report: dict[str, Any]) -> Table:
    """Return the report as a table of questions and answers."""
    sweep, fills = report["sweep"], report["fill_microseconds"]
    size = f"{report['accounts']:,} accounts × {report['positions']} positions"
    table = Table(title=f"{size}, {report['machine']}")
    table.add_column("question")
    table.add_column("measured", justify="right")
    table.add_row("margin of all accounts, add-ons included", f"{sweep['sweep_ms']} ms")
    table.add_row(f"sparse product, {sweep['columns']} columns alone", f"{sweep['product_ms']} ms")
    table.add_row("ratio, and of processor time", f"{sweep['ratio']}, {sweep['cpu_ratio']}")
    sent, beside = report["mark_to_sent_ms"], report["look_beside_apply_ms"]
    table.add_row("marks to the first Liquidate enqueued", f"{sent['first']} ms")
    table.add_row(f"marks to {sent['sent']} steps of liquidation", f"{sent['median']} ms")
    for name, each in beside.items():
        words = name.replace("_", " ")
        table.add_row(f"an entry, {words}", f"{each['median']} ms, 99 % {each['p99']} ms")
    table.add_row("prices of a core, a second", f"{report['kernel_prices']['median']:,}")
    for count, cost in fills.items():
        parts = (
            f"{cost['fill_cpu']} µs, {cost['beyond_cpu']} µs beyond {cost['dot_product_cpu']} µs"
        )
        table.add_row(f"a fill of an account with {count} positions, its dot product", parts)
    table.add_section()
    for each in report["promises"]:
        bound = next(f"{w.replace('_', ' ')} {each[w]:,}" for w in BOUNDS if w in each)
        verdict = "kept" if each["is_kept"] else "MISSED"
        table.add_row(each["promise"], f"{each['measured']:,}, {bound}: {verdict}")
    return table
