"""The sequencer at its edges: a failing disk, a full queue, a killed process, a busy window."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.integration.small_venue import (
    CHAIN_ID,
    CONTRACT,
    FIRST_ACCOUNT,
    GENESIS,
    GENESIS_NS,
    SEQUENCER_KEY,
    TRADER_KEYS,
    engine_at_genesis,
    fund_and_list,
    listed_venue,
    running,
    settings,
    two_traders,
)
from tests.set_clock import SetClock

from proofbook.api.errors import Refused
from proofbook.api.receipts import verify
from proofbook.client import ApiError
from proofbook.kernel import Kernel
from proofbook.node import Node, open_node
from proofbook.protocol.commands import CancelAll, Deposit, Tick
from proofbook.protocol.eip712 import command_digest
from proofbook.protocol.entry import Entry
from proofbook.protocol.entry import entry_hash as entry_hash_of
from proofbook.protocol.limits import APPEND_BYTES_MAX, OutcomeKind
from proofbook.sequencer import sequencer as sequencing
from proofbook.sequencer import waiting
from proofbook.sequencer.admission import canonical_body
from proofbook.sequencer.clock import ShiftedClock
from proofbook.sequencer.inclusion import Inclusion
from proofbook.sequencer.journal import Journal, JournalIo
from proofbook.sequencer.sequencer import Sequencer

PERPETUAL = "BTC-PERP"


class BrokenDisk:
    """A journal whose next write fails, as a full disk would."""

    last_seq = 0

    def append_group(
        self, entries: Sequence[bytes], expected_seq: int, mark: bytes
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        operands = {"operation": "write", "path": "segment", "code": 28}
        future.set_exception(JournalIo("no space left on device", operands))
        return future


def sequencer_over(journal: Any) -> Sequencer:
    """Return a sequencer at genesis over a journal."""
    clock = ShiftedClock(GENESIS_NS + 1)
    return Sequencer(engine_at_genesis(), journal, clock, SEQUENCER_KEY, epoch=1)


def assert_replays(folder: Path, node: Node) -> None:
    """Check that the journal of a node that has ended leads the reference to the node's root.

    It finds every key in order.
    """
    replayed = engine_at_genesis()
    with Journal(folder) as journal:
        results = replayed.apply(journal.read(1, 1_000))
    assert all(row.outcome.kind != OutcomeKind.VOID for row in results)
    assert replayed.root() == node.engine.root()


def test_a_failing_disk_acknowledges_nothing_and_stops_intake() -> None:
    async def scenario() -> None:
        sequencer = sequencer_over(BrokenDisk())
        heard: list[object] = []
        sequencer.subscribe(heard.append)
        run = asyncio.create_task(sequencer.run())
        with pytest.raises(Refused) as refused:
            await sequencer.submit(Tick())
        assert refused.value.reason == "STOPPED_BY_FAULT"
        assert refused.value.value == "JournalIo"
        assert "no space left on device" in refused.value.message
        with pytest.raises(JournalIo):
            await run
        assert not heard, "nothing is published that is not durable"
        with pytest.raises(Refused) as refused:
            await sequencer.submit(Tick())
        assert refused.value.reason == "STOPPED_BY_FAULT"

    asyncio.run(scenario())


def test_clock_that_steps_back_stops_intake_until_it_has_caught_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        start_ns = GENESIS_NS + 10**12
        clock = SetClock(start_ns)
        with Journal(tmp_path) as journal:
            sequencer = Sequencer(engine_at_genesis(), journal, clock, SEQUENCER_KEY, epoch=1)
            run = asyncio.create_task(sequencer.run())
            first = await sequencer.submit(Tick())
            clock.time_ns -= sequencing.CLOCK_BEHIND_NS_MAX
            second = await sequencer.submit(Tick())
            clock.time_ns -= 10**9
            with pytest.raises(Refused) as refused:
                await sequencer.submit(Tick())
            assert refused.value.reason == "CLOCK_BEHIND"
            assert int(str(refused.value.value)) > int(str(refused.value.limit))
            deposit = Deposit(FIRST_ACCOUNT, b"\x05" * 20, 0, 0, 10**6)
            third = await sequencer.submit(deposit)
            clock.time_ns = start_ns + 10**9
            fourth = await sequencer.submit(Tick())
            sequencer.stop()
            await run
        times = [answer.receipt.window_ns for answer in (first, second, third, fourth)]
        assert times == sorted(times) and times[0] >= start_ns, "venue time never steps back"
        assert all(a.result.outcome.is_applied for a in (first, second, third, fourth))

    asyncio.run(scenario())


def test_a_clock_that_stepped_back_while_the_venue_was_down_stops_intake_from_the_start(
    tmp_path: Path,
) -> None:
    """The journal has the venue's time, not the machine that starts it."""
    clock = SetClock(GENESIS_NS + 10**12)

    async def life(until_ns: int) -> tuple[int, int]:
        """Return the times of an entry at the start, or 0 if refused, and of one later."""
        engine = Kernel(GENESIS, CHAIN_ID, CONTRACT)
        node = open_node(replace(settings(tmp_path), clock=clock), engine)
        async with running(node):
            try:
                first_ns = (await node.sequencer.submit(Tick())).receipt.window_ns
            except Refused as refused:
                assert refused.reason == "CLOCK_BEHIND"
                first_ns = 0
            clock.time_ns = until_ns
            return first_ns, (await node.sequencer.submit(Tick())).receipt.window_ns

    before_ns, _ = asyncio.run(life(clock.time_ns))
    for behind_ns in (sequencing.CLOCK_BEHIND_NS_MAX + 10**9, 3600 * 10**9):
        clock.time_ns = before_ns - behind_ns
        first_ns, second_ns = asyncio.run(life(before_ns + 10**9))
        assert first_ns == 0, "no entry goes into the past"
        assert second_ns > before_ns, "it goes on once the clock has caught up"
        before_ns = second_ns


