"""kill -9 under load: what was receipted is there, nothing is there twice, the root is the same."""

import asyncio
import errno
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
import structlog
from tests.integration.crash_readers import (
    CHAIN,
    DATABASE,
    HISTORY,
    SNAPSHOTS,
    Origin,
    origin_of,
    projector_of,
)
from tests.integration.crash_venue import (
    EXIT_FAULT,
    noted_roots,
    open_operation,
    put_on_chain,
    started,
    told_by,
)
from tests.integration.disk_shims import compiled
from tests.integration.small_venue import CHAIN_ID, CONTRACT, FIRST_ACCOUNT, GENESIS, TRADER_KEYS
from tests.unit.history.stage import contents

from proofbook.api.receipts import Receipt
from proofbook.chain.contracts import CLAIMS_COUNT
from proofbook.chain.rpc import AsyncRpc, Rpc
from proofbook.client import ApiError, ConnectionLost, OutcomeUnknown, Rejected, Trader, connect
from proofbook.history.errors import DatabaseFailed
from proofbook.history.journal_reader import JournalReader, Read
from proofbook.history.projector import catch_up
from proofbook.history.setting import open_database
from proofbook.kernel import Kernel
from proofbook.protocol.commands import CancelAll, Place, TraderCommand
from proofbook.protocol.entry import Entry
from proofbook.protocol.limits import Reject, Side
from proofbook.protocol.outcomes import Outcome
from proofbook.recovery.recover import recover
from proofbook.recovery.snapshot_file import snapshot_paths
from proofbook.sequencer.journal import Journal
from proofbook.settlement.development_chain import DevelopmentChain
from proofbook.verification.chain_reader import ChainReader
from proofbook.verification.engines import EngineName
from proofbook.verification.replay import verify

IN_FLIGHT = 64
EXPIRES_AFTER_NS = 10**12
LIVES_SECONDS_MAX = 0.25
"""After its first order a process lives for at most so long: some hundred orders."""
HURRIED_ANSWERS = 500
"""Of one life without a pause; who waits for a claim must not bury the readers of the journal."""
PAUSE_SECONDS = 0.2
DIES_EARLY = 0.1
"""The share of processes that are killed while they start, or replay."""

SNAPSHOT_SECONDS_MAX = 60


@dataclass
class Client:
    """What a careful client keeps: receipts, and commands of which it does not know the end."""

    random: Random
    receipts: list[Receipt] = field(default_factory=list[Receipt])
    unknown: list[TraderCommand] = field(default_factory=list[TraderCommand])
    faults: list[str] = field(default_factory=list[str])
    resent_used: int = 0
    nonce: int = 0

    @property
    def answers(self) -> int:
        return len(self.receipts) + self.resent_used

    async def load(self, url: str) -> None:
        """Send what is unknown again, unchanged, and then new orders, until the venue dies."""
        try:
            async with await connect(url) as client:
                traders = [
                    client.trader(key, FIRST_ACCOUNT + place)
                    for place, key in enumerate(TRADER_KEYS)
                ]
                again, self.unknown = self.unknown, []
                await asyncio.gather(*(self._send(traders, command, True) for command in again))
                await asyncio.gather(*(self._keep_sending(traders) for _ in range(IN_FLIGHT)))
        except ConnectionLost:
            return

    async def _keep_sending(self, traders: list[Trader]) -> None:
        hurried_until = self.answers + HURRIED_ANSWERS
        while await self._send(traders, self._next_command(traders)):
            if self.answers > hurried_until:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _send(
        self, traders: list[Trader], command: TraderCommand, is_again: bool = False
    ) -> bool:
        """Return whether the venue still lives."""
        try:
            reply = await traders[command.account - FIRST_ACCOUNT].submit(command)
        except Rejected as rejected:
            self.receipts.append(rejected.receipt)
        except OutcomeUnknown as unknown:
            assert unknown.reason == "STOPPED_BY_FAULT"
            self.faults.append(unknown.message)
            self.unknown.append(command)
            return False
        except ApiError as refused:
            if refused.reason == "OVERLOADED":  # the chain is behind: it was not taken
                if is_again:
                    self.unknown.append(command)
                await asyncio.sleep(PAUSE_SECONDS)
                return True
            assert is_again and refused.reason in ("NONCE_USED", "NONCE_TOO_OLD"), refused
            self.resent_used += 1
        except ConnectionLost:
            self.unknown.append(command)
            return False
        else:
            seq, leaf = reply.receipt.seq, traders[command.account - FIRST_ACCOUNT].receipts
            self.receipts.append(leaf[seq])
        return True

    def _next_command(self, traders: list[Trader]) -> TraderCommand:
        self.nonce += 1
        account = FIRST_ACCOUNT + self.random.randrange(2)
        head = account, self.nonce, traders[0].client.now_ns() + EXPIRES_AFTER_NS
        if self.random.random() < 0.02:
            return CancelAll(*head)
        instrument = traders[0].client.instruments["BTC-PERP"].instrument
        side = self.random.choice((Side.BUY, Side.SELL))
        ticks = 120_000 + self.random.randint(-200, 200)
        return Place(*head, instrument, side, ticks, 1, max_fee_ppm=1_000)


