"""`proofbook tx show` and `positions`: an order's way, as its owner follows it."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.integration.memory_venue import ALICE, FINALITY_SECONDS, MemoryVenue
from tests.integration.small_venue import FIRST_ACCOUNT, listed_venue, two_traders
from tests.integration.test_settlement import fund_alice, on_venue, settlement_of
from typer.testing import CliRunner, Result

from proofbook.api.receipts import Receipt
from proofbook.api.signing import Key
from proofbook.chain.rpc import AsyncRpc
from proofbook.cli import app
from proofbook.cli.tx import promise_of, receipt_rows
from proofbook.protocol.commands import CancelAll
from proofbook.protocol.entry import HEAD, entry_hash
from proofbook.protocol.limits import Reject
from proofbook.protocol.outcomes import APPLIED, Outcome
from proofbook.sequencer.receipts import Shared, read_receipt, sign_group
from proofbook.settlement.development_chain import DevelopmentChain, advance_clock
from proofbook.verification.journey import Journey


@dataclass
class Story:
    """Entries on a chain: an order was `placed`; `unclaimed` comes after the last claim."""

    chain: DevelopmentChain
    contract: bytes
    entries: list[bytes]
    placed: int
    unclaimed: int


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with DevelopmentChain.start() as chain:
        told: list[Story] = []

        async def tell(venue: MemoryVenue, rpc: AsyncRpc) -> None:
            account = await fund_alice(venue, rpc)
            venue.list_perpetual()
            venue.mark_perpetual()
            assert venue.write(venue.order(account), ALICE).is_applied
            placed = len(venue.entries)
            settlement = settlement_of(venue, rpc)
            await settlement.settle_all()
            await advance_clock(rpc, FINALITY_SECONDS + 1)
            assert venue.write(CancelAll(account, 99, 1 << 63), ALICE).is_applied
            await settlement._append_new()  # type: ignore[reportPrivateUsage]
            contract = venue.deployment.chain
            last = len(venue.entries)
            told.append(Story(chain, contract, venue.entries, placed, last))

        on_venue(chain, tell)
        yield told[0]


def show(story: Story, *arguments: str) -> Result:
    place = ("--rpc", story.chain.url, "--contract", "0x" + story.contract.hex())
    return CliRunner().invoke(app, ["tx", "show", *arguments, *place, "--json", "-"])


def test_an_entry_is_followed_to_its_final_root(story: Story) -> None:
    result = show(story, str(story.placed))
    assert result.exit_code == 0, result.output
    entry = json.loads(result.stdout)["entry"]
    assert entry["command"] == "Place" and entry["outcome"] == "APPLIED"
    assert entry["entry_hash"] == "0x" + entry_hash(story.entries[story.placed - 1]).hex()
    assert "ORDER_RESTED" in {event["event"] for event in entry["events"]}
    assert entry["is_final"] and entry["claim"] == 0 and len(entry["root"]) == 66
    assert entry["final_at"] == entry["claimed_at"] + FINALITY_SECONDS


def test_an_order_is_found_by_the_entry_that_it_rests_by(story: Story) -> None:
    rested = json.loads(show(story, str(story.placed)).stdout)["entry"]["events"]
    order = next(event["order"] for event in rested if event["event"] == "ORDER_RESTED")
    found = json.loads(show(story, "--order", str(order)).stdout)
    assert found["seq"] == story.placed


def test_what_is_appended_and_not_claimed_has_no_root(story: Story) -> None:
    result = show(story, str(story.unclaimed))
    entry = json.loads(result.stdout)["entry"]
    assert entry["command"] == "CancelAll"
    assert (entry["claim"], entry["root"], entry["is_final"]) == (None, None, False)


def test_what_is_nowhere_is_said(story: Story) -> None:
    for wanted in (("999",), ("--order", "999999")):
        result = show(story, *wanted)
        assert result.exit_code == 1 and "not found" in result.output


def test_one_of_seq_and_order_is_asked_for(story: Story) -> None:
    for wanted in ((), ("1", "--order", "1")):
        result = show(story, *wanted)
        assert result.exit_code == 2 and "one of them" in result.output


def receipt_of(entry: bytes) -> Receipt:
    _, window_ns, received_ns = HEAD.unpack_from(entry)
    shared, hashes = Shared(1, 1, window_ns, 0), ([entry_hash(entry)], [bytes(32)])
    signed = sign_group(Key(b"\x21" * 32), bytes(32), shared, hashes, [received_ns], [APPLIED])
    return read_receipt(signed[0])


def test_a_receipt_that_the_chain_contradicts_is_called_broken(story: Story) -> None:
    entry = json.loads(show(story, str(story.placed)).stdout)["entry"]
    journey = Journey(**entry)
    receipt = receipt_of(story.entries[story.placed - 1])
    assert promise_of(receipt, journey).is_kept is True
    assert promise_of(receipt, None).is_kept is None
    for changed in (
        replace(receipt, entry_hash=bytes(32)),
        replace(receipt, outcome=Outcome.rejected(Reject.MESSAGE_EXPIRED)),
    ):
        promised = promise_of(changed, journey)
        assert promised.is_kept is False
        assert any("BROKEN" in words for _, words in receipt_rows(promised))


def test_positions_of_an_account_are_listed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listed_venue(tmp_path) as node, two_traders(node) as (_, first, second):
            await first.place("BTC-PERP", "buy", "60000", "2")
            await second.place("BTC-PERP", "sell", "60000", "1")
            arguments = ["positions", str(FIRST_ACCOUNT), "--url", node.websocket_url]
            result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--json", "-"])
            assert result.exit_code == 0, result.output
            (row,) = json.loads(result.stdout)
            assert (row["instrument"], row["amount"]) == ("BTC-PERP", "1")
            shown = await asyncio.to_thread(CliRunner().invoke, app, arguments)
            assert "BTC-PERP" in shown.output and "positions: 1" in shown.output

    asyncio.run(scenario())


def test_the_shell_completes_commands() -> None:
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).output
    environment = {
        "_PROOFBOOK_COMPLETE": "complete_bash",
        "COMP_WORDS": "proofbook po",
        "COMP_CWORD": "1",
    }
    completed = CliRunner().invoke(app, [], prog_name="proofbook", env=environment)
    assert completed.output.split() == ["positions"]
