"""What a command costs as the state grows: measured on small states, computed right."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from proofbook.cli import app
from proofbook.cli.benchmarks.growth import COMMANDS, exponents
from proofbook.protocol.commands import Place
from proofbook.protocol.limits import ArenaId, Side
from proofbook.protocol.records import AccountRecord
from proofbook.simulator.growth import Hall, NotApplied, many_orders, many_positions


def row(us: float) -> dict[str, Any]:
    return {name: {"batch_us": us} for name in COMMANDS} | {"root_us": us}


def test_costs_in_proportion_have_the_power_one_and_equal_ones_none() -> None:
    assert set(exponents({"1": row(2.0), "10": row(20.0), "100": row(200.0)}).values()) == {1.0}
    assert set(exponents({"1": row(2.0), "10": row(2.0)}).values()) == {0.0}
    assert exponents({"1": row(2.0)}) == {}, "one size says nothing"


def test_a_state_has_as_many_orders_and_positions_as_it_says() -> None:
    traffic = many_orders(100, lambda done: None)
    engine = traffic.hall.engine
    records = [engine.read(ArenaId.ACCOUNTS, account) for account in traffic.accounts]
    counts = [AccountRecord.unpack(record).orders_live for record in records]
    assert sum(counts) == 100
    traffic = many_positions(8, lambda done: None)
    (account,) = traffic.accounts
    assert len(traffic.hall.floor.positions(account)) == 8


def test_what_is_not_applied_is_named() -> None:
    hall = Hall()
    (poor,) = hall.open(1, 1)
    with pytest.raises(NotApplied, match="Place") as caught:
        hall.send([hall.order(poor, 0, Side.BUY, hall.prices[0])])
    assert isinstance(caught.value.command, Place)


def test_growth_reports_every_size_and_draws_it(tmp_path: Path) -> None:
    path, picture = tmp_path / "growth.json", tmp_path / "growth.png"
    arguments = [
        "bench", "growth", "--accounts", "100", "--instruments", "40", "--orders", "100",
        "--positions", "8", "--rounds", "1", "--json", str(path), "--plot", str(picture),
    ]  # fmt: skip
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    report = json.loads(path.read_text())
    assert {axis: list(rows) for axis, rows in report["growth"].items()} == {
        "accounts": ["10", "100"],
        "instruments": ["10", "40"],
        "orders": ["10", "100"],
        "positions": ["1", "8"],
    }
    assert all(
        costs[name]["p99_us"] >= costs[name]["p50_us"] > 0
        for rows in report["growth"].values()
        for costs in rows.values()
        for name in COMMANDS
    )
    assert set(report["exponents"]["orders"]) == {*COMMANDS, "root"}
    assert picture.stat().st_size > 10_000
