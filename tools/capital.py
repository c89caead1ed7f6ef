#!/usr/bin/env python3
"""Write the table of `proofbook bench capital` into docs/reference/capital.md."""

import re
from pathlib import Path
from typing import Any

from proofbook.cli.bench_capital import compare

DOCUMENT = Path(__file__).resolve().parent.parent / "docs/reference/capital.md"
TABLE = re.compile(r"(<!-- table -->\n).*?(<!-- /table -->)", re.DOTALL)
SYSTEMS = {"ours": "ours", "scenario": "PMRM_2", "standard": "SRM"}
KINDS = ("initial", "maintenance")


def as_markdown(report: dict[str, Any]) -> str:
    """Return the report as a table."""
    titles = [f"{title} {kind}" for title in SYSTEMS.values() for kind in KINDS]
    lines = [f"| portfolio | {' | '.join(titles)} |", f"|---|{'---:|' * len(titles)}"]
    for name, systems in report["portfolios"].items():
        pairs = (systems[system] for system in SYSTEMS)
        cells = [f"{pair[kind]:,.2f}" if pair else "–" for pair in pairs for kind in KINDS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def document(text: str) -> str:
    """Return the document with the table as it is now."""
    table = as_markdown(compare())
    return TABLE.sub(lambda match: match[1] + "\n" + table + "\n" + match[2], text)


if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text()))
