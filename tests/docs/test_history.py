"""Every kind of event is known to histories, and every kind of transaction to their page."""

import re
from pathlib import Path
from typing import get_args

from proofbook.history.reasons import EXPLAINS, MOVES_NO_MONEY, RESTS, Kind
from proofbook.protocol.events import Event

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/history.md").read_text()
WHERE = "src/proofbook/history/reasons.py: EXPLAINS, RESTS or MOVES_NO_MONEY"


def test_every_kind_of_event_says_what_it_moves_or_that_it_moves_nothing() -> None:
    known = {*EXPLAINS, *RESTS, *MOVES_NO_MONEY}
    missing = sorted(event.__name__ for event in set(get_args(Event)) - known)
    assert missing == [], f"does it change cash or balances? Say so in {WHERE}"
    assert known <= set(get_args(Event)), "no such event any more"


def test_no_kind_of_event_is_said_to_move_something_and_nothing() -> None:
    assert MOVES_NO_MONEY.isdisjoint({*EXPLAINS, *RESTS})


def test_page_tells_every_kind_of_transaction() -> None:
    table = PAGE.split("| kind | what moved |")[1].split("\n\n")[0]
    named = re.findall(r"\b[A-Z][A-Z_]+[A-Z]\b", table)
    assert named == [kind.value for kind in Kind], "in the order of reasons.py, each once"


def test_files_that_a_fill_passes_have_what_the_page_names() -> None:
    rows = PAGE.split("## How a fill becomes a row\n")[1].split("\n## ")[0].splitlines()
    told = [re.findall(r"`([^`]+)`", cell) for row in rows[5:] for cell in row.split("|")[1:3]]
    files, names = told[::2], told[1::2]
    assert len(files) >= 8, "rows are found"
    for paths, functions in zip(files, names, strict=True):
        places = [
            ROOT / (path if "/" in path else f"src/proofbook/history/{path}") for path in paths
        ]
        text = "".join(place.read_text() for place in places)
        assert [name for name in functions if f"{name}(" not in text] == [], paths
