"""`proofbook bench recovery`: how long a venue takes to come back, beside reading its files.

A journal is written of a seeded stream of orders, signatures and all. It is taken up as `serve`
does: the whole of it, and by a snapshot and the entries after it; each with every signature
recovered, and under a seal. What that consists of stands beside: opening, which verifies every
hash; the kernel with and without signatures; and how long the two that follow a journal take until
they stand at its end again: who gives the roots of claims, and the history. All ways must lead to
the same root, or there is no result.
"""

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple

import typer
from rich.progress import Progress, track
from rich.table import Table

from proofbook.cli.benchmarks.harness import circumstances, table_of
from proofbook.cli.demo import quiet_logs
from proofbook.cli.output import PlainConsole, ReportPath, console_for, publish
from proofbook.history.database import START, Identity, Position
from proofbook.history.projector import Projector, at_genesis, catch_up
from proofbook.history.setting import open_database
from proofbook.kernel import Kernel
from proofbook.recovery.recover import recover, restore_beside, restore_state
from proofbook.recovery.snapshotter import SnapshotSettings, Snapshotter
from proofbook.sequencer.journal import Journal
from proofbook.settlement.claims import Follower
from proofbook.simulator.book_entries import record_book
from proofbook.simulator.book_messages import book_messages
from proofbook.simulator.recording import Recording

GROUP_ENTRIES = 256
SECONDS_MAX = 5.0
SECONDS_MAX_ENTRIES = 1_000_000
"""The promise: so many entries in so many seconds."""


WAYS_BACK = ("journal", "snapshot_and_tail", "sealed_journal", "snapshot_and_sealed_tail")


FOLLOWERS = ("claims", "claims_from_snapshot", "history", "history_from_snapshot")


class Written(NamedTuple):
    """A journal's folder, the origin of its venue, and the stream that it holds."""

    folder: Path
    origin: tuple[bytes, int, bytes]
    recording: Recording
    entries: int

    def kernel(self) -> Kernel:
        return Kernel(*self.origin)


class Listening(Kernel):
    """A kernel at genesis that remembers whole entries, and from where."""

    def __init__(self, genesis: bytes, chain_id: int, contract: bytes) -> None:
        super().__init__(genesis, chain_id, contract)
        self.origin = genesis, chain_id, contract
        self.heard: list[bytes] = []

    def apply(self, entries: Any) -> Any:
        self.heard += entries
        return super().apply(entries)


