"""`proofbook bench risk`: margin of all accounts at once, and margin at a fill.

The yardstick is SciPy's product of a sparse matrix of positions with the columns of all risk
arrays, in 64-bit integers: the least that anybody has to do, without the add-ons.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Annotated, Any, TypeAlias

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from scipy.sparse import csr_matrix

from proofbook.api.signing import Key
from proofbook.cli.machine import machine
from proofbook.cli.output import STANDARD_OUTPUT, ReportPath, write_or_exit
from proofbook.kernel import Kernel
from proofbook.protocol.commands import Command, Place, Tick
from proofbook.protocol.entry import UNSIGNED
from proofbook.protocol.limits import (
    CORE_COLUMNS,
    TAIL_COLUMNS,
    ArenaId,
    InstrumentKind,
    Side,
    TimeInForce,
)
from proofbook.protocol.records import RiskArrayRecord
from proofbook.sequencer.monitor import STEPS_PER_LOOK_MAX, Monitor
from proofbook.sequencer.sequencer import Durable, Receipted, Sequencer
from proofbook.simulator import many_accounts
from proofbook.simulator.floor import Book, Floor
from proofbook.simulator.many_accounts import Holdings

SEED = 1
FALL = 0.8
"""The move after which some accounts are below maintenance."""
FILLS = 256
FILL_POSITIONS = (2, 32, 128, 512)
DEEP_LOTS = 10**6
APPLY_EVERY_SECONDS = 1e-4
OPTIONS = (InstrumentKind.CALL, InstrumentKind.PUT)
PRICES_PER_OPTION = CORE_COLUMNS + TAIL_COLUMNS + 3
"""Columns, two skews, the mark."""


def risk(
    accounts: Annotated[int, typer.Option(min=1, help="Accounts.")] = 10_000,
    positions: Annotated[int, typer.Option(min=1, max=400, help="Positions of each.")] = 50,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds; medians count.")] = 15,
    json_path: ReportPath = "",
) -> None:
    """Measure margin of all accounts against a sparse product, and margin at a fill."""
    console = Console(stderr=json_path == STANDARD_OUTPUT)
    report = measure(accounts, positions, rounds, console)
    if json_path != STANDARD_OUTPUT:
        console.print(as_table(report))
    write_or_exit(json.dumps(report, indent=2) + "\n", json_path)


def measure(accounts: int, positions: int, rounds: int, console: Console) -> dict[str, Any]:
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
    return {
        "machine": machine(),
        "load": round(os.getloadavg()[0], 2),
        "accounts": accounts,
        "positions": positions,
        "rounds": rounds,
        "sweep": sweep_against_product(floor, kernel, holdings, rounds),
        "kernel_prices": prices_per_second(floor, kernel, rounds),
        "look_beside_apply_ms": look_beside_apply_ms(floor, kernel, rounds),
        "mark_to_sent_ms": mark_to_sent_ms(floor, kernel, rounds),
        "fill_microseconds": fill_microseconds(rounds),
    }


def sweep_against_product(
    floor: Floor, kernel: Kernel, holdings: Holdings, rounds: int
) -> dict[str, Any]:
    """Return medians of both, in ms, run after run in turn, and their ratio.

    By the clock, and in processor time, which says more where others use the machine.
    """
    matrix, columns = as_arrays(floor, holdings)
    kernel.below_maintenance()
    sweeps, products = list[Times](), list[Times]()
    for _ in range(rounds):
        products.append(_times(lambda: matrix @ columns))
        sweeps.append(_times(kernel.below_maintenance))
    wall, cpu = (
        [median(each[place] for each in times) for times in (sweeps, products)] for place in (0, 1)
    )
    return {
        "sweep_ms": round(wall[0], 3),
        "product_ms": round(wall[1], 3),
        "ratio": round(wall[0] / wall[1], 3),
        "sweep_cpu_ms": round(cpu[0], 3),
        "product_cpu_ms": round(cpu[1], 3),
        "cpu_ratio": round(cpu[0] / cpu[1], 3),
        "columns": int(columns.shape[1]),
    }


Times: TypeAlias = tuple[float, float]
"""Milliseconds by the clock, and of all threads of the process."""


def _times(run: Callable[[], object]) -> Times:
    cpu = time.process_time()
    wall_ms = milliseconds(run)
    return wall_ms, (time.process_time() - cpu) * 1e3


def as_arrays(floor: Floor, holdings: Holdings) -> tuple[Any, np.ndarray]:
    """Return positions as a sparse matrix, and the columns of all risk arrays.

    Shape  lots [accounts, instruments], columns [instruments, 35], both of 64-bit integers.
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
    firsts: list[float] = []
    times: list[float] = []
    counts: list[int] = []
    for number in range(2 * rounds):
        share = FALL if number % 2 == 0 else 1.0
        floor.wait(10**9)
        many_accounts.mark(floor, [round(p * share) for p in many_accounts.PRICES_ATOMS])
        if share < 1:
            sent = asyncio.run(_watch_once(floor, kernel))
            firsts.append(sent[0])
            times.append(sent[-1])
            counts.append(len(sent))
    return {
        "first": round(median(firsts), 3),
        "median": round(median(times), 3),
        "most": round(max(times), 3),
        "below": len(_below_after_fall(floor, kernel)),
        "sent": max(counts),
    }


