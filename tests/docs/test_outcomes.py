"""The page of outcomes names every reason of the protocol, by number and in order, and no other."""

import re
from enum import IntEnum
from pathlib import Path

import pytest

from proofbook.protocol.limits import OutcomeKind, Reject, Void

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/outcomes.md").read_text()
ROW = re.compile(r"^\| (\d+) \| ([A-Z_]+) \| ([^|]+) \|", re.MULTILINE)


def section(heading: str) -> str:
    """Return the text from a heading to the next one."""
    return PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(("heading", "reasons"), [("Reject", Reject), ("Void", Void)])
def test_page_lists_every_reason_with_its_number(heading: str, reasons: type[IntEnum]) -> None:
    rows = [(int(number), name) for number, name, _ in ROW.findall(section(heading))]
    assert rows == [(reason.value, reason.name) for reason in reasons]


def test_page_lists_every_kind() -> None:
    rows = [(int(number), name) for number, name, _ in ROW.findall(PAGE.split("\n## ")[0])]
    assert rows == [(kind.value, kind.name) for kind in OutcomeKind]


def test_every_reason_says_when() -> None:
    empty = [name for _, name, when in ROW.findall(PAGE) if not when.strip()]
    assert empty == []
