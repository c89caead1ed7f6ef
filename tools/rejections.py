"""Hold the list of rejections to what the tests of the state machine show, command by command.

Runs the unit tests on the reference, notes which command was rejected for what, and compares that
with the table "Reject" in docs/reference/outcomes.md, both ways.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from proofbook.protocol.commands import COMMANDS, OracleCommand, TraderCommand
from proofbook.protocol.entry import Entry
from proofbook.protocol.limits import OutcomeKind
from proofbook.protocol.outcomes import Outcome
from proofbook.spec import transition
from proofbook.spec.world import World

ROOT = Path(__file__).resolve().parent.parent
OUTCOMES = ROOT / "docs" / "reference" / "outcomes.md"
ROW = re.compile(r"\| \d+ \| (\w+) \|.*\| ([^|]+) \|")
NAMES = frozenset(kind.__name__ for kind in COMMANDS.values())
SIGNED = frozenset(k.__name__ for k in COMMANDS.values() if issubclass(k, TraderCommand))
ORACLE = frozenset(k.__name__ for k in COMMANDS.values() if issubclass(k, OracleCommand))

DRAWN = "test_legs_are_of_one_underlying"
"""A test over a random stream: what it happens to show is no test of a rejection."""

Pair = tuple[str, str]
"""A command and why it is rejected."""


def claimed() -> tuple[set[Pair], set[Pair]]:
    """Return what the table says of commands by their names, and what it says of many at once."""
    by_name, of_many = set[Pair](), set[Pair]()
    for reason, commands in ROW.findall(OUTCOMES.read_text()):
        named = NAMES & set(re.findall(r"\w+", commands))
        by_name |= {(name, reason) for name in named}
        if "oracle" in commands:
            by_name |= {(name, reason) for name in ORACLE}
        if "in a session" in commands or "of the inbox" in commands:
            of_many |= {(name, reason) for name in (*SIGNED, "UnreadableRequest")}
        elif "trader signs" in commands or "every signed" in commands:
            by_name |= {(name, reason) for name in SIGNED}
    return by_name, of_many


class Recorder:
    """Notes what every rejected entry was rejected for while tests run."""

    def __init__(self) -> None:
        self.seen: set[Pair] = set()

    def record(self) -> None:
        """Stand between the reference and its entries."""
        execute = transition.apply_entry

        def noted(world: World, data: bytes) -> Outcome:
            outcome = execute(world, data)
            if outcome.kind == OutcomeKind.REJECTED:
                self.seen.add((type(Entry.decode(data).command).__name__, outcome.name))
            return outcome

        transition.apply_entry = noted


def told(title: str, pairs: Iterable[Pair]) -> int:
    """Print pairs; return how many there are."""
    rows = sorted(pairs)
    for name, reason in rows:
        print(f"{title}: {name} {reason}")
    return len(rows)


def main() -> int:
    """Return 0 if tests and table agree."""
    recorder = Recorder()
    recorder.record()
    chosen = f"spec and not kernel and not {DRAWN}"
    failed = pytest.main(["-q", "-k", chosen, str(ROOT / "tests/unit/spec")])
    by_name, of_many = claimed()
    faults = told("claimed, never shown", by_name - recorder.seen)
    faults += told("shown, not claimed", recorder.seen - by_name - of_many)
    print(f"{len(recorder.seen)} rejections of {len(NAMES)} commands shown, {faults} differences")
    return 1 if failed or faults else 0


if __name__ == "__main__":
    sys.exit(main())
