#!/usr/bin/env python3
"""Install the packages that pyproject.toml names, at the versions of tools/constraints.txt.

Runs in the virtual environment that it fills; maturin installs the project itself afterwards.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Return pip's exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = project["optional-dependencies"]
    packages = [*project["dependencies"], *groups["dev"], *groups["docs"]]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    constraints = str(ROOT / "tools/constraints.txt")
    return subprocess.call([*pip, "--constraint", constraints, *packages])


if __name__ == "__main__":
    sys.exit(main())
