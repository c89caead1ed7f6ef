"""`proofbook bench python`: the state machine driven from Python, beside books driven from Python.

A batch is one call: joined entries in, outcomes and events out, no object for a message. The books
match and do nothing else, a call for each message, as their interfaces have it.
"""

from typing import Any

from rich.table import Table

from proofbook.cli.benchmarks import recordings
from proofbook.cli.benchmarks.books import python_contenders
from proofbook.cli.benchmarks.harness import Rates, circumstances, interleave, table_of
from proofbook.cli.benchmarks.kernel import (
    NATIVE,
    MessagesOption,
    RoundsOption,
    SeedOption,
    record,
    workload,
)
from proofbook.cli.output import PlainConsole, ReportPath, console_for, publish
from proofbook.simulator.book_messages import book_messages

BATCH_PROMISED = recordings.batch_name(64)
RATIO_PROMISED = 0.8


def python(
    messages: MessagesOption = 400_000,
    seed: SeedOption = 1,
    rounds: RoundsOption = 7,
    json_path: ReportPath = "",
) -> None:
    """Measure the state machine driven from Python, by batch, beside books driven from Python."""
    console = console_for(json_path)
    report = measure(messages, seed, rounds, console)
    publish(report, json_path, as_table(report))


def measure(count: int, seed: int, rounds: int, console: PlainConsole) -> dict[str, Any]:
    """Write the stream down, then run all contenders through it in turn."""
    messages = book_messages(count, seed)
    recording, for_peers = record(messages, seed, console)
    batches = {recordings.batch_name(batch): batch for batch in recordings.PYTHON_BATCHES}
    peers = python_contenders(for_peers, count)
    contenders = {
        NATIVE: recordings.native(recording, count),
        **{n: recordings.from_python(recording, count, b) for n, b in batches.items()},
        **peers,
    }
    rates = interleave(contenders, rounds, console)
    report = {
        **circumstances(rounds),
        "workload": workload(messages, recording, seed),
        "native": {
            "messages_per_second": rates.median(NATIVE),
            "per_processor_second": rates.median_cpu(NATIVE),
        },
        "python": {name: beside_native(rates, name) for name in batches},
        "peers": {name: beside_native(rates, name) for name in peers},
    }
    ratio = rates.cpu_ratio(BATCH_PROMISED, NATIVE)
    promise = {"batch": BATCH_PROMISED, "of_native_at_least": RATIO_PROMISED, "measured": ratio}
    return report | {"promise": promise | {"is_kept": ratio >= RATIO_PROMISED}}


def beside_native(rates: Rates, name: str) -> dict[str, Any]:
    """Return how fast a contender is, and how many times the kernel in a loop in Rust."""
    return {
        "messages_per_second": rates.median(name),
        "per_processor_second": rates.median_cpu(name),
        "of_native": rates.ratio(name, NATIVE),
        "of_native_cpu": rates.cpu_ratio(name, NATIVE),
    }


def as_table(report: dict[str, Any]) -> Table:
    """Return the report as a table: who, messages per second, times native."""
    rows: list[tuple[object, ...]] = [
        ("kernel, a loop in Rust", report["native"]["messages_per_second"], 1.0, 1.0)
    ]
    for name, each in (report["python"] | report["peers"]).items():
        words = f"kernel, {name.replace('_', ' of ')}" if name in report["python"] else name
        rates = (each["messages_per_second"], each["of_native"], each["of_native_cpu"])
        rows.append((words, *rates))
    if not report["peers"]:
        rows.append(("no peer is installed: make bench", None, None, None))
    size = f"{report['workload']['messages']:,} messages driven from Python"
    columns = ("", "a second", "× native", "× in processor time")
    return table_of(f"{size}, {report['machine']}", columns, rows)