async def _watch_once(floor: Floor, kernel: Kernel) -> list[float]:
    """Return after how many milliseconds a monitor has enqueued each step of its first look."""
    queue = Queue(floor, kernel)
    monitor = Monitor(kernel)
    started = time.perf_counter()
    running = asyncio.create_task(monitor.run(queue))
    await queue.taken.wait()
    await asyncio.sleep(0)
    running.cancel()
    return [(taken - started) * 1e3 for taken in queue.times]


def _below_after_fall(floor: Floor, kernel: Kernel) -> list[Any]:
    floor.wait(10**9)
    many_accounts.mark(floor, [round(p * FALL) for p in many_accounts.PRICES_ATOMS])
    return kernel.below_maintenance()


class Queue(Sequencer):
    """A sequencer that takes commands and commits none; it knows when it took them."""

    def __init__(self, floor: Floor, kernel: Kernel) -> None:
        super().__init__(kernel, Nowhere(kernel.seq), At(floor.now_ns), Key(b"\x07" * 32), 1)
        self.times: list[float] = []
        self.taken = asyncio.Event()

    def enqueue(
        self, command: Command, session: int = 0, signature: bytes = UNSIGNED
    ) -> asyncio.Future[Receipted]:
        answer = super().enqueue(command, session, signature)
        self.times.append(time.perf_counter())
        self.taken.set()
        return answer


@dataclass(frozen=True, slots=True)
class Nowhere:
    """A journal that is never written."""

    last_seq: int

    def append_group(self, entries: Sequence[bytes], expected_seq: int) -> Awaitable[Durable]:
        raise AssertionError(f"nobody commits {len(entries)} entries at {expected_seq}")


@dataclass(frozen=True, slots=True)
class At:
    """A clock that stands."""

    time_ns: int

    def now_ns(self) -> int:
        return self.time_ns


def prices_per_second(floor: Floor, kernel: Kernel, rounds: int) -> dict[str, Any]:
    """Return how many prices a second the kernel computes on one core while it marks books.

    A price for every column of an option's array, both skews and the mark; futures and perpetuals
    need none and are left out of the count, not of the time.
    """
    options = sum(book.kind in OPTIONS for book in floor.books.values())
    rates: list[float] = []
    for _ in range(rounds):
        floor.wait(10**9)
        commands: list[Command] = []
        for underlying, price in enumerate(many_accounts.PRICES_ATOMS, start=1):
            floor.publish(underlying, price, many_accounts.SMILE)
            commands += floor.remarks(underlying)
        entries = [floor.entry(command) for command in commands]
        started = time.perf_counter()
        results = kernel.apply(entries)
        rates.append(options * PRICES_PER_OPTION / (time.perf_counter() - started))
        assert all(result.outcome.is_applied for result in results)
    return {"median": round(median(rates)), "options": options, "per_option": PRICES_PER_OPTION}


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


