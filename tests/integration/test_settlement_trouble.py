"""Settlement when the chain, the line to it, or the price of gas is against it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.integration.memory_venue import ALICE, PUBLISHER, USDC, MemoryVenue
from tests.set_clock import SetClock

from proofbook.api.errors import Refused
from proofbook.chain.contracts import APPENDS_COUNT, CLAIMS_COUNT, NEXT_SEQ
from proofbook.chain.errors import ChainUnreachable, TransactionReverted
from proofbook.chain.rpc import AsyncRpc, Request, Rpc
from proofbook.protocol.commands import Command, Tick
from proofbook.protocol.limits import NS_PER_SECOND
from proofbook.sequencer.journal import Journal
from proofbook.sequencer.sequencer import Sequencer
from proofbook.sequencer.sighting import Sighting
from proofbook.settlement.confirmations import (
    FINALIZED,
    ON_DEVELOPMENT_CHAINS,
    Confirmation,
    newest_confirmed,
)
from proofbook.settlement.deposits import (
    DepositSettings,
    DepositWatcher,
    deposit,
    mint_and_approve,
)
from proofbook.settlement.development_chain import DevelopmentChain, advance_clock
from proofbook.settlement.errors import FinalityUnknown, TransactionTimedOut
from proofbook.settlement.settlement import Settlement, SettlementSettings
from proofbook.settlement.transactions import DEVELOPMENT_KEYS, Patience, Sender
from proofbook.verification.chain_reader import ChainReader
from proofbook.verification.engines import EngineName
from proofbook.verification.replay import verify

HURRIED = SettlementSettings(interval_seconds=0.01, claim_every_steps=2)
IMPATIENT = Patience(bump_after_seconds=0.2, give_up_after_seconds=5.0, receipt_lag_seconds=0.2)
MINUTE_NS = 60 * NS_PER_SECOND


@pytest.fixture
def chain() -> Iterator[DevelopmentChain]:
    with DevelopmentChain.start() as running:
        yield running


def on_venue(
    chain: DevelopmentChain, story: Callable[[MemoryVenue, AsyncRpc], Awaitable[None]]
) -> None:
    """Run a story on a venue of its own, and verify from the chain alone what came of it."""

    async def run() -> bytes:
        async with AsyncRpc(chain.url) as rpc:
            venue = await MemoryVenue.deploy(rpc)
            await story(venue, rpc)
            return venue.deployment.chain

    contract = asyncio.run(run())
    with Rpc(chain.url) as rpc:
        report = verify(ChainReader(rpc, contract), EngineName.SPEC)
    assert report.verified, report.findings


async def fund(venue: MemoryVenue, count: int = 1) -> None:
    """Let the vault queue deposits for Alice, which nobody has handed in yet."""
    await mint_and_approve(venue.sender, venue.deployment, count * USDC)
    for _ in range(count):
        await deposit(venue.sender, venue.deployment, ALICE.address, 0, USDC)


def watcher_of(
    venue: MemoryVenue, rpc: AsyncRpc, confirmation: Confirmation = ON_DEVELOPMENT_CHAINS
) -> DepositWatcher:
    settings = DepositSettings(confirmation, poll_seconds=0.01)
    return DepositWatcher(
        rpc, venue.deployment, venue.inbox_position, venue.submit, time.time_ns, settings
    )


def settlement_of(venue: MemoryVenue, rpc: AsyncRpc) -> Settlement:
    key = Sender(rpc, DEVELOPMENT_KEYS[0], venue.deployment.chain_id, IMPATIENT)
    return Settlement(rpc, venue.deployment, key, venue, venue.make_engine, HURRIED)


async def mine(rpc: AsyncRpc, blocks: int) -> None:
    await rpc.call("anvil_mine", hex(blocks))


# Reorganisations


def test_a_deposit_of_a_block_that_goes_is_never_credited(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        watcher = watcher_of(venue, rpc, Confirmation(confirmations=3))
        await mint_and_approve(venue.sender, venue.deployment, 2 * USDC)
        await deposit(venue.sender, venue.deployment, ALICE.address, 0, USDC)
        assert await watcher.step() == 0, "it is not deep enough"
        await rpc.call("anvil_reorg", 1, [])
        await mine(rpc, 5)
        assert await watcher.step() == 0, "it is gone"
        assert venue.entries == []
        await deposit(venue.sender, venue.deployment, ALICE.address, 7, USDC)
        await mine(rpc, 3)
        assert await watcher.step() == 1, "the one that stayed is credited"

    on_venue(chain, story)


def test_a_deposit_is_credited_once_its_block_is_final(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        watcher = watcher_of(venue, rpc, Confirmation(tag=FINALIZED))
        await fund(venue)
        assert await watcher.step() == 0
        await mine(rpc, 100)
        assert await watcher.step() == 1

    on_venue(chain, story)


def test_a_chain_that_names_no_final_block_is_named(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        watcher = watcher_of(venue, rpc, Confirmation(tag="irrevocable"))
        with pytest.raises(FinalityUnknown, match="irrevocable"):
            await watcher.step()

    on_venue(chain, story)


def test_what_may_be_missed_begins_with_the_first_block_that_is_not_believed(
    chain: DevelopmentChain,
) -> None:
    async def story(_: MemoryVenue, rpc: AsyncRpc) -> None:
        await mine(rpc, 5)
        newest = await rpc.block_number()
        times = [
            int((await rpc.call("eth_getBlockByNumber", hex(n), False))["timestamp"], 16)
            for n in (newest - 1, newest)
        ]
        now_ns = times[1] * NS_PER_SECOND + 1000 * NS_PER_SECOND
        seen = await newest_confirmed(rpc, Confirmation(), lambda: now_ns)
        assert seen == (newest, now_ns), "everything is believed"
        seen = await newest_confirmed(rpc, Confirmation(confirmations=2), lambda: now_ns)
        assert seen == (newest - 2, times[0] * NS_PER_SECOND)
        behind = Confirmation(quiet_seconds_max=999)
        seen = await newest_confirmed(rpc, behind, lambda: now_ns)
        assert seen == (newest, times[1] * NS_PER_SECOND), "the node is behind"

    on_venue(chain, story)


def test_appends_and_claims_of_blocks_that_go_are_made_again(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        await fund(venue)
        await watcher_of(venue, rpc).step()
        settlement = settlement_of(venue, rpc)
        await settlement.settle_all()
        venue.write_ticks(5)
        before = await rpc.block_number()
        await settlement.settle_all()
        gone = await rpc.block_number() - before
        await rpc.call("anvil_reorg", gone, [])
        assert await rpc.view(venue.deployment.chain, NEXT_SEQ) == 2, "the second append is gone"
        await settlement.settle_all()
        assert await rpc.view(venue.deployment.chain, NEXT_SEQ) == 7
        assert await rpc.view(venue.deployment.chain, APPENDS_COUNT) == 2
        assert await rpc.view(venue.deployment.chain, CLAIMS_COUNT) == 2

    on_venue(chain, story)


# Gas


async def send_while_prices_rise(
    venue: MemoryVenue, rpc: AsyncRpc, fold: int, patience: Patience
) -> None:
    """Send an append that waits for a block, while the base fee becomes so many times as much."""
    sender = Sender(rpc, DEVELOPMENT_KEYS[0], venue.deployment.chain_id, patience)
    settlement = Settlement(rpc, venue.deployment, sender, venue, venue.make_engine)
    venue.write_ticks(3)
    await rpc.call("evm_setAutomine", False)
    settling = asyncio.create_task(settlement.settle_all())
    while not int(await rpc.call("eth_getBlockTransactionCountByNumber", "pending"), 16):
        await asyncio.sleep(0.01)
    block = await rpc.call("eth_getBlockByNumber", "latest", False)
    risen = fold * int(block["baseFeePerGas"], 16)
    try:
        while not settling.done():
            await rpc.call("anvil_setNextBlockBaseFeePerGas", hex(risen))
            await rpc.call("evm_mine")
            await asyncio.sleep(0.05)
        await settling
    finally:
        await rpc.call("evm_setAutomine", True)


def test_a_transaction_follows_the_price_of_gas_in_one_step(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        await asyncio.wait_for(send_while_prices_rise(venue, rpc, 1_000, IMPATIENT), 20)
        assert await rpc.view(venue.deployment.chain, NEXT_SEQ) == 4

    on_venue(chain, story)


def test_no_more_is_offered_than_allowed_and_what_waits_is_mined_later_once(
    chain: DevelopmentChain,
) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        block = await rpc.call("eth_getBlockByNumber", "latest", False)
        allowed = 10 * int(block["baseFeePerGas"], 16) + 10**10
        patience = Patience(
            bump_after_seconds=0.1, give_up_after_seconds=0.5, price_max_wei=allowed
        )
        with pytest.raises(TransactionTimedOut):
            await send_while_prices_rise(venue, rpc, 1_000, patience)
        assert await rpc.view(venue.deployment.chain, NEXT_SEQ) == 1
        await rpc.call("anvil_setNextBlockBaseFeePerGas", block["baseFeePerGas"])
        await rpc.call("evm_mine")
        await settlement_of(venue, rpc).settle_all()
        assert await rpc.view(venue.deployment.chain, NEXT_SEQ) == 4, "three entries, not six"

    on_venue(chain, story)


# A line that fails


class FailingRpc(AsyncRpc):
    """Loses questions before the node hears them, and answers after it has acted."""

    def __init__(self, url: str, random: Random) -> None:
        super().__init__(url)
        self.random = random
        self.faults = 0
        self.is_kind = False

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        drawn = 1.0 if self.is_kind else self.random.random()
        if drawn < 0.06:
            self.faults += 1
            raise ChainUnreachable(self.url, "the question was lost")
        answers = await super().batch(requests)
        if drawn < 0.12:
            self.faults += 1
            raise ChainUnreachable(self.url, "the answer was lost")
        return answers


async def run_until_restarted(
    venue: MemoryVenue, rpc: FailingRpc, seconds: float, confirmation: Confirmation
) -> None:
    """Run watcher and settlement as a process would, and end them at any point."""
    tasks = [
        asyncio.create_task(watcher_of(venue, rpc, confirmation).run()),
        asyncio.create_task(settlement_of(venue, rpc).run()),
    ]
    try:
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()  # nothing ends by itself
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    "seed", [1, 2, *(pytest.param(s, marks=pytest.mark.slow) for s in range(3, 23))]
)
def test_a_line_that_fails_and_restarts_lose_nothing_and_repeat_nothing(
    chain: DevelopmentChain, seed: int
) -> None:
    """Questions and answers get lost, blocks go, processes end: each entry is on chain once."""

    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        random, credited = Random(seed), 0
        confirmation = Confirmation(confirmations=2)
        await mine(rpc, 1)  # over the last block of the deployment, which is not to go
        async with FailingRpc(chain.url, random) as failing:
            for _ in range(12):
                if random.random() < 0.5:
                    await mint_and_approve(other(rpc), venue.deployment, USDC)
                    await deposit(other(rpc), venue.deployment, ALICE.address, 0, USDC)
                    credited += 1
                venue.write_ticks(random.randrange(40))
                await run_until_restarted(venue, failing, random.uniform(0.05, 0.4), confirmation)
                if random.random() < 0.3:
                    await rpc.call("anvil_reorg", 1, [])
                await mine(rpc, 1)
            assert failing.faults > 10, "the line was bad"
            failing.is_kind = True
            await mine(rpc, 3)
            await watcher_of(venue, failing, confirmation).step()
            await settlement_of(venue, failing).settle_all()
        assert venue.inbox_position() <= credited
        assert await rpc.view(venue.deployment.chain, NEXT_SEQ) == len(venue.entries) + 1

    def other(rpc: AsyncRpc) -> Sender:
        return Sender(rpc, DEVELOPMENT_KEYS[1], chain.chain_id)

    on_venue(chain, story)


# An outage longer than a request may wait


class Intake:
    """A sequencer with its journal on the contracts of a venue in memory, and a clock by hand."""

    def __init__(self, venue: MemoryVenue, rpc: AsyncRpc, folder: Path, is_watched: bool) -> None:
        self.rpc = rpc
        self.deployment = venue.deployment
        self.clock = SetClock(venue.now_ns)
        self.engine = venue.make_engine()
        self.journal = Journal(folder)
        self.sequencer = Sequencer(self.engine, self.journal, self.clock, PUBLISHER, epoch=1)
        sighting = Sighting(self.sequencer.window_ns)
        if is_watched:
            self.sequencer.sighting = sighting
        self.watcher = DepositWatcher(
            rpc, venue.deployment, lambda: self.engine.world.header.inbox_position, self.submit,
            self.clock.now_ns, on_seen=sighting.saw,
        )  # fmt: skip
        key = Sender(rpc, DEVELOPMENT_KEYS[0], venue.deployment.chain_id)
        self.settlement = Settlement(rpc, venue.deployment, key, self.journal, venue.make_engine)

    async def submit(self, command: Command) -> None:
        await self.sequencer.submit(command)

    async def pass_time(self, seconds: int) -> None:
        """Let the clock and the chain's time go on."""
        self.clock.time_ns += seconds * NS_PER_SECOND
        await advance_clock(self.rpc, seconds)


