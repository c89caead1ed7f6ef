#!/usr/bin/env python3
"""Search for the most expensive command, and measure it.

Counted are accesses to words of the state, words and hashes of its witness, and, with valgrind
installed, instructions of the kernel over the plain store, signatures recovered before. Tried are
the constructions of `proofbook.simulator`, `costly` and its siblings, each as expensive as the
limits allow, and `--commands` random ones per seed; of these the dearest of every kind is shown. A
command above the bounds below makes the exit code 1.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from proofbook.kernel import Kernel
from proofbook.protocol.limits import OutcomeKind, Tag
from proofbook.simulator.costly import CONSTRUCTIONS, Costly
from proofbook.simulator.costly_books import BOOKS
from proofbook.simulator.costly_collateral import CONVERSIONS
from proofbook.simulator.costly_liquidation import LIQUIDATIONS
from proofbook.simulator.costly_makers import CROWDS
from proofbook.simulator.costly_underlyings import UNDERLYINGS
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/fuzz_cost"
COLLECTED = re.compile(r"Collected\s*:\s*(\d+)")
TAG_OFFSET = 18

INSTRUCTIONS_MAX = 1 << 23
"""Of the kernel: a proof of one step has room for four times as many steps of the machine."""

ACCESSES_MAX = 1 << 18
"""Reads and writes of words: so many that they alone stay below the bound on instructions."""


ALL = CONSTRUCTIONS | BOOKS | CONVERSIONS | LIQUIDATIONS | CROWDS | UNDERLYINGS


class Row(NamedTuple):
    """One line of the table."""

    name: str
    instructions: int
    reads: int
    writes: int
    words: int
    siblings: int
    event_bytes: int


def count(folder: Path, costly: Costly) -> dict[str, Any]:
    """Return what the entry costs, by the counting store and its witness."""
    snapshot, entry = write(folder, costly)
    command = [str(PROGRAM), "count", snapshot, entry]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def instructions(folder: Path, costly: Costly) -> int:
    """Return the instructions of the entry on this machine; 0 without valgrind."""
    if shutil.which("valgrind") is None:
        return 0
    options = ["--tool=callgrind", "--toggle-collect=proofbook_fuzz::cost::measured"]
    options += [f"--callgrind-out-file={folder / 'callgrind'}"]
    command = ["valgrind", *options, str(PROGRAM), "apply", *write(folder, costly)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    match = COLLECTED.search(run.stderr)
    assert match is not None, run.stderr
    return int(match[1])


def write(folder: Path, costly: Costly) -> tuple[str, str]:
    """Write state and entry where the program finds them; return both paths."""
    (folder / "snapshot").write_bytes(costly.snapshot)
    (folder / "entry").write_bytes(costly.entry)
    return str(folder / "snapshot"), str(folder / "entry")


def measured(folder: Path, name: str, costly: Costly) -> Row:
    cost = count(folder, costly)
    return Row(
        name,
        instructions(folder, costly),
        cost["reads"],
        cost["writes"],
        cost["words"],
        cost["siblings"],
        cost["event_bytes"],
    )


def dearest(folder: Path, seed: int, commands: int) -> dict[int, tuple[int, Costly]]:
    """Return, by tag, accesses and the dearest applied entry of a random stream with its state."""
    workload = Workload(seed)
    kernel = Kernel(workload.genesis, CHAIN_ID, CONTRACT)
    start, entries = kernel.snapshot(), list[bytes]()
    for _ in range(commands):
        entry = workload.next_entry()
        workload.observe(entry, kernel.apply([entry])[0])
        entries.append(entry)
    (folder / "snapshot").write_bytes(start)
    framed = [len(entry).to_bytes(4, "little") + entry for entry in entries]
    (folder / "stream").write_bytes(b"".join(framed))
    command = [str(PROGRAM), "follow", str(folder / "snapshot"), str(folder / "stream")]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.splitlines()
    best: dict[int, tuple[int, int]] = {}
    for place, line in enumerate(lines):
        cost = json.loads(line)
        accesses = cost["reads"] + cost["writes"]
        if cost["outcome"][0] == OutcomeKind.APPLIED:
            tag = entries[place][TAG_OFFSET]
            best[tag] = max(best.get(tag, (0, 0)), (accesses, place))
    again = Kernel.restore(start)
    found: dict[int, tuple[int, Costly]] = {}
    for place, entry in enumerate(entries):
        tag = entry[TAG_OFFSET] if len(entry) > TAG_OFFSET else 0
        if best.get(tag, (0, -1))[1] == place:
            found[tag] = (best[tag][0], Costly(again.snapshot(), entry))
        again.apply([entry])
    return found


def searched(folder: Path, seeds: range, commands: int) -> dict[str, Costly]:
    """Return the dearest entry of every kind over all seeds."""
    best: dict[int, tuple[int, Costly]] = {}
    for seed in seeds:
        for tag, found in dearest(folder, seed, commands).items():
            if found[0] > best.get(tag, (0, found[1]))[0]:
                best[tag] = found
    return {f"random {Tag(tag).name}": costly for tag, (_, costly) in sorted(best.items())}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="constructions whose name contains this")
    parser.add_argument("--seeds", type=int, default=4, help="random streams")
    parser.add_argument("--commands", type=int, default=20_000, help="in each of them")
    parser.add_argument("--markdown", action="store_true", help="print a table for the documents")
    arguments = parser.parse_args()
    build = ["cargo", "build", "--release", "--locked", "--quiet", "--package", "proofbook-fuzz"]
    subprocess.run([*build, "--bin", "fuzz_cost"], cwd=ROOT, check=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, construct in ALL.items():
            if arguments.only in title:
                rows.append(measured(folder, title, construct()))
        found = searched(folder, range(1, arguments.seeds + 1), arguments.commands)
        rows += [measured(folder, title, costly) for title, costly in found.items()]
    rows.sort(key=lambda row: (row.instructions, row.reads + row.writes), reverse=True)
    show(rows, arguments.markdown)
    return 1 if any(is_too_dear(row) for row in rows) else 0


def is_too_dear(row: Row) -> bool:
    return row.instructions > INSTRUCTIONS_MAX or row.reads + row.writes > ACCESSES_MAX


def show(rows: list[Row], is_markdown: bool) -> None:
    titles = ["command", "instructions", "reads", "writes", "words", "hashes", "event bytes"]
    cells = [[row.name, *[f"{number:,}" for number in row[1:]]] for row in rows]
    if is_markdown:
        lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *cells]
        print("\n".join("| " + " | ".join(line) + " |" for line in lines))
        return
    table = Table(*titles)
    for line in cells:
        table.add_row(*line)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
