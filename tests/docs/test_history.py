"""Every kind of event is known to histories, and every kind of transaction to their page."""

import re
from pathlib import Path
from typing import get_args

from proofbook.history.reasons import EXPLAINS, MOVES_NO_MONEY, RESTS, Kind
from proofbook.protocol.events import Event

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/history.md").read_text()
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