async def kill_under_load(
    folder: Path,
    client: Client,
    kills: int,
    began_ns: int,
    answers_min: int = 0,
    audit: "Audit | None" = None,
    claims: Callable[[], int] = lambda: 0,
) -> None:
    """Kill the venue so many times; audited, every other time after a claim."""
    for number in range(kills):
        is_claiming = audit is not None and number % 2 == 1
        with started(folder, began_ns) as child:
            assert child.stdout is not None
            if not answers_min and not is_claiming and client.random.random() < DIES_EARLY:
                await asyncio.sleep(client.random.uniform(0, LIVES_SECONDS_MAX * 4))
                continue
            url = (await asyncio.to_thread(child.stdout.readline)).strip()
            assert url, told_by(folder, began_ns).read_text()
            load = asyncio.create_task(client.load(url))
            while client.answers < answers_min:
                assert not load.done(), f"the load has ended: {load}"
                await asyncio.sleep(0.01)
            before = await asyncio.to_thread(claims)
            if is_claiming:
                while await asyncio.to_thread(claims) == before:
                    assert not load.done(), told_by(folder, began_ns).read_text()
                    await asyncio.sleep(0.02)
            await asyncio.sleep(client.random.uniform(0.02, LIVES_SECONDS_MAX))
            child.send_signal(signal.SIGKILL)
            await load
            await asyncio.to_thread(child.wait)
        if audit is not None:
            await asyncio.to_thread(audit.go_on, client)


async def kill_again_and_again(folder: Path, kind: str, progress: Callable[[], Any]) -> None:
    """Run what reads the journal beside the venue; kill it once it gets on, or soon after."""
    random = Random(kind)
    while True:
        with started(folder, kind) as child:
            before = progress()
            while progress() == before:
                assert child.poll() is None, told_by(folder, kind).read_text()
                await asyncio.sleep(0.002)
            await asyncio.sleep(random.choice((0.0, random.uniform(0, LIVES_SECONDS_MAX))))


def files_of(folder: Path) -> set[Path]:
    return set(folder.glob("*"))


def history_seq(folder: Path) -> int:
    """Return how far the history of a folder has come, though somebody writes it."""
    if not (folder / DATABASE).is_file():
        return 0
    with suppress(DatabaseFailed), open_database(str(folder / DATABASE)) as database:
        return database.position().seq
    return 0


def claims_of(folder: Path, rpc: Rpc) -> int:
    """Return how many claims the chain has of a folder's venue."""
    return rpc.view(origin_of(folder)[2], CLAIMS_COUNT)


