"""What a chain, a venue or a file says is shown letter by letter, wherever a command prints it."""

import ast
from pathlib import Path

import pytest

from proofbook import cli
from proofbook.cli import receipts, tx, verify
from proofbook.cli.output import PlainConsole, styled
from proofbook.verification.findings import BatchVerdict, Finding, FindingKind, Governance, Report
from proofbook.verification.journey import Journey
from proofbook.verification.receipts import Judged, Verdict

HOSTILE = "\x1b]0;owned\x07[bold]\x9b2J\u202e"
SEEN = "?]0;owned?[bold]?2J?"
FOLDER = Path(cli.__file__).parent


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> PlainConsole:
    """A console so wide that nothing is wrapped."""
    monkeypatch.setenv("COLUMNS", "1000")
    return PlainConsole()


def is_calm(shown: str) -> bool:
    """Whether nothing in a text steers a terminal."""
    return not any(letter in shown for letter in "\x1b\x07\x9b\u202e")


def test_a_verdict_shows_what_the_chain_says_letter_by_letter(
    console: PlainConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    terms = Governance(HOSTILE, 1, 1, [HOSTILE], [], [], [])
    findings = [Finding(FindingKind.VOID_ENTRY, HOSTILE, reason=HOSTILE, expected=HOSTILE)]
    batches = [BatchVerdict(1, 1, 2, 1, HOSTILE, True, False)]
    report = Report(1, HOSTILE, HOSTILE, 1, batches, findings, governance=terms)
    verify.show(report, console)
    shown = capsys.readouterr().out
    assert is_calm(shown)
    assert shown.count(SEEN) == 7, "contract, governor, proposer, note, reason, expected, engine"
    assert "not verified" in shown and "VOID_ENTRY" in shown


def test_the_way_of_an_entry_is_shown_letter_by_letter(
    console: PlainConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    journey = Journey(
        7, HOSTILE, HOSTILE, 1, HOSTILE, 1, HOSTILE, 1, HOSTILE, 1, 1, True, [{"event": HOSTILE}]
    )
    promised = tx.Promised(1, 1, HOSTILE, HOSTILE, False)
    console.print(tx.table(7, promised, journey))
    shown = capsys.readouterr().out
    assert is_calm(shown)
    assert shown.count(SEEN) == 7, "all of the receipt and of the chain but the entry's own hash"


def test_judged_receipts_are_shown_letter_by_letter(
    console: PlainConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    receipts.show([Judged(7, Verdict.OVERDUE, HOSTILE)], console)
    shown = capsys.readouterr().out
    assert is_calm(shown) and shown.count(SEEN) == 1
    assert "1 receipts: 1 OVERDUE" in shown


def test_words_with_a_style_are_shown_letter_by_letter() -> None:
    assert styled((HOSTILE, "bold red"), HOSTILE).plain == SEEN * 2


def test_commands_print_with_no_other_console() -> None:
    """The one place where strings are made safe is the console that all commands share."""
    others = [
        path.name
        for path in FOLDER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module in ("rich.console", "rich")
        if path != FOLDER / "output.py"
        and {"Console", "print"} & {name.name for name in node.names}
    ]
    assert others == []
