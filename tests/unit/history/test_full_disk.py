"""A disk that takes no more of a history delays it; once there is room, no row is missing."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
import structlog
from tests.unit.history.stage import append, contents, projector_of, stream

from proofbook.history import projector as projecting
from proofbook.history.database import Database
from proofbook.history.errors import DatabaseFailed
from proofbook.history.projector import catch_up, follow
from proofbook.history.setting import open_database

ENTRIES = 500
BYTES_OPENED = 8 << 10
"""Too few for the tables."""
BYTES_FEW = 192 << 10
"""Enough for the tables, and not for the rows."""
ATTEMPTS = 4


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """Let the operating system refuse what makes a file longer, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_history_on_a_full_disk_goes_on_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projecting, "RETRY_SECONDS_MIN", 0.001)
    monkeypatch.setattr(projecting, "ROWS_TOGETHER", 50)
    genesis, entries = stream(1, ENTRIES)
    append(tmp_path / "journal", [list(entries)])
    setting, stop, positions = str(tmp_path / "history.db"), Event(), list[int]()
    attempts: list[str] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def open_history() -> Database:
        attempts.append("to open it")
        if len(attempts) == ATTEMPTS:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        database = open_database(setting)
        positions.append(database.position().seq)
        return database

    def stop_at_end(seq: int) -> None:
        if seq == ENTRIES:
            stop.set()

    projector = projector_of(tmp_path / "journal", genesis)
    with structlog.testing.capture_logs() as logs, files_of_at_most(BYTES_FEW):
        follow(projector, open_history, stop, stop_at_end)
    projector.close()
    assert [line["event"] for line in logs] == ["history_waits"] * (ATTEMPTS - 1)
    assert "failed to write rows to" in logs[0]["reason"]
    assert 0 < positions[-1] < ENTRIES, "it stood where the disk was full"
    with open_database(setting) as full, open_database(str(tmp_path / "anew.db")) as anew:
        catch_up(projector_of(tmp_path / "journal", genesis), anew)
        assert contents(full) == contents(anew)


def test_a_disk_that_is_full_at_the_start_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    setting = str(tmp_path / "history.db")
    with files_of_at_most(BYTES_OPENED), pytest.raises(DatabaseFailed, match="bring up to date"):
        open_database(setting)
    with open_database(setting) as database:
        assert database.position().seq == 0
