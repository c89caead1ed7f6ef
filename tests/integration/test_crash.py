"""kill -9 under load: what was receipted is there, nothing is there twice, the root is the same."""

import asyncio
import errno
import os
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
import structlog
from tests.integration.crash_venue import (
    EXIT_FAULT,
    SNAPSHOTS,
    noted_roots,
    open_crash_venue,
    started,
)
from tests.integration.small_venue import CHAIN_ID, CONTRACT, FIRST_ACCOUNT, GENESIS, TRADER_KEYS

from proofbook.api.receipts import Receipt
from proofbook.client import ApiError, ConnectionLost, OutcomeUnknown, Rejected, Trader, connect
from proofbook.kernel import Kernel
from proofbook.protocol.commands import CancelAll, Place, TraderCommand
from proofbook.protocol.entry import Entry, entry_hash
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import Reject, Side
from proofbook.protocol.outcomes import Outcome
from proofbook.recovery.recover import recover
from proofbook.recovery.snapshot_file import snapshot_paths
from proofbook.sequencer.journal import Journal

IN_FLIGHT = 64
EXPIRES_AFTER_NS = 10**12
LIVES_SECONDS_MAX = 0.25
"""After its first order a process lives for at most so long: some hundred orders."""
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
        while await self._send(traders, self._next_command(traders)):
            pass

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
    folder: Path, client: Client, kills: int, began_ns: int, answers_min: int = 0
) -> None:
    for _ in range(kills):
        with started(folder, began_ns) as child:
            assert child.stdout is not None and child.stderr is not None
            if not answers_min and client.random.random() < DIES_EARLY:
                await asyncio.sleep(client.random.uniform(0, LIVES_SECONDS_MAX * 4))
                continue
            url = (await asyncio.to_thread(child.stdout.readline)).strip()
            assert url, child.stderr.read()
            load = asyncio.create_task(client.load(url))
            while client.answers < answers_min:
                assert not load.done(), f"the load has ended: {load}"
                await asyncio.sleep(0.01)
            await asyncio.sleep(client.random.uniform(0.02, LIVES_SECONDS_MAX))
            child.send_signal(signal.SIGKILL)
            await load


async def kill_snapshotters(folder: Path, random: Random) -> None:
    """Take snapshots beside the venue; whoever begins one is killed then, or soon after."""
    while True:
        with started(folder, SNAPSHOTS) as child:
            before = files_of(folder / SNAPSHOTS)
            while files_of(folder / SNAPSHOTS) <= before:
                assert child.poll() is None, child.communicate()
                await asyncio.sleep(0.001)
            await asyncio.sleep(random.choice((0.0, random.uniform(0, LIVES_SECONDS_MAX))))


def files_of(folder: Path) -> set[Path]:
    return set(folder.glob("*"))


async def kill_both(folder: Path, client: Client, kills: int, began_ns: int) -> None:
    beside = asyncio.create_task(kill_snapshotters(folder, Random(kills)))
    try:
        await kill_under_load(folder, client, kills, began_ns)
        async with asyncio.timeout(SNAPSHOT_SECONDS_MAX):
            while not beside.done() and not snapshot_paths(folder / SNAPSHOTS):
                await asyncio.sleep(0.01)
    finally:
        beside.cancel()
        await asyncio.wait([beside])
    if not beside.cancelled():
        await beside


def check_snapshots(folder: Path, began_ns: int) -> None:
    """Start once more: a snapshot is taken up, and leads where the whole journal leads."""
    with structlog.testing.capture_logs() as logs:
        node = open_crash_venue(folder, began_ns)
    root = node.engine.root()
    node.close()
    assert [line["event"] for line in logs if "snapshot" in line["event"]] == ["snapshot.restored"]
    with Journal(folder / "journal") as journal:
        whole = recover(Kernel(GENESIS, CHAIN_ID, CONTRACT), journal, None)
        again = recover(Kernel(GENESIS, CHAIN_ID, CONTRACT), journal, folder / SNAPSHOTS)
    assert root == whole.engine.root()
    assert again.keep() == whole.keep()


def check(folder: Path, client: Client) -> int:
    """Hold the journal to the receipts, and its replay to every root; return its last seq."""
    with Journal(folder / "journal") as journal:
        entries = [entry for group in journal.replay() for entry in group]
    kernel = Kernel(GENESIS, CHAIN_ID, CONTRACT, store="plain")
    roots = noted_roots(folder)
    chain_hash, chain_hashes = bytes(32), [bytes(32)]
    outcomes: list[Outcome] = []
    applied: Counter[tuple[int, int]] = Counter()
    for seq, entry in enumerate(entries, 1):
        chain_hash = keccak(chain_hash + entry_hash(entry))
        chain_hashes.append(chain_hash)
        (result,) = kernel.apply([entry])
        outcomes.append(result.outcome)
        command = Entry.decode(entry).command
        if isinstance(command, TraderCommand) and result.outcome.is_applied:
            applied[command.account, command.nonce] += 1
        if seq in roots:
            assert kernel.root() == roots[seq], f"the root after {seq} is the one before the crash"
    assert set(applied.values()) <= {1}, "nothing is applied twice"
    for receipt in client.receipts:
        assert receipt.seq <= len(entries), "a receipted entry is missing"
        assert entry_hash(entries[receipt.seq - 1]) == receipt.entry_hash
        assert chain_hashes[receipt.seq] == receipt.chain_hash
        assert outcomes[receipt.seq - 1] == receipt.outcome
    return len(entries)


@pytest.mark.parametrize(("seed", "kills"), [(1, 4), pytest.param(2, 200, marks=pytest.mark.slow)])
def test_killed_venue_loses_nothing_receipted_and_repeats_nothing(
    seed: int, kills: int, tmp_path: Path
) -> None:
    client = Client(Random(seed))
    began_ns = time.time_ns()
    asyncio.run(kill_both(tmp_path, client, kills, began_ns))
    last_seq = check(tmp_path, client)
    check_snapshots(tmp_path, began_ns)
    print(f"{kills} kills, {last_seq} entries, {len(client.receipts)} receipts")
    assert len(client.receipts) > kills, "there was load"
    assert client.resent_used == 0, "who sent again what was executed got its receipt"
    assert Reject.NONCE_USED not in {receipt.outcome.reason for receipt in client.receipts}


# Disks that fail under load, and one that lies


@pytest.fixture(scope="module")
def failing_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("shim") / "failing_disk.so"
    source = Path(__file__).with_name("failing_disk.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


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
            _, told = await asyncio.to_thread(child.communicate, timeout=20)
            return child.returncode, told

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
    with started(tmp_path, began_ns) as child:
        served, told = child.communicate(timeout=20)
    assert (child.returncode, served) == (EXIT_FAULT, "")
    assert told.startswith("JournalBroken: ") and segment.name in told
    data[300] ^= 4
    segment.write_bytes(data)
    check(tmp_path, client)
