"""`proofbook deposit` and `proofbook claim` need a key and the chain, and nobody at the venue."""

import asyncio
from collections.abc import Iterator

import pytest
from tests.integration.memory_venue import ALICE, FINALITY_SECONDS, USDC, MemoryVenue
from tests.integration.test_settlement import fund_alice, on_venue, settlement_of, watcher_of
from typer.testing import CliRunner, Result

from proofbook.chain.contracts import BALANCE_OF
from proofbook.chain.rpc import AsyncRpc, Rpc
from proofbook.cli import app
from proofbook.protocol.genesis import TokenTerms
from proofbook.settlement.deployment import Deployment
from proofbook.settlement.development_chain import DevelopmentChain, advance_clock
from proofbook.settlement.transactions import DEVELOPMENT_KEYS, Sender

RECIPIENT = b"\x08" * 20


@pytest.fixture(scope="module")
def chain() -> Iterator[DevelopmentChain]:
    with DevelopmentChain.start() as running:
        yield running


def run(chain: DevelopmentChain, command: str, contract: bytes, *rest: str) -> Result:
    arguments = [command, "--rpc", chain.url, "--contract", "0x" + contract.hex()]
    arguments += ["--key", DEVELOPMENT_KEYS[1].hex(), *rest]
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("engine", ["kernel", "spec"])
def test_claim_pays_from_the_chain_alone(chain: DevelopmentChain, engine: str) -> None:
    deployments: list[Deployment] = []

    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        deployments.append(venue.deployment)
        account = await fund_alice(venue, rpc)
        assert venue.withdraw(account, RECIPIENT, 250 * USDC).is_applied
        assert venue.withdraw(account, b"\x09" * 20, 1 * USDC).is_applied
        await settlement_of(venue, rpc).settle_all()

    contract = on_venue(chain, story)
    early = run(chain, "claim", contract, "--engine", engine)
    assert early.exit_code == 1
    assert "no claim is final yet" in early.output

    with Rpc(chain.url) as rpc:
        rpc.call("evm_increaseTime", hex(FINALITY_SECONDS))
        rpc.call("evm_mine")
        recipient = "0x" + RECIPIENT.hex()
        paid = run(chain, "claim", contract, "--engine", engine, "--recipient", recipient)
        assert paid.exit_code == 0, paid.output
        assert "1 withdrawals paid" in paid.output
        assert rpc.view(deployments[0].token, BALANCE_OF, RECIPIENT) == 250 * USDC
    assert "1 withdrawals paid" in run(chain, "claim", contract, "--engine", engine).output
    assert "0 withdrawals paid" in run(chain, "claim", contract, "--engine", engine).output


def test_claim_pays_nothing_from_a_false_state(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        venue.write_ticks(2)
        venue.entries[1] = venue.entries[0]
        await settlement_of(venue, rpc).settle_all()
        await advance_clock(rpc, FINALITY_SECONDS)

    refused = run(chain, "claim", on_venue(chain, story))
    assert refused.exit_code == 1
    assert "ORDER_REGRESSED" in " ".join(refused.output.split())


def test_a_deposit_reaches_the_journal(chain: DevelopmentChain) -> None:
    venues: list[MemoryVenue] = []

    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        venues.append(venue)

    contract = on_venue(chain, story)
    result = run(chain, "deposit", contract, "12.5", "--mint")
    assert result.exit_code == 0, result.output
    assert "account 3, request 0" in result.output

    async def credit() -> None:
        async with AsyncRpc(chain.url) as rpc:
            assert await watcher_of(venues[0], rpc).step() == 1

    asyncio.run(credit())
    assert venues[0].engine.world.header.deposits_atoms == 12_500_000


def test_a_deposit_without_money_is_refused_by_name(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        pass

    result = run(chain, "deposit", on_venue(chain, story), "5")
    assert result.exit_code == 2
    assert "ERC20InsufficientBalance" in result.output


@pytest.mark.parametrize("amount", ["0", "-1", "x", "NaN", "Infinity"])
def test_what_is_no_amount_is_refused(chain: DevelopmentChain, amount: str) -> None:
    result = run(chain, "deposit", b"\x11" * 20, "--", amount)
    assert result.exit_code == 2
    assert "no amount" in result.output


def test_what_the_venue_does_not_count_is_refused(chain: DevelopmentChain) -> None:
    async def story(venue: MemoryVenue, rpc: AsyncRpc) -> None:
        pass

    contract = on_venue(chain, story)
    for amount in ("1.0000001", "1e30"):
        result = run(chain, "deposit", contract, amount)
        assert result.exit_code == 2
        assert "no amount of USDC with at most 6 decimals" in " ".join(result.output.split())
    result = run(chain, "deposit", contract, "1", "--token", "WETH")
    assert result.exit_code == 2
    assert "the venue takes no WETH, but USDC" in " ".join(result.output.split())


def test_ether_goes_in_and_out_to_the_wei(chain: DevelopmentChain) -> None:
    """A deposit by its owner's key, a withdrawal by him, a claim by anybody."""
    weth = TokenTerms("WETH", 1, 9, 50_000, 10**12)
    venues: list[MemoryVenue] = []

    async def open_venue() -> None:
        async with AsyncRpc(chain.url) as rpc:
            venues.append(await MemoryVenue.deploy(rpc, (weth,)))

    asyncio.run(open_venue())
    (venue,) = venues
    contract, owner = venue.deployment.chain, "0x" + ALICE.address.hex()
    made = run(
        chain, "deposit", contract, "1.234567891", "--token", "WETH", "--mint", "--owner", owner
    )
    assert made.exit_code == 0, made.output

    async def credit_and_withdraw() -> None:
        async with AsyncRpc(chain.url) as rpc:
            assert await watcher_of(venue, rpc).step() == 1
            balances = venue.engine.world.accounts[3].balances_atoms
            assert balances == [1_234_567_891, 0, 0]
            venue.sender = Sender(rpc, DEVELOPMENT_KEYS[0], venue.deployment.chain_id)
            assert venue.withdraw(3, RECIPIENT, 1_234_567_890, token=1).is_applied
            await settlement_of(venue, rpc).settle_all()
            await advance_clock(rpc, FINALITY_SECONDS)

    asyncio.run(credit_and_withdraw())
    paid = run(chain, "claim", contract)
    assert paid.exit_code == 0, paid.output
    assert "1.23456789 WETH" in paid.output
    with Rpc(chain.url) as rpc:
        ether = venue.deployment.tokens[1].address
        assert rpc.view(ether, BALANCE_OF, RECIPIENT) == 1_234_567_890 * 10**9
        assert rpc.view(ether, BALANCE_OF, venue.deployment.vault) == 10**9
