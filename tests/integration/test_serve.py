"""`proofbook serve` as a process: configured, under load, drained by SIGTERM, started again."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from tests.integration.memory_venue import GRID

from proofbook.api.receipts import Receipt
from proofbook.api.signing import Key
from proofbook.chain.contracts import NEXT_SEQ
from proofbook.chain.rpc import AsyncRpc
from proofbook.client import ApiError, Client, ConnectionLost, Trader, connect
from proofbook.kernel import Kernel
from proofbook.protocol.entry import entry_hash
from proofbook.protocol.genesis import Genesis
from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.sequencer.journal import Journal
from proofbook.settlement.deployment import Deployment, deploy
from proofbook.settlement.deposits import deposit, mint_and_approve
from proofbook.settlement.development_chain import DevelopmentChain
from proofbook.settlement.transactions import DEVELOPMENT_KEYS, Sender

COMMAND = [sys.executable, "-m", "proofbook.cli", "serve"]
OPERATOR, FUNDER = DEVELOPMENT_KEYS[:2]
SEQUENCER = b"\x07" * 32
OWNERS = [Key(bytes((n,)) * 32) for n in (21, 22)]
USDC = 1_000_000
SECONDS_MAX = 60.0
IN_FLIGHT = 32


async def deployed(rpc: AsyncRpc) -> tuple[Deployment, list[int]]:
    """Put the contracts of a venue on a chain, and money for two accounts into its vault."""
    sender = Sender(rpc, OPERATOR, await rpc.chain_id())
    block = await rpc.call("eth_getBlockByNumber", "latest", False)
    genesis_ns = int(block["timestamp"], 16) * NS_PER_SECOND
    genesis = Genesis(genesis_ns, bytes(20), bytes(20), (OWNERS[0].address,), (GRID,)).encode()
    deployment = await deploy(
        sender, genesis, lambda *origin: Kernel(*origin).root(), sender.address
    )
    funder = Sender(rpc, FUNDER, sender.chain_id)
    await mint_and_approve(funder, deployment, 2_000 * USDC)
    made = [await deposit(funder, deployment, key.address, 0, 1_000 * USDC) for key in OWNERS]
    return deployment, [row.account for row in made]


def configured(folder: Path, rpc: str, contract: bytes, more: str = "") -> Path:
    """Write a configuration and its key files."""
    for name, secret in (("operator", OPERATOR), ("sequencer", SEQUENCER)):
        path = folder / f"{name}.key"
        path.write_text(secret.hex())
        path.chmod(0o600)
    path = folder / "venue.toml"
    path.write_text(
        f'[chain]\nrpc = "{rpc}"\ncontract = "0x{contract.hex()}"\n'
        'operator_key_file = "operator.key"\nfinality = "blocks"\nconfirmations = 0\n'
        "quiet_seconds_max = 0\n"
        "look_seconds = 0.05\nappend_seconds = 0.2\n"
        '[sequencer]\nkey_file = "sequencer.key"\n'
        "[interface]\nport = 0\n" + more
    )
    return path


def place_of_a_venue(chain: DevelopmentChain) -> bytes:
    """Put the contracts of a venue on a chain, and return where."""

    async def place() -> bytes:
        async with AsyncRpc(chain.url) as rpc:
            return (await deployed(rpc))[0].chain

    return asyncio.run(place())


def run_to_its_end(config: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run a venue that is to end by itself; what it says is on one line."""
    return subprocess.run(
        [*COMMAND, "--config", str(config), *more], capture_output=True, text=True,
        env=os.environ | {"COLUMNS": "400"}, check=False,
    )  # fmt: skip