async def trade_through_an_outage(intake: Intake, venue: MemoryVenue) -> int:
    """Go on for two hours without a look at the chain, on which deposits wait.

    Return how many commands were refused.
    """
    await intake.watcher.step()
    await intake.submit(Tick())
    await intake.settlement.settle_all()
    await fund(venue, 2)
    refused = 0
    for _ in range(24):
        await intake.pass_time(300)
        together = (intake.submit(Tick(n)) for n in range(400))  # in all more than an append holds
        for answer in await asyncio.gather(*together, return_exceptions=True):
            if answer is not None:
                assert isinstance(answer, Refused)
                assert answer.reason == "CHAIN_UNSEEN"
                assert int(str(answer.value)) > int(str(answer.limit))
                refused += 1
    await intake.watcher.step()
    await intake.submit(Tick())
    await intake.settlement.settle_all()
    return refused


@pytest.mark.parametrize("is_watched", [True, False])
def test_an_outage_longer_than_a_request_may_wait_is_survived(
    chain: DevelopmentChain, tmp_path: Path, is_watched: bool
) -> None:
    """Without a look at the chain the venue's time stands still before the hour is over.

    If it went on, no append could ever leave out the deposits, nor reach them.
    """

    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        intake = Intake(venue, rpc, tmp_path, is_watched)
        run = asyncio.create_task(intake.sequencer.run())
        try:
            if is_watched:
                refused = await trade_through_an_outage(intake, venue)
                assert refused == 15 * 400, "after 45 minutes"
                assert intake.engine.world.header.inbox_position == 2
                assert await rpc.view(venue.deployment.chain, NEXT_SEQ) == intake.engine.seq + 1
            else:
                with pytest.raises(TransactionReverted, match="RequestOverdue"):
                    await trade_through_an_outage(intake, venue)
        finally:
            intake.sequencer.stop()
            with suppress(asyncio.CancelledError):
                await run
            intake.journal.close()

    on_venue(chain, story)


def test_requests_of_an_outage_are_taken_at_a_time_that_is_not_too_late(
    chain: DevelopmentChain, tmp_path: Path
) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        intake = Intake(venue, rpc, tmp_path, True)
        run = asyncio.create_task(intake.sequencer.run())
        await intake.watcher.step()
        seen_ns = intake.clock.time_ns
        await fund(venue)
        await intake.pass_time(3 * 3600)
        with pytest.raises(Refused, match="CHAIN_UNSEEN"):
            await intake.submit(Tick())
        assert await intake.watcher.step() == 1
        assert intake.sequencer.window_ns == seen_ns + 45 * MINUTE_NS, "the venue's time stood"
        await intake.submit(Tick())
        assert intake.sequencer.window_ns == intake.clock.time_ns, "and goes on"
        intake.sequencer.stop()
        await run
        intake.journal.close()

    on_venue(chain, story)


def test_a_venue_takes_nothing_before_its_first_look(tmp_path: Path) -> None:
    sighting = Sighting(1_000, ahead_ns_max=10)
    assert sighting.limit_ns == 1_000
    sighting.saw(995)
    assert sighting.limit_ns == 1_005
    sighting.saw(900)
    assert sighting.limit_ns == 1_005, "a node that lags takes nothing back"