async def kill_all(folder: Path, client: Client, kills: int, began_ns: int, rpc: Rpc) -> None:
    """Kill the venue under load, and beside it whoever takes snapshots, and writes the history."""
    beside = [
        asyncio.create_task(kill_again_and_again(folder, kind, progress))
        for kind, progress in (
            (SNAPSHOTS, partial(files_of, folder / SNAPSHOTS)),
            (HISTORY, partial(history_seq, folder)),
        )
    ]
    try:
        claims = partial(claims_of, folder, rpc)
        await kill_under_load(folder, client, kills, began_ns, audit=Audit(folder), claims=claims)
        async with asyncio.timeout(SNAPSHOT_SECONDS_MAX):
            while not any(task.done() for task in beside) and not (
                snapshot_paths(folder / SNAPSHOTS) and history_seq(folder)
            ):
                await asyncio.sleep(0.01)
    finally:
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)
    for task in beside:
        if not task.cancelled():
            await task


def check_snapshots(folder: Path) -> None:
    """A snapshot is taken up, and leads where the whole journal leads."""
    with Journal(folder / "journal") as journal, structlog.testing.capture_logs() as logs:
        whole = recover(Kernel(*origin_of(folder)), journal, None)
        again = recover(Kernel(*origin_of(folder)), journal, folder / SNAPSHOTS)
    assert "snapshot.restored" in [line["event"] for line in logs]
    assert again.engine.root() == whole.engine.root()
    assert again.keep() == whole.keep()


def check_history(folder: Path) -> None:
    """The history that was killed again and again has the rows of one written anew."""
    with structlog.testing.capture_logs() as logs, open_database(str(folder / DATABASE)) as killed:
        catch_up(projector_of(folder), killed)
        rows = contents(killed)
    assert {line["event"] for line in logs} <= {"snapshot.restored"}
    with open_database(str(folder / "anew.db")) as anew:
        catch_up(projector_of(folder), anew)
        assert contents(anew) == rows


async def settle_rest(folder: Path, url: str) -> None:
    """Bring on chain what is left."""
    async with AsyncRpc(url) as rpc:
        operation = await open_operation(folder, rpc)
        try:
            await operation.settlement.settle_all()
        finally:
            operation.node.close()


