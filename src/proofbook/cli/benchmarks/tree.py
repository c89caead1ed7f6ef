"""`proofbook bench tree`: roots after so many changes, beside a plain keccak of as many nodes.

The state is that of one perpetual with a thousand accounts. Nodes are of 64 bytes; what a root
takes beyond their hashing is finding out which they are, and memory.
"""

from collections.abc import Callable
from random import Random
from typing import Annotated, Any

import sha3
import typer
from rich.table import Table

from proofbook.cli.benchmarks.harness import (
    Contender,
    Rates,
    Run,
    circumstances,
    interleave,
    table_of,
)
from proofbook.cli.benchmarks.kernel import RoundsOption, SeedOption, record
from proofbook.cli.output import PlainConsole, ReportPath, console_for, publish
from proofbook.kernel import Kernel, keccak_blocks
from proofbook.protocol.limits import SEGMENT_ENTRIES
from proofbook.simulator.book_messages import book_messages
from proofbook.simulator.recording import Recording

NODE_BYTES = 64
ROOTS, PLAIN, PYTHON = "root", "keccak", "pysha3"


def tree(
    messages: Annotated[int, typer.Option(min=1_000, help="Messages before the last.")] = 100_000,
    seed: SeedOption = 1,
    rounds: RoundsOption = 15,
    json_path: ReportPath = "",
) -> None:
    """Measure roots of the state beside a plain keccak of as many nodes."""
    console = console_for(json_path)
    report = measure(messages, seed, rounds, console)
    publish(report, json_path, as_table(report))


def measure(count: int, seed: int, rounds: int, console: PlainConsole) -> dict[str, Any]:
    """Hash what a segment changes, and what all messages do, each beside a plain keccak."""
    recording, _ = record(book_messages(count, seed), seed, console)
    changed = {
        "segment": max(0, len(recording) - SEGMENT_ENTRIES),
        "everything": 0,
    }
    return {
        **circumstances(rounds),
        "workload": {"stream": "one perpetual", "messages": count, "seed": seed},
        **{
            name: measure_roots(recording, hashed, rounds, console)
            for name, hashed in changed.items()
        },
    }


def measure_roots(
    recording: Recording, hashed: int, rounds: int, console: PlainConsole
) -> dict[str, Any]:
    """Measure a root after all entries, of which the first so many are hashed already."""
    prepare = kernel_maker(recording, hashed)
    words, nodes = prepare().unhashed()
    data = Random(nodes).randbytes(NODE_BYTES * nodes)
    contenders = {
        ROOTS: Contender(nodes, lambda: prepare().root),
        PLAIN: Contender(nodes, lambda: lambda: keccak_blocks(data)),
        PYTHON: Contender(nodes, lambda: pysha3_run(data)),
    }
    rates = interleave(contenders, rounds, console)
    return {
        "entries": len(recording) - hashed,
        "dirty_leaves": words,
        "nodes": nodes,
        "dirty_leaves_per_second": round(rates.median(ROOTS) * words / nodes),
        "nodes_per_second": rates.median(ROOTS),
        "nodes_per_processor_second": rates.median_cpu(ROOTS),
        "peers": peers(rates),
        "hashing_share": rates.cpu_ratio(ROOTS, PLAIN),
    }


def kernel_maker(recording: Recording, hashed: int) -> Callable[[], Kernel]:
    """Return what makes kernels after all entries, with a root after so many of them."""
    batches = recording.batches(hashed) if hashed else recording.batches(len(recording))

    def make() -> Kernel:
        kernel = recording.kernel()
        for entries, rows in batches:
            kernel.root()
            kernel.replay_recovered(recording.entries[entries], recording.signers[rows])
        return kernel

    return make


def pysha3_run(data: bytes) -> Run:
    """Return a loop in Python over the C library that the reference program hashes with."""
    blocks = [data[first : first + NODE_BYTES] for first in range(0, len(data), NODE_BYTES)]

    def run() -> None:
        hashed = sha3.keccak_256
        for block in blocks:
            hashed(block).digest()

    return run


def peers(rates: Rates) -> dict[str, Any]:
    """Return how fast nodes alone are hashed: by our keccak in Rust, and by another from Python."""
    return {
        name: {"nodes_per_second": rates.median(key), "ratio": rates.ratio(ROOTS, key)}
        for name, key in (("our keccak alone", PLAIN), ("pysha3 from Python", PYTHON))
    }


def as_table(report: dict[str, Any]) -> Table:
    """Return the report as a table: after how much, and how fast."""
    rows: list[tuple[object, ...]] = []
    for name in ("segment", "everything"):
        each = report[name]
        rows.append((f"root after {each['entries']:,} entries", each["nodes_per_second"], 1.0))
        leaves = each["dirty_leaves_per_second"]
        rows.append((f"… {each['dirty_leaves']:,} dirty leaves", leaves, None))
        for peer, speed in each["peers"].items():
            ratio = speed["ratio"]
            rows.append((f"… {peer}", speed["nodes_per_second"], ratio))
        rows.append(("… share of hashing, in processor time", each["hashing_share"], None))
    title = f"{report['workload']['messages']:,} messages, {report['machine']}"
    return table_of(title, ("", "nodes, or leaves, a second", "root beside it"), rows)
