"""No command costs more than a proof of one has room for."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_no_construction_is_above_the_bounds() -> None:
    command = [sys.executable, str(ROOT / "tools/costliest.py"), "--seeds", "2"]
    search = subprocess.run(command, capture_output=True, text=True)
    assert search.returncode == 0, search.stdout + search.stderr
