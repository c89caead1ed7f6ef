"""Margin at a fill: what an order costs that trades at once, by what its sender holds."""

from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from proofbook.cli.timing import Times, times_of
from proofbook.kernel import Kernel
from proofbook.protocol.commands import Command, Place
from proofbook.protocol.limits import ArenaId, Side, TimeInForce
from proofbook.protocol.records import RiskArrayRecord
from proofbook.simulator import many_accounts
from proofbook.simulator.floor import Book, Floor

FILLS = 256
FILL_POSITIONS = (2, 32, 128, 512)
DEEP_LOTS = 10**6


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
    fills: dict[int, list[Times]] = {count: [] for count in FILL_POSITIONS}
    products: dict[int, list[Times]] = {count: [] for count in FILL_POSITIONS}
    factors = {count: _factors(floor, account) for count, account in held.items()}
    for _ in range(rounds):
        for count, account in held.items():
            fills[count].append(_fill_once(floor, account, book, price))
            products[count].append(_dot_products(*factors[count]))
    fill, fill_cpu = _medians(fills)
    dot, dot_cpu = _medians(products)
    first = FILL_POSITIONS[0]
    return {
        str(count): {
            "fill": round(fill[count], 2),
            "fill_cpu": round(fill_cpu[count], 2),
            "dot_product": round(dot[count], 2),
            "dot_product_cpu": round(dot_cpu[count], 2),
            "beyond": round(fill[count] - dot[count] - (fill[first] - dot[first]), 2),
            "beyond_cpu": round(
                fill_cpu[count] - dot_cpu[count] - (fill_cpu[first] - dot_cpu[first]), 2
            ),
        }
        for count in FILL_POSITIONS
    }


def _medians(times: dict[int, list[Times]]) -> list[dict[int, float]]:
    """Return medians by the clock, then of the processor."""
    return [
        {count: median(each[place] for each in rows) for count, rows in times.items()}
        for place in (0, 1)
    ]


def _dot_products(lots: np.ndarray, columns: np.ndarray) -> Times:
    """Return microseconds of one of many dot products in a row."""

    def multiply() -> None:
        for _ in range(FILLS):
            _ = lots @ columns

    wall_ms, cpu_ms = times_of(multiply)
    return wall_ms / FILLS * 1e3, cpu_ms / FILLS * 1e3


def _fill_once(floor: Floor, account: int, book: Book, price: int) -> Times:
    """Return microseconds of one of many fills in a row, by the clock and of the processor."""
    orders = [_taker(floor, account, book, price, number) for number in range(FILLS)]
    entries = [floor.entry(order) for order in orders]
    wall_ms, cpu_ms = times_of(lambda: apply_all(floor, entries))
    return wall_ms / FILLS * 1e3, cpu_ms / FILLS * 1e3


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


def apply_all(floor: Floor, entries: Sequence[bytes]) -> None:
    """Apply entries none of which is refused."""
    assert all(result.outcome.is_applied for result in floor.engine.apply(entries))
