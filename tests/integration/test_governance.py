"""Changes of the rules on a real EVM chain: scheduled, waited for, executed, applied, verified."""

from collections.abc import Iterator

import pytest
from tests.integration.memory_venue import ALICE, GOVERNANCE_DELAY_SECONDS, USDC, MemoryVenue
from tests.integration.test_settlement import (
    fund_alice,
    on_venue,
    settlement_of,
    verdict,
    watcher_of,
)

from proofbook.chain.contracts import EXECUTE, SCHEDULE
from proofbook.chain.errors import TransactionReverted
from proofbook.chain.rpc import AsyncRpc, to_hex
from proofbook.protocol.commands import SetInstrument
from proofbook.protocol.entry import command_bytes
from proofbook.protocol.identifiers import instrument_id
from proofbook.protocol.limits import ENTRY_BYTES_MAX, InstrumentMode, InstrumentState
from proofbook.settlement.appends import GAS_BASE, gas_bound, read_position, send_append
from proofbook.settlement.deposits import deposit, mint_and_approve
from proofbook.settlement.development_chain import DevelopmentChain, advance_clock
from proofbook.settlement.errors import CommandNotGoverned, OperationNotFound
from proofbook.settlement.governance import (
    COMMANDS_PER_OPERATION_MAX,
    Operation,
    cancel,
    execute,
    schedule,
)
from proofbook.settlement.transactions import DEVELOPMENT_KEYS, TRANSACTION_GAS_MAX, Sender

TRANSACTION_BYTES_MAX = 128 * 1024
LONGEST_REQUEST_BYTES = ENTRY_BYTES_MAX - 18  # beside an entry's length and two times


@pytest.fixture(scope="module")
def chain() -> Iterator[DevelopmentChain]:
    with DevelopmentChain.start() as running:
        yield running


def set_state(state: InstrumentState) -> bytes:
    return command_bytes(SetInstrument(instrument_id(1, 0), state, InstrumentMode.CONTINUOUS))


HALT, OPEN = set_state(InstrumentState.HALTED), set_state(InstrumentState.OPEN)


def test_a_market_is_halted_after_the_delay_and_the_verifier_agrees(
    chain: DevelopmentChain,
) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        account = await fund_alice(venue, rpc)
        venue.list_perpetual()
        venue.mark_perpetual()
        assert venue.write(venue.order(account), ALICE).is_applied, "the market is open"
        scheduled = await schedule(venue.sender, venue.deployment, [HALT])
        with pytest.raises(TransactionReverted, match="TimelockUnexpectedOperationState"):
            await execute(venue.sender, venue.deployment, scheduled.identifier)
        assert await watcher_of(venue, rpc).step() == 0, "nothing happens before its time"
        await advance_clock(rpc, GOVERNANCE_DELAY_SECONDS)
        anyone = Sender(rpc, DEVELOPMENT_KEYS[1], venue.deployment.chain_id)
        (request,) = await execute(anyone, venue.deployment, scheduled.identifier)
        assert (request.request_index, request.command) == (1, HALT), "after Alice's deposit"
        assert await watcher_of(venue, rpc).step() == 1, "the request reaches the journal"
        outcome = venue.write(venue.order(account), ALICE)
        assert outcome.name == "INSTRUMENT_STATE", "a halted book takes no order"
        assert venue.withdraw(account, b"\x07" * 20, USDC).is_applied, "but money leaves"
        await settlement_of(venue, rpc).settle_all()
        with pytest.raises(TransactionReverted, match="TimelockUnexpectedOperationState"):
            await execute(venue.sender, venue.deployment, scheduled.identifier)

    report = verdict(chain, on_venue(chain, story))
    assert report.verified, report.findings
    assert report.outcomes == {"APPLIED": 7, "INSTRUMENT_STATE": 1}
    operator = to_hex(Sender(AsyncRpc(chain.url), DEVELOPMENT_KEYS[0], chain.chain_id).address)
    governance = report.governance
    assert governance is not None
    assert governance.delay_seconds == GOVERNANCE_DELAY_SECONDS
    assert governance.delay_min_seconds == 1, "on a development chain"
    assert governance.proposers == governance.cancellers == [operator]
    assert governance.executors == [to_hex(bytes(20))], "anyone"
    assert governance.admins == [governance.governor], "nobody else"


