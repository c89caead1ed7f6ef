"""`proofbook bench kernel`: messages a second through the state machine, beside a book of orders.

The kernel matches, keeps accounts, checks margin before and after each order, and notes what is to
be hashed. The peer matches. Both take the same messages and must make the same fills, or there is
no result. Signatures are recovered beforehand and roots are left out; what either costs stands
beside.
"""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from proofbook.cli.benchmarks import recordings
from proofbook.cli.benchmarks.books import ChaosBook, Traded, chaos_contender, named
from proofbook.cli.benchmarks.harness import (
    Contender,
    Rates,
    circumstances,
    interleave,
    table_of,
)
from proofbook.cli.output import PlainConsole, ReportPath, console_for, publish
from proofbook.simulator.book_entries import ACCOUNTS, TICKS_PER_SECOND, record_book
from proofbook.simulator.book_messages import Messages, Mix, book_messages
from proofbook.simulator.options_venue import INSTRUMENTS, record_venue
from proofbook.simulator.recording import Recording

NATIVE, ROOTS, SIGNATURES, PEER = "kernel", "with_roots", "with_signatures", "peer"

MessagesOption = Annotated[int, typer.Option(min=1_000, help="Messages in the stream.")]
SeedOption = Annotated[int, typer.Option(help="Seed of the stream.")]
RoundsOption = Annotated[int, typer.Option(min=1, help="Interleaved rounds; medians count.")]


def kernel(
    messages: MessagesOption = 2_000_000,
    batches: Annotated[int, typer.Option(min=100, help="Messages of the options venue.")] = 20_000,
    seed: SeedOption = 1,
    rounds: RoundsOption = 7,
    json_path: ReportPath = "",
) -> None:
    """Measure messages per second of the state machine beside a book that only matches."""
    console = console_for(json_path)
    report = measure(messages, seed, rounds, console)
    report["options_venue"] = measure_venue(batches, seed, rounds, console)
    publish(report, json_path, as_table(report))


def measure(count: int, seed: int, rounds: int, console: PlainConsole) -> dict[str, Any]:
    """Write the stream down, then run all contenders through it in turn."""
    messages = book_messages(count, seed)
    recording, for_peers = record(messages, seed, console)
    contenders = contenders_of(recording, for_peers, count)
    rates = interleave(contenders, rounds, console)
    return {
        **circumstances(rounds),
        "workload": workload(messages, recording, seed),
        **speeds(rates),
        "python": {
            name: rates.median(name)
            for name in map(recordings.batch_name, recordings.PYTHON_BATCHES)
        },
        "with_signatures": {"messages_per_second": rates.median(SIGNATURES)},
    }


def measure_venue(count: int, seed: int, rounds: int, console: PlainConsole) -> dict[str, Any]:
    """Measure a venue of a thousand options, on which makers replace quotes by the batch."""
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("writing the options venue down", total=count)
        recording = record_venue(count, seed, lambda done: progress.advance(task, done))
    entries = len(recording)
    contenders = {
        NATIVE: recordings.native(recording, entries),
        ROOTS: recordings.with_roots(recording, entries),
    }
    rates = interleave(contenders, rounds, console)
    quotes_per_entry = recording.quotes / entries
    return {
        "workload": {
            "instruments": INSTRUMENTS,
            "messages": count,
            "entries": recording.counts._asdict(),
            "quotes": recording.quotes,
            "fills": recording.fills,
            "index_ticks_per_second": TICKS_PER_SECOND,
        },
        "entries_per_second": rates.median(NATIVE),
        "entries_per_processor_second": rates.median_cpu(NATIVE),
        "quotes_per_second": round(rates.median(NATIVE) * quotes_per_entry),
        "quotes_per_processor_second": round(rates.median_cpu(NATIVE) * quotes_per_entry),
        "with_roots": {"entries_per_second": rates.median(ROOTS)},
    }


