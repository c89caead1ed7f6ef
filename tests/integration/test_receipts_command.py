"""`proofbook receipts check`: what a sequencer signed against what it put on chain."""

import asyncio
import errno
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from tests.integration.memory_venue import ALICE, MemoryVenue
from tests.integration.small_venue import FIRST_ACCOUNT, TRADER_KEYS, listed_venue
from tests.integration.test_settlement import fund_alice, on_venue, settlement_of
from typer.testing import CliRunner, Result

from proofbook.api.actions import PlaceReply
from proofbook.api.receipt_file import Kept, ReceiptFile, ReceiptFileFault, read_receipts
from proofbook.api.receipts import Receipt, names_entry
from proofbook.api.signing import Key
from proofbook.chain.rpc import AsyncRpc
from proofbook.cli import app
from proofbook.client import ReceiptNotKept, Rejected, connect
from proofbook.protocol.commands import CancelAll
from proofbook.protocol.entry import HEAD, entry_hash
from proofbook.protocol.hashing import keccak
from proofbook.protocol.limits import NS_PER_SECOND, OutcomeKind, Reject
from proofbook.protocol.outcomes import Outcome
from proofbook.sequencer.receipts import Shared, read_receipt, sign_group
from proofbook.settlement.development_chain import DevelopmentChain

SEQUENCER, STRANGER = Key(b"\x21" * 32), Key(b"\x22" * 32)
APPLIED = Outcome(OutcomeKind.APPLIED)
REJECTED = Outcome.rejected(Reject.MESSAGE_EXPIRED)
COMMANDS = 4
LATER_NS = 1 << 63
"""A time that no chain reaches."""


@dataclass
class Story:
    """A venue whose entries are on chain, and what it takes to sign any receipt about them."""

    chain: DevelopmentChain
    contract: bytes
    separator: bytes
    entries: list[bytes]
    now_ns: int

    def chain_hash(self, seq: int) -> bytes:
        chain_hash = bytes(32)
        for entry in self.entries[:seq]:
            chain_hash = keccak(chain_hash + entry_hash(entry))
        return chain_hash

    def receipt(
        self, seq: int, *, key: Key = SEQUENCER, outcome: Outcome = APPLIED,
        hashed: bytes = b"", chained: bytes = b"", include_by_ns: int = LATER_NS,
    ) -> Receipt:  # fmt: skip
        """Return a receipt of an entry, or of one that was never appended, changed as asked."""
        entry = self.entries[seq - 1] if seq <= len(self.entries) else self.entries[-1]
        _, window_ns, received_ns = HEAD.unpack_from(entry)
        shared = Shared(1, seq, window_ns, include_by_ns)
        hashes = [hashed or entry_hash(entry)], [chained or self.chain_hash(seq)]
        signed = sign_group(key, self.separator, shared, hashes, [received_ns], [outcome])
        return read_receipt(signed[0])

    def body(self, seq: int) -> bytes:
        return self.entries[min(seq, len(self.entries)) - 1][HEAD.size :]


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with DevelopmentChain.start() as chain:
        told: list[Story] = []

        async def tell(venue: MemoryVenue, rpc: AsyncRpc) -> None:
            account = await fund_alice(venue, rpc)
            for nonce in range(1, COMMANDS + 1):
                assert venue.write(CancelAll(account, nonce, 1 << 63), ALICE).is_applied
            await settlement_of(venue, rpc).settle_all()
            contract = venue.deployment.chain
            told.append(Story(chain, contract, venue.separator, venue.entries, venue.now_ns))

        on_venue(chain, tell)
        yield told[0]


def check(story: Story, folder: Path, *receipts: tuple[int, Receipt]) -> tuple[Result, list[str]]:
    """Keep receipts as a client does and hold them to the chain; return verdicts."""
    kept = ReceiptFile(folder / "receipts")
    for seq, receipt in receipts:
        contract = "0x" + story.contract.hex()
        kept.keep(story.chain.chain_id, contract, SEQUENCER.address, story.body(seq), receipt)
    kept.close()
    report = folder / "report.json"
    result = CliRunner().invoke(
        app,
        [
            "receipts", "check", str(folder / "receipts"), "--rpc", story.chain.url,
            "--contract", "0x" + story.contract.hex(), "--json", str(report),
        ],
    )  # fmt: skip
    rows = json.loads(report.read_text()) if report.exists() else []
    return result, [row[1] for row in rows]


def test_receipts_of_what_is_on_chain_are_kept_promises(story: Story, tmp_path: Path) -> None:
    seqs = range(2, COMMANDS + 2)
    result, verdicts = check(story, tmp_path, *((seq, story.receipt(seq)) for seq in seqs))
    assert result.exit_code == 0, result.output
    assert verdicts == ["INCLUDED"] * COMMANDS
    assert f"{COMMANDS} receipts: {COMMANDS} INCLUDED" in result.output


