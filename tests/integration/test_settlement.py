"""Settlement and verification on a real EVM chain: deposit, append, claim, finality, withdrawal."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.integration.memory_venue import ALICE, FINALITY_SECONDS, USDC, MemoryVenue

from proofbook.chain.contracts import (
    APPENDS_COUNT,
    BALANCE_OF,
    CLAIM,
    CLAIMS_COUNT,
    GRANT_SESSION,
    IS_CLAIMED,
    NEXT_SEQ,
    REVOKE_SESSION,
)
from proofbook.chain.errors import TransactionReverted
from proofbook.chain.rpc import AsyncRpc, BlockTag, Rpc
from proofbook.protocol.commands import CancelAll, Deposit
from proofbook.protocol.eip712 import command_digest
from proofbook.protocol.entry import Entry
from proofbook.protocol.hashing import root_from_proof
from proofbook.protocol.limits import Action
from proofbook.settlement.appends import GAS_BASE, cut, gas_bound, read_position, send_append
from proofbook.settlement.claims import Follower
from proofbook.settlement.deposits import DepositWatcher, deposit, mint_and_approve
from proofbook.settlement.development_chain import DevelopmentChain, advance_clock
from proofbook.settlement.errors import InboxDisagrees, JournalDisagrees, NonceTaken, RootDisagrees
from proofbook.settlement.settlement import Settlement
from proofbook.settlement.transactions import DEVELOPMENT_KEYS, Sender
from proofbook.verification.chain_reader import ChainReader
from proofbook.verification.engines import EngineName, make_engine
from proofbook.verification.findings import FindingKind, Report
from proofbook.verification.replay import verify

RECIPIENT = b"\x07" * 20


@pytest.fixture(scope="module")
def chain() -> Iterator[DevelopmentChain]:
    with DevelopmentChain.start() as running:
        yield running


def on_venue(chain: DevelopmentChain, story: Callable[[MemoryVenue, AsyncRpc], Awaitable[None]]):
    """Run a story on a venue of its own; return the address of its Chain contract."""

    async def run() -> bytes:
        async with AsyncRpc(chain.url) as rpc:
            venue = await MemoryVenue.deploy(rpc)
            await story(venue, rpc)
            return venue.deployment.chain

    return asyncio.run(run())


def settlement_of(venue: MemoryVenue, rpc: AsyncRpc) -> Settlement:
    return Settlement(rpc, venue.deployment, venue.sender, venue, venue.make_engine)


def watcher_of(venue: MemoryVenue, rpc: AsyncRpc) -> DepositWatcher:
    return DepositWatcher(rpc, venue.deployment, venue.inbox_position, venue.submit, time.time_ns)


async def fund_alice(venue: MemoryVenue, rpc: AsyncRpc, amount_atoms: int = 1_000 * USDC) -> int:
    """Deposit for Alice through vault, inbox and journal; return her account."""
    await mint_and_approve(venue.sender, venue.deployment, amount_atoms)
    made = await deposit(venue.sender, venue.deployment, ALICE.address, 0, amount_atoms)
    assert await watcher_of(venue, rpc).step() == 1, "the request reaches the journal"
    return made.account


def verdict(chain: DevelopmentChain, contract: bytes) -> Report:
    with Rpc(chain.url) as rpc:
        return verify(ChainReader(rpc, contract), EngineName.SPEC)


def test_money_goes_in_and_comes_out_by_proof(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        account = await fund_alice(venue, rpc)
        assert venue.withdraw(account, RECIPIENT, 400 * USDC).is_applied
        assert venue.withdraw(account, RECIPIENT, 100 * USDC).is_applied
        settlement = settlement_of(venue, rpc)
        await settlement.settle_all()
        assert await settlement.pay_withdrawals() == [], "nothing is paid before finality"
        await advance_clock(rpc, FINALITY_SECONDS)
        paid = await settlement.pay_withdrawals()
        assert [w.amount_atoms for w in paid] == [400 * USDC, 100 * USDC], "both are paid"
        balance = await rpc.view(venue.deployment.token, BALANCE_OF, RECIPIENT)
        assert balance == 500 * USDC, "the recipient has the money"
        assert await rpc.view(venue.deployment.vault, IS_CLAIMED, 1), "the vault remembers"
        assert await settlement.pay_withdrawals() == [], "nothing is paid twice"
        assert await settlement.release_bonds() == 1, "the bond comes back"

    report = verdict(chain, on_venue(chain, story))
    assert report.verified, report.findings
    assert report.outcomes == {"APPLIED": 3}
    assert [(batch.first_seq, batch.last_seq) for batch in report.batches] == [(1, 3)]


class CountingRpc(AsyncRpc):
    """Counts the views that are asked for."""

    asked = 0

    async def views(self, calls: Any, block: BlockTag = "latest") -> list[Any]:
        self.asked += len(calls)
        return await super().views(calls, block)


def test_claims_whose_bonds_came_back_are_not_asked_again(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        async with CountingRpc(chain.url) as counting:
            settlement = settlement_of(venue, counting)

            async def claim(count: int) -> None:
                for _ in range(count):
                    venue.write_ticks(1)
                    await settlement.settle_all()

            async def release() -> tuple[int, int]:
                before = counting.asked
                return await settlement.release_bonds(), counting.asked - before

            await claim(3)
            assert (await release())[0] == 0, "none is final"
            await advance_clock(rpc, FINALITY_SECONDS)
            await claim(5)
            assert (await release())[0] == 3
            released, asked = await release()
            assert released == 0
            assert asked == (await asked_for_the_position(settlement, counting)) + 1, "the next one"
            restarted = settlement_of(venue, rpc)
            assert await restarted.release_bonds() == 0
            await advance_clock(rpc, FINALITY_SECONDS)
            assert (await release())[0] == 5
            assert await restarted.release_bonds() == 0, "somebody else was faster"

    async def asked_for_the_position(settlement: Settlement, counting: CountingRpc) -> int:
        before = counting.asked
        await settlement._position()
        return counting.asked - before

    on_venue(chain, story)


def test_an_owner_grants_and_revokes_a_session_on_chain(chain: DevelopmentChain) -> None:
    """The way of owners that are contracts: the vault asks, the journal and the chain agree."""

    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        amount, owner = 1_000 * USDC, venue.sender.address
        await mint_and_approve(venue.sender, venue.deployment, amount)
        made = await deposit(venue.sender, venue.deployment, owner, 0, amount)
        scope = (ALICE.address, 1 << Action.CANCEL, (1 << 64) - 1, 0, 1 << 63)
        vault = venue.deployment.vault
        await venue.sender.send(vault, GRANT_SESSION.encode(0, 3, scope))
        assert await watcher_of(venue, rpc).step() == 2, "deposit and grant reach the journal"
        cancel_all = CancelAll(made.account, 1, 1 << 63)
        assert venue.write(cancel_all, ALICE, session=3).is_applied, "the key may act"
        await venue.sender.send(vault, REVOKE_SESSION.encode(0, 3))
        assert await watcher_of(venue, rpc).step() == 1, "the end reaches the journal"
        outcome = venue.write(replace(cancel_all, nonce=2), ALICE, session=3)
        assert outcome.name == "SESSION_NOT_FOUND"
        with pytest.raises(TransactionReverted, match="AccountNotFound"):
            await venue.sender.send(vault, REVOKE_SESSION.encode(1, 3))
        await settlement_of(venue, rpc).settle_all()

    report = verdict(chain, on_venue(chain, story))
    assert report.verified, report.findings
    assert report.outcomes == {"APPLIED": 4, "SESSION_NOT_FOUND": 1}


def test_batches_longer_than_a_segment_have_a_root_each(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        venue.write_ticks(7_000)
        pieces = cut(venue.entries)
        assert len(pieces) == 2, "they do not fit one append"
        position = await read_position(rpc, venue.deployment, venue.sender)
        receipt = await send_append(venue.sender, venue.deployment, position, pieces[0])
        assert receipt.gas_used <= GAS_BASE + sum(map(gas_bound, pieces[0])), "as bounded"
        await settlement_of(venue, rpc).settle_all()
        venue.write_ticks(1)
        await settlement_of(venue, rpc).settle_all()

    report = verdict(chain, on_venue(chain, story))
    assert report.verified, report.findings
    assert [batch.segments for batch in report.batches] == [7, 1]
    assert report.entries == 7_001


def test_a_restart_appends_and_claims_nothing_twice(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        await fund_alice(venue, rpc)
        venue.write_ticks(20)
        position = await read_position(rpc, venue.deployment, venue.sender)
        piece = venue.entries[:9]
        receipt = await send_append(venue.sender, venue.deployment, position, piece)
        assert receipt.gas_used <= GAS_BASE + sum(map(gas_bound, piece)), "as bounded"
        # A new process: appended by the old one, not claimed; more in the journal.
        await settlement_of(venue, rpc).settle_all()
        for _ in range(2):  # and twice more, with nothing new
            await settlement_of(venue, rpc).settle_all()
        assert await rpc.view(venue.deployment.chain, NEXT_SEQ) == 22, "21 entries, each once"
        assert await rpc.view(venue.deployment.chain, APPENDS_COUNT) == 2, "the rest in one append"
        assert await rpc.view(venue.deployment.chain, CLAIMS_COUNT) == 1, "one claim over both"
        assert await watcher_of(venue, rpc).step() == 0, "the deposit is not submitted again"

    report = verdict(chain, on_venue(chain, story))
    assert report.verified, report.findings


def test_many_requests_in_one_append_cost_no_more_gas_than_bounded(
    chain: DevelopmentChain,
) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        await mint_and_approve(venue.sender, venue.deployment, 30 * USDC)
        for subaccount in range(30):
            await deposit(venue.sender, venue.deployment, ALICE.address, subaccount, USDC)
        assert await watcher_of(venue, rpc).step() == 30, "in the journal in order"
        position = await read_position(rpc, venue.deployment, venue.sender)
        receipt = await send_append(venue.sender, venue.deployment, position, venue.entries)
        assert receipt.gas_used <= GAS_BASE + 30 * gas_bound(venue.entries[0]), "as bounded"
        marginal = (receipt.gas_used - 100_000) // 30
        assert marginal <= gas_bound(venue.entries[0]), "without the base as well"

    on_venue(chain, story)


def test_the_same_position_cannot_be_appended_from_twice(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        venue.write_ticks(3)
        position = await read_position(rpc, venue.deployment, venue.sender)
        await send_append(venue.sender, venue.deployment, position, venue.entries)
        with pytest.raises(NonceTaken):
            await send_append(venue.sender, venue.deployment, position, venue.entries)
        assert await rpc.view(venue.deployment.chain, NEXT_SEQ) == 4, "three entries, not six"

    on_venue(chain, story)


def test_a_pending_append_of_an_earlier_process_is_not_repeated(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        venue.write_ticks(3)
        position = await read_position(rpc, venue.deployment, venue.sender)
        await rpc.call("evm_setAutomine", False)
        try:
            earlier = asyncio.create_task(
                send_append(venue.sender, venue.deployment, position, venue.entries)
            )
            while not int(await rpc.call("eth_getBlockTransactionCountByNumber", "pending"), 16):
                await asyncio.sleep(0.01)
            same_key = Sender(rpc, DEVELOPMENT_KEYS[0], venue.deployment.chain_id)
            restarted = Settlement(rpc, venue.deployment, same_key, venue, venue.make_engine)
            settling = asyncio.create_task(restarted.settle_all())
            await asyncio.sleep(0.3)
            await rpc.call("evm_mine")
        finally:
            await rpc.call("evm_setAutomine", True)
        await earlier
        await rpc.call("evm_mine")
        await settling
        assert await rpc.view(venue.deployment.chain, NEXT_SEQ) == 4, "three entries, not six"

    report = verdict(chain, on_venue(chain, story))
    assert report.verified, report.findings


def test_a_journal_of_another_chain_is_refused(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        venue.write_ticks(3)
        await settlement_of(venue, rpc).settle_all()
        venue.entries = venue.entries[::-1]
        with pytest.raises(JournalDisagrees):
            await settlement_of(venue, rpc).settle_all()

    on_venue(chain, story)


def test_a_request_that_the_inbox_does_not_hold_is_refused(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        await mint_and_approve(venue.sender, venue.deployment, USDC)
        made = await deposit(venue.sender, venue.deployment, ALICE.address, 0, USDC)
        venue.write(Deposit(made.account, ALICE.address, 0, 0, 2 * USDC))
        with pytest.raises(InboxDisagrees):
            await settlement_of(venue, rpc).settle_all()

    on_venue(chain, story)


def test_a_revert_is_named(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        call = CLAIM.encode(1, [bytes(32)])
        with pytest.raises(TransactionReverted) as caught:
            await venue.sender.send(venue.deployment.chain, call, venue.deployment.bond_wei)
        assert str(caught.value.error) == "AppendsNotFound(1, 0)"

    on_venue(chain, story)


def test_an_order_changed_under_its_signature_is_named(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        account = await fund_alice(venue, rpc)
        venue.list_perpetual()
        signed = venue.order(account)
        signature = ALICE.sign(command_digest(venue.separator, signed))
        changed = replace(signed, lots=100)
        venue.write_entry(Entry(venue.now_ns + 1, venue.now_ns + 1, changed, 0, signature))
        await settlement_of(venue, rpc).settle_all()

    report = verdict(chain, on_venue(chain, story))
    (finding,) = report.findings
    assert finding.kind is FindingKind.VOID_ENTRY
    assert (finding.batch, finding.segment, finding.seq) == (0, 0, 3)
    assert finding.reason == "SIGNER_MISMATCH"
    assert not report.verified
    assert not report.batches[0].verified


def test_a_wrong_checkpoint_root_is_named(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        venue.write_ticks(3_000)
        position = await read_position(rpc, venue.deployment, venue.sender)
        await send_append(venue.sender, venue.deployment, position, venue.entries)
        roots = Follower(venue.make_engine, venue).checkpoint_roots(1, 3_000)
        roots[1] = bytes(31) + b"\x01"
        call = CLAIM.encode(1, roots)
        await venue.sender.send(venue.deployment.chain, call, venue.deployment.bond_wei)
        venue.write_ticks(1)
        await settlement_of(venue, rpc).settle_all()

    report = verdict(chain, on_venue(chain, story))
    (finding,) = report.findings
    assert finding.kind is FindingKind.ROOT_MISMATCH
    assert (finding.batch, finding.segment) == (0, 1)
    assert (finding.first_seq, finding.last_seq) == (1_025, 2_048)
    assert finding.claimed == "0x" + "00" * 31 + "01"
    assert finding.expected != finding.claimed
    assert [batch.verified for batch in report.batches] == [False, True]


def test_no_claim_goes_on_from_a_root_that_the_journal_does_not_lead_to(
    chain: DevelopmentChain,
) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        venue.write_ticks(20)
        position = await read_position(rpc, venue.deployment, venue.sender)
        await send_append(venue.sender, venue.deployment, position, venue.entries)
        wrong, right = b"\x01" * 32, venue.engine.root()
        call = CLAIM.encode(1, [wrong])
        await venue.sender.send(venue.deployment.chain, call, venue.deployment.bond_wei)
        venue.write_ticks(1)
        settlement = settlement_of(venue, rpc)
        with pytest.raises(RootDisagrees) as caught:
            await settlement.settle_all()
        fault = caught.value
        assert (fault.seq, fault.found, fault.computed) == (20, wrong, right)
        assert await rpc.view(venue.deployment.chain, NEXT_SEQ) == 22, "entries go on chain"
        assert await rpc.view(venue.deployment.chain, CLAIMS_COUNT) == 1, "claims do not"
        await advance_clock(rpc, FINALITY_SECONDS)
        with pytest.raises(RootDisagrees):
            await settlement.pay_withdrawals()

    on_venue(chain, story)


def test_a_void_entry_that_nobody_has_claimed_is_named(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        venue.write_ticks(2)
        position = await read_position(rpc, venue.deployment, venue.sender)
        entries = [venue.entries[1], venue.entries[0], venue.entries[1]]
        await send_append(venue.sender, venue.deployment, position, entries)

    report = verdict(chain, on_venue(chain, story))
    assert [(f.seq, f.reason, f.batch) for f in report.findings] == [
        (2, "ORDER_REGRESSED", None),
        (3, "ORDER_REGRESSED", None),
    ]
    assert report.entries_unclaimed == 3


@pytest.mark.parametrize("engine", list(EngineName))
def test_the_witness_of_a_state_leads_to_its_root(
    chain: DevelopmentChain, engine: EngineName
) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        await fund_alice(venue, rpc)
        venue.write_ticks(5)
        place = (venue.deployment.genesis, venue.deployment.chain_id, venue.deployment.chain)
        witness = Follower(lambda _: make_engine(engine, *place), venue).opened(6).witness
        assert witness.root() == venue.engine.root()
        for word in (0, 4, 63):
            proof = witness.word_proof(word)
            assert root_from_proof(witness.word(word), word, proof) == witness.root()

    on_venue(chain, story)