def test_requests_of_users_and_of_the_governor_keep_their_order(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        venue.list_perpetual()
        await mint_and_approve(venue.sender, venue.deployment, 3 * USDC)
        first = await schedule(venue.sender, venue.deployment, [HALT, OPEN])
        salt = b"\x01" * 32
        second = await schedule(
            venue.sender, venue.deployment, [HALT, OPEN], first.identifier, salt
        )
        assert first.identifier != second.identifier, "the salt tells them apart"
        await advance_clock(rpc, GOVERNANCE_DELAY_SECONDS)
        with pytest.raises(TransactionReverted, match="TimelockUnexecutedPredecessor"):
            await execute(venue.sender, venue.deployment, second.identifier)
        for operation in (first, second):
            await deposit(venue.sender, venue.deployment, ALICE.address, 0, USDC)
            await execute(venue.sender, venue.deployment, operation.identifier)
        assert await watcher_of(venue, rpc).step() == 6, "two deposits, four changes"
        assert await watcher_of(venue, rpc).step() == 0, "each once"
        position = await read_position(rpc, venue.deployment, venue.sender)
        receipt = await send_append(venue.sender, venue.deployment, position, venue.entries)
        assert receipt.gas_used <= GAS_BASE + sum(map(gas_bound, venue.entries)), "as bounded"
        await settlement_of(venue, rpc).settle_all()

    report = verdict(chain, on_venue(chain, story))
    assert report.verified, report.findings
    assert report.outcomes == {"APPLIED": 7}


def test_what_is_cancelled_is_not_executed(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        scheduled = await schedule(venue.sender, venue.deployment, [HALT])
        await cancel(venue.sender, venue.deployment, scheduled.identifier)
        await advance_clock(rpc, GOVERNANCE_DELAY_SECONDS)
        with pytest.raises(TransactionReverted, match="TimelockUnexpectedOperationState"):
            await execute(venue.sender, venue.deployment, scheduled.identifier)
        again = await schedule(venue.sender, venue.deployment, [HALT])
        assert again.identifier == scheduled.identifier, "the same decision"
        assert again.due_seconds > scheduled.due_seconds, "waits anew"
        await advance_clock(rpc, GOVERNANCE_DELAY_SECONDS)
        assert len(await execute(venue.sender, venue.deployment, again.identifier)) == 1

    on_venue(chain, story)


def test_only_a_proposer_schedules_and_only_what_was_scheduled_is_found(
    chain: DevelopmentChain,
) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        stranger = Sender(rpc, DEVELOPMENT_KEYS[1], venue.deployment.chain_id)
        with pytest.raises(TransactionReverted, match="AccessControlUnauthorizedAccount"):
            await schedule(stranger, venue.deployment, [HALT])
        with pytest.raises(OperationNotFound):
            await execute(stranger, venue.deployment, b"\x05" * 32)
        with pytest.raises(CommandNotGoverned):
            await schedule(venue.sender, venue.deployment, [HALT[:-1]])

    on_venue(chain, story)


def test_the_largest_operation_fits_transactions(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        longest = b"\x0b" + b"\xff" * (LONGEST_REQUEST_BYTES - 1)
        requests = (longest,) * COMMANDS_PER_OPERATION_MAX
        arguments = Operation(venue.deployment.inbox, requests).arguments
        scheduling = SCHEDULE.encode(*arguments, GOVERNANCE_DELAY_SECONDS)
        assert len(scheduling) < TRANSACTION_BYTES_MAX
        governor = venue.deployment.governor
        scheduled = await venue.sender.send(governor, scheduling)
        await advance_clock(rpc, GOVERNANCE_DELAY_SECONDS)
        executed = await venue.sender.send(governor, EXECUTE.encode(*arguments))
        assert max(scheduled.gas_used, executed.gas_used) < TRANSACTION_GAS_MAX // 2

    on_venue(chain, story)
