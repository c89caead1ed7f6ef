"""Questions to the history: few wait, whether whoever asked waits too or not."""

import asyncio
import threading
from typing import NamedTuple

import pytest

from proofbook.api.errors import Refusal, Refused
from proofbook.history.questions import Question
from proofbook.ingress.history_door import WAITING_MAX, HistoryDoor

SLOW_SECONDS_MAX = 60


class Position(NamedTuple):
    """How far a history is."""

    seq: int


class SlowDatabase:
    """A database that says nothing until it is let."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()

    def position(self) -> Position:
        assert self.may_go_on.wait(SLOW_SECONDS_MAX)
        return Position(7)

    def close(self) -> None:
        """Nothing is open."""


def test_who_asks_and_leaves_takes_a_place_until_his_question_had_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = SlowDatabase()
    monkeypatch.setattr("proofbook.ingress.history_door.open_database", lambda *_, **__: database)
    monkeypatch.setattr("proofbook.ingress.history_door.ask", lambda *_: [])

    async def scenario() -> None:
        door = HistoryDoor("slow")
        try:
            for _ in range(3):
                asking = [
                    asyncio.ensure_future(door.ask("fills", Question(), 1))
                    for _ in range(WAITING_MAX)
                ]
                await asyncio.sleep(0)
                for each in asking:
                    each.cancel()
                await asyncio.gather(*asking, return_exceptions=True)
            assert door.waiting == WAITING_MAX, "they are in the thread's queue"
            with pytest.raises(Refused) as refused:
                await door.ask("fills", Question(), 1)
            assert refused.value.code == Refusal.OVERLOADED
            database.may_go_on.set()
            while door.waiting:
                await asyncio.sleep(0.01)
            assert (await door.ask("fills", Question(), 1)).seq == 7
        finally:
            database.may_go_on.set()
            door.close()

    asyncio.run(scenario())
