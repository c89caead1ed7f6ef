"""`proofbook history …` beside a real node, killed at random, and asked what happened."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from tests.integration.memory_venue import MemoryVenue
from tests.integration.small_venue import (
    CHAIN_ID,
    CONTRACT,
    FIRST_ACCOUNT,
    GENESIS,
    listed_venue,
    two_traders,
)
from tests.integration.test_settlement import on_venue
from tests.unit.history.stage import append, contents
from typer.testing import CliRunner

from proofbook.chain.rpc import AsyncRpc
from proofbook.cli import app
from proofbook.history.database import Identity
from proofbook.history.setting import open_database
from proofbook.settlement.development_chain import DevelopmentChain

PERPETUAL = "BTC-PERP"
SECONDS_MAX = 30.0
ROUNDS = 24


def follower(journal: Path, database: Path) -> subprocess.Popen[bytes]:
    where = ["--journal", str(journal), "--database", str(database)]
    command = [sys.executable, "-m", "proofbook.cli", "history", "follow", *where]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def trade(node: Any, journal: Path, database: Path) -> int:
    """Trade while followers come and are killed; return the last entry."""
    draw = random.Random(7)
    process = follower(journal, database)
    async with two_traders(node) as (_, maker, taker):
        for place in range(ROUNDS):
            await maker.place(PERPETUAL, "buy", "59999.5", "0.5", post_only=True)
            await taker.place(PERPETUAL, "sell", "59000", "0.2")
            if place % 8 == 3:
                await asyncio.sleep(0.8 + draw.random())
                process.kill()
                process.wait()
                process = follower(journal, database)
        last_seq = node.engine.seq
    deadline = time.monotonic() + SECONDS_MAX
    while seq_of(database) < last_seq:
        assert process.poll() is None, "the follower has gone"
        assert time.monotonic() < deadline, f"at {seq_of(database)} of {last_seq}"
        await asyncio.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait) == 0
    return last_seq


def seq_of(database: Path) -> int:
    with open_database(str(database)) as opened:
        return opened.position().seq


def ask(database: Path, *arguments: str) -> Any:
    made = CliRunner().invoke(app, ["history", *arguments, "--database", str(database)])
    assert made.exit_code == 0, made.output
    return json.loads(made.stdout) if made.stdout.startswith("[") else made.stdout


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, int]:
    """A journal, and the history that followers made of it while the node ran."""
    folder = tmp_path_factory.mktemp("traded")
    journal, database = folder / "journal", folder / "history.db"
    with open_database(str(database)) as opened:
        opened.claim(Identity(GENESIS, CHAIN_ID, CONTRACT))

    async def scenario() -> int:
        async with listed_venue(journal) as node:
            return await trade(node, journal, database)

    return journal, database, asyncio.run(scenario())


def test_history_of_killed_followers_equals_one_written_anew(
    traded: tuple[Path, Path, int],
) -> None:
    journal, database, last_seq = traded
    with open_database(str(database)) as opened:
        followed = contents(opened)
    assert len(followed["entries"]) == last_seq and len(followed["fills"]) >= 2 * ROUNDS
    ask(database, "rebuild", "--journal", str(journal))
    with open_database(str(database)) as opened:
        assert contents(opened) == followed


def test_questions_are_answered_by_account_and_page(traded: tuple[Path, Path, int]) -> None:
    _, database, _ = traded
    fills = ask(database, "fills", "--account", str(FIRST_ACCOUNT), "--limit", "5")
    assert len(fills) == 5 and {fill["account"] for fill in fills} == {FIRST_ACCOUNT}
    assert {fill["role"] for fill in fills} == {"MAKER"}
    older = ask(
        database, "fills", "--account", str(FIRST_ACCOUNT), "--before-seq", str(fills[-1]["seq"])
    )
    assert older and older[0]["seq"] < fills[-1]["seq"]
    orders = ask(database, "orders", "--account", str(FIRST_ACCOUNT))
    assert sum(int(order["filled_lots"]) for order in orders) > 0
    moved = ask(database, "transactions", "--account", str(FIRST_ACCOUNT))
    assert {"DEPOSIT", "FEE"} <= {row["kind"] for row in moved}
    assert moved[0]["balance_atoms"] == str(sum(int(row["amount_atoms"]) for row in moved))
    (candle,) = ask(database, "candles", "--period", "day")
    assert candle["low_ticks"] <= candle["open_ticks"] <= candle["high_ticks"]
    assert ask(database, "fills", "--to", "2020-01-01") == []


def test_export_holds_the_same_rows_exactly(traded: tuple[Path, Path, int], tmp_path: Path) -> None:
    _, database, _ = traded
    with open_database(str(database)) as opened:
        rows = contents(opened)["transactions"]
    target = tmp_path / "transactions.parquet"
    ask(database, "export", "--table", "transactions", str(target))
    read = [tuple(row.values()) for row in parquet.read_table(target).to_pylist()]
    assert read == rows and isinstance(read[0][6], Decimal)
    middle = rows[len(rows) // 2][3]
    ask(database, "export", "--table", "transactions", "--from", str(middle), str(target))
    assert parquet.read_metadata(target).num_rows == sum(row[3] >= middle for row in rows)
    assert list(tmp_path.iterdir()) == [target], "no draft is left"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "--table", "guests", "out.parquet"], "no table is named guests"),
        (["fills", "--limit", "0"], "at least 1"),
        (["candles", "--period", "year"], "no table is named candles_year"),
        (["rebuild", "--journal", "absent"], "there is no journal in absent"),
        (["fills", "--from", "yesterday"], "neither ISO 8601 nor nanoseconds"),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_line(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    database = tmp_path / "history.db"
    with open_database(str(database)) as opened:
        opened.claim(Identity(GENESIS, CHAIN_ID, CONTRACT))
    made = CliRunner().invoke(app, ["history", *arguments, "--database", str(database)])
    assert made.exit_code == 2 and said in " ".join(made.output.split())


def test_new_history_learns_its_venue_from_the_chain(tmp_path: Path) -> None:
    entries: list[bytes] = []

    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        venue.write_ticks(3)
        entries.extend(venue.entries)

    journal, database = tmp_path / "journal", tmp_path / "history.db"
    with DevelopmentChain.start() as chain:
        contract = "0x" + on_venue(chain, story).hex()
        append(journal, [entries])
        rebuild = ["history", "rebuild", "--journal", str(journal), "--database", str(database)]
        made = CliRunner().invoke(app, rebuild)
        assert made.exit_code == 2 and "--rpc and --contract" in " ".join(made.output.split())
        made = CliRunner().invoke(app, [*rebuild, "--rpc", chain.url, "--contract", contract])
        assert made.exit_code == 0, made.output
    assert seq_of(database) == len(entries)