def recovery(
    entries: Annotated[int, typer.Option(min=1_000, help="Messages in the stream.")] = 1_000_000,
    tail: Annotated[int, typer.Option(min=0, help="Entries after the snapshot.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Seed of the stream.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds; medians count.")] = 3,
    json_path: ReportPath = "",
) -> None:
    """Measure how long a venue takes to come back from its journal, and from a snapshot."""
    quiet_logs()
    console = console_for(json_path)
    with TemporaryDirectory(prefix="proofbook-recovery-") as folder:
        report = measure(Path(folder), entries, min(tail, entries // 2), seed, rounds, console)
    publish(report, json_path, as_table(report))


def measure(
    folder: Path, count: int, tail: int, seed: int, rounds: int, console: PlainConsole
) -> dict[str, Any]:
    """Write a journal and a snapshot of it; come back from both, in turn."""
    written = write(folder, count, seed, console)
    snapshots = folder / "snapshots"
    seconds, size = snapshot(written, snapshots, written.entries - tail)
    steps: dict[str, Callable[[], object]] = {
        "read_files": partial(read_files, written.folder),
        "open": partial(open_and_close, written.folder),
        "kernel": partial(replay_without_signatures, written),
        "kernel_and_signatures": partial(replay_with_signatures, written),
        "journal": partial(come_back, written, None),
        "snapshot_and_tail": partial(come_back, written, snapshots),
        "sealed_journal": partial(come_back, written, None, written.entries),
        "snapshot_and_sealed_tail": partial(come_back, written, snapshots, written.entries),
        "claims": partial(follow_claims, written, None),
        "claims_from_snapshot": partial(follow_claims, written, snapshots),
        "history": partial(follow_history, written, None),
        "history_from_snapshot": partial(follow_history, written, snapshots),
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    processor_times: dict[str, list[float]] = {name: [] for name in steps}
    results: dict[str, object] = {}
    for _ in track(range(rounds), "measuring", console=console, transient=True):
        for name, run in steps.items():
            started, worked = time.perf_counter(), time.process_time()
            results[name] = run()
            times[name].append(time.perf_counter() - started)
            processor_times[name].append(time.process_time() - worked)
    assert len({results[name] for name in (*WAYS_BACK, *FOLLOWERS)}) == 1, "there is one root"
    medians = {name: round(median(each), 3) for name, each in times.items()}
    return {
        **circumstances(rounds),
        "entries": written.entries,
        "tail_entries": tail,
        "seed": seed,
        "group_entries": GROUP_ENTRIES,
        "journal_bytes": results["read_files"],
        "seconds": medians,
        "processor_seconds": {
            name: round(median(each), 3) for name, each in processor_times.items()
        },
        "snapshot": {"write_seconds": round(seconds, 3), "bytes": size},
        "entries_per_second": {
            name: round(written.entries / each) for name, each in medians.items()
        },
        "promise": promise(written.entries, medians),
    }


def promise(entries: int, seconds: dict[str, float]) -> dict[str, Any]:
    """Return what was promised of a million entries, and whether it is kept at this length."""
    bound = SECONDS_MAX * entries / SECONDS_MAX_ENTRIES
    measured = {name: seconds[name] for name in WAYS_BACK}
    kept = {name: each <= bound for name, each in measured.items()}
    return {"seconds_at_most": round(bound, 3), **measured, "is_kept": kept}


def write(folder: Path, count: int, seed: int, console: PlainConsole) -> Written:
    """Write a journal of a seeded stream of orders, from genesis on."""
    made: list[Listening] = []

    def listening(*origin: Any) -> Listening:
        made.append(Listening(*origin))
        return made[0]

    with _progress(console, "drawing orders", count) as advance:
        recording, _ = record_book(book_messages(count, seed), seed, advance, listening)
    with _progress(console, "signing", 1):
        entries = [*made[0].heard, *recording.signed(len(recording))]
    with _progress(console, "writing the journal", 1):
        asyncio.run(_append(folder / "journal", entries))
    return Written(folder / "journal", made[0].origin, recording, len(entries))


async def _append(folder: Path, entries: list[bytes]) -> None:
    with Journal(folder) as journal:
        for first in range(0, len(entries), GROUP_ENTRIES):
            await journal.append_group(entries[first : first + GROUP_ENTRIES])


def snapshot(written: Written, folder: Path, after: int) -> tuple[float, int]:
    """Take a snapshot after so many entries; return how long writing it took, and its bytes."""
    settings = SnapshotSettings(written.folder, folder, written.entries + 1, 1)
    snapshotter = Snapshotter(settings, written.kernel())
    while snapshotter.seq < after and snapshotter.step():
        pass
    started = time.perf_counter()
    path = snapshotter.take()
    seconds = time.perf_counter() - started
    snapshotter.close()
    return seconds, path.stat().st_size


def read_files(folder: Path) -> int:
    """Read a journal's files, and nothing else: what nobody can go below."""
    return sum(len(path.read_bytes()) for path in folder.glob("*.journal"))


def open_and_close(folder: Path) -> None:
    """Open a journal, which verifies it."""
    Journal(folder).close()


def replay_without_signatures(written: Written) -> None:
    """Execute the stream in one loop, signers known."""
    kernel = written.recording.kernel()
    kernel.replay_recovered(written.recording.entries, written.recording.signers)


def replay_with_signatures(written: Written) -> None:
    """Execute a journal, signatures recovered on all cores; nothing is derived."""
    kernel = written.kernel()
    with Journal(written.folder) as journal:
        for entries in journal.replay():
            kernel.apply(entries)


def come_back(written: Written, snapshots: Path | None, sealed_seq: int = 0) -> bytes:
    """Do what a venue does when it starts, its journal sealed or not; return the root."""
    with Journal(written.folder) as journal:
        derived = recover(written.kernel(), journal, snapshots, sealed_seq=sealed_seq)
        return derived.engine.root()


def follow_claims(written: Written, snapshots: Path | None) -> bytes:
    """Bring who gives the roots of claims to the end of the last claim; return the root there."""

    def engine_before(seq: int) -> Kernel:
        kernel = written.kernel()
        if snapshots is not None:
            restore_state(kernel, snapshots, journal.chain_hash, seq)
        return kernel

    with Journal(written.folder) as journal:
        follower = Follower(engine_before, journal)
        return follower.checkpoint_roots(written.entries, written.entries)[-1]


def follow_history(written: Written, snapshots: Path | None) -> bytes:
    """Bring a history that holds the whole journal to where it can go on; return the root there."""
    kernel = written.kernel()

    def made(*_: object) -> Kernel:
        return kernel

    restore = (
        at_genesis if snapshots is None else partial(restore_beside, written.folder, snapshots)
    )
    projector = Projector(written.folder, Identity(*written.origin), made, restore)
    with Journal(written.folder) as journal:
        end = Position(*journal.tail())
    with TemporaryDirectory() as empty, open_database(f"{empty}/history.db") as database:
        database.write(START, end, {})
        assert catch_up(projector, database) == written.entries
    projector.close()
    return kernel.root()


@contextmanager
def _progress(console: PlainConsole, words: str, total: int) -> Generator[Callable[[int], None]]:
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(words, total=total)
        yield lambda done: progress.advance(task, done)


def as_table(report: dict[str, Any]) -> Table:
    """Return the report as a table of steps."""
    seconds, rates = report["seconds"], report["entries_per_second"]
    processor_seconds = report["processor_seconds"]
    rows = [
        (words, seconds[name], processor_seconds[name], rates[name])
        for name, words in (
            ("read_files", "reading the files alone"),
            ("open", "opening: every checksum and hash"),
            ("kernel", "the kernel alone, signers known"),
            ("kernel_and_signatures", "the kernel, signatures recovered"),
            ("journal", "a start from the journal"),
            ("snapshot_and_tail", f"a start from a snapshot, {report['tail_entries']:,} behind"),
            ("sealed_journal", "a start from the journal, sealed"),
            ("snapshot_and_sealed_tail", "a start from that snapshot, sealed"),
            ("claims", "the roots of claims, from genesis"),
            ("claims_from_snapshot", "the roots of claims, from that snapshot"),
            ("history", "a history that comes back, from genesis"),
            ("history_from_snapshot", "a history that comes back, from that snapshot"),
        )
    ]
    rows.append(("writing a snapshot", report["snapshot"]["write_seconds"], None, None))
    title = f"{report['entries']:,} entries, {report['machine']}"
    return table_of(title, ("step", "seconds", "of processors", "entries/s"), rows)
