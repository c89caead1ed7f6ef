"""What a demonstration found out: counted while it runs, printed and written at the end."""

import msgspec
from rich.table import Table
from rich.text import Text

from proofbook.cli.output import styled

PERCENTILES = (50, 99)


class ReceiptTimes(msgspec.Struct):
    """From sending an order to holding its receipt, ms."""

    p50: float
    p99: float
    max: float


class LiesCaught(msgspec.Struct):
    changed_order: bool
    wrong_root: bool


class Settled(msgspec.Struct):
    """An option that was held to its end: what it cost and its expiry settled at, USDC a unit; what
    its buyer was paid.
    """

    instrument: str
    mark: str
    settlement: str
    paid_atoms: int


class Report(msgspec.Struct):
    """The outcome of a demonstration, as `--json` writes it. Units  atoms: 1e-6 USDC."""

    source: str
    orders: int
    fills: int
    rejections: dict[str, int]
    instruments: int
    rows_unusable: dict[str, int]
    batches: int
    entries: int
    verified: bool
    lies_caught: LiesCaught
    deposited_atoms: int
    withdrawn_atoms: int
    atoms_lost: int
    positions_closed: int
    shown: list[str]
    settled: Settled | None
    receipt_ms: ReceiptTimes
    orders_per_second: float
    surface_error_points: float
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether everything that the demonstration promises came true."""
        caught = self.lies_caught.changed_order and self.lies_caught.wrong_root
        return self.verified and caught and self.atoms_lost == 0


def receipt_times(receipt_ns: list[int]) -> ReceiptTimes:
    """Return percentiles by rank: a value that occurred, none in between."""
    if not receipt_ns:
        return ReceiptTimes(0.0, 0.0, 0.0)
    ranked = sorted(receipt_ns)
    at = [ranked[(len(ranked) - 1) * percent // 100] for percent in PERCENTILES]
    return ReceiptTimes(*(round(value / 1e6, 3) for value in (*at, ranked[-1])))


def table(report: Report) -> Table:
    """Return the report for people."""
    rows = Table(show_header=False, title="What happened", title_justify="left")
    for name, value in (
        ("market", f"{report.source}, {report.instruments:,} instruments"),
        ("rows left out", counts(report.rows_unusable)),
        ("orders", f"{report.orders:,} ({report.orders_per_second:,.0f}/s)"),
        ("fills", f"{report.fills:,}"),
        ("rejections", counts(report.rejections)),
        ("order → receipt", times_text(report.receipt_ms)),
        ("on chain", f"{report.entries:,} entries in {report.batches} batches"),
        ("verified from the chain alone", yes(report.verified)),
        ("changed order caught", yes(report.lies_caught.changed_order)),
        ("wrong root caught", yes(report.lies_caught.wrong_root)),
        ("kinds of order shown", f"{len(report.shown)}"),
        ("positions closed", f"{report.positions_closed:,}"),
        ("held to its expiry", settled_text(report.settled)),
        ("deposited", usdc(report.deposited_atoms)),
        ("withdrawn", usdc(report.withdrawn_atoms)),
        ("atoms lost", f"{report.atoms_lost:,}"),
        ("seconds", f"{report.seconds:.1f}"),
    ):
        rows.add_row(name, value)
    return rows


def counts(reasons: dict[str, int]) -> str:
    """Return counted reasons in words."""
    total = sum(reasons.values())
    named = ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))
    return f"{total:,} ({named})" if total else "0"


def times_text(times: ReceiptTimes) -> str:
    return f"p50 {times.p50:.1f} ms, p99 {times.p99:.1f} ms, max {times.max:.1f} ms"


def settled_text(settled: Settled | None) -> str:
    if settled is None:
        return "none"
    return f"{settled.instrument}: {usdc(settled.paid_atoms)} paid"


def usdc(atoms: int) -> str:
    return f"{atoms // 1_000_000:,}.{atoms % 1_000_000:06d} USDC"


def yes(answer: bool) -> Text:
    return styled(("yes", "green") if answer else ("no", "red"))