def test_lines_that_are_no_receipt_are_counted(story: Story, tmp_path: Path) -> None:
    (tmp_path / "receipts").write_bytes(b"\xff\xfe\n{}\n")
    result, verdicts = check(story, tmp_path, (2, story.receipt(2)))
    assert (result.exit_code, verdicts) == (0, ["INCLUDED"])
    told = " ".join(result.output.split())
    assert "passed over: 2 lines that are no receipt; line 1:" in told


def test_what_is_not_due_yet_is_no_broken_promise(story: Story, tmp_path: Path) -> None:
    later_ns = story.now_ns + 3_600 * NS_PER_SECOND
    missing = COMMANDS + 2
    receipts = [story.receipt(missing, include_by_ns=at) for at in (0, later_ns)]
    result, verdicts = check(story, tmp_path, *((missing, receipt) for receipt in receipts))
    assert (result.exit_code, verdicts) == (0, ["PENDING", "PENDING"]), result.output


@pytest.mark.parametrize(
    ("verdict", "seq", "change"),
    [
        ("OVERDUE", COMMANDS + 2, {"include_by_ns": 1}),
        ("INCLUDED_LATE", 3, {"include_by_ns": 1}),
        ("ORDER_DIFFERS", 3, {"chained": b"\x01" * 32}),
        ("OUTCOME_DIFFERS", 3, {"outcome": REJECTED}),
        ("NOT_SIGNED", 3, {"key": STRANGER}),
        ("NOT_OF_COMMAND", 3, {"hashed": b"\x02" * 32}),
    ],
)
def test_broken_promise_is_named(
    story: Story, tmp_path: Path, verdict: str, seq: int, change: dict[str, object]
) -> None:
    receipt = story.receipt(seq, **change)  # type: ignore[arg-type]
    result, verdicts = check(story, tmp_path, (2, story.receipt(2)), (seq, receipt))
    assert (result.exit_code, verdicts) == (1, ["INCLUDED", verdict]), result.output
    assert verdict in result.output


def test_other_entry_in_its_place_is_named(story: Story, tmp_path: Path) -> None:
    """The receipt is of the command that was sent; the operator put another one there."""
    sent = story.entries[2]
    _, window_ns, received_ns = HEAD.unpack_from(sent)
    shared, hashes = Shared(1, 4, window_ns, 1), ([entry_hash(sent)], [story.chain_hash(4)])
    moved = sign_group(SEQUENCER, story.separator, shared, hashes, [received_ns], [APPLIED])[0]
    result, verdicts = check(story, tmp_path, (3, read_receipt(moved)))
    assert (result.exit_code, verdicts) == (1, ["ENTRY_DIFFERS"]), result.output


def test_two_receipts_of_one_number_contradict_each_other(story: Story, tmp_path: Path) -> None:
    both = [story.receipt(3), story.receipt(3, outcome=REJECTED)]
    result, verdicts = check(story, tmp_path, *((3, receipt) for receipt in both))
    assert (result.exit_code, verdicts) == (1, ["INCLUDED", "CONTRADICTED"]), result.output


def test_nothing_can_be_told_without_file_or_chain(story: Story, tmp_path: Path) -> None:
    contract = "0x" + story.contract.hex()
    for file, url, words in (
        (tmp_path / "absent", story.chain.url, "No such file"),
        (tmp_path, story.chain.url, "Is a directory"),
        (tmp_path / "empty", "http://127.0.0.1:9", "127.0.0.1:9"),
    ):
        (tmp_path / "empty").touch()
        arguments = ["receipts", "check", str(file), "--rpc", url, "--contract", contract]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert words in " ".join(result.output.split()), result.output


def test_client_and_command_line_keep_every_receipt_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "receipts"
    monkeypatch.setenv("PROOFBOOK_RECEIPTS", str(path))

    async def scenario() -> None:
        async with listed_venue(tmp_path / "journal") as node:
            async with await connect(node.websocket_url, receipts=path) as client:
                trader = client.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
                placed = await trader.place("BTC-PERP", "buy", "50000", "0.001")
                with pytest.raises(Rejected) as rejected:
                    await trader.cancel("7")
            arguments = [
                "cancel", str(placed.order), "--url", node.websocket_url,
                "--account", str(FIRST_ACCOUNT), "--key", "0x" + "0b" * 32,
            ]  # fmt: skip
            ended = await asyncio.to_thread(CliRunner().invoke, app, arguments)
            assert ended.exit_code == 0, ended.output
            kept = [(row.parsed(), row.body()) for row in read_receipts(path)]
            assert [receipt.seq for receipt, _ in kept][:2] == list(trader.receipts)
            assert kept[1][0] == rejected.value.receipt and len(kept) == 3
            assert all(names_entry(receipt, body) for receipt, body in kept)

    asyncio.run(scenario())


# The file itself


def test_line_that_was_cut_short_is_passed_over(story: Story, tmp_path: Path) -> None:
    path = tmp_path / "receipts"
    for _ in range(2):
        file = ReceiptFile(path)
        file.keep(1, "0x", SEQUENCER.address, story.body(2), story.receipt(2))
        file.close()
        with path.open("ab") as torn:
            torn.write(b'{"chain_id":1,"contr')
    assert [kept.parsed() for kept in read_receipts(path)] == [story.receipt(2)] * 2