def test_a_full_queue_refuses_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAITING_MAX", 3)

    async def scenario() -> None:
        sequencer = sequencer_over(BrokenDisk())
        for account in range(3):
            sequencer.enqueue(Tick(account))
        with pytest.raises(Refused) as refused:
            sequencer.enqueue(Tick(3))
        assert (refused.value.reason, refused.value.limit) == ("OVERLOADED", "3")
        sequencer.enqueue(Deposit(FIRST_ACCOUNT, b"\x05" * 20, 0, 0, 10**6))

    asyncio.run(scenario())


def test_too_long_a_backlog_refuses_traders_but_never_the_inbox(tmp_path: Path) -> None:
    async def scenario() -> None:
        with Journal(tmp_path) as journal:
            sequencer = sequencer_over(journal)
            sequencer.inclusion = Inclusion(base_ns=10, append_ns=5, promise_ns_max=12)
            first = sequencer.enqueue(Tick())
            run = asyncio.create_task(sequencer.run())
            receipt = (await first).receipt
            assert receipt.include_by_ns == receipt.window_ns + 10
            sequencer.inclusion.journalled(2, APPEND_BYTES_MAX)
            with pytest.raises(Refused) as refused:
                sequencer.enqueue(Tick())
            assert refused.value.reason == "OVERLOADED"
            deposit = Deposit(FIRST_ACCOUNT, TRADER_KEYS[0].address, 0, 0, 1)
            assert (await sequencer.submit(deposit)).result.outcome.is_applied
            sequencer.inclusion.appended(2)
            assert (await sequencer.submit(Tick())).result.outcome.is_applied
            sequencer.stop()
            await run

    asyncio.run(scenario())


def test_stop_commits_what_was_taken(tmp_path: Path) -> None:
    async def scenario() -> None:
        with Journal(tmp_path) as journal:
            sequencer = sequencer_over(journal)
            answers = [sequencer.enqueue(Tick(account)) for account in range(5)]
            sequencer.stop()
            await sequencer.run()
            assert [(await answer).receipt.seq for answer in answers] == [1, 2, 3, 4, 5]
            assert journal.last_seq == 5

    asyncio.run(scenario())


