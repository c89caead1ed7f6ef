"""Other people's order books, which match and do nothing else: one of them driven from C.

They come from PyPI, in the group `bench` of this package. Without them the benchmarks run, and say
that there is no peer.
"""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from proofbook.cli.benchmarks.harness import Contender, Run
from proofbook.protocol.limits import Side
from proofbook.simulator.book_messages import Kind, Messages

DRIVER = Path(__file__).with_name("orderly_chaos.c")
COMPILER = "cc"
OPTIONS = ("-O2", "-fPIC", "-shared", "-Wall", "-Werror")


class Traded(NamedTuple):
    """What a book did with a stream."""

    fills: int
    lots: int


class DisagreementError(Exception):
    """A peer traded otherwise than the state machine: then the two did not do the same work."""

    def __init__(self, name: str, ours: Traded, theirs: Traded) -> None:
        super().__init__(
            f"the kernel made {ours.fills} fills of {ours.lots} lots, "
            f"{name} {theirs.fills} of {theirs.lots}"
        )


def named(package: str) -> str | None:
    """Return name and version of a package, None if it is not installed."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return None


class _Book(ctypes.Structure):
    _fields_ = (
        ("book", ctypes.c_void_p),
        ("limit", ctypes.c_void_p),
        ("cancel", ctypes.c_void_p),
    )


class _Tally(ctypes.Structure):
    _fields_ = (("fills", ctypes.c_uint64), ("lots", ctypes.c_uint64))


@cache
def _driver() -> ctypes.CDLL:
    """Return the loop in C, compiled."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "driver.so"
        subprocess.run([COMPILER, *OPTIONS, "-o", library, DRIVER], check=True)
        return ctypes.CDLL(str(library))


class ChaosBook:
    """A book of orderly-chaos, driven by a loop in C through its C interface."""

    PACKAGE = "orderly-chaos"

    @classmethod
    def is_there(cls) -> bool:
        """Return whether package and compiler are installed."""
        return named(cls.PACKAGE) is not None and shutil.which(COMPILER) is not None

    def __init__(self) -> None:
        types: Any = import_module("orderly_chaos._library")
        self._library = types.library()
        self._driver = _driver()
        self._book = self._library.oc_book_new()
        self._tally = _Tally()
        self._callback = types.TradeCallback(_address(self._driver.count_trade))
        self._library.oc_book_set_trade_callback(
            self._book, self._callback, ctypes.byref(self._tally)
        )
        self._functions = _Book(
            self._book, _address(self._library.oc_book_limit),
            _address(self._library.oc_book_cancel),
        )  # fmt: skip

    def __del__(self) -> None:
        self._library.oc_book_free(self._book)

    def drive(self, messages: Messages) -> None:
        """Take all messages in one call."""
        count = ctypes.c_size_t(len(messages))
        pointer = messages.ctypes.data_as(ctypes.c_void_p)
        self._driver.drive(ctypes.byref(self._functions), pointer, count)

    @property
    def traded(self) -> Traded:
        return Traded(self._tally.fills, self._tally.lots)


def _address(function: Any) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return address


def chaos_contender(messages: Messages, units: int, ours: Traded) -> Contender:
    """Return orderly-chaos with a stream. Raises DisagreementError."""
    book = ChaosBook()
    book.drive(messages)
    if book.traded != ours:
        raise DisagreementError(ChaosBook.PACKAGE, ours, book.traded)
    return Contender(units, lambda: _chaos_run(messages))


def _chaos_run(messages: Messages) -> Run:
    book = ChaosBook()
    return lambda: book.drive(messages)


# Books driven from Python, a call for each message


def python_contenders(messages: Messages, units: int) -> dict[str, Contender]:
    """Return the books that are installed, driven by a loop in Python, by name and version."""
    rows = [tuple(map(int, row)) for row in messages.tolist()]
    found: dict[str, Contender] = {}
    for package, prepare in PYTHON_BOOKS.items():
        name = named(package)
        if name is not None:
            found[name] = Contender(units, lambda prepare=prepare: prepare(rows))
    return found


def _kautenja_run(rows: list[tuple[int, ...]]) -> Run:
    book: Any = import_module("limit_order_book").LimitOrderBook()

    def run() -> None:
        limit, cancel, has = book.limit, book.cancel, book.has
        for kind, side, lots, order, price in rows:
            if kind in (Kind.CANCEL, Kind.CHANGE):
                if not has(order):
                    continue
                cancel(order)
                if kind == Kind.CANCEL:
                    continue
            limit(side == Side.BUY, order, lots, price)
            if kind == Kind.IMMEDIATE and has(order):
                cancel(order)

    return run


def _chaos_python_run(rows: list[tuple[int, ...]]) -> Run:
    package: Any = import_module("orderly_chaos")
    book = package.LimitOrderBook()

    def run() -> None:
        for kind, side, lots, order, price in rows:
            if kind in (Kind.CANCEL, Kind.CHANGE):
                if order not in book:
                    continue
                book.cancel(order)
                if kind == Kind.CANCEL:
                    continue
            filled = book.limit(side == Side.BUY, order, lots, price)
            if kind == Kind.IMMEDIATE and filled < lots:
                book.cancel(order)

    return run


PYTHON_BOOKS: dict[str, Callable[[list[tuple[int, ...]]], Run]] = {
    "limit-order-book": _kautenja_run,
    "orderly-chaos": _chaos_python_run,
}