class Traded(NamedTuple):
    """A venue that is served, a client, and the accounts of OWNERS."""

    process: subprocess.Popen[str]
    client: Client
    deployment: Deployment
    accounts: list[int]


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run the venue of a folder; give the process and what it wrote."""
    told = folder / "serving.json"
    told.unlink(missing_ok=True)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*COMMAND, "--config", str(folder / "venue.toml"), "--json", str(told)],
            stderr=log, text=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + SECONDS_MAX
        while not told.is_file() or not told.read_text().endswith("}\n"):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "the venue did not come up"
            time.sleep(0.02)
        yield process, json.loads(told.read_text())
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def traded_on(
    chain: DevelopmentChain, folder: Path, more: str = ""
) -> AsyncGenerator[Traded]:
    """Serve a new venue whose accounts have their money; it has drained when the block ends.

    The block terminates it when it wants to.
    """
    async with AsyncRpc(chain.url) as rpc:
        deployment, accounts = await deployed(rpc)
    configured(folder, chain.url, deployment.chain, more)
    with serving(folder) as (process, where):
        async with await connect(where["websocket"]) as client:
            await credited(client, accounts)
            yield Traded(process, client, deployment, accounts)
        assert await asyncio.to_thread(process.wait, SECONDS_MAX) == 0


@dataclass
class Load:
    """Transfers back and forth, as many at a time as a busy client has."""

    receipts: list[Receipt] = field(default_factory=list[Receipt])
    refusals: set[str] = field(default_factory=set[str])
    unanswered: int = 0

    async def run(self, client: Client, accounts: list[int]) -> None:
        traders = [client.trader(key, n) for key, n in zip(OWNERS, accounts, strict=True)]
        await asyncio.gather(*(self._keep_sending(n, traders) for n in range(IN_FLIGHT)))

    async def _keep_sending(self, place: int, traders: list[Trader]) -> None:
        source, target = traders[place % 2], traders[1 - place % 2]
        try:
            while True:
                reply = await source.transfer(target.account, "0.01")
                self.receipts.append(source.receipts[reply.receipt.seq])
        except ApiError as refusal:
            self.refusals.add(refusal.reason)
        except ConnectionLost:
            self.unanswered += 1


async def credited(client: Client, accounts: list[int]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            for account in accounts:
                await client.account(account)
        except ApiError:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("deposits are credited")


def checked(folder: Path, load: Load) -> int:
    """Hold the journal to the receipts; return its last seq."""
    with Journal(folder / "journal") as journal:
        entries = [entry for group in journal.replay() for entry in group]
    for receipt in load.receipts:
        assert receipt.seq <= len(entries), "a receipted entry is missing"
        assert entry_hash(entries[receipt.seq - 1]) == receipt.entry_hash
    return len(entries)


def test_a_venue_drained_under_load_loses_nothing_and_leaves_nobody_unanswered(
    tmp_path: Path,
) -> None:
    load = Load()

    async def scenario(chain: DevelopmentChain) -> None:
        async with traded_on(chain, tmp_path) as venue:
            running = asyncio.create_task(load.run(venue.client, venue.accounts))
            while len(load.receipts) < 100:
                await asyncio.sleep(0.01)
            venue.process.terminate()
            await running
        last_seq = checked(tmp_path, load)
        assert last_seq == max(receipt.seq for receipt in load.receipts)
        assert (load.refusals, load.unanswered) == ({"NOT_ACCEPTING"}, 0)
        async with AsyncRpc(chain.url) as rpc:
            next_seq = await rpc.view(venue.deployment.chain, NEXT_SEQ)
            assert next_seq == last_seq + 1, "all is on chain"
        with serving(tmp_path) as (_, where):
            assert where["seq"] == last_seq, "it goes on where it ended"
            http = where["http"].removesuffix("/rpc")
            while (ready := httpx.get(f"{http}/ready", trust_env=False)).status_code != 200:
                assert ready.json()["state"] == "chain_unseen", "only the first look is due"
            assert (ready.status_code, ready.json()["state"]) == (200, "accepting")

    with DevelopmentChain.start() as chain:
        asyncio.run(scenario(chain))
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {"level", "timestamp", "event"} <= set(events[0]), "every line is an object"


def test_a_history_is_kept_up_beside_the_venue(tmp_path: Path) -> None:
    async def scenario(chain: DevelopmentChain) -> None:
        more = '[history]\ndatabase = "history.db"\nfollow = true\n[snapshots]\nevery = 1000\n'
        async with traded_on(chain, tmp_path, more) as venue:
            deadline = time.monotonic() + SECONDS_MAX
            while time.monotonic() < deadline:
                try:
                    rows = await venue.client.transactions(venue.accounts[0])
                except ApiError as refusal:
                    assert refusal.reason == "HISTORY_UNAVAILABLE"
                    await asyncio.sleep(0.1)
                    continue
                if rows.transactions:
                    break
            assert rows.transactions[0].amount == "1000"
            venue.process.terminate()

    with DevelopmentChain.start() as chain:
        asyncio.run(scenario(chain))
    lines = (tmp_path / "log").read_text().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines), "those of followers too"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("port = 0", "port = -1"), "interface.port is -1, must be a whole number, at least 0"),
        (('"operator.key"', '"none.key"'), "chain.operator_key_file names"),
        (("http://", "htp://"), "htp://"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    change: tuple[str, str], message: str, tmp_path: Path
) -> None:
    path = configured(tmp_path, "http://127.0.0.1:1", bytes(20))
    path.write_text(path.read_text().replace(*change))
    ended = run_to_its_end(path)
    assert ended.returncode == 2 and message in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_configuration_is_checked_without_a_chain(tmp_path: Path) -> None:
    path = configured(tmp_path, "http://127.0.0.1:1", bytes(20))
    ended = run_to_its_end(path, "--check")
    assert ended.returncode == 0 and "is good" in ended.stderr


async def offered_wei(rpc: AsyncRpc, first_block: int) -> set[int]:
    """Return what was offered for a gas by all transactions from a block on."""
    prices: set[int] = set()
    for number in range(first_block, await rpc.block_number() + 1):
        block = await rpc.call("eth_getBlockByNumber", hex(number), True)
        prices |= {int(row["maxFeePerGas"], 16) for row in block["transactions"]}
    return prices


def test_settlement_offers_no_more_for_gas_than_is_configured(tmp_path: Path) -> None:
    price_max_wei = 1_250_000_000

    async def scenario(chain: DevelopmentChain) -> None:
        async with AsyncRpc(chain.url) as rpc:
            deployment, _ = await deployed(rpc)
            path = configured(tmp_path, chain.url, deployment.chain)
            line = f"price_max_wei = {price_max_wei}\n[sequencer]"
            path.write_text(path.read_text().replace("[sequencer]", line))
            next_block = await rpc.block_number() + 1
            assert min(await offered_wei(rpc, next_block - 1)) > price_max_wei, "it would be more"
            with serving(tmp_path):
                deadline = time.monotonic() + SECONDS_MAX
                while await rpc.view(deployment.chain, NEXT_SEQ) == 1:
                    assert time.monotonic() < deadline, "the deposits are appended"
                    await asyncio.sleep(0.05)
            assert await offered_wei(rpc, next_block) == {price_max_wei}

    with DevelopmentChain.start() as chain:
        asyncio.run(scenario(chain))


def test_an_operator_whom_the_contract_does_not_know_is_named(tmp_path: Path) -> None:
    with DevelopmentChain.start() as chain:
        path = configured(tmp_path, chain.url, place_of_a_venue(chain))
        (tmp_path / "operator.key").write_text(FUNDER.hex())
        ended = run_to_its_end(path)
    assert ended.returncode == 2 and "the contract takes appends from" in ended.stderr


def test_a_venue_whose_journal_is_gone_takes_nothing_before_it_says_so(tmp_path: Path) -> None:
    """Of its numbers those on the chain are given away: a receipt of another would contradict."""

    async def scenario(chain: DevelopmentChain) -> None:
        async with traded_on(chain, tmp_path) as venue:
            source, target = venue.accounts
            for _ in range(3):
                await venue.client.trader(OWNERS[0], source).transfer(target, "0.01")
            venue.process.terminate()

    with DevelopmentChain.start() as chain:
        asyncio.run(scenario(chain))
        shutil.rmtree(tmp_path / "journal")
        ended = run_to_its_end(tmp_path / "venue.toml")
    assert ended.returncode == 2 and "is not in this journal" in ended.stderr, ended.stderr
    assert "venue.serving" not in ended.stderr, "nobody was answered"
    with Journal(tmp_path / "journal") as journal:
        assert journal.last_seq == 0, "nor a number given"


def test_a_venue_whose_terminal_is_closed_drains(tmp_path: Path) -> None:
    with DevelopmentChain.start() as chain:
        configured(tmp_path, chain.url, place_of_a_venue(chain))
        with serving(tmp_path) as (process, _):
            process.send_signal(signal.SIGHUP)
            assert process.wait(SECONDS_MAX) == 0
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with serving(tmp_path) as (process, _):  # as by nohup
                process.send_signal(signal.SIGHUP)
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(1)
        finally:
            signal.signal(signal.SIGHUP, before)