class Audit:
    """Reads a journal between the lives of its venue, and holds it to receipts and noted roots."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reader = JournalReader(folder / "journal")
        is_on_chain = (folder / CHAIN).exists()
        origin: Origin = origin_of(folder) if is_on_chain else (GENESIS, CHAIN_ID, CONTRACT)
        self._kernel = Kernel(*origin, store="plain")
        self._reads: list[Read] = []
        self._outcomes: list[Outcome] = []
        self._applied: Counter[tuple[int, int]] = Counter()
        self._audited = 0
        self.entries = 0

    def go_on(self, client: Client) -> int:
        """Audit what has come since; return the last entry."""
        roots = noted_roots(self._folder)
        while self._folder.joinpath("journal").is_dir() and (group := self._reader.read_group()):
            for read in group:
                self._take(read, roots)
        assert set(self._applied.values()) <= {1}, "nothing is applied twice"
        for receipt in client.receipts[self._audited :]:
            assert receipt.seq <= len(self._reads), "a receipted entry is missing"
            read = self._reads[receipt.seq - 1]
            assert (read.hash, read.chain_hash) == (receipt.entry_hash, receipt.chain_hash)
            assert self._outcomes[receipt.seq - 1] == receipt.outcome
        self._audited = len(client.receipts)
        return len(self._reads)

    def _take(self, read: Read, roots: dict[int, bytes]) -> None:
        (result,) = self._kernel.apply([read.entry])
        self._reads.append(read)
        self._outcomes.append(result.outcome)
        command = Entry.decode(read.entry).command
        if isinstance(command, TraderCommand) and result.outcome.is_applied:
            self._applied[command.account, command.nonce] += 1
        if read.seq in roots:
            same = self._kernel.root() == roots[read.seq]
            assert same, f"the root after {read.seq} is the one before the crash"


def check(folder: Path, client: Client) -> int:
    """Hold the journal to the receipts, and its replay to every root; return its last seq."""
    return Audit(folder).go_on(client)


@pytest.mark.parametrize(("seed", "kills"), [(1, 4), pytest.param(2, 200, marks=pytest.mark.slow)])
def test_killed_venue_loses_nothing_receipted_and_repeats_nothing(
    seed: int, kills: int, tmp_path: Path
) -> None:
    """On its disk, in its snapshots, in its history and on the chain."""
    client = Client(Random(seed))
    with DevelopmentChain.start() as chain, Rpc(chain.url) as rpc:
        asyncio.run(put_on_chain(tmp_path, chain.url))
        asyncio.run(kill_all(tmp_path, client, kills, time.time_ns(), rpc))
        last_seq = check(tmp_path, client)
        check_snapshots(tmp_path)
        check_history(tmp_path)
        claims = claims_of(tmp_path, rpc)
        asyncio.run(settle_rest(tmp_path, chain.url))
        report = verify(ChainReader(rpc, origin_of(tmp_path)[2]), EngineName.KERNEL)
    print(f"{kills} kills, {last_seq} entries, {len(client.receipts)} receipts")
    assert len(client.receipts) > kills, "there was load"
    assert client.resent_used == 0, "who sent again what was executed got its receipt"
    assert Reject.NONCE_USED not in {receipt.outcome.reason for receipt in client.receipts}
    assert report.verified, report.findings
    assert report.batches[-1].last_seq == last_seq, "the chain has every entry, each once"
    assert claims >= kills // 2, "it was claimed while the venue was killed"


# Disks that fail under load, and one that lies


@pytest.fixture(scope="module")
def failing_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled("failing_disk", tmp_path_factory)


@pytest.mark.parametrize(
    ("operation", "code"),
    [("write", errno.ENOSPC), ("write", errno.EROFS), ("sync", errno.ENOSPC), ("sync", errno.EIO)],
)
def test_failing_disk_ends_the_venue_by_name_and_loses_nothing(
    operation: str, code: int, failing_disk: Path, tmp_path: Path
) -> None:
    client, began_ns = Client(Random(code)), time.time_ns()
    environment = os.environ | {
        "LD_PRELOAD": str(failing_disk), "DISK_FAULT": f"{operation}:{code}:40"
    }  # fmt: skip

    async def until_it_ends() -> tuple[int, str]:
        with started(tmp_path, began_ns, env=environment) as child:
            assert child.stdout is not None
            url = (await asyncio.to_thread(child.stdout.readline)).strip()
            await client.load(url)
            code = await asyncio.to_thread(child.wait, timeout=20)
            return code, told_by(tmp_path, began_ns).read_text()

    exit_code, told = asyncio.run(until_it_ends())
    assert exit_code == EXIT_FAULT, told
    assert "JournalIo" in told and os.strerror(code).lower() in told.lower(), told
    assert client.faults and all("JournalIo" in message for message in client.faults)
    assert client.receipts, "orders were taken before the disk failed"
    # What could not be synced may be there all the same: it is told apart when it is sent again.
    asyncio.run(kill_under_load(tmp_path, client, 1, began_ns, client.answers + 1))
    check(tmp_path, client)


def test_flipped_bit_is_named_with_its_place_and_nothing_is_served(tmp_path: Path) -> None:
    client, began_ns = Client(Random(3)), time.time_ns()
    asyncio.run(kill_under_load(tmp_path, client, 1, began_ns, 1))
    (segment,) = (tmp_path / "journal").glob("*.journal")
    data = bytearray(segment.read_bytes())
    data[300] ^= 4
    segment.write_bytes(data)
    told_by(tmp_path, began_ns).unlink()
    with started(tmp_path, began_ns) as child:
        served, _ = child.communicate(timeout=20)
    assert (child.returncode, served) == (EXIT_FAULT, "")
    told = told_by(tmp_path, began_ns).read_text()
    assert told.startswith("JournalBroken: ") and segment.name in told
    data[300] ^= 4
    segment.write_bytes(data)
    check(tmp_path, client)
