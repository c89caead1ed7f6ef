"""Every vector through the spec, which wrote it, and through the kernel on each of its stores."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from proofbook.kernel import Kernel
from proofbook.protocol.engine import Engine

ROOT = Path(__file__).resolve().parents[2]
TRANSITIONS = sorted((ROOT / "vectors/transition").glob("*.json"))
STORES = ("cached", "plain", "witness")


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def test_spec_still_writes_the_same_vectors() -> None:
    check = subprocess.run(
        [sys.executable, str(ROOT / "tools/vectors.py"), "--check"], capture_output=True, text=True
    )
    assert check.returncode == 0, check.stdout + check.stderr


def test_there_are_transitions() -> None:
    assert len(TRANSITIONS) >= 6


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("path", TRANSITIONS, ids=lambda path: path.stem)
def test_kernel_agrees_with_every_transition(path: Path, store: str) -> None:
    story: dict[str, Any] = json.loads(path.read_text())
    kernel: Engine = Kernel(
        unhex(story["genesis"]), story["chain_id"], unhex(story["contract"]), store=store
    )
    assert kernel.root() == unhex(story["genesis_root"])
    for row in story["entries"]:
        result = kernel.apply([unhex(row["entry"])])[0]
        assert result.outcome.name == row["name"], f"entry {kernel.seq}"
        assert result.events == unhex(row["events"]), f"entry {kernel.seq}"
        if "root" in row:
            assert kernel.root() == unhex(row["root"]), f"entry {kernel.seq}"
