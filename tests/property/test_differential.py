"""Spec and kernel agree on hostile random streams, on every store, in outcome, events and root."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from proofbook.protocol.limits import Tag

TOOL = Path(__file__).resolve().parents[2] / "tools/differential.py"
EVERY_RUN = [(7, 5_000), (21, 5_000)]
"""Seeds and commands; some kinds of command are too rare for each stream to apply them."""


def compare(tmp_path: Path, seed: int, commands: int) -> set[str]:
    """Run the tool, hold it to its report, and return the kinds of command that it applied."""
    path = tmp_path / f"report_{seed}.json"
    command = [sys.executable, TOOL, "--commands", commands, "--seed", seed, "--json", path]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(path.read_text())
    assert report["differences"] == []
    assert report["commands"] == commands
    assert report["stores"] == ["spec", "cached", "plain", "witness"]
    assert report["spec_commands_per_second"] > 0
    return set(report["applied"])


def test_engines_agree_on_every_kind_of_command(tmp_path: Path) -> None:
    applied = [compare(tmp_path, seed, commands) for seed, commands in EVERY_RUN]
    assert {tag.name.lower() for tag in Tag} == set[str]().union(*applied)


@pytest.mark.slow
def test_engines_agree_over_a_million_commands(tmp_path: Path) -> None:
    """Two streams at a time; each kind of command is accepted a thousand times at least."""
    path = tmp_path / "report.json"
    command = [
        sys.executable, TOOL, "--commands", 100_000, "--seed", 100, "--streams", 20,
        "--accepted-min", 1_000, "--json", path,
    ]  # fmt: skip
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(path.read_text())
    assert report["commands"] == 2_000_000
    assert min(report["applied"].values()) >= 1_000
