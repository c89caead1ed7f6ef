"""The kernel as a contender: a recording executed in a loop in Rust, or from Python in batches."""

from proofbook.cli.benchmarks.harness import Contender, Run
from proofbook.protocol.limits import SEGMENT_ENTRIES
from proofbook.simulator.recording import Recording

PYTHON_BATCHES = (1, 8, 64, 512)
SIGNED_ENTRIES = 4_096
"""Enough to keep all cores busy; a signature takes as long as dozens of messages."""


class UnappliedError(Exception):
    """A recording came out otherwise than when it was written."""


def native(recording: Recording, units: int) -> Contender:
    """Return a kernel that executes the whole recording in one call."""

    def prepare() -> Run:
        kernel = recording.kernel()

        def run() -> None:
            counts = kernel.replay_recovered(recording.entries, recording.signers)
            if counts != recording.counts:
                raise UnappliedError(f"{counts}, when it was written {recording.counts}")

        return run

    return Contender(units, prepare)


def with_roots(recording: Recording, units: int) -> Contender:
    """Return the same with a state root after each segment, as a claim needs them."""
    batches = recording.batches(SEGMENT_ENTRIES)

    def prepare() -> Run:
        kernel = recording.kernel()
        entries, signers = recording.entries, recording.signers

        def run() -> None:
            for some, rows in batches:
                kernel.replay_recovered(entries[some], signers[rows])
                kernel.root()

        return run

    return Contender(units, prepare)


def from_python(recording: Recording, units: int, batch: int) -> Contender:
    """Return a kernel to which Python hands so many entries a call, and takes their events."""
    batches = recording.batches(batch)

    def prepare() -> Run:
        kernel = recording.kernel()
        entries, signers = recording.entries, recording.signers

        def run() -> None:
            apply = kernel.apply_recovered
            for some, rows in batches:
                apply(entries[some], signers[rows])

        return run

    return Contender(units, prepare)


def with_signatures(recording: Recording) -> Contender:
    """Return a kernel that recovers the signatures too, on all cores, of some entries."""
    entries = recording.signed(min(SIGNED_ENTRIES, len(recording)))

    def prepare() -> Run:
        kernel = recording.kernel()
        return lambda: kernel.apply(entries)

    return Contender(len(entries), prepare)


def batch_name(batch: int) -> str:
    """Return what a batch is called in reports."""
    return f"batch_{batch}"
