"""What a disk has not taken is not on it, though it can be read: after a sync that failed, and of
names whose folder nobody synced."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.disk_shims import compiled

from proofbook.sequencer.journal import Journal

GROUPS = 8
APPENDING = """
import asyncio, sys
from pathlib import Path
from proofbook.sequencer.journal import Journal, JournalFault

async def scenario(folder: Path, groups: int) -> None:
    with Journal(folder) as journal:
        try:
            for seq in range(journal.next_seq, journal.next_seq + groups):
                await journal.append_group([b"\\x20\\0" + bytes((seq,)) * 32])
        except JournalFault as fault:
            print(type(fault).__name__)
        print(journal.next_seq - 1 if groups == 0 else journal.last_seq)

asyncio.run(scenario(Path(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.fixture(scope="module")
def forgetful_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled("forgetful_disk", tmp_path_factory)


def on_the_disk(disk: Path, folder: Path, groups: int, **settings: str) -> list[str]:
    """Open a journal on a forgetful disk and append groups; return what that says."""
    environment = os.environ | {"LD_PRELOAD": str(disk)} | settings
    command = [sys.executable, "-c", APPENDING, str(folder), str(groups)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return ended.stdout.split()


def after_a_power_cut(folder: Path) -> int:
    """Leave of a journal what has reached the disk; return its last entry."""
    for path in folder.glob("*.journal"):
        path.with_suffix(".journal.disk").rename(path)
    with Journal(folder) as journal:
        return journal.last_seq


def test_group_whose_sync_failed_is_on_the_disk_once_a_start_has_taken_it(
    forgetful_disk: Path, tmp_path: Path
) -> None:
    """A start that reads it executes it, and whoever sends it again gets a receipt."""
    folder = tmp_path / "journal"
    told = on_the_disk(forgetful_disk, folder, GROUPS, DISK_SYNCS=str(GROUPS // 2))
    assert told[0] == "JournalIo", "the sync failed"
    acknowledged = int(told[1])
    (taken,) = map(int, on_the_disk(forgetful_disk, folder, 0))
    assert taken == acknowledged + 1, "what failed can be read, and is gone on from"
    assert after_a_power_cut(folder) == taken, "so it is on the disk"


def test_folders_that_a_start_makes_or_finds_are_synced(
    forgetful_disk: Path, tmp_path: Path
) -> None:
    """A process may have been killed between giving a file its name and syncing the folder."""
    outer, listed = tmp_path / "outer", tmp_path / "listed"
    folder = outer / "journal"
    on_the_disk(forgetful_disk, folder, 1, DISK_FOLDERS=str(listed))
    assert {str(tmp_path), str(outer), str(folder)} <= set(listed.read_text().splitlines())
    listed.unlink()
    on_the_disk(forgetful_disk, folder, 0, DISK_FOLDERS=str(listed))
    assert str(folder) in listed.read_text().splitlines()