def record(messages: Messages, seed: int, console: PlainConsole) -> tuple[Recording, Messages]:
    """Return the entries of messages, and the messages for peers, showing how far it is."""
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("writing the stream down", total=len(messages))
        return record_book(messages, seed, lambda done: progress.advance(task, done))


def contenders_of(recording: Recording, for_peers: Messages, count: int) -> dict[str, Contender]:
    """Return everybody who is measured, by name. Raises DisagreementError."""
    contenders = {NATIVE: recordings.native(recording, count)}
    if ChaosBook.is_there():
        ours = Traded(recording.fills, recording.lots)
        contenders[PEER] = chaos_contender(for_peers, count, ours)
    for batch in recordings.PYTHON_BATCHES:
        name = recordings.batch_name(batch)
        contenders[name] = recordings.from_python(recording, count, batch)
    contenders[ROOTS] = recordings.with_roots(recording, count)
    contenders[SIGNATURES] = recordings.with_signatures(recording)
    return contenders


def workload(messages: Messages, recording: Recording, seed: int) -> dict[str, Any]:
    """Return what was asked of everybody, and what came of it."""
    return {
        "stream": "one perpetual",
        "messages": len(messages),
        "seed": seed,
        "mix": asdict(Mix.of(messages)),
        "accounts": ACCOUNTS,
        "index_ticks_per_second": TICKS_PER_SECOND,
        "fills": recording.fills,
        "lots": recording.lots,
        "entries": recording.counts._asdict(),
        "included": ["matching", "accounts", "margin", "fees", "events", "dirty leaves"],
        "excluded": ["signatures", "roots"],
    }


def speeds(rates: Rates) -> dict[str, Any]:
    """Return rates of kernel and peer, and how they compare."""
    peer = None
    if PEER in rates:
        peer = {
            "name": named(ChaosBook.PACKAGE),
            "messages_per_second": rates.median(PEER),
            "per_processor_second": rates.median_cpu(PEER),
            "does": ["matching"],
        }
    return {
        "messages_per_second": rates.median(NATIVE),
        "per_processor_second": rates.median_cpu(NATIVE),
        "peer": peer,
        "ratio": rates.ratio(NATIVE, PEER) if peer else None,
        "cpu_ratio": rates.cpu_ratio(NATIVE, PEER) if peer else None,
        "with_roots": {
            "messages_per_second": rates.median(ROOTS),
            "per_processor_second": rates.median_cpu(ROOTS),
        },
    }


def as_table(report: dict[str, Any]) -> Table:
    """Return the report as a table: who, messages per second, times the peer."""
    peer, ours = report["peer"], report["messages_per_second"]
    rate = peer and peer["messages_per_second"]
    rows: list[tuple[object, ...]] = [
        ("kernel", ours, report["ratio"]),
        (
            "kernel, a root each segment",
            *_beside(report["with_roots"]["messages_per_second"], rate),
        ),
    ]
    for name, value in report["python"].items():
        words = f"from Python, {name.replace('_', ' of ')}"
        rows.append((words, *_beside(value, rate)))
    rows.append((peer["name"] if peer else "no peer is installed: make bench", rate, peer and 1.0))
    signed = report["with_signatures"]["messages_per_second"]
    rows.append(("kernel, signatures recovered on all cores", *_beside(signed, rate)))
    venue = report["options_venue"]
    rows.append((f"a venue of {INSTRUMENTS:,} options: entries", venue["entries_per_second"], None))
    rows.append(("… quotes in them", venue["quotes_per_second"], None))
    rows.append(("… entries, with roots", venue["with_roots"]["entries_per_second"], None))
    size = f"{report['workload']['messages']:,} messages on one perpetual"
    return table_of(f"{size}, {report['machine']}", ("", "a second", "× peer"), rows)


def _beside(rate: int, peer: int | None) -> tuple[int, float | None]:
    return rate, peer and round(rate / peer, 3)