def test_a_long_queue_becomes_several_windows_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencing, "WINDOW_COMMANDS_MAX", 4)

    async def scenario() -> None:
        with Journal(tmp_path) as journal:
            sequencer = sequencer_over(journal)
            answers = [sequencer.enqueue(Tick(account)) for account in range(10)]
            sequencer.stop()
            await sequencer.run()
            results = [await answer for answer in answers]
            assert all(row.result.outcome.kind != OutcomeKind.VOID for row in results)
            entries = [Entry.decode(data) for data in journal.read(1, 10)]
            assert len({entry.window_ns for entry in entries}) == 3
            assert all(
                verify(r.receipt, sequencer.separator, SEQUENCER_KEY.address) for r in results
            )

    asyncio.run(scenario())


def test_orders_of_one_window_are_sorted_by_class_and_none_is_void(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (_, first, second):
            actions = []
            for place in range(40):
                price = str(59_000 + place)
                actions.append(first.place(PERPETUAL, "buy", price, "0.001"))
                actions.append(second.place(PERPETUAL, "buy", price, "0.001", post_only=True))
            actions.append(second.cancel_all())
            await asyncio.gather(*actions)
            for trader in (first, second):
                received = [trader.receipts[seq].received_ns for seq in sorted(trader.receipts)]
                assert received == sorted(received), "a signer keeps its own order"
        assert_replays(tmp_path, node)

    asyncio.run(scenario())


def test_the_kernel_runs_the_same_venue_to_the_same_root(tmp_path: Path) -> None:
    async def scenario() -> None:
        kernel = Kernel(GENESIS, CHAIN_ID, CONTRACT)
        async with running(open_node(settings(tmp_path), kernel)) as node:
            await fund_and_list(node)
            async with two_traders(node) as (client, maker, taker):
                await maker.place(PERPETUAL, "sell", "60001", "1", post_only=True)
                await taker.place(PERPETUAL, "buy", "60001", "0.25")
                with pytest.raises(ApiError):
                    await taker.place(PERPETUAL, "buy", "60001", "9999")
                assert (await client.book(PERPETUAL)).asks == [("60001", "0.75")]
        assert_replays(tmp_path, node)

    asyncio.run(scenario())


KILLED = """
import asyncio, sys
from pathlib import Path
from tests.integration.small_venue import *

async def main():
    async with listed_venue(Path(sys.argv[1])) as node, two_traders(node) as (_, maker, taker):
        for place in range(10_000):
            placed = await maker.place("BTC-PERP", "buy", str(50_000 + place % 500), "0.001")
            print(placed.receipt.seq, placed.receipt.entry_hash, flush=True)

asyncio.run(main())
"""


def test_what_a_killed_node_acknowledged_is_there_after_the_restart(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    assert child.stdout is not None
    acknowledged = [child.stdout.readline() for _ in range(25)]
    child.send_signal(signal.SIGKILL)
    acknowledged += child.stdout.read().splitlines(keepends=True)
    child.stdout.close()
    child.wait()
    whole = [line.split() for line in acknowledged if line.endswith("\n")]
    node = open_node(settings(tmp_path), engine_at_genesis())
    try:
        kept = dict(enumerate(node.journal.read(1, 100_000), 1))
        assert len(whole) >= 25, "the child got as far as to acknowledge orders"
        for seq, entry_hash in whole:
            assert "0x" + entry_hash_of(kept[int(seq)]).hex() == entry_hash
        replayed = engine_at_genesis()
        replayed.apply(list(kept.values()))
        assert replayed.root() == node.engine.root()
    finally:
        node.close()


def cancel_all(node: Node, nonce: int, signer: int = 0) -> tuple[CancelAll, int, bytes]:
    """Return what the first trader, or another in his name, sends."""
    command = CancelAll(FIRST_ACCOUNT, nonce, node.settings.clock.now_ns() + 10**10)
    digest = command_digest(node.sequencer.separator, command)
    return command, 0, TRADER_KEYS[signer].sign(digest)


def test_a_second_use_of_a_nonce_in_the_same_window_gets_no_seq(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            before, messages = node.engine.seq, [cancel_all(node, 7) for _ in range(2)]
            assert messages[0] != messages[1], "the same bytes would get the same answer"
            first, second = [node.sequencer.enqueue(*message) for message in messages]
            assert (await first).receipt.outcome.is_applied
            with pytest.raises(Refused) as refused:
                await second
            assert refused.value.reason == "NONCE_USED"
            assert node.engine.seq == node.journal.last_seq == before + 1

    asyncio.run(scenario())


def test_what_expires_while_it_waits_gets_no_seq(tmp_path: Path) -> None:
    """Its window closes empty, and the next one goes on."""

    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            before = node.engine.seq
            command = CancelAll(FIRST_ACCOUNT, 7, node.settings.clock.now_ns() + 10**6)
            signature = TRADER_KEYS[0].sign(command_digest(node.sequencer.separator, command))
            answer = node.sequencer.enqueue(command, 0, signature)
            while node.settings.clock.now_ns() <= command.expires_ns:
                pass
            with pytest.raises(Refused) as refused:
                await answer
            assert refused.value.reason == "MESSAGE_EXPIRED"
            assert node.engine.seq == node.journal.last_seq == before
            assert (await node.sequencer.submit(Tick())).receipt.seq == before + 1

    asyncio.run(scenario())


def test_what_would_be_void_is_left_out_and_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever let it in, neither bond nor venue pays for it."""

    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            before, sequencer = node.engine.seq, node.sequencer
            first = sequencer.enqueue(*cancel_all(node, 7))
            with monkeypatch.context() as blind:
                blind.setattr(
                    sequencing, "admit", lambda *arguments: canonical_body(*arguments[3:])
                )
                forged = sequencer.enqueue(*cancel_all(node, 8, signer=1))
            last = sequencer.enqueue(*cancel_all(node, 9))
            with capture_logs() as log, pytest.raises(Refused) as refused:
                await forged
            assert (refused.value.reason, refused.value.value) == (
                "ENTRY_VOID",
                "VOID_SIGNER_MISMATCH",
            )
            assert [(line["event"], line["log_level"]) for line in log] == [
                ("sequencer.void", "error")
            ]
            assert [(await answer).receipt.seq for answer in (first, last)] == [
                before + 1,
                before + 2,
            ]
        assert_replays(tmp_path, node)

    asyncio.run(scenario())


def test_a_request_that_would_be_void_stops_intake_with_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left out, it would be missing before all later requests."""

    async def scenario() -> None:
        with Journal(tmp_path) as journal:
            sequencer = sequencer_over(journal)
            deposit = Deposit(FIRST_ACCOUNT, TRADER_KEYS[0].address, 0, 0, 1)
            early = Entry(GENESIS_NS, GENESIS_NS, deposit).encode()
            monkeypatch.setattr(sequencing, "stamp", lambda *_: early)
            run = asyncio.create_task(sequencer.run())
            with pytest.raises(Refused) as refused:
                await sequencer.submit(deposit)
            assert (refused.value.reason, refused.value.value) == (
                "STOPPED_BY_FAULT",
                "VoidRequest",
            )
            with pytest.raises(sequencing.VoidRequest):
                await run
            assert journal.last_seq == 0

    asyncio.run(scenario())


def signed_cancel_all(sequencer: Sequencer, seconds: int) -> tuple[CancelAll, bytes]:
    command = CancelAll(FIRST_ACCOUNT, 7, sequencer.window_ns + seconds * 10**9)
    return command, TRADER_KEYS[0].sign(command_digest(sequencer.separator, command))


def test_the_same_bytes_get_the_same_answer_while_they_wait_and_later(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node:
            sequencer = node.sequencer
            command, signature = signed_cancel_all(sequencer, 10)
            first = sequencer.enqueue(command, 0, signature)
            second = sequencer.enqueue(command, 0, signature)
            first.cancel()  # who asked first has gone
            answer = await second
            assert answer.receipt.outcome.is_applied
            assert await sequencer.submit(command, 0, signature) == answer
            assert sequencer.engine.seq == answer.receipt.seq, "it was executed once"
            with pytest.raises(Refused) as refused:
                await sequencer.submit(command, 0, bytes(64))
            assert refused.value.reason == "SIGNATURE_INVALID"

    asyncio.run(scenario())