def test_line_that_a_full_disk_cuts_short_is_taken_back(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write = tmp_path / "receipts", os.write
    file = ReceiptFile(path)

    def keep(seq: int) -> None:
        file.keep(1, "0x", SEQUENCER.address, story.body(seq), story.receipt(seq))

    def write_half(at: int, data: bytes) -> int:
        return write(at, data[: len(data) // 2])

    keep(2)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write_half)
        for is_taken_back in (True, False):
            if not is_taken_back:
                patched.setattr(os, "ftruncate", refuse_to_write)
            with pytest.raises(ReceiptFileFault, match="bytes could be written"):
                keep(3)
    keep(4)
    keep(5)
    file.close()
    kept = read_receipts(path)
    assert [row.receipt.seq for row in kept] == [2, 4, 5]
    assert [line.number for line in kept.unreadable] == [2], "the one that stayed"


def test_file_that_was_removed_takes_no_receipt(story: Story, tmp_path: Path) -> None:
    """What is written to it can be read by nobody once the client ends."""
    path = tmp_path / "receipts"
    file = ReceiptFile(path)
    path.unlink()
    for _ in range(2):
        with pytest.raises(ReceiptFileFault, match="was removed"):
            file.keep(1, "0x", SEQUENCER.address, story.body(2), story.receipt(2))
        path.touch()
    file.close()


def refuse_to_write(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "line",
    [
        b'{"chain_id":1,"contract":"\xff"}', b'{"chain_id":' + b"[" * 100_000, b'{"chain_id":"1"}',
        b"", b"\xff\xfe",
    ],
)  # fmt: skip
def test_line_that_cannot_be_read_spoils_no_other(
    line: bytes, story: Story, tmp_path: Path
) -> None:
    next(iter_kept(story, tmp_path))
    path = tmp_path / "receipts"
    path.write_bytes(line + b"\n" + path.read_bytes())
    kept = read_receipts(path)
    assert [row.receipt.seq for row in kept] == [2]
    assert [(fault.number, bool(fault.reason)) for fault in kept.unreadable] == [(1, True)]


def test_answer_is_not_lost_with_its_receipt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full says nothing of what became of the order."""

    async def scenario() -> None:
        async with (
            listed_venue(tmp_path / "journal") as node,
            await connect(node.websocket_url, receipts=tmp_path / "receipts") as client,
        ):
            trader = client.trader(TRADER_KEYS[0], FIRST_ACCOUNT)
            monkeypatch.setattr(client.receipt_file, "_append", refuse_to_write)
            with pytest.raises(
                ReceiptNotKept, match=r"No space left.*place was answered"
            ) as placed:
                await trader.place("BTC-PERP", "buy", "50000", "0.001")
            orders = [row.order for row in (await trader.state()).open_orders]
            answer = placed.value.answer
            assert isinstance(answer, PlaceReply) and orders == [answer.order]
            with pytest.raises(ReceiptNotKept, match="ORDER_NOT_FOUND") as cancelled:
                await trader.cancel("7")
            assert isinstance(cancelled.value.answer, Rejected)
            assert list(trader.receipts.values()) == [
                placed.value.receipt,
                cancelled.value.receipt,
            ]

    asyncio.run(scenario())


@pytest.mark.parametrize("line", ['{"chain_id": "1"}', "[]", '{"chain_id":1,"more":2}'])
def test_line_that_is_no_receipt_is_named_with_its_number(line: str, tmp_path: Path) -> None:
    path = tmp_path / "receipts"
    path.write_text(line + "\n")
    with pytest.raises(ReceiptFileFault, match="line 1"):
        list(read_receipts(path))


def test_a_file_of_something_else_is_no_file_without_receipts(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("# Notes\n\nnothing of the kind\n")
    with pytest.raises(ReceiptFileFault, match="3 lines, and no receipt"):
        list(read_receipts(path))
    path.write_text("")
    assert not list(read_receipts(path))


def test_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReceiptFileFault, match="Is a directory"):
        ReceiptFile(tmp_path)


def test_hexadecimal_that_is_none_is_named(story: Story, tmp_path: Path) -> None:
    kept = next(iter_kept(story, tmp_path))
    for changed in ({"sequencer": "0xzz"}, {"command": "0x1"}):
        row = {**json.loads(json.dumps(kept_members(kept))), **changed}
        (tmp_path / "changed").write_text(json.dumps(row) + "\n")
        arguments = [
            "receipts", "check", str(tmp_path / "changed"), "--rpc", story.chain.url,
            "--contract", "0x" + story.contract.hex(),
        ]  # fmt: skip
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2 and "receipt of seq 2" in " ".join(result.output.split())


def iter_kept(story: Story, folder: Path) -> Iterator[Kept]:
    file = ReceiptFile(folder / "receipts")
    file.keep(1, "0x", SEQUENCER.address, story.body(2), story.receipt(2))
    file.close()
    yield from read_receipts(folder / "receipts")


def kept_members(kept: Kept) -> dict[str, object]:
    members: dict[str, object] = msgspec.to_builtins(kept)
    return members
