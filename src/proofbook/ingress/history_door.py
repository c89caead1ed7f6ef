"""Questions to the history, asked on a thread of their own: a slow database delays nobody else."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from proofbook.api.errors import Refusal, Refused
from proofbook.history.database import Database
from proofbook.history.errors import DatabaseFailed, HistoryFault, HistoryRemoved
from proofbook.history.questions import Question, ask
from proofbook.history.setting import open_database
from proofbook.history.tables import Row

WAITING_MAX = 64
"""Questions that may wait for the database; more are refused, so that delay stays bounded."""


class Answer(NamedTuple):
    """Rows, newest first, and the last entry that the history held."""

    seq: int
    rows: list[Row]


class HistoryDoor:
    """The way from the interface to a history that another process keeps."""

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="history")
        self._database: Database | None = None
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many questions wait for the database."""
        return self._waiting

    async def ask(self, name: str, question: Question, rows_max: int) -> Answer:
        """Return rows of a table or view. Raises Refused."""
        if self._waiting >= WAITING_MAX:
            message = f"{self._waiting} questions to the history wait, at most {WAITING_MAX}"
            raise Refused(Refusal.OVERLOADED, message, self._waiting, WAITING_MAX)
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._thread, self._ask, name, question, rows_max)
        self._waiting += 1
        asked.add_done_callback(self._answered)
        # Who leaves does not take his question back: in the thread's queue it waits all the same.
        await asyncio.wait([asked])
        fault = None if asked.cancelled() else asked.exception()
        if isinstance(fault, HistoryFault):
            raise Refused(Refusal.HISTORY_UNAVAILABLE, str(fault))
        return asked.result()

    def close(self) -> None:
        """Let go of database and thread; what waits is not answered."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._forget()

    def _answered(self, asked: asyncio.Future[Answer]) -> None:
        """Count one question less; a fault of which nobody is left to be told is let go of."""
        self._waiting -= 1
        if not asked.cancelled():
            asked.exception()

    def _ask(self, name: str, question: Question, rows_max: int) -> Answer:
        if self._database is None:
            self._database = open_database(self._setting, must_exist=True)
        try:
            seq = self._database.position().seq
            return Answer(seq, ask(self._database, name, question, rows_max))
        except (DatabaseFailed, HistoryRemoved):
            self._forget()
            raise

    def _forget(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def next_page(rows: Sequence[Row], seq_column: int, rows_max: int) -> tuple[Sequence[Row], int]:
    """Return the rows of whole entries, and below which seq the next page begins (0: no more).

    A page that one entry fills alone is given as it is.
    """
    if len(rows) < rows_max:
        return rows, 0
    last_seq = rows[-1][seq_column]
    assert isinstance(last_seq, int), "seq is a number in every table"
    whole = [row for row in rows if row[seq_column] != last_seq]
    return (whole, last_seq + 1) if whole else (rows, last_seq)
