"""After a restart a message that was taken gets the answer of the first time, byte for byte."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from tests.integration.memory_venue import ALICE, MemoryVenue
from tests.integration.small_venue import (
    CHAIN_ID,
    CONTRACT,
    FIRST_ACCOUNT,
    GENESIS,
    SEQUENCER_KEY,
    TRADER_KEYS,
    fund_and_list,
    running,
    settings,
)
from tests.integration.test_settlement import fund_alice, on_venue, settlement_of
from tests.strategies import EXAMPLES, entries
from typer.testing import CliRunner

from proofbook.api.errors import Refused
from proofbook.api.receipt_file import ReceiptFile
from proofbook.api.receipts import Receipt, names_entry, verify
from proofbook.chain.rpc import AsyncRpc
from proofbook.cli import app
from proofbook.kernel import Kernel
from proofbook.node import Node, NodeSettings, open_node
from proofbook.protocol.commands import CancelAll, Tick, TraderCommand
from proofbook.protocol.eip712 import command_digest
from proofbook.protocol.engine import Result
from proofbook.protocol.entry import Entry, command_bytes
from proofbook.protocol.limits import Reject
from proofbook.recovery.snapshotter import SnapshotSettings, Snapshotter
from proofbook.sequencer.clock import ShiftedClock
from proofbook.sequencer.inclusion import Inclusion
from proofbook.sequencer.journal import Journal
from proofbook.sequencer.recall import signed_key
from proofbook.sequencer.repeats import Receipted
from proofbook.sequencer.sequencer import Committed
from proofbook.settlement.development_chain import DevelopmentChain

FOREVER_NS = 1 << 62
Story = Callable[[Node], Awaitable[None]]


class Killed(Exception):
    """What ends a process between the disk and the answer."""


def kill(committed: Committed) -> None:
    raise Killed(f"after {committed.last_seq}")


def live(given: NodeSettings, story: Story) -> None:
    """Run a node over the journal of the settings until a story is at its end."""

    async def run() -> None:
        node = open_node(given, Kernel(GENESIS, CHAIN_ID, CONTRACT))
        async with running(node):
            await story(node)

    asyncio.run(run())


def cancel_all(nonce: int, trader: int = 0) -> CancelAll:
    return CancelAll(FIRST_ACCOUNT + trader, nonce, FOREVER_NS)


def send(node: Node, command: CancelAll) -> asyncio.Future[Receipted]:
    key = TRADER_KEYS[command.account - FIRST_ACCOUNT]
    signature = key.sign(command_digest(node.sequencer.separator, command))
    return node.sequencer.enqueue(command, 0, signature)


async def send_all(node: Node, nonces: range) -> list[tuple[Result, Receipt, str]]:
    """Send some commands of both traders, so that groups have several entries; return what is
    said of each, member by member and as it is written.
    """
    commands = [cancel_all(nonce, trader) for nonce in nonces for trader in range(2)]
    answers = await asyncio.gather(*(send(node, command) for command in commands))
    return [(answer.result, answer.receipt, answer.receipt_text) for answer in answers]


def with_promise(folder: Path) -> NodeSettings:
    return replace(settings(folder / "journal"), inclusion=Inclusion())


def take_snapshot(folder: Path) -> Path:
    """Write down what the journal of a folder leads to; return where."""
    into = folder / "snapshots"
    given = SnapshotSettings(folder / "journal", into, every=1, kept=1)
    snapshotter = Snapshotter(given, Kernel(GENESIS, CHAIN_ID, CONTRACT))
    while snapshotter.step():
        pass
    snapshotter.close()
    return into


@pytest.mark.parametrize("has_snapshot", [False, True])
def test_answers_are_the_same_after_a_restart(has_snapshot: bool, tmp_path: Path) -> None:
    before: list[tuple[Result, Receipt, str]] = []
    receipts: dict[int, Receipt | None] = {}

    async def first(node: Node) -> None:
        await fund_and_list(node)
        before.extend(await send_all(node, range(1, 40)))
        if has_snapshot:
            take_snapshot(tmp_path)
        before.extend(await send_all(node, range(40, 60)))
        last_seq = node.engine.seq
        receipts.update((seq, node.sequencer.receipt(seq)) for seq in range(1, last_seq + 1))

    async def second(node: Node) -> None:
        seq = node.engine.seq
        assert await send_all(node, range(1, 60)) == before
        assert {at: node.sequencer.receipt(at) for at in receipts} == receipts
        assert node.engine.seq == seq, "nothing was sequenced again"
        assert node.sequencer.receipt(seq + 1) is None
        await node.sequencer.submit(Tick())

    given = with_promise(tmp_path)
    live(given, first)
    assert None not in receipts.values()
    assert any(receipt and receipt.group.count > 2 for receipt in receipts.values())
    assert all(receipt and receipt.include_by_ns for receipt in receipts.values())
    snapshots = tmp_path / "snapshots" if has_snapshot else None
    for _ in range(2):
        live(replace(given, snapshots=snapshots, inclusion=Inclusion()), second)


def test_another_message_under_a_used_nonce_is_refused_after_a_restart(tmp_path: Path) -> None:
    async def first(node: Node) -> None:
        await fund_and_list(node)
        await send(node, cancel_all(1))

    async def second(node: Node) -> None:
        for other in (CancelAll(FIRST_ACCOUNT, 1, FOREVER_NS + 1), cancel_all(1, trader=1)):
            if other.account == FIRST_ACCOUNT:
                with pytest.raises(Refused) as refused:
                    await send(node, other)
                assert refused.value.reason == Reject.NONCE_USED.name
            else:
                assert (await send(node, other)).result.outcome.is_applied

    live(settings(tmp_path), first)
    live(settings(tmp_path), second)


def test_another_epoch_signs_nothing_for_the_one_before(tmp_path: Path) -> None:
    async def first(node: Node) -> None:
        await fund_and_list(node)
        await send(node, cancel_all(1))

    async def second(node: Node) -> None:
        assert node.sequencer.receipt(node.engine.seq) is None
        with pytest.raises(Refused) as refused:
            await send(node, cancel_all(1))
        assert refused.value.reason == Reject.NONCE_USED.name
        assert (await send(node, cancel_all(2))).receipt.epoch == 2

    live(settings(tmp_path), first)
    live(replace(settings(tmp_path), epoch=2), second)


def test_who_got_no_answer_gets_the_receipt_after_a_restart(tmp_path: Path) -> None:
    async def first(node: Node) -> None:
        await fund_and_list(node)

    async def killed(node: Node) -> None:
        node.sequencer.subscribe(kill)
        with pytest.raises(Refused) as refused:
            await send(node, cancel_all(1))
        assert refused.value.reason == "STOPPED_BY_FAULT"

    async def third(node: Node) -> None:
        seq = node.engine.seq
        receipt = (await send(node, cancel_all(1))).receipt
        assert receipt.seq == seq == node.engine.seq
        assert verify(receipt, node.sequencer.separator, SEQUENCER_KEY.address)
        signature = TRADER_KEYS[0].sign(command_digest(node.sequencer.separator, cancel_all(1)))
        assert names_entry(receipt, command_bytes(cancel_all(1), 0, signature))

    live(settings(tmp_path), first)
    with pytest.raises(ExceptionGroup) as ended:
        live(settings(tmp_path), killed)
    assert ended.group_contains(Killed)
    live(settings(tmp_path), third)


def test_receipt_that_is_signed_after_a_restart_holds_against_the_chain(tmp_path: Path) -> None:
    """`proofbook receipts check` takes it, though nobody got it before the process was killed."""

    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        account = await fund_alice(venue, rpc)
        deployment = venue.deployment
        with Journal(tmp_path / "journal") as journal:
            await journal.append_group(venue.entries)
        given = NodeSettings(
            tmp_path / "journal", deployment.chain_id, deployment.chain, SEQUENCER_KEY,
            clock=ShiftedClock(venue.now_ns + 10**9), inclusion=Inclusion(),
        )  # fmt: skip
        origin = deployment.genesis, deployment.chain_id, deployment.chain
        command = CancelAll(account, 1, FOREVER_NS)
        signature = ALICE.sign(command_digest(venue.separator, command))
        node = open_node(given, Kernel(*origin))
        node.sequencer.subscribe(kill)
        node.sequencer.enqueue(command, 0, signature).add_done_callback(asyncio.Future.exception)
        with pytest.raises(Killed):
            await node.sequencer.run()
        node.close()
        again = open_node(replace(given, inclusion=Inclusion()), Kernel(*origin))
        receipt = (await again.sequencer.submit(command, 0, signature)).receipt
        venue.entries[:] = again.journal.read(1, again.journal.last_seq)
        again.close()
        await settlement_of(venue, rpc).settle_all()
        kept = ReceiptFile(tmp_path / "receipts")
        contract, body = "0x" + deployment.chain.hex(), command_bytes(command, 0, signature)
        kept.keep(deployment.chain_id, contract, SEQUENCER_KEY.address, body, receipt)
        kept.close()

    with DevelopmentChain.start() as chain:
        contract = on_venue(chain, story)
        report = tmp_path / "report.json"
        result = CliRunner().invoke(
            app,
            [
                "receipts", "check", str(tmp_path / "receipts"), "--rpc", chain.url,
                "--contract", "0x" + contract.hex(), "--json", str(report),
            ],
        )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert [row[1] for row in json.loads(report.read_text())] == ["INCLUDED"]


@EXAMPLES
@given(entries())
def test_head_of_a_signed_entry_is_read_without_the_rest(entry: Entry) -> None:
    command = entry.command
    expected = None
    if isinstance(command, TraderCommand):
        expected = command.account, entry.session, command.nonce
    assert signed_key(entry.encode()) == expected
