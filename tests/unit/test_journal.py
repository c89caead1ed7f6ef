"""The door to the journal: futures, faults with operands, reading back."""

import asyncio
import os
import shutil
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from proofbook.protocol.hashing import keccak
from proofbook.sequencer.journal import (
    EntriesMalformed,
    Journal,
    JournalBroken,
    JournalFault,
    JournalIo,
    JournalLocked,
    JournalPoisoned,
    SequenceMismatch,
)


def entry(seq: int) -> bytes:
    body = seq.to_bytes(8, "little") * 5
    return len(body).to_bytes(2, "little") + body


def entries(first: int, count: int) -> list[bytes]:
    return [entry(seq) for seq in range(first, first + count)]


def small_journal(folder: Path) -> Journal:
    return Journal(folder, segment_bytes=4096)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, timeout=30))


def test_append_resolves_with_hashes_and_chain(tmp_path: Path) -> None:
    async def scenario() -> None:
        with small_journal(tmp_path) as journal:
            durable = await journal.append_group(entries(1, 3))
            assert (durable.first_seq, durable.last_seq) == (1, 3), "numbers of the group"
            assert durable.entry_hashes == [keccak(item) for item in entries(1, 3)], "entry hashes"
            chain = bytes(32)
            for entry_hash, after in zip(durable.entry_hashes, durable.chain_hashes, strict=True):
                chain = keccak(chain + entry_hash)
                assert after == chain, "chain_n = keccak(chain_n-1 || entry hash)"
            assert durable.chain_hash_before == bytes(32), "the chain begins with zero"
            assert journal.tail() == (3, chain), "the durable tail"
            assert durable.sync_ns > 0, "the time of fdatasync was measured"

    run(scenario())


def test_groups_on_the_way_resolve_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        with small_journal(tmp_path) as journal:
            futures = [journal.append_group(entries(seq, 2)) for seq in range(1, 60, 2)]
            assert journal.next_seq == 61, "numbers are given at once"
            durables = await asyncio.gather(*futures)
            assert [durable.first_seq for durable in durables] == list(range(1, 60, 2)), "order"
            assert journal.read(1, 100) == entries(1, 60), "all of them are read back"

    run(scenario())


def test_journal_reopens_where_it_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        for first in (1, 41, 81):
            with small_journal(tmp_path) as journal:
                assert journal.last_seq == first - 1, "the last durable entry"
                assert journal.torn() is None, "nothing was torn"
                await journal.append_group(entries(first, 40))
        with small_journal(tmp_path) as journal:
            assert [item for chunk in journal.replay() for item in chunk] == entries(1, 120)
            assert journal.read(50, 3) == entries(50, 3), "from the middle"
            assert journal.read(121, 3) == [], "nothing after the tail"

    run(scenario())


def test_close_answers_what_waits(tmp_path: Path) -> None:
    async def scenario() -> None:
        journal = small_journal(tmp_path)
        future = journal.append_group(entries(1, 2))
        journal.close()
        assert (await future).last_seq == 2, "closing made it durable"
        with pytest.raises(ValueError, match="closed"):
            journal.append_group(entries(3, 1))

    run(scenario())


def test_a_cancelled_future_leaves_its_entries(tmp_path: Path) -> None:
    async def scenario() -> None:
        with small_journal(tmp_path) as journal:
            journal.append_group(entries(1, 1)).cancel()
            await journal.append_group(entries(2, 1))
            assert journal.read(1, 9) == entries(1, 2), "both entries are in the journal"

    run(scenario())


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with small_journal(tmp_path), pytest.raises(JournalLocked) as caught:
        small_journal(tmp_path)
    assert caught.value.path == tmp_path / "lock", "the operand names the lock"
    small_journal(tmp_path).close()


def test_refused_groups_change_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        with small_journal(tmp_path) as journal:
            with pytest.raises(SequenceMismatch) as mismatch:
                journal.append_group(entries(7, 1), expected_seq=7)
            assert mismatch.value.operands == {"expected": 7, "next": 1}, "both numbers"
            with pytest.raises(EntriesMalformed) as malformed:
                journal.append_group([entry(1), entry(2)[:-1]])
            assert malformed.value.offset == len(entry(1)), "where the bytes stop making sense"
            assert journal.next_seq == 1, "no number was given away"

    run(scenario())


def test_damage_is_refused_with_file_offset_and_seq(tmp_path: Path) -> None:
    async def scenario() -> None:
        with small_journal(tmp_path) as journal:
            await journal.append_group(entries(1, 2))
            await journal.append_group(entries(3, 2))

    run(scenario())
    (path,) = tmp_path.glob("*.journal")
    data = bytearray(path.read_bytes())
    data[90] ^= 4
    path.write_bytes(data)
    with pytest.raises(JournalBroken) as caught:
        small_journal(tmp_path)
    fault = caught.value
    assert (fault.path, fault.offset, fault.seq) == (path, 64, 1), "file, offset and seq"
    assert str(path) in str(fault), "the message names the file"


def test_a_torn_tail_is_cut_and_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        with small_journal(tmp_path) as journal:
            await journal.append_group(entries(1, 2))
            await journal.append_group(entries(3, 2))

    run(scenario())
    (path,) = tmp_path.glob("*.journal")
    data = path.read_bytes().rstrip(b"\0")
    os.truncate(path, len(data) - 10)
    with small_journal(tmp_path) as journal:
        torn = journal.torn()
        assert torn is not None, "something was cut"
        assert (torn.path, torn.seq) == (path, 3), "where it was cut"
        assert journal.last_seq == 2, "the last whole group stays"


def test_a_fault_ends_all_appends(tmp_path: Path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "journal"
        with small_journal(folder) as journal:
            await journal.append_group(entries(1, 2))
            # No next segment can be made in a folder that is gone, as on a full disk.
            shutil.rmtree(folder)
            with pytest.raises(JournalIo) as caught:
                while True:
                    await journal.append_group(entries(journal.next_seq, 20))
            assert (caught.value.operation, caught.value.code) == ("create", 2), "what was refused"
            with pytest.raises(JournalPoisoned):
                journal.append_group(entries(journal.next_seq, 1))
            assert journal.read(1, 2) == entries(1, 2), "what is durable is still read"

    run(scenario())


def test_unknown_operand_is_an_attribute_error() -> None:
    fault = JournalFault("message", {"offset": 3})
    assert fault.offset == 3, "operands are attributes"
    with pytest.raises(AttributeError):
        fault.seq  # noqa: B018
