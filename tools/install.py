#!/usr/bin/env python3
"""Install the packages that pyproject.toml names, at the versions of tools/constraints.txt.

Runs in the virtual environment that it fills; maturin installs the project itself afterwards. With
names of groups, those are installed instead of `dev` and `docs`.
"""

import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_GROUPS = ("dev", "docs")


def main(named: Sequence[str]) -> int:
    """Return pip's exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = project["optional-dependencies"]
    packages = [*project["dependencies"], *(each for name in named for each in groups[name])]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    constraints = str(ROOT / "tools/constraints.txt")
    return subprocess.call([*pip, "--constraint", constraints, *packages])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or DEFAULT_GROUPS))
