"""What the documents promise is there: links, make targets, subcommands; a README of one page."""

import re
from itertools import takewhile
from pathlib import Path

import pytest

from proofbook.cli import COMMANDS
from proofbook.cli.demonstration.report import LiesCaught, ReceiptTimes, Report, table

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
)
README_LINES_MAX = 120
READ_LINES_PER_MINUTE = 25
"""Of code that one sees for the first time, its comments included."""
LINE_CHARACTERS_MAX = 120

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
SUBCOMMAND = re.compile(r"\bproofbook ([a-z]+(?:-[a-z]+)*)\b")
REPOSITORY_PATH = re.compile(
    r"`((?:src|crates|contracts|tests|tools|vectors|docs|benchmarks)/[\w./-]*)`"
)
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def code_of(path: Path) -> str:
    """Return what a document says in code spans and blocks: commands that a reader will type."""
    text = path.read_text()
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))


def anchors(path: Path) -> set[str]:
    """Return the anchors that headings make."""
    plain = (re.sub(r"[^\w\s-]", "", title.lower()) for title in HEADING.findall(path.read_text()))
    return {title.strip().replace(" ", "-") for title in plain}


def test_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES_MAX


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_lines_fit(path: Path) -> None:
    """Tables and lines of code may be longer: they cannot be wrapped."""
    prose = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    long = [
        line
        for line in prose.splitlines()
        if len(line) > LINE_CHARACTERS_MAX and not line.startswith("|")
    ]
    assert long == [], f"wrap at {LINE_CHARACTERS_MAX} characters"


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_links_lead_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.exists(), f"{target} does not exist"
        assert not anchor or anchor in anchors(linked), f"{target} has no such heading"


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_paths_of_the_repository_exist(path: Path) -> None:
    missing = [
        name for name in REPOSITORY_PATH.findall(path.read_text()) if not (ROOT / name).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_make_targets_exist(path: Path) -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    assert set(MAKE.findall(code_of(path))) - targets == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_subcommands_exist(path: Path) -> None:
    assert set(SUBCOMMAND.findall(code_of(path))) - set(COMMANDS) == set()


def test_readme_names_the_two_commands_of_a_newcomer() -> None:
    assert {"demo", "test"} <= set(MAKE.findall(code_of(ROOT / "README.md")))


def bodies(path: Path, names: list[str]) -> dict[str, list[str]]:
    """Return the lines of each function of a file, from its signature to where its body ends."""
    lines = path.read_text().splitlines()
    found: dict[str, list[str]] = {}
    for name in names:
        start = next(
            at
            for at, line in enumerate(lines)
            if re.match(rf" *(async )?(def|function) {name}\(", line)
        )
        depth = len(lines[start]) - len(lines[start].lstrip())
        inside = re.compile(rf" {{{depth + 1},}}|$| {{{depth}}}[){{}}]")
        rest = list(takewhile(inside.match, lines[start + 1 :]))
        found[name] = [line for line in [lines[start], *rest] if line.strip()]
    return found


def test_what_the_readme_has_one_read_takes_twenty_minutes() -> None:
    section = (ROOT / "README.md").read_text().split("## Read the code in 20 minutes\n")[1]
    rows = re.findall(r"^\d\. .*?`(\S+/\S+)`: (.+)$", section, re.MULTILINE)
    assert len(rows) == 5, "each row names a file and functions"
    read = {file: bodies(ROOT / file, re.findall(r"`(\w+)`", names)) for file, names in rows}
    lines = sum(len(body) for functions in read.values() for body in functions.values())
    assert 350 < lines <= 20 * READ_LINES_PER_MINUTE, f"{lines} lines"


def test_readme_shows_the_table_that_the_demonstration_prints() -> None:
    report = Report(
        source="", orders=0, fills=0, rejections={}, instruments=0, rows_unusable={}, batches=0,
        entries=0, verified=True, lies_caught=LiesCaught(True, True), deposited_atoms=0,
        withdrawn_atoms=0, atoms_lost=0, positions_closed=0, shown=[], settled=None,
        receipt_ms=ReceiptTimes(0.0, 0.0, 0.0), orders_per_second=0.0, surface_error_points=0.0,
        seconds=0.0,
    )  # fmt: skip
    printed = [str(cell) for cell in table(report).columns[0].cells]
    shown = re.findall(r"^│ (\S.*?) +│", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert shown == printed


def test_every_number_says_what_it_is() -> None:
    rows = (ROOT / "docs/reference/numbers.md").read_text().splitlines()
    assert len(rows) > 300, "the page has numbers"
    assert [row for row in rows if re.search(r"\| +\|$", row)] == []


def test_every_series_of_a_venue_is_documented() -> None:
    source = (ROOT / "src/proofbook/ingress/metrics.py").read_text()
    text = (ROOT / "docs/reference/operation.md").read_text()
    read = re.findall(r'^            "([a-z_]+)": \(', source, re.MULTILINE)
    named = [name.removeprefix("proofbook_") for name in re.findall(r'"(proofbook_\w+)"', source)]
    assert len(read) > 10 and len(named) > 8, "names are found"
    assert [name for name in read + named if f"proofbook_{name}" not in text] == []


def test_every_event_of_the_logs_is_documented() -> None:
    text = (ROOT / "docs/reference/operation.md").read_text()
    logged = re.compile(r'_log\.\w+\(\s*"([a-z_.]+)"')
    files = (ROOT / "src/proofbook").rglob("*.py")
    events = {event for path in files for event in logged.findall(path.read_text())}
    assert len(events) > 10, "events are found"
    assert [event for event in sorted(events) if f"`{event}`" not in text] == []
