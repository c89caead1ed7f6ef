"""The blocks of code on the pages of docs/: which are run, in what they run, what they show.

A page's blocks of `sh` and `python` run in the order of the page, in one shell and one folder, as
a reader would type them. A block of `text` below one shows what it prints: each of its lines is
found in the output, numbers apart; `…` stands for lines left out. A comment of the page, `<!-- Not
run by tests: … -->` in the line above a block, says why that one is not.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"<!-- Not run by tests: ([^\n]+) -->\n\Z")
RUN = ("sh", "python")
PAGE_SECONDS_MAX = 300.0
MARK = "=== block of line "


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line of the page on which it begins.

    `why_not_run`: what the page says of that, or None.
    """

    language: str
    text: str
    line: int
    why_not_run: str | None = None

    @property
    def is_run(self) -> bool:
        return self.language in RUN and self.why_not_run is None


@dataclass(frozen=True)
class Ran:
    """What a page's blocks printed, by the line of each, and how the last one ended."""

    outputs: dict[int, str]
    status: int


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in order."""
    text = page.read_text()
    found: list[Block] = []
    for match in FENCE.finditer(text):
        above = text[: match.start()]
        why = NOT_RUN.search(above)
        found.append(Block(match[1], match[2], above.count("\n") + 1, why[1] if why else None))
    return found


def script(page_blocks: list[Block], folder: Path) -> str:
    """Return the blocks that are run as one shell script; programs are written into the folder."""
    lines = ["set -euo pipefail"]
    for block in page_blocks:
        if not block.is_run:
            continue
        lines.append(f"echo; echo '{MARK}{block.line}'")
        if block.language == "sh":
            lines.append(block.text)
        else:
            program = folder / f"line_{block.line}.py"
            program.write_text(block.text)
            lines.append(f"python {program.name}")
    return "\n".join(lines) + "\n"


def run(page_blocks: list[Block], folder: Path, environment: dict[str, str]) -> Ran:
    """Run a page's blocks in a folder; stop at the first that fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ended = subprocess.run(
        ["bash", "-c", script(page_blocks, folder)],
        cwd=folder,
        env=os.environ | {"PATH": path, "COLUMNS": "100"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PAGE_SECONDS_MAX,
    )
    parts = [part.partition("\n") for part in ended.stdout.split(f"\n{MARK}")[1:]]
    return Ran({int(line): output for line, _, output in parts}, ended.returncode)


def plain(line: str) -> str:
    """Return a line without what differs from run to run: numbers, hashes, widths, frames."""
    words = re.sub(r"0x[0-9a-f]+(?:…[0-9a-f]+)?|-?\d[\d,.]*", "#", line)
    return " ".join(re.sub(r"[│┃]", " ", words).split())


def not_shown(block: Block, output: str) -> list[str]:
    """Return the lines of a `text` block that the output does not have, in its order."""
    printed = iter([plain(line) for line in output.splitlines()])
    wanted = [line for line in block.text.splitlines() if line.strip() not in ("", "…")]
    return [line for line in wanted if plain(line) not in printed]
