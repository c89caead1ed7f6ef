"""Each rejection that the list of outcomes claims of a command is shown by a test, and no other."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_list_and_tests_agree_on_what_commands_are_rejected_for() -> None:
    done = subprocess.run(
        [sys.executable, "tools/rejections.py"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-1_000:]
