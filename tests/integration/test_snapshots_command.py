"""A venue that is served takes snapshots beside it, and goes on from one when it was killed."""

import asyncio
import json
import time
from pathlib import Path

from tests.integration.test_serve import (
    SECONDS_MAX,
    Load,
    configured,
    credited,
    deployed,
    serving,
)
from typer.testing import CliRunner, Result

from proofbook.chain.rpc import AsyncRpc
from proofbook.cli import app
from proofbook.client import connect
from proofbook.recovery.snapshot_file import read_head, snapshot_paths
from proofbook.settlement.development_chain import DevelopmentChain

EVERY = 40


async def until_taken(folder: Path, after_seq: int) -> int:
    """Wait for a snapshot after an entry; return its seq."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        paths = snapshot_paths(folder)
        if paths and (seq := read_head(paths[0]).place.seq) >= after_seq:
            return seq
        await asyncio.sleep(0.05)
    raise AssertionError("no snapshot was taken")


async def load_until_taken(url: str, accounts: list[int], folder: Path) -> int:
    async with await connect(url, is_patient=False) as client:
        await credited(client, accounts)
        load = asyncio.create_task(Load().run(client, accounts))
        seq = await until_taken(folder, EVERY)
        load.cancel()
        await asyncio.wait([load])
        return seq


def listed(folder: Path, report: Path) -> Result:
    arguments = ["snapshots", "list", "--folder", str(folder), "--json", str(report)]
    return CliRunner().invoke(app, arguments)


def test_served_venue_goes_on_from_a_snapshot_after_a_kill(tmp_path: Path) -> None:
    async def deploy(url: str) -> tuple[bytes, list[int]]:
        async with AsyncRpc(url) as rpc:
            deployment, accounts = await deployed(rpc)
            return deployment.chain, accounts

    with DevelopmentChain.start() as chain:
        contract, accounts = asyncio.run(deploy(chain.url))
        configured(tmp_path, chain.url, contract, f"[snapshots]\nevery = {EVERY}\nkept = 2\n")
        folder = tmp_path / "snapshots"
        with serving(tmp_path) as (_, told):
            taken_seq = asyncio.run(load_until_taken(told["websocket"], accounts, folder))
        with serving(tmp_path) as (_, told):
            assert told["seq"] >= taken_seq
        lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
        (restored,) = [line for line in lines if line["event"] == "snapshot.restored"]
        assert restored["seq"] >= taken_seq
    report = tmp_path / "report.json"
    assert listed(folder, report).exit_code == 0
    rows = json.loads(report.read_text())
    assert 1 <= len(rows) <= 2 and rows[0]["seq"] >= taken_seq and rows[0]["fault"] is None


def test_list_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    (tmp_path / "7.snapshot").write_bytes(b"PROOF")
    result = listed(tmp_path, tmp_path / "report.json")
    assert result.exit_code == 0 and "SnapshotDamaged" in result.output
    (row,) = json.loads((tmp_path / "report.json").read_text())
    assert row["fault"] == "SnapshotDamaged: the file is no snapshot"
    assert (row["seq"], row["bytes"]) == (None, 5)


def test_list_shows_the_others_beside_a_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "7.snapshot").write_bytes(b"PROOF")
    (tmp_path / "8.snapshot").symlink_to(tmp_path / "absent")
    result = listed(tmp_path, tmp_path / "report.json")
    assert result.exit_code == 0, result.output
    dangling, damaged = json.loads((tmp_path / "report.json").read_text())
    assert (dangling["file"], dangling["bytes"]) == ("8.snapshot", 0)
    assert dangling["fault"] == "No such file or directory"
    assert damaged["file"] == "7.snapshot"
