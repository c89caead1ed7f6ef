"""`proofbook govern …` needs a key and the chain, and nobody at the venue."""

from collections.abc import Iterator

import pytest
from tests.integration.memory_venue import GOVERNANCE_DELAY_SECONDS, MemoryVenue
from tests.integration.test_settlement import on_venue
from typer.testing import CliRunner, Result

from proofbook.chain.contracts import SCHEDULE
from proofbook.chain.rpc import AsyncRpc, Rpc
from proofbook.cli import app
from proofbook.protocol.identifiers import instrument_id
from proofbook.settlement.development_chain import DevelopmentChain
from proofbook.settlement.governance import Operation
from proofbook.settlement.transactions import DEVELOPMENT_KEYS

PROPOSER_KEY, ANY_KEY = DEVELOPMENT_KEYS[:2]
HALT = f"SetInstrument instrument={instrument_id(1, 0)} state=HALTED mode=CONTINUOUS"
OPERATION = "0x" + "05" * 32


@pytest.fixture(scope="module")
def chain() -> Iterator[DevelopmentChain]:
    with DevelopmentChain.start() as running:
        yield running


@pytest.fixture
def venue(chain: DevelopmentChain) -> MemoryVenue:
    venues: list[MemoryVenue] = []

    async def story(venue: MemoryVenue, _: AsyncRpc) -> None:
        venues.append(venue)

    on_venue(chain, story)
    return venues[0]


def run(
    chain: DevelopmentChain, venue: MemoryVenue, *arguments: str, key: bytes | None = None
) -> Result:
    place = ["--rpc", chain.url, "--contract", "0x" + venue.deployment.chain.hex()]
    signing = ["--key", key.hex()] if key else []
    return CliRunner().invoke(app, ["govern", *arguments, *place, *signing])


def wait(chain: DevelopmentChain) -> None:
    with Rpc(chain.url) as rpc:
        rpc.call("evm_increaseTime", hex(GOVERNANCE_DELAY_SECONDS))
        rpc.call("evm_mine")


def test_a_change_is_announced_seen_and_executed(
    chain: DevelopmentChain, venue: MemoryVenue
) -> None:
    assert "nothing is announced" in run(chain, venue, "pending").output
    made = run(chain, venue, "schedule", HALT, "0x0d0300000001000000", key=PROPOSER_KEY)
    assert made.exit_code == 0, made.output
    operation = made.output.split()[1].rstrip(",")
    seen = run(chain, venue, "pending").output
    assert operation in seen
    assert "InstrumentState.HALTED" in seen
    assert "AssignFees(account=3, schedule=1)" in seen
    early = run(chain, venue, "execute", operation, key=ANY_KEY)
    assert early.exit_code == 2
    assert "TimelockUnexpectedOperationState" in early.output
    wait(chain)
    done = run(chain, venue, "execute", operation, key=ANY_KEY)
    assert done.exit_code == 0, done.output
    assert "request 0: SetInstrument" in done.output
    assert "request 1: AssignFees" in done.output
    assert "nothing is announced" in run(chain, venue, "pending").output


def test_an_announced_change_is_taken_back(chain: DevelopmentChain, venue: MemoryVenue) -> None:
    made = run(chain, venue, "schedule", HALT, "--salt", OPERATION, key=PROPOSER_KEY)
    operation = made.output.split()[1].rstrip(",")
    again = run(chain, venue, "schedule", HALT, "--after", operation, key=PROPOSER_KEY)
    assert again.exit_code == 0, "another salt, another predecessor: another operation"
    assert run(chain, venue, "cancel", operation, key=ANY_KEY).exit_code == 2
    taken = run(chain, venue, "cancel", operation, key=PROPOSER_KEY)
    assert taken.exit_code == 0, taken.output
    seen = run(chain, venue, "pending").output
    assert operation not in seen
    assert again.output.split()[1].rstrip(",") in seen


def test_what_is_no_change_of_rules_is_shown_as_such(
    chain: DevelopmentChain, venue: MemoryVenue
) -> None:
    deployment = venue.deployment
    unreadable = Operation(deployment.inbox, (b"\x0b\x01",)).arguments
    elsewhere = Operation(deployment.vault, (b"\x0b\x01",)).arguments

    async def story(_: MemoryVenue, rpc: AsyncRpc) -> None:
        venue.sender.rpc = rpc
        for arguments in (unreadable, elsewhere):
            data = SCHEDULE.encode(*arguments, GOVERNANCE_DELAY_SECONDS)
            await venue.sender.send(deployment.governor, data)

    on_venue(chain, story)
    seen = run(chain, venue, "pending").output
    assert "0x0b01, which is no command" in seen
    assert "calls that are no requests" in seen


@pytest.mark.parametrize(
    "command",
    [
        "",
        "0x",
        "0xzz",
        "SetMoney",
        "Deposit account=3",
        "SetInstrument",
        "SetInstrument instrument=5 state=ASLEEP mode=CONTINUOUS",
        "SetInstrument instrument=5 state=HALTED mode=CONTINUOUS speed=1",
        "SetInstrument instrument=five state=HALTED mode=CONTINUOUS",
        "SetInstrument instrument=4294967296 state=HALTED mode=CONTINUOUS",
        "SetInstrument instrument",
    ],
)
def test_what_is_no_command_of_governance_is_not_announced(
    chain: DevelopmentChain, venue: MemoryVenue, command: str
) -> None:
    refused = run(chain, venue, "schedule", command, key=PROPOSER_KEY)
    assert refused.exit_code == 2
    assert "no command" in " ".join(refused.output.split())
    assert not isinstance(refused.exception, ValueError)


@pytest.mark.parametrize("text", ["", "0x12", "12" * 32, "0x" + "zz" * 32])
def test_what_is_no_operation_is_refused(
    chain: DevelopmentChain, venue: MemoryVenue, text: str
) -> None:
    refused = run(chain, venue, "execute", text, key=ANY_KEY)
    assert refused.exit_code == 2
    assert "hexadecimal digits" in " ".join(refused.output.split())


def test_an_operation_that_nobody_announced_is_named(
    chain: DevelopmentChain, venue: MemoryVenue
) -> None:
    refused = run(chain, venue, "execute", OPERATION, key=ANY_KEY)
    assert refused.exit_code == 2
    assert "has no batch of requests" in " ".join(refused.output.split())
