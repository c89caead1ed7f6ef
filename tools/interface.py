#!/usr/bin/env python3
"""Write what describes the interface, from its registry, and what describes the configuration."""

import argparse
import sys
from pathlib import Path

from proofbook.ingress.documents import asyncapi, openrpc, page
from proofbook.operation.page import page as configuration_page

FOLDER = Path(__file__).resolve().parent.parent / "docs/reference"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if it differs")
    is_check = parser.parse_args().check
    written = {
        "openrpc.json": openrpc(),
        "asyncapi.json": asyncapi(),
        "methods.md": page().encode(),
        "configuration.md": configuration_page().encode(),
    }
    differing = [
        name
        for name, data in written.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_bytes() != data
    ]
    if is_check:
        for name in differing:
            print(f"docs/reference/{name} is out of date: run tools/interface.py", file=sys.stderr)
        return 1 if differing else 0
    for name in differing:
        (FOLDER / name).write_bytes(written[name])
        print(f"wrote docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