def fill_microseconds(rounds: int) -> dict[str, dict[str, float]]:
    """Return microseconds by positions of who sends a command that trades one lot.

    `fill` is the command, its signature's recovery with it; `dot_product` what NumPy takes for the
    same account's lots times the columns of their risk arrays, in 64-bit integers; `beyond` how
    much longer than the command of the smallest account it takes, less the same of dot products.
    """
    floor = many_accounts.open_floor(Kernel)
    held = {count: _holder(floor, count) for count in FILL_POSITIONS}
    (maker,) = floor.open_accounts([many_accounts.HOUSE_ATOMS])
    book = min(floor.books.values(), key=lambda book: book.slot)
    price = many_accounts.price_ticks(floor, book)
    rest = [(Side.BUY, price - 1), (Side.SELL, price + 1)]
    floor.require(*(_order(floor, maker, book, *each, lots=DEEP_LOTS) for each in rest))
    fills: dict[int, list[float]] = {count: [] for count in FILL_POSITIONS}
    products: dict[int, list[float]] = {count: [] for count in FILL_POSITIONS}
    factors = {count: _factors(floor, account) for count, account in held.items()}
    for _ in range(rounds):
        for count, account in held.items():
            fills[count].append(_fill_once(floor, account, book, price))
            started = time.perf_counter()
            lots, columns = factors[count]
            for _ in range(FILLS):
                _ = lots @ columns
            products[count].append((time.perf_counter() - started) / FILLS * 1e6)
    least = median(fills[FILL_POSITIONS[0]]) - median(products[FILL_POSITIONS[0]])
    return {
        str(count): {
            "fill": round(median(fills[count]), 2),
            "dot_product": round(median(products[count]), 2),
            "beyond": round(median(fills[count]) - median(products[count]) - least, 2),
        }
        for count in FILL_POSITIONS
    }


def _fill_once(floor: Floor, account: int, book: Book, price: int) -> float:
    """Return microseconds of one of many fills in a row."""
    orders = [_taker(floor, account, book, price, number) for number in range(FILLS)]
    entries = [floor.entry(order) for order in orders]
    started = time.perf_counter()
    results = floor.engine.apply(entries)
    taken = (time.perf_counter() - started) / FILLS * 1e6
    assert all(result.outcome.is_applied for result in results)
    return taken


def _factors(floor: Floor, account: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what an account holds, and the columns of that. Shape  [held], [held, 35]."""
    held = floor.positions(account)
    arrays = [
        RiskArrayRecord.unpack(floor.engine.read(ArenaId.RISK_ARRAYS, book.slot)) for book in held
    ]
    columns = np.array([array.core + array.tails for array in arrays], dtype=np.int64)
    return np.array([*held.values()], dtype=np.int64), columns


def _holder(floor: Floor, count: int) -> int:
    """Return an account with so many positions, the first book among them."""
    house, account = floor.open_accounts([many_accounts.HOUSE_ATOMS] * 2)
    books = sorted(floor.books.values(), key=lambda book: book.slot)[:count]
    floor.require(*many_accounts.blocks(floor, account, house, dict.fromkeys(books, 1)))
    return account


def _order(
    floor: Floor, account: int, book: Book, side: Side, price: int, lots: int, **terms: Any
) -> Command:
    header = floor.header(account)
    return Place(*header, book.identifier, side, price, lots, max_fee_ppm=1_000, **terms)


def _taker(floor: Floor, account: int, book: Book, price: int, number: int) -> Command:
    """Return an order for a lot, to buy and to sell in turn."""
    side, limit = [(Side.BUY, price + 1), (Side.SELL, price - 1)][number % 2]
    immediate = TimeInForce.IMMEDIATE_OR_CANCEL
    return _order(floor, account, book, side, limit, lots=1, time_in_force=immediate)


def milliseconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1e3


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
        parts = f"{cost['fill']} µs, {cost['beyond']} µs beyond {cost['dot_product']} µs"
        table.add_row(f"a fill of an account with {count} positions, its dot product", parts)
    return table
