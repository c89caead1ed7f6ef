"""`proofbook verify` knows a URL and an address, and tells the truth by its exit code."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.memory_venue import GOVERNANCE_DELAY_SECONDS, MemoryVenue
from tests.integration.test_settlement import on_venue, settlement_of
from typer.testing import CliRunner, Result

from proofbook.chain.rpc import AsyncRpc
from proofbook.cli import app
from proofbook.settlement.appends import read_position, send_append
from proofbook.settlement.development_chain import DevelopmentChain


@pytest.fixture(scope="module")
def chain() -> Iterator[DevelopmentChain]:
    with DevelopmentChain.start() as running:
        yield running


def run(chain: DevelopmentChain, contract: str, *options: str) -> Result:
    arguments = ["verify", "--rpc", chain.url, "--contract", contract, *options]
    return CliRunner().invoke(app, arguments)


@pytest.fixture(scope="module")
def honest(chain: DevelopmentChain) -> str:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        venue.write_ticks(5)
        await settlement_of(venue, rpc).settle_all()

    return "0x" + on_venue(chain, story).hex()


@pytest.fixture(scope="module")
def disordered(chain: DevelopmentChain) -> str:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        venue.write_ticks(2)
        position = await read_position(rpc, venue.deployment, venue.sender)
        swapped = [venue.entries[1], venue.entries[0]]
        await send_append(venue.sender, venue.deployment, position, swapped)

    return "0x" + on_venue(chain, story).hex()


@pytest.mark.parametrize("engine", ["kernel", "spec"])
def test_an_honest_chain_ends_with_0(chain: DevelopmentChain, honest: str, engine: str) -> None:
    result = run(chain, honest, "--engine", engine)
    assert result.exit_code == 0, result.output
    assert f"5 entries replayed by the {engine}" in result.output
    shown = " ".join(result.output.split())
    assert f"which change {GOVERNANCE_DELAY_SECONDS} s later" in shown, "who may change the rules"


@pytest.mark.parametrize("engine", ["kernel", "spec"])
def test_a_lie_ends_with_1_and_a_name(
    chain: DevelopmentChain, disordered: str, engine: str
) -> None:
    result = run(chain, disordered, "--engine", engine)
    assert result.exit_code == 1, result.output
    assert "VOID_ENTRY entry 2" in result.output
    assert "ORDER_REGRESSED" in " ".join(result.output.split())


def test_the_report_is_written_to_a_file(
    chain: DevelopmentChain, disordered: str, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    run(chain, disordered, "--engine", "spec", "--json", str(path))
    report: dict[str, Any] = json.loads(path.read_text())
    assert report["verified"] is False
    assert report["findings"][0]["seq"] == 2
    assert report["outcomes"] == {"APPLIED": 1, "VOID_ORDER_REGRESSED": 1}


def test_the_report_goes_to_standard_output_alone(chain: DevelopmentChain, honest: str) -> None:
    result = run(chain, honest, "--engine", "spec", "--json", "-")
    assert json.loads(result.stdout)["verified"] is True


def test_an_address_without_contract_ends_with_2(chain: DevelopmentChain) -> None:
    result = run(chain, "0x" + "11" * 20)
    assert result.exit_code == 2
    assert "no contract at" in result.output


def test_a_contract_that_is_no_chain_ends_with_2(chain: DevelopmentChain, honest: str) -> None:
    result = run(chain, "0x5fbdb2315678afecb367f032d93f642f64180aa3")
    assert result.exit_code == 2, result.output


def test_a_chain_that_does_not_answer_ends_with_2(honest: str) -> None:
    arguments = ["verify", "--rpc", "http://127.0.0.1:1", "--contract", honest]
    assert CliRunner().invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize("text", ["", "0x", "0x12", "12" * 20, "0x" + "zz" * 20])
def test_what_is_no_address_is_refused(chain: DevelopmentChain, text: str) -> None:
    result = run(chain, text)
    assert result.exit_code == 2
    assert "no address" in " ".join(result.output.replace("│", " ").split())
