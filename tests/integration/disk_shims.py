"""Libraries between a process and its disk, compiled from the C beside this file."""

import subprocess
from pathlib import Path

import pytest


def compiled(name: str, folders: pytest.TempPathFactory) -> Path:
    """Return what LD_PRELOAD is to name, made of `NAME.c`."""
    library = folders.mktemp("shim") / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library
